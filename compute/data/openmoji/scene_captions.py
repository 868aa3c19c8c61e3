"""Captions for object scenes, true of the picture by construction, from a small grammar."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from compute.data.openmoji.captions import with_article
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.scene_drawings import RIDDEN
from compute.data.openmoji.scene_plan import PERSON, Scene, Thing

LEAST_HIDDEN = 0.08  # share of a thing that another must hide to be in front of it
NEAR_SHARE = 0.35  # gap between neighbours, as a share of the narrower one's width
SMALL_PX, LARGE_PX = 62, 150  # longer side of what captions call small and large
OPPOSITE = {"left of": "right of", "right of": "left of", "in front of": "behind", "next to": "next to"}
WORDED = {
    "left of": ("to the left of", "left of"), "right of": ("to the right of", "right of"), "next to": ("next to", "beside"),
}  # fmt: skip
PLURALS = {
    "person": "people", "man": "men", "woman": "women", "sheep": "sheep", "goose": "geese",
    "plant in a pot": "plants in pots",
}  # fmt: skip
NUMBERS = ("", "a", "two", "three", "four")


class Relation(NamedTuple):
    """That `first` stands to `second` as `words` says."""

    first: Thing
    words: str
    second: Thing


def relations(scene: Scene) -> list[Relation]:
    """All that holds between pairs of the scene's things that have a class, each in one of its two directions."""
    found = []
    things = [thing for thing in scene.things if thing.label]
    for number, far in enumerate(things):
        for near in things[number + 1 :]:
            if near.on is far:
                found.append(Relation(near, "riding" if far.drawing in RIDDEN.values() else "on", far))
            elif near.on is None and far.on is None:
                found += _between(far, near)
    return found


def _between(far: Thing, near: Thing) -> list[Relation]:
    hidden = np.count_nonzero(far.mask & near.mask) / np.count_nonzero(far.mask)
    (far_left, far_top, far_right, far_bottom), (near_left, near_top, near_right, near_bottom) = far.box, near.box
    narrower = min(far_right - far_left, near_right - near_left)
    found = []
    if hidden >= LEAST_HIDDEN and not (far.floats or near.floats):
        found.append(Relation(near, "in front of", far))
    gap = max(near_left - far_right, far_left - near_right)
    if gap >= -0.2 * narrower:
        near_is_left = near_left + near_right < far_left + far_right
        found.append(Relation(near, "left of" if near_is_left else "right of", far))
    level = abs(near_bottom - far_bottom) <= 0.25 * min(near_bottom - near_top, far_bottom - far_top)
    if -0.2 * narrower <= gap <= NEAR_SHARE * narrower and level and near.floats == far.floats:
        found.append(Relation(near, "next to", far))
    return found


class Writer:
    """Writes one caption: it calls things of one kind by one name throughout."""

    def __init__(self, dice: Dice, scene: Scene, detailed: bool) -> None:
        self.dice, self.scene, self.detailed = dice, scene, detailed
        self.names: dict[tuple[str, ...], str] = {}
        self.views = dict(zip(scene.things, scene.visible(), strict=True))

    def name(self, thing: Thing) -> str:
        """What this caption calls such a thing."""
        names = thing.drawing.names
        if names not in self.names:
            self.names[names] = names[0] if self.dice.chance(0.6) else self.dice.pick(names)
        return self.names[names]

    def described(self, thing: Thing) -> str:
        """Name with an adjective or none, without article."""
        dice, (left, top, right, bottom) = self.dice, thing.box
        longer = max(right - left, bottom - top)
        words = []
        sizable = thing.label != PERSON  # nobody calls a person near the camera big
        if sizable and longer <= SMALL_PX and dice.chance(0.4):
            words.append("small")
        if sizable and longer >= LARGE_PX and dice.chance(0.25):
            words.append(dice.pick(["large", "big"]))
        if self.views[thing].sum() < 0.65 * thing.mask.sum() and dice.chance(0.15):
            words.append("partly hidden")
        if thing.word and dice.chance(0.85 if self.detailed else 0.25):
            words.append(thing.word)
        words = words[-2:] if self.detailed else words[-1:]
        return " ".join([*words, self.name(thing)])

    def one(self, thing: Thing) -> str:
        """The thing with its article, flying where it is in the air."""
        phrase = with_article(self.described(thing), self.name(thing))
        return f"{phrase} {self.dice.pick(['in the sky', 'flying'])}" if thing.floats else phrase

    def listed(self, things: list[Thing]) -> str:
        """All of `things`, equal ones counted."""
        counts = Counter(self.described(thing) for thing in things)
        parts = [with_article(text) if count == 1 else f"{NUMBERS[count]} {_plural(text)}" for text, count in counts.items()]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

    def related(self, relation: Relation) -> str:
        """The pair with what is between them, in either direction."""
        first, words, second = relation
        if words in OPPOSITE and self.dice.chance(0.5):
            first, words, second = second, OPPOSITE[words], first
        words = self.dice.pick(WORDED[words]) if words in WORDED else words
        first_text, second_text = (with_article(self.described(thing), self.name(thing)) for thing in (first, second))
        if first_text == second_text:
            second_text = f"another {self.name(second)}"
        return f"{first_text} {words} {second_text}"

    def place(self) -> str:
        """Where the scene is."""
        return self.dice.pick(self.scene.ground.phrases)


def _plural(text: str) -> str:
    for name, plural in PLURALS.items():
        if text == name or text.endswith(f" {name}"):
            return text.removesuffix(name) + plural
    return f"{text}es" if text.endswith(("s", "ch")) else f"{text}s"


def _single(writer: Writer, thing: Thing) -> str:
    if thing.floats:
        return writer.one(thing)
    return f"{writer.one(thing)} {writer.place()}"


def _everything(writer: Writer, things: list[Thing], pairs: list[Relation]) -> str:
    """A caption that speaks of every thing."""
    dice = writer.dice
    if len(things) == 1:
        return _single(writer, things[0])
    grounded = not any(thing.floats for thing in things)
    place = f" {writer.place()}" if grounded and dice.chance(0.7) else ""
    if not pairs:
        return writer.listed(things) + place
    pair = next((pair for pair in pairs if pair.first.on is pair.second), None) or dice.pick(pairs)
    rest = [thing for thing in things if thing not in (pair.first, pair.second)]
    if not rest:
        return writer.related(pair) + place
    related, others = writer.related(pair), writer.listed(rest)
    if others in related:
        others = f"another {others.split(' ', 1)[1]}"
    joined = f"{dice.pick(['with', 'and'])} {others}"
    return f"{related}{place}, {joined}" if dice.chance(0.5) else f"{related}, {joined}{place}"


def _listing(writer: Writer, things: list[Thing]) -> str:
    """A plain list of everything, as a hurried person writes it."""
    dice = writer.dice
    text = writer.listed(things)
    if all(not thing.floats for thing in things) and dice.chance(0.4):
        text += f" {writer.place()}"
    return dice.pick(["{}", "{}", "a picture of {}", "a photo of {}"]).format(text)


def _detail(writer: Writer, things: list[Thing], pairs: list[Relation]) -> str:
    """One relation, or one thing that catches the eye."""
    if pairs and writer.dice.chance(0.7):
        return writer.related(writer.dice.pick(pairs))
    return _largest(writer, things)


def _largest(writer: Writer, things: list[Thing]) -> str:
    """The thing that most can be seen of."""
    return _single(writer, max(things, key=lambda thing: int(writer.views[thing].sum())))


def remark(dice: Dice, scene: Scene) -> str:
    """What catches the eye, and where it is; compose's captions may speak of it, too."""
    return _largest(Writer(dice, scene, True), [thing for thing in scene.things if thing.label])


def compose(dice: Dice, scene: Scene) -> tuple[str, ...]:
    """Two or three different captions of the scene; the first speaks of every thing with a class."""
    things = sorted((thing for thing in scene.things if thing.label), key=lambda thing: thing.box[0])
    pairs = relations(scene)
    written = [_everything(Writer(dice, scene, True), things, pairs), _listing(Writer(dice, scene, False), things)]
    if dice.chance(0.7):
        written.append(_detail(Writer(dice, scene, True), things, pairs))
    different = tuple(dict.fromkeys(written))
    return different if len(different) > 1 else (*different, f"a picture of {different[0]}")
