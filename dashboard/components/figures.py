"""A page's largest figures side by side: what each is, its value, and its interval or what else stands beside it."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from dashboard.components import markup

LONGEST_TEXT = 120
Figure = tuple[str, str, str]  # label, value, what stands below it

_show = markup.component("contrast_figures", "figures.css")


def show(figures: Iterable[Figure], key: str) -> None:
    """Draw figures of one height, as many in a row as there is room for."""
    root = Element("dl")
    for label, value, below in figures:
        figure = markup.add(root, "div")
        markup.add(figure, "dt", label[:LONGEST_TEXT])
        markup.add(figure, "dd", value[:LONGEST_TEXT], class_="value")
        markup.add(figure, "dd", below[:LONGEST_TEXT])
    _show(root, key)
