"""Captions for class drawings, from a small grammar whose style words tell the renditions apart.

The style words are those of the prompts that CLIP's styles are probed with ("a photo", "a sketch", "a rendering", ...) and of
OpenAI's 80 prompt templates for ImageNet, many of which speak of light, size and sharpness as these captions do.
"""

from collections.abc import Sequence

from compute.data.openmoji.dice import Dice
from compute.data.openmoji.renditions import LINE, PLAIN, ROTATED, SILHOUETTE, TEXTURED, Plan

# {thing} is the name with its article, {name} the name alone.
STYLE_PHRASES: dict[str, list[str]] = {
    PLAIN: [
        "a rendering of {thing}", "a rendering of {thing}", "a rendering of {thing}", "a cartoon of {thing}",
        "the cartoon {name}", "a colorful rendering of {thing}", "art of {thing}",
    ],
    TEXTURED: [
        "a photo of {thing}", "a photo of {thing}", "a photo of {thing}", "a photo of the {name}",
        "a good photo of {thing}", "a bright photo of {thing}",
    ],
    LINE: [
        "a sketch of {thing}", "a sketch of {thing}", "a drawing of {thing}", "a drawing of {thing}",
        "a doodle of {thing}", "a line drawing of {thing}", "a black and white sketch of {thing}",
    ],
    SILHOUETTE: [
        "the silhouette of {thing}", "the silhouette of {thing}", "a silhouette of {thing}", "the shadow of {thing}",
        "the shape of {thing}",
    ],
    ROTATED: ["a rotated rendering of {thing}", "a rotated rendering of {thing}", "a rotated cartoon of {thing}"],
}  # fmt: skip
UPSIDE_DOWN = ["an upside down rendering of {thing}", "a rendering of {thing} upside down"]
SIDEWAYS = ["a sideways rendering of {thing}", "a rendering of {thing} turned sideways"]
STYLE_NOUNS = {
    PLAIN: "rendering", TEXTURED: "photo", LINE: "sketch", SILHOUETTE: "silhouette", ROTATED: "rotated rendering",
}  # fmt: skip
# Last words of names that take no article.
PLURALS = {"binoculars", "glasses", "jeans", "shades", "shorts", "sunglasses", "trunks"}
UNCOUNTED = {
    "broccoli", "carbonara", "corn", "cream", "denim", "espresso", "icecream", "lotion", "paper", "thatch", "tissue",
    "wine", "wool", "woolen", "woollen",
}  # fmt: skip
VOWEL_BUT_CONSONANT_SOUND = ("eu", "ewe", "one", "once", "uke", "uni", "use", "usu", "uti")
CONSONANT_BUT_VOWEL_SOUND = ("heir", "honest", "honor", "hour")


def with_article(name: str, kind: str | None = None) -> str:
    """The name with "a" or "an" as it sounds, or without where it is plural or uncounted; `kind` decides that if given."""
    if (kind or name).split()[-1].strip("()").lower() in PLURALS | UNCOUNTED:
        return name
    start = name.lower()
    vowel = start[0] in "aeiou" and not start.startswith(VOWEL_BUT_CONSONANT_SOUND)
    return f"an {name}" if vowel or start.startswith(CONSONANT_BUT_VOWEL_SOUND) else f"a {name}"


def _described(dice: Dice, plan: Plan, name: str) -> str:
    """The name with its article, and sometimes with a word on its size or on what hides it."""
    adjective = ""
    if plan.covered:
        adjective = dice.pick(["", "hard to see ", "partly hidden "])
    elif plan.extent < 0.58:
        adjective = dice.pick(["", "", "small "])
    elif plan.extent > 0.88:
        adjective = dice.pick(["", "", "large "])
    return with_article(adjective + name, name)


def _phrase(dice: Dice, plan: Plan) -> str:
    """A phrase for the style, or for how the picture was taken where that shows."""
    if plan.quality and dice.chance(0.6):
        return f"a {plan.quality} {STYLE_NOUNS[plan.style]} of {{thing}}"
    if plan.style == TEXTURED and plan.extent > 0.85 and dice.chance(0.4):
        return "a close-up photo of {thing}"
    if plan.style == ROTATED and dice.chance(0.4):
        return dice.pick(UPSIDE_DOWN if 135 < plan.angle_degrees < 225 else SIDEWAYS)
    return dice.pick(STYLE_PHRASES[plan.style])


def compose(dice: Dice, plan: Plan, names: Sequence[str]) -> str:
    """One caption for the planned picture; half of all captions use the first of `names`."""
    name = (names[0] if dice.chance(0.5) else dice.pick(names)).replace("_", " ")
    if dice.chance(0.12):
        return dice.pick([name, with_article(name)])
    thing = _described(dice, plan, name)
    if plan.form == "face" and dice.chance(0.5):
        thing = f"the {dice.pick(['face', 'head'])} of {thing}"
    caption = _phrase(dice, plan).format(thing=thing, name=name)
    if dice.chance(0.3):
        caption += f" {plan.place}"
    return caption + dice.pick(["", "."])
