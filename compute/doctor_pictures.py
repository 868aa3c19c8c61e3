"""Says whether the pictures that results name are there, below their folder, readable, of the size and content stored."""

import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
from PIL import Image

from compute.merge_pictures import is_confined, printable

MOST_PIXELS = 2**26  # of a mask that is read: more than any picture the experiments keep
MISSING = "copy the pictures from where the file is from, or name their folder with --images"
Size = tuple[int, int]
Found = tuple[str | None, str, str, str]  # run_id, table, what is wrong, what mends it


def examine_pictures(connection: duckdb.DuckDBPyConnection, images: Path) -> tuple[int, list[Found]]:
    """How many pictures the tables image and segmentation_mask name, and what is wrong with them, by run and kind.

    Of every mask of a scored epoch the pixels are counted again.
    """
    named = connection.execute(
        """SELECT NULL AS run_id, 'photo' AS kind, NULL AS epoch, image_id, path, width, height FROM image
           UNION ALL SELECT run_id, 'mask', epoch, image_id, m.path, width, height
           FROM segmentation_mask m JOIN image USING (image_id) ORDER BY run_id NULLS FIRST, epoch, path"""
    ).fetchall()
    folder = images.resolve()
    wrong: dict[tuple[str | None, str], list[str]] = defaultdict(list)
    masks: dict[tuple[str | None, int | None], dict[str, Path]] = defaultdict(dict)
    for run_id, kind, epoch, image_id, path, width, height in named:
        if complaint := _complaint(folder, path, (width, height)):
            wrong[run_id, complaint].append(printable(path))
        elif kind == "mask":
            masks[run_id, epoch][image_id] = folder / path
    found: list[Found] = [
        (run_id, "pictures", f"{complaint}: {paths[0]}{f' and {len(paths) - 1} more' * (len(paths) > 1)}", MISSING)
        for (run_id, complaint), paths in wrong.items()
    ]
    truth = masks.pop((None, None), {})
    for (run_id, epoch), paths in masks.items():
        if run_id is not None and (unlike := list(_unlike_counts(connection, run_id, epoch, paths, truth))):
            told = f"masks must have the pixels that segmentation_score counts, in {len(unlike)} they differ: {unlike[0]}"
            found.append((run_id, "pictures", told, MISSING))
    return len(named), found


def _complaint(folder: Path, path: str, size: Size) -> str:
    """What is wrong with the file of a picture; empty where nothing is."""
    if not is_confined(path) or not (folder / path).resolve().is_relative_to(folder):
        return f"leads out of {folder}"
    if not (folder / path).is_file():
        return f"is not below {folder}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # only the header is read
            with Image.open(folder / path, formats=("JPEG", "PNG")) as picture:
                found = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "is no readable JPEG or PNG"
    return "" if found == size else f"has {found[0]}x{found[1]} pixels instead of {size[0]}x{size[1]}"


def _unlike_counts(
    connection: duckdb.DuckDBPyConnection, run_id: str, epoch: int | None, paths: dict[str, Path], truth: dict[str, Path]
) -> Iterable[str]:
    """Images whose mask and true mask, counted again, do not give the rows of segmentation_score."""
    rows = connection.execute(
        """SELECT image_id, class_id, intersection, predicted, truth FROM segmentation_score
           WHERE run_id = ? AND epoch = ? ORDER BY image_id, class_id""",
        [run_id, epoch],
    ).fetchall()
    counted: dict[str, dict[int, Size | tuple[int, ...]]] = defaultdict(dict)
    for image_id, class_id, *counts in rows:
        counted[image_id][class_id] = tuple(counts)
    for image_id, path in paths.items():
        if image_id in truth and image_id in counted and _counts(path, truth[image_id], counted[image_id]) is False:
            yield printable(image_id)


def _counts(predicted_mask: Path, true_mask: Path, counted: dict[int, Size | tuple[int, ...]]) -> bool:
    """Whether two masks give these counts; a true pixel of a class that is not counted is left out."""
    try:
        predicted, truth = (_labels(path) for path in (predicted_mask, true_mask))
    except (OSError, ValueError, SyntaxError):
        return False
    scored = np.isin(truth, list(counted))
    right = np.bincount(truth[scored & (truth == predicted)], minlength=256)
    called, true = np.bincount(predicted[scored], minlength=256), np.bincount(truth[scored], minlength=256)
    return all((right[each], called[each], true[each]) == counts for each, counts in counted.items())


def _labels(path: Path) -> np.ndarray:
    """Class indices (H, W) uint8 of a palette PNG; raises ValueError where it is none."""
    with Image.open(path, formats=("PNG",)) as picture:
        if picture.mode not in ("P", "L") or picture.width * picture.height > MOST_PIXELS:
            raise ValueError("no mask")
        return np.asarray(picture)
