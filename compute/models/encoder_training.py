"""Trains a Vision Transformer where DINO's weights are not at hand, so that its patches tell the world's classes apart.

A canvas is laid out with pictures of OpenMoji classes like tiles, two to four beside each other. One linear layer scores the
classes at each patch, and a tile's scores, pooled so that the patches that are sure of one count most, must name its class. So
a patch learns to tell what lies there, and nothing where nothing does.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.vision_transformer import VisionTransformer
from torchvision.transforms.v2.functional import resize

from compute.data import wordnet
from compute.data.openmoji_images import chosen_classes
from compute.models.class_training import (
    COLOR_STYLES,
    Progress,
    digest_of,
    draw_pictures,
    load_weights,
    one_cycle,
    save_weights,
    take_step,
    weights_path,
)
from compute.models.vision_transformer import encoder_inputs, make_encoder, patch_features

ENCODER_VERSION = 1  # counts up when the same settings give other weights
LABEL_SMOOTHING = 0.1
# WordNet's synsets of the twenty things that scenes show, as VOC does: aeroplane, bicycle, bird, boat, bottle, bus, car, cat,
# chair, cattle, dining table, dog, horse, motorcycle and motor scooter, person, pot, sheep, sofa, train and locomotive,
# television and monitor.
OBJECT_SYNSETS = (
    "n02691156", "n02834778", "n01503061", "n02858304", "n02876657", "n02924116", "n02958343", "n02121808", "n03001627",
    "n02402425", "n03201208", "n02084071", "n02374451", "n03790512", "n03791053", "n00007846", "n03991062", "n02411705",
    "n04256520", "n04468005", "n03684823", "n04404412", "n03782006",
)  # fmt: skip


@dataclass(frozen=True)
class EncoderTraining:
    """Size of an encoder, of what it learns from, and how long."""

    width: int
    depth: int
    heads: int
    stem: tuple[int, ...]  # channels of the convolutions that make patches; none: one projection, as in DINO
    classes: int | None  # of the OpenMoji world, those below OBJECT_SYNSETS first; None: all
    pictures: int  # drawings of each class in each color style
    tile_px: int  # their size in the largest tiles
    tiles: tuple[int, ...]  # how many tiles a canvas has in a row, batches taking turns
    canvases: int  # in a batch
    steps: int
    learning_rate: float


def trained_encoder(
    training: EncoderTraining, image_size_px: int, seed: int, device: torch.device, cache: Path, report: Progress
) -> tuple[VisionTransformer, str]:
    """An encoder trained on the world's classes, or read from `cache`; frozen, in eval mode, with its SHA-256."""
    torch.manual_seed(seed)
    encoder = make_encoder(image_size_px, training.width, training.depth, training.heads, training.stem)
    path = weights_path(f"encoder-{image_size_px}-v{ENCODER_VERSION}", training, seed, cache)
    if not load_weights(encoder, path):
        _train(encoder.to(device), training, seed, device, report)
        save_weights(encoder, path)
    return encoder.to(device).eval().requires_grad_(requires_grad=False), digest_of(encoder)


def _train(encoder: VisionTransformer, training: EncoderTraining, seed: int, device: torch.device, report: Progress) -> None:
    wnids = encoder_classes(training.classes)
    drawn = draw_pictures(wnids, COLOR_STYLES, training.pictures, training.tile_px, seed, report)
    tiles, labels = drawn.pictures.to(device), drawn.labels.to(device)
    generator = torch.Generator().manual_seed(seed)
    model = nn.ModuleDict({"encoder": encoder, "classify": nn.Linear(training.width, len(wnids))}).to(device).train()
    optimizer, schedule = one_cycle(model, training.learning_rate, training.steps)
    for step in range(1, training.steps + 1):
        side = training.tiles[step % len(training.tiles)]
        chosen = torch.randint(len(labels), (training.canvases * side * side,), generator=generator)
        canvases = lay_out(tiles[chosen.to(device)], side, encoder.image_size, generator)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            features = patch_features(encoder, encoder_inputs(canvases, encoder.image_size))
            scores = model["classify"](features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        logits = tile_scores(scores.float(), side)
        loss = functional.cross_entropy(logits, labels[chosen.to(device)], label_smoothing=LABEL_SMOOTHING)
        take_step(optimizer, schedule, loss)
        report(step, training.steps, f"the encoder learns, loss {loss.item():.2f}")


def encoder_classes(count: int | None) -> tuple[str, ...]:
    """So many classes that have drawings, in ascending order: those below OBJECT_SYNSETS, and others spread evenly.

    As DINO's ImageNet holds what VOC's pictures show, so does what this encoder learns from.
    """
    every = chosen_classes(None)
    if count is None or count >= len(every):
        return every
    near = [wnid for wnid in every if not wordnet.ancestors(wnid).keys().isdisjoint(OBJECT_SYNSETS)][:count]
    others = [wnid for wnid in every if wnid not in near]
    wanted = count - len(near)
    return tuple(sorted([*near, *(others[number * len(others) // wanted] for number in range(wanted))]))


def lay_out(pictures: Tensor, side: int, size_px: int, generator: torch.Generator) -> Tensor:
    """Tiles (B * side * side, 3, h, w) uint8 -> canvases (B, 3, size, size) uint8, row by row; half of the tiles mirrored."""
    edges = tile_edges(side, size_px)
    mirrored = (torch.rand(len(pictures), generator=generator) < 0.5).to(pictures.device)
    turned = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures).view(-1, side, side, *pictures.shape[1:])
    canvases = torch.empty(len(turned), 3, size_px, size_px, dtype=torch.uint8, device=pictures.device)
    for row, (top, bottom) in enumerate(itertools.pairwise(edges)):
        for column, (left, right) in enumerate(itertools.pairwise(edges)):
            tile = resize(turned[:, row, column], [bottom - top, right - left], antialias=True)
            canvases[:, :, top:bottom, left:right] = tile
    return canvases


def tile_edges(side: int, size: int) -> list[int]:
    """Where `side` tiles of a canvas begin, and the last one ends: as even as whole numbers allow."""
    return [round(number * size / side) for number in range(side + 1)]


def tile_scores(scores: Tensor, side: int) -> Tensor:
    """Scores of each tile from those of its patches, at least one: (B, C, h, w) -> (B * side * side, C).

    The logarithm of the mean of exponentials, which is near the largest.
    """
    largest = scores.detach().amax(dim=(1, 2, 3), keepdim=True)
    means = functional.adaptive_avg_pool2d((scores - largest).exp(), side)
    pooled = means.clamp(min=torch.finfo(means.dtype).tiny).log() + largest
    return pooled.flatten(2).mT.flatten(0, 1)
