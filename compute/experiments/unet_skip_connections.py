"""How important are U-Net's skip connections?

Method: one U-Net trained twice on the same street pairs in the same order for the same epochs, once with its skip connections
and once without, where the decoder's blocks take half as many channels in. Several seeds. After every epoch each validation
image is scored as raw pixel counts at the pair's own resolution; after the last one its mask and its accuracy by distance to
the nearest class boundary are kept.
Source: the course notebook's network (Ronneberger et al. 2015) and protocol: Adam 0.01, batch 16, 256x256, 10 epochs.
Command: python -m compute run unet_skip_connections [--pairs DIR]
Time: mini, all four trials, about a minute on two cores; the full size needs a GPU.
Tables: dataset, image, segmentation_class, segmentation_score, foreground_score, boundary_score, segmentation_mask,
training_step.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from torch.nn import functional

from compute import awake
from compute.data.errors import DataError
from compute.data.labelled_images import Split
from compute.data.street_pairs import PairsSource, load
from compute.models.class_training import digest_of
from compute.models.unet import UNet, parameter_count
from compute.segmentation_rows import SegmentationRows
from compute.trials import Trial, TrialRows, Workbench

NAME = "unet_skip_connections"
QUESTION = "How important are U-Net's skip connections?"
VERSION = 1
VARIANTS = ("skip", "no_skip")
IGNORED = -100  # cross-entropy's own mark for pixels without a class


@dataclass(frozen=True)
class Settings:
    """What a profile chooses; the rest of the protocol is the same in all."""

    base_channels: int
    image_size_px: int
    batch_size: int
    epochs: int
    learning_rate: float
    schedule: str  # "constant" as in the notebook; "one_cycle" up to the learning rate and down, where steps are few
    seeds: int


NOTEBOOK = Settings(
    base_channels=64, image_size_px=256, batch_size=16, epochs=10, learning_rate=0.01, schedule="constant", seeds=3
)  # fmt: skip
PROFILES = {
    "mini": Settings(
        base_channels=16, image_size_px=96, batch_size=8, epochs=7, learning_rate=0.01, schedule="one_cycle", seeds=2
    ),
    "gpu": NOTEBOOK,
    "full": NOTEBOOK,
}


def trials(profile: str, seed: int, pairs: PairsSource, settings: Settings | None = None) -> list[Trial]:
    """Both variants for each of the profile's seeds, counted from `seed`."""
    chosen = settings or PROFILES[profile]
    seeds = range(seed, seed + chosen.seeds)
    return [Trial(NAME, variant, profile, each, VERSION, chosen, pairs, run_trial) for each in seeds for variant in VARIANTS]


def images_to_input(photos: np.ndarray, size_px: int) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, size, size) float32, 0 to 1, averaged over the area where it shrinks."""
    images = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 255
    return functional.interpolate(images, size=(size_px, size_px), mode="area")


def labels_to_target(labels: np.ndarray, size_px: int, class_count: int) -> Tensor:
    """(N, H, W) uint8 -> (N, size, size) int64 by the nearest pixel, with IGNORED for a label of `class_count` or more."""
    target = functional.interpolate(
        torch.from_numpy(labels).unsqueeze(1).float(), size=(size_px, size_px), mode="nearest-exact"
    )
    target = target.squeeze(1).long()
    return target.masked_fill(target >= class_count, IGNORED)


def training_batches(split: Split, settings: Settings, seed: int, epoch: int) -> Iterator[np.ndarray]:
    """Indices of each batch of one epoch; the order depends on seed and epoch alone, so that both variants see the same."""
    order = np.random.default_rng([seed, epoch]).permutation(len(split.stems))
    for start in range(0, len(order), settings.batch_size):
        batch = order[start : start + settings.batch_size]
        if len(batch) > 1 or settings.batch_size == 1 or len(order) == 1:  # one image left over upsets the batch norm
            yield batch


class Trainer:
    """A network with its optimiser and learning rate schedule; mixed precision and channels-last memory on CUDA."""

    def __init__(self, model: nn.Module, settings: Settings, step_count: int, device: torch.device) -> None:
        self.model, self.device = model, device
        fused = True if device.type == "cuda" else None  # one kernel for all weights; on a CPU it gains nothing
        self.optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=fused)
        if settings.schedule == "one_cycle":
            self.schedule: Any = torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer, settings.learning_rate, total_steps=step_count
            )
        else:
            self.schedule = torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)

    def step(self, inputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Take one optimiser step on (B, 3, h, w) and (B, h, w); returns its loss (nats a pixel), learning rate and time."""
        clock = awake.clock()
        learning_rate = self.schedule.get_last_lr()[0]
        images = inputs.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.model(images)
        loss = functional.cross_entropy(logits.float(), targets.to(self.device, non_blocking=True), ignore_index=IGNORED)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        value = loss.item()  # waits for the device
        if not math.isfinite(value):
            raise DataError(f"Training diverged: the loss became {value} instead of a finite number.")
        return {"loss": value, "learning_rate": learning_rate, "milliseconds": (awake.clock() - clock) * 1000}


@torch.inference_mode()
def predict(model: nn.Module, inputs: Tensor, size: tuple[int, int], batch_size: int, device: torch.device) -> Tensor:
    """Most probable class of each pixel at the pair's own size: (N, 3, h, w) -> (N, H, W) uint8 on the CPU."""
    model.eval()
    predictions = []
    for images in inputs.split(batch_size):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(images.to(device, memory_format=torch.channels_last))
        logits = functional.interpolate(logits.float(), size=size, mode="bilinear", align_corners=False)
        predictions.append(logits.argmax(dim=1).to(torch.uint8).cpu())
    return torch.cat(predictions)


def run_trial(trial: Trial, bench: Workbench) -> TrialRows:
    """Train one variant with one seed and score it after every epoch."""
    settings: Settings = trial.settings
    pairs = load(trial.data, bench.cache)
    torch.manual_seed(trial.seed)
    model = UNet(pairs.class_count, settings.base_channels, use_skips=trial.variant == "skip")
    model = model.to(bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    inputs = images_to_input(pairs.train.photos, settings.image_size_px)
    targets = labels_to_target(pairs.train.labels, settings.image_size_px, pairs.class_count)
    val_inputs = images_to_input(pairs.val.photos, settings.image_size_px)
    epochs = [list(training_batches(pairs.train, settings, trial.seed, epoch)) for epoch in range(settings.epochs)]
    step_count = sum(map(len, epochs))
    trainer = Trainer(model, settings, step_count, bench.device)
    rows = SegmentationRows(trial.data, pairs, bench.images, bench.run_id)
    steps: list[dict[str, float]] = []
    score = ""
    for epoch, batches in enumerate(epochs):
        model.train()
        for batch in batches:
            steps.append({"epoch": epoch, "step": len(steps)} | trainer.step(inputs[batch], targets[batch]))
            bench.report(len(steps), step_count, f"loss {steps[-1]['loss']:.2f}{score}")
        predicted = predict(model, val_inputs, pairs.val.labels.shape[1:], settings.batch_size, bench.device)
        score = f" mIoU {rows.add_epoch(epoch, predicted):.3f}"
    bench.report(step_count, step_count, score.strip())
    rows.add_boundaries(predicted)
    rows.add_masks(settings.epochs - 1, predicted)
    training_step = pandas.DataFrame(steps).assign(run_id=bench.run_id)
    return TrialRows(
        tables={**rows.tables(), "training_step": training_step},
        weights=f"trained from scratch with seed {trial.seed}",
        weights_sha256=digest_of(model),
        parameters=parameter_count(model),
    )
