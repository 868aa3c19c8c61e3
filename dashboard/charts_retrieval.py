"""Altair charts of the page image_text_retrieval; DataFrames in, no Streamlit, no SQL."""

from collections.abc import Sequence

import altair
import pandas

from dashboard.charts import INTERVAL_COLOR, NAMES_AXIS, TEXT_COLOR, Chart

# The theme's categorical colors and more, in a fixed order by place; dashes tell them apart in grey.
COLORS = (
    "#2a78b8", "#d97a1c", "#6a6f7a", "#3aa387", "#b85a9e", "#8a6f3c", "#7a68c8", "#c2573f", "#4f9fb8", "#8f9636",
)  # fmt: skip
DASHES = ((1, 0), (7, 3), (12, 3), (9, 3, 2, 3), (4, 3), (5, 2, 1, 2), (14, 3, 3, 3), (6, 6), (16, 6), (3, 3))
OTHER_COLOR = "#a9b0ba"
GAIN_COLOR, LOSS_COLOR = "#3aa387", "#b85a9e"
PERCENT_AXIS = altair.Axis(format="%", tickCount=6)
CHANCE_DASH = [1, 3]
ROW_PX = 34


def colors_of(names: Sequence[str]) -> dict[str, str]:
    """A color for each variant by its place."""
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(names)}


def _color(names: Sequence[str], every: Sequence[str], legend: altair.Legend | None) -> altair.Color:
    colors = colors_of(every)
    return altair.Color("variant:N", scale=altair.Scale(domain=[*names], range=[colors[name] for name in names]), legend=legend)


def _dash(names: Sequence[str], every: Sequence[str], legend: altair.Legend | None) -> altair.StrokeDash:
    dashes = [list(DASHES[[*every].index(name) % len(DASHES)]) for name in names]
    return altair.StrokeDash("variant:N", scale=altair.Scale(domain=[*names], range=dashes), legend=legend)


def _legend() -> altair.Legend:
    return altair.Legend(
        orient="top", title=None, labelLimit=0, symbolType="stroke", symbolSize=600, symbolStrokeWidth=2.5, symbolOpacity=1
    )


def recall_marks(rows: pandas.DataFrame, names: Sequence[str], chance: float, title: str) -> Chart:
    """A dot with its interval for each variant, and a line at chance; columns variant, recall, low, high."""
    y = altair.Y("variant:N", sort=[*names], title=None, axis=NAMES_AXIS)
    x = altair.X("recall:Q", title=title, axis=PERCENT_AXIS, scale=altair.Scale(domain=[0, 1]))
    base = altair.Chart(rows).encode(
        y=y,
        color=_color(names, names, None),
        tooltip=[
            altair.Tooltip("variant:N"),
            altair.Tooltip("recall:Q", title=title, format=".1%"),
            altair.Tooltip("low:Q", title="95 % from", format=".1%"),
            altair.Tooltip("high:Q", title="to", format=".1%"),
        ],
    )
    parts: list[altair.Chart] = [
        base.mark_rule(strokeWidth=2.5, opacity=0.6).encode(x=altair.X("low:Q", title=title), x2="high:Q"),
        base.mark_point(filled=True, size=110, opacity=1).encode(x=x),
        altair.Chart(pandas.DataFrame({"chance": [chance]}))
        .mark_rule(strokeDash=CHANCE_DASH, strokeWidth=2, color=INTERVAL_COLOR)
        .encode(x="chance:Q", tooltip=[altair.Tooltip("chance:Q", title="by chance", format=".2%")]),
    ]
    return altair.layer(*parts).properties(height=ROW_PX * len(names) + 60)


def rank_histogram(rows: pandas.DataFrame, color: str, query_words: str) -> Chart:
    """Shares of queries by bin of ranks, and a tick for each at what chance would give; columns bin, share, queries, chance."""
    x = altair.X("bin:N", sort=None, title="rank of the right answer", axis=altair.Axis(labelAngle=0, labelOverlap=False))
    base = altair.Chart(rows).encode(
        x=x,
        tooltip=[
            altair.Tooltip("bin:N", title="rank"),
            altair.Tooltip("queries:Q", title=query_words, format=",.1~f"),
            altair.Tooltip("share:Q", title="share", format=".1%"),
            altair.Tooltip("chance:Q", title="by chance", format=".1%"),
        ],
    )
    y = altair.Y(
        "share:Q",
        title=f"share of {query_words}",
        axis=altair.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
        scale=altair.Scale(domain=[0, 1.08], nice=False),
    )
    bars = base.mark_bar(cornerRadiusEnd=2, color=color).encode(y=y)
    counts = base.mark_text(dy=-8, fontSize=12, color=TEXT_COLOR).encode(
        y="share:Q", text=altair.Text("queries:Q", format=",.1~f")
    )
    ticks = base.mark_tick(thickness=3, size=34, color="#1b2430", stroke="#ffffff", strokeWidth=1).encode(y="chance:Q")
    return altair.layer(bars, counts, ticks).properties(height=300)


def recall_curves(rows: pandas.DataFrame, chance: pandas.DataFrame, names: Sequence[str], title: str) -> Chart:
    """Recall over the cutoff, a line for each variant and a dashed one for chance; columns variant, cutoff, recall."""
    last = float(chance.cutoff.max())
    ticks = [tick for power in range(7) for tick in (10**power, 2 * 10**power, 5 * 10**power) if tick <= last]
    shown = [tick for tick in ticks if last <= 500 or f"{tick}"[0] == "1"]
    base = altair.Chart(rows).encode(
        x=altair.X(
            "cutoff:Q",
            title="k, the answers looked at (logarithmic)",
            scale=altair.Scale(type="log", domain=[1, max(last, 2)], nice=False),
            axis=altair.Axis(values=shown, format=",d"),
        )
    )
    tooltip = [
        altair.Tooltip("variant:N"),
        altair.Tooltip("cutoff:Q", title="k", format=","),
        altair.Tooltip("recall:Q", title="R@k", format=".1%"),
    ]
    y = altair.Y("recall:Q", title=title, axis=PERCENT_AXIS, scale=altair.Scale(domain=[0, 1]))
    lines = base.mark_line(strokeWidth=2.5).encode(
        y=y, color=_color(names, names, _legend()), strokeDash=_dash(names, names, _legend())
    )
    dots = base.mark_point(filled=True, size=60, opacity=0).encode(y=y, color=_color(names, names, None), tooltip=tooltip)
    guess = (
        altair.Chart(chance)
        .mark_line(strokeDash=CHANCE_DASH, strokeWidth=2, color=INTERVAL_COLOR)
        .encode(x="cutoff:Q", y="recall:Q", tooltip=tooltip)
    )
    return altair.layer(guess, lines, dots).properties(height=500)


def parallel_settings(
    lines: pandas.DataFrame, ticks: pandas.DataFrame, axes: Sequence[str], names: Sequence[str], every: Sequence[str]
) -> Chart:
    """A line for each training through its settings to its recall, in the colors that it has among `every` variant.

    `lines` has variant, axis, place (0 to 1), setting and text; `ticks` has axis, place and label. A `|` breaks an axis's name.
    """
    x = altair.X(
        "axis:N",
        sort=[*axes],
        title=None,
        scale=altair.Scale(type="point", padding=0.5),
        axis=altair.Axis(
            orient="top", labelAngle=0, labelExpr="split(datum.label, '|')", labelFontSize=12, labelOverlap=False,
            labelPadding=6, domain=False, ticks=False, labelLimit=0, grid=False,
        ),
    )  # fmt: skip
    y = altair.Y("place:Q", axis=None, scale=altair.Scale(domain=[-0.12, 1.24], nice=False))
    picked = altair.selection_point(fields=["variant"], on="pointerover", nearest=False, empty=True)
    rules = (
        altair.Chart(pandas.DataFrame({"axis": [*axes], "low": 0.0, "high": 1.0}))
        .mark_rule(strokeWidth=1.5, color=INTERVAL_COLOR, opacity=0.7)
        .encode(x=x, y=altair.Y("low:Q", axis=None), y2="high:Q")
    )
    strength = altair.condition(picked, altair.value(0.95), altair.value(0.12))
    base = altair.Chart(lines).encode(x=x, y=y, detail="variant:N", color=_color(names, every, _legend()), opacity=strength)
    tooltip = [altair.Tooltip("variant:N"), altair.Tooltip("setting:N"), altair.Tooltip("text:N", title="value")]
    parts = [
        rules,
        base.mark_line(strokeWidth=2.5).encode(strokeDash=_dash(names, every, _legend())),
        base.mark_point(filled=True, size=90).encode(tooltip=tooltip).add_params(picked),
    ]
    return altair.layer(*parts, *_tick_labels(ticks, axes, x, y)).properties(height=540)


def _tick_labels(ticks: pandas.DataFrame, axes: Sequence[str], x: altair.X, y: altair.Y) -> list[altair.Chart]:
    """Labels where few lines pass: of ends beyond them, of the last axis to its right, of others to the left and above."""
    is_last = ticks["axis"] == axes[-1]
    is_end = ticks.place.isin([0.0, 1.0]) & ~is_last
    groups = (
        (is_last, "left", 11, 0),
        (is_end & (ticks.place == 1), "center", 0, -15),
        (is_end & (ticks.place == 0), "center", 0, 16),
        (~is_last & ~is_end, "right", -9, -9),
    )
    notches = altair.Chart(ticks).mark_tick(orient="horizontal", size=9, thickness=1.5, color=INTERVAL_COLOR)
    labels = [
        altair.Chart(ticks[chosen])
        .mark_text(fontSize=12, color=TEXT_COLOR, baseline="middle", align=align, dx=dx, dy=dy)  # type: ignore[arg-type]
        .encode(x=x, y=y, text="label:N")
        for chosen, align, dx, dy in groups
        if chosen.any()
    ]
    return [notches.encode(x=x, y=y), *labels]


def epoch_recall(
    rows: pandas.DataFrame, names: Sequence[str], every: Sequence[str], levels: pandas.DataFrame, title: str
) -> Chart:
    """Recall after each epoch, a line for each training with the band of its seeds; columns variant, epoch, recall, low, high.

    `levels` are lines across: recall, and a label, which may be empty.
    """
    color = _color(names, every, _legend())
    base = altair.Chart(rows).encode(
        x=altair.X(
            "epoch:Q",
            title="epochs trained",
            axis=altair.Axis(tickMinStep=1, format="d"),
            scale=altair.Scale(nice=False, padding=8),
        )
    )
    tooltip = [
        altair.Tooltip("variant:N"),
        altair.Tooltip("epoch:Q", title="epochs trained"),
        altair.Tooltip("recall:Q", title="R@1", format=".1%"),
    ]
    y = altair.Y("recall:Q", title=title, axis=PERCENT_AXIS, scale=altair.Scale(domain=[0, 1]))
    across = altair.Chart(levels).encode(y="recall:Q")
    parts: list[altair.Chart] = [
        across.mark_rule(strokeDash=CHANCE_DASH, strokeWidth=2, color=INTERVAL_COLOR),
        across.mark_text(align="right", x="width", dx=-4, dy=-9, fontSize=12, color=TEXT_COLOR).encode(text="label:N"),
        base.mark_line(strokeWidth=2.5).encode(y=y, color=color, strokeDash=_dash(names, every, _legend()), tooltip=tooltip),
        base.mark_point(filled=True, size=44, opacity=1).encode(y=y, color=color, tooltip=tooltip),
    ]
    if (rows.high > rows.low).any():
        parts.insert(0, base.mark_area(opacity=0.16).encode(y=altair.Y("low:Q", title=title), y2="high:Q", color=color))
    return altair.layer(*parts).properties(height=500)


def rank_shifts(rows: pandas.DataFrame, a: str, b: str, last_rank: int, query_words: str) -> Chart:
    """A dot for queries of one pair of ranks, by their number, and the diagonal; columns rank_a, rank_b, queries, change."""
    domain = [0.8, max(float(last_rank), 2.0) * 1.15]
    ticks = [tick for power in range(7) for tick in (10**power, 2 * 10**power, 5 * 10**power) if tick <= last_rank]
    shown = [tick for tick in ticks if last_rank <= 500 or f"{tick}"[0] == "1"]
    scale = altair.Scale(type="log", domain=domain, nice=False)
    axis = altair.Axis(values=shown, format=",d")
    changes = {"better in B": GAIN_COLOR, "the same": OTHER_COLOR, "worse in B": LOSS_COLOR}
    dots = (
        altair.Chart(rows)
        .mark_circle(opacity=0.75)
        .encode(
            x=altair.X("rank_a:Q", title=f"rank in A: {a}", scale=scale, axis=axis),
            y=altair.Y("rank_b:Q", title=f"rank in B: {b}", scale=scale, axis=axis),
            size=altair.Size("queries:Q", scale=altair.Scale(type="sqrt", range=[34, 900]), legend=None),
            color=altair.Color(
                "change:N",
                scale=altair.Scale(domain=list(changes), range=list(changes.values())),
                legend=altair.Legend(orient="top", title=None, symbolType="circle", symbolSize=90),
            ),
            tooltip=[
                altair.Tooltip("rank_a:Q", title="rank in A", format=",.1~f"),
                altair.Tooltip("rank_b:Q", title="rank in B", format=",.1~f"),
                altair.Tooltip("queries:Q", title=query_words, format=","),
            ],
        )
    )
    ends = pandas.DataFrame({"rank": domain})
    diagonal = (
        altair.Chart(ends).mark_line(strokeDash=[5, 4], color=INTERVAL_COLOR, strokeWidth=1.5).encode(x="rank:Q", y="rank:Q")
    )
    return altair.layer(diagonal, dots).properties(height=480)
