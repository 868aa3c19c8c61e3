"""Trains the two linear layers that bring images and texts into one space, on a frozen network's features.

As BLIP's vision_proj and text_proj: each a linear layer with bias, whose output is scaled to length 1. Loss: all similarities
of a batch's pairs, divided by a fixed temperature, go into a cross-entropy from each image over the batch's texts and one from
each text over its images, and the two means are averaged (the CLIP paper's figure 3; negatives are those of the batch alone).
Where an image or a text is in a batch several times, its other matches are left out of its pair's choice, so they are no
negatives. Optimiser: AdamW, at a constant learning rate.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BlipForImageTextRetrieval

from compute import awake
from compute.data.errors import DataError
from compute.models.class_training import symmetric_cross_entropy

ROWS_AT_ONCE = 8192


class Projections(nn.Module):
    """The two layers, under BLIP's names for them."""

    def __init__(self, image_width: int, text_width: int, width: int) -> None:
        super().__init__()
        self.vision_proj = nn.Linear(image_width, width)
        self.text_proj = nn.Linear(text_width, width)


def own_projections(model: BlipForImageTextRetrieval) -> Projections:
    """A copy of a network's own layers, to be trained on."""
    own: list[nn.Linear] = [model.vision_proj, model.text_proj]
    projections = Projections(own[0].in_features, own[1].in_features, own[0].out_features)
    projections.vision_proj.load_state_dict(own[0].state_dict())
    projections.text_proj.load_state_dict(own[1].state_dict())
    return projections


def random_projections(model: BlipForImageTextRetrieval, seed: int) -> Projections:
    """Layers of the same sizes as a network's own, with torch's random start, as BLIP's were before their training."""
    torch.manual_seed(seed)
    own: list[nn.Linear] = [model.vision_proj, model.text_proj]
    return Projections(own[0].in_features, own[1].in_features, own[0].out_features)


@dataclass(frozen=True, eq=False)
class FrozenFeatures:
    """Features of N images or texts, each different one once: rows (K, D) float16, which (N,) int64.

    So equal ones stay equal to the last bit when they are projected, which a matrix product does not warrant.
    """

    rows: Tensor
    which: Tensor

    def of(self, chosen: Tensor, device: torch.device) -> Tensor:
        """Features of some: chosen (B,) int64 -> (B, D) float32 on a device."""
        return self.rows[self.which[chosen]].to(device, torch.float32)


def frozen_features(features: np.ndarray, which: np.ndarray | None = None) -> FrozenFeatures:
    """Sort out what is different in features (T, D) float16; `which` (N,), if given, says whose are those of N things."""
    numbers: dict[bytes, int] = {}
    number = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in features])
    first = np.unique(number, return_index=True)[1]
    return FrozenFeatures(torch.from_numpy(features[first]), torch.from_numpy(number if which is None else number[which]))


@torch.no_grad()
def unit_features(layer: nn.Linear, features: FrozenFeatures) -> Tensor:
    """What a layer makes of all features, scaled to length 1: (N, width) float32 on the layer's device.

    Raises DataError where one is not finite.
    """
    device = layer.weight.device
    blocks = features.rows.split(ROWS_AT_ONCE)
    projected = torch.cat([functional.normalize(layer(block.to(device, torch.float32)), dim=-1) for block in blocks])
    if not torch.isfinite(projected).all():
        raise DataError("Projected features are not all finite numbers: the projections' weights are spoilt.")
    return projected[features.which.to(device)]


def contrastive_loss(images: Tensor, texts: Tensor, same: Tensor, temperature: float) -> Tensor:
    """The symmetric loss in nats: unit features (B, D) of pairs, and (B, B) bool, which pairs share an image or a text."""
    others = same.clone().fill_diagonal_(fill_value=False)
    return symmetric_cross_entropy((images @ texts.T / temperature).masked_fill(others, -torch.inf))


@dataclass(frozen=True, eq=False)
class Pairs:
    """What is learnt from: features of N images and of M captions, and owner (M,) int64, each caption's image."""

    images: FrozenFeatures
    texts: FrozenFeatures
    owner: Tensor

    def batches(self, batch_size: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
        """All captions in an order by chance, in batches of even sizes, at most `batch_size`: (B,) int64 each."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self.owner))
        return torch.from_numpy(order).tensor_split(math.ceil(len(order) / batch_size))

    def same(self, batch: Tensor) -> Tensor:
        """Which pairs of a batch (B,) have an equal image or an equal text: (B, B) bool."""
        image, text = self.images.which[self.owner[batch]], self.texts.which[batch]
        return (image[:, None] == image) | (text[:, None] == text)


class ProjectionTrainer:
    """The layers with their optimiser."""

    def __init__(
        self, projections: Projections, pairs: Pairs, learning_rate: float, weight_decay: float, temperature: float
    ) -> None:
        self.projections, self.pairs = projections.train(), pairs
        self.learning_rate, self.temperature = learning_rate, temperature
        self.optimizer = torch.optim.AdamW(projections.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)

    def step(self, batch: Tensor) -> dict[str, float]:
        """Take one optimiser step on a batch of captions (B,); returns loss (nats), learning rate and time in ms.

        Raises DataError where the loss is not finite.
        """
        clock = awake.clock()
        device = self.projections.text_proj.weight.device
        images = self.projections.vision_proj(self.pairs.images.of(self.pairs.owner[batch], device))
        texts = self.projections.text_proj(self.pairs.texts.of(batch, device))
        same = self.pairs.same(batch).to(device)
        unit = functional.normalize
        loss = contrastive_loss(unit(images, dim=-1), unit(texts, dim=-1), same, self.temperature)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        value = loss.item()  # waits for the device
        if not math.isfinite(value):
            raise DataError(f"Training diverged: the loss became {value} instead of a finite number.")
        milliseconds = (awake.clock() - clock) * 1000
        return {"loss": value, "learning_rate": self.learning_rate, "milliseconds": milliseconds}
