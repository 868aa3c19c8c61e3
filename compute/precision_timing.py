"""From one image encoder in several precisions to rows: how long it takes, what limits it, and what it holds in memory."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pandas
import torch
from torch import Tensor, nn

from compute import measure
from compute.measure import MEBIBYTE
from compute.memory_timeline import CATEGORIES, Moment, memory_timeline
from compute.models.layer_table import layers_of
from compute.models.precision import DATA_TYPES

MOMENTS = 400  # of a pass that are kept at most
Report = Callable[[int, int, str], None]
Encoders = Mapping[str, nn.Module]


@dataclass(frozen=True)
class TimingPlan:
    """How often a batch of each size is timed, in most precisions and in the slow ones."""

    batch_sizes: tuple[int, ...]
    repetitions: tuple[int, ...]  # for each batch size
    slow_repetitions: tuple[int, ...]  # for each batch size
    slow: tuple[str, ...]  # precisions
    warm_up: int


_EACH = (100, 100, 100, 100)
# A CPU without fp16 arithmetic takes ten times as long in it.
TIMING_PLANS = {
    "mini": TimingPlan((1, 8, 32, 128), _EACH, (100, 100, 30, 10), slow=("fp16",), warm_up=2),
    "gpu": TimingPlan((1, 8, 32, 128), _EACH, _EACH, slow=(), warm_up=10),
    "full": TimingPlan((1, 8, 32, 128), _EACH, _EACH, slow=(), warm_up=10),
}


def arithmetic(precision: str) -> AbstractContextManager[None]:
    """What a pass in that precision runs within: 'tf32' is the fp32 encoder with TF32 products, all others are without."""
    return measure.tf32() if precision == "tf32" else measure.full_precision()


def latency_tables(
    run_id: str, encoders: Encoders, image_size_px: int, plan: TimingPlan, device: torch.device, report: Report
) -> dict[str, pandas.DataFrame]:
    """Rows of latency, device_rate and encoder_work of encoders by precision, on the device already and in eval mode.

    Under 'tf32' stands the fp32 encoder once more. Pictures are random numbers, in the encoder's own precision and on the
    device. A repetition's number is its round: equal ones ran side by side. A batch size that does not fit into memory in some
    precision is left out in all, with a warning.
    """
    timings: list[dict[str, object]] = []
    fitting = []
    for number, batch_size in enumerate(plan.batch_sizes):
        report(number, len(plan.batch_sizes) + 1, f"times batches of {batch_size}")
        try:
            timings += _batch_timings(encoders, batch_size, image_size_px, plan, device)
            fitting.append(batch_size)
        except torch.OutOfMemoryError:
            warnings.warn(f"Batches of {batch_size} do not fit into the memory of {device} and are not timed.", stacklevel=2)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    report(len(plan.batch_sizes), len(plan.batch_sizes) + 1, "measures what the device copies and multiplies in a second")
    tables = {
        "latency": pandas.DataFrame(timings, columns=["precision", "batch_size", "repetition", "clock", "milliseconds"]),
        "device_rate": _device_rates(list(encoders), device),
        "encoder_work": _encoder_work(encoders, image_size_px, fitting, device),
    }
    report(len(plan.batch_sizes) + 1, len(plan.batch_sizes) + 1, _one_picture(tables["latency"]))
    return {table: rows.assign(run_id=run_id) for table, rows in tables.items()}


def _batch_timings(
    encoders: Encoders, batch_size: int, image_size_px: int, plan: TimingPlan, device: torch.device
) -> list[dict[str, object]]:
    position = plan.batch_sizes.index(batch_size)
    repetitions = {
        precision: (plan.slow_repetitions if precision in plan.slow else plan.repetitions)[position] for precision in encoders
    }
    passes = {}
    for precision, encoder in encoders.items():
        batch = _pictures(encoder, batch_size, image_size_px, device)
        passes[precision] = lambda encoder=encoder, batch=batch: encoder(batch)
    measured = measure.interleaved(passes, repetitions, plan.warm_up, device, arithmetic=arithmetic)
    return [
        {"precision": timing.name, "batch_size": batch_size, "repetition": timing.repetition, "clock": timing.clock,
         "milliseconds": timing.milliseconds}
        for timing in measured
    ]  # fmt: skip


def _pictures(encoder: nn.Module, batch_size: int, image_size_px: int, device: torch.device) -> Tensor:
    """Random pictures (B, 3, size, size) with the data type and the memory layout of the encoder's first weights."""
    weights = next(encoder.parameters())
    generator = torch.Generator().manual_seed(batch_size)
    pictures = torch.randn(batch_size, 3, image_size_px, image_size_px, generator=generator)
    channels_last = weights.ndim == 4 and not weights.is_contiguous()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return pictures.to(device, weights.dtype, memory_format=layout)


def _one_picture(latency: pandas.DataFrame) -> str:
    """Each precision's median time for the smallest batch, in words."""
    smallest = latency[(latency.batch_size == latency.batch_size.min()) & (latency.clock == "wall")]
    medians = smallest.groupby("precision", sort=False).milliseconds.median()
    return ", ".join(f"{precision} {milliseconds:.1f} ms" for precision, milliseconds in medians.items())


def _device_rates(precisions: list[str], device: torch.device) -> pandas.DataFrame:
    rows = []
    for precision in precisions:
        with arithmetic(precision):
            rates = {
                "copy": measure.copy_rate(DATA_TYPES[precision], device),
                "matrix": measure.matrix_rate(DATA_TYPES[precision], device),
            }
        rows += [
            {"precision": precision, "kind": kind, "repetition": repetition, "per_second": rate}
            for kind, repeated in rates.items()
            for repetition, rate in enumerate(repeated, start=1)
        ]
    return pandas.DataFrame(rows)


def _encoder_work(encoders: Encoders, image_size_px: int, batch_sizes: list[int], device: torch.device) -> pandas.DataFrame:
    rows = []
    for precision, encoder in encoders.items():
        picture = _pictures(encoder, 1, image_size_px, device)
        layers = layers_of(encoder, picture)
        operations = 2 * sum(layer.multiply_adds for layer in layers)
        weights, passing = layer_bytes(encoder, [layer.name for layer in layers], picture)
        rows += [
            {"precision": precision, "batch_size": size, "operations": size * operations, "bytes": weights + size * passing}
            for size in batch_sizes
        ]
    return pandas.DataFrame(rows, columns=["precision", "batch_size", "operations", "bytes"])


@torch.inference_mode()
def layer_bytes(encoder: nn.Module, layers: list[str], picture: Tensor) -> tuple[int, int]:
    """Bytes of the named layers' weights, each read once, and of all that goes into them and comes out for one picture.

    Weights are parameters and buffers in numbers with a point, as they are stored; `picture` is (1, 3, H, W).
    """
    passing = 0

    def add(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal passing
        passing += sum(each.nbytes for each in inputs) + output.nbytes

    modules = list(dict.fromkeys(encoder.get_submodule(name) for name in layers))
    handles = [module.register_forward_hook(add) for module in modules]
    try:
        encoder(picture)
    finally:
        for handle in handles:
            handle.remove()
    tensors = {id(each): each for module in modules for each in [*module.parameters(), *module.buffers()]}
    return sum(each.nbytes for each in tensors.values() if each.is_floating_point()), passing


def memory_tables(
    run_id: str, encoders: Encoders, image_size_px: int, batch_size: int, device: torch.device, report: Report
) -> dict[str, pandas.DataFrame]:
    """Rows of memory and memory_peak of one pass over a batch, for encoders as in `latency_tables`.

    Each is measured while no other one is on the device, if that is not the CPU. The peaks are those of a pass without a
    profiler; only the CPU's 'allocated peak', which torch does not keep, is the highest moment of the profiled pass. A
    precision in which the pass does not fit into memory is left out, with a warning.
    """
    moments: list[dict[str, object]] = []
    peaks: list[dict[str, object]] = []
    with _off_the_device(encoders, device):
        for number, (precision, encoder) in enumerate(encoders.items()):
            report(number, len(encoders), f"watches {precision}'s memory")
            try:
                with arithmetic(precision):
                    timeline, measured = _memory(encoder.to(device), batch_size, image_size_px, device)
                moments += _moment_rows(precision, timeline)
                peaks += [{"precision": precision, "measure": kind, "mebibytes": value} for kind, value in measured.items()]
            except torch.OutOfMemoryError:
                warnings.warn(f"A batch of {batch_size} in {precision} does not fit into {device}'s memory.", stacklevel=2)
            encoder.to("cpu")
    columns = ["precision", "moment", "milliseconds", "layer", "category", "mebibytes"]
    tables = {
        "memory": pandas.DataFrame(moments, columns=columns),
        "memory_peak": pandas.DataFrame(peaks, columns=["precision", "measure", "mebibytes"]),
    }
    report(len(encoders), len(encoders), _highest(tables["memory_peak"]))
    return {table: rows.assign(run_id=run_id, batch_size=batch_size) for table, rows in tables.items()}


def _moment_rows(precision: str, timeline: list[Moment]) -> list[dict[str, object]]:
    return [
        {"precision": precision, "moment": number, "milliseconds": moment.milliseconds, "layer": moment.layer,
         "category": category, "mebibytes": moment.allocated[category] / MEBIBYTE}
        for number, moment in enumerate(thinned(timeline, MOMENTS), start=1)
        for category in CATEGORIES
    ]  # fmt: skip


@torch.inference_mode()
def _memory(
    encoder: nn.Module, batch_size: int, image_size_px: int, device: torch.device
) -> tuple[list[Moment], dict[str, float]]:
    batch = _pictures(encoder, batch_size, image_size_px, device)
    encoder(batch)  # what is set up once comes before
    measured = measure.peaks(lambda: encoder(batch), device)
    timeline = memory_timeline(encoder, batch, device)
    highest = max(moment.total for moment in timeline) / MEBIBYTE
    return timeline, {"allocated peak": highest} | measured


@contextmanager
def _off_the_device(encoders: Encoders, device: torch.device) -> Iterator[None]:
    """All encoders are in the processor's memory meanwhile, and on the device afterwards."""
    for encoder in encoders.values():
        encoder.to("cpu")
    try:
        yield
    finally:
        for encoder in encoders.values():
            encoder.to(device)


def thinned(timeline: list[Moment], most: int) -> list[Moment]:
    """At most `most` moments: the first, the last, the highest, and those where a category is far from the one kept before.

    How far is the smallest share of the highest moment's total, 1/4096 or a doubling of it, that leaves few enough. `most` is
    at least 3. Nothing is left out where there are few enough.
    """
    highest = max(timeline, key=lambda moment: moment.total)
    kept, share = timeline, 1 / 4096
    while len(kept) > most:
        kept = [timeline[0]]
        for moment in timeline[1:]:
            changes = (abs(moment.allocated[category] - kept[-1].allocated[category]) for category in CATEGORIES)
            if moment is highest or moment is timeline[-1] or max(changes) > share * highest.total:
                kept.append(moment)
        share *= 2
    return kept


def _highest(memory_peak: pandas.DataFrame) -> str:
    """Each precision's peak of torch's allocator, in words."""
    allocated = memory_peak[memory_peak.measure == "allocated peak"]
    return ", ".join(f"{row.precision} {row.mebibytes:.1f} MiB" for row in allocated.itertuples())
