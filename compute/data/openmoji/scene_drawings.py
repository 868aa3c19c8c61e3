"""Which drawings show PASCAL VOC's twenty classes in object scenes, and which colors they take."""

from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from compute.data.openmoji import furniture
from compute.data.openmoji.colors import OUTLINE, Color, mix
from compute.data.openmoji.glyphs import cropped
from compute.data.openmoji.layers import colors

# Colors by the word that captions have for them.
PAINT_COLORS: dict[str, Color] = {
    "red": (222, 72, 60), "blue": (62, 122, 204), "white": (246, 246, 242), "black": (58, 58, 64), "yellow": (250, 214, 60),
    "green": (92, 164, 96), "gray": (160, 164, 170), "orange": (242, 148, 54), "purple": (146, 100, 176),
    "pink": (244, 160, 190), "brown": (146, 98, 62), "turquoise": (90, 196, 190),
}  # fmt: skip
COAT_COLORS: dict[str, Color] = {
    "brown": (150, 102, 58), "black": (62, 58, 58), "white": (244, 240, 232), "gray": (152, 150, 148), "orange": (240, 164, 66),
    "light brown": (206, 166, 114),
}  # fmt: skip
COLOR_WORDS = tuple(PAINT_COLORS | COAT_COLORS)
SKINS: list[Color] = [(250, 220, 188), (224, 187, 149), (191, 143, 104), (155, 100, 61), (96, 72, 60), (252, 234, 43)]
BUSTS = "👩👨🧑👮👷"
CLOTHES = ("red", "blue", "white", "black", "yellow", "green", "gray", "purple", "pink", "orange")
VEHICLE = tuple(PAINT_COLORS)
BOTTLE = ("green", "blue", "brown", "red", "white", "yellow", "pink")
WOOD = ("brown", "white", "black", "yellow", "green", "red", "blue")
SCREEN = ("black", "gray", "white", "brown", "red")
FEATHERS = ("brown", "black", "white", "gray", "orange")
LARGEST_FILL_DISTANCE = 18  # in levels: a pixel is a fill blended with its black outline
LEAST_FILL_SHARE = 0.15
MOST_FILL_SHARE = 1.05


class Drawing(NamedTuple):
    """One drawing of a class.

    `picture` is an OpenMoji character, or a name and variant of furniture. `fills` are the colors in it that are repainted,
    the brightest first; with none it keeps the color that `color_words` names. `names` are what captions call it. `top` is the
    share of the height, from above, at which other things stand on it. What `tilts` is turned further than other things, and
    what is seen `from_above` is on flat grounds only.
    """

    picture: str
    names: tuple[str, ...]
    fills: tuple[str, ...] = ()
    color_words: tuple[str, ...] = ()
    flies: bool = False
    tilts: bool = False
    from_above: bool = False
    top: float | None = None


def _each(
    pictures: str, names: tuple[str, ...], fills: tuple[str, ...] = (), color_words: tuple[str, ...] = ()
) -> list[Drawing]:
    return [Drawing(picture, names, fills, color_words) for picture in pictures]


PLANE = ("aeroplane", "airplane", "plane")
RED, DARK_RED, YELLOW, AMBER, BLUE, DARK_BLUE = "ea5a47", "d22f27", "fcea2b", "f1b31c", "92d3f5", "61b2e4"
BROWN, DARK_BROWN, ORANGE, DARK_ORANGE, GRAY, DARK_GRAY, WHITE = (
    "a57939", "6a462f", "f4aa41", "e27022", "d0cfce", "9b9b9a", "ffffff",
)  # fmt: skip
MOTORBIKE, PERSON, PLANT = ("motorbike", "motorcycle"), ("person",), ("potted plant", "plant in a pot")
TABLE, TELEVISION = ("dining table", "table"), ("television", "tv")

# By VOC's label.
DRAWINGS: dict[int, list[Drawing]] = {
    1: [
        Drawing("✈", PLANE, (GRAY, DARK_GRAY), VEHICLE, flies=True, tilts=True),
        Drawing("🛩", PLANE, (DARK_ORANGE,), VEHICLE, flies=True, tilts=True),
        Drawing("🛫", PLANE, (GRAY, DARK_GRAY), VEHICLE, flies=True),
        Drawing("🛬", PLANE, (GRAY, DARK_GRAY), VEHICLE, flies=True),
    ],
    2: [Drawing("🚲", ("bicycle", "bike"), (RED,), VEHICLE)],
    3: [
        Drawing("🐦", ("bird",), (BROWN, DARK_BROWN), FEATHERS),
        Drawing("🦅", ("bird", "eagle"), (), ("brown",), flies=True),
        Drawing("🦆", ("bird", "duck"), (), ("brown",)),
        Drawing("🦉", ("bird", "owl"), (DARK_GRAY,), ("gray", "white", "black")),
        Drawing("🦜", ("bird", "parrot"), (), ("red",)),
        Drawing("🐓", ("bird", "rooster"), (BROWN,), FEATHERS),
        Drawing("🕊", ("bird", "dove"), (WHITE, GRAY), ("white", "gray"), flies=True),
        Drawing("🦢", ("bird", "swan"), (WHITE,), ("white", "black")),
        Drawing("🐧", ("bird", "penguin")),
        Drawing("🪿", ("bird", "goose"), (WHITE,), ("white", "gray")),
    ],
    4: [
        Drawing("⛵", ("boat", "sailing boat")),
        Drawing("🚤", ("boat", "speedboat"), (WHITE,), VEHICLE),
        Drawing("🛥", ("boat", "motorboat"), (GRAY, DARK_GRAY), VEHICLE),
        Drawing("🛶", ("boat", "canoe"), (DARK_BLUE,), VEHICLE),
        Drawing("🛳", ("boat", "ship"), (), ("black",)),
    ],
    5: [
        Drawing("🍾", ("bottle",), ("b1cc33", "5c9e31"), BOTTLE, tilts=True),
        Drawing("🍼", ("bottle", "baby bottle"), (BLUE, DARK_BLUE), BOTTLE, tilts=True),
        Drawing("\ue0cb", ("bottle",), (BLUE, DARK_BLUE), BOTTLE),
        Drawing("\ue0cc", ("bottle", "plastic bottle"), (BLUE, DARK_BLUE), BOTTLE),
    ],
    6: [
        Drawing("🚌", ("bus",), (RED,), VEHICLE),
        Drawing("🚍", ("bus",), (YELLOW, ORANGE), VEHICLE),
        Drawing("🚎", ("bus",), (DARK_BLUE,), VEHICLE),
    ],
    7: [
        *_each("🚗🚘", ("car",), (RED,), VEHICLE),
        Drawing("🚙", ("car",), (BLUE,), VEHICLE),
        Drawing("🚕", ("car",), (YELLOW, AMBER), VEHICLE),
        Drawing("🚖", ("car",), (ORANGE,), VEHICLE),
        Drawing("🏎", ("car", "racing car"), (RED, DARK_RED), VEHICLE),
        Drawing("🛻", ("car", "pickup"), (DARK_RED,), VEHICLE),
        *_each("🚓🚔", ("car", "police car")),
    ],
    8: _each("🐈🐱", ("cat",), (ORANGE, DARK_ORANGE), tuple(COAT_COLORS)),
    9: [
        Drawing("🪑", ("chair",), (YELLOW, AMBER), VEHICLE, top=0.52),
        Drawing("\ue141", ("chair", "armchair"), (DARK_BLUE,), VEHICLE, top=0.6),
    ],
    10: _each("🐄🐂🐮", ("cow",), (BROWN, DARK_BROWN), ("brown", "black", "gray", "light brown", "orange")),
    11: [
        *(Drawing(f"table {variant}", TABLE, (), WOOD, top=top) for variant, top in enumerate((0.3, 0.3, 0.12))),
        Drawing("table 3", TABLE, (), WOOD, from_above=True),
    ],
    12: [
        *_each("🐕🐶", ("dog",), (ORANGE, DARK_ORANGE), tuple(COAT_COLORS)),
        Drawing("🦮", ("dog",), (BROWN, DARK_BROWN), tuple(COAT_COLORS)),
        Drawing("🐩", ("dog", "poodle"), (GRAY, DARK_GRAY), tuple(COAT_COLORS)),
    ],
    13: _each("🐎🐴", ("horse",), (BROWN, DARK_BROWN), ("brown", "black", "white", "gray", "light brown")),
    14: [
        Drawing("🏍", MOTORBIKE, (RED, DARK_RED), VEHICLE),
        Drawing("🛵", (*MOTORBIKE, "scooter"), (RED,), VEHICLE),
    ],
    15: [
        *_each("🧍🚶🏃💃🕺🧘🤸🧎", PERSON, (YELLOW,)),
        *_each("👩", ("person", "woman"), (YELLOW,)),
        *_each("👨", ("person", "man"), (YELLOW,)),
        *_each("🧑", PERSON, (YELLOW,)),
        *_each("👮", ("person", "police officer"), (YELLOW,)),
        *_each("👷", ("person", "worker"), (YELLOW,)),
    ],
    16: [
        Drawing("🪴", PLANT),
        *(Drawing(f"plant {variant}", PLANT, (), ()) for variant in range(len(furniture.PLANTS))),
    ],
    17: _each("🐑🐏", ("sheep",), (WHITE, GRAY), ("white", "white", "black", "gray", "brown", "light brown")),
    18: [Drawing(f"sofa {variant}", ("sofa", "couch"), (), VEHICLE, top=0.66) for variant in range(4)],
    19: [
        Drawing("🚂", ("train", "locomotive"), ("3f3f3f",), VEHICLE),
        Drawing("🚃", ("train",), (RED,), VEHICLE),
        *_each("🚅🚆🚈", ("train",), (GRAY,), VEHICLE),
        Drawing("🚄", ("train",), (WHITE,), VEHICLE),
    ],
    20: [
        Drawing("📺", TELEVISION, (DARK_GRAY,), SCREEN),
        Drawing("🖥", ("computer screen", "monitor"), (GRAY,), SCREEN),
        *(Drawing(f"television {variant}", TELEVISION, (), SCREEN) for variant in range(2)),
    ],
}
# Length of the longer side as a share of the picture, where a thing stands at middle depth.
EXTENTS: dict[int, float] = {
    1: 0.62, 2: 0.54, 3: 0.26, 4: 0.52, 5: 0.26, 6: 0.62, 7: 0.5, 8: 0.3, 9: 0.36, 10: 0.46, 11: 0.5, 12: 0.34, 13: 0.5,
    14: 0.44, 15: 0.48, 16: 0.34, 17: 0.38, 18: 0.56, 19: 0.66, 20: 0.36,
}  # fmt: skip
# Drawings of a person who rides a thing of a class.
RIDDEN: dict[int, Drawing] = {
    2: Drawing("🚴", ("bicycle", "bike"), (), ("black",)),
    13: Drawing("🏇", ("horse",), (BROWN, DARK_BROWN), ("brown", "black", "white", "gray", "light brown")),
}
RIDER = Drawing("🚴", PERSON)
OUTLINE_SHARE = 0.023  # of a rider's drawing's longer side, how wide its outline is
PAINTERS = {
    "table": furniture.table, "sofa": furniture.sofa, "television": furniture.television, "plant": furniture.potted_plant,
}  # fmt: skip
# Things that stand around and are background, as whatever VOC has no class for.
BACKGROUND_THINGS = "🦊🐘🐖🦘🐢🚜📦🎒⛺🛒🗑🏠⛲🎈🪣🧺🥁🎸⛄🗿🧸⚽🪵🛢🚦🦔🐐🦙⏰☂🍄"


def color_of(label: int, word: str) -> Color:
    """The color that captions call `word` on a thing of the class `label`."""
    return COAT_COLORS[word] if label in (3, 8, 10, 12, 13, 17) else PAINT_COLORS[word]


def _number(fill: str) -> Color:
    red, green, blue = bytes.fromhex(fill)
    return red, green, blue


def _largest(values: np.ndarray) -> np.ndarray:
    """Largest of three channels, (H, W, 3) -> (H, W); ten times as fast as max(axis=-1)."""
    return np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2])


def _fill_share(values: np.ndarray, fill: Color) -> np.ndarray:
    """Share of `fill` in pixels (H, W, 3) float32 that blend it with black: (H, W), 0 where a pixel is no such blend."""
    share = _largest(values) / np.float32(max(fill))
    distance = _largest(np.abs(values - share[..., None] * np.array(fill, np.float32)))
    blended = (distance < LARGEST_FILL_DISTANCE) & (share > LEAST_FILL_SHARE) & (share < MOST_FILL_SHARE)
    return np.where(blended, share, np.float32(0))


def _repainted(picture: Image.Image, fills: tuple[str, ...], color: Color) -> Image.Image:
    """The drawing with each of `fills` in `color`, those after the first as much darker as they are there."""
    pixels = np.array(picture)
    values = pixels[..., :3].astype(np.float32)
    brightest = max(_number(fills[0]))
    left = np.ones(pixels.shape[:2], bool)
    for fill in reversed(fills):  # the darkest first, because it may look like a brighter one's blend with the outline
        number = _number(fill)
        share = _fill_share(values, number)
        chosen = left & (share > 0)
        target = mix(color, OUTLINE, (1 - max(number) / brightest) * 0.8)
        pixels[chosen, :3] = np.round(np.minimum(share[chosen, None], 1) * np.array(target, np.float32))
        left &= ~chosen
    return Image.fromarray(pixels)


def _dressed(picture: Image.Image, skin: Color, clothes: Color, legs: Color, bust: bool) -> Image.Image:
    """An OpenMoji person: a yellow body in skin, upper and lower clothes by height, or a bust with a blue shirt."""
    painted = _repainted(picture, (YELLOW,), skin)
    if bust:
        return _repainted(painted, (BLUE,), clothes)
    bands = [(0.22, skin), (0.56, clothes), (1.0, legs)]
    dressed, top = Image.new("RGBA", picture.size), 0
    for share, color in bands:
        bottom = round(picture.height * share)
        part = _repainted(picture, (YELLOW,), color)
        dressed.paste(part.crop((0, top, picture.width, bottom)), (0, top))
        top = bottom
    return dressed


def _clothed(picture: Image.Image, variant: int, bust: bool) -> Image.Image:
    """An OpenMoji person in the skin and clothes that `variant` stands for."""
    skin, clothes = SKINS[variant % len(SKINS)], PAINT_COLORS[CLOTHES[variant % len(CLOTHES)]]
    legs = PAINT_COLORS[CLOTHES[(variant // 3 + 3) % len(CLOTHES)]]
    return _dressed(picture, skin, clothes, legs, bust)


def rider_and_mount(picture: Image.Image, variant: int) -> tuple[Image.Image, Image.Image]:
    """The person in a picture of RIDDEN, dressed, and what the person rides; both of the picture's size."""
    pixels = np.asarray(picture)
    yellow = _fill_share(pixels[..., :3].astype(np.float32), _number(YELLOW)) > 0.5
    reach = 2 * max(1, round(OUTLINE_SHARE * max(picture.size))) + 1
    body = Image.fromarray(np.uint8(yellow & (pixels[..., 3] > 127)) * 255).filter(ImageFilter.MaxFilter(reach))
    rider, mount = _clothed(picture, variant, bust=False), picture.copy()
    alpha = picture.getchannel("A")
    rider.putalpha(ImageChops.multiply(alpha, body))
    mount.putalpha(ImageChops.multiply(alpha, ImageChops.invert(body)))
    return rider, mount


@cache
def sprite(label: int, drawing: Drawing, word: str, variant: int) -> Image.Image:
    """RGBA picture of one drawing, cropped; `word` is one of its color words or "", `variant` tells people's looks apart."""
    if " " in drawing.picture:
        kind, number = drawing.picture.split(" ")
        color = color_of(label, word) if word else list(PAINT_COLORS.values())[variant % len(PAINT_COLORS)]
        return PAINTERS[kind](int(number), color)
    picture = cropped(colors(drawing.picture))
    if label == 15:
        return _clothed(picture, variant, drawing.picture in BUSTS)
    return _repainted(picture, drawing.fills, color_of(label, word)) if drawing.fills and word else picture
