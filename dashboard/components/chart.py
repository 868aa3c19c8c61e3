"""A chart that is drawn already, as SVG that answers to the pointer and can be saved as CSV, SVG and PNG."""

from pathlib import Path

import streamlit

HERE = Path(__file__).parent
NARROWEST_PX, WIDEST_PX = 240, 2400
WIDTHS = "chart_widths_px"  # in the session, by a chart's name

_component = streamlit.components.v2.component(
    "contrast_chart",
    html='<div class="chart"><div class="drawing"></div><div class="told" hidden></div><div class="save"></div></div>',
    css=(HERE / "chart.css").read_text(),
    js=(HERE / "chart.js").read_text(),
)


def width_px(name: str, usual_px: int) -> int:
    """How wide the place of a chart was when it was last seen in this session; `usual_px` before."""
    return int(streamlit.session_state.get(WIDTHS, {}).get(name, usual_px))


def show(svg: str, csv: str, titles: list[str], drawn_px: int, name: str, series: str = "") -> None:
    """Show a chart `drawn_px` wide; where its place turns out to be of quite another width, the page is drawn again.

    `titles` are those of what marks tell in their labels, and that are shown at the pointer; `name` is that of saved files;
    `series` is the one of them by which marks belong together.
    """

    def resized() -> None:
        width = streamlit.session_state[name].get("width")
        if isinstance(width, int | float) and NARROWEST_PX <= width <= WIDEST_PX:
            streamlit.session_state.setdefault(WIDTHS, {})[name] = int(width)

    data = {"svg": svg, "csv": csv, "titles": titles, "width": drawn_px, "name": name, "series": series}
    _component(key=name, data=data, on_width_change=resized)
