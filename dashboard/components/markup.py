"""HTML and SVG of our own, shown in a component whose styles stay inside it.

A page is built as a tree of elements whose writer escapes every text and attribute, so that no foreign text becomes markup.
"""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import streamlit

HERE = Path(__file__).parent
SHOW_SCRIPT = """export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".root");
  if (root.shown !== data.html) root.innerHTML = root.shown = data.html; // what a person opened stays open
}"""


def add(parent: Element, tag: str, text: object = "", /, **attributes: object) -> Element:
    """A new element below `parent`; in an attribute's name underscores stand for hyphens, a last one for nothing."""
    named = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    element = ElementTree.SubElement(parent, tag, named)
    element.text = str(text)
    return element


def as_html(element: Element) -> str:
    """The element as it is sent: as XML, which escapes more than HTML, in the form that HTML reads as well."""
    return ElementTree.tostring(element, encoding="unicode", short_empty_elements=False)


def component(name: str, css_file: str) -> Callable[[Element, str], None]:
    """What shows an element under a key, with the styles of a file beside this one; to be called once for each name."""
    mount = streamlit.components.v2.component(
        name, html='<div class="root"></div>', css=(HERE / css_file).read_text(), js=SHOW_SCRIPT
    )

    def show(element: Element, key: str) -> None:
        mount(key=key, data={"html": as_html(element)})

    return show
