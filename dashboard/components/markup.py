"""HTML and SVG of our own, shown in a component whose styles stay inside it.

A page is built as a tree of elements whose writer escapes every text and attribute, so that no foreign text becomes markup.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import streamlit

HERE = Path(__file__).parent
# One script for all: a browser loads it once, whichever of them a page shows first.
SCRIPT = (
    (HERE / "keys.js").read_text()
    + """export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (root.shown !== data.html) root.innerHTML = root.shown = data.html; // what a person opened stays open
  root.onclick = (event) => {
    const way = event.target.closest("[data-open]");
    if (way) setTriggerValue("opened", way.dataset.open);
  };
  followKeys(root, "[data-open]");
}"""
)


def add(parent: Element, tag: str, text: object = "", /, **attributes: object) -> Element:
    """A new element below `parent`; in an attribute's name underscores stand for hyphens, a last one for nothing."""
    named = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    element = ElementTree.SubElement(parent, tag, named)
    element.text = str(text)
    return element


def as_html(element: Element) -> str:
    """The element as it is sent: as XML, which escapes more than HTML, in the form that HTML reads as well."""
    return ElementTree.tostring(element, encoding="unicode", short_empty_elements=False)


class Show(Protocol):
    """What draws an element, or what `as_html` made of one, under a key.

    `on_open` gets the `data-open` of what a person picks: every element that has one is a way to somewhere.
    """

    def __call__(self, element: Element | str, key: str, on_open: Callable[[str], None] | None = None) -> None:
        """Draw it."""


def component(name: str, css_file: str) -> Show:
    """What shows elements with the styles of a file beside this one; to be called once for each name."""
    mount = streamlit.components.v2.component(
        name, html='<div class="root"></div>', css=(HERE / css_file).read_text(), js=SCRIPT
    )

    def show(element: Element | str, key: str, on_open: Callable[[str], None] | None = None) -> None:
        def opened() -> None:
            target = streamlit.session_state[key].get("opened")
            if on_open is not None and isinstance(target, str):
                on_open(target)

        html = element if isinstance(element, str) else as_html(element)
        mount(key=key, data={"html": html}, on_opened_change=opened)

    return show
