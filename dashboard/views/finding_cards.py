"""What was found as cards, each with a few pictures, and the ways on: to the page that shows it, and to the notes on it."""

import re
from collections.abc import Mapping
from types import ModuleType
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

import streamlit

from dashboard import layout
from dashboard.components import cards, gallery, markup
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views import notes

OPENED = "opened_finding"  # in the session: what a person picked, "page" or "notes" and the finding's name
WIDE_ROW, FEW_PX = 4, 132  # pictures that fill a card's width, and the width of each where there are fewer
INTERVAL = re.compile(r" \[[^\[\]()]{1,30}\]( %)?")
NO_BREAK = "\u00a0"


@streamlit.fragment
@layout.errors_as_messages()
def show(results: Results, found: Mapping[str, tuple[ModuleType, Finding]], pages: Pages) -> None:
    """Cards of what experiments found, by the names under which notes on it are kept.

    A fragment, so that notes on one do not draw the page around the cards anew.
    """
    way, _, name = str(streamlit.session_state.pop(OPENED, "")).partition(" ")
    if name in found and way == "page":
        experiment, finding = found[name]
        streamlit.switch_page(pages[experiment.EXPERIMENT], query_params=finding.view)
    root = Element("div", {"class": "cards"})
    sent: dict[str, str] = {}
    for key, (experiment, finding) in found.items():
        _card(root, results, key, experiment, finding, sent)
    cards.show(root, "findings", _open)
    if name in found and way == "notes":
        experiment, finding = found[name]
        notes.of_finding(results, name, finding.sentence, f"/{experiment.EXPERIMENT}", finding.view)


def _open(target: str) -> None:
    streamlit.session_state[OPENED] = target


def _card(root: Element, results: Results, name: str, experiment: ModuleType, finding: Finding, sent: dict[str, str]) -> None:
    card = markup.add(root, "article", class_="card")
    markup.add_markdown(card, "p", experiment.QUESTION, "question")
    markup.add_markdown(card, "h2", _unbroken(finding.sentence))
    for text in (finding.detail, f"{finding.report[:1].upper()}{finding.report[1:]}"):
        if text:
            markup.add_markdown(card, "p", _unbroken(text))
    for row in finding.pictures:
        _pictures(card, row, sent)
    markup.add_markdown(card, "p", f"{layout.plain(finding.data)} · {finding.basis}", "basis")
    ways = markup.add(card, "div", class_="ways")
    query = f"?{urlencode(finding.view)}" if finding.view else ""
    markup.add(ways, "a", "Look closer →", href=f"{experiment.EXPERIMENT}{query}", data_open=f"page {name}")
    count = notes.count(results, name)
    label = f"{count} {'note' if count == 1 else 'notes'}" if count else "Add a note"
    markup.add(ways, "button", label, type="button", class_="swap", data_open=f"notes {name}")


def _pictures(card: Element, row: gallery.Row, sent: dict[str, str]) -> None:
    """Pictures beside each other; what more than one cell shows is sent once, and `sent` has the id of each."""
    if row.title:
        markup.add(card, "p", row.title, class_="title")
    # So that many go below each other on a phone, and few stay small.
    columns = "auto-fit, minmax(4rem, 1fr)" if len(row.cells) >= WIDE_ROW else f"{len(row.cells)}, minmax(0, {FEW_PX}px)"
    place = markup.add(card, "div", class_="pictures", style=f"grid-template-columns: repeat({columns})")
    for cell in row.cells:
        figure = markup.add(place, "figure")
        frame = markup.add(figure, "div", class_="frame")
        for kind, url in (("photo", cell.photo), ("mask", cell.mask)):
            if not url:
                continue
            alt = cell.alt if kind == "photo" or cell.photo is None else ""
            if url in sent:
                markup.add(frame, "img", data_like=sent[url], alt=alt, class_=kind)
            else:
                sent[url] = f"shown-{len(sent)}"
                markup.add(frame, "img", id=sent[url], src=url, alt=alt, class_=kind)
        if gallery.MISSING in (cell.photo, cell.mask):
            markup.add(frame, "span", "picture missing")
            gallery.draw_anew_where_replaced()
        markup.add(figure, "figcaption", cell.caption)


def _unbroken(text: str) -> str:
    """Markdown in which no line breaks within an interval."""
    return INTERVAL.sub(lambda found: found.group().replace(" ", NO_BREAK), text)
