"""How fast networks answer for a folder of photos here, beside a plain loop, CLIP_benchmark's way and OpenVINO.

Command: python -m benchmarks.prediction_pass [--folder DIR] [--pictures N] [--turns N] [--models NAME ...]

The plain loop is what anyone writes: open, preprocess, stack 32 pictures, ask the network. For CLIP its place is taken by the
loop of CLIP_benchmark, with that program's own batch of 64 and four processes that read, in fp32. Both are timed as they come,
and with the settings of glibc's allocator that this program gives itself, as much of the time may hang on those. Ours is the
pass that the experiment calls, with nothing kept from before and all that it prepares; and the same as from 2048 pictures on,
where layers are fused first, which is told by itself, as is what OpenVINO takes to compile (`pip install openvino`; without,
its rows are left out). All compute in fp32, and every contestant runs in a new process, in turns, so that a slow moment of
the machine strikes all.

What a pass can reach is measured in the same process: reading alone and the network alone, each with every core. Where a GPU
computes, a pass can be as fast as the slower of both. On a CPU reading and network share the cores: of r and n images/s, 1/r +
1/n of a second of all cores goes into an image, however both overlap, and 1 / (1/r + 1/n) images/s is all there is. The pass
is held to that; its share of the slower of both is shown as well.

Probabilities are held to those of the plain network on the same pixels. Our reading resizes with torchvision, whose rounding
moves some values by a level or two of 255 from Pillow's; what that changes is shown. Exit code 1 where a goal is missed.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.prediction_contestants import (
    CLIP_WAY,
    CLIP_WAY_KEPT,
    CONTESTANTS,
    DIFFERENCE,
    LONG,
    MODELS,
    NETWORK,
    ONE_READER,
    OPENVINO,
    OURS,
    PLAIN,
    PLAIN_KEPT,
    PREPARING,
    RATE,
    READING,
    probabilities,
)

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "imagenet_samples"
DRAWN = (40, 2)  # classes, and pictures of each form in each style
PICTURES, TURNS = 160, 3
GOAL, OPENVINO_GOAL, BOUND_GOAL, READING_GOAL = 1.8, 0.9, 0.95, 1.5
LARGEST_DIFFERENCE = 1e-4  # in probability
# What compute/__init__.py sets for itself; read when a process starts, by glibc only.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}
ENVIRONMENT = dict(os.environ)  # before anything of compute is imported, which adds to it
REACHED, MISSED = "[green]reached[/]", "[red]missed[/]"
Rates = dict[str, dict[str, float]]


def others(model: str) -> tuple[str, str]:
    """The way of others that ours is held to for a network, as it comes and with freed memory kept."""
    return (CLIP_WAY, CLIP_WAY_KEPT) if model == "clip_rn50" else (PLAIN, PLAIN_KEPT)


def contestants(model: str) -> list[str]:
    """Who takes part for a network; OpenVINO only where it is installed."""
    return [*others(model), OURS, LONG, *([OPENVINO] if importlib.util.find_spec("openvino") else [])]


def run_contestant(contestant: str, model: str, paths: Sequence[Path], outputs: Path) -> dict[str, float]:
    """Rates in images/s of one contestant in a new process, which writes what the network gave to the file `outputs`."""
    command = [sys.executable, "-m", "benchmarks.prediction_pass", "--contestant", contestant, "--models", model]
    environment = ENVIRONMENT | (ALLOCATOR if contestant in (PLAIN_KEPT, CLIP_WAY_KEPT) else {})
    child = subprocess.run(
        [*command, "--outputs", str(outputs)],
        env=environment,
        input="\n".join(map(str, paths)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(child.stdout.splitlines()[-1]))  # a package prints what it loads


def photos(folder: Path | None, count: int | None, drawn: Path) -> list[Path]:
    """Pictures of `folder`, of PHOTOS where it is None and those are there, else class images drawn into `drawn`."""
    if folder is None and PHOTOS.is_dir():
        folder = PHOTOS
    if folder is None:
        from compute.data.openmoji_images import write_class_images

        folder = drawn
        write_class_images(folder, *DRAWN, seed=0)
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        sys.exit(f"{folder}: holds no {', '.join(PICTURE_SUFFIXES)}. Name another folder with --folder.")
    return found[:count]


def measure(model: str, paths: Sequence[Path], turns: int, folder: Path) -> tuple[Rates, float]:
    """Median rates by contestant, and the largest difference in probability between any and the way of others."""
    measured: dict[str, list[dict[str, float]]] = {contestant: [] for contestant in contestants(model)}
    for _ in range(turns):
        for contestant, all_rates in measured.items():
            all_rates.append(run_contestant(contestant, model, paths, folder / f"{contestant}.npy"))
    found = [probabilities(np.load(folder / f"{contestant}.npy")) for contestant in measured]
    medians = {
        contestant: {what: statistics.median(each[what] for each in all_rates) for what in all_rates[0]}
        for contestant, all_rates in measured.items()
    }
    return medians, max(float(np.abs(each - found[0]).max()) for each in found)


def shared_bound(measured: dict[str, float]) -> float:
    """Images/s of a pass in which reading and network share the cores, and nothing else takes any time."""
    return 1 / (1 / measured[READING] + 1 / measured[NETWORK])


def judged(model: str, medians: Rates) -> list[tuple[str, float, float | None]]:
    """What is compared, the ratio, and its goal, or None where it is only shown."""
    other, other_kept = others(model)
    ours, long = medians[OURS], medians[LONG]
    best_of_ours = LONG if model == "clip_rn50" else OURS
    found: list[tuple[str, float, float | None]] = [
        (f"{best_of_ours}, of {other}", medians[best_of_ours][RATE] / medians[other][RATE], GOAL),
        (f"{best_of_ours}, of {other_kept}", medians[best_of_ours][RATE] / medians[other_kept][RATE], None),
        (f"{LONG}, of what reading and network leave it", long[RATE] / shared_bound(long), BOUND_GOAL),
        (f"{LONG}, of the slower of both", long[RATE] / min(long[READING], long[NETWORK]), None),
        ("reading with one thread, of Pillow and CLIP's way", ours[ONE_READER] / medians[other][ONE_READER], READING_GOAL),
    ]
    if OPENVINO in medians:
        openvino = medians[OPENVINO]
        found += [
            (f"{LONG}: network alone, of OpenVINO's", long[NETWORK] / openvino[NETWORK], OPENVINO_GOAL),
            (f"{LONG}, of {OPENVINO}", long[RATE] / openvino[RATE], OPENVINO_GOAL),
        ]
    return found


def main() -> int:
    """Measure and print two tables for each network; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="photos (default: ImageNet samples, or else drawn pictures)")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="only the first so many")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--outputs", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        warnings.simplefilter("ignore")
        paths = [Path(line) for line in sys.stdin.read().splitlines()]
        outputs, measured = CONTESTANTS[arguments.contestant](arguments.models[0], paths)
        np.save(arguments.outputs, outputs)
        print(json.dumps(measured))
        return 0
    if not importlib.util.find_spec("openvino"):
        print("OpenVINO is not installed and left out: pip install openvino")
    missed = 0
    with tempfile.TemporaryDirectory(prefix="prediction_pass-") as temporary:
        paths = photos(arguments.folder, arguments.pictures, Path(temporary) / "drawn")
        for model in arguments.models:
            medians, difference = measure(model, paths, arguments.turns, Path(temporary))
            missed += _show(model, len(paths), arguments.turns, medians, difference)
    return 1 if missed else 0


def _show(model: str, images: int, turns: int, medians: Rates, difference: float) -> int:
    """Print a network's tables; returns how many goals it misses."""
    columns = (RATE, READING, NETWORK, ONE_READER)
    speeds = Table("images/s", *columns, PREPARING, title=f"{model}: {images} pictures")
    for contestant, measured in medians.items():
        prepared = f"{measured[PREPARING]:.1f}" if PREPARING in measured else ""
        speeds.add_row(contestant, *(f"{measured[what]:.1f}" for what in columns), prepared)
    ratios, missed = Table("", "Ratio", "Goal", ""), 0
    for what, ratio, goal in judged(model, medians):
        missed += goal is not None and ratio < goal
        ratios.add_row(what, f"{ratio:.2f}", *(("", "") if goal is None else (f"{goal}", REACHED if ratio >= goal else MISSED)))
    from_plain = max(measured.get(DIFFERENCE, 0.0) for measured in medians.values())
    missed += from_plain > LARGEST_DIFFERENCE
    verdict = REACHED if from_plain <= LARGEST_DIFFERENCE else MISSED
    ratios.add_row(DIFFERENCE, f"{from_plain:.1e}", f"{LARGEST_DIFFERENCE:.0e}", verdict)
    ratios.add_row("the same, each with its own reading", f"{difference:.1e}", "", "")
    ratios.caption = (
        f"Medians of {turns} turns, each in a new process. Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(speeds)
    console.print(ratios)
    return missed


if __name__ == "__main__":
    sys.exit(main())
