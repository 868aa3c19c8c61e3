"""Pictures that show one ImageNet class each, from a folder or from the OpenMoji world, and their rows in the tables."""

import functools
import hashlib
import json
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from pathlib import Path

import pandas
from PIL import Image

from compute.data import decode, openmoji_images
from compute.data.errors import DataError
from compute.data.files import LONGEST_NAME, file_digest
from compute.data.image_folder import Listed, list_folder, natural_order
from compute.pictures import write_copy
from compute.unfinished import whole_file

CACHE_VERSION = 1  # counts up when other pictures are taken for usable, or are decoded or copied in another way
COPY_PX = 320
JPEG_END = b"\xff\xd9"
SEVERAL = "stated with each picture"
Check = tuple[int, int, str, str]  # width, height, digest, and what is wrong with the picture, or nothing


@dataclass(frozen=True)
class Picture:
    """A readable picture: `name` is its path below the source's folder, width and height are the upright picture's."""

    path: Path
    name: str
    wnid: str | None
    style: str | None
    form: str | None
    source: str
    author: str | None
    license: str
    sha256: str  # of the file; of the pixels where Contrast drew it, as another encoder makes no other picture of them
    width: int
    height: int


@dataclass(frozen=True)
class ImageSource:
    """Where class images come from; its fingerprint is known before anything is decoded or drawn."""

    name: str
    directory: Path
    fingerprint: str
    source: str
    license: str
    listed: tuple[Listed, ...] = field(repr=False, compare=False)  # in natural order by name
    digests: tuple[str, ...] = field(default=(), repr=False, compare=False)  # of each file; none where they are drawn on demand
    complaints: tuple[str, ...] = field(default=(), repr=False, compare=False)  # on what was left out
    world: tuple[int | None, int, int] | None = None  # classes, pictures per form and style, and seed, where drawn on demand

    @property
    def dataset(self) -> str:
        """Key of the data set in every table: its name and its contents' hash."""
        name = re.sub(r"\W+", "_", self.name).strip("_").lower()[:LONGEST_NAME] or "images"
        return f"{name}-{self.fingerprint[:8]}"


def folder_images(directory: Path) -> ImageSource:
    """Describe a folder of pictures: a manifest.csv, subfolders named by wnid, or files named `wnid_*.jpg`.

    Pictures without a label are taken too. Every file is read for its digest. Raises DataError where the folder is missing or
    holds no picture, or its manifest is malformed.
    """
    listed, complaints = list_folder(directory)
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(file_digest, [directory / entry.name for entry in listed]))
    fingerprint = hashlib.sha256(f"images v{CACHE_VERSION}\n".encode())
    for entry, digest in zip(listed, digests, strict=True):
        fingerprint.update(f"{json.dumps([*astuple(entry), digest])}\n".encode())
    name = re.sub(r"[^\w .-]", "_", directory.resolve().name)
    source, license_ = (_only({getattr(entry, what) for entry in listed}) for what in ("source", "license"))
    return ImageSource(
        name, directory, fingerprint.hexdigest(), source, license_, tuple(listed), tuple(digests), tuple(complaints)
    )


def world_images(cache: Path, class_count: int | None, per_form: int, seed: int) -> ImageSource:
    """Describe class images of the OpenMoji world: of so many classes, or all, `per_form` of each form in each style.

    `load_pictures` draws them into `cache` when they are first needed.
    """
    listed = [entry for _, entry in openmoji_images.listed_images(class_count, per_form)]
    recipe = [f"openmoji classes v{openmoji_images.CLASSES_VERSION}, seed {seed}, images v{CACHE_VERSION}", listed]
    fingerprint = hashlib.sha256(json.dumps(recipe, default=astuple).encode()).hexdigest()
    return ImageSource(
        name="OpenMoji classes",
        directory=cache / f"openmoji_classes-{fingerprint[:8]}",
        fingerprint=fingerprint,
        source=openmoji_images.SOURCE,
        license=openmoji_images.LICENSE,
        listed=tuple(sorted(listed, key=lambda entry: natural_order(entry.name))),
        world=(class_count, per_form, seed),
    )


@functools.lru_cache(maxsize=2)
def load_pictures(source: ImageSource, cache: Path) -> tuple[Picture, ...]:
    """Every readable picture of `source`, in natural order by name; each is decoded once, or known from `cache`.

    Pictures that cannot be used are named in a warning each, and skipped. Raises DataError where none is left.
    """
    if source.world is not None:
        openmoji_images.write_class_images(source.directory, *source.world)
    checked = checked_pictures(source, cache)
    complaints = list(source.complaints)
    pictures = []
    for entry, (width, height, digest, complaint) in zip(source.listed, checked, strict=True):
        path = source.directory / entry.name
        if complaint:
            complaints.append(f"{path}: skipped, {complaint}")
        else:
            pictures.append(Picture(path=path, width=width, height=height, sha256=digest, **vars(entry)))
    if not pictures:
        reasons = "\n".join(complaints[:5])
        raise DataError(f"{source.directory}: none of its {len(source.listed)} pictures can be used.\n{reasons}")
    for complaint in complaints:
        warnings.warn(complaint, stacklevel=2)
    return tuple(pictures)


@functools.lru_cache(maxsize=2)
def picture_tables(source: ImageSource, pictures: tuple[Picture, ...], images: Path) -> dict[str, pandas.DataFrame]:
    """Rows of the tables `dataset` and `image`, which all runs on these pictures share.

    A copy of each, at most COPY_PX a side, is written below `images`, once a process; copies that are there already stay.
    """
    dataset = source.dataset
    paths = [f"{dataset}/photo/{ordinal}.jpg" for ordinal in range(1, len(pictures) + 1)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sizes = list(pool.map(functools.partial(write_shown, images), [picture.path for picture in pictures], paths))
    columns = ("wnid", "style", "form", "source", "author", "license", "sha256")
    image = {
        "image_id": [f"{dataset}/{picture.name}" for picture in pictures],
        "dataset": dataset,
        "split": "val",
        "ordinal": range(1, len(pictures) + 1),
        "path": paths,
        "width": [width for width, _ in sizes],
        "height": [height for _, height in sizes],
        **{column: [getattr(picture, column) for picture in pictures] for column in columns},
    }
    description = {
        "dataset": dataset,
        "name": source.name,
        "labels": "wnid",
        "fingerprint": source.fingerprint,
        "train_images": 0,
        "val_images": len(pictures),
        "source": source.source,
        "license": source.license,
    }
    return {"dataset": pandas.DataFrame([description]), "image": pandas.DataFrame(image)}


def checked_pictures(source: ImageSource, cache: Path) -> list[Check]:
    """What each picture of `source` turned out to be, in their order; only what is new is decoded."""
    cached = cache / f"class_images-{source.fingerprint[:16]}.json"
    try:
        kept = json.loads(cached.read_text(encoding="utf-8"))
        checks = [(int(width), int(height), str(digest), str(complaint)) for width, height, digest, complaint in kept]
        if len(checks) == len(source.listed):
            return checks
    except (OSError, ValueError, TypeError):  # not there, or damaged
        pass
    digests = source.digests or openmoji_images.drawn_digests(source.directory, [entry.name for entry in source.listed])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checks = list(pool.map(_check, [source.directory / entry.name for entry in source.listed], digests))
    damaged = [f"{entry.name}: {check[-1]}" for entry, check in zip(source.listed, checks, strict=True) if check[-1]]
    if source.world is not None and damaged:
        first = f"{source.directory / damaged[0]}"
        raise DataError(f"{first} {len(damaged)} of the {len(checks)} drawn pictures are damaged. {openmoji_images.DRAW_AGAIN}")
    with whole_file(cached) as unfinished:
        unfinished.write_text(json.dumps(checks), encoding="utf-8")
    return checks


def _check(path: Path, digest: str) -> Check:
    try:
        return *decode.displayed_size(path), digest, ""
    except DataError as error:
        return 0, 0, digest, str(error).removeprefix(f"{path}: ")


def write_shown(images: Path, picture: Path, path: str) -> tuple[int, int]:
    """Write a copy of a picture, at most COPY_PX a side, where it is not there yet, and return its width and height."""
    try:
        with (images / path).open("rb") as file:
            file.seek(-2, os.SEEK_END)
            if file.read() == JPEG_END:
                with Image.open(images / path, formats=("JPEG",)) as image:
                    return image.size
    except OSError:  # not there, or damaged
        pass
    copy = decode.read_rgb(picture, COPY_PX)
    write_copy(images, path, copy)
    return copy.size


def _only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else SEVERAL
