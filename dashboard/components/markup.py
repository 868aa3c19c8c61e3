"""HTML and SVG of our own, shown in a component whose styles stay inside it.

A page is built as a tree of elements whose writer escapes every text and attribute, so that no foreign text becomes markup.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import streamlit

from dashboard import markdown

HERE = Path(__file__).parent
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# One script for all: a browser loads it once, whichever of them a page shows first.
SCRIPT = (
    (HERE / "keys.js").read_text()
    + """export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (root.shown !== data.html) { // else what a person opened stays open, and no picture is read again
    root.innerHTML = root.shown = data.html;
    for (const image of root.querySelectorAll("img[data-like]")) image.src = root.querySelector(`#${image.dataset.like}`).src;
  }
  root.onclick = (event) => {
    const way = event.target.closest("[data-open]");
    if (!way || (way.href && (event.ctrlKey || event.metaKey || event.shiftKey))) return; // a link opens elsewhere
    event.preventDefault();
    setTriggerValue("opened", way.dataset.open);
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


def add_markdown(parent: Element, tag: str, text: str, /, class_: str = "") -> Element:
    """A new element below `parent` that holds what one paragraph of Markdown says."""
    element = ElementTree.fromstring(f"<{tag}>{NO_XML.sub('', markdown.inline(text))}</{tag}>")
    element.set("class", class_)
    parent.append(element)
    return element


def as_html(element: Element) -> str:
    """The element as it is sent: as XML, which escapes more than HTML, in the form that HTML reads as well."""
    written = ElementTree.tostring(element, encoding="unicode", short_empty_elements=False)
    return written.replace("<br></br>", "<br/>")  # which HTML would read as two


class Show(Protocol):
    """What draws an element, or what `as_html` made of one, under a key.

    `on_open` gets the `data-open` of what a person picks: every element that has one is a way to somewhere. A picture whose
    `data-like` names the id of another one shows the same, which is sent once.
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
