"""The explorer: a search and the tree on one side, the chosen synset with its accuracy and pictures on the other."""

from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import layout, links
from dashboard import queries_synsets as rows
from dashboard.components import markup, panel, search_field
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.layout import Pages
from dashboard.views import notes, synset_card, synset_pictures, synset_tree
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_hierarchy import SynsetHierarchy, hierarchy_of

PAGE_PICTURES = 12
SHOWN = {
    "all": "all",
    "both right": "both right",
    "only the first": "only A",
    "only the second": "only B",
    "neither": "neither",
}
SHOWN_OF_ONE = {"all": "all", "right": "both right", "wrong": "neither"}


def open_synset(wnid: str) -> None:
    """Make a synset the one that the explorer shows, with its pictures from the first page."""
    streamlit.query_params["synset"] = wnid
    streamlit.session_state["page"] = 1


def open_in_explorer(wnid: str) -> None:
    """Show a synset in the explorer, from another view of the page."""
    open_synset(wnid)
    streamlit.session_state["view"] = "explorer"


def chosen_synset(hierarchy: SynsetHierarchy) -> str:
    """The synset that the address names, else the top."""
    wnid = streamlit.query_params.get("synset", hierarchy.root)
    return wnid if wnid in hierarchy.synsets else hierarchy.root


@streamlit.fragment
@layout.errors_as_messages()
def explorer(results: Results, pair: Pair | None, right: str, pages: Pages) -> None:
    """Draw the whole explorer; a fragment, so that walking through the tree draws nothing else anew."""
    hierarchy = hierarchy_of(results)
    scores = _scores(results, pair)
    rank = rows.RIGHT[right]
    left, wide = streamlit.columns([9, 11], gap="medium")
    with left:
        _search(results, hierarchy)
        models = [(name, f"top{rank}_{letter}", color) for letter, name, _, color in pair.sides] if pair else []
        synset_tree.show(hierarchy, scores, models, _tree_note(right, scores), "tree")
    with wide:
        _synset(results, pair, rank, pages)


def _scores(results: Results, pair: Pair | None) -> pandas.DataFrame | None:
    return rows.rolled_scores(results, pair.run_a, pair.run_b).set_index("wnid") if pair else None


def _tree_note(right: str, scores: pandas.DataFrame | None) -> str:
    keys = (
        "The caret or the arrow keys open a branch, a click or Enter shows a synset. ImageNet’s classes are in italics; a "
        "number counts the classes below."
    )
    place = "as the first answer" if right == "first answer" else "in the top five"
    return keys if scores is None else f"{keys} Bars: pictures with the true class {place}, in percent."


def _search(results: Results, hierarchy: SynsetHierarchy) -> None:
    text = search_field.show("search", "Search by word or wnid", "crane, sporting dog, n02012849 …", 60)
    if text.strip():
        found = hierarchy.search(text)
        senses = rows.senses(results, [" ".join(text.split())])
        panel.show(synset_card.search_results(hierarchy, found, senses), "results", open_synset)


@streamlit.fragment
@layout.errors_as_messages()
def _synset(results: Results, pair: Pair | None, rank: int, pages: Pages) -> None:
    """Draw the chosen synset; a fragment, so that a walk through the tree does not draw the tree anew."""
    hierarchy, scores = hierarchy_of(results), _scores(results, pair)
    asked, wnid = streamlit.query_params.get("synset"), chosen_synset(hierarchy)
    if asked and asked != wnid:
        streamlit.warning(f"{layout.plain(asked)} is no synset of ImageNet’s tree; here is the top of it.")
    known = pair is not None and scores is not None and wnid in scores.index
    panel.show(_told(results, pair, wnid, rank), "told", open_synset)
    if pair is not None and not known:
        _no_pictures(results, hierarchy, pair, wnid)
    if pair is not None and known:
        _pictures(results, hierarchy, pair, wnid, rank, pages)
    notes.of_class(results, wnid, "wordnet_synsets")
    synset_tree.follow(hierarchy.ways_up(wnid)[0], "tree_choice", open_synset)


@kept
def _told(results: Results, pair: Pair | None, wnid: str, rank: int) -> str:
    """All that is known of a synset, as HTML: both classifiers' accuracy there, what lies right below it, the confusions.

    Where there are pictures of it, the last is their title.
    """
    hierarchy, scores = hierarchy_of(results), _scores(results, pair)
    told = Element("div")
    told.append(synset_card.description(hierarchy, wnid, rows.senses(results, list(hierarchy.synsets[wnid].lemmas)[:8])))
    if pair is not None and scores is not None and wnid in scores.index:
        told.append(synset_card.accuracy(scores.loc[wnid], pair))
        markup.add(told, "p", _basis(results, pair, scores.loc[wnid], wnid), class_="faint")
    below = synset_card.children(hierarchy, scores, pair, wnid, rank)
    if below is not None:
        told.append(below)
    if pair is not None and scores is not None and wnid in scores.index:
        found = {
            letter: rows.confusions(results, run, pair.run_b if run == pair.run_a else pair.run_a, wnid)
            for letter, _, run, _ in pair.sides
        }
        markup.add(told, "h3", "Most frequent confusions", class_="title")
        told.append(synset_card.confusions(hierarchy, found, pair, wnid))
        markup.add(told, "h3", "Pictures", class_="title")
    return markup.as_html(told)


def _basis(results: Results, pair: Pair, counts: pandas.Series, wnid: str) -> str:
    images, classes = int(counts.images), int(counts.classes)
    left_out = rows.labelled_pictures(results, pair.dataset, wnid) - images
    note = f" {left_out:,} more are of classes that not both know." if left_out and len(pair.sides) > 1 else ""
    counted = f"{images:,} pictures of {classes:,} {'class' if classes == 1 else 'classes'}"
    return f"{counted}; in brackets Wilson’s 95 % interval.{note}"


def _no_pictures(results: Results, hierarchy: SynsetHierarchy, pair: Pair, wnid: str) -> None:
    there = rows.labelled_pictures(results, pair.dataset, wnid)
    name = layout.plain(hierarchy.name(wnid))
    if there:
        streamlit.info(f"There are {there:,} pictures of {name} here, but not both classifiers know the class.")
    else:
        streamlit.info(f"This data set has no picture of {name}.")


def _pictures(results: Results, hierarchy: SynsetHierarchy, pair: Pair, wnid: str, rank: int, pages: Pages) -> None:
    counts = rows.outcome_counts(results, pair.run_a, pair.run_b, wnid, rank)
    outcomes = SHOWN if len(pair.sides) > 1 else SHOWN_OF_ONE
    shown = layout.choose_button(
        "Which of them the classifiers get right",
        list(outcomes),
        "show",
        default="all",
        shown=lambda name: _spelled(name, pair),
        labelled=False,
    )
    page_count = -(-counts[outcomes[shown]] // PAGE_PICTURES)
    page = streamlit.pagination(page_count, key="page", bind="query-params") if page_count > 1 else 1
    found = rows.pictures(
        results, pair.run_a, pair.run_b, wnid, outcomes[shown], rank, PAGE_PICTURES, PAGE_PICTURES * (page - 1)
    )
    # Not on the buttons: what stands on them is in the address, and should mean the same at another synset.
    told = " · ".join(f"{_spelled(name, pair)} {counts[outcomes[name]]:,}" for name in outcomes)
    panel.show(synset_pictures.answered(results, hierarchy, pair, found, rank, told), "pictures", open_synset)
    if "imagenet_rn50_vs_clip" in pages:
        streamlit.page_link(
            pages["imagenet_rn50_vs_clip"],
            label="All these pictures, to filter and sort",
            icon=":material/arrow_forward:",
            query_params=links.to(results, data=pair.label, view="all pictures", node=wnid),
        )


def _spelled(name: str, pair: Pair) -> str:
    if name == "only the first":
        return f"only {pair.name_a}"
    return f"only {pair.name_b}" if name == "only the second" else name
