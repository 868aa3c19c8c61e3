"""Many small line charts of one scale, as SVG that fits any width: a chart for each group, a line for each series."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from dashboard.components import markup
from dashboard.components.gallery import COLOR

WIDTH, HEIGHT = 100.0, 48.0
LONGEST_NAME = 40

_show = markup.component("contrast_small_multiples", "small_multiples.css")


@dataclass(frozen=True)
class Series:
    """One line: its name, its color, the dashes that tell it apart in grey."""

    name: str
    color: str
    dashes: Sequence[int]


@dataclass(frozen=True)
class Small:
    """One small chart: its title with a color, a note beside it, and a series' values by its name; NaN is a gap."""

    title: str
    color: str
    note: str
    values: dict[str, Sequence[float]]


def show(charts: Sequence[Small], series: Sequence[Series], places: Sequence[int], key: str, same_scale: bool) -> None:
    """Draw the charts in their order, over the positions `places`; y reaches from 0 to the largest value, of all or its own."""
    _show(drawn(charts, series, places, same_scale), key)


def drawn(charts: Sequence[Small], series: Sequence[Series], places: Sequence[int], same_scale: bool = True) -> Element:
    """The charts with a legend above them."""
    root = Element("div")
    legend = markup.add(root, "div", class_="legend")
    for line in series:
        entry = markup.add(legend, "span")
        sample = markup.add(entry, "svg", viewBox="0 0 30 6", class_="sample", aria_hidden="true")
        markup.add(sample, "line", x1=0, x2=30, y1=3, y2=3, **_stroke(line))
        markup.add(entry, "span", line.name[:LONGEST_NAME])
    grid = markup.add(root, "div", class_="grid")
    for chart in charts:
        _add_chart(grid, chart, series, places, _top(charts if same_scale else [chart]))
    return root


def _top(charts: Sequence[Small]) -> float:
    """The upper end of the scale: the next tenth above all values."""
    values = [value for chart in charts for line in chart.values.values() for value in line if math.isfinite(value)]
    return max(0.1, math.ceil(10 * max(values, default=1.0) - 1e-9) / 10)


def _add_chart(grid: Element, chart: Small, series: Sequence[Series], places: Sequence[int], top: float) -> None:
    figure = markup.add(grid, "figure")
    title = markup.add(figure, "figcaption")
    if COLOR.fullmatch(chart.color):
        markup.add(title, "i", style=f"background:{chart.color}")
    markup.add(title, "b", chart.title[:LONGEST_NAME])
    markup.add(title, "small", chart.note)
    plot = markup.add(figure, "div", class_="plot")
    markup.add(plot, "span", f"{top:.1f}", class_="top")
    markup.add(plot, "span", "0", class_="bottom")
    picture = markup.add(
        plot, "svg", viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", preserveAspectRatio="none", role="img", aria_label=_words(chart)
    )
    for share in (0.0, 0.5, 1.0):
        markup.add(picture, "line", x1=0, x2=WIDTH, y1=HEIGHT * share, y2=HEIGHT * share, class_="rule")
    for line in series:
        values = chart.values.get(line.name, ())
        for points in _stretches(values, places, top):
            drawn_line = markup.add(picture, "polyline", points=" ".join(points), fill="none", **_stroke(line))
            markup.add(drawn_line, "title", f"{line.name[:LONGEST_NAME]}: {_last(values)}")
    ends = markup.add(figure, "div", class_="ends")
    for place in (places[0], places[-1]) if len(places) > 1 else places:
        markup.add(ends, "span", f"epoch {place}")
    finals = markup.add(figure, "div", class_="finals")
    for line in series:
        entry = markup.add(finals, "span")
        markup.add(entry, "i", style=f"background:{line.color}")
        markup.add(entry, "span", _last(chart.values.get(line.name, ())))


def _stretches(values: Sequence[float], places: Sequence[int], top: float) -> list[list[str]]:
    """Points of a line, anew after each gap."""
    first, span = (places[0], max(places[-1] - places[0], 1)) if places else (0, 1)
    stretches: list[list[str]] = [[]]
    for place, value in zip(places, values, strict=False):
        if math.isfinite(value):
            x, y = WIDTH * (place - first) / span, HEIGHT * (1 - min(value, top) / top)
            stretches[-1].append(f"{x:.1f},{y:.1f}")
        elif stretches[-1]:
            stretches.append([])
    return [points for points in stretches if points]


def _stroke(line: Series) -> dict[str, object]:
    dashes = " ".join(map(str, line.dashes)) if len(line.dashes) > 1 and line.dashes[1] else "none"
    return {"stroke": line.color, "stroke_width": 2, "stroke_dasharray": dashes, "vector_effect": "non-scaling-stroke"}


def _last(values: Sequence[float]) -> str:
    return f"{values[-1]:.2f}" if len(values) and math.isfinite(values[-1]) else "–"


def _words(chart: Small) -> str:
    """The chart for who cannot see it."""
    ends = ", ".join(f"{name[:LONGEST_NAME]} {_last(values)}" for name, values in chart.values.items())
    return f"{chart.title[:LONGEST_NAME]}, after the last epoch: {ends}"
