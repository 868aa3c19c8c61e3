"""PASCAL VOC 2012's segmentation photos and masks, as the challenge ships them.

A folder holds `JPEGImages/*.jpg`, `SegmentationClass/*.png` (palette PNGs whose values are the labels, 255 void) and
`ImageSets/Segmentation/{train,val}.txt`, which list the photos of each split. It is the layout that
`torchvision.datasets.VOCSegmentation` reads, and the object scenes are drawn into it as well.
"""

import functools
import hashlib
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from compute.data.errors import DataError
from compute.data.files import file_digest, open_file, read_limited
from compute.data.labelled_images import LabelledImages, Split, read_splits, write_splits
from compute.data.palette import VOC_NAMES, VOC_VOID, voc_classes

SPLITS = ("train", "val")
PHOTOS, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
STEM = re.compile(r"\w[\w.-]*")  # no separator, so that no list leads out of the folder
LARGEST_PIXELS = 64_000_000  # of one photo; more is a broken or hostile header
CACHE_VERSION = 1  # counts up when decoding changes
HOW_TO_GET_IT = (
    "Download VOCtrainval_11-May-2012.tar (2 GB) from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/, unpack it, and pass "
    "--voc DIR, where DIR holds VOCdevkit."
)


@dataclass(frozen=True)
class VocSource:
    """Where VOC's pictures come from; its fingerprint is known before anything is decoded."""

    directory: Path  # the folder VOC2012 itself
    image_size_px: int
    stems: tuple[tuple[str, ...], tuple[str, ...]]  # of the train and of the val photos, in their lists' order
    fingerprint: str
    name: str = "VOC 2012"
    labels: str = "masks"
    source: str = "PASCAL VOC 2012 (host.robots.ox.ac.uk/pascal/VOC)"
    license: str = "Flickr's terms of use; see the challenge's page"

    @property
    def dataset(self) -> str:
        """Key of the data set in every table: its name and its contents' hash."""
        return f"voc_2012-{self.fingerprint[:8]}"


def voc_source(directory: Path, image_size_px: int) -> VocSource:
    """Describe VOC 2012 at `image_size_px` square; `directory` is its VOC2012 folder, VOCdevkit, or what holds that.

    Raises DataError where the folder or a list of a split is missing, empty or malformed.
    """
    if image_size_px < 1:
        raise DataError(f"VOC's pictures cannot be {image_size_px} px wide; the size must be 1 or more.")
    folder = _voc_folder(directory)
    train, val = (listed_stems(folder, split, HOW_TO_GET_IT) for split in SPLITS)
    digest = hashlib.sha256(f"voc v{CACHE_VERSION} {image_size_px} px".encode())
    paths = [path for split, stems in zip(SPLITS, (train, val), strict=True) for path in _files(folder, stems)]
    with ThreadPoolExecutor() as pool:
        for path, of_file in zip(paths, pool.map(file_digest, paths), strict=True):
            digest.update(f"{path.parent.name}/{path.name} {of_file}\n".encode())
    digest.update(f"{len(train)} + {len(val)}".encode())
    return VocSource(folder, image_size_px, (train, val), digest.hexdigest())


@functools.lru_cache(maxsize=1)
def load_voc(source: VocSource, cache: Path) -> LabelledImages:
    """Decode photos and masks of `source`, or read them from `cache` where these contents were decoded before.

    The shorter side is resized to `image_size_px` and the middle cut out, labels by the nearest pixel. A photo or mask that
    is missing or broken is named in a warning, and the pair skipped. Raises DataError where a split has no usable pair.
    """
    train, val = load_splits(source.directory, source.stems, source.image_size_px, cache / f"voc-{source.fingerprint[:16]}.npz")
    return LabelledImages(voc_classes(), train, val)


def load_splits(
    folder: Path, stems: tuple[tuple[str, ...], tuple[str, ...]], image_size_px: int, cached: Path
) -> tuple[Split, Split]:
    """Train and val of a folder in VOC's layout, `image_size_px` square, from the file `cached` or else decoded into it.

    What is skipped is named in a warning; DataError where nothing of a split is usable.
    """
    found = read_splits(cached)
    if found is None:
        found = _decode(folder, stems, image_size_px)
        write_splits(cached, *found)
    train, val, complaints = found
    for complaint in complaints:
        warnings.warn(complaint, stacklevel=3)
    return train, val


def listed_stems(folder: Path, split: str, remedy: str) -> tuple[str, ...]:
    """The photos' names without ending that `folder` lists for `split`; DataError, with the remedy, where it does not."""
    path = folder / LISTS / f"{split}.txt"
    try:
        lines = read_limited(path).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the list of the {split} photos cannot be read ({error}). {remedy}") from error
    stems = tuple(line.strip() for line in lines if line.strip())
    if not stems:
        raise DataError(f"{path}: lists no photos. {remedy}")
    for stem in stems:
        if not STEM.fullmatch(stem):
            raise DataError(f"{path}: '{stem[:80]}' is no name of a photo. Each line is one, as 2007_000032. {remedy}")
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise DataError(f"{path}: lists {twice} more than once. Remove all but one, or copy the list again.")
    return stems


def _voc_folder(directory: Path) -> Path:
    candidates = (directory, directory / "VOC2012", directory / "VOCdevkit" / "VOC2012")
    for folder in candidates:
        if os.path.isdir(folder / MASKS) or os.path.isdir(folder / PHOTOS):
            missing = [name for name in (PHOTOS, MASKS, LISTS) if not os.path.isdir(folder / name)]
            if missing:
                raise DataError(f"{folder}: holds no folder {', '.join(missing)}, so it is no whole VOC 2012. {HOW_TO_GET_IT}")
            return folder
    raise DataError(f"{directory}: holds no VOC 2012; expected is {candidates[2] / PHOTOS} and so on. {HOW_TO_GET_IT}")


def _files(folder: Path, stems: tuple[str, ...]) -> list[Path]:
    return [folder / kind / f"{stem}{suffix}" for stem in stems for kind, suffix in ((PHOTOS, ".jpg"), (MASKS, ".png"))]


def _decode(folder: Path, stems: tuple[tuple[str, ...], tuple[str, ...]], image_size_px: int) -> tuple[Split, Split, list[str]]:
    complaints: list[str] = []
    splits = []
    for split, names in zip(SPLITS, stems, strict=True):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            pairs = list(pool.map(lambda stem: _read_pair(folder, stem, image_size_px), names))
        complaints += [pair for pair in pairs if isinstance(pair, str)]
        usable = [(stem, *pair) for stem, pair in zip(names, pairs, strict=True) if not isinstance(pair, str)]
        if not usable:
            reasons = "\n".join(complaints[:5])
            raise DataError(f"{folder}: none of the {len(names)} photos of {split}.txt is usable.\n{reasons}")
        kept, photos, labels = zip(*usable, strict=True)
        splits.append(Split(kept, np.stack(photos), np.stack(labels)))
    return splits[0], splits[1], complaints


def _read_pair(folder: Path, stem: str, size_px: int) -> tuple[np.ndarray, np.ndarray] | str:
    """Photo (S, S, 3) and labels (S, S), or what is wrong with them."""
    photo_path, mask_path = _files(folder, (stem,))
    path = photo_path
    try:
        with open_file(photo_path) as photo_file, Image.open(photo_file, formats=["JPEG"]) as photo:
            path = mask_path
            with open_file(mask_path) as mask_file, Image.open(mask_file, formats=["PNG"]) as mask:
                if photo.size != mask.size:
                    return (
                        f"{mask_path}: skipped, it has {_size(mask)} pixels, but its photo has {_size(photo)}. Copy both again."
                    )
                if photo.width * photo.height > LARGEST_PIXELS:
                    return (
                        f"{photo_path}: skipped, its header claims {_size(photo)} pixels; at most {LARGEST_PIXELS:,} are read."
                    )
                if mask.mode not in ("P", "L"):
                    return f"{mask_path}: skipped, its pixels are colours ({mask.mode}) and not the labels of a palette PNG."
                labels = np.asarray(_square(mask, size_px, Image.Resampling.NEAREST))
                path = photo_path
                pixels = np.asarray(_square(photo.convert("RGB"), size_px, Image.Resampling.BILINEAR))
    except FileNotFoundError:
        return f"{path}: skipped, the list names it, but it is not there. Copy it again, or unpack the archive anew."
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"{path}: skipped, it cannot be read as a picture ({error}). Copy it again, or unpack the archive anew."
    if (strange := labels[(labels >= len(VOC_NAMES)) & (labels != VOC_VOID)]).size:
        return f"{mask_path}: skipped, it holds the label {strange[0]}; VOC's are 0 to {len(VOC_NAMES) - 1} and {VOC_VOID}."
    return pixels, labels


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"


def _square(image: Image.Image, size_px: int, resampling: Image.Resampling) -> Image.Image:
    """The middle of the picture whose shorter side is scaled to `size_px`; photo and mask are cut at the same place."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((size_px, size_px), resampling, box=(left, top, left + side, top + side))
