"""What a foreign file of results may hold in its rows, and what of it must never reach a browser as it is."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
from streamlit.testing.v1 import AppTest

from compute.schema import TABLES

ELSEWHERE = "evil.example"
HOSTILE = (
    f"=1+1 <script>alert(1)</script><img src=x onerror=alert(1)> ![pic](http://{ELSEWHERE}/a.png) [go](javascript:alert(1)) "
    f"**bold** :red[x] $y$ :material/home: <!-- --> ]]> \" ' \\ \x00\u202e ${{x}} {{{{x}}}} " + "long" * 2500
).replace("\x00", "")
# What stands for something that a program looks up: prefixed, so that rows stay apart and still belong together.
PREFIX = f"=<b onclick=alert(1)>![p](http://{ELSEWHERE}/k.png)[g](javascript:x)"
KEY_COLUMNS = {"run_id", "other_run_id", "trial_key", "image_id", "dataset", "wnid", "parent_wnid", "leaf_wnid", "other_wnid",
               "ancestor", "caption_id"}  # fmt: skip
# What a program decides by: another word is one that it does not know, not one that it shows.
WORDS = {"experiment", "variant", "profile", "labels", "split", "kind", "clock", "precision", "category", "measure", "moment",
         "part", "direction", "library", "against", "band", "metric"}  # fmt: skip


def columns(results: Path) -> list[tuple[str, str, str, bool]]:
    """Table, name, type of each column of a file, and whether it may be NULL."""
    with duckdb.connect(str(results), read_only=True) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()


def _changed(column: str, kind: str, change: str, is_nullable: bool) -> str | None:
    """SQL for what a column is to hold after a change; None where the change leaves it as it is."""
    text, number = f"$hostile || {column}", "'nan'" if change == "not a number" else "'inf'"
    if change == "text":
        others = {"VARCHAR[]": f"list_transform({column}, lambda x: $hostile)", "JSON": "json_object($hostile, $hostile)"}
        return text if kind == "VARCHAR" and column not in KEY_COLUMNS | WORDS else others.get(kind)
    if change == "words":
        return text if kind == "VARCHAR" and column in WORDS else None
    if change == "keys":
        return text if kind == "VARCHAR" and column in KEY_COLUMNS else None
    if change in ("not a number", "infinite"):
        return {"DOUBLE": number, "FLOAT": number, "FLOAT[]": f"list_transform({column}, lambda x: {number}::FLOAT)"}.get(kind)
    if change == "none":
        others = {"VARCHAR": "''" if column not in KEY_COLUMNS | WORDS else None, "JSON": "'null'"}
        return "NULL" if is_nullable else "[]" if kind.endswith("[]") else others.get(kind)
    if change == "zero":
        return "0" if kind.endswith("INT") or kind in ("INTEGER", "DOUBLE", "FLOAT") else None
    if change == "negative" and column not in ("version",):
        limits = {"INTEGER": -(2**31), "SMALLINT": -(2**15), "BIGINT": -(2**63), "DOUBLE": -1e308, "FLOAT": -1e38}
        return str(limits[kind]) if kind in limits else None
    if change == "huge" and column not in ("version",):
        limits = {"INTEGER": 2**31 - 1, "SMALLINT": 2**15 - 1, "BIGINT": 2**63 - 1, "UTINYINT": 255, "USMALLINT": 65535,
                  "DOUBLE": 1e308, "FLOAT": 1e38}  # fmt: skip
        return str(limits[kind]) if kind in limits else None
    return None


CHANGES = ("text", "words", "keys", "not a number", "infinite", "none", "zero", "negative", "huge")


def spoil(results: Path, change: str, tables: tuple[str, ...] = tuple(TABLES), every: int = 1) -> int:
    """Change all columns of some tables, in every so many rows; returns how many columns were changed."""
    hostile = PREFIX if change in ("keys", "words") else HOSTILE
    count = 0
    with duckdb.connect(str(results)) as connection:
        for table in tables:
            if table == "contract":
                continue
            own = {name: (kind, null) for each, name, kind, null in connection.execute(
                "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() WHERE NOT internal").fetchall()
                if each == table}  # fmt: skip
            sets = {name: _changed(name, kind, change, null) for name, (kind, null) in own.items()}
            sets = {name: value for name, value in sets.items() if value}
            if not sets:
                continue
            # Ten thousand characters in some rows, the markup of their beginning in all: with more a file takes long to write.
            text = "(CASE WHEN rowid % 50 = 0 THEN $hostile ELSE left($hostile, 300) END)"
            listed = ", ".join(f"{name} = {value.replace('$hostile', text)}" for name, value in sets.items())
            where = f"WHERE rowid % {every} = 0" if every > 1 else ""
            given = {"hostile": hostile} if "$hostile" in listed else None
            connection.execute(f"UPDATE {table} SET {listed} {where}", given)
            count += len(sets)
    return count


# Markup that came through: an element that runs or loads something, or a link or picture in Markdown.
MARKUP = re.compile(
    r"<(script|img|iframe|object|embed|foreignObject|b onclick)\b|\son\w+=|href=\"(javascript|https?://evil)", re.I
)
MARKDOWN = re.compile(r"(?<!\\)!?(?<!\\)\[(pic|p|go|g)(?<!\\)\]\((?!#)")
# Shown as they are: cells of tables, words in code, texts of components, which set them through textContent.
LITERAL = ("arrow_data_frame", "code", "bidi_component", "arrow_vega_lite_chart", "text_input", "text_area", "json")


def harm(app: AppTest) -> Iterator[str]:
    """What of a drawn page would become markup, a link or a picture from elsewhere in a browser."""
    for node in _nodes(app._tree):
        proto = getattr(node, "proto", None)
        kind = getattr(node, "type", "")
        if proto is None:
            continue
        if kind in LITERAL or "dataframe" in kind:
            continue
        for text in _texts(proto, plain_options=kind in ("selectbox", "multiselect")):
            if MARKDOWN.search(text):
                yield f"{kind}: {text[:200]}"
        if (kind == "html" or getattr(proto, "allow_html", False)) and MARKUP.search(str(getattr(proto, "body", proto))):
            yield f"{kind}: {str(proto)[:200]}"


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", {}).values():
        yield from _nodes(child)


def _texts(message: Any, plain_options: bool = False) -> Iterator[str]:
    """All texts of a message to the browser but those that stand for themselves, such as addresses and choices of a list."""
    for field, value in message.ListFields():
        if (plain_options and field.name == "options") or field.name in (
            "id",
            "url",
            "query_params",
            "src",
            "form_id",
            "page_script_hash",
            "default",
            "value",
        ):
            continue
        many = not isinstance(value, str | bytes) and hasattr(value, "__len__")
        for each in value if many else (value,):
            if isinstance(each, str):
                yield each
            elif hasattr(each, "ListFields"):
                yield from _texts(each)
