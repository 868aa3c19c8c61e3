"""Altair charts from DataFrames; no Streamlit, no SQL.

The first two categorical colors of the theme stand for the two variants on every page; they are repeated here because a chart
must name them.
"""

from typing import Any

import altair
import pandas

VARIANT_COLORS = {"with skips": "#2a78b8", "without skips": "#d97a1c"}
METRIC_COLORS = {"notebook's IoU": "#b85a9e", "mean per image": "#3aa387", "pooled mean": "#8a6f3c"}
INTERVAL_COLOR = "#7d8794"  # visible on bars and on both backgrounds, though as text on neither
TEXT_COLOR, LINE_COLOR = "#505a68", "#d5dae2"  # of the light theme; components/chart.css has the dark theme's
NAMES_AXIS = altair.Axis(labelLimit=260, labelOverlap=False)
AROUND_PX = 110  # legend, axis and its title, which count towards a chart's height
FRACTION_AXIS = altair.Axis(tickCount=6, format=".2~f")
TOP_LEGEND = altair.Legend(orient="top", title=None, symbolOpacity=1)
LINE_LEGEND = altair.Legend(
    orient="top", title=None, symbolType="stroke", symbolSize=300, symbolStrokeWidth=2.5, symbolOpacity=1
)
Chart = altair.LayerChart | altair.FacetChart | altair.Chart


@altair.theme.register("contrast", enable=True)
def _theme() -> altair.theme.ThemeConfig:
    """What all charts share: sizes and colors."""
    labels: dict[str, Any] = {
        "labelColor": TEXT_COLOR,
        "titleColor": TEXT_COLOR,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 400,
    }
    lines = {"gridColor": LINE_COLOR, "domainColor": LINE_COLOR, "tickColor": LINE_COLOR}
    upright: dict[str, Any] = {"labelFlush": False}  # each name beside its own bar, the first and the last as well
    config: Any = {
        "font": "sans-serif",  # the only name under which every machine has one
        "axis": labels | lines | {"titlePadding": 10, "labelPadding": 5},
        "axisYBand": upright,
        "axisYPoint": upright,
        "header": labels,
        "legend": labels | {"symbolSize": 110, "columnPadding": 18, "layout": {"top": {"margin": 12}}},
        "text": {"color": TEXT_COLOR},
        "title": {"color": TEXT_COLOR, "fontSize": 14, "anchor": "start"},
        "view": {"stroke": None},
        "range": {"category": [*VARIANT_COLORS.values(), "#6a6f7a", *METRIC_COLORS.values()]},
    }
    return {"config": config}


def _colored(field: str, colors: dict[str, str], legend: altair.Legend = TOP_LEGEND) -> altair.Color:
    return altair.Color(f"{field}:N", scale=altair.Scale(domain=list(colors), range=list(colors.values())), legend=legend)


def _figures(*columns: tuple[str, str, str]) -> list[altair.Tooltip]:
    return [
        altair.Tooltip(field, title=title, format=form) if form else altair.Tooltip(field, title=title)
        for field, title, form in columns
    ]


def class_iou(scores: pandas.DataFrame) -> Chart:
    """Bars of IoU by class and variant with intervals; columns class, variant, iou, low, high, pixel_share, difference."""
    base = altair.Chart(scores).encode(
        y=altair.Y("class:N", sort=None, title=None, axis=NAMES_AXIS, scale=altair.Scale(paddingInner=0.25)),
        yOffset=altair.YOffset("variant:N", sort=list(VARIANT_COLORS)),
        tooltip=_figures(
            ("class:N", "class", ""),
            ("variant:N", "U-Net", ""),
            ("iou:Q", "IoU", ".3f"),
            ("low:Q", "95 % from", ".3f"),
            ("high:Q", "to", ".3f"),
            ("difference:N", "with minus without", ""),
            ("pixel_share:Q", "share of true pixels", ".1%"),
        ),
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=altair.X("iou:Q", title="IoU, pooled over images", scale=altair.Scale(domain=[0, 1]), axis=FRACTION_AXIS),
        color=_colored("variant", VARIANT_COLORS),
    )
    intervals = base.mark_rule(strokeWidth=2, color=INTERVAL_COLOR).encode(x="low:Q", x2="high:Q")
    return altair.layer(bars, intervals).properties(height=30 * scores["class"].nunique() + AROUND_PX)


def _lines(rows: pandas.DataFrame, x: altair.X, y: altair.Y, tooltip: list[altair.Tooltip]) -> Chart:
    """One line for each variant, in its color, and seed, in its dashes."""
    seeds = altair.Legend(
        orient="top",
        title="seed",
        titleOrient="left",
        symbolType="stroke",
        symbolStrokeColor=INTERVAL_COLOR,
        symbolSize=300,
        columns=2,
        symbolOpacity=1,
    )
    return (
        altair.Chart(rows)
        .mark_line(strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=_colored("variant", VARIANT_COLORS, LINE_LEGEND),
            strokeDash=altair.StrokeDash("seed:N", legend=seeds),
            tooltip=tooltip,
        )
        .properties(height=330)
    )


def epoch_scores(scores: pandas.DataFrame) -> Chart:
    """Mean IoU after each epoch; columns epoch, variant, seed, mean_iou."""
    x = altair.X("epoch:Q", title="epoch, the first being 0", axis=altair.Axis(tickMinStep=1, format="d"))
    y = altair.Y("mean_iou:Q", title="mean IoU, pooled over all images", axis=FRACTION_AXIS)
    tooltip = _figures(
        ("variant:N", "U-Net", ""), ("seed:N", "seed", ""), ("epoch:Q", "epoch", ""), ("mean_iou:Q", "mean IoU", ".3f")
    )
    return _lines(scores, x, y, tooltip)


def training_loss(losses: pandas.DataFrame) -> Chart:
    """Training loss, averaged over neighbouring steps; columns step, variant, seed, loss."""
    x = altair.X("step:Q", title="optimizer step", axis=altair.Axis(tickCount=6, format="d"))
    y = altair.Y("loss:Q", title="cross-entropy, nats a pixel", axis=FRACTION_AXIS)
    tooltip = _figures(
        ("variant:N", "U-Net", ""), ("seed:N", "seed", ""), ("step:Q", "about step", ".0f"), ("loss:Q", "loss", ".3f")
    )
    return _lines(losses, x, y, tooltip)


def boundary_accuracy(scores: pandas.DataFrame) -> Chart:
    """Pixel accuracy by distance to the nearest boundary; columns band, variant, accuracy, low, high, pixel_share."""
    base = altair.Chart(scores).encode(
        x=altair.X("band:N", sort=None, title="pixels to the nearest boundary between classes", axis=altair.Axis(labelAngle=0)),
        xOffset=altair.XOffset("variant:N", sort=list(VARIANT_COLORS)),
        tooltip=_figures(
            ("band:N", "distance in pixels", ""),
            ("variant:N", "U-Net", ""),
            ("accuracy:Q", "pixels right", ".1%"),
            ("low:Q", "95 % from", ".1%"),
            ("high:Q", "to", ".1%"),
            ("pixel_share:Q", "share of pixels", ".1%"),
        ),
    )
    percent = altair.Axis(format="%", tickCount=6)
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        y=altair.Y("accuracy:Q", title="pixels right", axis=percent, scale=altair.Scale(domain=[0, 1])),
        color=_colored("variant", VARIANT_COLORS),
    )
    intervals = base.mark_rule(strokeWidth=2, color=INTERVAL_COLOR).encode(y="low:Q", y2="high:Q")
    return altair.layer(bars, intervals).properties(height=384)


def metric_scores(scores: pandas.DataFrame) -> Chart:
    """A line for each predictor, a mark for each metric; columns predictor, metric, score."""
    y = altair.Y("predictor:N", sort=None, title=None, axis=NAMES_AXIS)
    base = altair.Chart(scores).encode(y=y)
    spans = base.mark_rule(strokeWidth=3, opacity=0.25, color=INTERVAL_COLOR).encode(x="min(score):Q", x2="max(score):Q")
    shapes = altair.Scale(domain=list(METRIC_COLORS), range=["diamond", "square", "circle"])
    marks = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=altair.X("score:Q", title="score", scale=altair.Scale(domain=[0, 1]), axis=FRACTION_AXIS),
        color=_colored("metric", METRIC_COLORS),
        shape=altair.Shape("metric:N", scale=shapes, legend=TOP_LEGEND),
        tooltip=_figures(("predictor:N", "predictor", ""), ("metric:N", "metric", ""), ("score:Q", "score", ".3f")),
    )
    return altair.layer(spans, marks).properties(height=24 * scores.predictor.nunique() + AROUND_PX)


def zero_class_scores(scores: pandas.DataFrame) -> Chart:
    """The notebook's IoU of the same predictions, by which class is numbered zero; columns class, score, is_actual."""
    return (
        altair.Chart(scores)
        .mark_bar(cornerRadiusEnd=2, color=METRIC_COLORS["notebook's IoU"])
        .encode(
            y=altair.Y("class:N", sort=None, title="if this class were number 0", axis=NAMES_AXIS),
            x=altair.X("score:Q", title="notebook's IoU", scale=altair.Scale(domain=[0, 1]), axis=FRACTION_AXIS),
            opacity=altair.condition("datum.is_actual", altair.value(1.0), altair.value(0.5)),
            tooltip=_figures(("class:N", "class numbered 0", ""), ("score:Q", "notebook's IoU", ".3f")),
        )
        .properties(height=24 * len(scores) + AROUND_PX)
    )


def cluster_shares(shares: pandas.DataFrame, class_colors: dict[str, str]) -> Chart:
    """What true classes each color cluster holds; columns cluster, class, pixels, share."""
    return (
        altair.Chart(shares)
        .mark_bar(stroke="#80808080", strokeWidth=0.5)
        .encode(
            y=altair.Y("cluster:N", sort=None, title=None, axis=NAMES_AXIS),
            x=altair.X("share:Q", title="share of the cluster's pixels", axis=altair.Axis(format="%", tickCount=6)),
            color=altair.Color(
                "class:N",
                scale=altair.Scale(domain=list(class_colors), range=list(class_colors.values())),
                legend=TOP_LEGEND,
            ),
            order=altair.Order("share:Q", sort="descending"),
            tooltip=_figures(
                ("cluster:N", "cluster", ""),
                ("class:N", "true class", ""),
                ("share:Q", "share", ".1%"),
                ("pixels:Q", "pixels", ","),
            ),
        )
        .properties(height=28 * shares.cluster.nunique() + AROUND_PX)
    )
