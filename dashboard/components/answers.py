"""Cards of a picture with two classifiers' surest answers as bars, and what is known of the picture besides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit

from dashboard.components import gallery

HERE = Path(__file__).parent
LONGEST_TEXT = 300


@dataclass(frozen=True)
class Bar:
    """One answer: its probability, shown with so many digits, and whether it is the true class."""

    name: str
    probability: float
    is_label: bool
    digits: int = 3


@dataclass(frozen=True)
class Answers:
    """One classifier's surest answers, and in words whether it was right."""

    bars: list[Bar]
    verdict: str
    is_right: bool


@dataclass(frozen=True)
class Fact:
    """A line of evidence, ending in a link to a synset where `wnid` is given."""

    term: str
    text: str
    link_text: str = ""
    wnid: str = ""


@dataclass(frozen=True)
class Card:
    """A picture and what is known of it; `side` colors it as one of the two models' (0 or 1), or not.

    With `absent` it says in words that there is no such picture, and shows nothing else.
    """

    key: str = ""
    title: str = ""
    photo: str = gallery.MISSING
    alt: str = ""
    models: list[Answers] = field(default_factory=list)
    badge: str = ""
    side: int | None = None
    facts: list[Fact] = field(default_factory=list)
    reason: str = ""
    credit: str = ""
    absent: str = ""


@dataclass(frozen=True)
class Section:
    """Cards under a class's name, or under none."""

    cards: list[Card]
    title: str = ""
    wnid: str = ""
    note: str = ""
    can_swap: bool = False


_component = streamlit.components.v2.component(
    "contrast_answers",
    html='<div class="answers"></div>',
    css=(HERE / "answers.css").read_text(),
    js=(HERE / "keys.js").read_text() + (HERE / "answers.js").read_text(),
)


def show(
    sections: list[Section],
    names: tuple[str, str],
    key: str,
    size: str = "full",
    on_open: Callable[[str], None] | None = None,
    on_swap: Callable[[str], None] | None = None,
) -> str | None:
    """Draw cards for the models called `names`; the wnid of a synset link that a person followed, or None.

    `size` is 'full', 'compact' (many, with a bar for each model), or 'single' (one, large). `on_open` gets the key of a card,
    `on_swap` the wnid of a section that a person wants to see replaced.
    """
    keys = {card.key for section in sections for card in section.cards}
    wnids = {section.wnid for section in sections}

    def opened() -> None:
        card_key = streamlit.session_state[key].get("opened")
        if on_open is not None and card_key in keys:
            on_open(card_key)

    def swapped() -> None:
        wnid = streamlit.session_state[key].get("swapped")
        if on_swap is not None and wnid in wnids:
            on_swap(wnid)

    pictures: dict[str, int] = {}  # each is sent once
    drawn = [_section_data(section, pictures) for section in sections]
    data = {
        "version": str(hash(repr((sections, names, size)))),
        "size": size,
        "names": list(names),
        "clickable": on_open is not None,
        "sections": drawn,
        "pictures": list(pictures),
    }
    result = _component(key=key, data=data, on_opened_change=opened, on_swapped_change=swapped, on_followed_change=_rerun)
    links = {fact.wnid for section in sections for card in section.cards for fact in card.facts} | wnids
    followed = result.get("followed")
    return followed if isinstance(followed, str) and followed in links else None


def _rerun() -> None:
    """What followed from a link is done by who drew the cards."""


def _section_data(section: Section, pictures: dict[str, int]) -> dict[str, Any]:
    return {
        "title": section.title,
        "wnid": section.wnid,
        "note": section.note,
        "swap": section.can_swap,
        "cards": [_card_data(card, pictures) for card in section.cards],
    }


def _card_data(card: Card, pictures: dict[str, int]) -> dict[str, Any]:
    """What answers.js draws of a card: its picture by its number in `pictures`, to which a new one is added."""
    if card.absent:
        return {"absent": card.absent}
    return {
        "id": card.key,
        "title": card.title[:LONGEST_TEXT],
        "photo": pictures.setdefault(card.photo, len(pictures)) if card.photo else None,
        "alt": card.alt[:LONGEST_TEXT],
        "badge": card.badge[:LONGEST_TEXT],
        "side": card.side,
        "models": [
            {"bars": [_bar_data(bar) for bar in each.bars], "verdict": each.verdict, "right": each.is_right}
            for each in card.models
        ],
        "facts": [
            {
                "term": fact.term,
                "text": fact.text[:LONGEST_TEXT],
                "link": {"text": fact.link_text[:LONGEST_TEXT], "wnid": fact.wnid} if fact.wnid else None,
            }
            for fact in card.facts
        ],
        "reason": card.reason,
        "credit": card.credit[:LONGEST_TEXT],
    }


def _bar_data(bar: Bar) -> dict[str, Any]:
    probability = min(1.0, max(0.0, bar.probability))
    return {"name": bar.name[:80], "probability": probability, "text": f"{probability:.{bar.digits}f}", "label": bar.is_label}
