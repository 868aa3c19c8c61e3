"""Charts drawn on the server, and tables as texts: what marks tell, what is kept, what a foreign name can do."""

import math
import re
from functools import partial
from xml.etree import ElementTree

import altair
import pandas
import pytest

from dashboard import charts_svg
from dashboard.components.table import as_text
from dashboard.kept import kept

ROWS = pandas.DataFrame({"name": ["first", "second"], "value": [1.0, 2.5]})


def bars(rows: pandas.DataFrame) -> altair.Chart:
    """Bars that tell their value, with their names beside them."""
    base = altair.Chart(rows).encode(y="name:N", x="value:Q")
    told = [altair.Tooltip("name:N", title="name"), altair.Tooltip("value:Q", title="how much", format=".2f")]
    return altair.layer(base.mark_bar().encode(tooltip=told), base.mark_text().encode(text="name:N"))


def lines(rows: pandas.DataFrame) -> altair.Chart:
    """One line through all rows."""
    return altair.Chart(rows).mark_line().encode(x="value:Q", y="value:Q", tooltip=[altair.Tooltip("value:Q", title="value")])


def as_it_is(chart: altair.Chart) -> altair.Chart:
    """The chart itself, as what makes one."""
    return chart


def test_a_mark_tells_its_values_under_the_titles_of_its_chart():
    drawing = charts_svg.drawn(partial(bars, ROWS), ROWS, 500)
    assert drawing.titles == ["name", "how much"]
    labels = re.findall(r'aria-label="([^"]*how much[^"]*)"', drawing.svg)
    assert [label.split("how much: ")[1] for label in labels] == ["1.00", "2.50"]
    assert drawing.csv == "name,value\nfirst,1.0\nsecond,2.5\n"


def test_only_places_are_rounded_and_labels_hold_what_is_told():
    rows = ROWS.assign(value=[1 / 3, 0.000123456])
    told = [altair.Tooltip("value:Q", title="exact", format=".9f")]
    exact = altair.Chart(rows).mark_bar().encode(x="value:Q", y="name:N", tooltip=told)
    svg = charts_svg.drawn(partial(as_it_is, exact), rows, 500).svg
    assert re.findall(r'aria-label="(exact[^"]*)"', svg) == ["exact: 0.333333333", "exact: 0.000123456"]
    assert not re.search(r' d="[^"]*\d\.\d{2}', svg)


def test_percentages_are_written_as_in_texts():
    rows = ROWS.assign(value=[0.084, 0.5])
    told = [altair.Tooltip("value:Q", title="share", format=".1%")]
    shares = (
        altair.Chart(rows).mark_bar().encode(x=altair.X("value:Q", axis=altair.Axis(format=".0%")), y="name:N", tooltip=told)
    )
    svg = charts_svg.drawn(partial(as_it_is, shares), rows, 500).svg
    assert re.findall(r'aria-label="(share[^"]*)"', svg) == ["share: 8.4\u00a0%", "share: 50.0\u00a0%"]
    assert "50\u00a0%</text>" in svg


@pytest.mark.parametrize("width_px", [320, 500, 980])
def test_a_chart_is_as_wide_as_it_was_asked_to_be(width_px):
    assert int(re.search(r'width="(\d+)"', charts_svg.drawn(partial(bars, ROWS), ROWS, width_px).svg)[1]) == width_px


def test_a_line_answers_at_each_of_its_points():
    svg = charts_svg.drawn(partial(lines, ROWS), ROWS, 500).svg
    assert len(re.findall(r'<path aria-label="value: [\d.]+[^>]*opacity="0"', svg)) == len(ROWS)


@pytest.mark.parametrize("width_px, rows_of_names", [(980, 1), (440, 2), (240, 4)])
def test_a_legend_stands_in_as_many_columns_as_there_is_room_for(width_px, rows_of_names):
    names = ["one of the heads", "another head", "a third head", "the last of the heads"]
    rows = pandas.DataFrame({"name": names, "value": [1.0, 2.0, 3.0, 4.0]})
    legend = altair.Legend(orient="top", title=None, labelLimit=0)
    color = altair.Color("name:N", scale=altair.Scale(domain=names, range=["#2a78b8"] * 4), legend=legend)
    chart = altair.Chart(rows).mark_bar().encode(x="value:Q", y=altair.Y("value:O", axis=None), color=color)
    svg = charts_svg.drawn(partial(as_it_is, chart), rows, width_px).svg
    assert int(re.search(r'width="(\d+)"', svg)[1]) == width_px
    entry = r'<g transform="translate\([\d.]+,([\d.]+)\)"><path class="background"[^>]*/><g><g class="mark-symbol'
    places = re.findall(entry, svg)
    assert len(places) == 4
    assert len(set(places)) == rows_of_names


def test_a_name_is_text_whatever_it_says():
    name = '</text><script>alert(1)</script><image href="http://a.b/c"/>"; onload="x'
    rows = ROWS.assign(name=[name, "=1+1"])
    drawing = charts_svg.drawn(partial(bars, rows), rows, 500)
    elements = list(ElementTree.fromstring(drawing.svg).iter())
    assert {element.tag.rpartition("}")[2] for element in elements} <= {"svg", "g", "path", "line", "text", "rect"}
    assert not any(attribute.startswith("on") or "href" in attribute for element in elements for attribute in element.attrib)
    assert "'=1+1" in drawing.csv  # a spreadsheet runs nothing


def test_a_chart_is_drawn_once_for_the_same_rows_and_width():
    asked = []

    def counted(rows: pandas.DataFrame) -> altair.Chart:
        asked.append(len(rows))
        return bars(rows)

    for rows, width_px in ((ROWS, 400), (ROWS.copy(), 400), (ROWS, 410), (ROWS.head(1), 400)):
        charts_svg.drawn(partial(counted, rows), rows, width_px)
    assert asked == [2, 2, 1]


def test_kept_answers_are_those_of_the_same_question():
    calls = []

    @kept
    def total(rows: pandas.DataFrame, names: list[str], factor: float = 1.0) -> pandas.DataFrame:
        calls.append(factor)
        return rows[names] * factor

    first = total(ROWS, ["value"])
    first["value"] = 0.0  # a caller's own copy
    assert total(ROWS.copy(), ["value"]).value.tolist() == [1.0, 2.5]
    assert total(ROWS, ["value"], factor=2.0).value.tolist() == [2.0, 5.0]
    assert total(ROWS.head(1), ["value"]).value.tolist() == [1.0]
    assert calls == [1.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "value, form, text",
    [
        (0.123456, None, "0.1235"),
        (1500.0, None, "1,500"),
        (2e-7, None, "2e-07"),
        (math.nan, "{:.1f}", "–"),
        (None, None, "–"),
        (1234567, None, "1,234,567"),
        (1.25, "{:.1f}", "1.2"),
        (0.5, "{:.0%}", "50\u00a0%"),
        (0.5, str, "0.5"),
        ("none", "{:.1f}", "none"),
        (True, None, "yes"),
        (pandas.Timestamp("2026-01-02 03:04:05"), None, "2026-01-02 03:04"),
        (pandas.NaT, None, "–"),
        ("x" * 500, None, "x" * 399 + "…"),
    ],
)
def test_cells_are_written_for_people(value, form, text):
    assert as_text(value, form) == text
