"""How ranks shift between any two runs: all queries as a scatter, the counts with a test, and those that moved most."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas
import streamlit

from dashboard import charts_retrieval as charts
from dashboard import intervals, layout, recall
from dashboard import queries_retrieval as rows
from dashboard.components import gallery, ranking
from dashboard.components.ranking import Shift
from dashboard.connection import Results
from dashboard.intervals import Estimate
from dashboard.views.precision_runs import small
from dashboard.views.retrieval_browser import open_in_browser, rank_text
from dashboard.views.retrieval_runs import QUERY_WORDS, Setup, choose_direction, choose_run
from dashboard.views.retrieval_scores import Places, percent, places, points_text

MOST_MOVED = 5  # each way
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Shifts:
    """What changes from run A to run B in one direction: queries better, the same and worse; images likewise; a test; R@1."""

    queries: tuple[int, int, int]
    images: tuple[int, int, int]
    p_value: float
    change: Estimate


@layout.errors_as_messages()
def shifts(results: Results, setup: Setup) -> None:
    """Draw the tab."""
    runs = setup.runs
    if len(runs) < 2:
        streamlit.info("Only one run is stored here; two are needed to compare their ranks.")
        return
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        direction = choose_direction()
        a = choose_run("A", "a", list(runs))
        b = choose_run("B", "b", [name for name in runs if name != a])
    found = shifts_between(places(results, runs[a], direction), places(results, runs[b], direction), setup.images)
    streamlit.markdown(f"### {sentence(found, direction)}")
    streamlit.caption(sign_test_words(found, direction))
    _scatter(results, setup, a, b, direction)
    for column, gained in zip(streamlit.columns(2, gap="large"), (True, False), strict=True):
        with column:
            _moved(results, setup, a, b, direction, gained)
    streamlit.caption("By the ratio of the two ranks. Pick one to see B’s answers to it.")


def _scatter(results: Results, setup: Setup, a: str, b: str, direction: str) -> None:
    marks = mark_rows(results, setup.runs[a], setup.runs[b], direction)
    if marks.empty:
        streamlit.info("These results do not hold the images or captions of these queries.")
        return
    many = QUERY_WORDS[direction][1]
    drawing = partial(charts.rank_shifts, marks, a, b, setup.candidates(direction), many)
    layout.chart(drawing, marks.drop(columns="many"), "rank_shifts")
    near = " Near ranks share a dot." if marks.many.any() else ""
    streamlit.caption(
        f"A dot stands for the {many} of one pair of ranks, by their number; below the dashed line B ranks the right answer "
        f"better. Both axes are logarithmic.{near}"
    )


def _moved(results: Results, setup: Setup, a: str, b: str, direction: str, gained: bool) -> None:
    streamlit.subheader("Gained most in B" if gained else "Lost most in B")
    moved = rows.most_shifted(results, setup.runs[a], setup.runs[b], direction, gained, MOST_MOVED)
    if moved.empty:
        streamlit.caption(f"No {QUERY_WORDS[direction][0]} {'gains' if gained else 'loses'} a place.")
        return
    shown = ranking.shift_list(shift_rows(results, setup.runs[b], direction, moved))
    ranking.show(shown, "gained" if gained else "lost", on_open=partial(open_in_browser, b))


def shifts_between(a: Places, b: Places, images: int) -> Shifts:
    """What changes between two runs' places of the same queries; an image counts by the mean rank of its queries."""
    counts = np.bincount(a.image, minlength=images)
    sums = [recall.sums_by_image(each.ranks, each.image, images) for each in (a, b)]
    own = counts > 0
    by_image = recall.outcome_counts(sums[0][own], sums[1][own])
    hits = [recall.sums_by_image(recall.expected_hits(each.above, each.tied, 1), each.image, images) for each in (a, b)]
    difference = np.stack([hits[1] - hits[0]], axis=1)
    draws = recall.drawn_means(intervals.image_weights(images), difference, counts.astype(float))[:, 0]
    return Shifts(
        queries=recall.outcome_counts(a.ranks, b.ranks),
        images=by_image,
        p_value=intervals.mcnemar(by_image[0], by_image[2]),
        change=intervals.summarise(draws),
    )


def sentence(found: Shifts, direction: str) -> str:
    """How many queries rank their answer better or worse in B, in Markdown."""
    better, same, worse = found.queries
    one, many = QUERY_WORDS[direction]
    shares = [percent(count / max(better + same + worse, 1), 0) for count in found.queries]
    return (
        f"In B the right answer ranks better for **{better:,}** {one if better == 1 else many} ({shares[0]}), the same for "
        f"**{same:,}** ({shares[1]}), worse for **{worse:,}** ({shares[2]}). "
        f"R@1 changes by **{points_text(found.change)}** points."
    )


def sign_test_words(found: Shifts, direction: str) -> str:
    """The sign test over images, in Markdown."""
    better, same, worse = found.images
    by = "" if direction == "image to text" else ", by the mean rank of their captions, which are not independent of each other"
    p = "p < 0.0001" if found.p_value < 0.0001 else f"p = {small(found.p_value)}"
    shown = "an uneven split was shown" if found.p_value < SIGNIFICANCE else "no uneven split was shown"
    return (
        f"Exact sign test over images{by}: {better:,} better, {worse:,} worse, {same:,} the same; {p}, {shown}. The "
        "test asks how many move, not how far. In brackets the paired 95 % bootstrap interval over images."
    )


def mark_rows(results: Results, run_a: str, run_b: str, direction: str) -> pandas.DataFrame:
    """Pairs of ranks with what changes between them: rank_a, rank_b, queries, change, many."""
    found = rows.rank_pairs(results, run_a, run_b, direction).copy()
    changes = np.select([found.rank_b < found.rank_a, found.rank_b > found.rank_a], ["better in B", "worse in B"], "the same")
    return found.assign(change=changes)


def shift_rows(results: Results, run_id: str, direction: str, moved: pandas.DataFrame) -> list[Shift]:
    """What is drawn of queries that moved: the picture and the caption, of an image its first one."""
    pictures = rows.pictures(results, run_id, image_ids=moved.image_id.tolist())
    photos = {
        picture.image_id: gallery.photo_url(gallery.find_picture(results.images, picture.path))
        for picture in pictures.itertuples()
    }
    texts = rows.captions(results, run_id, image_ids=moved.image_id.tolist())
    return [
        Shift(
            target=f"{QUERY_WORDS[direction][0]} {query.number}",
            photo=photos.get(query.image_id, gallery.MISSING),
            text=_text(texts, query, direction),
            ranks=f"rank {rank_text(query.rank_a)} → {rank_text(query.rank_b)}",
        )
        for query in moved.itertuples()
    ]


def _text(texts: pandas.DataFrame, query: Any, direction: str) -> str:
    own = texts[texts.position == query.number] if direction == "text to image" else texts[texts.image_id == query.image_id]
    return str(own.text.iloc[0]) if len(own) and str(own.text.iloc[0]).strip() else "(no words)"
