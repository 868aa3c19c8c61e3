"""Pictures as markup: with both classifiers' first answers, or with what one wants to say of each."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

import pandas

from dashboard.components import gallery, markup
from dashboard.connection import Results
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_card import way_to_synset
from dashboard.views.synset_hierarchy import SynsetHierarchy

PICTURE_PAGE = "imagenet_rn50_vs_clip"


def grid(parent: Element, cell_rem: float = 8.2) -> Element:
    """A place for pictures that are at least so wide."""
    return markup.add(parent, "div", class_="pictures", style=f"--cell:{cell_rem}rem")


def figure(parent: Element, results: Results, path: str | None, alt: str, link: str = "") -> Element:
    """One picture; what is returned is its caption, to be filled."""
    made = markup.add(parent, "figure")
    frame = markup.add(made, "a", href=link, aria_label=f"{alt}: all that is known") if link else made
    url = gallery.photo_url(gallery.find_picture(results.images, path))
    if url == gallery.MISSING:
        markup.add(frame, "span", "picture missing", class_="missing")
    else:
        markup.add(frame, "img", src=url, alt=alt)
    return markup.add(made, "figcaption")


def answered(
    results: Results, hierarchy: SynsetHierarchy, pair: Pair, shown: pandas.DataFrame, rank: int, told: str
) -> Element:
    """Pictures (rows of queries_synsets.pictures) with their classes and both first answers, below what is `told` of them."""
    root = Element("div")
    markup.add(root, "p", told, class_="faint")
    if shown.empty:
        markup.add(root, "p", "None.")
    place = grid(root)
    for picture in shown.itertuples():
        described = ", ".join(text for text in (hierarchy.name(picture.wnid), *_words(picture)) if text)
        link = f"{PICTURE_PAGE}?{urlencode({'data': pair.label, 'view': 'all pictures', 'image': picture.image_id})}"
        caption = figure(place, results, picture.path, described, link)
        truth = markup.add(caption, "span", class_="truth")
        way_to_synset(truth, hierarchy, picture.wnid)
        for letter, name, _, color in pair.sides:
            _answer(caption, hierarchy, picture, letter, name, color, rank)
    return root


def _words(picture: Any) -> Sequence[str]:
    """What is known of how a picture looks."""
    return [value for value in (picture.style, picture.form) if isinstance(value, str)]


def _answer(caption: Element, hierarchy: SynsetHierarchy, picture: Any, letter: str, name: str, color: str, rank: int) -> None:
    place = int(getattr(picture, f"rank_{letter}"))
    is_right = place <= rank
    line = markup.add(caption, "span", class_="answer right" if is_right else "answer wrong", title=name)
    markup.add(line, "i", class_="swatch", style=f"background:{color}")
    if place == 1:
        markup.add(line, "span", "✓ right")
        return
    words = markup.add(line, "span")
    markup.add(words, "span", "✓ " if is_right else "✗ ")
    answer = hierarchy.by_index.get(int(getattr(picture, f"answer_{letter}")), "")
    way_to_synset(words, hierarchy, answer)
    markup.add(words, "span", f", truth is no. {place}", class_="faint")


def of_class(
    parent: Element,
    results: Results,
    hierarchy: SynsetHierarchy,
    pictures: pandas.DataFrame,
    captions: Sequence[str],
    cell_rem: float,
) -> None:
    """Pictures (rows of queries_synsets.class_pictures) with a caption each."""
    place = grid(parent, cell_rem)
    for picture, caption in zip(pictures.itertuples(), captions, strict=True):
        described = ", ".join([hierarchy.name(picture.wnid), *_words(picture)])
        figure(place, results, picture.path, described).text = caption
