"""Photos with label maps in memory, and what every source of them tells before anything is decoded or drawn."""

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas

from compute.data.palette import SegmentationClass
from compute.pictures import write_photo
from compute.unfinished import whole_file

Captions = tuple[tuple[str, ...], ...]  # of each photo, its captions


class LabelledSource(Protocol):
    """What the tables tell of a source of labelled images."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def labels(self) -> str:
        """How its label maps came about."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal digits of all that decides its contents."""

    @property
    def source(self) -> str:
        """Where it comes from, in words."""

    @property
    def license(self) -> str:
        """The license of its pictures."""

    @property
    def dataset(self) -> str:
        """Its key in every table."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Split:
    """One split in memory: file stems, photos (N, H, W, 3) uint8, labels (N, H, W) uint8."""

    stems: tuple[str, ...]
    photos: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Decoded photos and label maps of two splits, and their classes, the scored ones first.

    `hidden` is (N, H, W) uint8 of the validation images: where an object hides one of another class, the class of the topmost
    hidden one, elsewhere 255; None where nobody knows. Captions are one tuple of texts for each photo, None where there are
    none.
    """

    classes: tuple[SegmentationClass, ...]
    train: Split
    val: Split
    hidden: np.ndarray | None = field(default=None, repr=False)
    train_captions: Captions | None = field(default=None, repr=False)
    val_captions: Captions | None = field(default=None, repr=False)

    @property
    def class_count(self) -> int:
        """Number of scored classes; a label of this or more is ignored."""
        return sum(not entry.ignored for entry in self.classes)


def read_splits(path: Path) -> tuple[Split, Split, list[str]] | None:
    """Train, val, and what decoding them complained of, from a file of `write_splits`; None where there is no whole one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, val = (
                Split(tuple(arrays[f"{split}_stems"].tolist()), arrays[f"{split}_photos"], arrays[f"{split}_labels"])
                for split in ("train", "val")
            )
            return train, val, arrays["complaints"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or truncated
        return None


def write_splits(path: Path, train: Split, val: Split, complaints: list[str]) -> None:
    """Write decoded splits and what decoding complained of to one file, whole or not at all."""
    arrays = {"complaints": np.array(complaints, dtype=str)}
    for name, split in (("train", train), ("val", val)):
        arrays |= {f"{name}_stems": np.array(split.stems), f"{name}_photos": split.photos, f"{name}_labels": split.labels}
    with whole_file(path) as unfinished:
        np.savez(unfinished, **arrays)  # type: ignore[arg-type]


def val_image_ids(source: LabelledSource, stems: tuple[str, ...]) -> list[str]:
    """Key of each validation image: its data set, split and file stem."""
    return [f"{source.dataset}/val/{stem}" for stem in stems]


def photo_tables(
    source: LabelledSource, train_count: int, stems: tuple[str, ...], photos: np.ndarray, images: Path
) -> dict[str, pandas.DataFrame]:
    """Rows of `dataset` and `image` for the val photos (N, H, W, 3) uint8 of these stems, which are written below `images`."""
    dataset = source.dataset
    paths = [f"{dataset}/photo/{stem}.jpg" for stem in stems]
    for path, photo in zip(paths, photos, strict=True):
        write_photo(images, path, photo)
    height, width = photos.shape[1:3]
    image = {
        "image_id": val_image_ids(source, stems),
        "dataset": dataset,
        "split": "val",
        "ordinal": range(1, len(stems) + 1),
        "path": paths,
        "width": width,
        "height": height,
        "source": source.source,
        "license": source.license,
        # Of the decoded pixels, so that another version of the JPEG encoder makes no other picture of it.
        "sha256": [hashlib.sha256(photo.tobytes()).hexdigest() for photo in photos],
    }
    return {"dataset": dataset_table(source, train_count, len(stems)), "image": pandas.DataFrame(image)}


def dataset_table(source: LabelledSource, train_count: int, val_count: int) -> pandas.DataFrame:
    """The one row of `dataset`."""
    description = {
        "dataset": source.dataset,
        "name": source.name,
        "labels": source.labels,
        "fingerprint": source.fingerprint,
        "train_images": train_count,
        "val_images": val_count,
        "source": source.source,
        "license": source.license,
    }
    return pandas.DataFrame([description])
