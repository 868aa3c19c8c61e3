"""A chart that is drawn on the server from foreign names holds no script, no link and nothing from elsewhere."""

import re
import time
from functools import partial
from xml.etree import ElementTree

import altair
import pandas
import pytest

from dashboard import charts_svg

ALLOWED = {"svg", "g", "path", "text", "tspan", "rect", "line", "circle", "defs", "clipPath", "linearGradient", "stop", "title",
           "desc", "style", "symbol", "use", "polygon"}  # fmt: skip
NAMES = {
    "script": "<script>alert(1)</script>",
    "end of text": "</text></svg><script>alert(1)</script>",
    "end of attribute": "\" onload=\"alert(1)\" x='",
    "end of section": "]]><script>alert(1)</script><![CDATA[",
    "foreign object": "<foreignObject><body onload=alert(1)></foreignObject>",
    "link": "<a xlink:href='javascript:alert(1)'>go</a>",
    "picture": "<image href='http://evil.example/a.png'/>",
    "style": "<style>@import url(http://evil.example/a.css)</style>",
    "entity": "&lt;script&gt; &#60;script&#62; &xxe;",
    "expression": "datum.constructor.constructor('alert(1)')()",
    "template": "${alert(1)} {{alert(1)}} %{x}",
    "direction": "\u202egnp.exe \u200b\ufeff",
    "control": "\x01\x08\x1b[31m",
    "lone surrogate": "\ufffe",
    "long": "long " * 4000,
    "long without a break": "x" * 20_000,
    "address": "http://evil.example/a.png",
    "own address": "url(#x)",
    "formula": "=HYPERLINK(\"http://evil.example\")",
    "empty": "",
}  # fmt: skip


def bars(rows: pandas.DataFrame, names: list[str], title: str) -> altair.Chart:
    """A chart as the pages' own ones: names on an axis, as colors, as tooltips and in the title."""
    return altair.Chart(rows, title=title[:100]).mark_bar().encode(
        x=altair.X("score:Q", title=title[:100]), y=altair.Y("name:N", sort=names),
        color=altair.Color("name:N", scale=altair.Scale(domain=names)), tooltip=["name:N", "score:Q"],
    )  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_a_drawn_chart_holds_text_alone(kind: str) -> None:
    name = NAMES[kind]
    rows = pandas.DataFrame({"name": [name, "other"], "score": [0.5, 0.25]})
    started = time.process_time()
    drawing = charts_svg.drawn(partial(bars, rows, [name, "other"], name), rows, 400)
    assert time.process_time() - started < 10
    root = ElementTree.fromstring(drawing.svg)
    for element in root.iter():
        assert element.tag.rpartition("}")[2] in ALLOWED
        for attribute, value in element.attrib.items():
            local = attribute.rpartition("}")[2].lower()
            assert not local.startswith("on")
            assert local not in ("href", "src")
            assert local in ("aria-label", "aria-description") or not re.search(r"javascript:|https?://|url\((?!#)", value)
    assert len(drawing.svg) < 200_000


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_saved_rows_hold_no_formula(start: str) -> None:
    rows = pandas.DataFrame({"name": [f"{start}cmd|' /C calc'!A0"], "score": [-1.5]})
    text = charts_svg.csv(rows)
    assert "'" + start in text
    assert text.rstrip().endswith("-1.5")  # a number stays one
