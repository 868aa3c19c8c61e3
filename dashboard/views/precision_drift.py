"""How far probabilities move in a lower precision: whether it matters and why, all pictures at a glance, and one by one."""

import math
from functools import partial
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import charts_precision as charts
from dashboard import intervals, layout
from dashboard import queries_precision as queries
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.views.precision_pictures import drifted_pictures
from dashboard.views.precision_runs import (
    FORMATS,
    Format,
    Setup,
    arithmetic_words,
    magnitude,
    measured_on,
    not_done,
    percent,
    small,
)

TESTED = {1: "first answer", 5: "five first answers"}
SIGNIFICANCE = 0.05 / len(TESTED)  # Bonferroni
THRESHOLD = (
    f"A difference counts as shown where p is below {SIGNIFICANCE:g} = 0.05 / {len(TESTED)}, for two tests (Bonferroni)."
)


def drift(results: Results, setup: Setup, pictures: str) -> None:
    """Draw the whole tab."""
    summary = _summary(results, setup, pictures)
    if summary is None or setup.pair is None:
        return
    streamlit.subheader("Is it significant?")
    streamlit.markdown(significance(queries.right_answers(results, *setup.pair, pictures), setup.lower))
    streamlit.markdown(reasons(results, setup, summary))
    streamlit.caption(f"{arithmetic_words(setup)} {measured_on(setup, setup.lower_run)}")
    panel.show(_counts(setup, summary, queries.drift_medians(results, *setup.pair, pictures)), "drift_counts")
    left, right = streamlit.columns(2, gap="large")
    with left:
        streamlit.subheader("Change against margin")
        marks = queries.margins_and_changes(results, *setup.pair, pictures)
        layout.chart(partial(charts.margins_and_changes, marks), marks, "margins_and_changes", layout.HALF_PX)
        many = marks.ordinal.isna().any()
        streamlit.caption(
            f"{'A dot stands for the pictures of a small cell, by its size; those that flip are single.' if many else ''} "
            f"Below the dashed line, change = margin / 2, no first answer can change: {int(summary.cannot_flip):,} of "
            f"{int(summary.images):,} pictures lie there. What is below 10⁻⁷ is drawn at 10⁻⁷."
        )
    with right:
        streamlit.subheader("How large the changes are")
        steps = queries.change_histogram(results, *setup.pair, pictures)
        layout.chart(partial(charts.change_histogram, steps), steps, "largest_changes", layout.HALF_PX)
        streamlit.caption("Of each picture the largest change of any class’s probability, in steps of a quarter of a decade.")


def picture_by_picture(results: Results, setup: Setup, pictures: str, pages: layout.Pages) -> None:
    """Draw the whole tab."""
    if _summary(results, setup, pictures) is not None:
        drifted_pictures(results, setup, pictures, pages)


def _summary(results: Results, setup: Setup, pictures: str) -> pandas.Series | None:
    """The counts of what moved; None, which is said, where nothing was compared."""
    if setup.pair is None:
        not_done(setup.lower, "No picture’s answers have been compared.")
        return None
    summary = queries.drift_summary(results, *setup.pair, pictures)
    if not summary.images:
        streamlit.info("These results hold no drift of such pictures. “All” pictures may.")
        return None
    return summary


def shown_effects(right: pandas.Series) -> list[str] | None:
    """What was shown to be right more or less often in the lower precision; None where nothing has a label."""
    if not right.images:
        return None
    effects = []
    for top, what in TESTED.items():
        if _p_value(right, top) < SIGNIFICANCE:
            gains = right[f"only_lower_{top}"] > right[f"only_fp32_{top}"]
            verb = "is" if top == 1 else "hold the label"
            effects.append(f"the {what} {verb} **{'more' if gains else 'less'}** often{' right' if top == 1 else ''}")
    return effects


def _p_value(right: pandas.Series, top: int) -> float:
    return intervals.mcnemar(int(right[f"only_fp32_{top}"]), int(right[f"only_lower_{top}"]))


def significance(right: pandas.Series, lower: str) -> str:
    """Whether accuracy changes, with the counts and the tests, from `queries.right_answers`; in Markdown."""
    lower, effects = layout.plain(lower), shown_effects(right)
    if effects is None:
        return "**It cannot be tested**: no picture has a label that CLIP was asked for."
    parts = []
    for top, what in TESTED.items():
        only_fp32, only_lower = int(right[f"only_fp32_{top}"]), int(right[f"only_lower_{top}"])
        change = intervals.paired_difference(only_lower, only_fp32, int(right.images))
        parts.append(
            f"{what.capitalize()}: right only in fp32 on {only_fp32:,}, only in {lower} on {only_lower:,} (exact McNemar test, "
            f"p = {_probability(_p_value(right, top))}), which changes accuracy by {intervals.as_text(change, signed=True)}."
        )
    counted = f"{int(right.images):,} {'picture' if right.images == 1 else 'pictures'} with a label"
    told = f"**Yes**: in {lower} {', and '.join(effects)}" if effects else "**No**, no effect on accuracy was shown"
    return f"{told}, on {counted}. {' '.join(parts)} {THRESHOLD}"


def _probability(p: float) -> str:
    return f"{p:.2f}" if p >= 0.095 else small(p)


def reasons(results: Results, setup: Setup, summary: pandas.Series) -> str:
    """Why the drift is as large as it is: rounding, growth over layers, range, and who could flip; in Markdown."""
    lower, known = layout.plain(setup.lower), FORMATS.get(setup.lower)
    layers = queries.layer_errors(results, setup.lower_run or "")
    told = []
    if known:
        bound = f"{known.bound_words} = {small(known.bound)}"
        told.append(f"rounding to {lower} ({known.words}) changes a value by at most {bound} of its size")
    if len(layers):
        last = layers.iloc[-1]
        what = "class scores differ" if last.layer == "logits" else f"outputs of “{layout.plain(last.layer, 40)}” differ"
        told.append(f"after all layers the {what} by {percent(last.error)} (median of {int(last.images):,} pictures)")
    told.append(f"the largest change of a probability is {small(summary.largest_change)}")
    able, flips = int(summary.images - summary.cannot_flip), int(summary.flips)
    did = f"{flips:,} of them did, at margins up to {small(summary.flip_margin)}" if flips else "None of them did"
    ties = (
        "A first answer can only change where the two first are nearer than twice the change: on "
        f"{f'{able:,}' if able else 'none'} of {int(summary.images):,} pictures.{f' {did}.' if able else ''}"
    )
    return " ".join(filter(None, (f"**Why**: {'; '.join(told)}.", range_sentence(layers, lower, known), ties)))


def range_sentence(layers: pandas.DataFrame, lower: str, known: Format | None) -> str:
    """How the values that were looked at lie in a format's range, from `queries.layer_errors`; empty where it is unknown."""
    largest = layers.largest_value.max(skipna=False) if len(layers) else math.nan
    if known is None or pandas.isna(largest):
        return ""
    below = layers.below_normal.max()
    told = (
        f"After every stage, on {int(layers.images.max()):,} pictures, the largest value is {magnitude(largest)}, {lower}’s "
        f"largest {known.largest_words}"
    )
    if largest > known.largest:
        told += ": more than it can hold"
    if pandas.isna(below):
        return f"{told}."
    tiny = f"at most {percent(below)} of a stage’s values are" if below > 0 else "no value is"
    return f"{told}; {tiny} below its smallest normal number."


def _counts(setup: Setup, summary: pandas.Series, medians: pandas.Series) -> Element:
    root = Element("div", {"class": "figurerow"})
    images = f"of {int(summary.images):,} pictures"
    encoder = f"median with the last product in fp32; {small(medians.change)} with it in {setup.lower[:40]}"
    figures = (
        ("Another first answer", f"{int(summary.flips):,}", images),
        ("Five in another order", f"{int(summary.reordered):,}", images),
        ("One of five replaced", f"{int(summary.replaced):,}", images),
        ("Largest change", small(summary.largest_change), f"of a probability; median picture {small(medians.change)}"),
        ("KL divergence", small(summary.largest_divergence), f"nats at most; median picture {small(medians.divergence)}"),
        ("By the image encoder", small(medians.encoder_change), encoder),
    )
    for name, value, words in figures:
        box = markup.add(root, "div")
        markup.add(box, "span", name)
        markup.add(box, "strong", value)
        markup.add(box, "span", words)
    return root
