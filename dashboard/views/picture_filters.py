"""Which pictures a person looks at: a branch of the tree with the way to it, and an outcome, both kept in the address."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit

from dashboard import address, links
from dashboard.views.contest import COLORS, Contest, Tally
from dashboard.views.hierarchy import Hierarchy

HERE = Path(__file__).parent
OUTCOME_COLORS = {"both": "#3aa387", "only_a": COLORS[0], "only_b": COLORS[1], "neither": "#6a6f7a", "not_compared": "#b9bec7"}
SEARCH = "class"  # its name in the address; it is emptied when a branch is picked
ADDRESSES = {"both": "both", "only_a": "only A", "only_b": "only B", "neither": "neither", "not_compared": "not compared"}

_component = streamlit.components.v2.component(
    "contrast_picture_filters",
    html='<div class="filters"></div>',
    css=(HERE / "picture_filters.css").read_text(),
    js=(HERE / "picture_filters.js").read_text(),
)


def node_in_address(tree: Hierarchy) -> str | None:
    """The node that the address names, or None where it names none of the tree."""
    node = streamlit.query_params.get("node")
    return node if node in tree else None


def outcome_in_address() -> str | None:
    """The outcome that the address names, as a key of `queries_predictions.OUTCOMES`."""
    named = streamlit.query_params.get("outcome")
    return next((outcome for outcome, said in ADDRESSES.items() if said == named), None)


def page_number(name: str, page_count: int, of: str) -> int:
    """Let a person turn pages, from 1 on; the page is in the address under `name`, and is 1 again where `of` what is new."""
    remembered = f"{name} is of"
    if streamlit.session_state.get(remembered, of) != of:
        streamlit.session_state[name] = 1
    streamlit.session_state[remembered] = of
    return streamlit.pagination(page_count, key=name, bind="query-params") if page_count > 1 else 1


def show(
    tree: Hierarchy,
    key: str,
    node: str | None,
    removable: bool,
    found: Sequence[str] = (),
    notes: Sequence[str] = (),
    contest: Contest | None = None,
    counted: Tally | None = None,
) -> None:
    """Draw the way down to `node`, what a search `found` with a note each, and the bar of outcomes where they are counted."""

    def node_picked() -> None:
        wnid = streamlit.session_state[key].get("node")
        if isinstance(wnid, str):  # one that is no node is told when the page is drawn
            address.keep("node", wnid)
            address.keep("cell", None)
            address.keep(SEARCH, None)

    def outcome_picked() -> None:
        picked = streamlit.session_state[key].get("outcome")
        if picked == "" or picked in ADDRESSES:
            address.keep("outcome", ADDRESSES.get(picked))

    for name, known, shown in (("node", tree, "all classes"), ("outcome", ADDRESSES.values(), "all outcomes")):
        asked = streamlit.query_params.get(name)
        if asked and asked not in known:
            links.not_there(name, asked, shown)
    data: dict[str, Any] = {
        "trail": [{"wnid": wnid, "name": tree.name(wnid)[:80]} for wnid in (tree.path(node) if node else [])],
        "removable": removable,
        "found": [{"wnid": wnid, "name": tree.name(wnid)[:80], "note": note} for wnid, note in zip(found, notes, strict=True)],
        "outcome": outcome_in_address() or "",
        "outcomes": _outcomes(contest, counted) if contest and counted else [],
    }
    _component(key=key, data=data, on_node_change=node_picked, on_outcome_change=outcome_picked)


def _outcomes(contest: Contest, counted: Tally) -> list[dict[str, Any]]:
    labels = {
        "both": "both right",
        "only_a": f"only {contest.a.name}",
        "only_b": f"only {contest.b.name}",
        "neither": "neither",
        "not_compared": "not compared",
    }
    return [
        {"key": outcome, "label": label, "images": getattr(counted, outcome), "color": OUTCOME_COLORS[outcome]}
        for outcome, label in labels.items()
        if outcome != "not_compared" or counted.not_compared
    ]
