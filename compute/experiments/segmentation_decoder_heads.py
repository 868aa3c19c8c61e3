"""Which decoder head suits a frozen Vision Transformer?

Method: one frozen encoder gives each picture's patch features; four heads learn to segment from them, each with the same
pictures in the same order: a 1x1 convolution, three blocks of transposed convolutions, and a transformer of class tokens with
separate or shared projections for queries and keys. After every epoch each validation image is scored as raw pixel counts at
the label map's own size. Features are computed once, and with augmentation anew for every batch. Where no published weights are
taken, the encoder is trained on the OpenMoji world first.
Source: the course report on decoder heads; protocol: AdamW 1e-3, weight decay 1e-3, linear decay, batch 8, 15 epochs.
Command: python -m compute run segmentation_decoder_heads [--voc DIR | --pairs DIR] [--vit-weights FILE]
Time: mini, about a minute on two cores: a third of it trains the encoder, another third the convolutional head.
Tables: dataset, image, segmentation_class, segmentation_score, foreground_score, boundary_score, segmentation_mask,
training_step, model_cost, latency, hidden_score, token_attention, reference_result.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms.v2.functional import resize

from compute import awake, feature_cache, head_rows
from compute.data import object_scenes, street_pairs, voc
from compute.data.errors import DataError
from compute.data.labelled_images import LabelledImages, LabelledSource, Split
from compute.models import official_weights
from compute.models.class_training import digest_of
from compute.models.decoder_heads import TransformerHead, convolutional_head, linear_head
from compute.models.encoder_training import EncoderTraining, trained_encoder
from compute.models.unet import parameter_count
from compute.models.vision_transformer import encoder_inputs, patch_features
from compute.segmentation_rows import SegmentationRows
from compute.trials import Trial, TrialRows, Workbench

NAME = "segmentation_decoder_heads"
QUESTION = "Which decoder head suits a frozen Vision Transformer?"
VERSION = 1
SHARES = ("encoder of patches",)  # trained, and its features
ENCODER_SEED = 0  # one encoder for all, whatever seed the heads start from
MASK_EPOCHS = (0, 4, 9, 14)
IGNORED = 255  # the label of pixels that no loss counts, as in VOC
LARGEST_SCALE = 300 / 256  # of the encoder's input, which augmentation crops from
HEADS = {
    "linear": linear_head,
    "convolutional": convolutional_head,
    "transformer": TransformerHead,
    "transformer_shared": lambda width, class_count: TransformerHead(width, class_count, share_query_key=True),
}
# Mean IoU in percent after the last epoch, in the report that this experiment reproduces.
REPORTED = {"linear": 45.46, "convolutional": 46.47, "transformer": 63.13, "transformer_shared": 64.20}


@dataclass(frozen=True)
class Settings:
    """What a profile chooses; the rest of the protocol is the same in all."""

    encoder: EncoderTraining | None  # None: DINO's published weights, or those of a file
    image_size_px: int  # of the encoder's input, square
    loss_size_px: int  # of the logits that the loss compares; scores are always at the label map's own size
    augment: bool
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    mask_images: int  # whose masks and attention are kept
    seeds: int
    file: str = ""
    file_sha256: str = ""


MINI = Settings(
    encoder=EncoderTraining(
        width=40, depth=2, heads=2, stem=(16, 32, 40, 40), classes=60, pictures=10, tile_px=80, tiles=(2, 3, 4), canvases=8,
        steps=450, learning_rate=8e-3,
    ),
    image_size_px=160, loss_size_px=64, augment=False, epochs=15, batch_size=8, learning_rate=1e-3, weight_decay=1e-3,
    mask_images=12, seeds=1,
)  # fmt: skip
VIT_SMALL = EncoderTraining(
    width=384, depth=12, heads=6, stem=(), classes=None, pictures=40, tile_px=128, tiles=(2, 3, 4), canvases=32, steps=12_000,
    learning_rate=1e-3,
)  # fmt: skip
PROFILES = {
    "mini": MINI,
    "gpu": replace(MINI, encoder=VIT_SMALL, image_size_px=256, loss_size_px=256),
    "full": replace(MINI, encoder=None, image_size_px=256, loss_size_px=256, augment=True),
}


def trials(
    profile: str, seed: int, data: LabelledSource, vit_weights: Path | None = None, settings: Settings | None = None
) -> list[Trial]:
    """The four heads for each of the profile's seeds, counted from `seed`.

    A file of weights takes the place of the published ones, or of training. Raises DataError where it cannot be read.
    """
    chosen = settings or PROFILES[profile]
    if vit_weights is not None:
        digest = official_weights.file_digest(vit_weights)
        chosen = replace(chosen, encoder=None, file=str(vit_weights), file_sha256=digest)
    seeds = range(seed, seed + chosen.seeds)
    return [
        Trial(NAME, variant, profile, each, VERSION, chosen, data, run_trial, SHARES) for each in seeds for variant in HEADS
    ]


def load_data(source: Any, cache: Path) -> LabelledImages:
    """Photos and label maps of any of the sources that this experiment takes."""
    match source:
        case object_scenes.ScenesSource():
            return object_scenes.load_scenes(source, cache)
        case voc.VocSource():
            return voc.load_voc(source, cache)
    return street_pairs.load(source, cache)


class Encoder:
    """The frozen encoder of a trial, and the features that it gives."""

    def __init__(self, settings: Settings, bench: Workbench) -> None:
        self.settings, self.bench, self.size_px = settings, bench, settings.image_size_px
        if settings.encoder:
            self.model, self.digest = trained_encoder(
                settings.encoder, self.size_px, ENCODER_SEED, bench.device, bench.cache, bench.report
            )
            self.origin = f"a ViT trained on labels of the OpenMoji world with seed {ENCODER_SEED}"
        else:
            file = Path(settings.file) if settings.file else None
            self.model, self.digest = official_weights.load_vit(self.size_px, file)
            self.model.to(bench.device).requires_grad_(requires_grad=False)
            self.origin = settings.file or "DINO's ViT-S/16"

    def features(self, photos: np.ndarray | Tensor) -> Tensor:
        """(B, H, W, 3) uint8, or (B, 3, H, W) as a tensor -> (B, D, S / 16, S / 16) float16 on the device.

        Half precision whether they are kept or not, so that the cache changes nothing that heads learn from.
        """
        return patch_features(self.model, encoder_inputs(photos, self.size_px).to(self.bench.device)).half()

    def cached(self, split: Split, source: LabelledSource, name: str) -> Tensor:
        """Features of all photos of a split, mapped from the cache: (N, D, S / 16, S / 16)."""
        identity = (self.digest, source.fingerprint, name, self.size_px)
        mapped = feature_cache.cached_features(split.photos, self.features, self.bench.cache, identity, self.bench.report)
        return torch.from_numpy(mapped)


def labels_to_target(labels: Tensor, size_px: int, class_count: int) -> Tensor:
    """(N, H, W) uint8 -> (N, size, size) uint8 by the nearest pixel, with IGNORED for a label of `class_count` or more."""
    resized = functional.interpolate(labels.unsqueeze(1), size=(size_px, size_px), mode="nearest-exact").squeeze(1)
    return resized.masked_fill(resized >= class_count, IGNORED)


class Batches:
    """What a head learns from: features and targets of a batch, cached, or with augmentation computed anew."""

    def __init__(self, encoder: Encoder, source: LabelledSource, data: LabelledImages, seed: int) -> None:
        self.encoder, self.settings, self.split, self.seed = encoder, encoder.settings, data.train, seed
        self.labels = labels_to_target(torch.from_numpy(data.train.labels), self.settings.loss_size_px, data.class_count)
        self.class_count = data.class_count
        self.features = None if self.settings.augment else encoder.cached(data.train, source, "train")
        self.count = math.ceil(len(self.split.stems) / self.settings.batch_size)

    def of_epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Features (B, D, h, w) float32 on the device and targets (B, s, s) uint8; the same for each head of a seed."""
        dice = np.random.default_rng([self.seed, epoch])
        for batch in torch.from_numpy(dice.permutation(len(self.split.stems))).split(self.settings.batch_size):
            if self.features is not None:
                yield self.features[batch].to(self.encoder.bench.device, torch.float32), self.labels[batch]
            else:
                yield self._augmented(batch.numpy(), dice)

    def _augmented(self, batch: np.ndarray, dice: np.random.Generator) -> tuple[Tensor, Tensor]:
        photos, labels = zip(*(augmented(self.split, place, self.settings.image_size_px, dice) for place in batch), strict=True)
        with torch.inference_mode():
            features = self.encoder.features(torch.stack(photos))
        targets = labels_to_target(torch.stack(labels), self.settings.loss_size_px, self.class_count)
        return features.float().clone(), targets


def augmented(split: Split, place: int, size_px: int, dice: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A photo (3, size, size) and its labels (size, size), both uint8: resized, cropped and perhaps mirrored by chance."""
    resized_px = int(dice.integers(size_px, round(size_px * LARGEST_SCALE) + 1))
    top, left = dice.integers(0, resized_px - size_px + 1, 2)
    photo = resize(torch.from_numpy(split.photos[place]).permute(2, 0, 1), [resized_px, resized_px], antialias=True)
    labels = functional.interpolate(
        torch.from_numpy(split.labels[place])[None, None], size=(resized_px, resized_px), mode="nearest-exact"
    )
    mirrored = (-1,) if dice.random() < 0.5 else ()
    window = (..., slice(top, top + size_px), slice(left, left + size_px))
    return photo[window].flip(mirrored), labels[0, 0][window].flip(mirrored)


class Trainer:
    """A head with its optimiser, whose learning rate falls in a line to zero."""

    def __init__(self, head: nn.Module, settings: Settings, step_count: int) -> None:
        self.head, self.size_px = head.train(), settings.loss_size_px
        self.optimizer = torch.optim.AdamW(
            head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.LinearLR(self.optimizer, 1.0, 0.0, total_iters=step_count)

    def step(self, features: Tensor, targets: Tensor) -> dict[str, float]:
        """Take one optimiser step on (B, D, h, w) and (B, s, s) uint8; returns loss (nats a pixel), learning rate and time."""
        clock = awake.clock()
        learning_rate = float(self.schedule.get_last_lr()[0])
        logits = upsampled(self.head(features), (self.size_px, self.size_px))
        loss = functional.cross_entropy(logits, targets.to(logits.device, torch.int64), ignore_index=IGNORED)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        value = loss.item()  # waits for the device
        if not math.isfinite(value):
            raise DataError(f"Training diverged: the loss became {value} instead of a finite number.")
        return {"loss": value, "learning_rate": learning_rate, "milliseconds": (awake.clock() - clock) * 1000}


def upsampled(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, h, w) -> (B, C, H, W), bilinearly."""
    logits = logits.contiguous(memory_format=torch.channels_last)  # several times as fast, and so is the maximum over classes
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


@torch.inference_mode()
def predict(head: nn.Module, features: Tensor, size: tuple[int, int], batch_size: int, device: torch.device) -> Tensor:
    """Most probable class of each pixel: cached features (N, D, h, w) -> (N, H, W) uint8 on the CPU."""
    head.eval()
    predictions = []
    for batch in features.split(batch_size):
        logits = upsampled(head(batch.to(device, torch.float32)), size)
        predictions.append(logits.max(dim=1).indices.to(torch.uint8).cpu())
    head.train()
    return torch.cat(predictions)


def run_trial(trial: Trial, bench: Workbench) -> TrialRows:
    """Train one head on the frozen encoder's features, and score it after every epoch."""
    settings: Settings = trial.settings
    data = load_data(trial.data, bench.cache)
    encoder = Encoder(settings, bench)
    batches = Batches(encoder, trial.data, data, trial.seed)
    val_features = encoder.cached(data.val, trial.data, "val")
    torch.manual_seed(trial.seed)
    head = HEADS[trial.variant](val_features.shape[1], data.class_count)
    head = head.to(bench.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    step_count = settings.epochs * batches.count
    trainer = Trainer(head, settings, step_count)
    rows = SegmentationRows(trial.data, data, bench.images, bench.run_id)
    shown = shown_images(len(data.val.stems), settings.mask_images)
    steps: list[dict[str, float]] = []
    score = ""
    for epoch in range(settings.epochs):
        for features, targets in batches.of_epoch(epoch):
            steps.append({"epoch": epoch, "step": len(steps)} | trainer.step(features, targets))
            bench.report(len(steps), step_count, f"loss {steps[-1]['loss']:.2f}{score}")
        predicted = predict(head, val_features, data.val.labels.shape[1:], settings.batch_size, bench.device)
        score = f" mIoU {rows.add_epoch(epoch, predicted):.3f}"
        if epoch in MASK_EPOCHS or epoch == settings.epochs - 1:
            rows.add_masks(epoch, predicted, shown)
    bench.report(step_count, step_count, score.strip())
    rows.add_boundaries(predicted)
    shown_features = val_features[shown].to(bench.device, torch.float32)
    image_ids = [rows.image_ids[place] for place in shown]
    one_image = encoder_inputs(data.val.photos[:1], settings.image_size_px).to(bench.device)
    tables = {
        **rows.tables(),
        "training_step": pandas.DataFrame(steps).assign(run_id=bench.run_id),
        "model_cost": head_rows.cost_rows(bench.run_id, encoder.model, one_image, head, shown_features[:1]),
        "latency": head_rows.latency_rows(bench.run_id, head.eval(), shown_features[:1]),
        "reference_result": reference_rows(),
    }
    if isinstance(head, TransformerHead):
        tables["token_attention"] = head_rows.attention_rows(bench.run_id, image_ids, head, shown_features)
    if data.hidden is not None:
        tables["hidden_score"] = head_rows.hidden_rows(bench.run_id, rows.image_ids, data, predicted)
    origin = f"head trained with seed {trial.seed} on frozen features of {encoder.origin} (SHA-256 {encoder.digest})"
    return TrialRows(tables, weights=origin, weights_sha256=digest_of(head), parameters=parameter_count(head))


def shown_images(count: int, wanted: int) -> list[int]:
    """Places of the images whose masks are kept, spread evenly."""
    wanted = min(count, wanted)
    return [number * count // wanted for number in range(wanted)]


def reference_rows() -> pandas.DataFrame:
    """The report's own results."""
    rows = {
        "experiment": NAME,
        "variant": list(REPORTED),
        "metric": "mIoU in percent",
        "value": list(REPORTED.values()),
        "source": "course report on decoder heads, VOC 2012",
    }
    return pandas.DataFrame(rows)
