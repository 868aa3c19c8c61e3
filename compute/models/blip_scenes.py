"""Object scenes of the OpenMoji world as the small BLIP learns from them: photos, what each patch shows, captions."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2.functional import InterpolationMode, resize

from compute.data.openmoji_scenes import COLOR_WORDS, PLACES, DrawnScene, draw_scene

PATCH_PX = 16
THING_COUNT = 20  # VOC's, from 1
LABEL_COUNT = 1 + THING_COUNT + len(PLACES)  # of patches: things, and behind them the place where the scene is
COLOR_COUNT = 1 + len(COLOR_WORDS)  # 0 is none
CLEAR_SHARE, SOME_SHARE = 0.25, 0.05  # of a patch that a thing covers to be its label, and to leave it without any
UNCLEAR = 255
FIRST_SCENE = 500_000  # far from those of the data sets, whose captions and ranks are then of scenes that BLIP never saw


@dataclass(frozen=True, eq=False)
class Scenes:
    """What BLIP learns from: photos (N, 3, S, S) uint8, of each patch its label and color, captions and a remark.

    labels: (N, g, g) uint8, of a thing or a place; colors: (N, g, g) uint8, of a word in COLOR_WORDS or 0. UNCLEAR where a
    thing covers a part only.
    """

    photos: Tensor
    labels: Tensor
    colors: Tensor
    captions: tuple[tuple[str, ...], ...]
    remarks: tuple[str, ...]

    def texts(self) -> list[str]:
        """All captions and remarks."""
        return [*(caption for captions in self.captions for caption in captions), *self.remarks]


def draw_scenes(count: int, size_px: int, seed: int, report: Callable[[int, int, str], None]) -> Scenes:
    """Draw `count` scenes of the world `seed` that are in no data set; their photos are resized to a square, as BLIP's are."""
    photos = torch.empty(count, 3, size_px, size_px, dtype=torch.uint8, memory_format=torch.channels_last)
    labels = torch.empty(count, size_px // PATCH_PX, size_px // PATCH_PX, dtype=torch.uint8)
    colors = torch.empty_like(labels)

    def draw(place: int) -> tuple[tuple[str, ...], str]:
        scene = draw_scene(seed, FIRST_SCENE + place)
        photo = torch.from_numpy(scene.photo).permute(2, 0, 1)
        photos[place] = resize(photo, [size_px, size_px], InterpolationMode.BICUBIC, antialias=True)
        labels[place], colors[place] = patch_targets(scene, size_px // PATCH_PX)
        return scene.captions, scene.remark

    written = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for drawn, texts in enumerate(pool.map(draw, range(count)), start=1):
            written.append(texts)
            if drawn % 50 == 0:
                report(drawn, count, "draws scenes to learn from")
    captions, remarks = zip(*written, strict=True)
    return Scenes(photos, labels, colors, captions, remarks)


def patch_targets(scene: DrawnScene, grid: int) -> tuple[Tensor, Tensor]:
    """Label and color of each patch, both (grid, grid) uint8, as in Scenes.

    A patch has the label, and the color, that covers most of it, if that is a quarter or more.
    """
    labels = _commonest(torch.from_numpy(scene.labels), THING_COUNT, grid)
    place = 1 + THING_COUNT + PLACES.index(scene.place)
    return torch.where(labels == 0, place, labels), _commonest(torch.from_numpy(scene.colors), len(COLOR_WORDS), grid)


def _commonest(numbers: Tensor, count: int, grid: int) -> Tensor:
    """Which of 1 to `count` covers most of each patch of a map (H, W); 0 for none, UNCLEAR for too little."""
    each = torch.stack([numbers[::2, ::2] == number for number in range(1, count + 1)]).float()
    share, commonest = functional.adaptive_avg_pool2d(each, grid).max(dim=0)
    found = torch.where(share >= CLEAR_SHARE, commonest + 1, torch.where(share >= SOME_SHARE, UNCLEAR, 0))
    return found.to(torch.uint8)
