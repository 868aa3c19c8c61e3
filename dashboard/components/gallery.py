"""Picture grids: thumbnails of photos with masks laid over them, in pages, one of which a person can open."""

import base64
import functools
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas
import streamlit
from PIL import Image

from dashboard.connection import is_latest
from dashboard.kept import lacking

COLOR = re.compile(r"#[0-9a-fA-F]{6}")
THUMBNAIL_PX = 192  # the longer side
LARGEST_MASK_PX = 512
SHOWN = "shown_results"  # in the session: those that the page was drawn on
MOST_KEPT = 500  # pictures of each kind, some kilobytes each
MISSING = ""  # stands for a picture that should be there and cannot be read
LARGEST_PIXELS = 64_000_000
HERE = Path(__file__).parent
# Both right (the photo shows through), only A right, only B right, both wrong, not scored.
FOUR_WAY_COLORS = ((0, 0, 0, 0), (42, 120, 184, 255), (232, 146, 58, 255), (58, 42, 72, 255), (0, 0, 0, 0))

# Neither number is non-zero, only one is, both are.
AND_OR_COLORS = ((38, 32, 44), (226, 176, 210), (184, 90, 158))


@dataclass(frozen=True)
class Cell:
    """One picture of a row: a photo, a mask, or a photo under a mask; the text below it and the words for who cannot see it."""

    caption: str
    alt: str
    photo: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class Row:
    """Pictures that belong together, under a title; `key` is what a person opens."""

    key: str
    title: str
    cells: list[Cell] = field(default_factory=list)


_component = streamlit.components.v2.component(
    "contrast_gallery",
    html='<div class="gallery"></div>',
    css=(HERE / "gallery.css").read_text(),
    js=(HERE / "keys.js").read_text() + (HERE / "gallery.js").read_text(),
)


def show(
    rows: list[Row],
    key: str,
    opacity: float,
    aspect: float = 1.0,
    cell_width_rem: float = 8,
    framed: bool = True,
    legends: dict[str, dict[str, str]] | None = None,
    on_open: Callable[[str], None] | None = None,
) -> None:
    """Draw rows of pictures of one aspect ratio (width by height), and call `on_open` with a row's key when a person picks it.

    A picture is at least `cell_width_rem` wide; what does not fit beside the others goes below them. Below all rows stand the
    `legends`: by title, the color of each name, left out where it is not of the form #rrggbb.
    """
    row_keys = {row.key for row in rows}  # what is called later is kept for the whole session: without the pictures

    def opened() -> None:
        row_key = streamlit.session_state[key].get("opened")
        if on_open is not None and row_key in row_keys:
            on_open(row_key)

    pictures: dict[str, int] = {}  # each is sent once, however many cells show it
    data = {
        "version": str(hash(repr((rows, legends)))),
        "opacity": opacity,
        "aspect": aspect,
        "cellWidth": f"{cell_width_rem}rem",
        "framed": framed,
        "clickable": on_open is not None,
        "rows": [
            {"id": row.key, "title": row.title, "cells": [_cell_data(cell, pictures) for cell in row.cells]} for row in rows
        ],
        "pictures": list(pictures),
        "legends": [
            {"title": title, "entries": [[name[:60], color] for name, color in colors.items() if COLOR.fullmatch(color)]}
            for title, colors in (legends or {}).items()
        ],
    }
    if any(MISSING in (cell.photo, cell.mask) for row in rows for cell in row.cells):
        draw_anew_where_replaced()
    _component(key=key, data=data, on_opened_change=opened)


def draw_anew_where_replaced() -> None:
    """Draw the page on the file as it is now, where that is not the one that it was drawn on.

    With a run that was replaced went its pictures.
    """
    shown = streamlit.session_state.get(SHOWN)
    if shown is not None and not is_latest(shown):
        streamlit.rerun()


def _cell_data(cell: Cell, pictures: dict[str, int]) -> dict[str, str | int | None]:
    """What gallery.js draws of a cell: pictures by their number in `pictures`, to which new ones are added."""
    photo, mask = (pictures.setdefault(url, len(pictures)) if url else None for url in (cell.photo, cell.mask))
    missing = "picture missing" if MISSING in (cell.photo, cell.mask) else ""
    return {"caption": cell.caption, "alt": cell.alt, "photo": photo, "mask": mask, "missing": missing}


def aspect_ratio(pictures: pandas.DataFrame) -> float:
    """Width by height of the first of some pictures; 1 where there are none."""
    return float(pictures.width.iloc[0] / pictures.height.iloc[0]) if len(pictures) else 1.0


def hexadecimal(color: tuple[int, ...]) -> str:
    """A color of numbers as #rrggbb; what follows the third is left out."""
    return "#{:02x}{:02x}{:02x}".format(*color[:3])


def find_picture(images: Path, relative: str | None) -> Path | None:
    """The file below `images` that results name, or None where there is none or the path leads elsewhere."""
    if not isinstance(relative, str) or not relative:  # in rows that are joined, no path is a number
        return None
    folder = os.path.realpath(images)
    try:
        path = os.path.realpath(os.path.join(folder, relative))
    except ValueError:  # a NUL byte
        return None
    if path.startswith(folder + os.sep) and os.path.isfile(path):
        return Path(path)
    lacking()
    return None


def photo_url(path: Path | None, longest_px: int = THUMBNAIL_PX) -> str:
    """A photo as a JPEG data URL no larger than `longest_px`; MISSING where it cannot be read."""
    return _said_if_lacking(_photo_url(path, _modified_ns(path), longest_px)) if path else MISSING


@functools.lru_cache(maxsize=MOST_KEPT)
def _photo_url(path: Path, modified_ns: int, longest_px: int) -> str:
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > LARGEST_PIXELS:
                return MISSING
            image.draft("RGB", (longest_px, longest_px))  # lets a JPEG decode at a fraction of its size
            photo = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return MISSING
    photo.thumbnail((longest_px, longest_px))
    return _data_url(photo, "jpeg", quality=72)  # half the size of the stored one, and written faster than WebP


def mask_url(path: Path | None) -> str:
    """A mask in its palette's colours as a PNG data URL; MISSING where it cannot be read."""
    return _said_if_lacking(_mask_url(path, _modified_ns(path))) if path else MISSING


@functools.lru_cache(maxsize=MOST_KEPT)
def _mask_url(path: Path, modified_ns: int) -> str:
    try:
        with Image.open(path, formats=("PNG",)) as image:  # reads its head only
            if image.mode == "P" and max(image.size) <= LARGEST_MASK_PX:
                return _address(path.read_bytes(), "png")  # small enough to be shown as it is
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return MISSING
    indices, palette = _read_mask(path, modified_ns)
    return MISSING if indices is None else _indexed_url(indices, palette)


def four_way_url(truth: Path | None, mask_a: Path | None, mask_b: Path | None, class_count: int) -> str:
    """Where both masks are right, only A, only B, or neither, as a PNG data URL; MISSING where one of them cannot be read."""
    paths = (truth, mask_a, mask_b)
    if any(path is None for path in paths):
        return MISSING
    return _said_if_lacking(_four_way_url(paths, tuple(_modified_ns(path) for path in paths if path), class_count))


@functools.lru_cache(maxsize=MOST_KEPT)
def _four_way_url(paths: tuple[Path, ...], modified_ns: tuple[int, ...], class_count: int) -> str:
    true, a, b = (_read_mask(path, modified)[0] for path, modified in zip(paths, modified_ns, strict=True))
    if true is None or a is None or b is None or not true.shape == a.shape == b.shape:
        return MISSING
    return _indexed_url(four_way(true, a, b, class_count), [value for color in FOUR_WAY_COLORS for value in color], mode="RGBA")


def four_way(truth: np.ndarray, mask_a: np.ndarray, mask_b: np.ndarray, class_count: int) -> np.ndarray:
    """Index into FOUR_WAY_COLORS of each pixel: three (H, W) uint8 -> (H, W) uint8.

    A truth of `class_count` or more is not scored.
    """
    outcome = 2 * (mask_a != truth).astype(np.uint8) + (mask_b != truth)  # 0 both right, 1 only A, 2 only B, 3 neither
    return np.where(truth < class_count, outcome, 4).astype(np.uint8)


def and_or_url(truth: Path | None, mask: Path | None, constant_class: int = 0) -> str:
    """What the notebook's metric sees, as a PNG data URL: both class numbers non-zero, only one, or neither.

    The prediction is `mask`, or `constant_class` everywhere where that is None. MISSING where a mask cannot be read.
    """
    true = mask_classes(truth)
    if true is None:
        return MISSING
    predicted = mask_classes(mask) if mask else np.full_like(true, constant_class)
    if predicted is None or predicted.shape != true.shape:
        return MISSING
    seen = (true != 0).astype(np.uint8) + (predicted != 0)
    return _indexed_url(seen.astype(np.uint8), [value for color in AND_OR_COLORS for value in color])


def mask_classes(path: Path | None) -> np.ndarray | None:
    """The class of each pixel of a mask, (H, W) uint8; None where it cannot be read."""
    classes = _read_mask(path, _modified_ns(path))[0] if path else None
    if path and classes is None:
        lacking()
    return classes


def _said_if_lacking(url: str) -> str:
    """The address of a picture; of a file that cannot be read, as while it is being copied, it is said that it is lacking."""
    if url == MISSING:
        lacking()
    return url


def _modified_ns(path: Path) -> int:
    """When a file was written; 0 where it is gone since it was found, as a run's pictures are when the run is replaced."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _read_mask(path: Path, modified_ns: int) -> tuple[np.ndarray | None, list[int]]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode != "P" or image.width * image.height > LARGEST_PIXELS:
                return None, []
            return np.asarray(image), image.getpalette() or []
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, []


def _indexed_url(indices: np.ndarray, palette: list[int], mode: str = "RGB") -> str:
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    image.putpalette(palette, mode)
    if max(image.size) > LARGEST_MASK_PX:
        image.thumbnail((LARGEST_MASK_PX, LARGEST_MASK_PX), Image.Resampling.NEAREST)
    return _data_url(image, "png", compress_level=1)


def data_url(image: Image.Image) -> str:
    """A small picture as a PNG data URL."""
    return _data_url(image, "png", compress_level=1)


def _data_url(image: Image.Image, kind: str, **options: int) -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return _address(buffer.getvalue(), kind)


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
