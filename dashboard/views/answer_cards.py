"""From rows to cards: pictures with both models' answers, and the evidence for why one of them is wrong."""

import math
from collections.abc import Sequence
from typing import Any

import pandas

from dashboard import queries_predictions as queries
from dashboard.components import gallery
from dashboard.components.answers import Answers, Bar, Card, Fact
from dashboard.connection import Results
from dashboard.views.contest import Contest, Model
from dashboard.views.hierarchy import Hierarchy, hierarchy_of

CARD_PX = 320
COMPACT_PX = 192
Rows = dict[int, Any]


def cards(results: Results, contest: Contest, ordinals: Sequence[int], reasons: dict[str, str], badges: bool) -> list[Card]:
    """Full cards of some pictures, in their order; with `badges`, each says which of the models alone is right."""
    tree, found = hierarchy_of(results), queries.pictures(results, contest.dataset, ordinals)
    answered = _answers_of(results, contest, ordinals)
    proof = Evidence(results, contest, found)
    return [
        _card(results, tree, contest, picture, [rows.get(picture.ordinal) for rows in answered], proof, reasons, badges)
        for picture in found.itertuples()
    ]


def compact_cards(results: Results, contest: Contest, ordinals: Sequence[int]) -> list[Card]:
    """Small cards of some pictures, in their order: each model's first answer, and whether it was right."""
    tree, found = hierarchy_of(results), queries.pictures(results, contest.dataset, ordinals)
    answered = _answers_of(results, contest, ordinals)
    shown = []
    for picture in found.itertuples():
        rows = [rows.get(picture.ordinal) for rows in answered]
        side, _ = outcome(contest, rows)
        name = tree.name(picture.wnid)
        shown.append(
            Card(
                key=picture.image_id,
                title=name,
                photo=gallery.photo_url(gallery.find_picture(results.images, picture.path), COMPACT_PX),
                alt=f"picture {picture.ordinal}, {name}",
                models=[_answers(tree, row, picture.wnid, contest.top, 1) for row in rows],
                side=side,
            )
        )
    return shown


def outcome(contest: Contest, rows: Sequence[Any]) -> tuple[int | None, str]:
    """Which side alone is right (0 or 1, or None), and the outcome in words."""
    ranks = [None if row is None or pandas.isna(row.label_rank) else int(row.label_rank) for row in rows]
    if None in ranks:
        return None, "not compared: its class is not one that both know"
    right = [rank is not None and rank <= contest.top for rank in ranks]
    if right == [True, False]:
        return 0, f"only {contest.a.name}"
    if right == [False, True]:
        return 1, f"only {contest.b.name}"
    return None, "both are right" if all(right) else "neither is right"


class Evidence:
    """What CLIP's image features say of some pictures, rows of `queries.pictures`; nothing where no CLIP ran."""

    def __init__(self, results: Results, contest: Contest, found: pandas.DataFrame) -> None:
        self.rows: dict[str, Any] = {}
        self.means: dict[str, float] = {}
        if contest.evidence_run and len(found):
            rows = queries.evidence(results, contest.evidence_run, found.image_id.tolist())
            self.rows = {row.Index: row for row in rows.itertuples()}
            labels = found.wnid.dropna().unique().tolist()
            self.means = queries.class_similarities(results, contest.evidence_run, labels)

    def facts(self, image_id: str, wnid: str | None) -> list[Fact]:
        """Rendering and likeness to the class, as far as known."""
        row = self.rows.get(image_id)
        if row is None:
            return []
        told = [Fact("rendering", f"{row.probe}, says CLIP ({row.probe_probability:.0%})".replace("%", " %"))]
        if not _missing(row.class_similarity):
            mean = self.means.get(wnid or "", math.nan)
            compared = "" if _missing(mean) else f", class mean {mean:.2f}: {_likeness(row.class_similarity - mean)}"
            told.append(Fact("likeness", f"{row.class_similarity:.2f} to the class’s other pictures{compared}"))
        return told


def _likeness(difference: float) -> str:
    return "as typical as most" if abs(difference) < 0.02 else "more typical than most" if difference > 0 else "untypical"


def wrong_answer_facts(tree: Hierarchy, contest: Contest, wnid: str | None, rows: Sequence[Any]) -> list[Fact]:
    """For each model whose first answer is wrong: that answer, and what it has in common with the true class."""
    facts = []
    for model, row in zip((contest.a, contest.b), rows, strict=True):
        if row is None or not isinstance(wnid, str) or _is_right(row, 1) or not len(row.top5):
            continue
        answer = tree.index_name(int(row.top5[0]))
        if isinstance(row.ancestor, str) and row.ancestor in tree:
            depth = tree.depth.get(row.ancestor, 0)
            told = f"“{answer}”; in common (depth {depth}): "
            facts.append(Fact(short_name(model), told, tree.name(row.ancestor), row.ancestor))
        else:
            facts.append(Fact(short_name(model), f"“{answer}”"))
    return [Fact(f"{fact.term} said", fact.text, fact.link_text, fact.wnid) for fact in facts]


def short_name(model: Model) -> str:
    """A model's name up to its first comma."""
    return model.name.partition(",")[0]


def margin_fact(contest: Contest, rows: Sequence[Any]) -> list[Fact]:
    """Both margins, where they are known."""
    if any(row is None or _missing(row.margin) for row in rows):
        return []
    a, b = (row.margin for row in rows)
    return [Fact("margin", f"{short_name(contest.a)} {a:+.3f}, {_other(contest)} {b:+.3f}".replace("-", "−"))]


def _other(contest: Contest) -> str:
    """B's short name, or its whole one where both would be called the same."""
    return contest.b.name if short_name(contest.a) == short_name(contest.b) else short_name(contest.b)


def credit(picture: Any) -> str:
    """Source, author and license of a picture."""
    license_text = f"license: {picture.license}"
    return " · ".join(text for text in (picture.source, picture.author, license_text) if isinstance(text, str) and text)


def _card(
    results: Results,
    tree: Hierarchy,
    contest: Contest,
    picture: Any,
    rows: Sequence[Any],
    proof: Evidence,
    reasons: dict[str, str],
    badges: bool,
) -> Card:
    side, told = outcome(contest, rows)
    style = f" · {picture.style}" if isinstance(picture.style, str) else ""
    return Card(
        key=picture.image_id,
        title=f"Picture {picture.ordinal}{style}" if badges else f"{tree.name(picture.wnid)}{style}",
        photo=gallery.photo_url(gallery.find_picture(results.images, picture.path), CARD_PX),
        alt=f"picture {picture.ordinal}, {tree.name(picture.wnid)}",
        models=[_answers(tree, row, picture.wnid, contest.top, 5) for row in rows],
        badge=told if badges else "",
        side=side,
        facts=[
            *wrong_answer_facts(tree, contest, picture.wnid, rows),
            *margin_fact(contest, rows),
            *proof.facts(picture.image_id, picture.wnid),
        ],
        reason=reasons.get(picture.image_id, ""),
        credit=credit(picture),
    )


def _answers_of(results: Results, contest: Contest, ordinals: Sequence[int]) -> list[Rows]:
    return [
        {row.Index: row for row in queries.answers(results, model.run_id, ordinals).itertuples()}
        for model in (contest.a, contest.b)
    ]


def _answers(tree: Hierarchy, row: Any, wnid: str | None, top: int, count: int) -> Answers:
    if row is None:
        return Answers([], "no answer", False)
    bars = [
        Bar(tree.index_name(int(index)), float(probability), tree.wnid_of_index.get(int(index)) == wnid)
        for index, probability in zip(row.top5[:count], row.top5_probability[:count], strict=True)
    ]
    return Answers(bars, verdict(row.label_rank, row.label_probability), _is_right(row, top))


def verdict(rank: Any, probability: Any) -> str:
    """Where the true class came, in words."""
    if _missing(rank):
        return "does not know the class"
    return "true class first" if rank == 1 else f"true class at rank {int(rank)}, {float(probability):.4f}"


def _is_right(row: Any, top: int) -> bool:
    return not _missing(row.label_rank) and bool(row.label_rank <= top)


def _missing(value: Any) -> bool:
    return bool(pandas.isna(value))
