"""Queries to pick from and their ranked answers, pictures or captions, as markup in which every part can be opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from dashboard.components import gallery, markup

LONGEST_TEXT = 300

show = markup.component("contrast_ranking", "ranking.css")


@dataclass(frozen=True)
class Query:
    """One query of a list: what opens it, its words or picture, and the rank that its answer has."""

    target: str
    text: str
    rank: str
    is_first: bool
    photo: str | None = None


@dataclass(frozen=True)
class Answer:
    """One answer: what it opens, its place, the words or picture, its similarity as words and as a bar (0 to 1)."""

    target: str
    place: str
    text: str
    similarity: str
    share: float
    is_right: bool
    photo: str | None = None


@dataclass(frozen=True)
class Shift:
    """A query whose answer moved: what opens it, its picture, its words, and both ranks as words."""

    target: str
    photo: str
    text: str
    ranks: str


def query_list(queries: Sequence[Query], current: str, title: str) -> Element:
    """Queries one below the other, or beside each other where they are pictures; the `current` one is marked."""
    root = Element("div")
    markup.add(root, "p", title, class_="faint")
    listed = markup.add(root, "div", class_="tiles" if any(query.photo is not None for query in queries) else "list")
    for query in queries:
        way = markup.add(listed, "button", type="button", class_="query", data_open=query.target)
        if query.target == current:
            way.set("aria-current", "true")
        if query.photo is not None:
            _add_picture(way, query.photo, query.text)
        else:
            markup.add(way, "span", query.text[:LONGEST_TEXT], class_="words")
        markup.add(way, "span", query.rank, class_="rank first" if query.is_first else "rank")
    return root


def question(photo: str | None, title: str, lines: Sequence[str], verdict: str, is_first: bool) -> Element:
    """The opened query: its picture where it is one, its words, and how it went."""
    root = Element("div", {"class": "question"})
    if photo is not None:
        _add_picture(root, photo, title)
    words = markup.add(root, "div", class_="about")
    markup.add(words, "strong", title[: 2 * LONGEST_TEXT])
    for line in lines:
        markup.add(words, "span", line[:LONGEST_TEXT])
    markup.add(words, "em", verdict, class_="verdict first" if is_first else "verdict")
    return root


def answer_list(answers: Sequence[Answer], extra: Sequence[Answer] = (), extra_title: str = "") -> Element:
    """Ranked answers, pictures beside each other or captions one below the other, and below them `extra` ones with a title."""
    root = Element("div")
    for group, title in ((answers, ""), (extra, extra_title)):
        if not group:
            continue
        if title:
            markup.add(root, "h4", title)
        is_pictures = any(answer.photo is not None for answer in group)
        listed = markup.add(root, "ol", class_="pictures" if is_pictures else "captions")
        for answer in group:
            _add_answer(listed, answer)
    return root


def answered(asked: Element, answers: Element, foot: str) -> Element:
    """A query, its answers, and what is said below them, as one: each on its own takes a browser some milliseconds to show."""
    root = Element("div")
    root.extend([asked, answers])
    markup.add(root, "p", foot, class_="faint")
    return root


def shift_list(shifts: Sequence[Shift]) -> Element:
    """Queries that moved, each with its picture."""
    root = Element("div", {"class": "shifts"})
    for shift in shifts:
        way = markup.add(root, "button", type="button", class_="shift", data_open=shift.target)
        _add_picture(way, shift.photo, shift.text)
        words = markup.add(way, "span", class_="about")
        markup.add(words, "b", shift.ranks)
        markup.add(words, "span", shift.text[:LONGEST_TEXT])
    return root


def _add_answer(parent: Element, answer: Answer) -> None:
    item = markup.add(parent, "li")
    way = markup.add(
        item, "button", type="button", class_="answer right" if answer.is_right else "answer", data_open=answer.target
    )
    markup.add(way, "span", f"{answer.place} ✓" if answer.is_right else answer.place, class_="place")
    if answer.photo is not None:
        _add_picture(way, answer.photo, answer.text)
    else:
        markup.add(way, "span", answer.text[:LONGEST_TEXT], class_="words")
    bar = markup.add(way, "span", class_="bar")
    track = markup.add(bar, "span", class_="track")
    markup.add(track, "i", style=f"width:{100 * min(1.0, max(0.0, answer.share)):.1f}%")
    markup.add(bar, "span", answer.similarity, class_="similarity")


def _add_picture(parent: Element, photo: str, words: str) -> None:
    if photo == gallery.MISSING:
        markup.add(parent, "span", "picture missing", class_="picture missing")
    else:
        markup.add(parent, "img", src=photo, alt=words[:LONGEST_TEXT], class_="picture")
