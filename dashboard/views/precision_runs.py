"""Which runs a page on precisions shows, where each was measured, and how small figures are written."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas
import streamlit

from dashboard import layout
from dashboard import queries_precision as queries
from dashboard.connection import Results
from dashboard.kept import kept

PRECISIONS = ("fp32", "fp16", "bf16", "tf32")
TIMED, REMEMBERED = "latency", "memory"  # the trials that answer no picture
SINGLE = "float32"  # how a tensor that stays in fp32 is listed
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Format:
    """What a number format can hold; `bound` is the largest relative error of rounding to it."""

    bound: float
    bound_words: str
    largest: float
    largest_words: str
    words: str


FORMATS = {
    "fp16": Format(2**-11, "2⁻¹¹", 65_504, "65,504", "11 significant bits"),
    "bf16": Format(2**-8, "2⁻⁸", 3.39e38, "3.4 × 10³⁸", "8 significant bits"),
    "tf32": Format(2**-11, "2⁻¹¹", 3.4e38, "3.4 × 10³⁸", "11 significant bits for what is multiplied"),
}


@dataclass(frozen=True)
class Setup:
    """fp32 and a lower precision on one data set and profile; a run is None where that trial has not been done."""

    dataset: str | None
    profile: str
    label: str
    pictures: int
    lower: str
    fp32_run: str | None
    lower_run: str | None
    timed_run: str | None
    memory_run: str | None
    runs: dict[str, Any] = field(compare=False, hash=False)  # rows of queries.precision_runs by run_id

    @property
    def run_ids(self) -> list[str]:
        """All that the page shows something of."""
        return [run for run in (self.fp32_run, self.lower_run, self.timed_run, self.memory_run) if run is not None]

    @property
    def pair(self) -> tuple[str, str] | None:
        """The two runs whose answers are compared, where there are any."""
        return (self.fp32_run, self.lower_run) if self.fp32_run and self.lower_run else None

    @property
    def arithmetic(self) -> str:
        """How the lower precision was computed for its drift: 'native', 'emulated', or what else the run says."""
        said = self.runs[self.lower_run].arithmetic if self.lower_run in self.runs else None
        return said if isinstance(said, str) else "unknown"

    @property
    def is_emulated(self) -> bool:
        """Whether the lower precision's answers were computed in fp32 and rounded."""
        return self.arithmetic == "emulated"


@kept
def choices(results: Results) -> pandas.DataFrame:
    """What to choose data from: a row for each data set and profile; timings alone only where nothing else ran there."""
    runs = queries.precision_runs(results)
    rows = runs.drop_duplicates(["dataset", "profile"])
    with_pictures = set(rows.profile[rows.dataset.notna()])
    rows = rows[rows.dataset.notna() | ~rows.profile.isin(with_pictures)]
    return rows.assign(dataset=rows.dataset.astype(object).where(rows.dataset.notna(), None)).reset_index(drop=True)


@kept
def lower_precisions(results: Results, choice: pandas.Series) -> list[str]:
    """The precisions that can be set beside fp32 here, fp16 first."""
    here = _here(results, choice)
    found = [variant for variant in here.variant if variant not in ("fp32", TIMED, REMEMBERED)]
    for variant, ask in ((TIMED, queries.time_summaries), (REMEMBERED, queries.memory_peaks)):
        for run_id in here.run_id[here.variant == variant]:
            found += [name for name in ask(results, run_id).precision if name != "fp32"]
    return in_order(found) or ["fp16"]


@kept
def setup_of(results: Results, choice: pandas.Series, label: str, lower: str) -> Setup:
    """The runs of one of `choices`, with a lower precision."""
    here = _here(results, choice)
    latest = {row.variant: row for row in reversed(list(here.itertuples()))}
    lower_run = getattr(latest.get(lower), "run_id", None)
    compared = queries.drift_pairs(results).get(lower_run) if lower_run else None
    return Setup(
        dataset=choice.dataset,
        profile=str(choice.profile),
        label=label,
        pictures=int(choice.val_images),
        lower=lower,
        fp32_run=compared or getattr(latest.get("fp32"), "run_id", None),
        lower_run=lower_run if compared else None,
        timed_run=getattr(latest.get(TIMED), "run_id", None),
        memory_run=getattr(latest.get(REMEMBERED), "run_id", None),
        runs={row.run_id: row for row in here.itertuples()},
    )


def _here(results: Results, choice: pandas.Series) -> pandas.DataFrame:
    """The runs on a data set and profile, and those of the profile that need no data; the former first, the latest first."""
    runs = queries.precision_runs(results)
    runs = runs[runs.profile == choice.profile]
    own = runs[runs.dataset == choice.dataset] if isinstance(choice.dataset, str) else runs[runs.dataset.isna()]
    rest = runs[runs.dataset.isna() & ~runs.variant.isin(set(own.variant))]
    return pandas.concat([own, rest]).sort_values("started_at", ascending=False, kind="stable")


def in_order(names: Iterable[str]) -> list[str]:
    """Precisions, each once, in the order in which they are always shown; unknown ones last."""
    place = {name: number for number, name in enumerate(PRECISIONS)}
    return sorted(dict.fromkeys(names), key=lambda name: (place.get(name, len(place)), name))


def sorted_by_precision(rows: pandas.DataFrame) -> pandas.DataFrame:
    """The same rows in that order."""
    place = {name: number for number, name in enumerate(in_order(rows.precision))}
    return rows.sort_values("precision", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def not_done(variant: str, what: str) -> None:
    """Say which part of the experiment has not run, and which command fills it."""
    overflow = " If its outputs overflow, it stops with a message and leaves nothing here." if variant == "fp16" else ""
    trial = f"The experiment’s trial “{layout.plain(variant)}” has not run here yet."
    streamlit.info(f"{what} {trial}{overflow}", icon=":material/science:")
    streamlit.code(f"python -m compute run {queries.EXPERIMENT} --profile mini", language="bash")


def place_of(setup: Setup, run_id: str | None, *more: str) -> str:
    """A run's device, threads and versions, in Markdown, empty where it is unknown; `more` stands before the versions."""
    run = setup.runs.get(run_id or "")
    if run is None:
        return ""
    threads = f"{run.threads} {'thread' if run.threads == 1 else 'threads'}"
    versions = f"torch {layout.plain(run.torch)}", f"Python {layout.plain(run.python)}"
    return " · ".join([layout.plain(run.device), threads, *more, *versions])


def measured_on(setup: Setup, run_id: str | None, *more: str) -> str:
    """Where, with what and when a run's figures were measured, in Markdown; `more` stands before the versions."""
    if run_id not in setup.runs:
        return ""
    started_at = f"{setup.runs[run_id].started_at:%Y-%m-%d %H:%M} UTC"
    return f"Measured on {place_of(setup, run_id, *more)} · profile {layout.plain(setup.profile)} · {started_at}."


def arithmetic_words(setup: Setup) -> str:
    """How the lower precision's answers were computed, in a sentence."""
    lower = layout.plain(setup.lower)
    if setup.is_emulated:
        return (
            f"**{lower} is emulated here**: weights and each layer’s output are rounded to it, all else is computed in fp32. "
            "The drift has the right size; a device’s own arithmetic would differ in detail."
        )
    if setup.arithmetic == "native":
        return f"{lower} is the device’s own arithmetic."
    return f"These results do not say whether {lower} was the device’s own arithmetic."


def small(value: float) -> str:
    """A share or an error of any size in two digits: 0.012, 3.4 × 10⁻⁶."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if 0.001 <= abs(value) < 10_000:
        return f"{value:#.2g}" if abs(value) < 0.1 else f"{value:.3f}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def percent(share: float) -> str:
    """A share in two digits, or in as many as keep it from looking whole: 0.086 %, 13 %, 99.7 %, 100 %."""
    if math.isnan(share):
        return "–"
    if not 0.001 <= abs(share) * 100 < 10_000:
        return f"{small(100 * share)} %"
    if 0.99 < share < 1:
        return f"{min(99.9, math.floor(1000 * share) / 10):.1f} %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def magnitude(value: float) -> str:
    """A number of any size in three digits, whole from a hundred on: 4.76, 104, 65,504, 3.4 × 10³⁸."""
    if math.isinf(value):
        return "infinite"
    return f"{value:,.0f}" if 100 <= value < 1e7 else small(value) if value >= 1e7 else f"{value:.3g}"


def duration(milliseconds: float) -> str:
    """A time in three digits: 2.41 ms, 576 ms."""
    if milliseconds is None or not math.isfinite(milliseconds):
        return "–"
    if milliseconds >= 1e7:
        return f"{small(milliseconds)} ms"
    digits = 2 - math.floor(math.log10(milliseconds)) if milliseconds > 0 else 0
    return f"{milliseconds:,.{min(6, max(0, digits))}f} ms"
