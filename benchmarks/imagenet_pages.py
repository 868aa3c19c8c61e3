"""How long the queries behind the ImageNet and CLIP pages take on 50,000 pictures and four runs.

Command: python -m benchmarks.imagenet_pages [--folder FOLDER] [--images N]

Every query function of the pages answers 50 varied calls after a warm-up, through the dashboard's own connection of two
threads, none from a cache. What a page asks once of each state of the file (ONCE), such as the whole tree, is shown but not
judged. The results are those of `python -m benchmarks.imagenet_results`, with the rows of rn50_architectures and generated ones
of fp32_vs_fp16 added. Exit code 1 where a 95th percentile exceeds LONGEST_MS.
"""

import argparse
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.imagenet_results import DATASET, IMAGE_COUNT, write_results
from benchmarks.precision_rows import FP32_VARIANT, LOWER_VARIANT, add_precision_rows
from compute.experiments import rn50_architectures
from compute.trials import run_trials
from dashboard import queries_precision, queries_predictions, queries_synsets
from dashboard.connection import Results, open_results
from dashboard.queries_predictions import Filter

WARM_UPS, CALLS = 5, 50
LONGEST_MS = 6.0
PAGE_PICTURES = 12
REACHED, MISSED = "[green]reached[/]", "[red]missed[/]"


@dataclass(frozen=True)
class Draw:
    """What the arguments of calls are drawn from."""

    generator: np.random.Generator
    runs: Sequence[str]
    evidence_run: str
    encoder_runs: Sequence[str]
    precision_pair: tuple[str, str]  # fp32's and the lower precision's run
    images: Sequence[tuple[str, str]]  # image_id and wnid, by ordinal
    wnids: Sequence[str]
    nodes: Sequence[str]  # with the root, and those above many classes as often as those above few
    words: Sequence[str]
    styles: Sequence[str]

    def one(self, options: Sequence[Any]) -> Any:
        """Any of the options."""
        return options[int(self.generator.integers(len(options)))]

    def some(self, options: Sequence[Any], count: int) -> list[Any]:
        """So many of the options, each once."""
        return [options[number] for number in self.generator.permutation(len(options))[:count]]

    def pair(self) -> list[str]:
        """The runs of two classifiers."""
        return self.some(self.runs, 2)

    def drift(self) -> list[str]:
        """The runs of two precisions, and which of their pictures."""
        return [*self.precision_pair, self.one(list(queries_precision.PICTURES))]

    def top(self) -> int:
        """The largest rank that counts as right."""
        return self.one((1, 5))

    def ordinals(self) -> list[int]:
        """Numbers of a page's pictures."""
        return [1 + number for number in self.some(range(len(self.images)), PAGE_PICTURES)]

    def offset(self) -> int:
        """Where a page starts."""
        return PAGE_PICTURES * int(self.generator.integers(6))

    def filter(self) -> Filter:
        """Any choice of outcome, node and style."""
        return Filter(
            self.one((None, *queries_predictions.OUTCOMES)), self.one((None, *self.nodes)), self.one((None, *self.styles))
        )

    def classes(self) -> list[str]:
        """From one class to all, as a cell of a matrix of branches holds them."""
        return self.some(self.wnids, self.one((1, 10, 100, len(self.wnids))))

    def indices(self) -> list[int]:
        """The same of ImageNet's indices."""
        return [int(index) for index in self.some(range(1000), self.one((1, 10, 100, 1000)))]

    def branches(self) -> tuple[dict[str, int], list[int]]:
        """A branch of twelve for each class, and for each of ImageNet's indices."""
        return {wnid: number % 12 for number, wnid in enumerate(self.classes())}, [index % 12 for index in range(1000)]


# Modules of pages that these results hold nothing for.
OTHER_PAGES = ("queries_captions", "queries_comparison", "queries_heads", "queries_retrieval")
# Functions that ask two of the queries below, one after the other.
COMPOSED = (
    "queries_predictions.outcome_counts",
    "queries_synsets.pictures",
    "queries_synsets.shown_pictures",
    "queries_likeness.form_scores",
)
Arguments = Callable[[Draw], Sequence[Any]]
# Every public function of the other modules dashboard/queries_*.py, with how its arguments after `results` are drawn.
ONCE: dict[str, Arguments] = {
    "queries_architectures.encoder_profiles": lambda draw: (),
    "queries_architectures.encoder_runs": lambda draw: (),
    "queries_precision.precision_runs": lambda draw: (),
    "queries_precision.drift_pairs": lambda draw: (),
    "queries_predictions.classifier_runs": lambda draw: (),
    "queries_hierarchy.synsets": lambda draw: (),
    "queries_synsets.hierarchy_runs": lambda draw: (),
    "queries_synsets.classifier_runs": lambda draw: (),
    "queries_synsets.synsets": lambda draw: (),
    "queries_synsets.edges": lambda draw: (),
    "queries_synsets.leaves": lambda draw: (),
    "queries_synsets.shared_words": lambda draw: (),
}
JUDGED: dict[str, Arguments] = {
    "queries_architectures.encoder_layers": lambda draw: (draw.one(draw.encoder_runs),),
    "queries_predictions.class_outcomes": lambda draw: (*draw.pair(), draw.top()),
    "queries_predictions.classes_below": lambda draw: (draw.one(draw.nodes),),
    "queries_predictions.picture_numbers": lambda draw: (
        *draw.pair(), draw.top(), draw.filter(), draw.one(list(queries_predictions.ORDERS)), PAGE_PICTURES, draw.offset(),
    ),
    "queries_predictions.clearest_pictures": lambda draw: (*draw.pair(), draw.top(), draw.some(draw.wnids, 10), 1, 2),
    "queries_predictions.pictures": lambda draw: (DATASET, draw.ordinals()),
    "queries_predictions.picture_number": lambda draw: (DATASET, draw.one(draw.images)[0]),
    "queries_predictions.answers": lambda draw: (draw.one(draw.runs), draw.ordinals()),
    "queries_predictions.evidence": lambda draw: (
        draw.evidence_run, [image_id for image_id, _ in draw.some(draw.images, PAGE_PICTURES)],
    ),
    "queries_predictions.class_similarities": lambda draw: (draw.evidence_run, draw.some(draw.wnids, 10)),
    "queries_predictions.outputs": lambda draw: (draw.one(draw.runs), draw.one(draw.images)[0]),
    "queries_confusions.class_images": lambda draw: (draw.one(draw.runs),),
    "queries_confusions.branch_confusions": lambda draw: (draw.one(draw.runs), *draw.branches()),
    "queries_confusions.wrong_pairs": lambda draw: (draw.one(draw.runs), draw.one(draw.nodes), 12),
    "queries_confusions.count_answered": lambda draw: (draw.one(draw.runs), draw.classes(), draw.indices()),
    "queries_confusions.answered_pictures": lambda draw: (
        draw.one(draw.runs), draw.classes(), draw.indices(), PAGE_PICTURES, draw.offset(),
    ),
    "queries_predictions.classifier_wnids": lambda draw: (draw.one(draw.runs),),
    "queries_predictions.mean_probabilities": lambda draw: (draw.one(draw.runs),),
    "queries_predictions.equal_ranks": lambda draw: draw.pair(),
    "queries_predictions.surest_pictures": lambda draw: (draw.one(draw.runs), draw.one((10, 50))),
    "queries_predictions.styles": lambda draw: (draw.one(draw.runs),),
    "queries_synsets.senses": lambda draw: (draw.some(draw.words, draw.one((1, 4))),),
    "queries_synsets.class_scores": lambda draw: draw.pair(),
    "queries_synsets.rolled_scores": lambda draw: draw.pair(),
    "queries_synsets.labelled_pictures": lambda draw: (DATASET, draw.one(draw.nodes)),
    "queries_synsets.outcome_counts": lambda draw: (*draw.pair(), draw.one(draw.nodes), draw.top()),
    "queries_synsets.picture_ordinals": lambda draw: (
        *draw.pair(), draw.one(draw.nodes), draw.one(list(queries_synsets.OUTCOMES)), draw.top(), PAGE_PICTURES, draw.offset(),
    ),
    "queries_synsets.first_answers": lambda draw: (draw.pair(), draw.ordinals()),
    "queries_synsets.picture_paths": lambda draw: (draw.ordinals(),),
    "queries_synsets.confusions": lambda draw: (*draw.pair(), draw.one(draw.nodes)),
    "queries_synsets.answer_depths": lambda draw: draw.pair(),
    "queries_synsets.frequent_ancestors": lambda draw: draw.pair(),
    "queries_likeness.style_scores": lambda draw: draw.pair(),
    "queries_likeness.form_counts": lambda draw: (*draw.pair(), draw.evidence_run),
    "queries_likeness.similarities": lambda draw: (draw.evidence_run,),
    "queries_likeness.class_pictures": lambda draw: (DATASET, draw.evidence_run, draw.some(draw.wnids, draw.one((1, 4)))),
    "queries_likeness.typicality": lambda draw: (draw.evidence_run,),
    "queries_precision.drift_summary": lambda draw: draw.drift(),
    "queries_precision.drift_medians": lambda draw: draw.drift(),
    "queries_precision.change_histogram": lambda draw: draw.drift(),
    "queries_precision.margins_and_changes": lambda draw: draw.drift(),
    "queries_precision.right_answers": lambda draw: draw.drift(),
    "queries_precision.drifted_pictures": lambda draw: (
        *draw.drift(), draw.one((True, False)), draw.one(list(queries_precision.ORDERS)), PAGE_PICTURES, draw.offset(),
    ),
    "queries_precision.picture_drift": lambda draw: (*draw.precision_pair, draw.ordinals()),
    "queries_precision.layer_errors": lambda draw: draw.precision_pair[1:],
    "queries_precision.parameter_groups": lambda draw: draw.precision_pair[1:],
    "queries_precision.parameter_names": lambda draw: (draw.precision_pair[1], "float32"),
    "queries_precision.time_summaries": lambda draw: draw.precision_pair[1:],
    "queries_precision.repetitions": lambda draw: (
        draw.precision_pair[1], draw.one(("wall", "cuda")), draw.one((1, 8, 32, 128)),
    ),
    "queries_precision.bounds": lambda draw: draw.precision_pair[1:],
    "queries_precision.memory_moments": lambda draw: draw.precision_pair[1:],
    "queries_precision.memory_peaks": lambda draw: draw.precision_pair[1:],
    "queries_synsets.known_classes": lambda draw: draw.pair(),
    "queries_synsets.taken_for": lambda draw: (draw.one(draw.runs), draw.some(draw.wnids, draw.one((2, 12)))),
}  # fmt: skip


def prepared_results(folder: Path, image_count: int) -> Results:
    """The results in `folder`, written where they are not there yet."""
    results, images = folder / "results.duckdb", folder / "images"
    if not results.exists():
        write_results(folder, image_count)
    encoders = rn50_architectures.trials("full", 0)
    outcome = run_trials(encoders, results, images, folder / "cache", torch.device("cpu"), False, Console(stderr=True))
    if outcome.failed:
        raise RuntimeError(f"these trials were not published: {', '.join(outcome.failed)}")
    add_precision_rows(results)
    return open_results(results, images)


def draw_from(results: Results) -> Draw:
    """What the results offer to ask for."""
    generator = np.random.default_rng(0)
    runs = results.query("SELECT run_id, variant, experiment FROM run ORDER BY run_id")
    classifiers = runs[runs.experiment == queries_predictions.EXPERIMENT]
    image = results.query("SELECT image_id, wnid, style FROM image ORDER BY ordinal")
    nodes = results.query("SELECT wnid, count(*) AS classes FROM synset_leaf GROUP BY wnid ORDER BY classes DESC, wnid").wnid
    return Draw(
        generator=generator,
        runs=classifiers.run_id.tolist(),
        evidence_run=classifiers.run_id[classifiers.variant == queries_synsets.EVIDENCE_VARIANT].iloc[0],
        precision_pair=(_run_of(runs, FP32_VARIANT), _run_of(runs, LOWER_VARIANT)),
        encoder_runs=runs.run_id[runs.experiment == rn50_architectures.NAME].tolist(),
        images=list(zip(image.image_id, image.wnid, strict=True)),
        wnids=sorted(set(image.wnid)),
        nodes=[nodes[int(place)] for place in np.unique(np.geomspace(1, len(nodes), 60).round() - 1)],
        words=results.query("SELECT DISTINCT word FROM word_sense ORDER BY word").word.tolist(),
        styles=sorted(set(image["style"].dropna())),
    )


def _run_of(runs: pandas.DataFrame, variant: str) -> str:
    return str(runs.run_id[runs.variant == variant].iloc[0])


def uncached(name: str) -> Callable[..., Any]:
    """The query function `module.function` of the dashboard, without the cache that it may keep."""
    module, function = name.split(".")
    found: Any = getattr(importlib.import_module(f"dashboard.{module}"), function)
    return getattr(found, "__wrapped__", found)


def measure(results: Results, calls: int, warm_ups: int = WARM_UPS) -> dict[str, list[float]]:
    """Times in ms of every function's calls."""
    draw = draw_from(results)
    results.query("SELECT sum(list_sum(single_values)), sum(list_sum(half_bits)) FROM logit")  # read from the disk once
    times_ms: dict[str, list[float]] = {}
    for name, arguments in (JUDGED | ONCE).items():
        query, times_ms[name] = uncached(name), []
        for call in range(warm_ups + calls):
            drawn = arguments(draw)
            results.kept.clear()
            results.answers.clear()
            clock = time.perf_counter()
            query(results, *drawn)
            if call >= warm_ups:
                times_ms[name].append((time.perf_counter() - clock) * 1000)
    return times_ms


def percentile_95(times_ms: list[float]) -> float:
    """The time that 95 % of `times_ms` do not exceed."""
    return statistics.quantiles(times_ms, n=20, method="inclusive")[-1]


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="use the results here, written first where there are none")
    parser.add_argument("--images", type=int, default=IMAGE_COUNT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagenet_pages-") as temporary:
        results = prepared_results(arguments.folder or Path(temporary), arguments.images)
        pictures = len(results.query("SELECT 1 FROM image"))
        times_ms = measure(results, CALLS)
    table = Table("Query", "Median (ms)", "95 % (ms)", "Goal (ms)", "")
    table.title = f"{len(times_ms)} queries on {pictures:,} pictures"
    missed = 0
    for name, times in sorted(times_ms.items(), key=lambda item: -percentile_95(item[1])):
        slow = name in JUDGED and percentile_95(times) > LONGEST_MS
        missed += slow
        judged = (f"{LONGEST_MS:.0f}", MISSED if slow else REACHED) if name in JUDGED else ("", "once a file")
        table.add_row(name, f"{statistics.median(times):.2f}", f"{percentile_95(times):.2f}", *judged)
    table.caption = (
        f"{CALLS} varied calls each, two threads. Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
