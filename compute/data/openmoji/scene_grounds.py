"""Where object scenes take place: land, water or a room with a horizon, or a flat ground behind everything."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from compute.data.openmoji.colors import GRASSES, OUTLINE, WALLS, Color, mix
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.drawings import BUSH_VARIANTS, CLOUD_VARIANTS, TREE_VARIANTS, bush, cloud, tree
from compute.data.openmoji.grounds import graded, textured
from compute.data.openmoji.street_plan import CLEAR_LIGHTS, GRAY
from compute.data.openmoji.textures import TEXTURES, masks

SIZE_PX = 256
GRASS, BRICKS, PLANKS, WAVES, GRAVEL = 3, 7, 8, 9, 10  # indices into TEXTURES
FLAT = (0, 1, 2, 4, 5, 6, 7, 8)  # textures that fill the whole picture
ROADS: list[Color] = [(112, 114, 120), (92, 94, 100), (134, 134, 136), (124, 116, 110)]
SANDS: list[Color] = [(232, 210, 160), (222, 194, 142), (240, 224, 186), (206, 180, 136)]
SNOWS: list[Color] = [(240, 244, 250), (226, 234, 244), (248, 248, 248)]
CARPETS: list[Color] = [(150, 70, 70), (70, 90, 140), (120, 120, 116), (190, 170, 140), (90, 120, 100), (160, 130, 150)]
WALLPAPERS = (0, 2, 7)
# How captions say where things are.
PHRASES = {
    "grass": ("on grass", "in the grass", "on the grass"), "road": ("on a road", "on the road"),
    "sand": ("on sand", "on the sand"), "snow": ("in the snow", "on snow"), "water": ("on water", "on the water"),
    "gravel": ("on gravel",), "room": ("in a room", "indoors"),
}  # fmt: skip
PLACES = (*PHRASES, *(TEXTURES[texture].phrase for texture in FLAT))
OUTDOORS = ("grass", "road", "sand", "snow", "water", "gravel")


@dataclass(frozen=True)
class Ground:
    """Where a scene takes place; `horizon_px` is the row where the ground ends, None where it is flat behind all."""

    kind: str
    phrases: tuple[str, ...]
    horizon_px: int | None
    texture: int | None = None

    @property
    def place(self) -> str:
        """Which of PLACES it is."""
        return self.kind if self.texture is None else TEXTURES[self.texture].phrase


def plan_ground(dice: Dice, kind: str) -> Ground:
    """A ground of one of PHRASES' kinds, or "flat"."""
    if kind == "flat":
        texture = dice.pick(FLAT)
        return Ground(kind, (TEXTURES[texture].phrase,), None, texture)
    low, high = (96, 150) if kind == "room" else (62, 128)
    return Ground(kind, PHRASES[kind], dice.integer(low, high))


def _lying(picture: Image.Image, height: int) -> Image.Image:
    """A ground seen from above laid flat: coarser toward the viewer, in three strips."""
    laid = Image.new("RGB", (SIZE_PX, height))
    top = 0
    for share, width in ((0.2, SIZE_PX), (0.5, 200), (1.0, 140)):
        bottom = round(height * share)
        part = picture.crop((0, 0, width, max(1, min(SIZE_PX, (bottom - top) * 2 * width // SIZE_PX))))
        laid.paste(part.resize((SIZE_PX, bottom - top), Image.Resampling.BILINEAR), (0, top))
        top = bottom
    return laid


def _speckled(dice: Dice, color: Color, strength: int) -> Image.Image:
    """A ground of one color with soft dark and light patches."""
    ground = graded(dice, color, SIZE_PX, strength=0.2)
    first, second = masks(GRAVEL, dice.integer(0, 10))
    size = (SIZE_PX, SIZE_PX)
    for mask, tone in ((first, (0, 0, 0)), (second, (255, 255, 255))):
        faint = mask.point([level * strength // 255 for level in range(256)])
        ground.paste(tone, (0, 0), faint.resize(size, Image.Resampling.BILINEAR))
    return ground.filter(ImageFilter.GaussianBlur(1.2))


def _road(dice: Dice, height: int) -> Image.Image:
    road = _speckled(dice, dice.pick(ROADS), 14).crop((0, 0, SIZE_PX, height))
    draw, paint = ImageDraw.Draw(road), (236, 234, 224)
    if dice.chance(0.7):  # a lane's line across, dashed or whole
        row, thick = round(height * dice.uniform(0.3, 0.7)), dice.integer(2, 6)
        step = dice.pick([24, 40, 600])
        for x in range(dice.integer(-30, 0), SIZE_PX, step * 2):
            draw.rectangle((x, row, x + step, row + thick), fill=paint)
    if dice.chance(0.6):  # the verge at the far side
        draw.rectangle((0, 0, SIZE_PX, dice.integer(4, 12)), fill=dice.pick([*GRASSES, *WALLS]))
    return road


def _floor(dice: Dice, kind: str, height: int) -> Image.Image:
    if kind == "road":
        return _road(dice, height)
    if kind == "sand":
        return _lying(_speckled(dice, dice.pick(SANDS), 40), height)
    if kind == "snow":
        return _lying(_speckled(dice, dice.pick(SNOWS), 18), height)
    if kind == "room" and dice.chance(0.45):
        return graded(dice, dice.pick(CARPETS), SIZE_PX, strength=0.2).crop((0, 0, SIZE_PX, height))
    texture = {"grass": GRASS, "water": WAVES, "gravel": GRAVEL, "room": PLANKS}[kind]
    return _lying(textured(dice, texture, SIZE_PX), height)


def _sky(dice: Dice, horizon_px: int) -> Image.Image:
    light = dice.pick([*CLEAR_LIGHTS, GRAY])
    share = np.linspace(0, 1, horizon_px)[:, None]
    rows = np.array(light.zenith) * (1 - share) + np.array(light.horizon) * share
    sky = Image.fromarray(np.round(rows).astype(np.uint8)[:, None]).resize((SIZE_PX, horizon_px), Image.Resampling.NEAREST)
    for _ in range(dice.integer(0, 4)):
        width, picture = dice.integer(50, 150), cloud(dice.integer(0, CLOUD_VARIANTS))
        picture = picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.BILINEAR)
        sky.paste(picture.convert("RGB"), (dice.integer(-40, SIZE_PX), dice.integer(-20, horizon_px)), picture.getchannel("A"))
    return sky


def _skyline(dice: Dice, picture: Image.Image, kind: str, horizon_px: int) -> None:
    """Hills, or far houses and trees, along the horizon."""
    draw = ImageDraw.Draw(picture)
    if dice.chance(0.5):
        ridge = [(SIZE_PX * step // 6, horizon_px - dice.integer(4, 34)) for step in range(7)]
        tone = mix(dice.pick(SNOWS if kind == "snow" else GRASSES), (150, 170, 190), dice.uniform(0.2, 0.6))
        draw.polygon([(0, horizon_px), *ridge, (SIZE_PX, horizon_px)], fill=tone)
    if kind == "water" or dice.chance(0.35):
        return
    for _ in range(dice.integer(1, 7)):
        x, width = dice.integer(-20, SIZE_PX), dice.integer(16, 60)
        if dice.chance(0.4):
            wall, height = mix(dice.pick(WALLS), OUTLINE, dice.uniform(0, 0.2)), dice.integer(14, 50)
            draw.rectangle((x, horizon_px - height, x + width, horizon_px + 2), fill=wall, outline=OUTLINE)
            for left in range(x + 5, x + width - 7, 11):
                draw.rectangle((left, horizon_px - height + 6, left + 5, horizon_px - height + 13), fill=(196, 216, 228))
        else:
            tall = dice.chance(0.6)
            plant = tree(dice.integer(0, TREE_VARIANTS), False) if tall else bush(dice.integer(0, BUSH_VARIANTS))
            plant = plant.resize((width, round(width * plant.height / plant.width)), Image.Resampling.BILINEAR)
            picture.paste(plant.convert("RGB"), (x, horizon_px + 3 - plant.height), plant.getchannel("A"))


def _wall(dice: Dice, horizon_px: int) -> Image.Image:
    """The wall of a room, with a window or a picture on it at times, and a skirting board below."""
    if dice.chance(0.5):
        wall = graded(dice, dice.pick(WALLS), SIZE_PX, strength=0.25)
    else:
        wall = textured(dice, dice.pick(WALLPAPERS), SIZE_PX)
    wall = wall.crop((0, 0, SIZE_PX, horizon_px))
    draw = ImageDraw.Draw(wall)
    for _ in range(dice.integer(0, 3)):
        left, top, width, height = dice.integer(0, 220), dice.integer(6, 40), dice.integer(28, 80), dice.integer(24, 64)
        frame, inside = dice.pick(WALLS), dice.pick([*GRASSES, (170, 212, 240), (214, 232, 244), (250, 214, 150)])
        draw.rectangle((left, top, left + width, top + height), fill=frame, outline=OUTLINE, width=2)
        draw.rectangle((left + 5, top + 5, left + width - 5, top + height - 5), fill=inside, outline=OUTLINE)
        if dice.chance(0.5):
            draw.line((left + width // 2, top + 5, left + width // 2, top + height - 5), fill=OUTLINE, width=2)
    draw.rectangle((0, horizon_px - dice.integer(3, 9), SIZE_PX, horizon_px), fill=mix(dice.pick(WALLS), OUTLINE, 0.3))
    return wall


def paint_ground(dice: Dice, ground: Ground) -> Image.Image:
    """The ground with nothing on it, RGB, SIZE_PX square."""
    if ground.horizon_px is None:
        assert ground.texture is not None
        return textured(dice, ground.texture, SIZE_PX)
    picture = Image.new("RGB", (SIZE_PX, SIZE_PX))
    picture.paste(_floor(dice, ground.kind, SIZE_PX - ground.horizon_px), (0, ground.horizon_px))
    if ground.kind == "room":
        picture.paste(_wall(dice, ground.horizon_px), (0, 0))
        return picture
    picture.paste(_sky(dice, ground.horizon_px), (0, 0))
    _skyline(dice, picture, ground.kind, ground.horizon_px)
    return picture
