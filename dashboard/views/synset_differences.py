"""Three kinds of visual difference within one synset: rendition, rotation and form, each with figures and pictures."""

from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import charts_synsets, intervals, layout
from dashboard import queries_likeness as looks
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.views import synset_card, synset_looks, synset_pictures
from dashboard.views.answer_depth import mean_of
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_explorer import open_in_explorer
from dashboard.views.synset_hierarchy import SynsetHierarchy
from dashboard.views.synset_looks import ANY, NEAREST, PLAIN, TURNED, likeness

KINDS = {
    "same": "nothing that is known",
    "rotation": "rotation",
    "form": "form",
    "rendition": "rendition",
    ANY: "anything, within a class",
    NEAREST: "the class: with the nearest other",
}


@dataclass(frozen=True)
class Difference:
    """One kind of difference: its name in the rows, its title, what it means, and the column that it changes."""

    kind: str
    title: str
    words: str
    column: str


DIFFERENCES = (
    Difference(
        "rendition", "Rendition", "The same thing as a color picture, as lines, as a silhouette, on another ground.", "style"
    ),
    Difference("rotation", "Rotation", "The same picture upright and turned.", "style"),
    Difference("form", "Form", "Another thing of the same synset: the whole animal or its face, another kind or pose.", "form"),
)


def draw(results: Results, hierarchy: SynsetHierarchy, pair: Pair, rank: int) -> None:
    """Answer which visual differences there are within a synset."""
    streamlit.subheader("Three kinds of visual difference within one synset")
    styles = looks.style_scores(results, pair.run_a, pair.run_b)
    forms = looks.form_scores(results, pair.run_a, pair.run_b, pair.evidence_run)
    none = pandas.DataFrame(columns=["wnid", "kind"])
    found = looks.similarities(results, pair.evidence_run) if pair.evidence_run else none
    if styles["style"].isna().all():
        _without_styles(results, hierarchy, pair)
        return
    streamlit.markdown(
        "One label, and yet: the same thing can be **rendered** otherwise, be **turned**, or have another **form**. Below, how "
        "alike two pictures of a class are when they differ in one of these alone, and what it does to recognition."
    )
    means = kind_means(found)
    if len(means):
        layout.chart(partial(charts_synsets.kind_similarities, means), means, "likeness_by_difference")
        streamlit.caption(_chart_note(means))
    for difference in DIFFERENCES:
        _difference(results, hierarchy, pair, difference, found, groups_of(styles, forms, difference), rank)


def kind_means(found: pandas.DataFrame) -> pandas.DataFrame:
    """Mean likeness over the classes by what differs between two pictures: kind, similarity, low, high, classes, pairs."""
    parts = []
    for kind, title in KINDS.items():
        chosen = found[found.kind == kind]
        if len(chosen):
            mean = mean_of(chosen.similarity, pandas.Series(1, index=chosen.index))
            parts.append((title, mean.value, mean.low, mean.high, len(chosen), int(chosen.pairs.sum())))
    return pandas.DataFrame(parts, columns=["kind", "similarity", "low", "high", "classes", "pairs"])


def _chart_note(means: pandas.DataFrame) -> str:
    note = "Means over classes with their 95 % interval, by what differs between the two pictures of a pair."
    if KINDS["same"] not in set(means.kind):
        note += (
            " No two pictures of a class differ in nothing that is known, so that there is no such pair to compare with; "
            "the nearest other class is what a difference can be held against."
        )
    return note


def _difference(
    results: Results,
    hierarchy: SynsetHierarchy,
    pair: Pair,
    difference: Difference,
    found: pandas.DataFrame,
    counts: pandas.DataFrame,
    rank: int,
) -> None:
    streamlit.markdown(f"#### {difference.title}")
    chosen = found[found.kind == difference.kind].sort_values(["similarity", "wnid"])
    chosen = chosen[chosen.wnid.isin(list(hierarchy.synsets))]
    streamlit.markdown(f"{difference.words}{_figure_words(chosen)}")
    left, right = streamlit.columns([5, 7], gap="large")
    with left:
        panel.show(accuracy_by(pair, counts, difference.column, rank), f"accuracy_{difference.kind}")
    with right:
        if chosen.empty:
            streamlit.info("No class here has two pictures that differ in this alone.")
            return
        named = chosen.assign(name=[hierarchy.name(wnid) for wnid in chosen.wnid])
        names = synset_looks.unique_names(named)
        name = streamlit.selectbox(
            "Class, that with the largest difference first",
            list(names),
            key=difference.kind,
            bind="query-params",
            width=420,
        )
        row = named[named.wnid == names[name]].iloc[0]
        panel.show(_examples(results, hierarchy, pair, difference, row), f"pictures_{difference.kind}", open_in_explorer)


def _figure_words(chosen: pandas.DataFrame) -> str:
    if chosen.empty:
        return ""
    mean = mean_of(chosen.similarity, pandas.Series(1, index=chosen.index))
    counted = f"{len(chosen):,} classes, {int(chosen.pairs.sum()):,} pairs"
    return f" Mean likeness of such pairs: **{intervals.as_text(mean)}** ({counted})."


def groups_of(styles: pandas.DataFrame, forms: pandas.DataFrame, difference: Difference) -> pandas.DataFrame:
    """The rows of `style_scores` or `form_scores` that tell of a difference."""
    if difference.kind == "rendition":
        return styles[styles["style"] != TURNED]
    if difference.kind == "rotation":
        return styles[styles["style"].isin([PLAIN, TURNED])]
    return forms


def accuracy_by(pair: Pair, counts: pandas.DataFrame, column: str, rank: int) -> Element:
    """Both classifiers' accuracy for each value of a column of `style_scores`."""
    root = Element("div", {"class": "card"})
    place = "In the top five" if rank > 1 else "First answer right"
    for value, group in counts.groupby(column):
        markup.add(root, "h4", f"{place}: {value}")
        total = int(group.images.sum())
        for letter, name, _, color in pair.sides:
            right = int(group[f"top{rank}_{letter}"].sum())
            synset_card.bar(root, name, intervals.proportion(right, total), f"{right:,} of {total:,}", color)
    return root


def _examples(results: Results, hierarchy: SynsetHierarchy, pair: Pair, difference: Difference, row: pandas.Series) -> Element:
    root = Element("div", {"class": "card"})
    markup.add(
        root,
        "p",
        f"{row['name']}: likeness {row.similarity:.3f} over {row.pairs} {'pair' if row.pairs == 1 else 'pairs'}",
        class_="faint",
    )
    pictures = looks.class_pictures(results, pair.dataset, pair.evidence_run, [row.wnid])
    pictures = one_of_each(pictures, difference)
    synset_pictures.of_class(root, results, hierarchy, pictures, pictures[difference.column].tolist(), 7)
    return root


def one_of_each(pictures: pandas.DataFrame, difference: Difference) -> pandas.DataFrame:
    """Pictures of one class that differ in one thing: of the form, or style, that has most pictures, one for each value."""
    other = "form" if difference.column == "style" else "style"
    if difference.kind == "rendition":
        pictures = pictures[pictures["style"] != TURNED]
    elif difference.kind == "rotation":
        pictures = pictures[pictures["style"].isin([PLAIN, TURNED])]
    kinds = pictures.assign(other=pictures[other].fillna(""))
    variety = kinds.groupby("other")[difference.column].nunique().sort_values(ascending=False, kind="stable")
    if variety.empty:
        return pictures
    best = PLAIN if difference.kind == "form" and variety.get(PLAIN, 0) == variety.iloc[0] else variety.index[0]
    return kinds[kinds.other == best].drop_duplicates(difference.column).sort_values([difference.column, "ordinal"])


def _without_styles(results: Results, hierarchy: SynsetHierarchy, pair: Pair) -> None:
    streamlit.info(
        "It is not known of these pictures how they were rendered or turned, or which form they show, so that the three cannot "
        "be told apart here. A manifest.csv with a column style makes it known; the miniature’s drawn pictures have all three."
    )
    spread = looks.typicality(results, pair.evidence_run) if pair.evidence_run else pandas.DataFrame()
    if spread.empty:
        streamlit.caption("Nor has any class more than one picture with CLIP’s features, so that no likeness can be shown.")
        return
    streamlit.markdown("#### What can be shown: how alike each picture is to the others of its class")
    layout.chart(partial(charts_synsets.typicality, spread), spread, "likeness_to_own_class")
    own = likeness(results, hierarchy, pair).dropna(subset=["own"]).sort_values(["own", "wnid"])
    names = synset_looks.unique_names(own)
    name = streamlit.selectbox(
        "Most and least typical pictures of a class, the least alike first",
        list(names),
        key="typical",
        bind="query-params",
        width=420,
    )
    root = Element("div", {"class": "strip"})
    row = own[own.wnid == names[name]].iloc[0]
    synset_looks.typical(root, results, hierarchy, pair, row.wnid, f"mean likeness {row.own:.3f}")
    panel.show(root, "typical_pictures", open_in_explorer)
