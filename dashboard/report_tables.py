"""Tables of a drawn page as HTML, with the numbers written as the page writes them."""

import json
import math
import re
from html import escape
from typing import Any

import pandas
from streamlit import dataframe_util

MOST_ROWS = 200
LONGEST_TEXT = 400
UNBROKEN = re.compile(r"\S{24}")  # what may be broken anywhere, so that a table fits a page
PRINTED = re.compile(r"%[ +]?\.?\d*[dfeg]%{0,2}")
# The colours that a page gives to cells, as pandas writes them; nothing else of its styles is taken over.
CELL_COLOR = re.compile(r"((?:#T_\w+?_row\d+_col\d+,?\s*)+)\{\s*background-color:\s*(#[0-9a-fA-F]{6});?\s*\}")
CELL = re.compile(r"_row(\d+)_col(\d+)")


def as_html(proto: Any, label: str) -> str:
    """A table from what Streamlit sends of a DataFrame, the first MOST_ROWS rows of it, with a name for who cannot see it."""
    frame = dataframe_util.convert_arrow_bytes_to_pandas_df(proto.arrow_data.data)
    styler = proto.arrow_data.styler
    written = dataframe_util.convert_arrow_bytes_to_pandas_df(styler.display_values) if styler.display_values else None
    config: dict[str, Any] = json.loads(getattr(proto, "columns", "") or "{}")
    colors = _cell_colors(styler.styles)
    hides_index = getattr(proto, "hide_index", False) or config.get("_index", {}).get("hidden", False)
    places = [place for place, name in enumerate(frame.columns) if not config.get(str(name), {}).get("hidden")]
    heads = [_head(frame.columns[place], config) for place in places]
    numeric = [_is_numeric(frame.iloc[:, place], config.get(str(frame.columns[place]), {})) for place in places]
    rows = []
    for number in range(min(len(frame), MOST_ROWS)):
        cells = [] if hides_index else [f'<th scope="row">{escape(str(frame.index[number]))}</th>']
        for place, is_number in zip(places, numeric, strict=True):
            value = frame.iloc[number, place] if written is None else written.iloc[number, place]
            text = cell_text(value, config.get(str(frame.columns[place]), {}))
            color = colors.get((number, place))
            shown = f'<i class="swatch" style="background:{color}"></i>' if color and not text.strip() else escape(text)
            kind = "number" if is_number else "long" if UNBROKEN.search(text) else ""
            cells.append(f'<td class="{kind}">{shown}</td>' if kind else f"<td>{shown}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    corner = "" if hides_index else "<td></td>"
    titles = "".join(
        f'<th scope="col"{" class=number" if is_number else ""}>{escape(head)}</th>'
        for head, is_number in zip(heads, numeric, strict=True)
    )
    hides_titles = getattr(proto, "hide_header", False)
    head_row = "" if hides_titles else f"<thead><tr>{corner}{titles}</tr></thead>"
    more = f"<p class=faint>The first {MOST_ROWS} of {len(frame):,} rows.</p>" if len(frame) > MOST_ROWS else ""
    label = escape(getattr(proto, "alt", "") or label)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{label}"><table>{head_row}'
        f"<tbody>{''.join(rows)}</tbody></table></div>{more}"
    )


def cell_text(value: Any, config: dict[str, Any]) -> str:
    """A value as the page writes it: in the format of its column, where it has one."""
    if isinstance(value, list | tuple) or hasattr(value, "tolist"):
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, list | tuple):
            return ", ".join(cell_text(each, {}) for each in value)[:LONGEST_TEXT]
    if value is None or value is pandas.NaT or value is pandas.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    form = (config.get("type_config") or {}).get("format")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(value, form)
    if isinstance(value, pandas.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    text = str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _number(value: float, form: str | None) -> str:
    if form and PRINTED.fullmatch(form):
        return form % value
    if form == "percent":
        return f"{value:.2%}"
    if isinstance(value, int):
        return f"{value:,}" if form == "localized" else str(value)
    rounded = f"{value:,.4f}" if abs(value) >= 1e-4 or value == 0 else f"{value:.3g}"
    return rounded.rstrip("0").rstrip(".") if "." in rounded and "e" not in rounded else rounded


def _head(name: object, config: dict[str, Any]) -> str:
    return str(config.get(str(name), {}).get("label") or name)[:LONGEST_TEXT]


def _is_numeric(values: pandas.Series, config: dict[str, Any]) -> bool:
    is_right = config.get("alignment") == "right"
    return is_right or (pandas.api.types.is_numeric_dtype(values) and not pandas.api.types.is_bool_dtype(values))


def _cell_colors(styles: str) -> dict[tuple[int, int], str]:
    return {
        (int(row), int(column)): color for cells, color in CELL_COLOR.findall(styles) for row, column in CELL.findall(cells)
    }
