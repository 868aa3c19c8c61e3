"""Street photos with their colour masks, in the layout of the Kaggle Cityscapes image pairs.

A folder holds `train/*.jpg` and `val/*.jpg`, each a photo on the left and a colour mask of the same size on the right, and may
hold a `classes.csv` (name,color,ignored) with the palette; without one the colours are Cityscapes' own. Masks are JPEGs, so
labels are recovered: from the nearest palette colour, or in the notebook's way from clusters of random colours.
"""

import functools
import hashlib
import os
import re
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from compute.data import openmoji_world
from compute.data.errors import CONTROL, DataError
from compute.data.files import LONGEST_NAME, file_digest, folder_problem, open_file
from compute.data.labelled_images import LabelledImages, Split, read_splits, write_splits
from compute.data.palette import SegmentationClass, color_values, kmeans_palette, nearest_color, read_palette

LabelMethod = Literal["palette", "kmeans"]
SPLITS = ("train", "val")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png")
PICTURE_FORMATS = ("JPEG", "PNG")  # whatever the name says; Pillow's readers of rarer formats are easily upset
EIGHT_BIT_MODES = ("RGB", "RGBA", "CMYK", "L", "LA", "P", "PA", "1")  # Pillow cuts off what lies above 255
LONGEST_STEM = 120  # bytes of a picture's name without ending; masks get names that are made of it
KMEANS_SEED = 0
LARGEST_PIXELS = 64_000_000  # of one pair; more is a broken or hostile header
FAR_LEVELS = 32  # a mask colour further than this from every palette colour was not drawn with that palette
LARGEST_FAR_SHARE = 0.4  # JPEG and resizing blur a tenth of the pixels; a photo, or another palette, exceeds half
CACHE_VERSION = 1  # counts up when decoding or labelling changes


@dataclass(frozen=True)
class PairsSource:
    """Where street pairs come from; its fingerprint is known before anything is decoded or drawn."""

    name: str
    directory: Path
    labels: LabelMethod
    files: tuple[tuple[str, ...], tuple[str, ...]]  # names of the train and of the val pairs, in numeric order
    fingerprint: str
    source: str
    license: str
    world_seed: int | None = None  # set where the pairs are drawn on demand

    @property
    def dataset(self) -> str:
        """Key of the data set in every table: its name, its way of labelling, and its contents' hash."""
        method = "" if self.labels == "palette" else f"-{self.labels}"
        name = re.sub(r"\W+", "_", self.name).strip("_").lower()[:LONGEST_NAME] or "pairs"
        return f"{name}{method}-{self.fingerprint[:8]}"


def world_source(cache: Path, train_count: int, val_count: int, seed: int, labels: LabelMethod) -> PairsSource:
    """Describe street pairs of the OpenMoji world, which `load` draws into `cache` when they are first needed."""
    recipe = f"openmoji streets v{openmoji_world.STREET_VERSION}, {train_count} + {val_count}, seed {seed}"
    fingerprint = hashlib.sha256(f"{recipe} {labels} v{CACHE_VERSION}".encode()).hexdigest()
    return PairsSource(
        name="OpenMoji streets",
        directory=cache / f"openmoji_streets-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}",
        labels=labels,
        files=tuple(tuple(f"{number}.jpg" for number in range(1, count + 1)) for count in (train_count, val_count)),  # type: ignore[arg-type]
        fingerprint=fingerprint,
        source="Composed by Contrast from OpenMoji's drawings (openmoji.org)",
        license="CC BY-SA 4.0",
        world_seed=seed,
    )


def folder_source(directory: Path, limits: tuple[int | None, int | None], labels: LabelMethod) -> PairsSource:
    """Describe a folder of pairs, taking at most `limits` pairs (train, val), spread evenly over each split.

    Raises DataError where the folder or a split is missing or holds no picture, or the palette is malformed.
    """
    train, val = (_spread(_picture_names(directory, split), limit) for split, limit in zip(SPLITS, limits, strict=True))
    digest = hashlib.sha256(f"v{CACHE_VERSION} {labels} {_palette(directory, labels)}".encode())
    paths = [directory / split / name for split, names in zip(SPLITS, (train, val), strict=True) for name in names]
    with ThreadPoolExecutor() as pool:
        for path, of_file in zip(paths, pool.map(file_digest, paths), strict=True):
            digest.update(f"{path.parent.name}/{path.name} {of_file}\n".encode())
    name = re.sub(r"[^\w .-]", "_", directory.resolve().name)
    return PairsSource(name, directory, labels, (train, val), digest.hexdigest(), "a folder of pairs", "not stated")


def classes_of(source: PairsSource) -> tuple[SegmentationClass, ...]:
    """The classes of `source`, the scored ones first; known before its pictures are drawn or decoded."""
    if source.world_seed is not None and source.labels == "palette":
        world = openmoji_world.STREET_CLASSES
        return tuple(SegmentationClass(class_id, name, color, ignored=False) for class_id, (name, color) in enumerate(world))
    return _palette(source.directory, source.labels)


def relabel(source: PairsSource, pairs: LabelledImages, colors: np.ndarray) -> np.ndarray:
    """Label maps of the validation masks by the nearest of other `colors` (C, 3): (N, H, W) uint8."""
    names = {Path(name).stem: name for name in source.files[1]}
    label_maps = []
    for stem in pairs.val.stems:
        pair = _read_pair(source.directory / "val" / names[stem], colors, check_colors=False)
        if isinstance(pair, str):
            raise DataError(pair)
        label_maps.append(pair[1])
    return np.stack(label_maps)


@functools.lru_cache(maxsize=2)
def load(source: PairsSource, cache: Path) -> LabelledImages:
    """Decode photos and labels of `source`, or read them from `cache` where these contents were decoded before.

    A picture that is broken, of another size than most, or whose right half is no mask of the palette is named in a warning
    and skipped. Raises DataError where a split has no usable pair.
    """
    if source.world_seed is not None:
        counts = [len(names) for names in source.files]
        openmoji_world.write_street_pairs(source.directory, counts[0], counts[1], source.world_seed)
    classes = classes_of(source)
    cached = cache / f"street_pairs-{source.fingerprint[:16]}.npz"
    found = read_splits(cached)
    if found is None:
        found = _decode(source, classes)
        write_splits(cached, *found)
    train, val, complaints = found
    for complaint in complaints:
        warnings.warn(complaint, stacklevel=2)
    return LabelledImages(classes, train, val)


def _decode(source: PairsSource, classes: tuple[SegmentationClass, ...]) -> tuple[Split, Split, list[str]]:
    colors = color_values(classes)
    complaints: list[str] = []
    splits = []
    for split, names in zip(SPLITS, source.files, strict=True):
        paths = [source.directory / split / name for name in names]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            pairs = list(pool.map(lambda path: _read_pair(path, colors, source.labels == "palette"), paths))
        complaints += [pair for pair in pairs if isinstance(pair, str)]
        usable = [(path.stem, *pair) for path, pair in zip(paths, pairs, strict=True) if not isinstance(pair, str)]
        usable, wrong_size = _most_common_size(source.directory / split, usable)
        complaints += wrong_size
        if not usable:
            reasons = "\n".join(complaints[:5])
            raise DataError(
                f"{source.directory / split}: none of its {len(paths)} pictures is a usable pair. Expected is a photo on the "
                f"left and its colour mask on the right, in the colours of classes.csv or else of Cityscapes.\n{reasons}"
            )
        stems, photos, labels = zip(*usable, strict=True)
        splits.append(Split(stems, np.stack(photos), np.stack(labels)))
    return splits[0], splits[1], complaints


def _read_pair(path: Path, colors: np.ndarray, check_colors: bool) -> tuple[np.ndarray, np.ndarray] | str:
    """Photo (H, W, 3) and labels (H, W) of one file, or what is wrong with it."""
    try:
        with open_file(path) as file, Image.open(file, formats=PICTURE_FORMATS) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS:
                return f"{path}: skipped, its header claims {width}x{height} pixels; a pair has at most {LARGEST_PIXELS:,}."
            if image.mode not in EIGHT_BIT_MODES:
                return f"{path}: skipped, its values (mode {image.mode}) are no 8-bit colours. Save it as an ordinary PNG."
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"{path}: skipped, it cannot be read as a picture ({error}). Copy or download it again."
    if width % 2 or width < 2 * 16 or height < 16:
        return (
            f"{path}: skipped, {width}x{height} pixels are no pair; the width must be even, photo and mask being equally wide."
        )
    labels, squared_distances = nearest_color(pixels[:, width // 2 :], colors)
    far_share = float((squared_distances > FAR_LEVELS**2).mean())
    if check_colors and far_share > LARGEST_FAR_SHARE:
        return (
            f"{path}: skipped, {far_share:.0%} of its right half is in none of the palette's colours, so it is no mask, or one "
            f"with other colours. Name the colours in {path.parent.parent / 'classes.csv'} (name,color,ignored)."
        )
    return pixels[:, : width // 2], labels


def _most_common_size(
    folder: Path, pairs: list[tuple[str, np.ndarray, np.ndarray]]
) -> tuple[list[tuple[str, np.ndarray, np.ndarray]], list[str]]:
    if not pairs:
        return [], []
    size, _ = Counter(labels.shape for _, _, labels in pairs).most_common(1)[0]
    complaints = [
        f"{folder / stem}: skipped, its photo has {labels.shape[1]}x{labels.shape[0]} pixels, the others {size[1]}x{size[0]}."
        for stem, _, labels in pairs
        if labels.shape != size
    ]
    return [pair for pair in pairs if pair[2].shape == size], complaints


def _palette(directory: Path, labels: LabelMethod) -> tuple[SegmentationClass, ...]:
    return kmeans_palette(KMEANS_SEED) if labels == "kmeans" else read_palette(directory)


def _picture_names(directory: Path, split: str) -> list[str]:
    folder = directory / split
    problem = folder_problem(folder)
    if problem.startswith("cannot"):
        raise DataError(f"{folder}: {problem}. Mend its permissions.")
    names = [] if problem else [path.name for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES]
    if not names:
        raise DataError(
            f"{folder}: holds no pictures. Expected are {directory}/train/1.jpg and {directory}/val/1.jpg and so on, each with "
            "the photo on the left and its colour mask on the right, as in Kaggle's 'Cityscapes Image Pairs'."
        )
    for name in names:
        if CONTROL.search(name) or len(os.fsencode(Path(name).stem)) > LONGEST_STEM:
            raise DataError(
                f"{folder / name}: its name holds characters that cannot be shown, or more than {LONGEST_STEM} bytes. "
                "Rename it."
            )
    if twice := [stem for stem, count in Counter(Path(name).stem for name in names).items() if count > 1]:
        both = ", ".join(sorted(name for name in names if Path(name).stem == twice[0]))
        raise DataError(f"{folder}: {both} differ only in their ending; rename or remove all but one.")
    return sorted(names, key=lambda name: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)])


def _spread(names: list[str], limit: int | None) -> tuple[str, ...]:
    if limit is None or limit >= len(names):
        return tuple(names)
    return tuple(names[index * len(names) // limit] for index in range(limit))
