"""Renditions of class drawings: color on plain or textured ground, pen lines, silhouettes, and turned drawings."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from compute.data.openmoji.colors import Color, mix
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.grounds import DARK_COLORS, LIGHT_COLORS, PAPERS, PLAIN_COLORS, cover, graded, paper, textured
from compute.data.openmoji.layers import colors, halo, lines, silhouette
from compute.data.openmoji.textures import TEXTURES

PLAIN, TEXTURED, LINE, SILHOUETTE, ROTATED = STYLES = (
    "color on plain", "color on texture", "black line", "silhouette", "rotated",
)  # fmt: skip
SIZE_PX = 160
LETTERED = frozenset("🛑🚏🏧🎰📙")  # never mirrored
WOBBLES = 8  # fields of small shifts that make lines look drawn by hand
WOBBLE_PX = 4
QUALITIES = ["", "", "", "", "", "", "blurry", "dark", "bright", "low resolution"]
INKED_QUALITIES = [quality for quality in QUALITIES if quality not in ("dark", "bright")]
GRAINS = 6


@dataclass(frozen=True)
class Plan:
    """What one picture shows, as far as a caption may speak of it.

    `extent` is about the share of the frame's width that the drawing takes, `place` says where (in words) it is, and
    `quality` is one of QUALITIES.
    """

    character: str
    style: str
    form: str
    extent: float
    angle_degrees: float
    place: str
    ground: Color
    texture: int | None
    quality: str
    covered: bool


def plan(dice: Dice, characters: Sequence[str], style: str, form: str) -> Plan:
    """Decide on one picture in one of STYLES of any of `characters`, which are drawings of the same form."""
    texture = None
    if style == TEXTURED:
        texture = dice.integer(0, len(TEXTURES))
        ground, place = (0, 0, 0), TEXTURES[texture].phrase
    elif style == LINE:
        ground, place = dice.pick(PAPERS), "on paper"
    elif style == SILHOUETTE and dice.chance(0.25):
        ground, place = dice.pick(DARK_COLORS), "on a dark background"
    else:
        name, ground = dice.pick(LIGHT_COLORS if style == SILHOUETTE else PLAIN_COLORS)
        place = f"on {'an' if name[0] == 'o' else 'a'} {name} background"
    tilt = dice.uniform(-12, 12) if dice.chance(0.6) else 0.0
    return Plan(
        character=dice.pick(characters),
        style=style,
        form=form,
        extent=dice.uniform(0.5, 0.95),
        angle_degrees=dice.uniform(60, 300) if style == ROTATED else tilt,
        place=place,
        ground=ground,
        texture=texture,
        quality=dice.pick(INKED_QUALITIES if style in (LINE, SILHOUETTE) else QUALITIES),
        covered=dice.chance(0.18),
    )


class Placement:
    """Where a drawing is on its picture: mirrored or not, turned, scaled, and moved."""

    def __init__(self, dice: Dice, plan: Plan, size_px: int) -> None:
        self.mirror = dice.chance(0.5) and plan.character not in LETTERED
        self.angle_degrees = plan.angle_degrees
        shape = self._turned(colors(plan.character).getchannel("A"))
        left, top, right, bottom = shape.getbbox() or (0, 0, *shape.size)
        width, height = right - left, bottom - top
        longer, shorter = max(width, height), min(width, height)
        # Slim drawings are drawn longer than square ones, else they would show too little.
        self.scale = size_px * min(plan.extent / (0.75 * longer + 0.25 * shorter), 0.97 / longer)
        cut = 0.12 * shorter * self.scale if dice.chance(0.12) else 0.0  # some things are cut off by the frame
        x = dice.uniform(-cut, size_px - width * self.scale + cut)
        y = dice.uniform(-cut, size_px - height * self.scale + cut)
        self.corner = round(x - left * self.scale), round(y - top * self.scale)

    def _turned(self, layer: Image.Image) -> Image.Image:
        if self.mirror:
            layer = ImageOps.mirror(layer)
        # Nearest pixels are found in integer arithmetic, the same on every machine.
        return layer.rotate(self.angle_degrees, Image.Resampling.NEAREST, expand=True) if self.angle_degrees else layer

    def of(self, layer: Image.Image) -> Image.Image:
        """The layer as it goes on the picture at `corner`; all layers of one drawing have the same size."""
        fine = 2 * self.scale  # turned at twice the scale, so that shrinking it smooths the edges
        size = max(2, round(layer.width * fine)), max(2, round(layer.height * fine))
        return self._turned(layer.resize(size, Image.Resampling.BILINEAR)).reduce(2)


def _recolored(dice: Dice, picture: Image.Image) -> Image.Image:
    """The RGB drawing with slightly other hues, brightness and balance; blacks stay black."""
    red, green, blue = picture.split()
    turned = Image.merge("RGB", dice.pick([(green, blue, red), (blue, red, green)]))
    # Sixteenths are exact in binary, so that every machine rounds the blend alike.
    picture = Image.blend(picture, turned, dice.integer(0, 4) / 16)
    light = dice.uniform(0.78, 1.1)
    table: list[int] = []
    for _ in range(3):
        gain = light * dice.uniform(0.92, 1.08)
        table += [min(255, round(level * gain)) for level in range(256)]
    return picture.point(table)


def _paint_colors(dice: Dice, plan: Plan, ground: Image.Image, placement: Placement) -> None:
    drawing = placement.of(colors(plan.character))
    alpha = drawing.getchannel("A")
    dark_ground = sum(plan.ground) < 300 and plan.texture is None
    if dice.chance(0.4):
        shadow = alpha.point([level * 90 // 255 for level in range(256)]).filter(ImageFilter.GaussianBlur(2.5))
        x, y = placement.corner
        ground.paste((20, 22, 30), (x + dice.integer(-5, 6), y + dice.integer(2, 7)), shadow)
    if dark_ground or dice.chance(0.25):
        ground.paste((250, 250, 248), placement.corner, placement.of(halo(plan.character)))
    ground.paste(_recolored(dice, drawing.convert("RGB")), placement.corner, alpha)


@cache
def _wobble(number: int) -> np.ndarray:
    """(2, 512, 512) shifts down and across in pixels, int32, smooth and at most WOBBLE_PX."""
    coarse = Dice(29, number).generator.integers(0, 256, (2, 12, 12), np.uint8)
    fields = [np.asarray(Image.fromarray(field).resize((512, 512), Image.Resampling.BICUBIC), np.int32) for field in coarse]
    return (np.stack(fields) - 128) * WOBBLE_PX // 128


@cache
def _grain(number: int) -> Image.Image:
    """L mask, 512 px square, of paper grain as a pencil shows it."""
    levels = Dice(31, number).generator.integers(0, 256, (256, 256), np.uint8)
    grain = Image.fromarray(levels).resize((512, 512), Image.Resampling.BILINEAR)
    return grain.point([min(255, 110 + level * 3 // 2) for level in range(256)])


def _hand_drawn(dice: Dice, character: str, bold: bool) -> Image.Image:
    """The drawing's lines as a hand would draw them: slightly off, in ink or pencil, sometimes gone over twice."""
    mask = np.asarray(lines(character, bold))
    height, width = mask.shape
    strokes = Image.new("L", (width, height))
    for _ in range(2 if dice.chance(0.25) else 1):
        down, across = _wobble(dice.integer(0, WOBBLES))[:, :height, :width]
        rows = np.clip(down + np.arange(height)[:, None], 0, height - 1)
        columns = np.clip(across + np.arange(width), 0, width - 1)
        strokes = ImageChops.lighter(strokes, Image.fromarray(mask[rows, columns]))
    if dice.chance(0.3):
        left, top = dice.integer(0, 512 - width + 1), dice.integer(0, 512 - height + 1)
        grain = _grain(dice.integer(0, GRAINS)).crop((left, top, left + width, top + height))
        strokes = ImageChops.multiply(strokes, grain)
    return strokes


def _paint_lines(dice: Dice, plan: Plan, ground: Image.Image, placement: Placement) -> None:
    bold = plan.extent < 0.75 or dice.chance(0.4)
    gray = dice.integer(12, 76)
    ground.paste((gray, gray, gray + 4), placement.corner, placement.of(_hand_drawn(dice, plan.character, bold)))


def _paint_silhouette(dice: Dice, plan: Plan, ground: Image.Image, placement: Placement) -> None:
    light_on_dark = sum(plan.ground) < 300
    ink = mix((255, 255, 255), dice.pick(LIGHT_COLORS)[1], 0.5) if light_on_dark else dice.pick(DARK_COLORS)
    ground.paste(ink, placement.corner, placement.of(silhouette(plan.character)))


def _finished(dice: Dice, picture: Image.Image, quality: str) -> Image.Image:
    """Lens blur, light and sensor noise."""
    size = picture.size
    if quality == "low resolution":
        picture = picture.reduce(2).resize(size, Image.Resampling.BILINEAR)
    elif quality == "blurry":
        picture = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.9, 1.5)))
    elif dice.chance(0.3):
        picture = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 0.6)))
    low, high = {"dark": (0.55, 0.7), "bright": (1.1, 1.22)}.get(quality, (0.86, 1.06))
    pixels = np.asarray(picture, np.float32) * np.float32(dice.uniform(low, high))
    noise = dice.generator.integers(0, 256, pixels.shape, np.uint8).astype(np.float32) - np.float32(127.5)
    pixels += noise * np.float32(dice.uniform(0.01, 0.1))
    return Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))


def draw(dice: Dice, plan: Plan, size_px: int = SIZE_PX) -> Image.Image:
    """Paint the planned picture, RGB and `size_px` square; `dice` goes on where plan() left it."""
    inked = plan.style in (LINE, SILHOUETTE)
    if plan.texture is not None:
        picture = textured(dice, plan.texture, size_px)
    elif plan.style == LINE:
        picture = paper(dice, plan.ground, size_px)
    else:
        picture = graded(dice, plan.ground, size_px, strength=0.3 if inked else 0.45)
    placement = Placement(dice, plan, size_px)
    paint = {LINE: _paint_lines, SILHOUETTE: _paint_silhouette}.get(plan.style, _paint_colors)
    paint(dice, plan, picture, placement)
    if plan.covered:
        cover(dice, picture, inked)
    return _finished(dice, picture, plan.quality)
