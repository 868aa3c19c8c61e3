"""What lines a street: rows of houses, gardens and trees."""

from dataclasses import replace

from compute.data.openmoji.camera import CANVAS_PX, Point
from compute.data.openmoji.classes import BUILDING, VEGETATION
from compute.data.openmoji.colors import OUTLINE, mix
from compute.data.openmoji.drawings import BUSH_VARIANTS, TREE_VARIANTS, bush, tree
from compute.data.openmoji.facades import add_facade, plan_facade
from compute.data.openmoji.glyphs import glyph
from compute.data.openmoji.street_plan import Scene

HOUSES = [  # (drawing, height in metres)
    ("🏠", 6.0), ("🏢", 8.5), ("⛪", 10.0), ("🏪", 4.5), ("🏬", 9.0), ("🏫", 8.5), ("🏥", 9.0), ("🏨", 8.0),
    ("🏦", 8.0), ("🏠", 7.0), ("🏚", 6.5), ("🏡", 6.5), ("🏘", 8.0), ("🏛", 8.0), ("🕌", 9.0), ("🏤", 8.5),
]  # fmt: skip


def add_tree(scene: Scene, place: Point) -> None:
    """A tree of any kind at `place` (x, z)."""
    dice = scene.dice
    mirror, kind = dice.chance(0.5), dice.integer(0, 8)
    if kind < 4 or place[1] < 17:  # nearer, the outlines of OpenMoji's trees would be as thick as poles
        picture = tree(dice.integer(0, TREE_VARIANTS), scene.winter)
    else:
        picture = glyph(["🌳", "🌲", "🌲", "🌲" if scene.winter else "🌴"][kind - 4])
    height_m = dice.uniform(4.2, 8)
    scene.stand(picture, place, height_m, VEGETATION, mirror, shadow_m=height_m * 0.4)


def _add_garden(scene: Scene, left: float, right: float, z_m: float) -> None:
    """A hedge with trees behind it."""
    dice = scene.dice
    for _ in range(dice.integer(1, 4)):
        add_tree(scene, (dice.uniform(left, right), z_m + dice.uniform(0.5, 2)))
    for _ in range(dice.integer(1, 4)):
        picture = bush(dice.integer(0, BUSH_VARIANTS))
        scene.stand(picture, (dice.uniform(left, right), z_m), dice.uniform(0.8, 1.8), VEGETATION)


def _add_house(scene: Scene, x_m: float, side: int, z_m: float) -> None:
    """An OpenMoji house whose street-side edge is at `x_m`; side 0 centers it there."""
    character, height_m = scene.dice.pick(HOUSES)
    picture = glyph(character)
    width_m = height_m * picture.width / picture.height
    scene.stand(picture, (x_m + side * width_m / 2, z_m), height_m, BUILDING, scene.dice.chance(0.5))


def _add_town_house(scene: Scene, side: int, z_m: float, length_m: float) -> None:
    """A house with its facade along the street and its gable wall toward the viewer."""
    facade = plan_facade(scene, (side * scene.street.edge_m, z_m), (0, 1), length_m, scene.dice.integer(2, 6))
    gable_wall = mix(facade.wall, OUTLINE, 0.12)
    add_facade(scene, replace(facade, direction=(side, 0), length_m=9.0, shop=False, wall=gable_wall), z_m + length_m)
    add_facade(scene, facade, z_m + length_m)


def add_row_along(scene: Scene, side: int) -> None:
    """Row of houses, gardens and trees on one side of a street that runs away from the viewer."""
    dice, street = scene.dice, scene.street
    fence = side * (street.edge_m + 0.5)

    def add_garden(depth_m: float, z_m: float) -> None:
        back = side * (street.edge_m + depth_m)
        _add_garden(scene, min(fence, back), max(fence, back), z_m)

    town = dice.chance(0.7)
    free_start, free_end = street.across[0] - street.pavement_m, street.across[1] + street.pavement_m
    z = dice.uniform(4.5, 8)
    while z < street.far_m - 12:
        length = dice.uniform(7, 13)
        if z < free_end and z + length > free_start:
            z = free_end
            continue
        kind = dice.uniform(0, 1)
        if kind < (0.78 if town else 0.2):
            _add_town_house(scene, side, z, length)
        elif kind < (0.88 if town else 0.65):
            _add_house(scene, fence, side, z + length * 0.6)
            add_garden(4, z + 0.5)
        else:
            add_garden(7, z + 1)
            add_garden(7, z + length - 2)
        z += length


def add_row_across(scene: Scene) -> None:
    """Row of houses that face the viewer behind the street across."""
    dice, street, camera = scene.dice, scene.street, scene.canvas.camera
    z = street.across[1] + street.pavement_m + 0.3
    reach = CANVAS_PX / camera.scale(z)
    x = camera.lateral_m - reach
    while x < camera.lateral_m + reach:
        length = dice.uniform(5, 10)
        kind = dice.uniform(0, 1)
        if kind < 0.6:
            add_facade(scene, plan_facade(scene, (x, z), (1, 0), length, dice.integer(1, 5)), z)
        elif kind < 0.8:
            _add_house(scene, x + length / 2, 0, z + 0.5)
        else:
            _add_garden(scene, x, x + length, z + 0.5)
        x += length
