"""Markup of our own with texts, tables and bars, in which a person can pick things."""

from xml.etree.ElementTree import Element

from dashboard.components import markup

show = markup.component("contrast_panel", "panel.css")


def way_to(parent: Element, target: str, text: object, class_: str = "way") -> Element:
    """A button that opens `target`."""
    return markup.add(parent, "button", text, type="button", class_=class_, data_open=target)
