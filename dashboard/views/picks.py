"""Which ten classes show who wins where, and the reasons that people wrote beside single pictures."""

import csv
import io
import itertools
from collections.abc import Sequence
from pathlib import Path

import pandas

from dashboard.kept import kept
from dashboard.views.hierarchy import WNID, Hierarchy

CLASS_COUNT = 10
LARGEST_POOL = 20  # candidates of a lesser kind join only until there are so many
REASONS_FILE = "picks.csv"
LARGEST_FILE_BYTES = 1_000_000
LONGEST_REASON = 600


@kept
def chosen_classes(tree: Hierarchy, by_class: pandas.DataFrame) -> list[str]:
    """Ten classes as far apart in the tree as can be, of those with the most telling pictures.

    `by_class` has wnid, only_a and only_b. Classes with two pictures that only B got right and one that only A did come first;
    those with one of each, and those with any, join where there are too few. Greedy: each next class shares the least depth
    with those chosen so far.
    """
    pool = _pool(by_class)
    chosen: list[str] = []
    while pool and len(chosen) < CLASS_COUNT:
        best = min(pool, key=lambda wnid: (_nearness(tree, wnid, chosen), pool[wnid], wnid))
        chosen.append(best)
        del pool[best]
    return chosen


def next_class(tree: Hierarchy, by_class: pandas.DataFrame, chosen: Sequence[str], replaced: str) -> str:
    """What takes the place of a chosen class: the one after it in the order of distance from the others, in a circle."""
    others = [wnid for wnid in chosen if wnid != replaced]
    pool = {wnid: rank for wnid, rank in _pool(by_class, len(by_class)).items() if wnid not in others}
    ranked = sorted(pool, key=lambda wnid: (_nearness(tree, wnid, others), pool[wnid], wnid))
    if not ranked:
        return replaced
    return ranked[(ranked.index(replaced) + 1) % len(ranked)] if replaced in ranked else ranked[0]


def _pool(by_class: pandas.DataFrame, enough: int = LARGEST_POOL) -> dict[str, tuple[int, int]]:
    """Candidates with a rank each: how well they show both sides, then how often the two disagree."""
    rows = by_class.dropna(subset="wnid")
    tiers: list[dict[str, tuple[int, int]]] = [{}, {}, {}]
    for wnid, a, b in zip(rows.wnid, rows.only_a, rows.only_b, strict=True):
        tier = 0 if a >= 1 and b >= 2 else 1 if a and b else 2
        if a or b:
            tiers[tier][wnid] = (tier, -int(a + b))
    pool: dict[str, tuple[int, int]] = {}
    for tier_rows in tiers:
        if len(pool) < enough:
            pool |= tier_rows
    return pool


def _nearness(tree: Hierarchy, wnid: str, others: Sequence[str]) -> tuple[int, int]:
    depths = [tree.common_depth(wnid, other) for other in others]
    return max(depths, default=0), sum(depths)


def parse_classes(tree: Hierarchy, text: str, among: set[str]) -> tuple[list[str], list[str]]:
    """Wnids that a person typed or named, separated by commas, and what could not be understood, in words."""
    found: list[str] = []
    complaints = []
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words[:CLASS_COUNT]:
        if WNID.fullmatch(word) and word in among:
            matches = [word]
        else:
            exact = [wnid for wnid in tree.search(word, among, limit=50) if tree.name(wnid).casefold() == word.casefold()]
            matches = exact or tree.search(word, among, limit=4)
        if not matches:
            complaints.append(f"No class of this data set is called {word}.")
        elif len(matches) > 1:
            listed = ", ".join(f"{tree.name(wnid)} ({wnid})" for wnid in matches[:4])
            complaints.append(f"{word} can be {listed}: type one of these numbers.")
        elif matches[0] not in found:
            found.append(matches[0])
    if len(words) > CLASS_COUNT:
        complaints.append(f"Only the first {CLASS_COUNT} of {len(words)} are shown.")
    return found, complaints


def read_reasons(images: Path) -> tuple[dict[str, str], str]:
    """Reasons by image_id from images/picks.csv, and a notice in words where something in it was left out.

    The file is UTF-8 with the columns image_id and reason.
    """
    path = images / REASONS_FILE
    try:
        if not path.is_file():
            return {}, ""
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            return {}, f"{REASONS_FILE} is larger than 1 MB and was not read."
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(lines, [])]
        if "image_id" not in header or "reason" not in header:
            return {}, f"{REASONS_FILE} was not read: its first line must name the columns image_id and reason."
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}, f"{REASONS_FILE} was not read: it is no CSV in UTF-8."
    key, reason = header.index("image_id"), header.index("reason")
    reasons: dict[str, str] = {}
    ignored = 0
    for _ in itertools.repeat(None):
        try:
            line = next(lines)
        except StopIteration:
            break
        except csv.Error:
            ignored += 1
            continue
        if len(line) == len(header) and line[key].strip() and line[reason].strip():
            reasons[line[key].strip()] = line[reason].strip()[:LONGEST_REASON]
        elif any(line):
            ignored += 1
    notice = f"{ignored} {'line' if ignored == 1 else 'lines'} of {REASONS_FILE} could not be read." if ignored else ""
    return reasons, notice
