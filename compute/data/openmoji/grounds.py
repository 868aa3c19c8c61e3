"""Grounds that class drawings stand on - plain, paper, textured - and shapes that stand in front of them."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from compute.data.openmoji.colors import GRASSES, OUTLINE, WALLS, Color, mix
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.drawings import BUSH_VARIANTS, bush
from compute.data.openmoji.textures import MASK_PX, MASKS_PER_TEXTURE, TEXTURES, masks

GRADIENTS = 12
WHITE: Color = (255, 255, 255)
NIGHT: Color = (18, 18, 22)
LIGHT_COLORS: list[tuple[str, Color]] = [
    ("white", (255, 255, 255)), ("white", (250, 250, 248)), ("gray", (206, 208, 212)), ("beige", (238, 226, 202)),
    ("yellow", (252, 226, 120)), ("orange", (250, 190, 122)), ("pink", (250, 200, 208)), ("purple", (206, 188, 232)),
    ("blue", (150, 202, 240)), ("turquoise", (140, 214, 206)), ("green", (176, 216, 140)),
]  # fmt: skip
PLAIN_COLORS: list[tuple[str, Color]] = [
    *LIGHT_COLORS, ("gray", (158, 163, 170)), ("red", (226, 116, 104)), ("blue", (92, 142, 202)), ("green", (96, 158, 104)),
    ("brown", (188, 154, 120)), ("dark blue", (52, 66, 104)), ("dark gray", (84, 88, 96)),
]  # fmt: skip
DARK_COLORS: list[Color] = [
    (20, 20, 24), (24, 28, 44), (40, 26, 22), (20, 36, 32), (44, 24, 44), (54, 54, 60), (30, 44, 66),
]  # fmt: skip
PAPERS: list[Color] = [
    (255, 255, 255), (254, 253, 250), (250, 246, 234), (246, 239, 220), (242, 242, 240), (248, 245, 241),
]  # fmt: skip


@cache
def _gradient(number: int, size_px: int) -> Image.Image:
    """L mask that rises from one side or corner to the other (0-7), or outwards from a place (8-11)."""
    steps = np.arange(size_px, dtype=np.float32) / np.float32(size_px - 1)
    down, across = np.meshgrid(steps, steps, indexing="ij")
    if number >= 8:
        x, y = ((0.5, 0.5), (0.3, 0.25), (0.7, 0.3), (0.5, 0.8))[number - 8]
        values = np.sqrt((across - np.float32(x)) ** 2 + (down - np.float32(y)) ** 2) * np.float32(1.3)
    else:
        right, low = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))[number]
        values = across * np.float32(right) + down * np.float32(low)
        values = (values - values.min()) / (values.max() - values.min())
    return Image.fromarray(np.uint8(np.clip(values, 0, 1) * np.float32(255)))


def graded(dice: Dice, color: Color, size_px: int, strength: float = 0.35) -> Image.Image:
    """A ground of one color, often fading to a lighter, darker or other tone by up to `strength`."""
    other = mix(color, dice.pick([WHITE, NIGHT, NIGHT, dice.pick(WALLS)]), dice.uniform(0.05, strength))
    ground = Image.new("RGB", (size_px, size_px), color)
    if dice.chance(0.75):
        ground.paste(other, (0, 0), _gradient(dice.integer(0, GRADIENTS), size_px))
    return ground


def paper(dice: Dice, color: Color, size_px: int) -> Image.Image:
    """A sheet of paper: bare, ruled or squared, slightly shaded to one side."""
    sheet = graded(dice, color, size_px, strength=0.1).convert("L").convert("RGB") if dice.chance(0.2) else None
    sheet = sheet or Image.new("RGB", (size_px, size_px), color)
    ruling = dice.pick(["none", "none", "none", "ruled", "squared"])
    if ruling == "none":
        return sheet
    draw, step, tone = ImageDraw.Draw(sheet), dice.integer(11, 24), mix(color, (120, 128, 140), dice.uniform(0.2, 0.4))
    for place in range(dice.integer(0, step), size_px, step):
        draw.line((0, place, size_px, place), fill=tone)
        if ruling == "squared":
            draw.line((place, 0, place, size_px), fill=tone)
    return sheet


def _part(dice: Dice, mask: Image.Image, size_px: int, turns: bool) -> Image.Image:
    edge = min(MASK_PX, size_px)
    left, top = dice.integer(0, MASK_PX - edge + 1), dice.integer(0, MASK_PX - edge + 1)
    part = mask.crop((left, top, left + edge, top + edge))
    if dice.chance(0.5):
        part = ImageOps.mirror(part)
    if turns and dice.chance(0.5):
        part = part.transpose(Image.Transpose.ROTATE_90)
    return part if edge == size_px else part.resize((size_px, size_px), Image.Resampling.BILINEAR)


def textured(dice: Dice, texture: int, size_px: int) -> Image.Image:
    """A ground with TEXTURES[texture] in one of its palettes, sometimes blurred as if out of focus."""
    kind = TEXTURES[texture]
    base, first_tone, second_tone = dice.pick(kind.palettes)
    ground = graded(dice, base, size_px, strength=0.2)
    first, second = masks(texture, dice.integer(0, MASKS_PER_TEXTURE))
    ground.paste(first_tone, (0, 0), _part(dice, first, size_px, kind.turns))
    ground.paste(second_tone, (0, 0), _part(dice, second, size_px, kind.turns))
    if "blurred" in kind.phrase:
        return ground.filter(ImageFilter.GaussianBlur(dice.uniform(2, 3)))
    if dice.chance(0.3):
        return ground.filter(ImageFilter.GaussianBlur(dice.uniform(0.8, 2)))
    return ground


def _leaves_in_front(dice: Dice, size_px: int) -> tuple[Image.Image, tuple[int, int]]:
    picture = bush(dice.integer(0, BUSH_VARIANTS))
    width = round(size_px * dice.uniform(0.45, 0.8))
    picture = picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.BILINEAR)
    corner = round(dice.uniform(-0.3, 0.8) * size_px), size_px - round(picture.height * dice.uniform(0.5, 0.75))
    return picture, corner


def _bar_in_front(dice: Dice, size_px: int) -> tuple[Image.Image, tuple[int, int]]:
    width, color = round(size_px * dice.uniform(0.07, 0.13)), dice.pick([*WALLS, *GRASSES])
    upright = dice.chance(0.6)
    bar = Image.new("RGBA", (width, size_px) if upright else (size_px, width), (*color, 255))
    edge = (0, 0, width - 1, size_px) if upright else (0, 0, size_px, width - 1)
    ImageDraw.Draw(bar).rectangle(edge, outline=OUTLINE, width=2)
    place = round(size_px * dice.uniform(0.2, 0.75))
    return bar, (place, 0) if upright else (0, place)


def _blot_in_front(dice: Dice, size_px: int) -> tuple[Image.Image, tuple[int, int]]:
    width = round(size_px * dice.uniform(0.3, 0.5))
    blot = Image.new("RGBA", (width, width), (*dice.pick([*WALLS, *GRASSES]), 0))
    mask = Image.new("L", (width, width))
    rim = width // 6
    ImageDraw.Draw(mask).ellipse((rim, rim, width - rim, width - rim), fill=235)
    blot.putalpha(mask.filter(ImageFilter.GaussianBlur(width / 14)))
    low, high = -0.1 * size_px, 1.1 * size_px - width
    return blot, (round(dice.uniform(low, high)), round(dice.pick([low, high])))


def cover(dice: Dice, picture: Image.Image, inked: bool) -> None:
    """Put something in front of the picture that hides a part of it; gray where all is inked in one color."""
    painter = dice.pick([_leaves_in_front, _bar_in_front, _blot_in_front])
    front, corner = painter(dice, picture.width)
    colors = front.convert("RGB")
    picture.paste(colors.convert("L").convert("RGB") if inked else colors, corner, front.getchannel("A"))
