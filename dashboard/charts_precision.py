"""Altair charts of the page fp32_vs_fp16; DataFrames in, no Streamlit, no SQL."""

import math
from collections.abc import Sequence

import altair
import pandas

from dashboard.charts import AROUND_PX, INTERVAL_COLOR, NAMES_AXIS, TEXT_COLOR, TOP_LEGEND, Chart

# The theme's categorical colors in a fixed order, where every precision is shown at once.
PRECISION_COLORS = {"fp32": "#2a78b8", "fp16": "#d97a1c", "bf16": "#6a6f7a", "tf32": "#3aa387"}
OTHER_COLOR = "#8a6f3c"
LOWER_COLOR = "#d97a1c"  # of the one that fp32 is compared with
FLIP_COLOR = "#b85a9e"
BOUND_COLORS = {"arithmetic": "#3aa387", "copying": "#8a6f3c"}
CATEGORY_COLORS = {"parameters": "#6a6f7a", "inputs": "#8a6f3c", "activations": "#3aa387", "temporary": "#b85a9e"}
FEWEST_POWERS = 2
LARGEST_SPREAD = 5.0  # beyond it times share a logarithmic axis


def _by_precision(rows: pandas.DataFrame, legend: altair.Legend | None = TOP_LEGEND) -> altair.Color:
    names = list(dict.fromkeys(rows.precision))
    colors = [PRECISION_COLORS.get(name, OTHER_COLOR) for name in names]
    return altair.Color("precision:N", scale=altair.Scale(domain=names, range=colors), legend=legend)


def _power_axis(low: float, high: float) -> altair.Axis:
    """Powers of ten, where at least a few lie between; else what the chart finds."""
    is_span = 0 < low < high < math.inf
    first, last = (math.ceil(math.log10(low)), math.floor(math.log10(high))) if is_span else (0, 0)
    if last - first + 1 < FEWEST_POWERS:
        return altair.Axis(format="~e", tickCount=6)
    return altair.Axis(format="~e", values=[10.0**power for power in range(first - 1, last + 2)])


def repetition_times(rows: pandas.DataFrame) -> Chart:
    """A dot for each repetition, and a line at their mean; columns precision, repetition, milliseconds, place (0 to 1)."""
    wide = rows.milliseconds.max() > LARGEST_SPREAD * rows.milliseconds.min() > 0
    scale = altair.Scale(type="log", nice=False, padding=12) if wide else altair.Scale(zero=False)
    axis = altair.Axis(tickCount=7, format="~g", labelOverlap=True)
    title = "milliseconds of the whole batch" + (", logarithmic" if wide else "")
    base = altair.Chart(rows).encode(
        x=altair.X("milliseconds:Q", title=title, scale=scale, axis=axis),
        y=altair.Y("precision:N", sort=None, title=None, axis=NAMES_AXIS),
    )
    dots = base.mark_circle(size=26, opacity=0.5).encode(
        yOffset=altair.YOffset("place:Q", scale=altair.Scale(domain=[-0.15, 1.15])),
        color=_by_precision(rows, legend=None),
        tooltip=[
            altair.Tooltip("precision:N"),
            altair.Tooltip("repetition:Q"),
            altair.Tooltip("milliseconds:Q", format=",.3f"),
        ],
    )
    means = base.mark_tick(thickness=2.5, color=INTERVAL_COLOR, size=44).encode(
        x=altair.X("mean(milliseconds):Q"),
        tooltip=[altair.Tooltip("precision:N"), altair.Tooltip("mean(milliseconds):Q", title="mean", format=",.3f")],
    )
    return altair.layer(dots, means).properties(height=58 * rows.precision.nunique() + 60)


def picture_costs(rows: pandas.DataFrame) -> Chart:
    """Time of one picture by batch; columns precision, batch_size, repetitions, and in ms a picture middle, low and high."""
    sizes = sorted(int(size) for size in rows.batch_size.unique())
    x = altair.X(
        "batch_size:Q",
        title="pictures in a batch",
        scale=altair.Scale(type="log", padding=16, nice=False),
        axis=altair.Axis(values=sizes, format="d"),
    )
    base = altair.Chart(rows).encode(
        x=x,
        color=_by_precision(rows),
        tooltip=[
            altair.Tooltip("precision:N"),
            altair.Tooltip("batch_size:Q", title="batch"),
            altair.Tooltip("middle:Q", title="ms a picture, median", format=",.3f"),
            altair.Tooltip("low:Q", title="5 % from", format=",.3f"),
            altair.Tooltip("high:Q", title="95 % to", format=",.3f"),
            altair.Tooltip("repetitions:Q"),
        ],
    )
    y = altair.Y(
        "middle:Q",
        title="ms a picture, median",
        scale=altair.Scale(type="log", nice=False, padding=12),
        axis=altair.Axis(format="~g", tickCount=6, labelOverlap=True),
    )
    spans = base.mark_rule(strokeWidth=2, opacity=0.5).encode(y=altair.Y("low:Q", title="ms a picture, median"), y2="high:Q")
    lines = base.mark_line(strokeWidth=2, point=altair.OverlayMarkDef(size=60, opacity=1)).encode(y=y)
    return altair.layer(spans, lines).properties(height=320)


def limit_shares(rows: pandas.DataFrame) -> Chart:
    """Which share of the measured time each bound alone would take; columns precision, bound, share, bound_ms, measured_ms."""
    return (
        altair.Chart(rows)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=altair.Y("precision:N", sort=None, title=None, axis=NAMES_AXIS, scale=altair.Scale(paddingInner=0.25)),
            yOffset=altair.YOffset("bound:N", sort=list(BOUND_COLORS)),
            x=altair.X(
                "share:Q",
                title="share of the measured time",
                axis=altair.Axis(format="%", tickCount=6),
                scale=altair.Scale(domainMin=0, domainMax=max(1.0, float(rows["share"].max()))),
            ),
            color=altair.Color(
                "bound:N",
                scale=altair.Scale(domain=list(BOUND_COLORS), range=list(BOUND_COLORS.values())),
                legend=TOP_LEGEND,
            ),
            tooltip=[
                altair.Tooltip("precision:N"),
                altair.Tooltip("bound:N", title="what alone would take"),
                altair.Tooltip("bound_ms:Q", title="ms at least", format=",.4f"),
                altair.Tooltip("measured_ms:Q", title="ms measured", format=",.3f"),
                altair.Tooltip("share:Q", format=".1%"),
            ],
        )
        .properties(height=46 * rows.precision.nunique() + AROUND_PX)
    )


def margins_and_changes(rows: pandas.DataFrame) -> Chart:
    """fp32's margin against the largest change, both logarithmic; columns margin, change, pictures, flip, ordinal.

    The line is change = margin / 2, below which no first answer can change.
    """
    span = [float(rows.margin.min()), float(rows.margin.max())]
    line = pandas.DataFrame({"margin": span, "change": [value / 2 for value in span]})
    log = altair.Scale(type="log", nice=False, padding=12)
    x = altair.X("margin:Q", title="fp32’s margin: first minus second probability", scale=log, axis=_power_axis(*span))
    heights = [*line.change, rows.change.min(), rows.change.max()]
    y_axis = _power_axis(min(heights), max(heights))
    y = altair.Y("change:Q", title="largest change of a probability", scale=log, axis=y_axis)
    edge = altair.Chart(line).mark_line(color=INTERVAL_COLOR, strokeDash=[5, 4], strokeWidth=1.5).encode(x=x, y=y)
    return altair.layer(edge, _dots(rows).encode(x=x, y=y)).properties(height=360)


def _dots(rows: pandas.DataFrame) -> altair.Chart:
    """A dot for each mark of `margins_and_changes`, by its pictures and its answer; the axes are yet to be set."""
    words = {False: "same first answer", True: "another first answer"}
    tooltip = [
        altair.Tooltip("answer:N", title="in lower precision"),
        altair.Tooltip("margin:Q", format=".2g"),
        altair.Tooltip("change:Q", title="largest change", format=".2g"),
        altair.Tooltip("pictures:Q", format=","),
    ]
    if rows.ordinal.notna().all():
        tooltip.append(altair.Tooltip("ordinal:Q", title="picture", format="d"))
    sizes = altair.Scale(type="sqrt", rangeMin=28, rangeMax=320)
    colors = altair.Scale(domain=list(words.values()), range=[LOWER_COLOR, FLIP_COLOR])
    return (
        altair.Chart(rows.assign(answer=rows.flip.map(words)))
        .mark_circle(opacity=0.7)
        .encode(
            color=altair.Color("answer:N", scale=colors, legend=TOP_LEGEND),
            size=altair.Size("pictures:Q", legend=None, scale=sizes) if rows.pictures.max() > 1 else altair.value(30),
            order=altair.Order("flip:N"),
            tooltip=tooltip,
        )
    )


def change_histogram(rows: pandas.DataFrame) -> Chart:
    """Pictures by their largest change; columns low, high (edges of logarithmic steps), pictures, flips."""
    edges = [float(rows.low.min()), float(rows.high.max())]
    log = altair.Scale(type="log", nice=False, domain=edges)
    counts = altair.Axis(tickMinStep=1, tickCount=6, format="d")
    return (
        altair.Chart(rows.assign(none=0))
        .mark_rect(color=LOWER_COLOR, stroke="#80808040", strokeWidth=0.5)
        .encode(
            x=altair.X("low:Q", title="largest change of a probability", scale=log, axis=_power_axis(*edges)),
            x2="high:Q",
            y=altair.Y(
                "pictures:Q", title="pictures", axis=counts, scale=altair.Scale(domainMax=1.06 * int(rows.pictures.max()))
            ),
            y2="none:Q",
            tooltip=[
                altair.Tooltip("low:Q", title="from", format=".2g"),
                altair.Tooltip("high:Q", title="to", format=".2g"),
                altair.Tooltip("pictures:Q", format=","),
                altair.Tooltip("flips:Q", title="of these with another first answer", format=","),
            ],
        )
        .properties(height=360)
    )


def layer_errors(rows: pandas.DataFrame, bound: float | None, bound_text: str) -> Chart:
    """Relative error layer by layer with its band, and each layer's own; columns layer, error, low, high, own_error."""
    names = {"error": "with all layers before it in lower precision", "own_error": "with fp32’s own input"}
    long = rows.melt(["layer"], list(names), "kind", "relative").replace({"kind": names})
    long = long[long.relative > 0]
    order = rows.layer.tolist()
    x = altair.X("layer:N", sort=order, title=None, axis=altair.Axis(labelAngle=-45, labelOverlap=False, labelLimit=120))
    axis = _power_axis(float(long.relative.min()), float(max(long.relative.max(), rows.high.max())))
    scale = altair.Scale(type="log", nice=False, padding=14)
    y = altair.Y("relative:Q", title="relative error, logarithmic", scale=scale, axis=axis)
    kinds = list(names.values())
    legend = altair.Legend(orient="top", title=None, labelLimit=320, symbolType="stroke", symbolSize=300, symbolStrokeWidth=2.5)
    base = altair.Chart(long).encode(
        x=x,
        y=y,
        color=altair.Color("kind:N", scale=altair.Scale(domain=kinds, range=[LOWER_COLOR, "#6a6f7a"]), legend=legend),
        tooltip=[
            altair.Tooltip("layer:N"),
            altair.Tooltip("kind:N", title="error"),
            altair.Tooltip("relative:Q", title="median relative error", format=".2e"),
        ],
    )
    band = altair.Chart(rows[rows.low > 0]).mark_area(opacity=0.22, color=LOWER_COLOR)
    parts: list[altair.Chart] = [
        band.encode(x=x, y=altair.Y("low:Q", title="relative error, logarithmic", scale=scale), y2="high:Q"),
        base.mark_line(strokeWidth=2),
        base.mark_point(filled=True, size=50, opacity=1),
    ]
    if bound is not None:
        at = altair.Chart(pandas.DataFrame({"relative": [bound], "text": [bound_text]})).encode(y="relative:Q")
        parts.append(at.mark_rule(color=INTERVAL_COLOR, strokeDash=[2, 3], strokeWidth=1.5))
        label = at.mark_text(align="right", baseline="bottom", dy=-3, color=TEXT_COLOR, fontSize=12)
        parts.append(label.encode(x=altair.value("width"), text="text:N"))
    return altair.layer(*parts).properties(height=400)


def memory_areas(
    rows: pandas.DataFrame, told: pandas.DataFrame, categories: Sequence[str], top_mib: float, title: str
) -> Chart:
    """What is allocated over one pass, stacked, up to `top_mib`; columns moment, milliseconds, layer, category, mebibytes.

    `told` are those of the rows that are told at the pointer.
    """
    colors = [CATEGORY_COLORS.get(name, OTHER_COLOR) for name in categories]
    place = {name: number for number, name in enumerate(categories)}
    x = altair.X(
        "milliseconds:Q", title="ms since the pass began", axis=altair.Axis(tickCount=5), scale=altair.Scale(nice=False)
    )
    y_scale = altair.Scale(domain=[0, top_mib], nice=False)
    areas = (
        altair.Chart(rows.assign(place=rows.category.map(place)))
        .mark_area(interpolate="step-after", opacity=0.9)
        .encode(
            x=x,
            y=altair.Y("mebibytes:Q", stack="zero", title="MiB", scale=y_scale, axis=altair.Axis(tickCount=6)),
            color=altair.Color(
                "category:N",
                scale=altair.Scale(domain=list(categories), range=colors),
                legend=TOP_LEGEND,
            ),
            order=altair.Order("place:Q"),
        )
    )
    moments = told.pivot_table(index=["moment", "milliseconds", "layer"], columns="category", values="mebibytes", aggfunc="sum")
    moments = moments.assign(total=moments.sum(axis=1)).reset_index()
    tooltip = [altair.Tooltip("layer:N"), altair.Tooltip("milliseconds:Q", title="ms", format=".2f")]
    tooltip += [altair.Tooltip(f"{name}:Q", title=f"{name}, MiB", format=",.2f") for name in categories if name in moments]
    tooltip.append(altair.Tooltip("total:Q", title="in all, MiB", format=",.2f"))
    rules = altair.Chart(moments).mark_rule(strokeWidth=8, strokeOpacity=0).encode(x=x, tooltip=tooltip)
    return altair.layer(areas, rules).properties(title=title, height=350)
