"""Altair charts of the page on WordNet's synsets; no Streamlit, no SQL."""

from collections.abc import Sequence

import altair
import pandas

from dashboard.charts import AROUND_PX, INTERVAL_COLOR, NAMES_AXIS, Chart

LEGEND = altair.Legend(orient="top", title=None, labelLimit=320)
PERCENT = altair.Axis(format="%", tickCount=6)
DEPTH_COLORS = {"classes": "#2a78b8", "synsets above them": "#6a6f7a"}


def _colored(field: str, names: Sequence[str], colors: Sequence[str]) -> altair.Color:
    return altair.Color(f"{field}:N", scale=altair.Scale(domain=list(names), range=list(colors)), legend=LEGEND)


def synset_depths(counts: pandas.DataFrame) -> Chart:
    """How many synsets lie how deep; columns depth, kind (one of DEPTH_COLORS), synsets."""
    return (
        altair.Chart(counts)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=altair.X("depth:O", title="levels below the top, by the longest way", axis=altair.Axis(labelAngle=0)),
            y=altair.Y("synsets:Q", title="synsets"),
            color=_colored("kind", list(DEPTH_COLORS), list(DEPTH_COLORS.values())),
            order=altair.Order("kind:N"),
            tooltip=[altair.Tooltip("depth:O"), altair.Tooltip("kind:N"), altair.Tooltip("synsets:Q", format=",")],
        )
        .properties(height=300)
    )


def answer_depths(shares: pandas.DataFrame, names: Sequence[str], colors: Sequence[str], chance: str) -> Chart:
    """Share of wrong answers by the depth at which they meet the truth; columns depth, classifier, share, pictures.

    The rows of the classifier `chance` become a mark for what random answers would give, those of `names` bars.
    """
    depths = sorted(shares.depth.unique())
    x = altair.X(
        "depth:O",
        title="depth of the common ancestor",
        axis=altair.Axis(labelAngle=0),
        scale=altair.Scale(domain=depths),
    )
    y = altair.Y("share:Q", title="share of wrong answers", axis=PERCENT)
    tooltip = [
        altair.Tooltip("classifier:N"),
        altair.Tooltip("depth:O"),
        altair.Tooltip("share:Q", format=".1%"),
        altair.Tooltip("pictures:Q", format=","),
    ]
    color = _colored("classifier", [*names, chance], [*colors, INTERVAL_COLOR])
    bars = (
        altair.Chart(shares[shares.classifier.isin(list(names))])
        .mark_bar(cornerRadiusEnd=2)
        .encode(x=x, y=y, xOffset=altair.XOffset("classifier:N", sort=list(names)), color=color, tooltip=tooltip)
    )
    marks = (
        altair.Chart(shares[shares.classifier == chance])
        .mark_tick(thickness=2.5, width={"band": 0.9})
        .encode(x=x, y=y, color=color, tooltip=tooltip)
    )
    return altair.layer(bars, marks).properties(height=340)


def kind_similarities(means: pandas.DataFrame) -> Chart:
    """Mean likeness of pairs of pictures by what differs; columns kind, similarity, low, high, pairs, classes."""
    base = altair.Chart(means).encode(
        y=altair.Y("kind:N", sort=None, title=None, axis=NAMES_AXIS),
        tooltip=[
            altair.Tooltip("kind:N", title="the two differ in"),
            altair.Tooltip("similarity:Q", format=".3f"),
            altair.Tooltip("low:Q", title="95 % from", format=".3f"),
            altair.Tooltip("high:Q", title="to", format=".3f"),
            altair.Tooltip("classes:Q", format=","),
            altair.Tooltip("pairs:Q", format=","),
        ],
    )
    lines = base.mark_rule(strokeWidth=3, color=INTERVAL_COLOR).encode(
        x=altair.X(
            "low:Q",
            title="mean cosine similarity",
            scale=altair.Scale(zero=True),
            axis=altair.Axis(tickCount=7),
        ),
        x2="high:Q",
    )
    marks = base.mark_point(filled=True, size=110, opacity=1, color="#3aa387").encode(x="similarity:Q")
    return altair.layer(lines, marks).properties(height=30 * len(means) + AROUND_PX / 2)


def class_likeness(classes: pandas.DataFrame) -> Chart:
    """Each class by how alike its own pictures are and how alike another's; columns name, own, other, other_name, is_nearer."""
    span = [float(classes[["own", "other"]].min().min()), float(classes[["own", "other"]].max().max())]
    diagonal = altair.Chart(pandas.DataFrame({"own": span, "other": span})).mark_line(color=INTERVAL_COLOR, strokeDash=[4, 4])
    words = {True: "another class is more alike", False: "its own pictures are more alike"}
    marks = (
        altair.Chart(classes.assign(group=classes.is_nearer.map(words)))
        .mark_point(filled=True, size=55, opacity=0.75)
        .encode(
            x=altair.X("own:Q", title="likeness of the class’s own pictures", scale=altair.Scale(zero=False)),
            y=altair.Y("other:Q", title="with those of the nearest other class", scale=altair.Scale(zero=False)),
            color=_colored("group", list(words.values()), ["#b85a9e", "#3aa387"]),
            tooltip=[
                altair.Tooltip("name:N", title="class"),
                altair.Tooltip("own:Q", title="own pictures", format=".3f"),
                altair.Tooltip("other_name:N", title="nearest other"),
                altair.Tooltip("other:Q", title="with it", format=".3f"),
            ],
        )
    )
    return altair.layer(diagonal.encode(x="own:Q", y="other:Q"), marks).properties(height=360)


def typicality(counts: pandas.DataFrame) -> Chart:
    """How alike pictures are to the others of their class; columns similarity (start of a step of 0.02), pictures."""
    return (
        altair.Chart(counts)
        .transform_calculate(end="datum.similarity + 0.02")
        .mark_bar(color="#3aa387")
        .encode(
            x=altair.X("similarity:Q", title="mean cosine similarity"),
            x2="end:Q",
            y=altair.Y("pictures:Q", title="pictures"),
            tooltip=[altair.Tooltip("similarity:Q", title="from", format=".2f"), altair.Tooltip("pictures:Q", format=",")],
        )
        .properties(height=240)
    )
