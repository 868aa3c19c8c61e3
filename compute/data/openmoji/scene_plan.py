"""Plans of object scenes: which things stand where, how far away, and which hides which."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from compute.data.openmoji.dice import Dice
from compute.data.openmoji.glyphs import cropped
from compute.data.openmoji.layers import colors
from compute.data.openmoji.scene_drawings import (
    BACKGROUND_THINGS,
    DRAWINGS,
    EXTENTS,
    RIDDEN,
    RIDER,
    Drawing,
    rider_and_mount,
    sprite,
)
from compute.data.openmoji.scene_grounds import OUTDOORS, SIZE_PX, Ground, plan_ground

LABEL_COUNT = 20
TRIES = 12  # to find a place for one more thing
LEAST_VISIBLE = 0.4  # of a thing, or it is moved
LEAST_PIXELS = 110
(
    AEROPLANE, BICYCLE, BIRD, BOAT, BOTTLE, BUS, CAR, CAT, CHAIR, COW, TABLE, DOG, HORSE, MOTORBIKE, PERSON, PLANT, SHEEP, SOFA,
    TRAIN, TELEVISION,
) = range(1, LABEL_COUNT + 1)  # fmt: skip
# What may stand on what has a `top`.
CARRIED = {SOFA: (CAT, DOG, PERSON), CHAIR: (CAT, DOG, PERSON), TABLE: (BOTTLE, PLANT, TELEVISION, CAT, BIRD)}
SEATED = "🧘🧎👩👨🧑👮👷"  # people who can be on a seat
HOME = {  # grounds that a class is often seen on
    AEROPLANE: ("road", "grass", "sand"), BOAT: ("water", "water", "sand"), BOTTLE: ("room", "flat"), CHAIR: ("room",),
    TABLE: ("room",), PLANT: ("room", "gravel"), SOFA: ("room",), TELEVISION: ("room",), BUS: ("road",), CAR: ("road",),
    MOTORBIKE: ("road",), BICYCLE: ("road",), TRAIN: ("gravel", "grass"), COW: ("grass",), HORSE: ("grass", "sand"),
    SHEEP: ("grass", "snow"),
}  # fmt: skip
ANYWHERE = (*OUTDOORS, "grass", "road", "room", "room", "flat", "flat", "flat")


@dataclass(eq=False)
class Thing:
    """One thing in a scene: its picture, where its upper left corner is, and how far in front it is painted.

    `label` is VOC's, 0 for what belongs to the background. `mask` (SIZE_PX, SIZE_PX) bool is all of it within the frame.
    """

    label: int
    drawing: Drawing
    word: str
    picture: Image.Image
    corner: tuple[int, int]
    depth: float
    floats: bool = False
    on: "Thing | None" = None
    mask: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        alpha = Image.new("L", (SIZE_PX, SIZE_PX))
        alpha.paste(self.picture.getchannel("A"), self.corner)
        self.mask = np.asarray(alpha) > 127

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom within the frame."""
        (left, top), (width, height) = self.corner, self.picture.size
        return max(left, 0), max(top, 0), min(left + width, SIZE_PX), min(top + height, SIZE_PX)


@dataclass(frozen=True)
class Scene:
    """The ground and the things of one picture, from far to near."""

    ground: Ground
    things: tuple[Thing, ...]

    def visible(self) -> list[np.ndarray]:
        """What can be seen of each thing: (SIZE_PX, SIZE_PX) bool, in the order of `things`."""
        covered = np.zeros((SIZE_PX, SIZE_PX), bool)
        seen = []
        for thing in reversed(self.things):
            seen.append(thing.mask & ~covered)
            covered |= thing.mask
        return seen[::-1]


def _sized(dice: Dice, picture: Image.Image, longer_px: float, tilts: bool) -> Image.Image:
    """The sprite at its size in the picture, mirrored and slightly turned by chance."""
    picture = ImageOps.mirror(picture) if dice.chance(0.5) else picture
    # Slim things are drawn longer than square ones, else they would show too little.
    longer, shorter = max(picture.size), min(picture.size)
    scale = 2 * min(longer_px / (0.7 * longer + 0.3 * shorter), 0.95 * SIZE_PX / longer)
    size = max(4, round(picture.width * scale)), max(4, round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.5)
    angle = dice.uniform(-40, 40) if tilts else dice.uniform(-4, 4)
    if tilts or dice.chance(0.4):
        # Nearest pixels are found in integer arithmetic, the same on every machine.
        picture = picture.rotate(angle, Image.Resampling.NEAREST, expand=True)
    return cropped(picture.reduce(2))


class Planner:
    """Puts things into a scene one by one, each where it and the others remain recognisable."""

    def __init__(self, dice: Dice, ground: Ground, closeness: float) -> None:
        self.dice, self.ground, self.closeness = dice, ground, closeness
        self.things: list[Thing] = []

    def add(self, label: int, beside: Thing | None) -> None:
        """Add a thing of the class `label`, near `beside` if given, at times with a rider; nothing where no place is found."""
        dice = self.dice
        ridden = label in RIDDEN and dice.chance(0.35)
        drawing = RIDDEN[label] if ridden else dice.pick(self._drawings(label))
        word = dice.pick(drawing.color_words) if drawing.color_words and (drawing.fills or " " in drawing.picture) else ""
        looks = dice.integer(0, 30)
        picture = sprite(label, drawing, word, looks)
        word = word or (drawing.color_words[0] if drawing.color_words else "")
        size = EXTENTS[label] * SIZE_PX * dice.uniform(0.75, 1.25)
        for attempt in range(TRIES):
            if beside is not None and beside.drawing.top is not None and self._may_carry(beside, label, drawing):
                thing = self._carried(label, drawing, word, picture, beside)
            else:
                thing = self._placed(label, drawing, word, picture, size * 0.93**attempt, beside)
            added = _mounted(thing, looks) if ridden else (thing,)
            if self._fits(*added):
                self.things += added
                return

    def _drawings(self, label: int) -> list[Drawing]:
        flat = self.ground.horizon_px is None
        return [drawing for drawing in DRAWINGS[label] if flat or not drawing.from_above]

    def add_background_thing(self) -> None:
        """Add a thing that has no class, or a bush, where it hides little."""
        dice = self.dice
        character = dice.pick(BACKGROUND_THINGS)
        drawing = Drawing(character, ())
        for _ in range(3):
            thing = self._placed(0, drawing, "", colors(character), SIZE_PX * dice.uniform(0.14, 0.4), None)
            if self._fits(thing):
                self.things.append(thing)
                return

    def _may_carry(self, support: Thing, label: int, drawing: Drawing) -> bool:
        taken = any(thing.on is support for thing in self.things)
        seated = label != PERSON or drawing.picture in SEATED
        return not taken and seated and label in CARRIED.get(support.label, ())

    def _carried(self, label: int, drawing: Drawing, word: str, picture: Image.Image, support: Thing) -> Thing:
        """A thing that stands on the top of `support`, no wider than three quarters of it."""
        dice, (width, height) = self.dice, support.picture.size
        longer = min(EXTENTS[label] / EXTENTS[support.label] * max(width, height) * dice.uniform(0.8, 1.1), 0.75 * width)
        picture = _sized(dice, picture, longer, tilts=False)
        assert support.drawing.top is not None
        room = width - picture.width
        x = support.corner[0] + room / 2 + dice.uniform(-0.5, 0.5) * max(0.0, room - 0.2 * width)
        y = support.corner[1] + support.drawing.top * height - picture.height
        return Thing(label, drawing, word, picture, (round(x), round(y)), support.depth + 0.5, on=support)

    def _placed(
        self, label: int, drawing: Drawing, word: str, picture: Image.Image, size_px: float, beside: Thing | None
    ) -> Thing:
        """A thing somewhere on the ground or in the air; where `beside` is given, half over it or close to it."""
        dice, horizon = self.dice, self.ground.horizon_px
        outdoors = horizon is not None and self.ground.kind != "room"
        floats = drawing.flies and outdoors and (drawing.tilts or dice.chance(0.7))
        if horizon is None or floats:
            foot, scale = 0.0, dice.uniform(0.6, 1.1)
        else:
            share = dice.uniform(0, 1)  # 0 at the horizon, 1 at the lower edge
            foot = horizon + 12 + share * (SIZE_PX + 4 - horizon - 12)
            scale = 0.55 + 0.75 * share
        picture = _sized(dice, picture, size_px * scale * self.closeness, drawing.tilts)
        width, height = picture.size
        x = dice.uniform(-0.12 * width, max(0.0, SIZE_PX - 0.88 * width))
        if beside is not None:
            center = beside.corner[0] + beside.picture.width / 2
            reach = (beside.picture.width + width) / 2 * dice.uniform(0.35, 1.1)
            x = center + dice.pick([-1, 1]) * reach - width / 2
        if floats:
            y, depth = dice.uniform(-0.1 * height, max(1.0, 0.9 * (horizon or 0) - 0.5 * height)), 1.0
        elif horizon is None:
            y, depth = dice.uniform(-0.1 * height, max(0.0, SIZE_PX - 0.9 * height)), float(len(self.things)) * 10
            if beside is not None:
                y = beside.corner[1] + dice.uniform(-0.4, 0.6) * beside.picture.height
        else:
            y, depth = foot - height, foot
        return Thing(label, drawing, word, picture, (round(x), round(y)), depth, floats)

    def _fits(self, *added: Thing) -> bool:
        """Whether with these things enough is in the frame and can be seen of every one."""
        for thing in added:
            whole = int((np.asarray(thing.picture.getchannel("A")) > 127).sum())
            if thing.mask.sum() < max(0.65 * whole, LEAST_PIXELS):
                return False
        things = _from_far([*self.things, *added])
        seen = Scene(self.ground, things).visible()
        return all(
            view.sum() >= max(LEAST_VISIBLE * entry.mask.sum(), LEAST_PIXELS) for entry, view in zip(things, seen, strict=True)
        )


def _mounted(thing: Thing, looks: int) -> tuple[Thing, Thing]:
    """What is ridden, and who rides it, from one drawing of both."""
    rider, mount = rider_and_mount(thing.picture, looks)
    ridden = Thing(thing.label, thing.drawing, thing.word, mount, thing.corner, thing.depth)
    return ridden, Thing(PERSON, RIDER, "", rider, thing.corner, thing.depth + 0.25, on=ridden)


def _from_far(things: list[Thing]) -> tuple[Thing, ...]:
    return tuple(sorted(things, key=lambda thing: thing.depth))


def plan_scene(dice: Dice, index: int) -> Scene:
    """Plan scene `index`: one to four things, the first of them of the class whose turn it is."""
    first = index % LABEL_COUNT + 1
    kind = dice.pick(HOME[first]) if first in HOME and dice.chance(0.6) else dice.pick(ANYWHERE)
    count = dice.pick([1, 1, 2, 2, 2, 2, 3, 3, 3, 4])
    closeness = dice.uniform(1.25, 1.75) if count == 1 else dice.uniform(0.9, 1.25)
    planner = Planner(dice, plan_ground(dice, kind), closeness)
    for _ in range(dice.pick([0, 0, 1, 1, 2])):
        planner.add_background_thing()
    planner.add(first, None)
    while not any(thing.label for thing in planner.things):  # what stood around left no room
        planner.things.clear()
        planner.add(first, None)
    for _ in range(count - 1):
        beside = planner.things[-1] if planner.things[-1].label and dice.chance(0.6) else None
        carried = CARRIED.get(beside.label) if beside is not None and beside.drawing.top is not None else None
        label = dice.pick(carried) if carried and dice.chance(0.7) else dice.integer(1, LABEL_COUNT + 1)
        planner.add(label, beside)
    return Scene(planner.ground, _from_far(planner.things))
