"""A tree of synsets to expand and collapse, which is sent whole and drawn branch by branch in the browser."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas
import streamlit

from dashboard.kept import kept
from dashboard.views.synset_hierarchy import SynsetHierarchy

HERE = Path(__file__).parent
OPENED_SHARE = 0.3  # branches with at least this share of all classes are open at first
PER_MILLE = 1000

_component = streamlit.components.v2.component(
    "contrast_tree",
    html='<div class="tree"></div>',
    css=(HERE / "synset_tree.css").read_text(),
    js=(HERE / "synset_tree.js").read_text(),
)


# What is chosen goes to and fro in a component of its own, which stands beside what is shown of it: the tree is sent once, and
# not drawn anew with each choice.
_choice = streamlit.components.v2.component("contrast_tree_choice", js=(HERE / "synset_tree_choice.js").read_text())


def show(
    hierarchy: SynsetHierarchy, scores: pandas.DataFrame | None, models: Sequence[tuple[str, str, str]], note: str, key: str
) -> None:
    """Draw the tree, and below it a note.

    `scores` are rows by wnid with `images` and a column of right answers for each of `models`, given as (name, column, color).
    """
    _component(key=key, data=_data(hierarchy, scores, tuple(models), note))


def follow(way: Sequence[str], key: str, on_select: Callable[[str], None]) -> None:
    """Have the last synset of `way` chosen in the tree, and call `on_select` with the wnid of what a person picks there."""

    def selected() -> None:
        wnid = streamlit.session_state[key].get("selected")
        if isinstance(wnid, str):
            on_select(wnid)

    _choice(key=key, data={"way": list(way)}, on_selected_change=selected)


@kept
def _data(
    hierarchy: SynsetHierarchy, scores: pandas.DataFrame | None, models: tuple[tuple[str, str, str], ...], note: str
) -> dict[str, Any]:
    """All that tree.js draws."""
    nodes = _nodes(hierarchy, scores, models)
    return {
        **nodes,
        "version": str(hash(repr((nodes, note)))),
        "models": [{"name": name, "color": color} for name, _, color in models],
        "note": note,
    }


def _nodes(
    hierarchy: SynsetHierarchy, scores: pandas.DataFrame | None, models: Sequence[tuple[str, str, str]]
) -> dict[str, Any]:
    """What tree.js draws, in lists of one length: a synset is its place in them."""
    frame = _frame(hierarchy)
    wnids = frame["wnids"]
    known = pandas.DataFrame({"images": 0}, index=wnids) if scores is None else scores.reindex(wnids).fillna(0)
    shares = [
        [round(PER_MILLE * right / total) if total else -1 for right, total in zip(known[column], known.images, strict=True)]
        for _, column, _ in models
        if scores is not None
    ]
    return {**frame, "pictures": known.images.astype(int).tolist(), "shares": shares}


@kept
def _frame(hierarchy: SynsetHierarchy) -> dict[str, Any]:
    """What of `_nodes` is the same whatever is known of the pictures."""
    wnids = list(hierarchy.synsets)
    place = {wnid: number for number, wnid in enumerate(wnids)}
    counts = [len(hierarchy.leaves.get(wnid, ())) for wnid in wnids]
    return {
        "wnids": wnids,
        "names": [hierarchy.name(wnid) for wnid in wnids],
        "counts": counts,
        "classes": [int(hierarchy.is_class(wnid)) for wnid in wnids],
        "children": [[place[child] for child in _in_order(hierarchy, wnid) if child in place] for wnid in wnids],
        "root": place.get(hierarchy.root, -1),
        "opened": [number for number, count in enumerate(counts) if count >= OPENED_SHARE * max(counts, default=0)],
    }


def _in_order(hierarchy: SynsetHierarchy, wnid: str) -> list[str]:
    """What is right below a synset, that with most classes first."""
    below = hierarchy.by_name(set(hierarchy.children.get(wnid, ())))
    return sorted(below, key=lambda child: -len(hierarchy.leaves.get(child, ())))
