"""Altair charts of the page segmentation_decoder_heads; DataFrames in, no Streamlit, no SQL."""

from collections.abc import Sequence

import altair
import numpy as np
import pandas

from dashboard.charts import AROUND_PX, FRACTION_AXIS, NAMES_AXIS, TEXT_COLOR, Chart

# The theme's categorical colors in a fixed order, where all heads are shown at once; dashes tell them apart in grey.
HEAD_COLORS = {
    "linear": "#2a78b8",
    "convolutional": "#d97a1c",
    "transformer": "#6a6f7a",
    "transformer, shared query and key": "#3aa387",
}
OTHER_COLORS = ("#b85a9e", "#8a6f3c")
DASHES = ((1, 0), (7, 3), (2, 2), (9, 3, 2, 3), (4, 4), (1, 3))
LEGEND = altair.Legend(orient="top", title=None, labelLimit=0, symbolType="stroke", symbolSize=700, symbolStrokeWidth=2.5)
CALLED_COLORS = {"what is hidden": "#b85a9e", "the hiding object": "#8a6f3c", "something else": "#a9b0ba"}
CONTROL_LABEL = "the hiding objects’ other pixels called what is hidden"
LABEL_ABOVE_PX, LABEL_BELOW_PX = -15, 17


def colors_of(names: Sequence[str]) -> dict[str, str]:
    """A color for each head, those that are known in theirs."""
    others = [name for name in names if name not in HEAD_COLORS]
    return {name: HEAD_COLORS.get(name) or OTHER_COLORS[others.index(name) % len(OTHER_COLORS)] for name in [*names]}


def dashes_of(names: Sequence[str]) -> dict[str, list[int]]:
    """A pattern of dashes for each head, those that are known in theirs."""
    known = list(HEAD_COLORS)
    others = [name for name in names if name not in HEAD_COLORS]
    return {
        name: list(DASHES[(known.index(name) if name in known else len(known) + others.index(name)) % len(DASHES)])
        for name in names
    }


def epoch_scores(rows: pandas.DataFrame, names: Sequence[str], title: str) -> Chart:
    """A line for each head, and a band over its seeds; columns head, epoch, score, low, high."""
    colors, dashes = colors_of(names), dashes_of(names)
    color = altair.Color("head:N", scale=altair.Scale(domain=[*names], range=list(colors.values())), legend=LEGEND)
    dash = altair.StrokeDash("head:N", scale=altair.Scale(domain=[*names], range=list(dashes.values())), legend=LEGEND)
    base = altair.Chart(rows).encode(
        x=altair.X(
            "epoch:Q",
            title="epoch, the first being 0",
            axis=altair.Axis(tickMinStep=1, format="d"),
            scale=altair.Scale(nice=False, padding=8),
        )
    )
    tooltip = [
        altair.Tooltip("head:N"),
        altair.Tooltip("epoch:Q"),
        altair.Tooltip("score:Q", title="mean IoU", format=".3f"),
    ]
    parts: list[altair.Chart] = [
        base.mark_line(strokeWidth=2.5).encode(
            y=altair.Y("score:Q", title=title, axis=FRACTION_AXIS), color=color, strokeDash=dash, tooltip=tooltip
        ),
        base.mark_point(filled=True, size=36, opacity=1).encode(y="score:Q", color=color, tooltip=tooltip),
    ]
    if (rows.high > rows.low).any():
        parts.insert(0, base.mark_area(opacity=0.18).encode(y=altair.Y("low:Q", title=title), y2="high:Q", color=color))
    return altair.layer(*parts).properties(height=360)


def cost_quality(rows: pandas.DataFrame, names: Sequence[str], cost_title: str, score_title: str) -> Chart:
    """A mark for each head with its interval; columns head, cost (above 0), cost_text, mean_iou, low, high."""
    rows = rows.assign(above=_labels_above(rows))
    middle = float(np.sqrt(rows.cost.min() * rows.cost.max()))
    rows = rows.assign(right=rows.cost <= middle)
    colors = colors_of(names)
    base = altair.Chart(rows).encode(
        x=altair.X(
            "cost:Q",
            title=f"{cost_title}, logarithmic",
            scale=altair.Scale(type="log", nice=False, padding=36),
            axis=altair.Axis(format="~s", tickCount=5, labelOverlap=True, grid=False, ticks=True),
        ),
        color=altair.Color("head:N", scale=altair.Scale(domain=[*names], range=list(colors.values())), legend=None),
        tooltip=[
            altair.Tooltip("head:N"),
            altair.Tooltip("cost_text:N", title=cost_title),
            altair.Tooltip("mean_iou:Q", title="mean IoU", format=".3f"),
            altair.Tooltip("low:Q", title="95 % from", format=".3f"),
            altair.Tooltip("high:Q", title="to", format=".3f"),
        ],
    )
    y = altair.Y("mean_iou:Q", title=score_title, axis=FRACTION_AXIS, scale=altair.Scale(zero=False, padding=26))
    parts = [
        base.mark_rule(strokeWidth=2, opacity=0.55).encode(y=altair.Y("low:Q", title=score_title), y2="high:Q"),
        base.mark_point(filled=True, size=120, opacity=1).encode(y=y),
    ]
    for right, above in ((True, True), (True, False), (False, True), (False, False)):
        label = base.transform_filter((altair.datum.right == right) & (altair.datum.above == above))
        text = label.mark_text(
            align="left" if right else "right",
            dx=9 if right else -9,
            dy=LABEL_ABOVE_PX if above else LABEL_BELOW_PX,
            fontSize=13,
            color=TEXT_COLOR,
        )
        parts.append(text.encode(y="mean_iou:Q", text="head:N", color=altair.value(TEXT_COLOR)))
    return altair.layer(*parts).properties(height=380)


def _labels_above(rows: pandas.DataFrame) -> list[bool]:
    """Whether each label stands above its mark: where the mark that costs most nearly the same is not higher."""
    costs, scores = np.log(rows.cost.to_numpy(float)), rows.mean_iou.to_numpy(float)
    above = []
    for place in range(len(rows)):
        distances = np.abs(costs - costs[place])
        distances[place] = np.inf
        nearest = int(distances.argmin())
        above.append(len(rows) < 2 or bool((scores[place], place) > (scores[nearest], nearest)))
    return above


def hidden_shares(rows: pandas.DataFrame, controls: pandas.DataFrame) -> Chart:
    """What hidden pixels are called, beside the control; columns head, called, share, order, and head, share, low, high."""
    called = list(CALLED_COLORS)
    y = altair.Y("head:N", sort=None, title=None, axis=NAMES_AXIS, scale=altair.Scale(paddingInner=0.35))
    x = altair.X(
        "share:Q",
        title="share of hidden pixels",
        axis=altair.Axis(format="%", tickCount=6),
        scale=altair.Scale(domain=[0, 1]),
    )
    bars = (
        altair.Chart(rows)
        .mark_bar()
        .encode(
            y=y,
            x=x,
            color=altair.Color(
                "called:N",
                scale=altair.Scale(domain=called, range=list(CALLED_COLORS.values())),
                legend=altair.Legend(orient="top", title=None, labelLimit=0),
            ),
            order=altair.Order("order:Q"),
            tooltip=[
                altair.Tooltip("head:N"),
                altair.Tooltip("called:N", title="called"),
                altair.Tooltip("share:Q", title="share of hidden pixels", format=".1%"),
            ],
        )
    )
    ticks = (
        altair.Chart(controls)
        .mark_tick(thickness=4, color="#1b2430", stroke="#ffffff", strokeWidth=1, size=34)
        .encode(
            y=y,
            x="share:Q",
            tooltip=[altair.Tooltip("head:N"), altair.Tooltip("share:Q", title=CONTROL_LABEL, format=".1%")],
        )
    )
    return altair.layer(bars, ticks).properties(height=52 * rows["head"].nunique() + AROUND_PX)
