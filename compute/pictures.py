"""Writing pictures below `images/`, each whole or not at all."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from compute.unfinished import whole_file

JPEG_OPTIONS = {"quality": 80, "optimize": True}  # small files matter: the published pictures are cloned with the code


def write_photo(images: Path, path: str, pixels: np.ndarray) -> str:
    """Write (H, W, 3) uint8 as JPEG to `images`/`path`, and return the file's SHA-256."""
    return _write(images / path, Image.fromarray(pixels), **JPEG_OPTIONS)


def write_copy(images: Path, path: str, image: Image.Image) -> str:
    """Write an RGB image that is shown small as JPEG to `images`/`path`, and return the file's SHA-256."""
    return _write(images / path, image, **JPEG_OPTIONS)


def write_mask(images: Path, path: str, labels: np.ndarray, colors: np.ndarray) -> str:
    """Write class indices (H, W) uint8 as a PNG with the classes' `colors` (C, 3) as palette, and return its SHA-256."""
    height, width = labels.shape
    image = Image.frombytes("P", (width, height), labels.tobytes())
    image.putpalette(colors.astype(np.uint8).tobytes())
    return _write(images / path, image, optimize=True)


def _write(target: Path, image: Image.Image, **options: Any) -> str:
    with whole_file(target) as unfinished:
        image.save(unfinished, **options)
        return hashlib.sha256(unfinished.read_bytes()).hexdigest()
