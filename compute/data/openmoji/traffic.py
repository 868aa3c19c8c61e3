"""Who uses the street: vehicles, people and cycles."""

from compute.data.openmoji.camera import Point
from compute.data.openmoji.classes import BICYCLE, PERSON, VEHICLE
from compute.data.openmoji.colors import PAINTS
from compute.data.openmoji.glyphs import OUTFITS, dressed, painted, rider_only
from compute.data.openmoji.street_plan import Scene

Model = tuple[str, float]  # drawing and height in metres

SIDE_VEHICLES: list[Model] = [
    ("🚗", 1.7), ("🚕", 1.75), ("🚙", 1.9), ("🚌", 3.0), ("🚎", 3.6), ("🚐", 2.2), ("🚑", 2.5), ("🚒", 2.9),
    ("🚓", 1.75), ("🚚", 2.1), ("🚛", 3.2), ("🚜", 2.7), ("🛻", 1.9), ("🚗", 1.7), ("🚗", 1.7), ("🚙", 1.9),
]  # fmt: skip
PARKED_VEHICLES: list[Model] = [("🚘", 1.75), ("🚘", 1.75), ("🚘", 1.75), ("🚖", 1.85), ("🚔", 1.85)]
FRONT_VEHICLES: list[Model] = [*PARKED_VEHICLES, ("🚍", 3.1)]
CYCLES: list[Model] = [("🚲", 1.35), ("🚲", 1.35), ("🛵", 1.45), ("🏍", 1.4), ("🛴", 1.35)]
WALKERS = ["🚶", "🚶", "🚶", "🧍", "🧍", "🏃", "👫", "👭", "👬", "🕺", "💃"]


def _add_vehicle(scene: Scene, model: Model, place: Point, mirror: bool) -> float:
    """Queue a vehicle and return its length on the picture in metres."""
    character, height_m = model
    picture = painted(character, scene.dice.integer(0, len(PAINTS)))
    width_m = height_m * picture.width / picture.height
    scene.stand(picture, place, height_m, VEHICLE, mirror, shadow_m=width_m * 1.05)
    return width_m


def add_traffic_along(scene: Scene) -> None:
    """Vehicles in both lanes or parked at the kerbs, seen from front or back."""
    dice, street = scene.dice, scene.street
    for side in (-1, 1):
        parked = dice.chance(0.45)
        lane = side * (street.road_half_m - 1.15 if parked else street.road_half_m / 2)
        z = dice.uniform(8, 16)
        while z < 50:
            in_crossing = street.across[0] - 4.5 < z < street.across[1] + 1
            if not in_crossing and dice.chance(0.7):
                _add_vehicle(scene, dice.pick(PARKED_VEHICLES if parked else FRONT_VEHICLES), (lane, z), mirror=False)
            z += dice.uniform(5, 8) if parked else dice.uniform(7, 18)


def add_traffic_across(scene: Scene) -> None:
    """Vehicles seen from the side, in the two lanes of the street across."""
    dice = scene.dice
    start, end = scene.street.across
    for lane, share in enumerate((0.3, 0.78)):
        z = start + (end - start) * share
        x = scene.visible_x(z)
        for _ in range(dice.integer(0, 3) + lane):
            width_m = _add_vehicle(scene, dice.pick(SIDE_VEHICLES), (x, z), mirror=lane == 0)
            x += dice.pick([-1, 1]) * (width_m + dice.uniform(5, 9))


def add_people(scene: Scene) -> None:
    """People on the pavements, and sometimes somebody who crosses the road."""
    dice, street = scene.dice, scene.street
    for number in range(dice.integer(3, 8)):
        x, z = scene.pavement_place()
        if number == 0 and dice.chance(0.4):
            if not street.along:
                z = (street.across[0] + street.across[1]) / 2
            else:
                z = street.across[0] - 2.5 if street.has_across else z
                x = dice.uniform(-0.7, 0.7) * street.road_half_m
        picture = dressed(dice.pick(WALKERS), dice.integer(0, len(OUTFITS)))
        height_m = dice.uniform(1.1, 1.3) if dice.chance(0.15) else dice.uniform(1.6, 1.95)
        scene.stand(picture, (x, z), height_m, PERSON, dice.chance(0.5), shadow_m=0.8)


def add_cycles(scene: Scene) -> None:
    """Parked two-wheelers on the pavements and sometimes a cyclist on the road."""
    dice, street = scene.dice, scene.street
    for _ in range(dice.integer(2, 5)):
        place = scene.pavement_place(kerb=dice.chance(0.6))
        character, height_m = dice.pick(CYCLES)
        picture = painted(character, dice.integer(0, len(PAINTS)))
        scene.stand(picture, place, height_m, BICYCLE, dice.chance(0.5), shadow_m=1.7)
    if dice.chance(0.45):
        outfit, mirror = dice.integer(0, len(OUTFITS)), dice.chance(0.5)
        x, z = scene.pavement_place(kerb=True)
        if street.along:
            x += 0.9 if x < 0 else -0.9
        else:
            z = street.across[0] + dice.uniform(0.1, 0.9) * (street.across[1] - street.across[0])
        scene.stand(dressed("🚴", outfit), (x, z), 1.9, BICYCLE, mirror, shadow_m=1.7)
        scene.stand(rider_only(outfit), (x, z), 1.9, PERSON, mirror)
