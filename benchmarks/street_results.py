"""Results of any number of street pictures, published in the experiments' own way but without training anything.

For measuring and testing the dashboard: a few drawn streets are varied to as many different photos as wanted, and a prediction
is the truth, damaged smoothly. All rows come out of the experiments' own code, through the only writer of results.
"""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pandas
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from compute.data.openmoji_world import STREET_CLASSES, VALIDATION_START, draw_street_pair
from compute.data.palette import SegmentationClass, color_values
from compute.data.street_pairs import folder_source, load
from compute.experiments import segmentation_metric, unet_skip_connections
from compute.models.unet import UNet, parameter_count
from compute.segmentation_rows import SegmentationRows
from compute.trials import Trial, TrialRows, Workbench, run_trials

CLASSES = tuple(SegmentationClass(index, name, color, False) for index, (name, color) in enumerate(STREET_CLASSES))
DRAWN_SCENES = 20  # drawing one takes longer than all its variations
STEPS_PER_EPOCH = 100
IMAGES_AT_ONCE = 50
# Size in pixels of the blocks that a prediction is true to, and the share of a picture that is given other classes at first.
BLOCK_PX = {"skip": 2, "no_skip": 8}
WRONG_SHARE = {"skip": 0.25, "no_skip": 0.35}


def publish_street_results(folder: Path, image_count: int, seed_count: int = 2, epochs: int = 5) -> tuple[Path, Path]:
    """Write street pairs below `folder` and publish both experiments' trials on them; returns the results file and its images.

    Called again on the same folder, it publishes only what is missing. Raises RuntimeError where a trial fails.
    """
    pairs_folder, images, results = folder / "streets", folder / "images", folder / "results.duckdb"
    write_varied_pairs(pairs_folder, image_count)
    source = folder_source(pairs_folder, (None, None), "palette")
    settings = dataclasses.replace(unet_skip_connections.PROFILES["mini"], epochs=epochs, seeds=seed_count)
    networks = [
        dataclasses.replace(trial, run=score_damaged_truth)
        for trial in unet_skip_connections.trials("mini", 0, source, settings)
    ]
    trials = [*networks, *segmentation_metric.trials("mini", 0, source)]
    outcome = run_trials(
        trials, results, images, folder / "cache", torch.device("cpu"), force=False, console=Console(stderr=True)
    )
    if outcome.failed or outcome.interrupted:
        raise RuntimeError(f"these trials were not published: {', '.join(outcome.failed) or 'interrupted'}")
    return results, images


def write_varied_pairs(folder: Path, image_count: int) -> None:
    """Write `image_count` different validation pairs, and one training pair, in the layout of the Kaggle street pairs."""
    if folder.exists():
        return
    scenes = [draw_street_pair(0, VALIDATION_START + index) for index in range(min(image_count, DRAWN_SCENES))]
    colors = color_values(CLASSES).astype(np.uint8)
    for split, count in (("train", 1), ("val", image_count)):
        (folder / split).mkdir(parents=True)
        for number in range(count):
            photo, labels = (np.asarray(picture) for picture in scenes[number % len(scenes)])
            photo, labels = _varied(photo, labels, variation=number // len(scenes))
            pair = np.concatenate([photo, colors[labels]], axis=1)
            Image.fromarray(pair).save(folder / split / f"{number + 1}.png", compress_level=1)
    rows = "".join(f"{entry.name},{entry.color},false\n" for entry in CLASSES)
    (folder / "classes.csv").write_text(f"name,color,ignored\n{rows}", encoding="utf-8")


def _varied(photo: np.ndarray, labels: np.ndarray, variation: int) -> tuple[np.ndarray, np.ndarray]:
    """Mirror every other variation, roll it sideways, and change its brightness."""
    if variation % 2:
        photo, labels = photo[:, ::-1], labels[:, ::-1]
    columns = 41 * (variation // 2)
    photo, labels = np.roll(photo, columns, axis=1), np.roll(labels, columns, axis=1)
    brightness = 1 - 0.03 * (variation % 7)
    return (photo * brightness).astype(np.uint8), labels


def score_damaged_truth(trial: Trial, bench: Workbench) -> TrialRows:
    """Stand in for unet_skip_connections' trial: the same rows, from predictions that get better from epoch to epoch."""
    pairs = load(trial.data, bench.cache)
    rows = SegmentationRows(trial.data, pairs, bench.images, bench.run_id)
    epochs = trial.settings.epochs
    for epoch in range(epochs):
        predicted = damaged(rows.truth, trial, epoch)
        score = rows.add_epoch(epoch, predicted)
        bench.report(epoch + 1, epochs, f"mIoU {score:.3f}")
    rows.add_boundaries(predicted)
    rows.add_masks(epochs - 1, predicted)
    return TrialRows(
        tables={**rows.tables(), "training_step": _training_steps(trial, bench.run_id)},
        weights=f"none: the truth, damaged with seed {trial.seed}",
        weights_sha256=hashlib.sha256(trial.key.encode()).hexdigest(),
        parameters=parameter_count(UNet(pairs.class_count, trial.settings.base_channels, trial.variant == "skip")),
    )


def damaged(truth: Tensor, trial: Trial, epoch: int) -> Tensor:
    """Predictions like a network's: (N, H, W) uint8 in coarse blocks, with soft patches of other classes, fewer each epoch."""
    generator = torch.Generator().manual_seed(1000 * trial.seed + 10 * epoch + (trial.variant == "skip"))
    block = BLOCK_PX[trial.variant]
    share = WRONG_SHARE[trial.variant] / (1 + epoch)
    predictions = []
    for maps in truth.split(IMAGES_AT_ONCE):
        coarse = maps[:, block // 2 :: block, block // 2 :: block].repeat_interleave(block, 1).repeat_interleave(block, 2)
        strength = 2 * share * torch.rand(len(maps), 1, 1, generator=generator)  # so that pictures differ in how hard they are
        wrong = _soft_noise(maps.shape, generator) < strength
        classes = (_soft_noise(maps.shape, generator) * len(CLASSES)).to(torch.uint8)
        predictions.append(torch.where(wrong, classes, coarse))
    return torch.cat(predictions)


def _soft_noise(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Hills and valleys, 0 to below 1: (N, H, W) float32."""
    coarse = torch.rand(shape[0], 1, 9, 9, generator=generator) * 0.999
    return functional.interpolate(coarse, size=shape[1:], mode="bilinear", align_corners=True).squeeze(1)


def _training_steps(trial: Trial, run_id: str) -> pandas.DataFrame:
    step = np.arange(STEPS_PER_EPOCH * trial.settings.epochs)
    wobble = np.random.default_rng(trial.seed).normal(0, 0.05, len(step))
    floor = 0.3 if trial.variant == "skip" else 0.5
    return pandas.DataFrame(
        {
            "run_id": run_id,
            "epoch": step // STEPS_PER_EPOCH,
            "step": step,
            "loss": np.maximum(floor + 1.5 * np.exp(-step / 80) + wobble, 0.01),
            "learning_rate": trial.settings.learning_rate,
            "milliseconds": 50.0,
        }
    )
