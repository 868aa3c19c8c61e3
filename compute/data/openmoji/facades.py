"""Fronts of town houses: wall, roof, windows and ground floor."""

from dataclasses import dataclass

from compute.data.openmoji.camera import CANVAS_PX, Canvas, Point
from compute.data.openmoji.classes import BUILDING
from compute.data.openmoji.colors import OUTLINE, PAINTS, WALLS, Color, mix
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.street_plan import Scene

ROOFS: list[Color] = [(170, 74, 58), (92, 92, 104), (120, 80, 66), (66, 74, 92), (150, 112, 90), (108, 128, 118)]
ROOF_SHAPES = ["flat", "flat", "gable", "mansard", "stepped"]
GLASS: list[Color] = [(146, 211, 245), (97, 150, 190), (66, 84, 106), (196, 222, 232)]
LIT: Color = (255, 214, 110)
SNOW: Color = (242, 246, 250)


@dataclass(frozen=True)
class Facade:
    """One upright wall: it starts at `start` (x, z in metres) and runs `length_m` along the unit vector `direction`."""

    start: Point
    direction: Point
    length_m: float
    floors: int
    wall: Color
    roof: Color
    glass: Color
    roof_shape: str
    lit_share: float
    shop: bool

    @property
    def height_m(self) -> float:
        """Height of the wall below the roof."""
        return self.floors * 3.0 + 0.7

    @property
    def middle_z_m(self) -> float:
        """Depth used for haze."""
        return self.start[1] + self.direction[1] * self.length_m / 2

    def paint(
        self, canvas: Canvas, corners: list[Point], color: Color, label: int | None = None, outline: Color | None = OUTLINE
    ) -> None:
        """Polygon in the plane of the wall; corners are (distance along the wall, height) pairs in metres."""
        (x, z), (dx, dz) = self.start, self.direction
        points = [canvas.camera.project(x + dx * along, up, z + dz * along) for along, up in corners]
        canvas.polygon(points, color, self.middle_z_m, label, outline)


def plan_facade(scene: Scene, start: Point, direction: Point, length_m: float, floors: int) -> Facade:
    """A facade of random looks."""
    dice = scene.dice
    roof = mix(dice.pick(ROOFS), SNOW, 0.8 if scene.weather == "snow" else 0.0)
    wall, glass, roof_shape = dice.pick(WALLS), dice.pick(GLASS), dice.pick(ROOF_SHAPES)
    lit_share, shop = scene.light.lit_share, dice.chance(0.4)
    return Facade(start, direction, length_m, floors, wall, roof, glass, roof_shape, lit_share, shop)


def _rectangle(left: float, right: float, bottom: float, top: float) -> list[Point]:
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _roof_outline(facade: Facade) -> list[Point]:
    """Roof in the plane of the wall, as (distance along, height) pairs; the shape makes the skyline ragged."""
    length, eave = facade.length_m, facade.height_m
    if facade.roof_shape == "gable":
        return [(-0.4, eave), (length / 2, eave + length * 0.38), (length + 0.4, eave)]
    if facade.roof_shape == "mansard":
        return [(-0.3, eave), (0.9, eave + 2.6), (length - 0.9, eave + 2.6), (length + 0.3, eave)]
    if facade.roof_shape == "stepped":
        steps = ((0, 0), (0, 1), (0.17, 1), (0.17, 2), (0.34, 2), (0.34, 3))
        half = [(length * share, eave + up) for share, up in steps]
        return half + [(length - along, up) for along, up in reversed(half)]
    return _rectangle(-0.2, length + 0.2, eave, eave + 0.5)


def _paint_chimneys(canvas: Canvas, facade: Facade, dice: Dice) -> None:
    """Chimneys, water tanks and aerials; they stand behind the roof and belong to the building."""
    for _ in range(dice.integer(0, 4)):
        along, width = facade.length_m * dice.uniform(0.15, 0.8), dice.uniform(0.12, 1.1)
        corners = _rectangle(along, along + width, facade.height_m, facade.height_m + dice.uniform(1.2, 3.6))
        facade.paint(canvas, corners, mix(facade.wall, OUTLINE, 0.35), BUILDING)


def _paint_ground_floor(canvas: Canvas, facade: Facade, dice: Dice) -> None:
    """A door, in shops beside a window with a striped awning."""
    if facade.shop:
        window = _rectangle(0.5, facade.length_m - 0.5, 0.5, 2.5)
        facade.paint(canvas, window, mix(facade.glass, (255, 225, 150), 0.4))
        stripes = max(4, round(facade.length_m))
        awning = dice.pick(PAINTS)
        for stripe in range(stripes):
            left, right = (facade.length_m * (stripe + side) / stripes for side in (0, 1))
            color = awning if stripe % 2 else (248, 246, 238)
            facade.paint(canvas, _rectangle(left, right, 2.3, 3.0), color, outline=None)
    door = facade.length_m * dice.uniform(0.15, 0.75)
    facade.paint(canvas, _rectangle(door, door + 1.2, 0, 2.2), mix(dice.pick(PAINTS), OUTLINE, 0.3))


def _paint_windows(canvas: Canvas, facade: Facade, dice: Dice) -> None:
    """Panes in every upper floor, some of them lit."""
    columns = max(1, int(facade.length_m / 2.1))
    pitch = facade.length_m / columns
    frame = mix(facade.wall, OUTLINE, 0.45)
    lit = dice.generator.uniform(0, 1, (facade.floors, columns)) < facade.lit_share
    for floor in range(1, facade.floors):
        for column in range(columns):
            left, bottom = pitch * (column + 0.25), floor * 3.0 + 0.8
            pane = _rectangle(left, left + pitch * 0.5, bottom, bottom + 1.6)
            facade.paint(canvas, pane, LIT if lit[floor, column] else facade.glass, outline=frame)


def _paint_facade(canvas: Canvas, facade: Facade, dice: Dice) -> None:
    (x, z), (dx, dz) = facade.start, facade.direction
    ends = [canvas.camera.project(x + dx * along, 0, z + dz * along)[0] for along in (0, facade.length_m)]
    if max(ends) < 0 or min(ends) > CANVAS_PX:
        return
    _paint_chimneys(canvas, facade, dice)
    facade.paint(canvas, _roof_outline(facade), facade.roof, BUILDING)
    facade.paint(canvas, _rectangle(0, facade.length_m, 0, facade.height_m), facade.wall, BUILDING)
    _paint_ground_floor(canvas, facade, dice)
    if canvas.camera.scale(facade.middle_z_m) >= 4:
        _paint_windows(canvas, facade, dice)


def add_facade(scene: Scene, facade: Facade, z_m: float) -> None:
    """Queue a facade to be painted at depth `z_m`."""
    details = Dice(scene.dice.integer(0, 1 << 30))  # of its own, because painting is later and may be left out
    scene.add(z_m, lambda: _paint_facade(scene.canvas, facade, details))
