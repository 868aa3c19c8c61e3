"""Pictures of any common kind as upright RGB, and a clear word on those that cannot be.

Pillow reads them all; ordinary JPEGs go through torchvision's decoder where only a tensor is wanted, which is quicker.
"""

import io
import warnings
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from compute.data.errors import DataError
from compute.data.files import open_file

# Whatever the name says; Pillow's readers of rarer formats are easily upset.
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
LARGEST_PIXELS = 100_000_000  # more is a broken or hostile header; 300 MB once decoded
SMALLEST_SIDE_PX = 8
LARGEST_ASPECT = 100  # of a longer strip a classifier sees next to nothing, once it is scaled until its short side fits
TOO_LARGE = f"has, its header says, more than {LARGEST_PIXELS:,} pixels, the most that is decoded. Make it smaller."
SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
UNRANGED_MODES = ("I", "F")  # nothing in the file says which values are black and white
EXIF_ORIENTATION = 0x0112
UPRIGHT = 1
# What turns a picture upright, by its EXIF orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# On odd metadata, without a word on the file; what keeps a picture from being used is an error, and named.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_rgb(path: Path, longest_px: int | None = None) -> Image.Image:
    """Decode `path`, upright as its EXIF says, 16 bits scaled to 8, transparency laid on white.

    Returns an RGB image that carries no metadata. With `longest_px` it is made smaller, never larger, so that neither side
    exceeds that. Raises DataError, naming the file, where it is missing, broken, of no common format, animated, too large,
    tiny, or a strip.
    """
    return _read(path, None, longest_px)[0]


def read_tensor(path: Path) -> Tensor:
    """Decode `path` as `read_rgb` does, in less time: (3, H, W) uint8, in memory by rows, pixels and channels.

    Threads may call it at once. Raises DataError as `read_rgb` does.
    """
    try:
        with open_file(path) as file:
            content = np.fromfile(file, dtype=np.uint8)
    except OSError as error:
        raise _unreadable(path, error) from error
    if _is_ordinary_jpeg(content):
        try:
            return decode_jpeg(torch.from_numpy(content), mode=ImageReadMode.RGB)
        except RuntimeError:
            pass  # Pillow may still read it, or says better what is wrong
    image, _ = _read(path, io.BytesIO(content.data), None)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def displayed_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright picture, once it has been decoded to its end; raises what `read_rgb` raises."""
    return _read(path, None, 1)[1]


def _read(path: Path, content: IO[bytes] | None, longest_px: int | None) -> tuple[Image.Image, tuple[int, int]]:
    try:
        with content or open_file(path) as file, Image.open(file, formats=PICTURE_FORMATS) as image:
            if complaint := _complaint(image):
                raise DataError(f"{path}: {complaint}")
            size, orientation = image.size, _orientation(image)
            if longest_px is not None:
                image.draft(None, (2 * longest_px, 2 * longest_px))  # only JPEGs can be decoded smaller
            upright = _turn(_on_white(image), orientation)
            if longest_px is not None:
                upright.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {TOO_LARGE}") from error
    except Exception as error:  # Pillow's readers raise nearly anything on damaged bytes
        raise _unreadable(path, error) from error
    upright.info.clear()
    return upright, size if orientation < 5 else size[::-1]


def _complaint(image: Image.Image) -> str | None:
    """What keeps an opened picture, of which only the header has been read, from being decoded."""
    width, height = image.size
    if width * height > LARGEST_PIXELS:
        return TOO_LARGE
    if min(width, height) < SMALLEST_SIDE_PX:
        return f"{width}x{height} pixels show nothing; at least {SMALLEST_SIDE_PX} a side are needed. Remove it."
    if max(width, height) > LARGEST_ASPECT * min(width, height):
        return f"{width}x{height} pixels are a strip; a side may be {LARGEST_ASPECT} times the other at most. Cut it."
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # what follows in an MPO, a camera's JPEG, are previews and depth
        return f"holds {frames} frames or pages, and which one is meant it does not say. Save that one by itself."
    if image.mode in UNRANGED_MODES:
        return f"its values (mode {image.mode}) have no known black and white. Save it with 8 or 16 bits a channel."
    return None


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BIT_MODES:
        levels = (np.asarray(image).astype(np.uint32) + 128) // 257  # 65,535 is 255
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    colors = image.convert("RGBA")
    white = Image.new("RGBA", colors.size, "white")
    return Image.alpha_composite(white, colors).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(EXIF_ORIENTATION, UPRIGHT)
    except Exception:  # damaged EXIF says nothing; the picture may be whole
        return UPRIGHT
    return orientation if orientation in TURNS else UPRIGHT


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    return image if orientation == UPRIGHT else image.transpose(TURNS[orientation])


def _is_ordinary_jpeg(content: np.ndarray) -> bool:
    """Whether a file's bytes are an upright JPEG in color or gray, of a size that may be decoded."""
    try:
        with Image.open(io.BytesIO(content.data), formats=("JPEG",)) as image:
            return image.mode in ("RGB", "L") and _complaint(image) is None and _orientation(image) == UPRIGHT
    except Exception:  # `_read` says what is wrong
        return False


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, UnidentifiedImageError):
        reason = f"it is no {', '.join(PICTURE_FORMATS)}"
    else:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DataError(f"{path}: cannot be read as a picture ({reason}). Copy or download it again, or remove it.")
