"""From the painted canvas to the finished pictures: rain and snow, light, lens blur and sensor noise."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from compute.data.openmoji.camera import PHOTO_PX, SUPERSAMPLING
from compute.data.openmoji.street_plan import Scene


def _paint_precipitation(photo: Image.Image, scene: Scene) -> None:
    """Rain streaks or snow flakes in front of everything; labels stay those of the street."""
    dice = scene.dice
    veil = Image.new("L", photo.size)
    draw = ImageDraw.Draw(veil)
    slant = dice.integer(-3, 4)
    for x, y, size in dice.generator.integers(0, PHOTO_PX, (dice.integer(90, 260), 3)).tolist():
        if scene.weather == "rain":
            draw.line((x, y, x + slant, y + 5 + size % 6), fill=110)
        else:
            draw.ellipse((x, y, x + size % 3, y + size % 3), fill=230)
    photo.paste((238, 242, 248), (0, 0), veil)


def finish(scene: Scene) -> tuple[Image.Image, Image.Image]:
    """The photo (RGB) and the label map (L), both PHOTO_PX square."""
    dice = scene.dice
    photo = scene.canvas.photo.reduce(SUPERSAMPLING)
    if scene.weather in ("rain", "snow"):
        _paint_precipitation(photo, scene)
    if dice.chance(0.3):
        photo = photo.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 0.55)))
    brightness = np.array(scene.light.tint, np.float32) * np.float32(dice.uniform(0.88, 1.08))
    pixels = np.asarray(photo, np.float32) * brightness
    noise = dice.generator.integers(0, 256, pixels.shape, np.uint8).astype(np.float32) - 127.5
    pixels += noise * np.float32(dice.uniform(0.015, 0.07))
    # Every second pixel, not an average: labels must not blend.
    labels = np.asarray(scene.canvas.labels)[::SUPERSAMPLING, ::SUPERSAMPLING]
    return Image.fromarray(np.uint8(np.clip(pixels, 0, 255))), Image.fromarray(np.ascontiguousarray(labels))
