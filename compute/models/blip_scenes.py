"""Object scenes of the OpenMoji world as the small BLIP learns from them: photos, what each patch shows, captions."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2.functional import InterpolationMode, resize

from compute.data.openmoji_scenes import draw_scene

PATCH_PX = 16
LABEL_COUNT = 20  # VOC's things; 0 is background
CLEAR_SHARE, SOME_SHARE = 0.25, 0.05  # of a patch that a thing covers to be its label, and to leave it without any
UNCLEAR = 255
FIRST_SCENE = 500_000  # far from those of the data sets, whose captions and ranks are then of scenes that BLIP never saw


@dataclass(frozen=True, eq=False)
class Scenes:
    """What BLIP learns from: photos (N, 3, S, S) uint8, and of each patch its label and its thing's mean color.

    labels: (N, g, g) uint8, UNCLEAR where a thing covers a part only; colors: (N, 3, g, g) float32, -1 to 1.
    """

    photos: Tensor
    labels: Tensor
    colors: Tensor
    captions: tuple[tuple[str, ...], ...]


def draw_scenes(count: int, size_px: int, seed: int, report: Callable[[int, int, str], None]) -> Scenes:
    """Draw `count` scenes of the world `seed` that are in no data set; their photos are resized to a square, as BLIP's are."""
    photos = torch.empty(count, 3, size_px, size_px, dtype=torch.uint8, memory_format=torch.channels_last)
    labels = torch.empty(count, size_px // PATCH_PX, size_px // PATCH_PX, dtype=torch.uint8)
    colors = torch.empty(count, 3, size_px // PATCH_PX, size_px // PATCH_PX)

    def draw(place: int) -> tuple[str, ...]:
        scene = draw_scene(seed, FIRST_SCENE + place)
        photo = torch.from_numpy(scene.photo).permute(2, 0, 1)
        photos[place] = resize(photo, [size_px, size_px], InterpolationMode.BICUBIC, antialias=True)
        labels[place], colors[place] = patch_targets(photo, torch.from_numpy(scene.labels), size_px // PATCH_PX)
        return scene.captions

    captions = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for drawn, texts in enumerate(pool.map(draw, range(count)), start=1):
            captions.append(texts)
            if drawn % 50 == 0:
                report(drawn, count, "draws scenes to learn from")
    return Scenes(photos, labels, colors, tuple(captions))


def patch_targets(photo: Tensor, label_map: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Label and color of each patch: photo (3, S, S) uint8, labels (H, W) uint8 -> (grid, grid) uint8, (3, grid, grid) float32.

    A patch has the label of the thing that covers most of it, if that is a quarter or more; the color is that of its things,
    or of all of it where they cover less than a twentieth.
    """
    labels = label_map[::2, ::2]
    things = torch.stack([labels == label for label in range(1, LABEL_COUNT + 1)]).float()  # (20, h, w)
    share, nearest = functional.adaptive_avg_pool2d(things, grid).max(dim=0)
    patch_labels = torch.where(share >= CLEAR_SHARE, nearest + 1, torch.where(share >= SOME_SHARE, UNCLEAR, 0))
    covered = things.sum(dim=0, keepdim=True)
    pixel_colors = functional.adaptive_avg_pool2d(photo.float() / 127.5 - 1, (labels.shape[0], labels.shape[1]))
    covered_share = functional.adaptive_avg_pool2d(covered, grid)
    of_things = functional.adaptive_avg_pool2d(pixel_colors * covered, grid) / covered_share.clamp(min=SOME_SHARE)
    of_all = functional.adaptive_avg_pool2d(pixel_colors, grid)
    return patch_labels.to(torch.uint8), torch.where(covered_share >= SOME_SHARE, of_things, of_all)
