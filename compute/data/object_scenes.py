"""Object scenes of the OpenMoji world with PASCAL VOC's classes, drawn on demand into a folder in VOC's own layout.

Beside VOC's folders there are `Hidden/*.png` (of the validation scenes: the class that another one hides) and `captions.csv`
(file,caption).
"""

import csv
import functools
import hashlib
import itertools
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from compute.data.errors import DataError
from compute.data.labelled_images import Captions, LabelledImages, Split
from compute.data.openmoji_scenes import SCENES_VERSION, SIZE_PX, VALIDATION_START, draw_scene
from compute.data.palette import mask_palette, voc_classes
from compute.data.voc import CACHE_VERSION, LISTS, MASKS, PHOTOS, SPLITS, listed_stems, load_splits
from compute.unfinished import whole_folder

HIDDEN, CAPTIONS = "Hidden", "captions.csv"
JPEG_QUALITY = 92
DRAW_AGAIN = "Remove the folder, and its scenes are drawn again."
README = """# OpenMoji world: object scenes

Synthetic scenes of things of PASCAL VOC's twenty classes, 256x256, in the layout of VOC 2012: photos in `JPEGImages`, label
masks in `SegmentationClass` (0 background, 255 void), the splits' lists in `ImageSets/Segmentation`. `captions.csv` has two or
three captions of each scene. `Hidden` tells of the validation scenes where a thing hides one of another class, and which.

The drawings are by [OpenMoji](https://openmoji.org/), the open-source emoji and icon project, licensed
[CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). They were scaled, mirrored, recolored and composed into scenes
together with drawings of our own. These pictures are therefore licensed CC BY-SA 4.0 as well.
"""


@dataclass(frozen=True)
class ScenesSource:
    """Where object scenes come from; its fingerprint is known before anything is drawn."""

    directory: Path
    train_count: int
    val_count: int
    seed: int
    fingerprint: str
    name: str = "OpenMoji scenes"
    labels: str = "masks"
    source: str = "Composed by Contrast from OpenMoji's drawings (openmoji.org)"
    license: str = "CC BY-SA 4.0"

    @property
    def dataset(self) -> str:
        """Key of the data set in every table: its name and its contents' hash."""
        return f"openmoji_scenes-{self.fingerprint[:8]}"

    @property
    def stems(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """File names without ending of the train and of the val scenes."""
        train, val = (
            tuple(f"{split}_{number:05d}" for number in range(1, count + 1))
            for split, count in zip(SPLITS, (self.train_count, self.val_count), strict=True)
        )
        return train, val


def world_scenes(cache: Path, train_count: int, val_count: int, seed: int) -> ScenesSource:
    """Describe object scenes of the OpenMoji world, which `load_scenes` draws into `cache` when they are first needed."""
    recipe = f"openmoji scenes v{SCENES_VERSION}, {train_count} + {val_count}, seed {seed}"
    directory = cache / f"openmoji_scenes-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"
    fingerprint = hashlib.sha256(f"{recipe} v{CACHE_VERSION}".encode()).hexdigest()
    return ScenesSource(directory, train_count, val_count, seed, fingerprint)


@functools.lru_cache(maxsize=2)
def load_scenes(source: ScenesSource, cache: Path) -> LabelledImages:
    """Draw the scenes of `source` where that was not done before, and read photos, labels, hidden classes and captions.

    Raises DataError, with the remedy, where a file of the drawn folder is missing or damaged.
    """
    write_scenes(source.directory, source.train_count, source.val_count, source.seed)
    for split, stems in zip(SPLITS, source.stems, strict=True):
        if listed_stems(source.directory, split, DRAW_AGAIN) != stems:
            raise DataError(f"{source.directory / LISTS / split}.txt: does not list the scenes that were drawn. {DRAW_AGAIN}")
    cached = cache / f"object_scenes-{source.fingerprint[:16]}.npz"
    train, val = load_splits(source.directory, source.stems, SIZE_PX, cached)
    if (train.stems, val.stems) != source.stems:
        cached.unlink(missing_ok=True)  # or what is drawn again would not be read
        raise DataError(f"{source.directory}: some scenes cannot be read, as the warnings tell. {DRAW_AGAIN}")
    train_captions, val_captions = (_captions(source.directory, split) for split in (train, val))
    return LabelledImages(voc_classes(), train, val, _hidden(source.directory, val), train_captions, val_captions)


def write_scenes(directory: Path, train_count: int, val_count: int, seed: int) -> None:
    """Draw scenes into `directory`, in VOC's layout; a folder that exists already is left as it is.

    Files are gathered in a temporary folder beside it that takes the final name at the end, so an interrupted call leaves
    nothing under that name.
    """
    if directory.exists():
        return
    with whole_folder(directory) as partial:
        for folder in (PHOTOS, MASKS, HIDDEN, LISTS):
            (partial / folder).mkdir(parents=True)
        rows: list[tuple[str, str]] = []
        numbered = ((train_count, 0), (val_count, VALIDATION_START))
        for split, (count, start) in zip(SPLITS, numbered, strict=True):
            stems = [f"{split}_{number:05d}" for number in range(1, count + 1)]
            draw = functools.partial(_write_scene, partial, seed)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                rows += itertools.chain.from_iterable(pool.map(draw, stems, range(start, start + count)))
            (partial / LISTS / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
        with (partial / CAPTIONS).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["file", "caption"])
            table.writerows(rows)
        (partial / "README.md").write_text(README, encoding="utf-8")


def _write_scene(directory: Path, seed: int, stem: str, index: int) -> list[tuple[str, str]]:
    """Draw one scene, and return its rows of captions.csv."""
    scene = draw_scene(seed, index)
    photo = f"{stem}.jpg"
    Image.fromarray(scene.photo).save(directory / PHOTOS / photo, quality=JPEG_QUALITY, subsampling=0)
    masks = [(MASKS, scene.labels)] + ([(HIDDEN, scene.hidden)] if index >= VALIDATION_START else [])
    for folder, labels in masks:
        mask = Image.fromarray(labels)
        mask.putpalette(mask_palette(voc_classes()).astype(np.uint8).tobytes())
        mask.save(directory / folder / f"{stem}.png")
    return [(photo, caption) for caption in scene.captions]


def _captions(directory: Path, split: Split) -> Captions:
    path = directory / CAPTIONS
    texts: dict[str, list[str]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                texts[row["file"]].append(row["caption"])
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: is missing or damaged ({error}). {DRAW_AGAIN}") from error
    if missing := [stem for stem in split.stems if not all(texts[f"{stem}.jpg"]) or not texts[f"{stem}.jpg"]]:
        raise DataError(f"{path}: has no caption of {missing[0]}.jpg. {DRAW_AGAIN}")
    return tuple(tuple(texts[f"{stem}.jpg"]) for stem in split.stems)


def _hidden(directory: Path, val: Split) -> np.ndarray:
    maps = []
    for stem in val.stems:
        path = directory / HIDDEN / f"{stem}.png"
        try:
            with Image.open(path, formats=["PNG"]) as image:
                maps.append(np.asarray(image))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{path}: is missing or damaged ({error}). {DRAW_AGAIN}") from error
        if maps[-1].shape != val.labels.shape[1:]:
            raise DataError(f"{path}: is not of its photo's size. {DRAW_AGAIN}")
    return np.stack(maps)
