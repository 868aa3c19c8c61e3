"""How fast U-Net's training step is here, beside a bare loop of the same network, optimiser and batch.

Command: python -m benchmarks.training_step [--turns N]

The bare loop is what anyone writes: float32 tensors as they come, `loss.backward()`, Adam. Ours is the experiment's own Trainer
on slices of inputs and targets, with its learning rate schedule, its check of the loss and its clock. Both learn from the same
random pictures and start from the same weights; each runs in a new process, in turns. The bare loop is timed as it comes, and
with the settings of glibc's allocator that this program gives itself. Exit code 1 where ours takes more time than GOAL allows,
or where losses after the same steps differ by more than LARGEST_DIFFERENCE.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.prediction_pass import ALLOCATOR, ENVIRONMENT, MISSED, REACHED

PLAIN, PLAIN_KEPT, OURS = "bare loop", "bare loop, freed memory kept", "ours"
CLASS_COUNT, LEARNING_RATE = 20, 0.01
WARM_UP_STEPS, STEPS, TURNS = 2, 12, 3
GOAL = 1.0  # times as fast as the bare loop as it comes
LARGEST_DIFFERENCE = 0.1  # of the loss at the last step; a few steps part sums that are rounded otherwise


@dataclass(frozen=True)
class Size:
    """How large a network is trained on what."""

    base_channels: int
    image_size_px: int
    batch_size: int


SIZES = {"mini": Size(16, 96, 8), "the notebook's width, at 128 px": Size(64, 128, 4)}


def pictures(size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs (N, 3, h, w) float32 and, made from them, labels (N, h, w) int64, for one step after the other."""
    generator = np.random.default_rng(0)
    count = size.batch_size * (WARM_UP_STEPS + STEPS)
    inputs = generator.random((count, 3, size.image_size_px, size.image_size_px), dtype=np.float32)
    return inputs, (inputs[:, 0] * CLASS_COUNT).astype(np.int64)


def train_plainly(size: Size) -> tuple[list[float], list[float]]:
    """Milliseconds and loss of each step of the bare loop."""
    import torch

    # The network alone, which needs no other file of ours; compute/__init__.py would set the allocator.
    network = _network_without_settings(size)
    optimizer, loss_of = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE), torch.nn.CrossEntropyLoss()
    inputs, labels = (torch.from_numpy(each) for each in pictures(size))
    network.train()

    def step(places: np.ndarray) -> float:
        optimizer.zero_grad()
        loss = loss_of(network(inputs[places]), labels[places])
        loss.backward()
        optimizer.step()
        return loss.item()

    return _timed_steps(size, step)


def train_as_the_experiment(size: Size) -> tuple[list[float], list[float]]:
    """The same of the experiment's Trainer."""
    import torch

    from compute.experiments.unet_skip_connections import Settings, Trainer
    from compute.models.unet import UNet

    torch.manual_seed(0)
    network = UNet(CLASS_COUNT, size.base_channels).to(memory_format=torch.channels_last)
    settings = Settings(size.base_channels, size.image_size_px, size.batch_size, 1, LEARNING_RATE, "constant", 1)
    trainer = Trainer(network, settings, WARM_UP_STEPS + STEPS, torch.device("cpu"))
    inputs, labels = (torch.from_numpy(each) for each in pictures(size))
    network.train()
    return _timed_steps(size, lambda places: trainer.step(inputs[places], labels[places])["loss"])


def _network_without_settings(size: Size) -> Any:
    import importlib.util
    from pathlib import Path

    import torch

    file = Path(__file__).resolve().parents[1] / "compute" / "models" / "unet.py"
    spec = importlib.util.spec_from_file_location("bare_unet", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    return module.UNet(CLASS_COUNT, size.base_channels)


def _timed_steps(size: Size, step: Callable[[np.ndarray], float]) -> tuple[list[float], list[float]]:
    milliseconds, losses = [], []
    for number in range(WARM_UP_STEPS + STEPS):
        places = np.arange(number * size.batch_size, (number + 1) * size.batch_size)
        clock = time.perf_counter()
        losses.append(step(places))
        milliseconds.append((time.perf_counter() - clock) * 1000)
    return milliseconds[WARM_UP_STEPS:], losses


CONTESTANTS = {PLAIN: train_plainly, PLAIN_KEPT: train_plainly, OURS: train_as_the_experiment}


def run_contestant(contestant: str, size: str) -> tuple[float, list[float]]:
    """Median milliseconds of a step and all losses of one contestant in a new process."""
    child = subprocess.run(
        [sys.executable, "-m", "benchmarks.training_step", "--contestant", contestant, "--size", size],
        env=ENVIRONMENT | (ALLOCATOR if contestant == PLAIN_KEPT else {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    milliseconds, losses = json.loads(child.stdout.splitlines()[-1])
    return statistics.median(milliseconds), losses


def measure(size: str, turns: int) -> tuple[dict[str, float], float]:
    """Median milliseconds of a step by contestant, and by what part the loss of ours differs at the end."""
    found: dict[str, list[float]] = {contestant: [] for contestant in CONTESTANTS}
    losses: dict[str, list[float]] = {}
    for _ in range(turns):
        for contestant, medians in found.items():
            median, losses[contestant] = run_contestant(contestant, size)
            medians.append(median)
    difference = abs(losses[OURS][-1] / losses[PLAIN][-1] - 1)
    return {contestant: statistics.median(medians) for contestant, medians in found.items()}, difference


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--size", choices=SIZES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        print(json.dumps(CONTESTANTS[arguments.contestant](SIZES[arguments.size])))
        return 0
    table = Table("U-Net", "", "Median step (ms)", "Ours is faster", "Goal", "", title="A training step")
    missed = 0
    for size in SIZES:
        medians, difference = measure(size, arguments.turns)
        missed += medians[PLAIN] < GOAL * medians[OURS] or difference > LARGEST_DIFFERENCE
        table.add_section()
        for contestant, median in medians.items():
            ratio = median / medians[OURS]
            verdict = (f"{GOAL}x", REACHED if ratio >= GOAL else MISSED) if contestant == PLAIN else ("", "")
            table.add_row(size, contestant, f"{median:.1f}", "" if contestant == OURS else f"{ratio:.2f}x", *verdict)
        table.add_row(size, f"losses differ by {difference:.1e} of {LARGEST_DIFFERENCE} allowed", "", "", "", "")
    load = f"Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    table.caption = f"Medians of {arguments.turns} turns of {STEPS} steps, each turn in a new process. {load}"
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
