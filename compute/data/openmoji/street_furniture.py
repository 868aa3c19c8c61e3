"""Poles on the pavements, with street lamps or signs."""

from functools import partial

from compute.data.openmoji.camera import Canvas, Point
from compute.data.openmoji.classes import POLE, SIGN
from compute.data.openmoji.colors import Color
from compute.data.openmoji.glyphs import sign_plate
from compute.data.openmoji.street_plan import Scene

SIGNS = ["🛑", "⛔", "🚫", "🚸", "🚷", "⚠", "🚳", "♿", "🚏", "🔻", "Ⓜ", "🚻"]
LIGHT: Color = (255, 246, 205)
# (arms toward the road, height, radii of each light), in metres: one arm, two arms, a globe
LAMPS = [((1.6,), 6.2, (0.5, 0.14)), ((-1.3, 1.3), 6.2, (0.5, 0.14)), ((0.0,), 3.9, (0.3, 0.3))]


def _paint_pole(canvas: Canvas, place: Point, height_m: float, color: Color, arm_m: float = 0.0) -> None:
    """Thin pole at `place` (x, z), with a sideways arm at its top when `arm_m` is not 0."""
    (x, z), camera = place, canvas.camera
    width_px = min(6, max(2, round(0.13 * camera.scale(z))))
    points = [camera.project(x, 0, z), camera.project(x, height_m, z)]
    if arm_m:
        points.append(camera.project(x + arm_m, height_m + abs(arm_m) * 0.12, z))
    canvas.line(points, width_px, color, z, POLE)


def _paint_lamp(canvas: Canvas, place: Point, style: int, toward_road: int, color: Color) -> None:
    (x, z), scale = place, canvas.camera.scale(place[1])
    arms, height_m, (across_m, down_m) = LAMPS[style]
    for arm_m in arms:
        _paint_pole(canvas, place, height_m, color, arm_m * toward_road)
        center = canvas.camera.project(x + arm_m * toward_road, height_m + 0.15, z)
        canvas.ellipse(center, (max(2.0, across_m * scale), max(1.5, down_m * scale)), LIGHT, color, z, POLE)


def add_lamps(scene: Scene) -> None:
    """A row of street lamps on one or both sides."""
    dice, street = scene.dice, scene.street
    style, spacing = dice.integer(0, len(LAMPS)), dice.uniform(8, 13)
    places: list[tuple[float, float, int]] = []
    if street.along:
        for side in (-1, 1) if dice.chance(0.75) else (dice.pick([-1, 1]),):
            first = dice.uniform(6, 11)
            places += [(side * (street.road_half_m + 0.35), first + spacing * i, -side) for i in range(5)]
        places = [place for place in places if not street.across[0] < place[1] < street.across[1]]
    else:
        shift = dice.uniform(0, spacing)
        places = [(shift + spacing * i, street.across[1] + 0.35, 1) for i in range(-4, 4)]
    for x, z, toward_road in places:
        scene.add(z, partial(_paint_lamp, scene.canvas, (x, z), style, toward_road, scene.pole_color))


def add_sign(scene: Scene) -> None:
    """A pole at the kerb with one or two plates, or with a traffic light."""
    dice, canvas = scene.dice, scene.canvas
    x, z = scene.pavement_place(kerb=True)
    light = dice.chance(0.3)
    plates = [("🚦", 1.15)] if light else [(dice.pick(SIGNS), dice.uniform(0.8, 1.1))]
    if not light and dice.chance(0.25):
        plates.append((dice.pick(SIGNS), 0.7))
    top = dice.uniform(2.9, 3.5)

    def paint() -> None:
        _paint_pole(canvas, (x, z), top, scene.pole_color)
        up = top
        for character, size_m in plates:
            canvas.sprite(sign_plate(character), (x, up - size_m * 0.9, z), size_m, SIGN)
            up -= size_m

    scene.add(z, paint)
