"""A chart as a picture of its own, SVG or PNG, for a slide or a paper: on white, in the colors of the light theme."""

from typing import Any

import altair
import pandas

from dashboard.charts import Chart

WIDTH_PX = 760
SCALE = 2  # pixels of a PNG for one of the chart
AXIS = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400, "gridColor": "#d5dae2", "domainColor": "#d5dae2"}
LOOK = {
    "font": "sans-serif",  # the only name under which every machine has one
    "axis": AXIS | {"tickColor": "#d5dae2", "titlePadding": 10},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": 400},
    "view": {"stroke": None},
}


def as_svg(chart: Chart) -> bytes:
    """The chart as an SVG file."""
    import vl_convert  # not sooner: it takes long to load, and few save a picture

    return vl_convert.vegalite_to_svg(specification(chart), config=LOOK).encode()


def as_png(chart: Chart) -> bytes:
    """The chart as a PNG file, SCALE times as large as on the screen."""
    import vl_convert

    return vl_convert.vegalite_to_png(specification(chart), scale=SCALE, config=LOOK)


def specification(chart: Chart) -> dict[str, Any]:
    """The chart as Vega-Lite with its rows inside, of a fixed width on white."""
    given: dict[str, Any] = _with_rows(chart).to_dict()
    return {"width": WIDTH_PX, "background": "#ffffff", "padding": 12, **given}


def _with_rows(chart: Any) -> Any:
    """The chart with rows in place of frames: what altair does with frames is a setting that all threads share."""
    copied = chart.copy(deep=False)
    if isinstance(copied.data, pandas.DataFrame):
        copied.data = altair.Data(values=altair.utils.sanitize_pandas_dataframe(copied.data).to_dict(orient="records"))
    if isinstance(copied, altair.LayerChart):
        copied.layer = [_with_rows(layer) for layer in copied.layer]
    return copied
