"""Markup of our own in which a person can pick things: every element with `data-open` is a way to somewhere."""

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import streamlit

from dashboard.components import markup

HERE = Path(__file__).parent
KEYS = (HERE / "keys.js").read_text()
SCRIPT = (
    KEYS
    + """export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".root");
  if (root.shown !== data.html) root.innerHTML = root.shown = data.html;
  root.onclick = (event) => {
    const way = event.target.closest("[data-open]");
    if (way) setTriggerValue("opened", way.dataset.open);
  };
  followKeys(root, "[data-open]");
}"""
)

_component = streamlit.components.v2.component(
    "contrast_panel", html='<div class="root"></div>', css=(HERE / "panel.css").read_text(), js=SCRIPT
)


def show(element: Element | str, key: str, on_open: Callable[[str], None] | None = None) -> None:
    """Draw an element, or what `markup.as_html` made of one; `on_open` gets the `data-open` of what a person picks."""

    def opened() -> None:
        target = streamlit.session_state[key].get("opened")
        if on_open is not None and isinstance(target, str):
            on_open(target)

    html = element if isinstance(element, str) else markup.as_html(element)
    _component(key=key, data={"html": html}, on_opened_change=opened)


def way_to(parent: Element, target: str, text: object, class_: str = "way") -> Element:
    """A button that opens `target`."""
    return markup.add(parent, "button", text, type="button", class_=class_, data_open=target)
