"""A table that a person can sort, and pick a row of; the browser draws it from texts that are written here."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas
import streamlit

from dashboard.components.gallery import COLOR

HERE = Path(__file__).parent
MOST_ROWS = 1000
LONGEST_TEXT = 400
NUMBER = re.compile(r"[+−-]?[\d,.]+(?:e[+-]\d+)?(?:\s?%)?|–|")
PERCENT = re.compile(r"(?<=\d)\s?%")  # after a space that does not break, as everywhere on a page
Format = str | Callable[[Any], str]

_component = streamlit.components.v2.component(
    "contrast_table",
    html='<div class="table"></div>',
    css=(HERE / "table.css").read_text(),
    js=(HERE / "table.js").read_text(),
)


def show(
    rows: pandas.DataFrame,
    name: str,
    formats: Mapping[str, Format] | None = None,
    swatches: Sequence[str] = (),
    keys: Sequence[str] = (),
    picked: str | None = None,
    on_pick: Callable[[str], None] | None = None,
) -> None:
    """Draw the first MOST_ROWS rows under the names of their columns.

    `formats` says by column how its values are written, `swatches` which color, as #rrggbb, stands before each row. A row is
    known by its one of `keys`: `on_pick` is called with that of a row that a person picks, and the `picked` one stands out.
    """

    def opened() -> None:
        key = streamlit.session_state[name].get("picked")
        if on_pick is not None and key in keys:
            on_pick(key)

    shown = rows.head(MOST_ROWS)
    columns = [_column(str(title), shown.iloc[:, place], formats or {}) for place, title in enumerate(shown.columns)]
    data = {
        "name": name.replace("_", " "),
        "columns": columns,
        "swatches": [color if COLOR.fullmatch(color) else "" for color in swatches[:MOST_ROWS]],
        "keys": list(keys[:MOST_ROWS]) if on_pick else [],
        "picked": picked,
        "more": f"The first {MOST_ROWS:,} of {len(rows):,} rows." if len(rows) > MOST_ROWS else "",
    }
    _component(key=name, data=data, on_picked_change=opened)


def _column(title: str, values: pandas.Series, formats: Mapping[str, Format]) -> dict[str, Any]:
    """What the browser draws of a column: its title, its texts, and, where those are numbers, what they are sorted by."""
    texts = [as_text(value, formats.get(title)) for value in values]
    is_number = pandas.api.types.is_numeric_dtype(values) and not pandas.api.types.is_bool_dtype(values)
    order = [float(value) if _is_known(value) and math.isfinite(value) else None for value in values] if is_number else None
    return {"title": title[:LONGEST_TEXT], "texts": texts, "order": order, "right": all(map(NUMBER.fullmatch, texts))}


def as_text(value: Any, form: Format | None = None) -> str:
    """A value as a page writes it: in the form of its column, where it has one, and a dash where there is none."""
    if not _is_known(value):
        return "–"
    if form is not None and not isinstance(value, str):
        return PERCENT.sub("\u00a0%", form.format(value)) if isinstance(form, str) else form(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, pandas.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        written = f"{value:,.4f}" if abs(value) >= 1e-4 or value == 0 else f"{value:.3g}"
        return written.rstrip("0").rstrip(".") if "." in written and "e" not in written else written
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _is_known(value: Any) -> bool:
    return value is not None and value is not pandas.NaT and value is not pandas.NA and value == value
