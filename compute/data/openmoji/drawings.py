"""Trees, bushes and clouds that OpenMoji lacks, drawn from random discs in its outlined style, and cached."""

from functools import cache

from PIL import Image, ImageDraw, ImageFilter

from compute.data.openmoji.colors import OUTLINE, Color
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.glyphs import cropped

Disc = tuple[float, float, float]  # x, y, radius

TREE_VARIANTS = 24
BUSH_VARIANTS = 12
CLOUD_VARIANTS = 10
# (dark, middle, light) leaf tones: two summers, dark conifer-like, two autumns, blossom.
LEAF_TONES: list[tuple[Color, Color, Color]] = [
    ((60, 120, 45), (95, 158, 49), (177, 204, 51)), ((48, 100, 58), (74, 140, 80), (125, 180, 95)),
    ((42, 84, 62), (58, 110, 72), (90, 140, 90)), ((160, 80, 40), (215, 125, 45), (240, 175, 70)),
    ((130, 105, 40), (190, 160, 55), (225, 205, 95)), ((200, 120, 150), (240, 165, 190), (252, 212, 224)),
]  # fmt: skip


def _discs(dice: Dice, box: tuple[int, int, int, int], count: int, radius: tuple[int, int]) -> list[Disc]:
    """Random discs with their centers inside the ellipse that fills `box`."""
    left, top, right, bottom = box
    discs: list[Disc] = []
    while len(discs) < count:
        across, down = dice.uniform(-1, 1), dice.uniform(-1, 1)
        if across * across + down * down <= 1:
            x = (left + right) / 2 + across * (right - left) / 2
            y = (top + bottom) / 2 + down * (bottom - top) / 2
            discs.append((x, y, dice.uniform(*radius)))
    return discs


def _ellipse(draw: ImageDraw.ImageDraw, disc: Disc, fill: tuple[int, ...], stretch: float = 1.0) -> None:
    x, y, r = disc
    draw.ellipse((x - r * stretch, y - r, x + r * stretch, y + r), fill=fill)


def _leaves(draw: ImageDraw.ImageDraw, discs: list[Disc], tones: tuple[Color, Color, Color], outline_px: int) -> None:
    for x, y, r in discs:
        _ellipse(draw, (x, y, r + outline_px), OUTLINE)
    for tone, size, shift in zip(tones, (1.0, 0.85, 0.45), (0.0, 0.2, 0.5), strict=True):
        for x, y, r in discs:
            _ellipse(draw, (x - r * shift * 0.6, y - r * shift, r * size), tone)


def _branch(
    draw: ImageDraw.ImageDraw, dice: Dice, start: tuple[float, float], step: tuple[float, float], width_px: float
) -> None:
    end = (start[0] + step[0], start[1] + step[1])
    draw.line([start, end], fill=(78, 62, 54), width=max(4, round(width_px)))
    if width_px < 5:
        return
    for turn in (-1, 0, 1):
        bend = turn * dice.uniform(0.35, 0.8) + dice.uniform(-0.15, 0.15)
        shrink = dice.uniform(0.6, 0.8)
        onward = ((step[0] - bend * step[1]) * shrink, (step[1] + bend * step[0]) * shrink)
        _branch(draw, dice, end, onward, width_px * 0.62)


def _smoothed(picture: Image.Image) -> Image.Image:
    picture = cropped(picture)
    return picture.resize((picture.width * 2 // 3, picture.height * 2 // 3), Image.Resampling.BOX)


@cache
def tree(variant: int, bare: bool) -> Image.Image:
    """RGBA street tree with ragged leaves and holes, or its bare winter form; `variant` in 0..TREE_VARIANTS-1."""
    dice = Dice(11, variant, int(bare))
    picture = Image.new("RGBA", (260, 340), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    if bare:
        _branch(draw, dice, (130, 340), (dice.uniform(-6, 6), -95), 19)
        return _smoothed(picture)
    draw.polygon([(118, 340), (122, 170), (138, 170), (142, 340)], fill=(122, 86, 58), outline=OUTLINE, width=4)
    slim = dice.integer(0, 50)
    leaves = _discs(dice, (35 + slim, 35, 225 - slim, 225), 34, (16, 36))
    _leaves(draw, leaves, LEAF_TONES[variant % len(LEAF_TONES)], 5)
    for hole in _discs(dice, (60 + slim, 70, 200 - slim, 235), dice.integer(2, 7), (5, 11)):
        _ellipse(draw, hole, (0, 0, 0, 0), stretch=1.4)
    return _smoothed(picture)


@cache
def bush(variant: int) -> Image.Image:
    """RGBA bush about twice as wide as high; `variant` in 0..BUSH_VARIANTS-1."""
    picture = Image.new("RGBA", (300, 145), (0, 0, 0, 0))
    leaves = _discs(Dice(13, variant), (40, 60, 260, 150), 44, (12, 26))
    _leaves(ImageDraw.Draw(picture), leaves, LEAF_TONES[variant % 3], 4)
    return _smoothed(picture)


@cache
def cloud(variant: int) -> Image.Image:
    """RGBA soft white cloud without outline; `variant` in 0..CLOUD_VARIANTS-1."""
    picture = Image.new("RGBA", (300, 150), (255, 255, 255, 0))
    draw = ImageDraw.Draw(picture)
    for disc in _discs(Dice(17, variant), (60, 50, 240, 90), 12, (14, 36)):
        _ellipse(draw, disc, (255, 255, 255, 225), stretch=1.3)
    return cropped(picture.filter(ImageFilter.GaussianBlur(3)))
