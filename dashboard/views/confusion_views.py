"""What one model takes for what: true against answered branches below a node, the wrong pairs, and the pictures behind each."""

import re
from collections.abc import Sequence
from typing import Any

import streamlit

from dashboard import address, layout, links
from dashboard import queries_confusions as queries
from dashboard.components import confusion_matrix
from dashboard.components.confusion_matrix import Pair, Row
from dashboard.connection import Results
from dashboard.views import picture_filters
from dashboard.views.contest import COLORS, Contest, Model
from dashboard.views.hierarchy import Branch, Hierarchy, hierarchy_of
from dashboard.views.picture_dialog import follow, show_opened
from dashboard.views.prediction_views import show_compact

SHOWN_PAIRS = 12
PAGE_PICTURES = 12
CELL = re.compile(r"(\d{1,2})-(\d{1,2})")
PAIR = re.compile(r"(n\d{8})-(n\d{8})")


@streamlit.fragment
@layout.errors_as_messages()
def confusions(results: Results, contest: Contest, pages: layout.Pages) -> None:
    """Draw the whole view, for a model and a node that a person picks."""
    tree = hierarchy_of(results)
    names = [contest.a.name, contest.b.name]
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = layout.choose_button("Model", names, "confused", default=names[1])
        cells = layout.choose_button("Cells", ["counts", "shares of a row"], "cells", default="counts")
    side = names.index(name)
    model = (contest.a, contest.b)[side]
    node = picture_filters.node_in_address(tree) or tree.root
    images = queries.class_images(results, model.run_id)
    if node is None or not any(leaf in images for leaf in tree.leaves.get(node, ())):
        if node is not None:
            picture_filters.show(tree, "confusion_node", node, True)
        streamlit.info("No picture here has a label that this model knows.")
        return
    picture_filters.show(tree, "confusion_node", node, node != tree.root)
    branches = tree.branches(node, {**dict.fromkeys(tree.leaves[node], 0), **images})
    chosen = _chosen_cell(tree, branches)
    followed = _matrix(results, tree, model, side, node, branches, chosen, cells != "counts")
    _pictures(results, contest, tree, model, branches, chosen)
    follow(followed, pages)
    show_opened(results, contest, pages)


def branch_name(tree: Hierarchy, branch: Branch) -> str:
    """What a branch is called."""
    return f"other {tree.name(branch.node)}" if branch.rest else tree.name(branch.node)


def matrix_rows(results: Results, tree: Hierarchy, run_id: str, branches: Sequence[Branch]) -> tuple[list[Row], list[str]]:
    """Rows and column names: each branch that has pictures against all of them, and against what lies elsewhere."""
    branch_of_class = {wnid: number for number, branch in enumerate(branches) for wnid in branch.classes}
    elsewhere = len(branches)
    count = max(tree.wnid_of_index, default=-1) + 1
    branch_of_index = [branch_of_class.get(tree.wnid_of_index.get(index, ""), elsewhere) for index in range(count)]
    found = queries.branch_confusions(results, run_id, branch_of_class, branch_of_index)
    counted = [[0] * (elsewhere + 1) for _ in branches]
    for truth, answer, images in found.dropna().itertuples(index=False):
        counted[int(truth)][int(answer)] = int(images)
    leaves_node = any(cells[elsewhere] for cells in counted)
    columns = [branch_name(tree, branch) for branch in branches] + (["elsewhere"] if leaves_node else [])
    rows = [
        Row(branch_name(tree, branch), cells[: len(columns)], not branch.rest and len(branch.classes) > 1)
        for branch, cells in zip(branches, counted, strict=True)
        if sum(cells)  # only the last branch can be without pictures, so that rows and columns stay in step
    ]
    return rows, columns


def _matrix(
    results: Results,
    tree: Hierarchy,
    model: Model,
    side: int,
    node: str,
    branches: Sequence[Branch],
    chosen: tuple[Any, Any] | None,
    shares: bool,
) -> str | None:
    rows, columns = matrix_rows(results, tree, model.run_id, branches)
    found = queries.wrong_pairs(results, model.run_id, node, SHOWN_PAIRS)
    answers = [tree.wnid_of_index.get(int(answer), "") for answer in found.answer]
    pairs = [
        Pair(
            tree.name(row.wnid),
            tree.name(answer),
            int(row.images),
            tree.name(row.ancestor),
            row.ancestor if row.ancestor in tree else "",
            tree.depth.get(row.ancestor, 0),
        )
        for row, answer in zip(found.itertuples(), answers, strict=True)
    ]
    right = sum(row.cells[number] for number, row in enumerate(rows))
    total = sum(sum(row.cells) for row in rows)
    captions = (
        f"First answers of {model.name} below “{tree.name(node)}”: {right:,} of {total:,} fall into the true branch. "
        "A row’s name and its diagonal cell open that branch; any other cell shows its pictures.",
        "The most frequent wrong first answers here",
    )

    def open_branch(number: int) -> None:
        address.keep("node", branches[number].node)
        address.keep("cell", None)

    return confusion_matrix.show(
        rows,
        columns,
        pairs,
        "confusion_matrix",
        COLORS[side],
        captions,
        shares,
        chosen if chosen and isinstance(chosen[0], int) else None,
        on_cell=lambda row, column: _open_cell(f"{row}-{column}"),
        on_branch=open_branch,
        on_pair=lambda number: _open_cell(f"{found.wnid.iloc[number]}-{answers[number]}"),
    )


def _open_cell(cell: str) -> None:
    address.keep("cell", cell)


def _chosen_cell(tree: Hierarchy, branches: Sequence[Branch]) -> tuple[Any, Any] | None:
    """The cell that the address names: two numbers of branches, or two wnids."""
    address = str(streamlit.query_params.get("cell", ""))
    if (match := CELL.fullmatch(address)) and int(match[1]) < len(branches) and int(match[2]) <= len(branches):
        return int(match[1]), int(match[2])
    if (match := PAIR.fullmatch(address)) and match[1] in tree and match[2] in tree:
        return match[1], match[2]
    if address:
        links.not_there("cell", address, "no pictures")
    return None


def _pictures(
    results: Results,
    contest: Contest,
    tree: Hierarchy,
    model: Model,
    branches: Sequence[Branch],
    chosen: tuple[Any, Any] | None,
) -> None:
    """The pictures of a chosen cell, in pages."""
    if chosen is None:
        return
    if isinstance(chosen[0], int):
        truth, answers = branches[chosen[0]].classes, _answers_in(tree, branches, chosen[1])
        title = branch_name(tree, branches[chosen[0]])
        answered = branch_name(tree, branches[chosen[1]]) if chosen[1] < len(branches) else "something elsewhere"
    else:
        truth, answers = (chosen[0],), (chosen[1],)
        title, answered = tree.name(chosen[0]), tree.name(chosen[1])
    indices = [tree.index_of_wnid[wnid] for wnid in answers if wnid in tree.index_of_wnid]
    count = queries.count_answered(results, model.run_id, truth, indices)
    streamlit.subheader(f"{layout.plain(title)}, answered as {layout.plain(answered)}")
    if not count:
        streamlit.caption("There is no such picture.")
        return
    noun = "picture" if count == 1 else "pictures"
    streamlit.caption(f"{count:,} {noun}, those first of which {layout.plain(model.name)} is surest.")
    number = picture_filters.page_number("cell_page", -(-count // PAGE_PICTURES), f"{model.run_id} {branches} {chosen}")
    ordinals = queries.answered_pictures(results, model.run_id, truth, indices, PAGE_PICTURES, PAGE_PICTURES * (number - 1))
    show_compact(results, contest, ordinals, "cell_gallery")


def _answers_in(tree: Hierarchy, branches: Sequence[Branch], number: int) -> Sequence[str]:
    if number < len(branches):
        return branches[number].classes
    within = {wnid for branch in branches for wnid in branch.classes}
    return [wnid for wnid in tree.index_of_wnid if wnid not in within]
