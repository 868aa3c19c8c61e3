"""Classes with their mask colours, and label maps from colours."""

import csv
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compute.data.errors import CONTROL, DataError, short
from compute.data.files import read_limited

COLOR = re.compile(r"#[0-9a-fA-F]{6}")
LONGEST_CLASS_NAME = 100  # characters
LARGEST_CLASS_COUNT = 250  # indices are bytes, and 255 is kept free
KMEANS_COLOR_COUNT = 1000
KMEANS_CLUSTER_COUNT = 10

# Colours of the Cityscapes data set's own label definition: the 19 classes of its benchmark, then what the benchmark ignores.
CITYSCAPES = (
    ("road", "#804080"), ("sidewalk", "#f423e8"), ("building", "#464646"), ("wall", "#66669c"), ("fence", "#be9999"),
    ("pole", "#999999"), ("traffic light", "#faaa1e"), ("traffic sign", "#dcdc00"), ("vegetation", "#6b8e23"),
    ("terrain", "#98fb98"), ("sky", "#4682b4"), ("person", "#dc143c"), ("rider", "#ff0000"), ("car", "#00008e"),
    ("truck", "#000046"), ("bus", "#003c64"), ("train", "#005064"), ("motorcycle", "#0000e6"), ("bicycle", "#770b20"),
)  # fmt: skip
CITYSCAPES_IGNORED = (
    ("void", "#000000"), ("dynamic", "#6f4a00"), ("ground", "#510051"), ("parking", "#faaaa0"), ("rail track", "#e6968c"),
    ("guard rail", "#b4a5b4"), ("bridge", "#966464"), ("tunnel", "#96785a"), ("caravan", "#00005a"), ("trailer", "#00006e"),
)  # fmt: skip

# PASCAL VOC's classes in the order of their labels, and the label of what it scores as no class.
VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOC_VOID = 255


@dataclass(frozen=True)
class SegmentationClass:
    """A class of a data set: its index in label maps, its name, its colour as #rrggbb, and whether scores leave it out."""

    class_id: int
    name: str
    color: str
    ignored: bool


def read_palette(directory: Path) -> tuple[SegmentationClass, ...]:
    """The classes of `directory`/classes.csv (name,color,ignored), or Cityscapes' where there is none; the scored ones first.

    Raises DataError, naming file and line, where a column is missing, a colour malformed, or a name or colour given twice.
    """
    path = directory / "classes.csv"
    if not os.path.lexists(path):
        scored, ignored = (
            [(*entry, flag) for entry in entries] for entries, flag in ((CITYSCAPES, False), (CITYSCAPES_IGNORED, True))
        )
        return _numbered([*scored, *ignored])
    rows: list[tuple[str, str, bool]] = []
    try:
        table = csv.DictReader(io.StringIO(read_limited(path).decode("utf-8-sig"), newline=""))
        missing = {"name", "color"} - set(table.fieldnames or ())
        if missing:
            raise DataError(f"{path}: no column {', '.join(sorted(missing))}. The first line must read name,color,ignored.")
        for row in table:
            rows.append(_palette_row(path, table.line_num, row, rows))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Copy it again, or remove it.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason}). Save it as UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path}: is no readable CSV ({error}). Save it as 'CSV UTF-8'.") from error
    _check_count(path, rows)
    return _numbered(rows)


def _palette_row(
    path: Path, line: int, row: dict[str, str | None], before: list[tuple[str, str, bool]]
) -> tuple[str, str, bool]:
    name, color = (row["name"] or "").strip(), (row["color"] or "").strip().lower()
    ignored = (row.get("ignored") or "false").strip().lower()
    if not name:
        raise DataError(f"{path}, line {line}: the name is empty.")
    if len(name) > LONGEST_CLASS_NAME or CONTROL.search(name):
        raise DataError(
            f"{path}, line {line}: the name '{short(name)}' has more than {LONGEST_CLASS_NAME} characters, or one that cannot "
            "be shown. Write another."
        )
    if not COLOR.fullmatch(color):
        raise DataError(f"{path}, line {line}: colour '{short(color)}' of '{name}' is not of the form #rrggbb.")
    if ignored not in ("true", "false"):
        raise DataError(f"{path}, line {line}: ignored is '{short(ignored)}' for '{name}', but must be true or false.")
    for what, value, taken in (("name", name, [r[0] for r in before]), ("colour", color, [r[1] for r in before])):
        if value in taken:
            raise DataError(f"{path}, line {line}: the {what} {value} is given more than once; each class needs its own.")
    return name, color, ignored == "true"


def _check_count(path: Path, rows: list[tuple[str, str, bool]]) -> None:
    scored = sum(not ignored for _, _, ignored in rows)
    if scored < 2:
        raise DataError(f"{path}: {scored} classes are scored, but a segmentation needs at least 2 with ignored false.")
    if len(rows) > LARGEST_CLASS_COUNT:
        raise DataError(f"{path}: {len(rows)} classes, but label maps of bytes hold at most {LARGEST_CLASS_COUNT}.")


def _numbered(rows: list[tuple[str, str, bool]]) -> tuple[SegmentationClass, ...]:
    scored_first = sorted(rows, key=lambda row: row[2])  # stable: the order within each group stays
    return tuple(SegmentationClass(class_id, *row) for class_id, row in enumerate(scored_first))


def kmeans_palette(seed: int) -> tuple[SegmentationClass, ...]:
    """The notebook's ten "classes": centres of k-means on 1,000 random colours, which know nothing of any class."""
    from sklearn.cluster import KMeans  # imported here because it takes a second and only this label method needs it

    colors = np.random.default_rng(seed).integers(0, 256, size=(KMEANS_COLOR_COUNT, 3))
    centers = KMeans(n_clusters=KMEANS_CLUSTER_COUNT, n_init=1, random_state=seed).fit(colors).cluster_centers_
    return tuple(
        SegmentationClass(cluster, f"cluster {cluster}", "#{:02x}{:02x}{:02x}".format(*center), ignored=False)
        for cluster, center in enumerate(centers.round().astype(int).tolist())
    )


def voc_classes() -> tuple[SegmentationClass, ...]:
    """PASCAL VOC's 21 classes and its void, in the colours of its own masks (`VOClabelcolormap` of the development kit)."""
    scored = [SegmentationClass(label, name, _voc_color(label), ignored=False) for label, name in enumerate(VOC_NAMES)]
    return (*scored, SegmentationClass(VOC_VOID, "void", _voc_color(VOC_VOID), ignored=True))


def _voc_color(label: int) -> str:
    # Bits 0, 1, 2 of the label are the highest bits of red, green and blue, bits 3, 4, 5 the second highest, and so on.
    channels = [sum((label >> 3 * place + channel & 1) << 7 - place for place in range(3)) for channel in range(3)]
    return "#{:02x}{:02x}{:02x}".format(*channels)


def color_values(classes: tuple[SegmentationClass, ...]) -> np.ndarray:
    """Colours as numbers: (classes, 3) float32, 0 to 255."""
    return np.array([list(bytes.fromhex(entry.color[1:])) for entry in classes], dtype=np.float32)


def mask_palette(classes: tuple[SegmentationClass, ...]) -> np.ndarray:
    """Colours of the labels that stand in masks: (largest class_id + 1, 3) float32, 0 to 255, black where no class is."""
    colors = np.zeros((max(entry.class_id for entry in classes) + 1, 3), dtype=np.float32)
    colors[[entry.class_id for entry in classes]] = color_values(classes)
    return colors


def nearest_color(pixels: np.ndarray, colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest colour and the squared distance to it, the lower index where two are equally near.

    pixels: (H, W, 3) uint8, colors: (C, 3) float32 -> (H, W) uint8 and (H, W) float32. Every product of bytes is exact in
    float32, so that one matrix product finds the same class as the written-out distance.
    """
    values = pixels.reshape(-1, 3).astype(np.float32)
    partial = values @ (-2.0 * colors.T) + (colors**2).sum(axis=1)  # the pixel's own square is the same for all colours
    indices = partial.argmin(axis=1)
    distances = partial[np.arange(len(partial)), indices] + (values**2).sum(axis=1)
    return indices.astype(np.uint8).reshape(pixels.shape[:2]), distances.reshape(pixels.shape[:2])
