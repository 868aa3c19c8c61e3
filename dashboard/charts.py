"""Altair charts from DataFrames; no Streamlit, no SQL.

Variants take the theme's categorical colours in the order of VARIANT_ORDER, so that one colour means one variant on every page.
"""

import altair
import pandas

VARIANT_COLORS = {"with skips": "#2a78b8", "without skips": "#e8923a"}
METRIC_COLORS = {"notebook's IoU": "#b85a9e", "mean per image": "#3aa387", "pooled mean": "#8a6f3c"}


def _colored(field: str, colors: dict[str, str], title: str | None = None) -> altair.Color:
    scale = altair.Scale(domain=list(colors), range=list(colors.values()))
    return altair.Color(f"{field}:N", scale=scale, title=title, legend=altair.Legend(orient="top"))


def class_iou(scores: pandas.DataFrame) -> altair.LayerChart:
    """Bars of IoU by class and variant with intervals; columns class, variant, iou, low, high, pixel_share."""
    base = altair.Chart(scores).encode(
        y=altair.Y("class:N", sort=None, title=None),
        yOffset=altair.YOffset("variant:N", sort=list(VARIANT_COLORS)),
    )
    tooltip = [
        altair.Tooltip("class:N", title="class"),
        altair.Tooltip("variant:N", title="U-Net"),
        altair.Tooltip("iou:Q", format=".3f", title="IoU"),
        altair.Tooltip("low:Q", format=".3f", title="95 % from"),
        altair.Tooltip("high:Q", format=".3f", title="to"),
        altair.Tooltip("pixel_share:Q", format=".1%", title="share of pixels"),
    ]
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        x=altair.X("iou:Q", title="IoU, pooled over images", scale=altair.Scale(domain=[0, 1])),
        color=_colored("variant", VARIANT_COLORS),
        tooltip=tooltip,
    )
    intervals = base.mark_rule(strokeWidth=1.5, opacity=0.75).encode(x="low:Q", x2="high:Q", tooltip=tooltip)
    return altair.layer(bars, intervals).properties(height=altair.Step(16))


def epoch_scores(scores: pandas.DataFrame) -> altair.Chart:
    """Lines of mean IoU by epoch, one for each variant and seed; columns epoch, variant, seed, mean_iou."""
    return (
        altair.Chart(scores)
        .mark_line(point=altair.OverlayMarkDef(size=28), strokeWidth=2)
        .encode(
            x=altair.X("epoch:Q", title="epoch", axis=altair.Axis(tickMinStep=1, format="d")),
            y=altair.Y("mean_iou:Q", title="mean IoU, pooled", scale=altair.Scale(domainMin=0)),
            color=_colored("variant", VARIANT_COLORS),
            strokeDash=altair.StrokeDash("seed:N", title="seed", legend=altair.Legend(orient="top")),
            tooltip=["variant:N", "seed:N", "epoch:Q", altair.Tooltip("mean_iou:Q", format=".3f", title="mean IoU")],
        )
        .properties(height=280)
    )


def training_loss(losses: pandas.DataFrame) -> altair.Chart:
    """Lines of training loss, averaged over neighbouring steps; columns step, variant, seed, loss."""
    return (
        altair.Chart(losses)
        .mark_line(strokeWidth=2)
        .encode(
            x=altair.X("step:Q", title="optimiser step"),
            y=altair.Y("loss:Q", title="cross-entropy (nats a pixel)", scale=altair.Scale(zero=False)),
            color=_colored("variant", VARIANT_COLORS),
            strokeDash=altair.StrokeDash("seed:N", title="seed", legend=altair.Legend(orient="top")),
            tooltip=["variant:N", "seed:N", "step:Q", altair.Tooltip("loss:Q", format=".3f")],
        )
        .properties(height=280)
    )


def boundary_accuracy(scores: pandas.DataFrame) -> altair.LayerChart:
    """Pixel accuracy by distance to the nearest boundary, with intervals; columns band, variant, accuracy, low, high, pixel_share."""
    base = altair.Chart(scores).encode(
        x=altair.X("band:N", sort=None, title="pixels to the nearest boundary between classes", axis=altair.Axis(labelAngle=0)),
        xOffset=altair.XOffset("variant:N", sort=list(VARIANT_COLORS)),
    )
    tooltip = [
        altair.Tooltip("band:N", title="distance (pixels)"),
        altair.Tooltip("variant:N", title="U-Net"),
        altair.Tooltip("accuracy:Q", format=".1%"),
        altair.Tooltip("low:Q", format=".1%", title="95 % from"),
        altair.Tooltip("high:Q", format=".1%", title="to"),
        altair.Tooltip("pixel_share:Q", format=".1%", title="share of pixels"),
    ]
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        y=altair.Y("accuracy:Q", title="pixels right", axis=altair.Axis(format="%"), scale=altair.Scale(domain=[0, 1])),
        color=_colored("variant", VARIANT_COLORS),
        tooltip=tooltip,
    )
    intervals = base.mark_rule(strokeWidth=1.5, opacity=0.75).encode(y="low:Q", y2="high:Q", tooltip=tooltip)
    return altair.layer(bars, intervals).properties(height=280)


def metric_scores(scores: pandas.DataFrame) -> altair.LayerChart:
    """One row a predictor, one dot a metric; columns predictor, metric, score."""
    base = altair.Chart(scores).encode(y=altair.Y("predictor:N", sort=None, title=None, axis=altair.Axis(labelLimit=240)))
    spans = base.mark_rule(strokeWidth=3, opacity=0.18).encode(x="min(score):Q", x2="max(score):Q")
    dots = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=altair.X("score:Q", title="score", scale=altair.Scale(domain=[0, 1])),
        color=_colored("metric", METRIC_COLORS),
        shape=altair.Shape(
            "metric:N", scale=altair.Scale(domain=list(METRIC_COLORS), range=["diamond", "square", "circle"]), title=None
        ),
        tooltip=["predictor:N", "metric:N", altair.Tooltip("score:Q", format=".3f")],
    )
    return altair.layer(spans, dots).properties(height=altair.Step(24))


def zero_class_scores(scores: pandas.DataFrame) -> altair.Chart:
    """The notebook's IoU of the same predictions, by which class is numbered zero; columns class, score, is_actual."""
    return (
        altair.Chart(scores)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=altair.Y("class:N", sort=None, title="class numbered 0"),
            x=altair.X("score:Q", title="notebook's IoU of the very same predictions", scale=altair.Scale(domain=[0, 1])),
            color=altair.value(METRIC_COLORS["notebook's IoU"]),
            opacity=altair.condition("datum.is_actual", altair.value(1.0), altair.value(0.45)),
            tooltip=["class:N", altair.Tooltip("score:Q", format=".3f", title="notebook's IoU")],
        )
        .properties(height=altair.Step(22))
    )


def cluster_shares(shares: pandas.DataFrame, class_colors: dict[str, str]) -> altair.Chart:
    """What true classes each colour cluster holds; columns cluster, class, pixels, share."""
    return (
        altair.Chart(shares)
        .mark_bar(stroke="#00000055", strokeWidth=0.5)
        .encode(
            y=altair.Y("cluster:N", sort=None, title=None),
            x=altair.X("sum(pixels):Q", stack="normalize", title="share of the cluster's pixels", axis=altair.Axis(format="%")),
            color=altair.Color(
                "class:N",
                scale=altair.Scale(domain=list(class_colors), range=list(class_colors.values())),
                title=None,
                legend=altair.Legend(orient="top", columns=6),
            ),
            tooltip=["cluster:N", "class:N", altair.Tooltip("share:Q", format=".1%"), altair.Tooltip("pixels:Q", format=",")],
        )
        .properties(height=altair.Step(24))
    )
