"""How long a pass takes in each precision: every repetition, the ratio, the cost of a picture, and what limits it."""

import math
from dataclasses import dataclass
from functools import partial

import pandas
import streamlit

from dashboard import charts_precision as charts
from dashboard import intervals, layout, links
from dashboard import queries_precision as queries
from dashboard.connection import Results
from dashboard.intervals import Estimate
from dashboard.kept import kept
from dashboard.views.precision_runs import Setup, duration, in_order, measured_on, not_done, sorted_by_precision

CLOCK_WORDS = {"wall": "wall clock", "cuda": "CUDA events"}
GOLDEN = 0.618034  # spreads consecutive repetitions evenly
LIMITING_SHARE = 0.5  # of the measured time that a bound must explain to be called what limits it
OVER_ONE = {
    "arithmetic": "the encoder’s own products are quicker than the matrix product whose rate was measured",
    "copying": "layers are fused, or what they need stays in a cache",
}


@dataclass(frozen=True)
class Speed:
    """fp32's mean time over the lower precision's, with 95 % interval; above 1 the lower is faster."""

    ratio: Estimate
    is_paired: bool
    batch_size: int
    clock: str
    repetitions: tuple[int, int]

    def sentence(self, lower: str) -> str:
        """The ratio in words that follow a name, in Markdown."""
        if math.isnan(self.ratio.value):
            return f"{lower}’s time was not measured beside fp32’s"
        pictures = "one picture" if self.batch_size == 1 else f"{self.batch_size} pictures"
        if self.ratio.low <= 1 <= self.ratio.high:
            return f"{lower} encodes {pictures} as fast as fp32, as far as was shown ({times(self.ratio)})"
        if self.ratio.value >= 1:
            return f"{lower} encodes {pictures} **{times(self.ratio)}** times as fast as fp32"
        return f"{lower} takes **{times(self.slowness)}** times as long as fp32 for {pictures}"

    @property
    def slowness(self) -> Estimate:
        """The lower precision's mean time over fp32's."""
        return Estimate(1 / self.ratio.value, 1 / self.ratio.high, 1 / self.ratio.low)


def times(ratio: Estimate) -> str:
    """A ratio with its interval: 1.94 [1.90, 1.99]."""
    return f"{ratio.value:.2f}" + ("" if math.isnan(ratio.low) else f" [{ratio.low:.2f}, {ratio.high:.2f}]")


@kept
def speed_of(
    results: Results, setup: Setup, lower: str, clock: str | None = None, batch_size: int | None = None
) -> Speed | None:
    """How fast a precision is beside fp32 by a clock and batch, the smallest by default; None where either was not timed."""
    found = queries.time_summaries(results, setup.timed_run) if setup.timed_run else pandas.DataFrame()
    if found.empty:
        return None
    clock = clock or clocks_of(found)[0]
    sizes = found.batch_size[found.clock == clock]
    size = int(sizes.min()) if batch_size is None else batch_size
    rows = queries.repetitions(results, setup.timed_run or "", clock, size)
    first, second = (rows[rows.precision == name].set_index("repetition").milliseconds for name in ("fp32", lower))
    if first.empty or second.empty:
        return None
    paired = set(first.index) == set(second.index) and first.index.is_unique and second.index.is_unique
    second = second.loc[first.index] if paired else second
    ratio = intervals.ratio_of_means(first.to_numpy(), second.to_numpy(), paired)
    return Speed(ratio, paired, size, clock, (len(first), len(second)))


def clocks_of(found: pandas.DataFrame) -> list[str]:
    """The clocks of rows of `queries.time_summaries`, the wall clock first."""
    return sorted(found.clock.unique(), key=lambda clock: (clock != "wall", clock))


@streamlit.fragment
@layout.errors_as_messages()
def time(results: Results, setup: Setup) -> None:
    """Draw the whole tab."""
    found = queries.time_summaries(results, setup.timed_run) if setup.timed_run else pandas.DataFrame()
    if found.empty:
        not_done("latency", "No pass has been timed.")
        return
    clock, size = _controls(found)
    words = CLOCK_WORDS.get(clock, layout.plain(clock, 40))
    streamlit.subheader("Every repetition")
    rows = repetitions_of(results, setup, clock, size)
    if rows.empty:
        streamlit.info("Nothing was timed with this batch and clock.")
        return
    layout.chart(
        partial(charts.repetition_times, rows.assign(place=rows.repetition * GOLDEN % 1)), rows, "times_of_repetitions"
    )
    is_cut = summaries_of(results, setup, clock, size).repetitions.max() > queries.MOST_REPETITIONS
    cut = f" The first {queries.MOST_REPETITIONS:,} of each." if is_cut else ""
    streamlit.caption(
        f"A dot for each repetition, spread out up and down so that none hides another; the line is the mean. Passes of all "
        f"precisions were timed in turns.{cut} {measured_on(setup, setup.timed_run, words, f'batch {size}')}"
    )
    _table(results, setup, clock, size)
    left, right = streamlit.columns(2, gap="large")
    with left:
        streamlit.subheader("A picture’s cost, by batch")
        per_picture = picture_costs(results, setup, clock)
        layout.chart(partial(charts.picture_costs, per_picture), per_picture, "cost_by_batch", layout.HALF_PX)
        streamlit.caption(
            "Median, and from 5 to 95 % of the repetitions. Both axes are logarithmic. "
            f"{measured_on(setup, setup.timed_run, words)}"
        )
    with right:
        _limits(results, setup, clock, size)


@kept
def repetitions_of(results: Results, setup: Setup, clock: str, size: int) -> pandas.DataFrame:
    """`queries.repetitions` of a setup, by precision."""
    return sorted_by_precision(queries.repetitions(results, setup.timed_run or "", clock, size))


@kept
def summaries_of(results: Results, setup: Setup, clock: str, size: int | None = None) -> pandas.DataFrame:
    """`queries.time_summaries` of a setup by a clock, of one batch or of all, by precision."""
    found = queries.time_summaries(results, setup.timed_run or "")
    found = found[found.clock == clock]
    return sorted_by_precision(found if size is None else found[found.batch_size == size])


@kept
def picture_costs(results: Results, setup: Setup, clock: str) -> pandas.DataFrame:
    """The same rows of all batches, with what one picture of the batch takes."""
    costs = summaries_of(results, setup, clock)
    return costs.assign(**{name: costs[name] / costs.batch_size for name in ("middle", "low", "high", "mean")})


def _clock_words(clock: str) -> str:
    return CLOCK_WORDS.get(clock, layout.as_label(clock[:40]))


def _controls(found: pandas.DataFrame) -> tuple[str, int]:
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        clocks = clocks_of(found)
        clock = clocks[0]
        if len(clocks) > 1:
            links.by_name("clock", clocks, _clock_words)
            clock = layout.choose_button("Clock", clocks[: layout.MOST_BUTTONS], "clock", default=clock, shown=_clock_words)
        sizes = [str(size) for size in sorted(found.batch_size[found.clock == clock].unique())]
        size = layout.choose_button("Pictures in a batch", sizes, "batch")
    return clock, int(size)


def _table(results: Results, setup: Setup, clock: str, size: int) -> None:
    table, told = compared(results, setup, clock, size)
    digits = {name: "{:,.3f}" for name in table.columns if name.endswith("ms")} | {"fp32’s median / its own": "{:.2f}"}
    layout.table(table, "times_of_precisions", digits)
    if told:
        streamlit.caption(told)


@kept
def compared(results: Results, setup: Setup, clock: str, size: int) -> tuple[pandas.DataFrame, str]:
    """Times of all precisions with a batch, under the titles of a table, and in Markdown how their intervals were drawn."""
    at_size = summaries_of(results, setup, clock, size)
    speeds = {name: speed_of(results, setup, name, clock, size) for name in at_size.precision if name != "fp32"}
    table = pandas.DataFrame(
        {
            "precision": at_size.precision,
            "mean, ms": at_size["mean"],
            "standard deviation, ms": at_size.deviation,
            "median, ms": at_size.middle,
            "mean of a picture, ms": at_size["mean"] / size,
            "repetitions": at_size.repetitions,
            "fp32’s median / its own": _against_fp32(at_size),
            "fp32’s mean / its own": [
                times(speed.ratio) if (speed := speeds.get(name)) else "1" if name == "fp32" else "–"
                for name in at_size.precision
            ],
        }
    )
    apart = [name for name, speed in speeds.items() if speed is not None and not speed.is_paired]
    told = "Repetitions of one round are drawn together."
    if apart:
        names = ", ".join(map(layout.plain, apart))
        told = f"{names}: of unequally many repetitions, so that each side is drawn for itself; the others by rounds."
    intervals_words = (
        f"In brackets the 95 % bootstrap interval over repetitions; above 1 is faster than fp32. A few slow repetitions move a "
        f"mean, not a median. {told}"
    )
    return table, intervals_words if any(speeds.values()) else ""


def _against_fp32(at_size: pandas.DataFrame) -> pandas.Series:
    fp32 = at_size.middle[at_size.precision == "fp32"]
    return fp32.iloc[0] / at_size.middle if len(fp32) else at_size.middle * math.nan


def bound_rows(bounds: pandas.DataFrame, at_size: pandas.DataFrame, size: int) -> pandas.DataFrame:
    """Time that arithmetic and copying would take alone at the device's best measured rates, beside the measured median.

    Columns precision, bound, bound_ms, measured_ms, share; rows of `queries.bounds` and, of one batch, of `time_summaries`.
    """
    rows = []
    for row in bounds[bounds.batch_size == size].merge(at_size[["precision", "middle"]], on="precision").itertuples():
        for bound, work, rate in (("arithmetic", row.operations, row.matrix_rate), ("copying", row.bytes, row.copy_rate)):
            if rate > 0 and row.middle > 0:  # not where it was not measured
                bound_ms = 1000 * work / rate
                if math.isfinite(bound_ms / row.middle):
                    rows.append((row.precision, bound, bound_ms, row.middle, bound_ms / row.middle))
    found = pandas.DataFrame(rows, columns=["precision", "bound", "bound_ms", "measured_ms", "share"])
    return sorted_by_precision(found) if len(found) else found


def limit_sentence(rows: pandas.DataFrame, precision: str) -> str:
    """What limits a precision, from `bound_rows`, in Markdown; empty where nothing is known."""
    own = rows[rows.precision == precision]
    if own.empty:
        return ""
    largest = own.loc[own["share"].idxmax()]
    parts = " and ".join(f"{row.bound} {duration(row.bound_ms)}" for row in own.itertuples())
    told = f"**{layout.plain(precision)}**: {duration(largest.measured_ms)} measured; alone, {parts}"
    if largest["share"] > 1:
        why = OVER_ONE[largest.bound]
        return f"{told}. **{largest.bound.capitalize()}** alone would take longer than was measured, so it is no bound: {why}."
    if largest["share"] >= LIMITING_SHARE:
        return f"{told}. It is limited by **{largest.bound}**."
    return (
        f"{told}. **Neither** explains half of it: the rest goes into starting layers, small products, and waiting for memory."
    )


@kept
def limits_of(results: Results, setup: Setup, clock: str, size: int) -> tuple[pandas.DataFrame, str]:
    """`bound_rows` of a setup's run with a batch, and `limit_sentence` of each precision as a list in Markdown."""
    bounds = queries.bounds(results, setup.timed_run or "")
    rows = bound_rows(bounds, summaries_of(results, setup, clock, size), size)
    return rows, "\n".join(f"- {limit_sentence(rows, precision)}" for precision in in_order(rows.precision))


def _limits(results: Results, setup: Setup, clock: str, size: int) -> None:
    streamlit.subheader("What limits it")
    rows, told = limits_of(results, setup, clock, size)
    if rows.empty:
        streamlit.info("The device’s rates were not measured for this batch.")
        return
    layout.chart(partial(charts.limit_shares, rows), rows, "limits", layout.HALF_PX)
    streamlit.markdown(told)
    words = CLOCK_WORDS.get(clock, layout.plain(clock, 40))
    streamlit.caption(
        "Operations of the encoder over the best rate of matrix products that was measured on the device, and bytes of weights "
        "and of every layer’s inputs and outputs over its best rate of copying: no pass can be quicker, unless layers are "
        f"fused, or what they need stays in a cache. {measured_on(setup, setup.timed_run, words, f'batch {size}')}"
    )
