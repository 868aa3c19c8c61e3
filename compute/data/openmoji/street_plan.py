"""The plan of one scene: its street, camera, light and weather, and the places and queue of what stands in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from PIL import Image

from compute.data.openmoji.camera import CANVAS_PX, Camera, Canvas, Point
from compute.data.openmoji.colors import Color
from compute.data.openmoji.dice import Dice


class Light(NamedTuple):
    """Colors of the sky, factors by which the light tints red, green and blue, and the share of lit windows."""

    zenith: Color
    horizon: Color
    tint: tuple[float, float, float]
    lit_share: float = 0.06


NOON = Light((78, 158, 226), (196, 228, 246), (1.0, 1.0, 1.0))
MILKY = Light((108, 178, 232), (232, 240, 240), (1.04, 1.02, 0.96))
CRISP = Light((74, 190, 214), (222, 244, 232), (1.0, 1.02, 0.98))
SUNSET = Light((92, 112, 176), (250, 190, 140), (1.06, 0.92, 0.8), lit_share=0.5)
MORNING = Light((120, 130, 190), (246, 214, 196), (1.02, 0.95, 0.94))
DUSK = Light((58, 66, 122), (214, 136, 128), (0.74, 0.68, 0.82), lit_share=0.5)
GRAY = Light((148, 160, 172), (206, 210, 212), (0.88, 0.9, 0.93))
PALE = Light((182, 186, 190), (222, 222, 220), (0.94, 0.95, 0.96))
CLEAR_LIGHTS = [NOON, NOON, NOON, MILKY, MILKY, CRISP, CRISP, SUNSET, MORNING, DUSK, PALE]
POLE_COLORS: list[Color] = [(70, 74, 82), (122, 126, 130), (44, 62, 56), (92, 98, 106), (104, 82, 66), (36, 36, 42)]

NOWHERE = (-9.0, -9.0)  # behind the viewer


@dataclass(frozen=True)
class Street:
    """Plan of the ground in metres: a street along z, one across it, or both (a crossing)."""

    along: bool
    road_half_m: float
    pavement_m: float
    across: tuple[float, float]  # depths where it begins and ends, or NOWHERE
    far_m: float = 75.0

    @property
    def has_across(self) -> bool:
        """Whether a street runs across."""
        return self.across != NOWHERE

    @property
    def edge_m(self) -> float:
        """Sideways distance from the middle of the street to the building line."""
        return self.road_half_m + self.pavement_m


@dataclass
class Scene:
    """Everything one street picture is made from; `items` are (depth, painter) pairs yet to be painted."""

    dice: Dice
    street: Street
    canvas: Canvas
    light: Light
    weather: str
    winter: bool
    pole_color: Color
    items: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    taken: list[Point] = field(default_factory=list)  # (canvas column, depth) of things on the pavements

    def add(self, z_m: float, paint: Callable[[], object]) -> None:
        """Queue something to be painted at depth `z_m`."""
        self.items.append((z_m, paint))

    def stand(
        self, picture: Image.Image, place: Point, height_m: float, label: int, mirror: bool = False, shadow_m: float = 0.0
    ) -> None:
        """Queue a picture that stands on the ground at `place` (x, z), with a shadow `shadow_m` wide."""
        x, z = place
        if shadow_m:
            # Shadows lie on the ground, so they are painted just before anything at that depth.
            self.add(z + 0.01, lambda: self.canvas.shadow(x, z, shadow_m))
        self.add(z, lambda: self.canvas.sprite(picture, (x, 0, z), height_m, label, mirror))

    def paint_items(self) -> None:
        """Paint what is queued, from far to near."""
        for _, paint in sorted(self.items, key=lambda item: -item[0]):
            paint()

    def visible_x(self, z_m: float) -> float:
        """A random sideways place that is seen at depth `z_m`."""
        return self.canvas.camera.street_x(self.dice.uniform(0.05, 0.95) * CANVAS_PX, z_m)

    def _any_pavement_place(self, kerb: bool, near_m: float) -> Point:
        dice, street = self.dice, self.street
        near, far = street.across
        if street.along:
            z = 1 / dice.uniform(1 / 32, 1 / near_m)  # spreads sizes on the picture, not depths, evenly
            inward = 0.4 if kerb else dice.uniform(0.6, street.pavement_m - 0.3)
            return dice.pick([-1, 1]) * (street.road_half_m + inward), z
        here = near_m < near and dice.chance(0.4)
        inward = 0.35 if kerb else dice.uniform(0.4, near - 4.6 if here else street.pavement_m - 0.3)
        z = near - inward if here else far + inward
        return self.visible_x(z), z

    def pavement_place(self, kerb: bool = False, near_m: float = 6.5) -> Point:
        """A visible place (x, z) on a pavement, at its kerb if wanted, that nothing else on a pavement hides."""
        camera, across = self.canvas.camera, self.street.across
        for _ in range(16):
            x, z = self._any_pavement_place(kerb, near_m)
            column = camera.project(x, 0, z)[0]
            seen = 0.03 < column / CANVAS_PX < 0.97 and not across[0] - 0.3 < z < across[1] + 0.3
            if seen and all(abs(column - other) > 0.7 * camera.scale(min(z, depth)) for other, depth in self.taken):
                self.taken.append((column, z))
                return x, z
        return self._any_pavement_place(kerb, near_m)


def plan_scene(dice: Dice) -> Scene:
    """Choose street, camera, light and weather."""
    layout = dice.pick(["along", "along", "crossing", "across"])
    near = dice.uniform(10, 16) if layout == "crossing" else dice.uniform(6.2, 8.4)
    across = NOWHERE if layout == "along" else (near, near + dice.uniform(6, 8))
    street = Street(layout != "across", dice.uniform(3.0, 4.4), dice.uniform(2.4, 4.2), across)
    curve = dice.uniform(-0.004, 0.004) if layout == "along" and dice.chance(0.6) else 0.0
    camera = Camera(
        horizon_px=dice.uniform(0.42, 0.53) * CANVAS_PX,
        vanish_px=dice.uniform(0.3, 0.7) * CANVAS_PX,
        height_m=dice.uniform(2.1, 2.9),
        lateral_m=dice.uniform(-1, 1) * street.road_half_m * 1.2,
        focal_px=dice.uniform(380, 470),
        curve_per_m=curve,
    )
    weather = dice.pick(["clear"] * 8 + ["rain", "fog", "snow"])
    light = dice.pick(CLEAR_LIGHTS if weather == "clear" else [GRAY, PALE])
    haze_per_m = dice.uniform(0.02, 0.045) if weather == "fog" else dice.uniform(0.002, 0.007)
    canvas = Canvas(camera, light.horizon, haze_per_m)
    winter = weather == "snow" or dice.chance(0.12)
    return Scene(dice, street, canvas, light, weather, winter, pole_color=dice.pick(POLE_COLORS))
