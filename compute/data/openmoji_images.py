"""Folders of class images drawn from the OpenMoji world, to judge classifiers by."""

import csv
import functools
import hashlib
import itertools
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

from compute.data.errors import DataError
from compute.data.image_folder import MANIFEST, Listed
from compute.data.openmoji_classes import CLASSES_VERSION, STYLES, VALIDATION_START, class_wnids, draw_class_image, forms
from compute.unfinished import whole_folder

__all__ = ["CLASSES_VERSION", "DRAW_AGAIN", "LICENSE", "SOURCE", "drawn_digests", "listed_images", "write_class_images"]

SOURCE = "Composed by Contrast from OpenMoji's drawings (openmoji.org)"
AUTHOR = "OpenMoji contributors"
LICENSE = "CC BY-SA 4.0"
COLUMNS = ("file", "wnid", "style", "form", "source", "author", "license", "sha256")
JPEG_QUALITY = 95
DRAW_AGAIN = "Remove the folder, and its pictures are drawn again."
README = """# OpenMoji world: class images

Pictures of ImageNet classes in several styles, 160x160, in one folder per class, which is named by the class's WordNet id.
`manifest.csv` tells each picture's style and form, and the SHA-256 of its pixels before they were compressed.

The drawings are by [OpenMoji](https://openmoji.org/), the open-source emoji and icon project, licensed
[CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). They were scaled, turned, recolored and set on grounds of
our own. These pictures are therefore licensed CC BY-SA 4.0 as well.
"""


def chosen_classes(count: int | None) -> tuple[str, ...]:
    """As many of the classes that have drawings, or with None all, in ascending order.

    Classes of several forms come first; the others are spread evenly.
    """
    every = class_wnids()
    if count is None or count >= len(every):
        return every
    several = [wnid for wnid in every if len(forms(wnid)) > 1][:count]
    single = [wnid for wnid in every if wnid not in several]
    wanted = count - len(several)
    return tuple(sorted([*several, *(single[number * len(single) // wanted] for number in range(wanted))]))


def listed_images(class_count: int | None, per_form: int) -> list[tuple[int, Listed]]:
    """The pictures of so many classes, each with its index among the drawings: `per_form` of each form in each style.

    More of either only adds pictures to those of fewer.
    """
    return [
        (
            VALIDATION_START + number,
            Listed(f"{wnid}/{style.replace(' ', '_')}_{form}_{number + 1}.jpg", wnid, style, form, SOURCE, AUTHOR, LICENSE),
        )
        for wnid in chosen_classes(class_count)
        for style in STYLES
        for form in forms(wnid)
        for number in range(per_form)
    ]


def write_class_images(directory: Path, class_count: int | None, per_form: int, seed: int) -> None:
    """Draw `listed_images` into `directory`, with manifest.csv and README.md; a folder that exists already is left as it is.

    Pictures are gathered in a temporary folder beside it that takes the final name at the end, so an interrupted call leaves
    nothing under that name.
    """
    if directory.exists():
        return
    classes: dict[str | None, list[tuple[int, Listed]]] = defaultdict(list)
    for index, entry in listed_images(class_count, per_form):
        classes[entry.wnid].append((index, entry))
    with whole_folder(directory) as partial:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # a class at a time, or two threads would prepare the same drawing
            rows_of_classes = list(pool.map(functools.partial(_draw_class, partial, seed), classes.values()))
        with (partial / MANIFEST).open("w", newline="", encoding="utf-8") as file:
            manifest = csv.writer(file, lineterminator="\n")
            manifest.writerow(COLUMNS)
            manifest.writerows(itertools.chain.from_iterable(rows_of_classes))
        (partial / "README.md").write_text(README, encoding="utf-8")


def drawn_digests(directory: Path, names: list[str]) -> list[str]:
    """SHA-256 of each picture's pixels as they were drawn; raises DataError where the manifest does not tell them."""
    manifest = directory / MANIFEST
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            digests = {row["file"]: row["sha256"] for row in csv.DictReader(file)}
        return [digests[name] for name in names]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{manifest}: is missing or damaged. {DRAW_AGAIN}") from error


def _draw_class(directory: Path, seed: int, indexed: list[tuple[int, Listed]]) -> list[tuple[str | None, ...]]:
    """Draw the pictures of one class, and return their rows of the manifest."""
    rows = []
    for index, entry in indexed:
        image = draw_class_image(seed, index, str(entry.wnid), str(entry.style), str(entry.form))
        path = directory / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=JPEG_QUALITY, subsampling=0)  # full color resolution keeps thin lines clean
        rows.append((*astuple(entry), hashlib.sha256(image.tobytes()).hexdigest()))
    return rows
