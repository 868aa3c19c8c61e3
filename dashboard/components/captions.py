"""Captions as markup: pictures with references and two captions whose matched words are marked, and captions token by token."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from dashboard.components import gallery, markup

LONGEST_TEXT = 300
PUNCTUATION = re.compile(r" ([.,;:!?])(?= |$)")  # which words are told apart from, and people write without a space
MOST_WORDS, LONGEST_WORD = 60, 40
MOST_REFERENCES = 6
IN_A_ROW = {
    1: "one word that a reference has",
    2: "two in a row",
    3: "three in a row",
    4: "four or more in a row",
}

show = markup.component("contrast_captions", "captions.css")


@dataclass(frozen=True)
class Caption:
    """A caption with the length of the longest n-gram matched at each of its words, 0 to 4; `side` (0 or 1) gives its color."""

    name: str
    score: str
    words: Sequence[str]
    matched: Sequence[int]
    side: int | None = None


@dataclass(frozen=True)
class Card:
    """A picture with what is said of it; `key` is what a person opens, where it can be opened."""

    key: str
    title: str
    note: str
    photo: str
    alt: str
    references: Sequence[str]
    captions: Sequence[Caption] = field(default_factory=tuple)


@dataclass(frozen=True)
class Token:
    """A token with the model's own probability, NaN where none is known; `is_joined` to the one before it without a space."""

    text: str
    probability: float
    is_joined: bool = False
    is_end: bool = False


@dataclass(frozen=True)
class TokenRow:
    """A caption token by token; `leaves`: the place of the first token that greedy has not, None where there is none."""

    name: str
    note: str
    tokens: Sequence[Token]
    leaves: int | None = None
    is_cut_off: bool = False


def cards(shown: Sequence[Card], can_open: bool = True) -> Element:
    """Cards with a legend of the marks above them; a single one that cannot be opened is drawn large."""
    root = Element("div")
    if any(card.captions for card in shown):
        _add_legend(root)
    place = markup.add(root, "div", class_="cards" if can_open else "cards single")
    for card in shown:
        _add_card(place, card, can_open)
    return root


def _add_legend(parent: Element) -> None:
    legend = markup.add(parent, "div", class_="legend")
    for length, words in IN_A_ROW.items():
        entry = markup.add(legend, "span")
        _mark(entry, ["words"], length)
        markup.add(entry, "span", words)
    markup.add(legend, "span", "without a mark: in no reference")


def _add_card(parent: Element, card: Card, can_open: bool) -> None:
    made = markup.add(parent, "article", class_="card")
    frame = made
    if can_open:
        frame = markup.add(
            made,
            "button",
            type="button",
            class_="open",
            data_open=card.key,
            aria_label=f"{card.title}: every setting, word by word",
        )
    if card.photo == gallery.MISSING:
        markup.add(frame, "span", "picture missing", class_="missing")
    else:
        markup.add(frame, "img", src=card.photo, alt=card.alt[:LONGEST_TEXT])
    said = markup.add(made, "div", class_="said")
    header = markup.add(said, "header")
    markup.add(header, "strong", card.title[:LONGEST_TEXT])
    markup.add(header, "span", card.note[:LONGEST_TEXT], class_="figures")
    _add_references(said, card.references)
    for caption in card.captions:
        _add_caption(said, caption)


def _add_references(parent: Element, texts: Sequence[str]) -> None:
    place = markup.add(parent, "section", class_="references")
    markup.add(place, "h5", "Reference" if len(texts) == 1 else "References")
    listed = markup.add(place, "ul")
    for text in texts[:MOST_REFERENCES]:
        markup.add(listed, "li", _short(text, LONGEST_TEXT))
    if len(texts) > MOST_REFERENCES:
        markup.add(listed, "li", f"and {len(texts) - MOST_REFERENCES} more", class_="faint")
    if not texts:
        markup.add(listed, "li", "none is stored", class_="faint")


def _add_caption(parent: Element, caption: Caption) -> None:
    place = markup.add(parent, "section", class_="caption" if caption.side is None else f"caption side-{caption.side}")
    title = markup.add(place, "h5")
    markup.add(title, "span", caption.name[:LONGEST_TEXT])
    markup.add(title, "span", caption.score, class_="figures")
    line = markup.add(place, "p")
    if not caption.words:
        markup.add(line, "span", "no word at all", class_="faint")
    for words, length in _runs(caption.words[:MOST_WORDS], caption.matched):
        _mark(line, words, length)
    if len(caption.words) > MOST_WORDS:
        markup.add(line, "span", f"… and {len(caption.words) - MOST_WORDS:,} more words", class_="faint")


def _runs(words: Sequence[str], matched: Sequence[int]) -> list[tuple[list[str], int]]:
    """Neighbouring words with the same length of match, together."""
    runs: list[tuple[list[str], int]] = []
    for word, length in zip(words, matched, strict=False):
        if runs and runs[-1][1] == length:
            runs[-1][0].append(_short(word, LONGEST_WORD))
        else:
            runs.append(([_short(word, LONGEST_WORD)], length))
    return runs


def _mark(parent: Element, words: Sequence[str], length: int) -> None:
    """Words with how many in a row are matched: by line, shade and number, so that none of them is needed alone."""
    text = PUNCTUATION.sub(r"\1", " ".join(words))
    if length < 1:
        markup.add(parent, "span", f"{text} ")
        return
    marked = markup.add(parent, "mark", text, class_=f"n{min(length, 4)}", title=IN_A_ROW[min(length, 4)])
    markup.add(marked, "sub", min(length, 4))
    marked.tail = " "


def token_rows(shown: Sequence[TokenRow]) -> Element:
    """Captions below each other, a bar and a number below each token for its probability."""
    root = Element("div")
    for row in shown:
        made = markup.add(root, "section", class_="tokenrow")
        title = markup.add(made, "h5")
        markup.add(title, "span", row.name[:LONGEST_TEXT])
        markup.add(title, "span", row.note, class_="figures")
        line = markup.add(made, "ol")
        for place, token in enumerate(row.tokens[:MOST_WORDS]):
            _add_token(line, token, place == row.leaves)
        if len(row.tokens) > MOST_WORDS:
            markup.add(line, "li", f"… and {len(row.tokens) - MOST_WORDS:,} more", class_="faint")
        if not row.tokens:
            markup.add(line, "li", "no token is stored", class_="faint")
        elif row.is_cut_off:
            markup.add(line, "li", "cut off", class_="faint")
    return root


def _add_token(parent: Element, token: Token, leaves: bool) -> None:
    share = min(1.0, max(0.0, token.probability)) if math.isfinite(token.probability) else math.nan
    number = "–" if math.isnan(share) else probability_text(share)
    names = [name for name, is_so in (("joined", token.is_joined), ("end", token.is_end), ("leaves", leaves)) if is_so]
    text = "end" if token.is_end else _short(token.text, LONGEST_WORD)
    described = f"{text}: probability {number}{', not what greedy has here' if leaves else ''}"
    made = markup.add(parent, "li", class_=" ".join(["token", *names]), title=described)
    markup.add(made, "span", text, class_="word")
    track = markup.add(made, "span", class_="track", aria_hidden="true")
    markup.add(track, "i", style=f"width:{0 if math.isnan(share) else 100 * share:.1f}%")
    markup.add(made, "small", number)


def probability_text(share: float) -> str:
    """A probability in as few digits as tell it apart from none."""
    return f"{share:.2f}" if share >= 0.01 else f"{share:.3f}" if share >= 0.001 else "<0.001"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
