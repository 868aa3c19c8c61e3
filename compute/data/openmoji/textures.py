"""Textures behind class drawings: painted once as masks, then colored from palettes."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw

from compute.data.openmoji.colors import Color
from compute.data.openmoji.dice import Dice

MASK_PX = 240  # masks are larger than pictures, so that a random part of one is taken
MASKS_PER_TEXTURE = 10
SIZE = MASK_PX * 2  # masks are painted twice as large: shrinking smooths every edge
Draw = ImageDraw.ImageDraw


class Texture(NamedTuple):
    """A texture: how captions say where the thing is, palettes (ground, first tone, second tone), and its mask painter."""

    phrase: str
    turns: bool
    palettes: list[tuple[Color, Color, Color]]
    paint: Callable[[Dice, ImageDraw.ImageDraw, ImageDraw.ImageDraw], None]


def _stripes(dice: Dice, first: Draw, second: Draw) -> None:
    slant, step = dice.pick([0, 0, SIZE // 2, SIZE, -SIZE // 2]), dice.integer(40, 110)
    width = step * dice.integer(30, 60) // 100
    for x in range(-SIZE, 2 * SIZE, step):
        first.line((x, -4, x + slant, SIZE + 4), fill=255, width=width)
        second.line((x + width, -4, x + width + slant, SIZE + 4), fill=255, width=max(3, width // 6))


def _checks(dice: Dice, first: Draw, second: Draw) -> None:
    step = dice.integer(44, 110)
    for row in range(SIZE // step + 1):
        for column in range(SIZE // step + 1):
            left, top = column * step, row * step
            if (row + column) % 2:
                first.rectangle((left, top, left + step - 1, top + step - 1), fill=255)
            elif row % 2:
                second.rectangle((left, top, left + step - 1, top + step - 1), fill=255)


def _dots(dice: Dice, first: Draw, second: Draw) -> None:
    step = dice.integer(40, 84)
    radius = step * dice.integer(18, 36) // 100
    for row in range(-1, SIZE // step + 2):
        for column in range(-1, SIZE // step + 2):
            x, y = column * step + (row % 2) * step // 2, row * step
            draw = second if (row + 2 * column) % 5 == 0 else first
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _grass(dice: Dice, first: Draw, second: Draw) -> None:
    for number, (x, y, lean, length) in enumerate(dice.generator.integers(0, SIZE, (620, 4)).tolist()):
        lean, length = lean % 31 - 15, 24 + length % 44
        (first if number % 2 else second).line((x, y, x + lean, y - length), fill=255, width=5)


def _bokeh(dice: Dice, first: Draw, second: Draw) -> None:
    for number, (x, y, size, light) in enumerate(dice.generator.integers(0, SIZE, (46, 4)).tolist()):
        radius = 16 + size % 52
        (first if number % 2 else second).ellipse((x - radius, y - radius, x + radius, y + radius), fill=90 + light % 120)


def _leaf(draw: Draw, x: int, y: int, along: tuple[int, int], fill: int) -> None:
    dx, dy = along
    draw.polygon(
        [
            (x, y),
            (x + dx // 3 - dy // 3, y + dy // 3 + dx // 3),
            (x + dx, y + dy),
            (x + dx // 3 + dy // 3, y + dy // 3 - dx // 3),
        ],
        fill=fill,
    )


def _leaves(dice: Dice, first: Draw, second: Draw) -> None:
    for number, (x, y, dx, dy) in enumerate(dice.generator.integers(0, SIZE, (190, 4)).tolist()):
        _leaf(first if number % 2 else second, x, y, (dx % 91 - 45, dy % 91 - 45), 255)


def _clutter(dice: Dice, first: Draw, second: Draw) -> None:
    for number, (x, y, size, kind) in enumerate(dice.generator.integers(0, SIZE, (70, 4)).tolist()):
        draw, reach = first if number % 2 else second, 12 + size % 34
        box = (x - reach, y - reach, x + reach, y + reach)
        if kind % 4 == 0:
            draw.ellipse(box, fill=255)
        elif kind % 4 == 1:
            draw.rectangle(box, outline=255, width=7)
        elif kind % 4 == 2:
            draw.polygon([(x, y - reach), (x + reach, y + reach), (x - reach, y + reach)], fill=255)
        else:
            draw.line((x - reach, y + reach, x + reach, y - reach // 2), fill=255, width=9)


def _bricks(dice: Dice, first: Draw, second: Draw) -> None:
    height = dice.integer(40, 66)
    width, gap = height * 2, 6
    for row in range(SIZE // height + 1):
        for column in range(-1, SIZE // width + 2):
            left, top = column * width + (row % 2) * height, row * height
            if dice.chance(0.35):
                second.rectangle((left, top, left + width - gap, top + height - gap), fill=255)
            else:
                first.rectangle((left, top, left + width - gap, top + height - gap), fill=255)


def _planks(dice: Dice, first: Draw, second: Draw) -> None:
    top = 0
    while top < SIZE:
        height = dice.integer(56, 110)
        second.line((0, top, SIZE, top), fill=255, width=6)
        for y, x, length in dice.generator.integers(0, SIZE, (16, 3)).tolist():
            grain = top + 10 + y % max(1, height - 16)
            first.line((x - length // 2, grain, x + length // 2, grain + length % 7 - 3), fill=255, width=3 + y % 4)
        top += height


def _waves(dice: Dice, first: Draw, second: Draw) -> None:
    step, reach = dice.integer(36, 70), dice.integer(10, 26)
    for row in range(-1, SIZE // step + 2):
        shift = dice.integer(0, 80)
        for x in range(-160, SIZE + 160, 80):
            box = (x + shift, row * step - reach, x + shift + 80, row * step + reach)
            (second if row % 3 == 0 else first).arc(box, 0, 180, fill=255, width=7)


def _pebbles(dice: Dice, first: Draw, second: Draw) -> None:
    for number, (x, y, wide, high) in enumerate(dice.generator.integers(0, SIZE, (210, 4)).tolist()):
        wide, high = 8 + wide % 22, 6 + high % 15
        (second if number % 3 == 0 else first).ellipse((x - wide, y - high, x + wide, y + high), fill=255)


TEXTURES: list[Texture] = [
    Texture("in front of stripes", True, [
        ((244, 236, 220), (224, 168, 150), (180, 110, 100)), ((222, 234, 242), (150, 186, 212), (98, 130, 170)),
        ((240, 240, 236), (196, 200, 206), (150, 154, 162)), ((250, 236, 196), (240, 196, 112), (214, 150, 80)),
        ((214, 232, 214), (150, 190, 156), (96, 140, 110)),
    ], _stripes),
    Texture("on a checkered cloth", True, [
        ((250, 246, 240), (230, 150, 146), (242, 200, 196)), ((246, 248, 250), (146, 180, 220), (200, 216, 238)),
        ((240, 240, 240), (190, 192, 198), (216, 218, 222)), ((250, 246, 226), (226, 196, 120), (240, 222, 176)),
    ], _checks),
    Texture("in front of polka dots", True, [
        ((250, 214, 218), (255, 246, 246), (240, 160, 170)), ((176, 212, 234), (246, 250, 252), (110, 160, 206)),
        ((204, 226, 184), (246, 250, 240), (140, 184, 120)), ((226, 214, 240), (250, 248, 252), (180, 156, 214)),
    ], _dots),
    Texture("in the grass", False, [
        ((124, 168, 74), (98, 144, 60), (152, 190, 96)), ((98, 144, 76), (76, 120, 62), (128, 168, 92)),
        ((160, 166, 86), (134, 140, 66), (186, 190, 112)), ((134, 168, 92), (106, 140, 74), (164, 194, 118)),
    ], _grass),
    Texture("in front of blurred lights", True, [
        ((72, 84, 120), (250, 200, 130), (170, 190, 240)), ((120, 152, 120), (214, 232, 170), (240, 240, 214)),
        ((150, 120, 140), (250, 190, 180), (250, 224, 170)), ((110, 140, 160), (220, 236, 244), (160, 200, 214)),
    ], _bokeh),
    Texture("among leaves", True, [
        ((88, 124, 70), (116, 158, 84), (150, 186, 104)), ((150, 110, 70), (206, 140, 70), (226, 178, 92)),
        ((70, 104, 84), (94, 138, 104), (128, 168, 128)), ((196, 190, 150), (160, 164, 104), (132, 146, 92)),
    ], _leaves),
    Texture("on a cluttered background", True, [
        ((214, 210, 204), (178, 174, 170), (236, 232, 226)), ((188, 196, 204), (150, 160, 172), (214, 220, 226)),
        ((226, 214, 196), (196, 180, 160), (240, 232, 220)), ((150, 156, 150), (122, 130, 124), (178, 184, 178)),
    ], _clutter),
    Texture("in front of a brick wall", False, [
        ((214, 204, 194), (184, 98, 76), (204, 124, 96)), ((226, 222, 216), (206, 186, 160), (222, 204, 180)),
        ((196, 192, 190), (146, 120, 112), (170, 142, 130)), ((120, 120, 122), (164, 166, 170), (184, 186, 190)),
    ], _bricks),
    Texture("on wooden planks", False, [
        ((206, 164, 112), (184, 140, 92), (134, 96, 64)), ((164, 118, 84), (142, 98, 68), (98, 66, 46)),
        ((222, 200, 164), (206, 180, 142), (160, 132, 98)), ((170, 166, 160), (150, 146, 140), (108, 104, 100)),
    ], _planks),
    Texture("on the water", False, [
        ((120, 180, 214), (160, 208, 232), (214, 238, 246)), ((84, 150, 180), (112, 178, 200), (176, 218, 226)),
        ((140, 200, 204), (172, 220, 220), (222, 244, 240)),
    ], _waves),
    Texture("on gravel", True, [
        ((170, 164, 156), (196, 190, 182), (140, 134, 128)), ((206, 190, 160), (226, 212, 186), (180, 162, 132)),
        ((140, 146, 152), (168, 174, 180), (112, 118, 124)),
    ], _pebbles),
]  # fmt: skip


@cache
def masks(texture: int, number: int) -> tuple[Image.Image, Image.Image]:
    """Two L masks, MASK_PX square, of one texture."""
    first, second = (Image.new("L", (SIZE, SIZE)) for _ in range(2))
    TEXTURES[texture].paint(Dice(23, texture, number), ImageDraw.Draw(first), ImageDraw.Draw(second))
    return first.reduce(2), second.reduce(2)
