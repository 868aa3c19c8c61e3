"""Folders of pictures with ImageNet classes: what is in them and what each picture is said to show.

Three layouts are read: a `manifest.csv` beside the pictures (file,wnid and, as one likes, source,author,license,style), one
subfolder per class named by its wnid, and files named `wnid_*.jpg`.
"""

import csv
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from compute.data.errors import DataError, short
from compute.data.files import folder_problem, read_limited

MANIFEST = "manifest.csv"
NEEDED_COLUMNS = ("file", "wnid")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
WNID = re.compile(r"n[0-9]{8}")
WNID_FIRST = re.compile(r"(n[0-9]{8})(?![0-9A-Za-z])")
FOLDER_SOURCE = "a folder of pictures"
NOT_STATED = "not stated"
EXPECTED = (
    "Expected are pictures in one subfolder per class (n01440764/*.jpg, also below val/), files named by their class "
    "(n01440764_*.jpg), or a manifest.csv with the columns file,wnid and, as you like, source,author,license,style."
)


@dataclass(frozen=True)
class Listed:
    """A picture as its folder or manifest describes it; `name` is its path below the folder, with slashes."""

    name: str
    wnid: str | None = None
    style: str | None = None
    form: str | None = None
    source: str = FOLDER_SOURCE
    author: str | None = None
    license: str = NOT_STATED


def list_folder(directory: Path) -> tuple[list[Listed], list[str]]:
    """Everything in `directory` that should be a picture, in natural order by name, and what was left out and why.

    A manifest decides where there is one. Raises DataError where the folder is missing, holds no picture, or its manifest
    cannot be read, lacks a column, names a file twice or no usable file.
    """
    if problem := folder_problem(directory):
        raise DataError(f"{directory}: {problem}. {EXPECTED}")
    if os.path.lexists(directory / MANIFEST):
        listed, complaints = _read_manifest(directory)
    else:
        listed, complaints = _walk(directory)
    return sorted(listed, key=lambda entry: natural_order(entry.name)), complaints


def natural_order(name: str) -> tuple[list[int | str], str]:
    """Sorting key that puts 2.jpg before 10.jpg."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)], name


def _walk(directory: Path) -> tuple[list[Listed], list[str]]:
    """Pictures by layout; the class is the nearest folder's that is named by a wnid, or else the file name's first part."""
    complaints: list[str] = []
    listed = []
    outermost = directory.resolve().name
    for path in _picture_paths(directory, complaints):
        name = path.relative_to(directory).as_posix()
        try:
            name.encode()
        except UnicodeEncodeError:  # tables hold Unicode only
            readable = os.fsencode(name).decode("utf-8", "replace")
            complaints.append(f"{directory}/{readable}: skipped, its name is not UTF-8. Rename it.")
            continue
        folders = [part for part in (outermost, *PurePosixPath(name).parts[:-1]) if WNID.fullmatch(part)]
        first = WNID_FIRST.match(path.name)
        wnid = folders[-1] if folders else first.group(1) if first else None
        listed.append(Listed(name, wnid))
    if not listed:
        raise DataError("\n".join([f"{directory}: holds no pictures. {EXPECTED}", *complaints[:5]]))
    return listed, complaints


def _picture_paths(directory: Path, complaints: list[str]) -> Iterator[Path]:
    """Every picture file below `directory`. Links are followed, as people make parts of ImageNet of them, but in no circle.

    That they lead elsewhere is a complaint, for who was sent a folder may not know of it.
    """
    visited, linked = set(), list[Path]()
    inside = directory.resolve()

    def complain(error: OSError) -> None:
        complaints.append(f"{error.filename}: left out, it cannot be read ({error.strerror}). Mend its permissions.")

    for folder, subfolders, names in os.walk(directory, onerror=complain, followlinks=True):
        real_folder = Path(os.path.realpath(folder))
        visited.add(str(real_folder))
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".") and os.path.realpath(os.path.join(folder, name)) not in visited
        ]
        if Path(folder) == directory and {"train", "val"} <= set(subfolders):
            subfolders.remove("train")
            complaints.append(
                f"{directory}/train: left out, since models are judged by val/ beside it. Name train/ itself to have it taken."
            )
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES:
                path = Path(folder, name)
                real = Path(os.path.realpath(path)) if os.path.islink(path) else real_folder
                if not real.is_relative_to(inside):
                    linked.append(path)
                yield path
    if linked:
        complaints.append(
            f"{linked[0]}: is elsewhere, where a link leads, and so are {len(linked) - 1} more pictures of the folder. They "
            "are taken; remove the links if that is not meant."
        )


def _read_manifest(directory: Path) -> tuple[list[Listed], list[str]]:
    manifest = directory / MANIFEST
    lines: dict[str, int] = {}
    listed, complaints = [], []
    for line, row in _manifest_rows(manifest):
        entry = _listed(directory, row)
        if isinstance(entry, str):
            complaints.append(f"{manifest}, line {line}: skipped, {entry}")
            continue
        if entry.name in lines:
            raise DataError(
                f"{manifest}, line {line}: '{entry.name}' is in line {lines[entry.name]} already; a picture has one row. "
                "Remove one of the two."
            )
        lines[entry.name] = line
        listed.append(entry)
    if not listed:
        reasons = complaints[:5] or ["It has no rows below its header."]
        raise DataError("\n".join([f"{manifest}: names no picture that can be used.", *reasons]))
    return listed, complaints


def _manifest_rows(manifest: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows of the file; cells that are missing are empty, and all but the file's name are stripped."""
    try:
        text = read_limited(manifest).decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{manifest}: cannot be read ({error.strerror}). Mend its permissions or copy it again.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{manifest}: is not UTF-8 text (byte {error.start} is {error.object[error.start]:#04x}). Save it as 'CSV UTF-8'."
        ) from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [column.strip().lower() for column in next(rows, [])]
        if missing := [column for column in NEEDED_COLUMNS if column not in columns]:
            named = short(", ".join(columns)) or "none"
            raise DataError(
                f"{manifest}: lacks the column {' and '.join(missing)}; its first line names {named}. "
                "It must be file,wnid and, as you like, source,author,license,style, separated by commas."
            )
        for cells in rows:
            if any(cell.strip() for cell in cells):
                filled = cells + [""] * (len(columns) - len(cells))
                row = dict(zip(columns, filled, strict=False))
                yield rows.line_num, {column: cell if column == "file" else cell.strip() for column, cell in row.items()}
    except csv.Error as error:
        raise DataError(f"{manifest}, line {rows.line_num}: is no CSV ({error}). Save it as 'CSV UTF-8'.") from error


def _listed(directory: Path, row: dict[str, str]) -> Listed | str:
    """The picture that a row of the manifest describes, or what is wrong with the row."""
    file, wnid = row["file"], row["wnid"]
    if not file:
        return "its column file is empty. Name a picture below the folder."
    if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
        return f"'{short(file)}' is no path below the folder. Name a file in it, such as photos/1.jpg."
    if not os.path.isfile(directory / file):
        return f"there is no file '{short(file)}'. Copy it there, or remove the row."
    if not (directory / file).resolve().is_relative_to(directory.resolve()):
        return f"'{short(file)}' is a link that leads out of the folder. Put the file itself there."
    if wnid and not WNID.fullmatch(wnid):
        return f"'{short(wnid)}' is no wnid. Write n and eight digits, such as n01440764 for a tench, or nothing where unknown."
    given = {column: row[column] for column in ("style", "source", "author", "license") if row.get(column)}
    return Listed(PurePosixPath(file).as_posix(), wnid or None, **given)
