"""A matrix of true against answered branches, with the most frequent wrong pairs below it, as a component."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit

HERE = Path(__file__).parent
LONGEST_NAME = 80


@dataclass(frozen=True)
class Row:
    """A true branch: its pictures by the answered branch, and whether it can be looked into."""

    name: str
    cells: list[int]
    can_open: bool


@dataclass(frozen=True)
class Pair:
    """A true class, a wrong answer, how often, and the synset that they have in common."""

    truth: str
    answer: str
    images: int
    common: str
    wnid: str
    depth: int


_component = streamlit.components.v2.component(
    "contrast_confusion_matrix",
    html='<div class="matrix"></div>',
    css=(HERE / "confusion_matrix.css").read_text(),
    js=(HERE / "confusion_matrix.js").read_text(),
)


def show(
    rows: list[Row],
    columns: list[str],
    pairs: list[Pair],
    key: str,
    color: str,
    captions: tuple[str, str],
    shares: bool,
    chosen: tuple[int, int] | None,
    on_cell: Callable[[int, int], None],
    on_branch: Callable[[int], None],
    on_pair: Callable[[int], None],
) -> str | None:
    """Draw matrix and pairs, in cells counts or, with `shares`, shares of a row; gives the wnid of a link that was followed."""

    def picked(name: str) -> object:
        return streamlit.session_state[key].get(name)

    def cell_picked() -> None:
        place = picked("cell")
        if isinstance(place, list) and len(place) == 2 and _among(place[0], rows) and _among(place[1], columns):
            on_cell(int(place[0]), int(place[1]))

    def branch_picked() -> None:
        number = picked("branch")
        if _among(number, rows):
            on_branch(int(number))  # type: ignore[call-overload]

    def pair_picked() -> None:
        number = picked("pair")
        if _among(number, pairs):
            on_pair(int(number))  # type: ignore[call-overload]

    data = {
        "version": str(hash(repr((rows, columns, pairs, shares, chosen, color, captions)))),
        "color": color,
        "caption": captions[0],
        "pairsCaption": captions[1],
        "shares": shares,
        "chosen": list(chosen or (-1, -1)),
        "columns": [name[:LONGEST_NAME] for name in columns],
        "rows": [
            {"name": row.name[:LONGEST_NAME], "total": sum(row.cells), "cells": row.cells, "opens": row.can_open}
            for row in rows
        ],
        "pairs": [
            {
                "truth": pair.truth[:LONGEST_NAME],
                "answer": pair.answer[:LONGEST_NAME],
                "images": pair.images,
                "common": pair.common[:LONGEST_NAME],
                "wnid": pair.wnid,
                "depth": pair.depth,
            }
            for pair in pairs
        ],
    }
    result = _component(
        key=key,
        data=data,
        on_cell_change=cell_picked,
        on_branch_change=branch_picked,
        on_pair_change=pair_picked,
        on_followed_change=_rerun,
    )
    followed = result.get("followed")
    return followed if followed in {pair.wnid for pair in pairs if pair.wnid} else None


def _among(number: object, entries: list[Row] | list[str] | list[Pair]) -> bool:
    return isinstance(number, (int, float)) and 0 <= int(number) < len(entries)


def _rerun() -> None:
    """What follows from a link is done by who drew the matrix."""
