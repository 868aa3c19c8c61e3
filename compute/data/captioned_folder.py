"""Folders of pictures with a file of captions beside them: which pictures are taken, and for which split.

A column `split` decides where the file has one, in VOC's folder the challenge's lists, and else a hash of the file's name,
which puts a fifth of the pictures in val.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from compute.data.caption_files import EXPECTED, SPLITS, Tally, Told, read_captions
from compute.data.class_images import CACHE_VERSION, ImageSource
from compute.data.errors import DataError
from compute.data.files import LONGEST_NAME, file_digest, folder_problem, read_limited
from compute.data.image_folder import FOLDER_SOURCE, NOT_STATED, Listed, natural_order
from compute.data.labelled_images import Captions
from compute.data.voc import PHOTOS, VocSource

VAL_SHARE = 5  # every so many-th picture, by its name's hash
VOC_LISTS = ("ImageSets/Segmentation", "ImageSets/Main")  # the first that names a picture decides
LEADS_OUT = "captions of a file outside the folder"
NOT_THERE = "captions of pictures that are not in the folder"
REPEATED = "captions that repeat another one of their picture"
TWO_SPLITS = "captions of another split than their picture's first one"
Limits = tuple[int | None, int | None]  # pictures of train and of val


@dataclass(frozen=True)
class FolderCaptions:
    """Pictures of a folder with captions; its fingerprint is known before anything is decoded."""

    name: str
    directory: Path
    file: Path
    fingerprint: str
    source: str
    license: str
    labels: str = "captions"
    train_count: int = 0
    pictures: ImageSource | None = field(default=None, repr=False, compare=False)  # of train, then of val
    captions: Captions = field(default=(), repr=False, compare=False)  # of each picture
    encoding: str = field(default="UTF-8", compare=False)
    left_out: Tally = field(default_factory=Tally, repr=False, compare=False)

    @property
    def dataset(self) -> str:
        """Key of the data set in every table: its name and its contents' hash."""
        name = re.sub(r"\W+", "_", self.name).strip("_").lower()[:LONGEST_NAME] or "captioned"
        return f"{name}-{self.fingerprint[:8]}"


@dataclass
class _Picture:
    captions: list[str]
    split: str | None


def folder_captions(directory: Path, file: Path, limits: Limits) -> FolderCaptions:
    """Describe the pictures of `directory` that `file` captions, at most `limits` of them, spread evenly over each split.

    Every picture that is taken is read for its digest. Raises DataError where the folder is missing, the file cannot be used,
    or a split has no picture.
    """
    if problem := folder_problem(directory):
        raise DataError(f"{directory}: {problem}. Name the folder of the pictures that {file} captions.")
    name = re.sub(r"[^\w .-]", "_", directory.resolve().name)
    return _described(directory, file, limits, {}, f"{name} captions", FOLDER_SOURCE, NOT_STATED)


def voc_captions(directory: Path, file: Path, limits: Limits) -> FolderCaptions:
    """The same for VOC 2012's photos; `directory` is its VOC2012 folder, VOCdevkit, or what holds that."""
    candidates = (directory, directory / "VOC2012", directory / "VOCdevkit" / "VOC2012")
    for folder in candidates:
        if os.path.isdir(folder / PHOTOS):
            splits = _voc_splits(folder)
            return _described(
                folder / PHOTOS, file, limits, splits, f"{VocSource.name} captions", VocSource.source, VocSource.license
            )
    raise DataError(f"{directory}: holds no photos of VOC 2012; expected is {candidates[2] / PHOTOS}. Pass --voc DIR.")


def _described(
    directory: Path, file: Path, limits: Limits, splits: Mapping[str, str], name: str, source: str, license_: str
) -> FolderCaptions:
    left_out = Tally()
    told, encoding = read_captions(file, left_out)
    pictures = _gathered(directory, told, left_out)
    if not pictures:
        reasons = left_out.sentence() or "It has no captions at all."
        raise DataError(f"{file}: captions no picture of {directory} that can be used. {reasons} {EXPECTED}")
    names: dict[str, list[str]] = {split: [] for split in SPLITS}
    for picture in sorted(pictures, key=natural_order):
        names[pictures[picture].split or splits.get(PurePosixPath(picture).stem) or _by_hash(picture)].append(picture)
    for split, own in names.items():
        if not own:
            count = len(pictures)
            raise DataError(f"{file}: none of its {count} pictures is for {split}. Add a column split with train and val.")
    taken = {split: _spread(own, limit) for (split, own), limit in zip(names.items(), limits, strict=True)}
    chosen = [picture for own in taken.values() for picture in own]
    with ThreadPoolExecutor() as pool:
        digests = tuple(pool.map(file_digest, [directory / picture for picture in chosen]))
    captions = tuple(tuple(pictures[picture].captions) for picture in chosen)
    contents = json.dumps([chosen, digests, captions, len(taken["train"])])
    fingerprint = hashlib.sha256(f"captions v{CACHE_VERSION}\n{contents}".encode()).hexdigest()
    listed = tuple(Listed(picture, source=source, license=license_) for picture in chosen)
    return FolderCaptions(
        name,
        directory,
        file,
        fingerprint,
        source,
        license_,
        train_count=len(taken["train"]),
        pictures=ImageSource(name, directory, fingerprint, source, license_, listed, digests),
        captions=captions,
        encoding=encoding,
        left_out=left_out,
    )


def _gathered(directory: Path, told: Iterable[Told], left_out: Tally) -> dict[str, _Picture]:
    """Each usable picture by its path below the folder, with its captions in the file's order."""
    pictures: dict[str, _Picture] = {}
    refusals: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for caption in told:
        picture = PurePosixPath(caption.file.replace("\\", "/")).as_posix()  # as Windows writes a path
        if picture not in refusals:
            refusals[picture] = _refusal(directory, picture)
        if refusals[picture]:
            left_out.add(refusals[picture], f"'{caption.file}' in {caption.where}")
            continue
        entry = pictures.setdefault(picture, _Picture([], caption.split))
        if (picture, caption.text.lower()) in seen:
            left_out.add(REPEATED, f"'{caption.file}' in {caption.where}")
            continue
        if caption.split != entry.split:
            left_out.add(TWO_SPLITS, f"'{caption.file}' in {caption.where}")
            continue
        seen.add((picture, caption.text.lower()))
        entry.captions.append(caption.text)
    return pictures


def _refusal(directory: Path, picture: str) -> str:
    """Why a caption of that file cannot be taken, or nothing."""
    path = PurePosixPath(picture)
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(picture).drive:
        return LEADS_OUT
    try:
        picture.encode()
        if not os.path.isfile(directory / picture):
            return NOT_THERE
        inside = (directory / picture).resolve().is_relative_to(directory.resolve())
    except (OSError, ValueError):
        return NOT_THERE
    return "" if inside else LEADS_OUT


def _by_hash(picture: str) -> str:
    return "train" if int(hashlib.sha256(picture.encode()).hexdigest()[:8], 16) % VAL_SHARE else "val"


def _spread(names: list[str], limit: int | None) -> list[str]:
    if limit is None or limit >= len(names):
        return names
    return [names[index * len(names) // limit] for index in range(limit)]


def _voc_splits(folder: Path) -> dict[str, str]:
    """The split of each photo, by its name without ending, that one of VOC's lists names."""
    splits: dict[str, str] = {}
    for lists in VOC_LISTS:
        for split in SPLITS:
            try:
                lines = read_limited(folder / lists / f"{split}.txt").decode("utf-8", "replace").splitlines()
            except OSError:
                continue
            for line in lines:
                splits.setdefault(line.strip(), split)
    return splits
