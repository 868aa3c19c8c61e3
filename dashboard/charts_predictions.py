"""Altair charts of two classifiers' accuracy; DataFrames in, no Streamlit, no SQL."""

import altair
import pandas

from dashboard.charts import AROUND_PX, FRACTION_AXIS, NAMES_AXIS, Chart

PAIR_COLORS = ["#2a78b8", "#d97a1c"]  # A and B, as on every page
ROW_PX = 46


def shares_by_group(rows: pandas.DataFrame, names: list[str], x_title: str) -> Chart:
    """A dot with its interval for each model in each group.

    Columns group, model, share, low, high, right, images, difference.
    """
    x = altair.Scale(domain=[0, 1])
    base = altair.Chart(rows).encode(
        y=altair.Y("group:N", sort=None, title=None, axis=NAMES_AXIS),
        yOffset=altair.YOffset("model:N", sort=names, scale=altair.Scale(paddingInner=0.4, paddingOuter=0.6)),
        color=altair.Color("model:N", scale=altair.Scale(domain=names, range=PAIR_COLORS), legend=_legend()),
        tooltip=[
            altair.Tooltip("group:N", title="pictures"),
            altair.Tooltip("model:N", title="model"),
            altair.Tooltip("share:Q", title="right", format=".3f"),
            altair.Tooltip("low:Q", title="95 % from", format=".3f"),
            altair.Tooltip("high:Q", title="to", format=".3f"),
            altair.Tooltip("right:Q", title="right pictures", format=","),
            altair.Tooltip("images:Q", title="of", format=","),
            altair.Tooltip("difference:N", title="B minus A"),
        ],
    )
    intervals = base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=altair.X("low:Q", scale=x), x2="high:Q")
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=altair.X("share:Q", title=x_title, scale=x, axis=FRACTION_AXIS)
    )
    return altair.layer(intervals, dots).properties(height=ROW_PX * rows.group.nunique() + AROUND_PX)


def class_differences(rows: pandas.DataFrame, names: list[str]) -> Chart:
    """Both models' shares of each class joined by a line; columns class, model, share, right, images, difference."""
    base = altair.Chart(rows).encode(y=altair.Y("class:N", sort=None, title=None, axis=NAMES_AXIS))
    spans = base.mark_rule(strokeWidth=3, opacity=0.3, color="#7d8794").encode(x="min(share):Q", x2="max(share):Q")
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=altair.X("share:Q", title="pictures right", scale=altair.Scale(domain=[0, 1]), axis=FRACTION_AXIS),
        color=altair.Color("model:N", scale=altair.Scale(domain=names, range=PAIR_COLORS), legend=_legend()),
        tooltip=[
            altair.Tooltip("class:N", title="class"),
            altair.Tooltip("model:N", title="model"),
            altair.Tooltip("right:Q", title="right pictures", format=","),
            altair.Tooltip("images:Q", title="of", format=","),
            altair.Tooltip("difference:N", title="B minus A"),
        ],
    )
    return altair.layer(spans, dots).properties(height=26 * rows["class"].nunique() + AROUND_PX)


def answer_bars(rows: pandas.DataFrame, color: str) -> Chart:
    """Probabilities of one picture's surest answers; columns class, probability, is_label."""
    return (
        altair.Chart(rows)
        .mark_bar(cornerRadiusEnd=2, color=color)
        .encode(
            y=altair.Y("class:N", sort=None, title=None, axis=NAMES_AXIS),
            x=altair.X("probability:Q", title="probability", scale=altair.Scale(domain=[0, 1]), axis=FRACTION_AXIS),
            opacity=altair.condition("datum.is_label", altair.value(1.0), altair.value(0.45)),
            tooltip=[altair.Tooltip("class:N"), altair.Tooltip("probability:Q", format=".5f")],
        )
        .properties(height=24 * len(rows) + 50)
    )


def _legend() -> altair.Legend:
    return altair.Legend(orient="top", title=None, labelLimit=320, symbolType="circle", symbolOpacity=1, symbolStrokeWidth=0)
