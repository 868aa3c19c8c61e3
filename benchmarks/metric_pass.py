"""How fast our one-pass counting is beside torchmetrics' Jaccard index, on label maps and on the CPU.

Command: python -m benchmarks.metric_pass

Ours counts every pixel of an image once and gives class counts, the notebook's counts and, from them, every score. torchmetrics
gives one score. Both get what suits them best: ours uint8 maps, torchmetrics int64 ones that were made beforehand, since uint8
made it slower. Its large arrays are slow where the C library hands freed memory back to the system, and glibc decides by
the luck of a process's heap whether it does; so both ways are forced as well, for comparison. Exit code 1 where a goal is
missed in a process as it comes.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from compute import metrics

IMAGE_COUNT, SIZE_PX, CLASS_COUNT = 10, 256, 19
TURNS, TURN = 8, 6
AGREEMENT = 0.8
LARGEST_DIFFERENCE = 1e-6
GOALS = {"torchmetrics, validate_args=False": 2.0, "torchmetrics, defaults": 20.0}
OURS = "ours, one pass"
REACHED, MISSED = "[green]reached[/]", "[red]missed[/]"
AS_IT_COMES = "as it comes"
ALLOCATORS = {  # glibc's settings; elsewhere both are the same
    AS_IT_COMES: {},
    "handed back": {"MALLOC_MMAP_THRESHOLD_": str(2**22), "MALLOC_TRIM_THRESHOLD_": str(2**22)},
    "kept": {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30), "MALLOC_TOP_PAD_": str(2**26)},
}


@dataclass(frozen=True)
class LabelMaps:
    """True and predicted label maps (N, H, W) of one kind, as uint8 and as int64."""

    kind: str
    truth: Tensor
    predicted: Tensor
    truth_int64: Tensor
    predicted_int64: Tensor


def street_like_maps(generator: np.random.Generator) -> LabelMaps:
    """Rectangles of classes with a little noise, and predictions that agree on about AGREEMENT of the pixels, in patches."""
    truth = np.stack([_rectangles(generator) for _ in range(IMAGE_COUNT)])
    other = np.stack([_rectangles(generator) for _ in range(IMAGE_COUNT)])
    patches = generator.random((IMAGE_COUNT, SIZE_PX // 16, SIZE_PX // 16)) < AGREEMENT
    agrees = patches.repeat(16, axis=1).repeat(16, axis=2)
    return _label_maps("street-like", truth, np.where(agrees, truth, other))


def random_maps(generator: np.random.Generator) -> LabelMaps:
    """Every pixel of truth and prediction drawn on its own, all classes equally likely."""
    truth, predicted = generator.integers(CLASS_COUNT, size=(2, IMAGE_COUNT, SIZE_PX, SIZE_PX), dtype=np.uint8)
    return _label_maps("uniformly random", truth, predicted)


def _rectangles(generator: np.random.Generator) -> np.ndarray:
    """One map: 60 rectangles over one another, and 2 % of single pixels of any class."""
    labels = np.full((SIZE_PX, SIZE_PX), generator.integers(CLASS_COUNT), dtype=np.uint8)
    for _ in range(60):
        top, left = generator.integers(SIZE_PX, size=2)
        height, width = generator.integers(8, 96, size=2)
        labels[top : top + height, left : left + width] = generator.integers(CLASS_COUNT)
    noise = generator.random(labels.shape) < 0.02
    labels[noise] = generator.integers(CLASS_COUNT, size=int(noise.sum()))
    return labels


def _label_maps(kind: str, truth: np.ndarray, predicted: np.ndarray) -> LabelMaps:
    true, guess = torch.from_numpy(truth), torch.from_numpy(predicted)
    return LabelMaps(kind, true, guess, true.long(), guess.long())


def count_in_one_pass(maps: LabelMaps) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Class counts, three (N, C), and the notebook's counts, two (N,)."""
    matrices = metrics.confusion_matrices(maps.truth, maps.predicted, CLASS_COUNT)
    return metrics.class_counts(matrices), metrics.foreground_counts(matrices)


def jaccard(maps: LabelMaps, validate_args: bool) -> Tensor:
    """Mean over the classes of the pooled IoU, a scalar, as torchmetrics computes it."""
    index = MulticlassJaccardIndex(CLASS_COUNT, average="macro", validate_args=validate_args)
    index.update(maps.predicted_int64, maps.truth_int64)
    return index.compute()


def check_agreement(maps: LabelMaps) -> None:
    """Raise AssertionError unless both give one pooled mean IoU and one IoU for each class."""
    counts, _ = count_in_one_pass(maps)
    by_class = MulticlassJaccardIndex(CLASS_COUNT, average=None)(maps.predicted_int64, maps.truth_int64)
    ours_by_class = metrics.intersection_over_union(*(count.sum(dim=0) for count in counts))
    differences = {
        "pooled mean IoU": abs(metrics.pooled_mean_iou(*counts) - float(jaccard(maps, validate_args=True))),
        "IoU by class": float((ours_by_class - by_class).abs().max()),
    }
    for score, difference in differences.items():
        assert difference <= LARGEST_DIFFERENCE, f"{maps.kind}: {score} differs from torchmetrics' by {difference:.1e}"


def interleaved_medians_ms(contestants: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median time of a call of each contestant in ms.

    They take turns, so that a slow moment of the machine strikes all, at TURN calls each, of which the first does not count: it
    pays for what the contestant before left in the processor's caches.
    """
    times_ms: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(TURNS):
        for name, contestant in contestants.items():
            for call in range(TURN):
                start = time.perf_counter()
                contestant()
                if call > 0:
                    times_ms[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(times) for name, times in times_ms.items()}


def measure() -> list[dict[str, object]]:
    """Medians in ms of each contestant on each kind of label maps, after a check that they agree."""
    warnings.filterwarnings("ignore", module="torchmetrics")
    generator = np.random.default_rng(0)
    without_validation, with_defaults = GOALS
    measured: list[dict[str, object]] = []
    for maps in (street_like_maps(generator), random_maps(generator)):
        check_agreement(maps)
        contestants: dict[str, Callable[[], object]] = {
            OURS: functools.partial(count_in_one_pass, maps),
            without_validation: functools.partial(jaccard, maps, validate_args=False),
            with_defaults: functools.partial(jaccard, maps, validate_args=True),
        }
        measured.append({"kind": maps.kind, "medians_ms": interleaved_medians_ms(contestants)})
    return measured


def measure_in_new_process(allocator: Mapping[str, str]) -> list[dict[str, Any]]:
    """What `measure` returns under settings of the memory allocator, which are read when a process starts."""
    command = [sys.executable, "-m", "benchmarks.metric_pass", "--measure"]
    child = subprocess.run(command, env=os.environ | dict(allocator), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(child.stdout)


def main() -> int:
    """Measure and print the table; returns the exit code."""
    if "--measure" in sys.argv:
        print(json.dumps(measure()))
        return 0
    table = Table("Freed memory", "Label maps", "Counted by", "Median (ms)", "Ours is faster", "Goal", "")
    table.title = f"{IMAGE_COUNT} label maps of {SIZE_PX}x{SIZE_PX}, {CLASS_COUNT} classes, {torch.get_num_threads()} threads"
    missed = 0
    for freed_memory, allocator in ALLOCATORS.items():
        for measured in measure_in_new_process(allocator):
            judged = freed_memory == AS_IT_COMES  # the others say how far the allocator's luck goes
            missed += _add_rows(table, freed_memory, measured["kind"], measured["medians_ms"], GOALS if judged else {})
    table.caption = (
        f"Medians of {TURNS * (TURN - 1)} repetitions in {TURNS} turns. Both agree on pooled mean IoU and on every class to "
        f"{LARGEST_DIFFERENCE:.0e}. torchmetrics was given int64 maps made beforehand, which suit it best; ours uint8."
    )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 1 if missed else 0


def _add_rows(table: Table, freed_memory: str, kind: str, medians_ms: dict[str, float], goals: dict[str, float]) -> int:
    """Add a section on one kind of label maps; returns how many goals it misses."""
    missed = 0
    table.add_section()
    for name, median_ms in medians_ms.items():
        ratio, goal = median_ms / medians_ms[OURS], goals.get(name)
        missed += goal is not None and ratio < goal
        verdict = ("", "") if goal is None else (f"{goal:.0f}x", REACHED if ratio >= goal else MISSED)
        table.add_row(freed_memory, kind, name, f"{median_ms:.2f}", "" if name == OURS else f"{ratio:.1f}x", *verdict)
    return missed


if __name__ == "__main__":
    sys.exit(main())
