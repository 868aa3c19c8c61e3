"""Decoding: every kind of picture comes out as upright RGB, and what cannot is named with a remedy."""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from compute.data.decode import displayed_size, read_rgb, read_tensor
from compute.data.errors import DataError

DATA = Path(os.environ.get("CONTRAST_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PHOTOS = DATA / "imagenet_samples"
# torchvision announces that its decoders will move to another package one day; pytest undoes what decode.py ignores.
pytestmark = pytest.mark.filterwarnings(
    "ignore:The image decoding:DeprecationWarning",
    "ignore::UserWarning:PIL",
    "ignore::PIL.Image.DecompressionBombWarning",
)

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 60), (40, 60, 200), (255, 255, 255)


def corners(height: int = 32, width: int = 48) -> np.ndarray:
    """Red, green, blue and white quarters, from the upper left to the lower right: (H, W, 3) uint8."""
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    pixels[height // 2 :, : width // 2], pixels[height // 2 :, width // 2 :] = BLUE, WHITE
    return pixels


def png(width: int, height: int, depth: int, color_type: int, rows: bytes) -> bytes:
    """A PNG of unfiltered `rows`, which may be fewer than its header claims."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    body = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def read_both(path: Path) -> np.ndarray:
    """What both ways of reading give, (H, W, 3), and that they agree, also on the size."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning, module=r"compute")
        image, tensor = read_rgb(path), read_tensor(path)
    assert (image.mode, image.info) == ("RGB", {})
    assert displayed_size(path) == image.size
    pixels = np.asarray(image)
    assert tensor.dtype.is_signed is False
    assert tuple(tensor.shape) == (3, image.height, image.width)
    assert np.abs(tensor.permute(1, 2, 0).numpy().astype(int) - pixels).mean() <= 2
    return pixels


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


# Where the stored rows begin and where the stored columns begin, as the EXIF standard words it.
@pytest.mark.parametrize(
    ("orientation", "first_row", "first_column"),
    [
        (1, "top", "left"),
        (2, "top", "right"),
        (3, "bottom", "right"),
        (4, "bottom", "left"),
        (5, "left", "top"),
        (6, "right", "top"),
        (7, "right", "bottom"),
        (8, "left", "bottom"),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_rotated_pictures_are_turned_upright(
    tmp_path: Path, orientation: int, first_row: str, first_column: str, suffix: str
) -> None:
    stored = corners()
    if "bottom" in (first_row, first_column):
        stored = stored[::-1]
    if "right" in (first_row, first_column):
        stored = stored[:, ::-1]
    if first_row in ("left", "right"):
        stored = stored.transpose(1, 0, 2)
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif(orientation), quality=95, subsampling=0)
    pixels = read_both(path)
    assert pixels.shape == (32, 48, 3)
    assert np.abs(pixels.astype(int) - corners()).mean() < 3


def test_orientations_that_do_not_exist_and_damaged_exif_leave_a_picture_as_it_is(tmp_path: Path) -> None:
    for number, data in enumerate((exif(9).tobytes(), exif(0).tobytes(), b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0junk")):
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(corners()).save(path, exif=data, quality=95)
        assert np.abs(read_both(path).astype(int) - corners()).mean() < 4


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".gif", ".tif"])
def test_every_common_format_is_read_whatever_its_name_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(corners()).save(path, quality=95)
    for name in ("picture.jpeg", "picture", "picture.txt"):
        (tmp_path / name).write_bytes(path.read_bytes())
        assert np.abs(read_both(tmp_path / name).astype(int) - corners()).mean() < 4


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "RGBA", "LA", "RGBX"])
def test_every_color_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = {"CMYK": ".jpg", "YCbCr": ".tif", "RGBX": ".tif"}.get(mode, ".png")
    path = tmp_path / f"picture{suffix}"
    original = Image.fromarray(corners()).convert(mode)
    original.save(path, quality=95)
    expected = np.asarray(original.convert("RGB")).astype(int)
    assert np.abs(read_both(path) - expected).mean() < 5


def test_a_cmyk_jpeg_of_photoshops_kind_is_not_inverted(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(path, quality=95)
    assert b"Adobe" in path.read_bytes()  # which means that 255 is stored where there is no ink
    assert np.abs(read_both(path).astype(int) - (0, 255, 255)).max() < 5


def test_gray_with_16_bits_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.repeat(np.array([0, 100, 257, 25700, 32768, 65278, 65535], dtype=np.uint16), 10).reshape(7, 10)
    expected = np.array([0, 0, 1, 100, 128, 254, 255])
    for name in ("gray.png", "gray.tif"):
        Image.fromarray(np.repeat(ramp, 2, axis=0)).save(tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.mode == "I;16"
        assert np.array_equal(read_both(tmp_path / name)[::2, 0], np.stack([expected] * 3, axis=1))
    swapped = tmp_path / "motorola.tif"
    content = struct.pack(">2sHI", b"MM", 42, 8) + struct.pack(">H", 9)
    tags = {256: 10, 257: 14, 258: 16, 259: 1, 262: 1, 273: 200, 277: 1, 278: 14, 279: 280}
    content += b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items()) + struct.pack(">I", 0)
    swapped.write_bytes(content.ljust(200, b"\0") + np.repeat(ramp, 2, axis=0).astype(">u2").tobytes())
    assert np.array_equal(read_both(swapped)[::2, 0], np.stack([expected] * 3, axis=1))


def test_color_with_16_bits_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    row = np.tile(np.array([0, 25700, 65535], dtype=">u2"), 9)
    (tmp_path / "color.png").write_bytes(png(9, 8, 16, 2, (b"\0" + row.tobytes()) * 8))
    assert np.array_equal(read_both(tmp_path / "color.png"), np.broadcast_to(np.array([0, 100, 255]), (8, 9, 3)))


def _half_seen(path: Path) -> None:
    pixels = np.dstack([corners(), np.full((32, 48), 255, dtype=np.uint8)])
    pixels[:16, :24, 3] = 0
    pixels[16:, :24, 3] = 128
    Image.fromarray(pixels).save(path, lossless=True)


def _palette_with_a_clear_color(path: Path) -> None:
    image = Image.fromarray(corners()).quantize(4)
    clear = image.getpixel((0, 0))
    image.save(path, transparency=clear)


def _palette_with_alpha(path: Path) -> None:
    image = Image.fromarray(corners()).quantize(4)
    alpha = [255] * 4
    alpha[image.getpixel((0, 0))], alpha[image.getpixel((0, 31))] = 0, 128
    image.save(path, transparency=bytes(alpha))


@pytest.mark.parametrize(
    ("save", "name", "lower_left"),
    [
        (_half_seen, "rgba.png", (147, 157, 227)),
        (_half_seen, "rgba.webp", (147, 157, 227)),
        (_palette_with_a_clear_color, "clear.png", BLUE),
        (_palette_with_a_clear_color, "clear.gif", BLUE),
        (_palette_with_alpha, "alpha.png", (147, 157, 227)),
        (lambda path: Image.fromarray(corners()).save(path, transparency=RED), "color_key.png", BLUE),
    ],
)
def test_transparency_is_laid_on_white(
    tmp_path: Path, save: Callable[[Path], None], name: str, lower_left: tuple[int, int, int]
) -> None:
    save(tmp_path / name)
    pixels = read_both(tmp_path / name).astype(int)
    assert np.abs(pixels[8, 8] - 255).max() <= 2
    assert np.abs(pixels[24, 8] - lower_left).max() <= 4
    assert np.abs(pixels[8, 40] - GREEN).max() <= 4


def test_transparent_gray_is_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 2), dtype=np.uint8)
    pixels[:8, :, 1], pixels[8:, :, 1] = 0, 255
    Image.fromarray(pixels, "LA").save(tmp_path / "gray.png")
    assert read_both(tmp_path / "gray.png")[[0, 15], 0].tolist() == [[255, 255, 255], [0, 0, 0]]


def _frames(path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, GREEN, BLUE)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# Direct Draw Surface with unknown pixel format flags: Pillow recognises the format whatever the name, and gives up.
BROKEN_DDS = b"DDS " + struct.pack("<31I", 124, 0x1007, 32, 64, 0, 0, 0, *[0] * 11, 32, *[0] * 12)
UNKNOWN = (
    r"cannot be read as a picture \(it is no JPEG, PNG, WEBP, BMP, GIF, TIFF\)\. Copy or download it again, or remove it\."
)
UNREADABLE = r"cannot be read as a picture \(.+\)\. Copy or download it again, or remove it\."


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("truncated.jpg", _truncated, UNREADABLE),
        ("truncated.png", _truncated, UNREADABLE),
        ("truncated.webp", _truncated, UNREADABLE),
        ("truncated.gif", _truncated, UNREADABLE),
        ("truncated.tif", _truncated, UNREADABLE),
        ("text.jpg", lambda path: path.write_text("a page that says: not found"), UNKNOWN),
        ("empty.jpg", lambda path: path.write_bytes(b""), UNKNOWN),
        ("missing.jpg", lambda path: None, r"cannot be read as a picture \(No such file or directory\)"),
        ("folder.jpg", lambda path: path.mkdir(), r"cannot be read as a picture \(Is a directory\)"),
        ("other_format.jpg", lambda path: Image.new("RGB", (16, 16)).save(path, format="PPM"), UNKNOWN),
        ("dds.jpg", lambda path: path.write_bytes(BROKEN_DDS), UNKNOWN),
        ("postscript.jpg", lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), UNKNOWN),
        ("no_data.png", lambda path: path.write_bytes(png(64, 32, 8, 2, b"")), UNREADABLE),
        ("bomb.png", lambda path: path.write_bytes(png(100_000, 100_000, 8, 2, b"")), "more than 100,000,000 pixels, the most"),
        ("large.png", lambda path: path.write_bytes(png(10_001, 10_000, 8, 2, b"")), "more than 100,000,000 pixels, the most"),
        ("film.gif", _frames, "holds 3 frames or pages, and which one is meant it does not say. Save that one by itself."),
        ("film.webp", _frames, "holds 3 frames or pages"),
        ("film.png", _frames, "holds 3 frames or pages"),
        ("pages.tif", _frames, "holds 3 frames or pages"),
        ("one.png", lambda path: Image.new("RGB", (1, 1)).save(path), "1x1 pixels show nothing; at least 8 a side are needed"),
        ("line.jpg", lambda path: Image.new("RGB", (64, 7)).save(path), "64x7 pixels show nothing"),
        ("strip.jpg", lambda path: Image.new("RGB", (20_000, 10)).save(path), "20000x10 pixels are a strip; a side may be 100"),
        ("floats.tif", lambda path: Image.new("F", (16, 16)).save(path), r"values \(mode F\) have no known black and white"),
        ("integers.tif", lambda path: Image.new("I", (16, 16)).save(path), r"values \(mode I\) have no known black and white"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [read_rgb, read_tensor, displayed_size])
def test_what_cannot_be_used_is_named_with_a_remedy(
    tmp_path: Path, name: str, spoil: Callable[[Path], None], reason: str, read: Callable[[Path], object]
) -> None:
    spoil(tmp_path / name)
    with pytest.raises(DataError, match=reason) as caught:
        read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert str(caught.value).endswith(".")


def test_a_cameras_jpeg_with_previews_is_the_first_of_its_frames(tmp_path: Path) -> None:
    preview = Image.new("RGB", (24, 16), RED)
    Image.fromarray(corners()).save(tmp_path / "camera.jpg", "MPO", save_all=True, append_images=[preview], quality=95)
    with Image.open(tmp_path / "camera.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    assert np.abs(read_both(tmp_path / "camera.jpg").astype(int) - corners()).mean() < 4


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize(
    ("size", "longest_px", "expected"),
    [
        ((640, 480), 320, (320, 240)),
        ((480, 640), 320, (240, 320)),
        ((320, 200), 320, (320, 200)),
        ((40, 30), 320, (40, 30)),
        ((900, 9), 320, (320, 3)),
        ((900, 9), 50, (50, 1)),
        ((3000, 2000), 320, (320, 213)),
    ],
)
def test_pictures_are_made_smaller_and_never_larger(
    tmp_path: Path, suffix: str, size: tuple[int, int], longest_px: int, expected: tuple[int, int]
) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(corners(size[1], size[0])).save(path, quality=95)
    image = read_rgb(path, longest_px)
    assert image.size == expected
    assert displayed_size(path) == size
    if min(expected) > 8:
        quarters = [image.getpixel((x * expected[0] // 4, y * expected[1] // 4)) for y in (1, 3) for x in (1, 3)]
        assert np.abs(np.array(quarters) - (RED, GREEN, BLUE, WHITE)).max() < 8


def test_a_huge_rotated_photo_is_read_whole_and_small(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    Image.fromarray(corners(4000, 6000)).save(path, exif=exif(6))
    assert displayed_size(path) == (4000, 6000)
    assert tuple(read_tensor(path).shape) == (3, 6000, 4000)
    small = read_rgb(path, 320)
    assert small.size == (213, 320)
    assert np.abs(np.array(small.getpixel((200, 10))) - RED).max() < 8  # the upper left corner, turned to the right


def _encoded(format_name: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {} if format_name in ("BMP", "GIF") else {"exif": exif(6)}
    Image.fromarray(corners()).save(buffer, format_name, **metadata)
    return buffer.getvalue()


ENCODED = {name: _encoded(name) for name in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    format_name=st.sampled_from(sorted(ENCODED)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    kept_share=st.floats(0.2, 1),
)
def test_damaged_bytes_give_a_picture_or_a_word_and_all_readers_agree_which(
    tmp_path: Path, format_name: str, changes: list[tuple[float, int]], kept_share: float
) -> None:
    content = bytearray(ENCODED[format_name])
    for place, value in changes:
        content[int(place * len(content))] = value
    path = tmp_path / "damaged"
    path.write_bytes(content[: int(kept_share * len(content))])
    words = set()
    for read in (displayed_size, read_rgb, read_tensor):
        try:
            read(path)
            words.add("a picture")
        except DataError as error:
            words.add(str(error))
    assert len(words) == 1
    assert words == {"a picture"} or words.pop().startswith(f"{path}: ")


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"needs the real photos in {PHOTOS}")
def test_both_ways_of_reading_agree_on_real_photos_from_any_thread() -> None:
    paths = sorted(PHOTOS.glob("*.jpg"))
    with ThreadPoolExecutor(4) as pool:
        tensors = list(pool.map(read_tensor, paths))
    for path, tensor in zip(paths, tensors, strict=True):
        assert np.abs(tensor.permute(1, 2, 0).numpy().astype(int) - np.asarray(read_rgb(path))).mean() <= 2, path
