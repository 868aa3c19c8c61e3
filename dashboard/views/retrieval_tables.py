"""The tables of recall and ranks both ways, beside the report's figures where there are some, and recall as a chart."""

import math
from collections.abc import Sequence
from functools import partial
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import charts_retrieval as charts
from dashboard import layout
from dashboard import queries_retrieval as rows
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.intervals import Estimate
from dashboard.views.retrieval_runs import CUTOFFS, QUERY_WORDS, Setup
from dashboard.views.retrieval_scores import (
    Chance,
    Score,
    chance,
    interval_text,
    percent,
    points_text,
    scores,
)

CUTOFF_WORDS = {f"R@{cutoff}": cutoff for cutoff in CUTOFFS}
FULL = "full"
# What each column is called in reference_result, after the direction, and here.
MEASURES = {
    **{f"R@{cutoff} in percent": f"R@{cutoff}" for cutoff in CUTOFFS},
    "median rank": "median rank",
    "mean rank": "mean rank",
}


@streamlit.fragment
@layout.errors_as_messages()
def tables(results: Results, setup: Setup) -> None:
    """Draw the tab."""
    chosen = layout.choose_button("Recall", list(CUTOFF_WORDS), "cutoff", default="R@1")
    found = {direction: scores(results, setup, direction) for direction in rows.DIRECTIONS}
    for column, direction in zip(streamlit.columns(2, gap="large"), rows.DIRECTIONS, strict=True):
        with column:
            streamlit.markdown(f"### {direction.capitalize()}")
            marks = mark_rows(found[direction], CUTOFF_WORDS[chosen])
            guess = chance(results, setup, direction).recalls[CUTOFF_WORDS[chosen]]
            title = f"{chosen}, share of {QUERY_WORDS[direction][1]}"
            drawing = partial(charts.recall_marks, marks, setup.names, guess, title)
            layout.chart(drawing, marks, f"recall_{direction.replace(' ', '_')}", layout.HALF_PX)
    streamlit.caption(
        f"R@k is the share of queries whose right answer is among the first k. Lines are 95 % intervals; the dotted line is "
        f"chance, k of {setup.images:,} for captions that seek an image."
    )
    reported = rows.reported_results(results)
    for direction in rows.DIRECTIONS:
        streamlit.subheader(direction.capitalize())
        guess_row = chance(results, setup, direction)
        panel.show(score_table(setup, found[direction], guess_row, reported), f"scores_{direction.replace(' ', '_')}")
        streamlit.caption(_table_note(setup, found[direction]))
        csv = csv_rows(found[direction], guess_row, reported)
        layout.csv_button(csv, f"retrieval_{direction.replace(' ', '_')}")
    if told := report_words(setup, reported):
        streamlit.markdown(told)


def mark_rows(found: Sequence[Score], cutoff: int) -> pandas.DataFrame:
    """Recall of each variant at a cutoff: variant, recall, low, high."""
    return pandas.DataFrame(
        [
            {"variant": score.variant.name, "recall": own.value, "low": own.low, "high": own.high}
            for score in found
            for own in [score.recalls[cutoff]]
        ]
    )


def reported_value(reported: pandas.DataFrame, variant: str, direction: str, measure: str) -> float:
    """The report's figure of a variant, as the report has it; NaN where there is none."""
    if reported.empty:  # as it mostly is, and asked a hundred times
        return math.nan
    own = reported[(reported.variant == variant) & (reported.metric == f"{direction} {measure}")]
    return float(own.value.iloc[0]) if len(own) else math.nan


def score_table(setup: Setup, found: Sequence[Score], guess: Chance, reported: pandas.DataFrame) -> Element:
    """A row for each variant and one for chance; a column of the report stands beside each measure that it has."""
    direction = found[0].direction
    theirs = {
        measure
        for measure in MEASURES
        if any(not math.isnan(reported_value(reported, score.variant.variant, direction, measure)) for score in found)
    }
    root = Element("div", {"class": "scroll"})
    table = markup.add(root, "table")
    head = markup.add(table, "tr")
    markup.add(head, "th", "projections")
    for measure, title in MEASURES.items():
        markup.add(head, "th", title, class_="number")
        if measure in theirs:
            markup.add(head, "th", "the report", class_="number")
    if setup.evaluation:
        markup.add(head, "th", "R@1 against evaluation, points", class_="number")
    colors = charts.colors_of(setup.names)
    for score in found:
        line = markup.add(table, "tr")
        name = markup.add(line, "td", style="min-width:9rem")
        markup.add(name, "i", class_="swatch", style=f"background:{colors[score.variant.name]}")
        markup.add(name, "span", f" {score.variant.name}{_seed_words(score)}")
        for measure, (value, below) in zip(MEASURES, _figures(score), strict=True):
            _add_figure(line, value, below)
            if measure in theirs:
                theirs_value = reported_value(reported, score.variant.variant, direction, measure)
                _add_figure(line, _reported_text(theirs_value, measure), "")
        if setup.evaluation:
            _add_figure(line, *(_change(score.changes[1]) if score.changes else ("–", "")))
    line = markup.add(table, "tr", class_="faint")
    markup.add(line, "td", "an order by chance")
    for measure, value in zip(MEASURES, _chance_figures(guess), strict=True):
        _add_figure(line, value, "")
        if measure in theirs:
            _add_figure(line, "", "")
    if setup.evaluation:
        _add_figure(line, "", "")
    return root


def _add_figure(line: Element, value: str, below: str) -> None:
    cell = markup.add(line, "td", value, class_="number")
    if below:
        markup.add(cell, "div", below, class_="faint")


def _figures(score: Score) -> list[tuple[str, str]]:
    """The figure and its interval of each of MEASURES."""
    recalls = [(percent(own.value), interval_text(own)) for own in score.recalls.values()]
    mean = score.mean_rank
    interval = "" if math.isnan(mean.low) else f"[{mean.low:,.1f}, {mean.high:,.1f}]"
    return [*recalls, (f"{score.median_rank:,.1f}", ""), (f"{mean.value:,.1f}", interval)]


def _chance_figures(guess: Chance) -> list[str]:
    return [*map(percent, guess.recalls.values()), f"{guess.median_rank:,.1f}", f"{guess.mean_rank:,.1f}"]


def _change(change: Estimate) -> tuple[str, str]:
    value, _, interval = points_text(change).partition(" ")
    return value, interval


def _reported_text(value: float, measure: str) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.1f} %" if measure.endswith("percent") else f"{value:,.1f}"


def _seed_words(score: Score) -> str:
    count = len(score.variant.seeds)
    return f" ({count} seeds)" if count > 1 else ""


def _table_note(setup: Setup, found: Sequence[Score]) -> str:
    one, many = QUERY_WORDS[found[0].direction]
    others = QUERY_WORDS[rows.DIRECTIONS[found[0].direction == rows.DIRECTIONS[0]]][1]
    best = "An image counts with its most similar caption. " if one == "image" else ""
    candidates = setup.candidates(found[0].direction)
    seeds = " Figures are means over a variant’s seeds." if any(len(score.variant.seeds) > 1 for score in found) else ""
    return f"{found[0].queries:,} {many} seek among {candidates:,} {others}. {best}In brackets 95 % bootstrap intervals.{seeds}"


def csv_rows(found: Sequence[Score], guess: Chance, reported: pandas.DataFrame) -> pandas.DataFrame:
    """The table as rows to save, shares from 0 to 1, the report's figures as it has them."""
    table = []
    for score in found:
        row: dict[str, object] = {"variant": score.variant.name, "queries": score.queries, "seeds": len(score.variant.seeds)}
        estimates = {f"recall_at_{cutoff}": own for cutoff, own in score.recalls.items()} | {"mean_rank": score.mean_rank}
        for name, own in estimates.items():
            row |= {name: own.value, f"{name}_low": own.low, f"{name}_high": own.high}
        row["median_rank"] = score.median_rank
        for measure, title in MEASURES.items():
            row[f"report {title}"] = reported_value(reported, score.variant.variant, score.direction, measure)
        table.append(row)
    by_chance = {f"recall_at_{cutoff}": value for cutoff, value in guess.recalls.items()}
    table.append({"variant": "chance", **by_chance, "median_rank": guess.median_rank, "mean_rank": guess.mean_rank})
    return pandas.DataFrame(table).dropna(axis="columns", how="all")


def report_words(setup: Setup, reported: pandas.DataFrame) -> str:
    """How far the report's figures can be compared, in Markdown; empty where these results hold none."""
    own = reported[reported.variant.isin([variant.variant for variant in setup.variants])]
    if own.empty:
        return ""
    sources = " and ".join(layout.plain(source) for source in dict.fromkeys(own.source))
    far = (
        "This profile follows the report’s protocol; with other images, captions or candidates the figures cannot be the same."
        if layout.kind_of_profile(setup.profile) == FULL
        else "Other images, another model and far fewer candidates: **the figures themselves cannot be compared**, at most the "
        "order of the trainings."
    )
    return f"**The report’s**: {sources}. {far}"
