"""The sky, and the hills and far houses on the horizon."""

import numpy as np
from PIL import Image

from compute.data.openmoji.camera import CANVAS_PX
from compute.data.openmoji.classes import BUILDING, SKY, VEGETATION
from compute.data.openmoji.colors import GRASSES, OUTLINE, WALLS, mix
from compute.data.openmoji.drawings import BUSH_VARIANTS, CLOUD_VARIANTS, bush, cloud
from compute.data.openmoji.glyphs import glyph
from compute.data.openmoji.street_plan import Scene


def paint_sky(scene: Scene) -> None:
    """Color gradient, sun or moon, and clouds."""
    dice, canvas = scene.dice, scene.canvas
    height = round(canvas.camera.horizon_px) + 4
    share = np.linspace(0, 1, height)[:, None]
    rows = np.array(scene.light.zenith) * (1 - share) + np.array(scene.light.horizon) * share
    column = Image.fromarray(np.round(rows).astype(np.uint8)[:, None])
    canvas.photo.paste(column.resize((CANVAS_PX, height), Image.Resampling.NEAREST))
    if scene.weather == "clear" and dice.chance(0.35):
        size = dice.integer(50, 90)
        place = (dice.integer(0, CANVAS_PX), dice.integer(0, 120))
        canvas.paste(glyph(dice.pick(["☀", "🌕"])).resize((size, size)), place, 0.15, SKY)
    for _ in range(dice.integer(0, 5)):
        width, variant = dice.integer(90, 260), dice.integer(0, CLOUD_VARIANTS)
        drawing = glyph("☁") if dice.chance(0.25) else cloud(variant)
        picture = drawing.resize((width, round(width * drawing.height / drawing.width)), reducing_gap=1.5)
        place = (dice.integer(-80, CANVAS_PX), dice.integer(-20, 190))
        canvas.paste(picture, place, dice.uniform(0.1, 0.6), SKY, dice.chance(0.5))


def paint_horizon(scene: Scene) -> None:
    """Hills behind a row of far houses and trees."""
    dice, canvas, far = scene.dice, scene.canvas, scene.street.far_m
    horizon = canvas.camera.horizon_px
    foot = horizon + 6
    if dice.chance(0.6):
        ridge = [(CANVAS_PX * step / 8, horizon - dice.uniform(6, 46)) for step in range(9)]
        canvas.polygon([(0, foot), *ridge, (CANVAS_PX, foot)], dice.pick(GRASSES), far, VEGETATION)
    left = 0.0
    wall = dice.pick(WALLS)
    while left < CANVAS_PX:
        width, height = dice.uniform(14, 46), dice.uniform(14, 74)
        right, top = left + width, horizon - height
        tone = mix(wall, OUTLINE, dice.uniform(0.05, 0.35))
        if dice.chance(0.75):
            canvas.polygon([(left, foot), (left, top), (right, top), (right, foot)], tone, far, BUILDING)
        else:
            picture = bush(dice.integer(0, BUSH_VARIANTS)).resize((round(width * 1.6), round(width * 0.8)))
            corner = (round(left), round(horizon) + 6 - picture.height)
            canvas.paste(picture, corner, canvas.haze_share(far), VEGETATION)
        left = right
