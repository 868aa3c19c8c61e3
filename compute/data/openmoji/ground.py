"""The ground: every pixel below the horizon, painted by the place in the street that it shows."""

import numpy as np
from PIL import Image

from compute.data.openmoji.camera import CANVAS_PX
from compute.data.openmoji.classes import PAVEMENT, ROAD, VEGETATION
from compute.data.openmoji.colors import GRASSES, OUTLINE, Color, mix
from compute.data.openmoji.street_plan import Scene

ROADS: list[Color] = [(92, 94, 100), (116, 116, 118), (74, 78, 88), (134, 126, 120), (104, 98, 104), (146, 148, 150)]
PAVEMENTS: list[Color] = [
    (188, 184, 176), (206, 190, 168), (160, 160, 162), (196, 164, 146), (214, 208, 200), (140, 138, 140),
]  # fmt: skip
MARKINGS: list[Color] = [(240, 240, 234), (240, 240, 234), (236, 196, 84)]

ASPHALT, SLABS, KERB, MARKING, GRASS, JOINT, PATCH = range(7)  # what the ground is painted with
LABELS = np.array([ROAD, PAVEMENT, PAVEMENT, ROAD, VEGETATION, PAVEMENT, ROAD], np.uint8)  # of each of these
SNOW_SHARES = [0.3, 0.6, 0.7, 0.4, 0.85, 0.5, 0.35]  # how far snow covers each of these
SNOW: Color = (240, 244, 250)


def _repeat(metres: np.ndarray, period_m: float) -> np.ndarray:
    """Position within a pattern that repeats every `period_m`."""
    turns = metres * np.float32(1 / period_m)
    return (turns - np.floor(turns)) * np.float32(period_m)


def _ground_paints(scene: Scene, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """What ground points are painted with (uint8); x is (height, width), z is (height, 1)."""
    dice, street = scene.dice, scene.street
    aside = np.abs(x)
    start, end = street.across
    crossing = np.broadcast_to((z >= start) & (z < end), x.shape)
    along_road = (aside < street.road_half_m) & street.along
    road = along_road | crossing
    near_across = (z >= start - (street.pavement_m if street.along else 9)) & (z < end + street.pavement_m)
    pavement = (((aside < street.edge_m) & street.along) | (near_across & street.has_across)) & ~road
    kerb = ((aside < street.road_half_m + 0.18) & street.along) | ((z >= start - 0.18) & (z < end + 0.18))

    paints = np.full(x.shape, SLABS if dice.chance(0.3) else GRASS, np.uint8)
    paints[pavement] = SLABS
    paints[road] = ASPHALT
    for _ in range(dice.integer(0, 4)):
        left, near = dice.uniform(-4, 3), dice.uniform(5, 20)
        paints[road & (x > left) & (x < left + 1.8) & (z > near) & (z < near + 3)] = PATCH
    paints[pavement & (z < 14) & ((_repeat(x, 0.9) < 0.05) | (_repeat(z, 0.9) < 0.05))] = JOINT
    paints[pavement & kerb] = KERB
    paints[_markings(scene, x, z, along_road, crossing)] = MARKING
    return paints


def _markings(scene: Scene, x: np.ndarray, z: np.ndarray, along_road: np.ndarray, crossing: np.ndarray) -> np.ndarray:
    """Mask of lane lines and zebra crossings."""
    dice, street = scene.dice, scene.street
    start, end = street.across
    aside, free = np.abs(x), along_road & ~crossing
    markings = free & (aside < 0.08) & (_repeat(z, 6) < 3.2)
    if dice.chance(0.6):
        markings |= free & (np.abs(aside - street.road_half_m + 0.35) < 0.06)
    markings |= crossing & (np.abs(z - (start + end) / 2) < 0.09) & (_repeat(x, 5) < 2.8) & ~along_road
    if street.along and (street.has_across or dice.chance(0.45)):
        zebra_z = start - 4.0 if street.has_across else dice.uniform(9, 20)
        markings &= (z < zebra_z - 0.8) | (z > zebra_z + 3.8)  # lane lines stop short of the zebra
        return markings | (along_road & (z > zebra_z) & (z < zebra_z + 3.0) & (_repeat(x, 1.1) < 0.55))
    if not street.along and dice.chance(0.5):
        middle = scene.visible_x(end)
        return np.where(crossing & (np.abs(x - middle) < 1.8), _repeat(z, 1.1) < 0.55, markings)
    return markings


def _ground_palette(scene: Scene) -> np.ndarray:
    """(7, 3) colors of the ground's paints."""
    dice = scene.dice
    road, pavement, grass = dice.pick(ROADS), dice.pick(PAVEMENTS), dice.pick(GRASSES)
    kerb, joint, patch = mix(pavement, (245, 242, 236), 0.45), mix(pavement, OUTLINE, 0.22), mix(road, OUTLINE, 0.2)
    colors = [road, pavement, kerb, dice.pick(MARKINGS), grass, joint, patch]
    if scene.weather == "snow":
        colors = [mix(color, SNOW, share) for color, share in zip(colors, SNOW_SHARES, strict=True)]
    return np.array(colors, np.float32)


def _ground_shade(scene: Scene, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Brightness factor of ground points: grain, worn tracks, and the shadow of one row of houses in clear weather."""
    dice, generator = scene.dice, scene.dice.generator
    shade = 1 + (generator.integers(0, 256, x.shape, np.uint8).astype(np.float32) - 128) * dice.uniform(0.0003, 0.0012)
    coarse = Image.fromarray(generator.integers(0, 256, (12, 14), np.uint8)).resize(x.shape[::-1])
    shade += (np.asarray(coarse, np.float32) - 128) * 0.0004
    if scene.weather == "clear" and dice.chance(0.5):
        side = dice.pick([-1, 1])
        reach = scene.street.edge_m - generator.uniform(0.5, 6, 40)[np.clip(z / 5, 0, 39).astype(np.intp)]
        shade = np.where(side * x > reach, shade * 0.7, shade)
    return shade


def paint_ground(scene: Scene) -> None:
    """Paint road, pavements, markings and grass up to the horizon."""
    canvas, camera, far = scene.canvas, scene.canvas.camera, scene.street.far_m
    top = int(camera.horizon_px) + 2
    scale = ((np.arange(top, CANVAS_PX) - camera.horizon_px) / camera.height_m).astype(np.float32)[:, None]
    z = camera.focal_px / scale
    bend = camera.curve_per_m * np.minimum(z, far) ** 2
    x = (np.arange(CANVAS_PX, dtype=np.float32) - camera.vanish_px) / scale + camera.lateral_m - bend
    paints = _ground_paints(scene, x, z)
    clear_share = 1 / (1 + canvas.haze_per_m * np.minimum(z, far))
    palette, shade = _ground_palette(scene), _ground_shade(scene, x, z) * clear_share
    bands = []
    for band, haze in enumerate(canvas.haze):  # band by band, which NumPy computes several times faster
        values = palette[:, band][paints] * shade + np.float32(haze) * (1 - clear_share)
        bands.append(Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8)))
    canvas.photo.paste(Image.merge("RGB", bands), (0, top))
    canvas.labels.paste(Image.fromarray(LABELS[paints]), (0, top))
