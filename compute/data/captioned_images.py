"""Pictures that people, or a world that was drawn, put captions to: object scenes, and folders with a file of captions."""

import functools
import os
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import InterpolationMode, resize

from compute.data import decode
from compute.data.caption_files import SPLITS, Tally
from compute.data.captioned_folder import FolderCaptions
from compute.data.class_images import checked_pictures, write_shown
from compute.data.errors import DataError
from compute.data.labelled_images import Captions, LabelledSource, dataset_table, photo_tables, val_image_ids
from compute.data.object_scenes import ScenesSource, load_scenes

CaptionedSource = LabelledSource  # the tables tell the same of both
LARGEST_FOREIGN_SHARE = 0.2  # of a caption's letters outside ASCII; more is no English with a borrowed word
CANNOT_DECODE = "pictures that cannot be decoded"
FOREIGN = "captions that seem not to be English, though the model knows English words only"
SHARED_WORDS = "captions that several pictures have in the very same words, so that they tie in retrieval"


class Photos:
    """Photos that are decoded when a slice of them is asked for, by several threads, and resized to a square."""

    def __init__(self, read: Callable[[int], Tensor], count: int, size_px: int) -> None:
        self.read, self.count, self.size_px = read, count, size_px

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice) -> np.ndarray:
        """(B, S, S, 3) uint8; raises DataError where a file was damaged since it was checked."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            photos = list(pool.map(self._square, range(*part.indices(self.count))))
        return np.stack(photos) if photos else np.empty((0, self.size_px, self.size_px, 3), np.uint8)

    def _square(self, place: int) -> np.ndarray:
        size = [self.size_px, self.size_px]
        return resize(self.read(place), size, InterpolationMode.BICUBIC, antialias=True).permute(1, 2, 0).numpy()


@dataclass(frozen=True, eq=False)
class CaptionedSplit:
    """One split: the photos' names, photos, of which a slice is (B, S, S, 3) uint8, and at least one caption of each."""

    stems: tuple[str, ...]
    photos: Photos = field(repr=False)
    captions: Captions = field(repr=False)


@dataclass(frozen=True)
class Original:
    """A readable picture of a folder, upright width and height in pixels."""

    path: Path
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class CaptionedImages:
    """Both splits, and what of val the tables need: photos (N, H, W, 3) uint8 as they were drawn, or each picture's file."""

    train: CaptionedSplit
    val: CaptionedSplit
    originals: np.ndarray | tuple[Original, ...] = field(repr=False)


@functools.lru_cache(maxsize=2)
def load(source: CaptionedSource, cache: Path, size_px: int) -> CaptionedImages:
    """The captioned pictures of `source`, to be seen `size_px` square; a folder's are all decoded once, or known from `cache`.

    What is left out of a folder, or odd, is told in one warning. Raises DataError where a split has no usable picture.
    """
    if isinstance(source, ScenesSource):
        return _scenes(source, cache, size_px)
    if isinstance(source, FolderCaptions):
        return _folder(source, cache, size_px)
    raise TypeError(f"{type(source).__name__} is no source of captioned images")


def image_ids(source: CaptionedSource, data: CaptionedImages) -> list[str]:
    """Key of each validation image: its data set, split and name."""
    return val_image_ids(source, data.val.stems)


@functools.lru_cache(maxsize=2)
def tables(source: CaptionedSource, data: CaptionedImages, images: Path) -> dict[str, pandas.DataFrame]:
    """Rows of `dataset`, `image` and `image_caption`, which all runs on these pictures share.

    The validation pictures are written below `images`, once a process; a folder's are at most 320 px a side.
    """
    ids, train_count = image_ids(source, data), len(data.train.stems)
    if isinstance(data.originals, np.ndarray):
        shared = photo_tables(source, train_count, data.val.stems, data.originals, images)
    else:
        shared = _copied_tables(source, train_count, ids, data.originals, images)
    captions = [
        (f"{image_id}#{ordinal}", image_id, ordinal, text)
        for image_id, texts in zip(ids, data.val.captions, strict=True)
        for ordinal, text in enumerate(texts, start=1)
    ]
    frame = pandas.DataFrame(captions, columns=["caption_id", "image_id", "ordinal", "text"])
    return {**shared, "image_caption": frame.assign(dataset=source.dataset, position=range(1, len(captions) + 1))}


def _scenes(source: ScenesSource, cache: Path, size_px: int) -> CaptionedImages:
    scenes = load_scenes(source, cache)

    def split(stems: tuple[str, ...], photos: np.ndarray, captions: Captions | None) -> CaptionedSplit:
        channels_first = torch.from_numpy(photos).permute(0, 3, 1, 2)
        return CaptionedSplit(stems, Photos(channels_first.__getitem__, len(photos), size_px), captions or ())

    train = split(scenes.train.stems, scenes.train.photos, scenes.train_captions)
    val = split(scenes.val.stems, scenes.val.photos, scenes.val_captions)
    return CaptionedImages(train, val, scenes.val.photos)


def _folder(source: FolderCaptions, cache: Path, size_px: int) -> CaptionedImages:
    assert source.pictures is not None
    left_out, odd = Tally(dict(source.left_out.counts), dict(source.left_out.firsts)), Tally()
    usable: dict[str, list[tuple[str, Original, tuple[str, ...]]]] = {split: [] for split in SPLITS}
    rows = zip(source.pictures.listed, checked_pictures(source.pictures, cache), source.captions, strict=True)
    for place, (entry, (width, height, digest, complaint), captions) in enumerate(rows):
        path = source.directory / entry.name
        if complaint:
            left_out.add(CANNOT_DECODE, f"{path}: {complaint}")
        else:
            split = SPLITS[place >= source.train_count]
            usable[split].append((entry.name, Original(path, digest, width, height), captions))
    splits = []
    for split, pictures in usable.items():
        if not pictures:
            raise DataError(
                f"{source.directory}: none of its {split} pictures can be used. Left out were {left_out.sentence()}."
            )
        names, originals, captions_of_each = zip(*pictures, strict=True)
        _count_odd(captions_of_each, odd)
        read = functools.partial(_read, tuple(original.path for original in originals))
        splits.append(CaptionedSplit(names, Photos(read, len(names), size_px), captions_of_each))
    _tell(source, splits, left_out, odd)
    return CaptionedImages(splits[0], splits[1], tuple(original for _, original, _ in usable["val"]))


def _read(paths: tuple[Path, ...], place: int) -> Tensor:
    return decode.read_tensor(paths[place])


def _count_odd(captions: Captions, odd: Tally) -> None:
    """Count the captions of a split that are no English, and those that several pictures share."""
    times = Counter(text.lower() for texts in captions for text in texts)
    for texts in captions:
        for text in texts:
            letters = [letter for letter in text if letter.isalpha()]
            if sum(not letter.isascii() for letter in letters) > LARGEST_FOREIGN_SHARE * len(letters):
                odd.add(FOREIGN, f"'{text}'")
            if times[text.lower()] > 1:
                odd.add(SHARED_WORDS, f"'{text}'")


def _tell(source: FolderCaptions, splits: list[CaptionedSplit], left_out: Tally, odd: Tally) -> None:
    """Warn, in one message, of all that is not as it should be."""
    parts = [f"Left out: {left_out.sentence()}."] if left_out.counts else []
    parts += [f"Kept: {odd.sentence()}."] if odd.counts else []
    parts += [f"It is no UTF-8 and was read as {source.encoding}."] if source.encoding != "UTF-8" else []
    if parts:
        captions = sum(len(texts) for split in splits for texts in split.captions)
        pictures = " and ".join(f"{len(split.stems):,} {name}" for name, split in zip(SPLITS, splits, strict=True))
        warnings.warn(f"{source.file}: {captions:,} captions of {pictures} pictures are used. {' '.join(parts)}", stacklevel=4)


def _copied_tables(
    source: CaptionedSource, train_count: int, ids: list[str], originals: tuple[Original, ...], images: Path
) -> dict[str, pandas.DataFrame]:
    """Rows of `dataset` and `image` for files, of which small copies are written."""
    paths = [f"{source.dataset}/photo/{ordinal}.jpg" for ordinal in range(1, len(ids) + 1)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sizes = list(pool.map(functools.partial(write_shown, images), [each.path for each in originals], paths))
    image = {
        "image_id": ids,
        "dataset": source.dataset,
        "split": "val",
        "ordinal": range(1, len(ids) + 1),
        "path": paths,
        "width": [width for width, _ in sizes],
        "height": [height for _, height in sizes],
        "source": source.source,
        "license": source.license,
        "sha256": [each.sha256 for each in originals],
    }
    return {"dataset": dataset_table(source, train_count, len(ids)), "image": pandas.DataFrame(image)}
