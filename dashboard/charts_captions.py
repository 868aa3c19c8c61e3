"""Altair charts of the page caption_sampling; DataFrames in, no Streamlit, no SQL."""

from collections.abc import Sequence

import altair
import numpy as np
import pandas

from dashboard.charts import FRACTION_AXIS, TEXT_COLOR, Chart

# The theme's categorical colors; shapes tell them apart in grey.
K_COLORS = ("#2a78b8", "#d97a1c", "#3aa387", "#b85a9e", "#8a6f3c")
K_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down")
GREEDY_COLOR = "#6a6f7a"
GREEDY = "greedy"
CLOSE_SHARES = (0.14, 0.09)  # of the chart, across and up; marks nearer than that share a label


def over_temperature(
    rows: pandas.DataFrame, greedy: pandas.DataFrame, names: Sequence[str], title: str, form: str = ".3f", height: int = 360
) -> Chart:
    """A mark for each k and temperature with its interval, greedy as a line with a band.

    `rows` has columns k, temperature (words), value, low, high, in the order of the temperatures; `greedy` has one row or none
    with value, low, high. NaN where there is no interval.
    """
    x = altair.X("temperature:N", sort=None, title="temperature, steps not to scale", axis=altair.Axis(labelAngle=0))
    y_axis = FRACTION_AXIS if form != ".0f" else altair.Axis(tickCount=6, tickMinStep=1, format="d")
    y = altair.Y("value:Q", title=title, axis=y_axis, scale=altair.Scale(zero=False, padding=14))
    parts = _greedy(greedy, y, form) if len(greedy) else []
    base = altair.Chart(rows).encode(
        x=x,
        xOffset=altair.XOffset("k:N", sort=[*names], scale=altair.Scale(paddingOuter=1)),
        color=_by_k(names),
        tooltip=_tooltip(form, "k", "temperature"),
    )
    line = base.mark_line(strokeWidth=1.25).encode(y=y)
    spans = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2, aria=False)
        .encode(y=altair.Y("low:Q"), y2="high:Q")
    )
    shape = altair.Shape("k:N", scale=altair.Scale(domain=[*names], range=_cycled(K_SHAPES, names)), legend=_LEGEND)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(y=y, shape=shape)
    return altair.layer(*parts, line, spans, points).properties(height=height)


_LEGEND = altair.Legend(orient="top", title=None, labelLimit=0)


def _by_k(names: Sequence[str]) -> altair.Color:
    return altair.Color("k:N", scale=altair.Scale(domain=[*names], range=_cycled(K_COLORS, names)), legend=_LEGEND)


def _cycled(values: Sequence[str], names: Sequence[str]) -> list[str]:
    return [values[place % len(values)] for place in range(len(names))]


def _tooltip(form: str, *names: str) -> list[altair.Tooltip]:
    figures = (("value", ""), ("low", "95 % from"), ("high", "to"))
    return [
        *(altair.Tooltip(f"{name}:N") for name in names),
        *(altair.Tooltip(f"{field}:Q", title=title or "value", format=form) for field, title in figures),
    ]


def _greedy(greedy: pandas.DataFrame, y: altair.Y, form: str) -> list[altair.Chart]:
    """A line across the whole chart, with its name and the band of its interval."""
    base = altair.Chart(greedy.assign(name=GREEDY)).encode(tooltip=_tooltip(form, "name"))
    spans = base.transform_filter("isValid(datum.low)").mark_rect(color=GREEDY_COLOR, opacity=0.14, aria=False)
    label = base.mark_text(align="left", baseline="bottom", dx=5, dy=-4, fontSize=13, color=TEXT_COLOR)
    return [
        spans.encode(y=altair.Y("low:Q"), y2="high:Q"),
        base.mark_rule(strokeWidth=2, strokeDash=[7, 4], color=GREEDY_COLOR).encode(y=y),
        label.encode(y=y, x=altair.value(0), text="name:N"),
    ]


def bleu_against_diversity(rows: pandas.DataFrame, names: Sequence[str], title: str, bleu_title: str) -> Chart:
    """A mark for each setting; columns name, group (a k, or greedy), temperature (NaN without), label, diversity, bleu."""
    groups = [*names, GREEDY]
    colors = altair.Scale(domain=groups, range=[*_cycled(K_COLORS, names), GREEDY_COLOR])
    shapes = altair.Scale(domain=groups, range=[*_cycled(K_SHAPES, names), "cross"])
    base = altair.Chart(rows).encode(
        x=altair.X("diversity:Q", title=title, scale=altair.Scale(zero=False, padding=30), axis=altair.Axis(tickCount=6)),
        y=altair.Y("bleu:Q", title=bleu_title, axis=FRACTION_AXIS, scale=altair.Scale(zero=False, padding=26)),
        color=altair.Color("group:N", scale=colors, legend=_LEGEND),
        tooltip=[
            altair.Tooltip("name:N", title="setting"),
            altair.Tooltip("diversity:Q", title=title, format=".2f"),
            altair.Tooltip("bleu:Q", title="BLEU", format=".3f"),
        ],
    )
    line = base.mark_line(strokeWidth=1.25).encode(order=altair.Order("temperature:Q"))
    shape = altair.Shape("group:N", scale=shapes, legend=_LEGEND)
    points = base.mark_point(filled=True, size=110, opacity=1).encode(shape=shape)
    greedy = base.transform_filter(altair.datum.group == GREEDY)
    on_top = greedy.mark_point(filled=True, size=170, opacity=1, stroke="#ffffff", strokeWidth=1).encode(shape=shape)
    label = altair.Chart(shared_labels(rows)).mark_text(align="left", dx=10, dy=-10, fontSize=13, color=TEXT_COLOR)
    texts = label.encode(x="diversity:Q", y="bleu:Q", text="label:N")
    return altair.layer(line, points, on_top, texts).properties(height=400)


def shared_labels(rows: pandas.DataFrame) -> pandas.DataFrame:
    """One label for marks that lie close together, at the one furthest right: columns diversity, bleu, label."""
    places = rows[["diversity", "bleu"]].to_numpy(float)
    spans = np.ptp(places, axis=0)
    apart = np.abs(places[:, None] - places) / np.where(spans > 0, spans, 1)
    near = (apart < CLOSE_SHARES).all(axis=-1)
    for _ in range(len(rows)):  # what is near to what is near
        near = near @ near
    groups = pandas.Series(near.argmax(axis=1), index=rows.index)
    labels = []
    for _, own in rows.groupby(groups):
        last = own.loc[own.diversity.idxmax()]
        told = own.sort_values("temperature", na_position="first", kind="stable").label
        labels.append((last.diversity, last.bleu, ", ".join(dict.fromkeys(told))))
    return pandas.DataFrame(labels, columns=["diversity", "bleu", "label"])
