"""A chart as SVG of a given width, drawn on the server once for all who look at it.

A browser shows an SVG many times as fast as it loads a chart library and draws by it. The colors are those of the light theme;
`components/chart.css` puts the dark theme's in their place.
"""

import hashlib
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from html import escape, unescape
from typing import Any

import altair
import pandas

from dashboard.charts import Chart
from dashboard.kept import Answers

MOST_KEPT = 200
LONGEST_TEXT = 120
LETTER_PX, LEGEND_MARK_PX, LEGEND_LINE_PX = 6.5, 36, 52  # of a legend: a letter of 12 px, a symbol with its margins
LABEL = re.compile(r'aria-label="([^"]*)"')
PLACES = re.compile(r' (?:d|transform|x2|y2|width|height)="[^"]*"')
DIGITS = re.compile(r"(\d\.\d)\d+")
PERCENT = re.compile(r"(?<=\d)%(?=</text>|;|$)")
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FIGURES_AXIS_PX, NAMES_AXIS_PX = 60, 280  # at most, with title
CHECKS_SCHEMA = False  # which takes as long as all else; tests draw every chart with the check
Json = dict[str, Any]
_kept = Answers(MOST_KEPT)

# A line answers to the pointer at each of its points, which show themselves then.
_POINTS_OF_LINES: Json = {"filled": False, "opacity": 0, "size": 120, "strokeWidth": 2}


@dataclass(frozen=True)
class Drawing:
    """A chart as SVG, its rows as CSV, and the titles of what a mark tells when pointed at."""

    svg: str
    csv: str
    titles: list[str]


def drawn(chart: partial[Chart], rows: pandas.DataFrame, width_px: int) -> Drawing:
    """What `chart` makes, `width_px` wide; drawn only where the same was not asked for lately."""
    asked = (chart.func.__module__, chart.func.__qualname__, chart.args, chart.keywords, rows, width_px)
    drawing: Drawing = _kept.get(hashlib.sha256(pickle.dumps(asked)).digest(), partial(_drawn, chart, rows, width_px))
    return drawing


def _drawn(chart: partial[Chart], rows: pandas.DataFrame, width_px: int) -> Drawing:
    import vl_convert  # not sooner: it takes long to load, and not every page has a chart

    short = partial(
        chart.func, *map(_shortened, chart.args), **{name: _shortened(each) for name, each in chart.keywords.items()}
    )
    specification = _specification(short(), width_px)
    titles = [title for unit in _units(specification) for title in _titles(unit)]
    return Drawing(_slim(vl_convert.vegalite_to_svg(specification), set(titles)), csv(rows), list(dict.fromkeys(titles)))


def _slim(svg: str, titles: set[str]) -> str:
    """The same drawing to a tenth of a pixel, where a mark's label holds what the chart means to tell and no more."""

    def told(label: re.Match[str]) -> str:
        parts = [part for part in unescape(label[1]).split("; ") if part.partition(": ")[0] in titles]
        return f'aria-label="{escape(_spaced("; ".join(parts)))}"' if parts else label[0]

    return _spaced(LABEL.sub(told, PLACES.sub(lambda place: DIGITS.sub(r"\1", place[0]), svg)))


def _spaced(text: str) -> str:
    """Percentages as everywhere else on a page, with a space that does not break before the sign."""
    return PERCENT.sub("\u00a0%", text)


def _shortened(given: Any) -> Any:
    """What a chart is made of, with no text longer than LONGEST_TEXT: the time to set a longer one has no bounds.

    What XML cannot hold is left out, too: the drawing library ends the whole process at it.
    """
    if isinstance(given, str):
        given = NO_XML.sub("", given)
        return given if len(given) <= LONGEST_TEXT else f"{given[: LONGEST_TEXT - 1]}…"
    if isinstance(given, pandas.DataFrame):
        texts = given.select_dtypes(["object", "string"]).columns
        return given.assign(**{name: given[name].map(_shortened) for name in texts})
    if isinstance(given, dict):
        return {_shortened(key): _shortened(value) for key, value in given.items()}
    return type(given)(map(_shortened, given)) if type(given) in (list, tuple) else given


def csv(rows: pandas.DataFrame) -> str:
    """Rows as CSV in which no text is taken for a formula."""
    # A spreadsheet would run a text that begins so.
    safe = rows.map(lambda value: f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value)
    return str(safe.to_csv(index=False))


def _specification(chart: Chart, width_px: int) -> Json:
    """The chart as Vega-Lite with its rows inside; what cannot be pointed at is silent, and lines have points."""
    given: Json = _with_rows(chart).to_dict(validate=CHECKS_SCHEMA)
    for unit in _units(given):
        mark = unit["mark"] if isinstance(unit["mark"], dict) else {"type": unit["mark"]}
        if not _titles(unit):
            mark = {**mark, "aria": False}
        elif mark["type"] == "line":
            mark = {"point": _POINTS_OF_LINES, **mark}
        unit["mark"] = mark
        _fit_legends(unit, given, width_px)
    fitted = {"autosize": {"type": "fit", "contains": "padding"}, "background": None, "padding": 2, "width": width_px}
    return {**given, **fitted}


def _fit_legends(unit: Json, given: Json, width_px: int) -> None:
    """Names of a legend above the chart in a row where there is room, else in as many columns as fit.

    Said here and not as an expression of the plot's width, which the drawing library knows too late to make room for rows.
    """
    room = width_px - _left_px(unit, given)
    for channel in unit.get("encoding", {}).values():
        told: Json = channel if isinstance(channel, dict) else {}
        legend, names = told.get("legend"), (told.get("scale") or {}).get("domain")
        if legend and isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            symbol = LEGEND_LINE_PX if legend.get("symbolType") == "stroke" else LEGEND_MARK_PX
            widths = [symbol + LETTER_PX * len(name) for name in names]
            columns = len(names) if sum(widths) <= room else max(1, int(room // max(widths)))
            told["legend"] = {**legend, "columns": columns if columns < len(names) else 0}


def _left_px(unit: Json, given: Json) -> float:
    """About how much of a chart's width the axis on its left takes."""
    y: Json = unit.get("encoding", {}).get("y") or {}
    data: Json = unit.get("data") or given.get("data") or {}
    values = data.get("values") or given.get("datasets", {}).get(data.get("name"), [])
    if y.get("type") != "nominal" or not values:
        return FIGURES_AXIS_PX
    longest = max(len(str(value.get(y.get("field"), ""))) for value in values)
    return min(NAMES_AXIS_PX, FIGURES_AXIS_PX / 2 + LETTER_PX * longest)


def _with_rows(chart: Any) -> Any:
    """The chart with rows in place of frames: what altair does with frames is a setting that all threads share."""
    copied = chart.copy(deep=False)
    if isinstance(copied.data, pandas.DataFrame):
        copied.data = altair.Data(values=altair.utils.sanitize_pandas_dataframe(copied.data).to_dict(orient="records"))
    if hasattr(copied, "layer"):
        copied.layer = [_with_rows(layer) for layer in copied.layer]
    return copied


def _units(specification: Json) -> Iterator[Json]:
    """The parts of a chart that hold marks."""
    if "mark" in specification:
        yield specification
    for layer in specification.get("layer", []):
        yield from _units(layer)


def _titles(unit: Json) -> list[str]:
    """The titles of what a unit's marks tell when pointed at."""
    told = unit.get("encoding", {}).get("tooltip", [])
    return [str(each.get("title") or each["field"]) for each in (told if isinstance(told, list) else [told]) if "field" in each]
