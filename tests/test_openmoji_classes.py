"""Class images of the OpenMoji world: fair drawings, five distinct styles, fitting captions, the same on every machine."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from compute.data import imagenet
from compute.data.errors import DataError
from compute.data.openmoji import layers, renditions
from compute.data.openmoji.captions import with_article
from compute.data.openmoji.class_glyphs import CLASS_GLYPHS
from compute.data.openmoji.dice import Dice
from compute.data.openmoji_classes import (
    FORMS,
    STYLES,
    VALIDATION_START,
    caption,
    class_wnids,
    draw_class_image,
    forms,
)

SEED = 3
TIGER, LOCOMOTIVE, LEMON, MACAW = "n02129604", "n04310018", "n07749582", "n01818515"
CHARACTERS = [glyph.character for glyphs in CLASS_GLYPHS.values() for glyph in glyphs]
STYLE_WORDS = {
    "color on plain": {"rendering", "cartoon", "art"},
    "color on texture": {"photo"},
    "black line": {"sketch", "drawing", "doodle"},
    "silhouette": {"silhouette", "shadow", "shape"},
    "rotated": {"rotated", "upside", "sideways"},
}


def digest(picture: Image.Image) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()[:16]


def clean_picture(wnid: str, style: str, index: int) -> tuple[renditions.Plan, np.ndarray]:
    """A picture of the class's first drawing with nothing in front of it and taken well: its plan and int pixels (H, W, 3)."""
    dice = Dice(SEED, index)
    glyph = CLASS_GLYPHS[wnid][0]
    plan = replace(renditions.plan(dice, [glyph.character], style, glyph.form), covered=False, quality="")
    return plan, np.asarray(renditions.draw(dice, plan)).astype(int)


@pytest.mark.parametrize(
    ("wnid", "style", "form", "expected"),
    [
        (TIGER, "color on plain", "whole", "ec88ea33697b2311"),
        (TIGER, "color on texture", "face", "780f90fbcc150f5f"),
        (MACAW, "black line", "variant", "ef989cb5fcdcfd8e"),
        (LOCOMOTIVE, "silhouette", "whole", "4a76ddff71811ca0"),
        (LEMON, "rotated", "whole", "f2ee2392bf3e66c0"),
    ],
)
def test_a_picture_is_the_same_on_every_machine(wnid: str, style: str, form: str, expected: str) -> None:
    picture = draw_class_image(SEED, VALIDATION_START, wnid, style, form)
    assert (picture.mode, picture.size) == ("RGB", (160, 160))
    assert digest(picture) == expected


def test_a_picture_depends_on_each_argument() -> None:
    first = digest(draw_class_image(SEED, 1, TIGER, "color on plain", "whole"))
    assert first == digest(draw_class_image(SEED, 1, TIGER, "color on plain", "whole"))
    others = [
        draw_class_image(SEED + 1, 1, TIGER, "color on plain", "whole"),
        draw_class_image(SEED, 1, LEMON, "color on plain", "whole"),
        draw_class_image(SEED, 1, TIGER, "color on plain", "face"),
        *(draw_class_image(SEED, 1, TIGER, style, "whole") for style in STYLES[1:]),
        *(draw_class_image(SEED, index, TIGER, "color on plain", "whole") for index in range(2, 40)),
    ]
    assert len({first, *map(digest, others)}) == 1 + len(others)


def test_threads_draw_what_one_thread_draws() -> None:
    tasks = [(SEED, index, wnid, style, forms(wnid)[-1]) for index, wnid in enumerate(class_wnids()[::9]) for style in STYLES]

    def drawn(task: tuple[int, int, str, str, str]) -> str:
        return digest(draw_class_image(*task))

    for cached in (layers.colors, layers.lines, layers.silhouette, layers.halo):
        cached.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(drawn, tasks))
    assert together == [drawn(task) for task in tasks]


def test_classes_are_imagenets_in_order() -> None:
    wnids = class_wnids()
    assert len(wnids) >= 130
    assert list(wnids) == sorted(set(wnids))
    assert set(wnids) <= set(imagenet.by_wnid())
    for wnid in wnids:
        assert forms(wnid) == tuple(form for form in FORMS if form in forms(wnid))
    assert sum(len(forms(wnid)) > 1 for wnid in wnids) >= 15


def test_every_drawing_is_there_and_shows_one_class_only() -> None:
    assert len(CHARACTERS) == len(set(CHARACTERS))
    unknown = digest(layers.colors("\U0001fbff"))  # what the font draws where it has no drawing
    drawn = {character: layers.colors(character) for character in CHARACTERS}
    assert len({digest(picture) for picture in drawn.values()} | {unknown}) == len(CHARACTERS) + 1
    for character, picture in drawn.items():
        for layer in (picture.getchannel("A"), layers.lines(character, False), layers.silhouette(character)):
            assert layer.size == picture.size
            assert (np.asarray(layer) > 127).mean() > 0.03, character


@pytest.mark.parametrize("wnid", class_wnids()[::11])
def test_a_silhouette_has_one_color(wnid: str) -> None:
    index = next(index for index in range(50) if "dark" not in clean_picture(wnid, "silhouette", index)[0].place)
    _, pixels = clean_picture(wnid, "silhouette", index)
    dark = Image.fromarray(np.uint8(pixels.max(axis=-1) < 100) * 255).filter(ImageFilter.MinFilter(3))
    inside = pixels[np.asarray(dark) > 0]
    assert len(inside) > 100
    assert inside.std(axis=0).max() < 9  # even noise of the greatest strength spreads levels by 7.4 only


def test_lines_have_no_color_but_color_pictures_have() -> None:
    def saturation(wnid: str, style: str) -> float:
        """The greatest difference between channels; a blur takes the noise out."""
        _, pixels = clean_picture(wnid, style, 5)
        smooth = np.asarray(Image.fromarray(np.uint8(pixels)).filter(ImageFilter.BoxBlur(2)), int)
        return (smooth.max(axis=-1) - smooth.min(axis=-1)).max()

    for wnid in class_wnids()[::7]:
        assert saturation(wnid, "black line") < 45, wnid
    assert saturation(LEMON, "color on plain") > 90


def test_lines_are_dark_and_fills_are_dropped() -> None:
    for wnid in (TIGER, LEMON, LOCOMOTIVE):
        _, pixels = clean_picture(wnid, "black line", 2)
        dark = (pixels.mean(axis=-1) < 110).mean()
        assert 0.01 < dark < 0.3, wnid


def test_only_rotated_pictures_are_turned() -> None:
    plans = [renditions.plan(Dice(SEED, index), ["🐅"], style, "whole") for style in STYLES for index in range(100)]
    for plan in plans:
        if plan.style == "rotated":
            assert 60 <= plan.angle_degrees <= 300
        else:
            assert -12 <= plan.angle_degrees <= 12
    assert {plan.style for plan in plans if plan.angle_degrees} == set(STYLES)


def test_a_turned_drawing_keeps_its_area_and_stays_in_the_frame() -> None:
    plan, _ = clean_picture(LEMON, "silhouette", 0)
    shares = []
    for angle in (0.0, 90.0, 200.0):
        dice = Dice(SEED, 1)
        turned = renditions.Placement(dice, replace(plan, angle_degrees=angle, extent=0.6), 160).of(layers.silhouette("🍋"))
        assert max(turned.size) <= 0.97 * 160 + 12
        shares.append(np.asarray(turned).sum() / 255)
    assert max(shares) / min(shares) < 1.5  # not 1, because `extent` speaks of the upright box around the drawing


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiger", "a tiger"), ("orange", "an orange"), ("hourglass", "an hourglass"), ("unicycle", "a unicycle"),
        ("umbrella", "an umbrella"), ("ewer", "a ewer"), ("one-armed bandit", "a one-armed bandit"), ("ATM", "an ATM"),
        ("European green lizard", "a European green lizard"), ("jeans", "jeans"), ("red wine", "red wine"),
        ("trolleybus", "a trolleybus"), ("swim trunks / shorts", "swim trunks / shorts"), ("wine bottle", "a wine bottle"),
    ],
)  # fmt: skip
def test_articles_as_they_are_spoken(name: str, expected: str) -> None:
    assert with_article(name) == expected


def test_captions_name_the_class_with_a_fitting_article() -> None:
    for number, wnid in enumerate(class_wnids()):
        names = ["hourglass", "one-armed_bandit", imagenet.by_wnid()[wnid].openai_name, "jeans"]
        for style in STYLES:
            for form in forms(wnid):
                text = caption(SEED, number, wnid, style, form, names)
                assert any(name.replace("_", " ") in text for name in names), text
                assert not re.search(
                    r"\ba (?!one|uni|Europ|eu)[aeiou]|\ban (?![aeiou]|hour)|\ban? jeans|\ban? an? ", text, re.I
                ), text
                assert text == caption(SEED, number, wnid, style, form, names)


def test_style_words_tell_the_styles_apart() -> None:
    for style in STYLES:
        texts = [caption(SEED, index, TIGER, style, "whole", ["tiger"]) for index in range(200)]
        words = [set(re.findall(r"[a-z]+", text)) for text in texts]
        bare = sum(text in ("tiger", "a tiger") for text in texts)
        assert 10 < bare < 45
        assert sum(bool(found & STYLE_WORDS[style]) for found in words) == len(texts) - bare
        for other in set(STYLES) - {style}:
            strange = STYLE_WORDS[other] - STYLE_WORDS[style] - ({"rendering", "cartoon"} if style == "rotated" else set())
            assert not any(found & strange for found in words), (style, other)
        assert len(set(texts)) > 15


def test_only_captions_of_faces_speak_of_faces() -> None:
    def share(form: str) -> float:
        texts = [caption(SEED, index, TIGER, "color on texture", form, ["tiger"]) for index in range(200)]
        return np.mean([bool(re.search(r"the (face|head) of a .*tiger", text)) for text in texts])

    assert share("whole") == 0
    assert 0.25 < share("face") < 0.65


def test_unknown_arguments_are_named() -> None:
    with pytest.raises(DataError, match="n00000000"):
        draw_class_image(SEED, 0, "n00000000", "color on plain", "whole")
    with pytest.raises(DataError, match=r"no drawing of the form 'face'. It has: whole"):
        draw_class_image(SEED, 0, LEMON, "color on plain", "face")
    with pytest.raises(DataError, match="no style 'oil'"):
        caption(SEED, 0, LEMON, "oil", "whole", ["lemon"])
