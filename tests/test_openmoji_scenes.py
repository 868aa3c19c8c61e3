"""Object scenes of the OpenMoji world: repeatable, exactly labelled, and with captions that are true of them."""

import hashlib
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from compute.data.openmoji import scene_captions
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.scene_captions import Relation, relations
from compute.data.openmoji.scene_drawings import BACKGROUND_THINGS, DRAWINGS, EXTENTS, RIDDEN, Drawing, color_of, sprite
from compute.data.openmoji.scene_grounds import PHRASES, SIZE_PX, Ground
from compute.data.openmoji.scene_plan import Scene, Thing, plan_scene
from compute.data.openmoji.textures import TEXTURES
from compute.data.openmoji_scenes import COLOR_WORDS, PLACES, PLAN, VALIDATION_START, _hidden, _labels, draw_scene
from compute.data.palette import VOC_NAMES

SEED = 3
SCENES = 60
CAR, COW, DOG, PERSON, SOFA = (VOC_NAMES.index(name) for name in ("car", "cow", "dog", "person", "sofa"))
GRASS = Ground("grass", ("on grass",), 100)


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def planned(index: int) -> Scene:
    """The plan that draw_scene(SEED, index) paints."""
    return plan_scene(Dice(SEED, index, PLAN), index)


@pytest.fixture(scope="module")
def drawn():
    """The first scenes with their plans."""
    return [(planned(index), draw_scene(SEED, index)) for index in range(SCENES)]


def block(label: int, box: tuple[int, int, int, int], depth: float, name: str = "", **more) -> Thing:
    """A thing that fills `box` (left, top, right, bottom)."""
    left, top, right, bottom = box
    picture = Image.new("RGBA", (right - left, bottom - top), (200, 40, 40, 255))
    return Thing(label, Drawing("x", (name or VOC_NAMES[label],)), "", picture, (left, top), depth, **more)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "7c2137382a71fe1a"),
        (7, "7dc6df1559499847"),
        (VALIDATION_START, "d2f8fd841d0a1341"),
        (VALIDATION_START + 12, "f609d6220bec8db3"),
    ],
)
def test_a_scene_is_the_same_on_every_machine(index: int, expected: str) -> None:
    scene = draw_scene(SEED, index)
    captions = "\n".join(scene.captions).encode()
    assert digest(scene.photo.tobytes(), scene.labels.tobytes(), scene.hidden.tobytes(), captions) == expected


def test_a_scene_depends_on_seed_and_index_only() -> None:
    first, again = draw_scene(SEED, 1), draw_scene(SEED, 1)
    assert first.captions == again.captions
    for mine, theirs in zip(first[:3], again[:3], strict=True):
        assert np.array_equal(mine, theirs)
    for other in (draw_scene(SEED, 2), draw_scene(SEED + 1, 1)):
        assert not np.array_equal(first.photo, other.photo)
        assert not np.array_equal(first.labels, other.labels)


def test_each_pixel_knows_the_word_for_its_color_and_each_scene_its_place(drawn) -> None:
    for plan, scene in drawn:
        assert scene.place in PLACES
        assert scene.place == "room" or any(scene.place in phrase for phrase in plan.ground.phrases)
        for thing, seen in zip(plan.things, plan.visible(), strict=True):
            assert set(np.unique(scene.colors[seen])) <= {COLOR_WORDS.index(thing.word) + 1 if thing.word else 0}
        largest = max(zip(plan.visible(), plan.things, strict=True), key=lambda pair: pair[0].sum() if pair[1].label else 0)[1]
        assert any(name in scene.remark for name in largest.drawing.names)
        assert not scene.colors[~np.any([thing.mask for thing in plan.things], axis=0)].any()


def test_scenes_have_the_right_form_and_the_class_whose_turn_it_is(drawn) -> None:
    for index, (plan, scene) in enumerate(drawn):
        assert (scene.photo.shape, scene.photo.dtype) == ((256, 256, 3), np.uint8)
        for label_map in (scene.labels, scene.hidden):
            assert (label_map.shape, label_map.dtype) == ((256, 256), np.uint8)
            assert set(np.unique(label_map).tolist()) <= {*range(21), 255}
        assert index % 20 + 1 in scene.labels
        classed = [thing for thing in plan.things if thing.label]
        assert 1 <= len(classed) <= 8  # four, of which each may have a rider
        assert {thing.label for thing in classed} >= set(np.unique(scene.labels).tolist()) - {0, 255}


def test_things_are_of_many_sizes_and_often_hide_each_other(drawn) -> None:
    hiding, extents = 0, []
    for plan, scene in drawn:
        hiding += (scene.hidden != 255).sum() > 20
        extents += [max(thing.picture.size) for thing in plan.things if thing.label]
    assert 0.35 * SCENES < hiding < 0.75 * SCENES
    assert np.quantile(extents, 0.1) < 70
    assert np.quantile(extents, 0.9) > 160


def test_everything_planned_can_be_recognised(drawn) -> None:
    for plan, _ in drawn:
        for thing, seen in zip(plan.things, plan.visible(), strict=True):
            assert seen.sum() >= 0.4 * thing.mask.sum() >= 0.4 * 110


def test_labels_are_the_nearest_things_and_void_lies_at_their_borders(drawn) -> None:
    for plan, scene in drawn[:12]:
        top = np.zeros((SIZE_PX, SIZE_PX), int)
        for number, thing in enumerate(plan.things, start=1):
            top[thing.mask] = number if thing.label else 0
        label_of = np.array([0, *(thing.label for thing in plan.things)])
        void = scene.labels == 255
        assert np.array_equal(scene.labels[~void], label_of[top][~void])
        for row, column in zip(*np.nonzero(void), strict=True):
            window = top[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
            assert (window != top[row, column]).any()


def test_hidden_is_the_topmost_thing_of_another_class_below(drawn) -> None:
    checked = 0
    for plan, scene in drawn[:30]:
        for row in range(0, SIZE_PX, 4):
            for column in range(0, SIZE_PX, 4):
                label = scene.labels[row, column]
                below = [
                    thing.label for thing in reversed(plan.things) if thing.mask[row, column] and thing.label not in (0, label)
                ]
                expected = below[0] if below and label not in (0, 255) else 255
                assert scene.hidden[row, column] == expected
                checked += expected != 255
    assert checked > 100


def test_a_square_has_a_void_border_and_a_thin_bar_keeps_its_label() -> None:
    scene = Scene(GRASS, (block(CAR, (100, 100, 140, 140), 1), block(COW, (200, 50, 202, 90), 2)))
    labels = _labels(scene)
    middle = labels[120].tolist()
    assert middle[96:103] == [0, 0, 255, 255, 255, CAR, CAR]  # two outside, one inside
    assert middle[137:144] == [CAR, CAR, 255, 255, 255, 0, 0]
    assert labels[70].tolist()[196:206] == [0, 0, 255, 255, COW, COW, 255, 255, 0, 0]


def test_things_of_one_class_have_void_between_them_and_hide_nothing_of_another() -> None:
    scene = Scene(GRASS, (block(CAR, (100, 100, 140, 140), 1), block(CAR, (120, 100, 160, 140), 2)))
    labels = _labels(scene)
    assert labels[120].tolist()[117:123] == [CAR, CAR, 255, 255, CAR, CAR]
    assert (_hidden(scene, labels) == 255).all()


def test_hidden_looks_through_a_thing_of_the_same_class_and_ignores_background() -> None:
    cow, car, other_car = (
        block(COW, (50, 50, 120, 120), 1),
        block(CAR, (60, 60, 130, 130), 2),
        block(CAR, (70, 70, 140, 140), 3),
    )
    box = block(0, (80, 80, 100, 100), 4)
    scene = Scene(GRASS, (cow, car, other_car, box))
    hidden = _hidden(scene, _labels(scene))
    assert hidden[110, 110] == COW  # below two cars
    assert hidden[90, 90] == 255  # the nearest is background
    assert hidden[110, 65] == COW  # below the first car alone
    assert hidden[135, 135] == 255  # only a car


def found(*things: Thing) -> list[tuple[int, str, int]]:
    return [(things.index(first), words, things.index(second)) for first, words, second in relations(Scene(GRASS, things))]


@pytest.mark.parametrize(
    ("near", "expected"),
    [
        ((150, 100, 190, 140), ["right of"]),
        ((110, 100, 150, 140), ["right of", "next to"]),
        ((110, 60, 150, 100), ["right of"]),  # close, but on another level
        ((10, 100, 50, 140), ["left of", "next to"]),
        ((90, 110, 130, 150), ["in front of"]),
        ((95, 132, 135, 172), ["right of"]),  # hides a hundredth
        ((60, 40, 100, 80), []),  # straight above
    ],
)  # fmt: skip
def test_relations_of_two_things(near: tuple[int, int, int, int], expected: list[str]) -> None:
    assert [words for _, words, _ in found(block(CAR, (60, 100, 100, 140), 1), block(DOG, near, 2))] == expected


def test_what_stands_on_a_thing_is_on_it_and_not_in_front() -> None:
    sofa = block(SOFA, (60, 100, 160, 160), 160)
    dog = block(DOG, (80, 90, 120, 130), 160.5, on=sofa)
    assert found(sofa, dog) == [(1, "on", 0)]
    horse = Thing(13, RIDDEN[13], "brown", sofa.picture, (60, 100), 160)
    person = block(PERSON, (80, 90, 120, 130), 160.5, on=horse)
    assert found(horse, person) == [(1, "riding", 0)]


def test_what_flies_is_never_in_front() -> None:
    assert found(block(CAR, (60, 100, 100, 140), 120), block(3, (60, 90, 100, 130), 1, floats=True)) == []


ADJECTIVES = ("small", "large", "big", "partly hidden")
NAMES = sorted(
    {name for drawings in DRAWINGS.values() for drawing in drawings for name in drawing.names}, key=len, reverse=True
)
COLORS = sorted({word for drawings in DRAWINGS.values() for d in drawings for word in d.color_words}, key=len, reverse=True)
COUNTS = {"a": 1, "an": 1, "another": 2, "two": 2, "three": 3, "four": 4}
PLURALS = {scene_captions._plural(name): name for name in NAMES}
PHRASE = re.compile(
    rf"\b({'|'.join(COUNTS)}) ((?:(?:{'|'.join(ADJECTIVES)}) )*)(?:({'|'.join(COLORS)}) )?"
    rf"({'|'.join(sorted([*PLURALS, *NAMES], key=len, reverse=True))})\b"
)
RELATION = re.compile(r"(?:to the )?(left of|right of|in front of|behind|next to|beside|riding|on)$")


def things_called(plan: Scene, color: str | None, name: str) -> list[Thing]:
    named = [thing for thing in plan.things if thing.label and name in thing.drawing.names]
    return [thing for thing in named if color in (None, thing.word)]


def holds(words: str, first: Thing, second: Thing) -> bool:
    """Whether a relation is true, judged from the masks alone."""
    (first_columns, second_columns) = (np.nonzero(thing.mask)[1] for thing in (first, second))
    if words in ("left of", "right of"):
        ahead, other = (first_columns, second_columns) if words == "left of" else (second_columns, first_columns)
        return ahead.mean() < other.mean() and ahead.max() < np.quantile(other, 0.5)
    if words in ("in front of", "behind"):
        front, back = (first, second) if words == "in front of" else (second, first)
        return front.depth > back.depth and (front.mask & back.mask).sum() > 0.05 * back.mask.sum()
    if words in ("riding", "on"):
        return first.on is second
    gap = max(first_columns.min() - second_columns.max(), second_columns.min() - first_columns.max())
    return gap < 0.4 * min(np.ptp(first_columns), np.ptp(second_columns))


def test_captions_name_what_is_there_in_its_color_and_number(drawn) -> None:
    phrases = 0
    for plan, scene in drawn:
        assert len(set(scene.captions)) == len(scene.captions) in (2, 3)
        for caption in scene.captions:
            matches = list(PHRASE.finditer(caption))
            assert matches, caption
            for match in matches:
                count, _, color, name = match.groups()
                assert len(things_called(plan, color, PLURALS.get(name, name))) >= COUNTS[count], caption
            phrases += len(matches)
    assert phrases > 3 * SCENES


def test_the_first_caption_speaks_of_everything(drawn) -> None:
    for plan, scene in drawn:
        counted = sum(max(1, COUNTS[match[1]] * (match[1] != "another")) for match in PHRASE.finditer(scene.captions[0]))
        assert counted == sum(thing.label > 0 for thing in plan.things), scene.captions[0]


def test_relations_in_captions_are_true(drawn) -> None:
    seen = set()
    for plan, scene in drawn:
        for caption in scene.captions:
            matches = list(PHRASE.finditer(caption))
            for first, second in itertools.pairwise(matches):
                relation = RELATION.match(caption[first.end() : second.start()].strip())
                if relation:
                    seen.add(relation[1])
                    pairs = [
                        (one, other)
                        for one in things_called(plan, first[3], PLURALS.get(first[4], first[4]))
                        for other in things_called(plan, second[3], PLURALS.get(second[4], second[4]))
                        if one is not other
                    ]
                    words = "next to" if relation[1] == "beside" else relation[1]
                    assert any(holds(words, *pair) for pair in pairs), caption
    assert seen == {"left of", "right of", "in front of", "behind", "next to", "beside", "riding", "on"}


def test_captions_place_the_scene_on_its_ground(drawn) -> None:
    every = {phrase for phrases in PHRASES.values() for phrase in phrases} | {texture.phrase for texture in TEXTURES}
    named = 0
    for plan, scene in drawn:
        others = [
            phrase for phrase in every - set(plan.ground.phrases) if not any(phrase in mine for mine in plan.ground.phrases)
        ]
        for caption in scene.captions:
            assert not any(re.search(rf"\b{phrase}\b", caption) for phrase in others), (caption, plan.ground.kind)
            named += any(phrase in caption for phrase in plan.ground.phrases)
            assert ("flying" in caption or "in the sky" in caption) <= any(thing.floats for thing in plan.things)
    assert named > SCENES / 2


@pytest.mark.parametrize(
    ("text", "plural"),
    [("red bus", "red buses"), ("small sheep", "small sheep"), ("couch", "couches"), ("police officer", "police officers"),
     ("woman", "women"), ("plant in a pot", "plants in pots"), ("old man", "old men"), ("dining table", "dining tables")],
)  # fmt: skip
def test_plurals(text: str, plural: str) -> None:
    assert scene_captions._plural(text) == plural


def test_every_class_has_distinct_drawings_and_a_size() -> None:
    assert list(DRAWINGS) == list(range(1, 21)) == sorted(EXTENTS)
    pictures = [drawing.picture for drawings in DRAWINGS.values() for drawing in drawings]
    assert len(set(pictures)) == len(pictures) > 70
    assert not set(pictures) & set(BACKGROUND_THINGS)
    for label, drawings in DRAWINGS.items():
        for drawing in drawings:
            picture = sprite(label, drawing, drawing.color_words[0] if drawing.color_words else "", 0)
            assert np.mean(np.asarray(picture)[..., 3] > 127) > 0.06, drawing


def test_a_drawing_has_the_color_that_captions_say() -> None:
    for label, drawings in DRAWINGS.items():
        for drawing in drawings:
            if drawing.fills or " " in drawing.picture:
                for word in set(drawing.color_words):
                    pixels = np.asarray(sprite(label, drawing, word, 0)).astype(int)
                    solid = pixels[pixels[..., 3] > 250][:, :3]
                    near = np.abs(solid - np.array(color_of(label, word))).max(axis=-1) < 6
                    assert near.mean() > 0.05, (VOC_NAMES[label], drawing.picture, word)


def test_relation_reads_as_it_is_written() -> None:
    car, dog = block(CAR, (0, 0, 10, 10), 1), block(DOG, (20, 0, 30, 10), 2)
    writer = scene_captions.Writer(Dice(0), Scene(GRASS, (car, dog)), detailed=True)
    texts = {writer.related(Relation(dog, "in front of", car)) for _ in range(60)}
    assert {re.sub("small ", "", text) for text in texts} == {"a dog in front of a car", "a car behind a dog"}
