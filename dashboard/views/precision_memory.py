"""What one forward pass holds in memory, by category and precision, over time and at its peak."""

import math
from functools import partial

import pandas
import streamlit

from dashboard import charts_precision as charts
from dashboard import layout
from dashboard import queries_precision as queries
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views.precision_runs import SINGLE, Setup, in_order, measured_on, not_done, sorted_by_precision

CATEGORIES = ("parameters", "inputs", "activations", "temporary")
OTHER = "other"
MOST_MOMENTS = 100  # drawn of one pass
MOST_TOLD = 50  # of these, at the pointer; each is an element on the screen, in a third of a page
MEASURES = {
    "allocated peak": "allocated",
    "reserved peak": "reserved",
    "process before": "process before",
    "process peak": "process at its peak",
    "device in use": "device in use",
}
HEADROOM = 1.04
SMALLEST_TOLD_MIB = 0.005


@streamlit.fragment
@layout.errors_as_messages()
def memory(results: Results, setup: Setup) -> None:
    """Draw the whole tab."""
    moments = moments_of(results, setup)
    peaks = queries.memory_peaks(results, setup.memory_run) if setup.memory_run else pandas.DataFrame()
    if moments.empty and peaks.empty:
        not_done("memory", "No pass’s memory has been recorded.")
        return
    if len(moments):
        streamlit.subheader("One pass, from its first to its last layer")
        _areas(results, setup)
        batch = f"batch {int(moments.batch_size.iloc[0])}"
        streamlit.caption(
            "What is allocated after each allocation and release, all precisions on one scale. The profiler that records it "
            f"slows the pass down, so the times here are not the encoder’s. {measured_on(setup, setup.memory_run, batch)}"
        )
        streamlit.subheader("At the peak")
    _peak_table(results, setup)
    notes = ["MiB. The categories are those of the moment at which the pass holds most."]
    if len(peaks):
        notes.append(
            "Allocated: what torch gave out for tensors; reserved: what it took from the device for that; process: what the "
            "system says this whole program holds, before the pass and at its peak, with libraries and all else; device in "
            "use: what all programs hold."
        )
    if moments.empty:
        notes.append(measured_on(setup, setup.memory_run, f"batch {int(peaks.batch_size.iloc[0])}"))
    streamlit.caption(" ".join(notes))
    if told := explanation(results, setup):
        streamlit.markdown(told)


@kept
def moments_of(results: Results, setup: Setup) -> pandas.DataFrame:
    """`queries.memory_moments` of a setup, unknown categories taken together; empty where none was recorded."""
    if setup.memory_run is None:
        return pandas.DataFrame()
    rows = queries.memory_moments(results, setup.memory_run)
    rows = rows.assign(category=rows.category.where(rows.category.isin(CATEGORIES), OTHER))
    keys = ["precision", "batch_size", "moment", "milliseconds", "layer", "category"]
    return sorted_by_precision(rows.groupby(keys, as_index=False, sort=True).mebibytes.sum()) if len(rows) else rows


@kept
def highest_of(results: Results, setup: Setup) -> pandas.DataFrame:
    """`at_peak` of a setup's moments; no rows where none was recorded."""
    moments = moments_of(results, setup)
    return at_peak(moments) if len(moments) else pandas.DataFrame(columns=["precision", *CATEGORIES, "in all"])


def at_peak(moments: pandas.DataFrame) -> pandas.DataFrame:
    """The moment at which each precision holds most: precision, layer, a column for each category, `in all`; in MiB."""
    wide = moments.pivot_table(index=["precision", "moment", "layer"], columns="category", values="mebibytes", aggfunc="sum")
    wide = wide.reindex(columns=[name for name in (*CATEGORIES, OTHER) if name in wide]).fillna(0.0)
    wide["in all"] = wide.sum(axis=1)
    highest = wide.reset_index().sort_values(["in all", "moment"], ascending=[False, True]).drop_duplicates("precision")
    return sorted_by_precision(highest.drop(columns="moment").rename_axis(columns=None))


@kept
def peak_mebibytes(results: Results, setup: Setup, precision: str) -> tuple[float, int]:
    """The most that a pass in a precision has allocated, and its batch; NaN and 0 where it was not measured."""
    if setup.memory_run is None:
        return math.nan, 0
    peaks = queries.memory_peaks(results, setup.memory_run)
    found = peaks[(peaks.measure == "allocated peak") & (peaks.precision == precision)]
    if len(found):
        return float(found.mebibytes.iloc[0]), int(found.batch_size.iloc[0])
    moments = moments_of(results, setup)
    own = moments[moments.precision == precision] if len(moments) else moments
    return (float(at_peak(own)["in all"].iloc[0]), int(own.batch_size.iloc[0])) if len(own) else (math.nan, 0)


def _areas(results: Results, setup: Setup) -> None:
    highest, by_precision = highest_of(results, setup), drawn_moments(results, setup, MOST_MOMENTS)
    told = drawn_moments(results, setup, MOST_TOLD)
    categories = [name for name in (*CATEGORIES, OTHER) if name in highest]
    top_mib = HEADROOM * max(float(highest["in all"].max()), 0.001)
    names = list(by_precision)
    for start in range(0, len(names), 3):
        columns = streamlit.columns(min(3, len(names)))
        for number, (column, precision) in enumerate(zip(columns, names[start : start + 3], strict=False), start=start + 1):
            with column:
                drawn = by_precision[precision]
                areas = partial(charts.memory_areas, drawn, told[precision], categories, top_mib, precision)
                layout.chart(areas, drawn, f"memory_over_a_pass_{number}", layout.THIRD_PX)
    layout.csv_button(moments_of(results, setup), "memory_over_a_pass")


@kept
def drawn_moments(results: Results, setup: Setup, most: int) -> dict[str, pandas.DataFrame]:
    """`thinned` of a setup's moments."""
    return thinned(moments_of(results, setup), most)


def thinned(moments: pandas.DataFrame, most: int) -> dict[str, pandas.DataFrame]:
    """At most about so many moments of each precision's pass: of each stretch the one at which most is held."""
    return {name: _thinned(moments[moments.precision == name], most) for name in in_order(moments.precision)}


def _thinned(moments: pandas.DataFrame, most: int) -> pandas.DataFrame:
    totals = moments.groupby("moment").mebibytes.sum()
    if len(totals) <= most:
        return moments
    stretches = pandas.Series(range(len(totals)), index=totals.index) * most // len(totals)
    return moments[moments.moment.isin(totals.groupby(stretches).idxmax())]


def _peak_table(results: Results, setup: Setup) -> None:
    shown = peak_rows(results, setup)
    numbers = {name: "{:,.2f}" for name in shown.columns if name not in ("precision", "in layer")}
    layout.table(shown, "memory_at_its_peak", numbers)


@kept
def peak_rows(results: Results, setup: Setup) -> pandas.DataFrame:
    """What each precision holds at its peak, by category and as measured, under the titles of a table."""
    shown = highest_of(results, setup).rename(columns={"layer": "in layer"})
    peaks = queries.memory_peaks(results, setup.memory_run) if setup.memory_run else pandas.DataFrame()
    if len(peaks):
        measured = peaks.pivot_table(index="precision", columns="measure", values="mebibytes", aggfunc="max")
        measured = measured.reindex(columns=[name for name in MEASURES if name in measured]).rename(columns=MEASURES)
        shown = sorted_by_precision(shown.merge(measured.reset_index(), on="precision", how="outer"))
    return shown.dropna(axis=1, how="all")


@kept
def explanation(results: Results, setup: Setup) -> str:
    """What halves and what does not at the peak, in Markdown; empty where one of the two precisions was not recorded."""
    rows = highest_of(results, setup).set_index("precision")
    if "fp32" not in rows.index or setup.lower not in rows.index:
        return ""
    before, after, lower = rows.loc["fp32"], rows.loc[setup.lower], layout.plain(setup.lower)
    told = []
    for name in (*CATEGORIES, OTHER, "in all"):
        if name in rows and max(before[name], after[name]) >= SMALLEST_TOLD_MIB:
            ratio = f" ({after[name] / before[name]:.2f})" if before[name] >= SMALLEST_TOLD_MIB else ""
            told.append(f"{name} {before[name]:,.2f} → {after[name]:,.2f} MiB{ratio}")
    sentence = f"From fp32 to {lower}, at the peak: {'; '.join(told)}."
    if setup.lower == "tf32":
        return f"{sentence} tf32 is fp32 in memory: only what is multiplied is rounded, on its way into the product."
    return (
        f"{sentence} A number takes 2 bytes instead of 4. {_kept_words(results, setup)} {_temporary_words(rows, lower)}".strip()
    )


def _temporary_words(rows: pandas.DataFrame, lower: str) -> str:
    """That a lower precision needs more room while a layer runs, where it does."""
    if "temporary" not in rows or not rows.temporary[lower] > rows.temporary["fp32"] + SMALLEST_TOLD_MIB:
        return ""
    return f"In {lower} this device needs more room while a layer runs than in fp32, and gives it back after: no saving there."


def _kept_words(results: Results, setup: Setup) -> str:
    if setup.lower_run is None:
        return ""
    groups = queries.parameter_groups(results, setup.lower_run)
    kept = groups[(groups.data_type == SINGLE) & (groups.part == "image encoder")]
    if kept.empty:
        return ""
    mebibytes = 4 * kept.elements.sum() / 2**20
    return (
        f"What keeps 4 bytes are the {kept.tensors.sum():,} tensors of the image encoder that stay in fp32, {mebibytes:,.2f} "
        "MiB in all, and results inside layers that compute in fp32."
    )
