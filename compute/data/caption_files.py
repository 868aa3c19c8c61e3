"""Files of captions: CSV with the columns file and caption and, as one likes, split, or COCO's captions in JSON.

Which of the two a file is, its content says. What cannot be used is counted and told, not an error.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compute.data.errors import DataError, short
from compute.data.text_files import csv_rows, read_text

NEEDED_COLUMNS = ("file", "caption")
SPLITS = ("train", "val")
LONGEST_CAPTION = 1000  # characters; more is no caption
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f]")
EXPECTED = (
    "Expected is a CSV with the columns file,caption and, as you like, split (train or val), or one of COCO's "
    "captions_*.json (http://cocodataset.org)."
)


@dataclass
class Tally:
    """What is odd about a file, in words, how often, and the first case of each."""

    counts: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, case: object, count: int = 1) -> None:
        """Count another case, or several."""
        self.counts[what] = self.counts.get(what, 0) + count
        self.firsts.setdefault(what, str(case)[:120])

    def sentence(self) -> str:
        """All of it, the most frequent first."""
        ordered = sorted(self.counts, key=lambda what: -self.counts[what])
        return "; ".join(f"{self.counts[what]:,} {what} (first: {self.firsts[what]})" for what in ordered)


@dataclass(frozen=True)
class Told:
    """One caption as its file tells it: of which file, in which words, and of which split where it says so."""

    where: str  # in the captions' file
    file: str
    text: str
    split: str | None = None


def read_captions(path: Path, left_out: Tally) -> tuple[list[Told], str]:
    """Every usable caption of a file, in its order, and the file's encoding; what is left out is counted in `left_out`.

    White space is made single spaces, and control characters go. Raises DataError where the file cannot be read, is neither
    of both kinds, or lacks a column.
    """
    text, encoding = read_text(path)
    if "\0" in text:
        left_out.add("NUL bytes", f"character {text.index(chr(0)) + 1}", text.count("\0"))
        text = text.replace("\0", "")
    is_json = text.lstrip()[:1] in ("{", "[")
    told = _coco_captions(path, text, left_out) if is_json else _csv_captions(path, text, left_out)
    return [caption for caption in told if _usable(caption, left_out)], encoding


def _usable(caption: Told, left_out: Tally) -> bool:
    if not caption.text:
        left_out.add("empty captions", caption.where)
    elif len(caption.text) > LONGEST_CAPTION:
        left_out.add(f"captions of more than {LONGEST_CAPTION:,} characters", caption.where)
    elif not caption.file:
        left_out.add("captions that name no file", caption.where)
    elif caption.split not in (None, *SPLITS):
        left_out.add("captions of another split than train and val", f"'{caption.split}' in {caption.where}")
    else:
        return True
    return False


def _csv_captions(path: Path, text: str, left_out: Tally) -> Iterator[Told]:
    for line, row in csv_rows(path, text, NEEDED_COLUMNS, EXPECTED):
        if row is None:
            left_out.add("rows of more cells than columns; a caption with commas needs quotes around it", f"line {line}")
        else:
            split = row.get("split", "").strip().lower() or None
            yield Told(f"line {line}", row["file"].strip(), _cleaned(row["caption"]), split)


def _coco_captions(path: Path, text: str, left_out: Tally) -> Iterator[Told]:
    try:
        content = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no whole JSON ({error}). Copy or download it again. {EXPECTED}") from error
    images, annotations = (content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise DataError(f"{path}: is JSON, but has no lists 'images' and 'annotations' as COCO's has. {EXPECTED}")
    if not any(isinstance(entry, dict) and "caption" in entry for entry in annotations):
        raise DataError(
            f"{path}: none of its {len(annotations)} annotations has a 'caption', as of COCO's files captions_* do."
        )
    names: dict[int | str | None, str] = {}
    for entry in images:
        number, name = _number(entry, "id"), _of(entry, "file_name")
        if isinstance(name, str) and names.setdefault(number, name) != name:
            raise DataError(
                f"{path}: the image id {number} is that of two files, {short(names[number])} and {short(name)}, so nobody "
                "knows which of them its captions are of. Copy or download it again."
            )
    for place, entry in enumerate(annotations, start=1):
        caption, number = _of(entry, "caption"), _number(entry, "image_id")
        if not isinstance(caption, str):
            left_out.add("annotations without a caption", f"annotation {place}")
        elif number is None or number not in names:
            left_out.add("captions of an image that the file does not list", f"image_id {number} of annotation {place}")
        else:
            yield Told(f"annotation {place}", names[number].strip(), _cleaned(caption))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, which may hold a name once; Python would take the last of several without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name '{short(twice)}' is twice in one object")
    return found


def _of(entry: Any, key: str) -> Any:
    return entry.get(key) if isinstance(entry, dict) else None


def _number(entry: Any, key: str) -> int | str | None:
    value = _of(entry, key)
    return value if isinstance(value, int | str) else None


def _cleaned(text: str) -> str:
    """One line of valid Unicode; JSON may hold half a surrogate pair, which no table takes."""
    return " ".join(CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8").split())
