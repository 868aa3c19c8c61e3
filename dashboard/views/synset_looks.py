"""Meaning against looks: where a synset's pictures look unlike, and where those of two synsets look alike."""

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import charts_synsets, intervals, layout
from dashboard import queries_likeness as looks
from dashboard import queries_synsets as rows
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.views import synset_card, synset_pictures
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_explorer import open_in_explorer
from dashboard.views.synset_hierarchy import SynsetHierarchy

ANY, NEAREST = "any", "nearest class"
PLAIN, TURNED = "color on plain", "rotated"
MOST_PICTURES = 5
FAR_PAIRS, NEAR_PAIRS = 6, 3
Likeness: TypeAlias = pandas.DataFrame  # by class: wnid, own, other, other_wnid, pairs, depth, is_sibling, name, other_name


def likeness(results: Results, hierarchy: SynsetHierarchy, pair: Pair) -> Likeness:
    """How alike each class's own pictures are (NaN where it has one) and how alike those of the nearest other class."""
    found = looks.similarities(results, pair.evidence_run) if pair.evidence_run else pandas.DataFrame()
    if found.empty:
        return pandas.DataFrame()
    own = found[found.kind == ANY].set_index("wnid").similarity
    nearest = found[found.kind == NEAREST].rename(columns={"similarity": "other"})
    nearest = nearest[nearest.wnid.isin(list(hierarchy.synsets)) & nearest.other_wnid.isin(list(hierarchy.synsets))]
    classes, depths = hierarchy.common_depth
    place = {wnid: number for number, wnid in enumerate(classes)}
    both = list(zip(nearest.wnid, nearest.other_wnid, strict=True))
    return nearest.assign(
        own=nearest.wnid.map(own),
        depth=[int(depths[place[wnid], place[other]]) if wnid in place and other in place else 0 for wnid, other in both],
        is_sibling=[bool(set(hierarchy.parents.get(a, ())) & set(hierarchy.parents.get(b, ()))) for a, b in both],
        name=[hierarchy.name(wnid) for wnid, _ in both],
        other_name=[hierarchy.name(other) for _, other in both],
    )[["wnid", "name", "own", "other_wnid", "other_name", "other", "depth", "is_sibling"]].reset_index(drop=True)


def grouping(results: Results, hierarchy: SynsetHierarchy, pair: Pair, rank: int) -> None:
    """Answer how grouping by synset can hurt recognition."""
    streamlit.subheader("How can grouping by synset hurt recognition?")
    streamlit.markdown(
        "A synset groups by meaning; a network sees looks. It hurts where **one label stands for things that look unlike**, "
        "and where **different labels stand for things that look alike**. Likeness is the cosine similarity of CLIP’s image "
        "features, the mean over pairs of pictures."
    )
    found = likeness(results, hierarchy, pair)
    if found.empty:
        streamlit.info("No likeness of pictures was computed for this data set; the run of CLIP with 80 prompts does it.")
        return
    own = found.dropna(subset=["own"])
    if own.empty:
        streamlit.info(
            "Each class has only one picture here, so that nothing can be said of how alike its own pictures are. With two or "
            "more pictures a class, this view fills; what two classes have in common shows below."
        )
    else:
        _unlike_classes(results, hierarchy, pair, own.assign(is_nearer=own.other > own.own), rank)
    _tree_and_looks(results, hierarchy, pair, found)


def _unlike_classes(results: Results, hierarchy: SynsetHierarchy, pair: Pair, own: Likeness, rank: int) -> None:
    nearer = own[own.is_nearer]
    counted = f"{len(nearer):,} of {len(own):,} classes"
    streamlit.markdown(f"#### In {counted}, the pictures are more like those of another class than like one another")
    left, right = streamlit.columns(2, gap="large")
    with left:
        layout.chart(partial(charts_synsets.class_likeness, own), own, "likeness_by_class", layout.HALF_PX)
    with right:
        panel.show(_accuracy_by_group(results, pair, nearer.wnid.tolist(), rank), "accuracy_by_likeness")
        streamlit.caption(
            "Pictures of those classes against all others; in brackets Wilson’s 95 % interval. CLIP’s own features tell here "
            "what is alike, so that its figures do not stand apart from how the classes are divided."
        )
    ordered = own.assign(gap=own.own - own.other).sort_values(["gap", "wnid"])
    names = unique_names(ordered)
    chosen = streamlit.selectbox(
        "One class beside the one that looks most like it", list(names), key="unlike", bind="query-params", width=420
    )
    row = ordered[ordered.wnid == names[chosen]].iloc[0]
    root = Element("div", {"class": "strip"})
    _class_strip(root, results, hierarchy, pair, row.wnid, f"its pictures among one another: {row.own:.3f}")
    _class_strip(root, results, hierarchy, pair, row.other_wnid, f"with pictures of {row['name']}: {row.other:.3f}")
    panel.show(root, "unlike_pictures", open_in_explorer)
    streamlit.markdown("#### One label for things that look different: the classes whose pictures are least alike")
    root = Element("div", {"class": "strip"})
    for row in own.sort_values(["own", "wnid"]).head(3).itertuples():
        typical(root, results, hierarchy, pair, row.wnid, f"mean likeness {row.own:.3f}")
    panel.show(root, "least_alike", open_in_explorer)


def _accuracy_by_group(results: Results, pair: Pair, wnids: Sequence[str], rank: int) -> Element:
    scores = rows.class_scores(results, pair.run_a, pair.run_b)
    inside = scores.wnid.isin(list(wnids))
    root = Element("div", {"class": "card"})
    for title, chosen in (("where another class is more alike", scores[inside]), ("in all other classes", scores[~inside])):
        markup.add(root, "h4", f"{'In the top five' if rank > 1 else 'First answer right'} {title}")
        _bars(root, pair, chosen, rank)
    return root


def _bars(parent: Element, pair: Pair, counts: pandas.DataFrame, rank: int) -> None:
    total = int(counts.images.sum())
    for letter, name, _, color in pair.sides:
        right = int(counts[f"top{rank}_{letter}"].sum())
        synset_card.bar(parent, name, intervals.proportion(right, total), f"{right:,} of {total:,}", color)


def unique_names(classes: pandas.DataFrame) -> dict[str, str]:
    """Wnids by name, in the given order; a name that two classes have is followed by the wnid."""
    names = classes["name"].tolist()
    return {f"{name} ({wnid})" if names.count(name) > 1 else name: wnid for name, wnid in zip(names, classes.wnid, strict=True)}


def _class_strip(parent: Element, results: Results, hierarchy: SynsetHierarchy, pair: Pair, wnid: str, words: str) -> None:
    box = _titled(parent, hierarchy, wnid, words)
    pictures = looks.class_pictures(results, pair.dataset, pair.evidence_run, [wnid]).head(MOST_PICTURES)
    captions = [style if isinstance(style, str) else "" for style in pictures["style"]]
    synset_pictures.of_class(box, results, hierarchy, pictures, captions, 4.6)


def _titled(parent: Element, hierarchy: SynsetHierarchy, wnid: str, words: str) -> Element:
    box = markup.add(parent, "div")
    synset_card.way_to_synset(markup.add(box, "h4"), hierarchy, wnid)
    markup.add(box, "p", words, class_="faint")
    return box


def typical(parent: Element, results: Results, hierarchy: SynsetHierarchy, pair: Pair, wnid: str, words: str) -> None:
    """A class's two most and two least typical pictures, by their likeness to its others."""
    box = _titled(parent, hierarchy, wnid, words)
    pictures = looks.class_pictures(results, pair.dataset, pair.evidence_run, [wnid]).dropna(subset=["class_similarity"])
    pictures = pictures.sort_values(["class_similarity", "ordinal"], ascending=[False, True])
    ends = pictures if len(pictures) < 5 else pandas.concat([pictures.head(2), pictures.tail(2)])
    half = len(ends) / 2
    captions = [
        f"{'most' if number < half else 'least'} typical, {row.class_similarity:.2f}"
        for number, row in enumerate(ends.itertuples())
    ]
    synset_pictures.of_class(box, results, hierarchy, ends, captions, 6)


def _tree_and_looks(results: Results, hierarchy: SynsetHierarchy, pair: Pair, found: Likeness) -> None:
    siblings = int(found.is_sibling.sum())
    streamlit.markdown("#### Different labels for things that look alike: the tree does not know")
    streamlit.markdown(
        f"The class that looks most like another is its sibling in the tree **{siblings:,} of {len(found):,}** times; the two "
        f"meet at depth **{found.depth.mean():.1f}** on average. Far apart in the tree, yet alike:"
    )
    far = _each_pair_once(found).sort_values(["depth", "other", "wnid"], ascending=[True, False, True]).head(FAR_PAIRS)
    near = _each_pair_once(found[found.is_sibling]).sort_values(["other", "wnid"], ascending=[False, True]).head(NEAR_PAIRS)
    panel.show(_pairs(results, hierarchy, pair, far), "far_alike", open_in_explorer)
    if len(near):
        streamlit.markdown("Siblings whose pictures are most alike, so that the label hangs on a detail:")
        panel.show(_pairs(results, hierarchy, pair, near), "near_alike", open_in_explorer)
    layout.csv_button(found, "nearest_class")


def _each_pair_once(found: Likeness) -> Likeness:
    """Of two classes that are each other's nearest, one row."""
    pairs = [tuple(sorted(both)) for both in zip(found.wnid, found.other_wnid, strict=True)]
    return found[~pandas.Series(pairs, index=found.index, dtype=object).duplicated()]


def _pairs(results: Results, hierarchy: SynsetHierarchy, pair: Pair, chosen: Likeness) -> Element:
    root = Element("div", {"class": "strip"})
    wnids = [*chosen.wnid, *chosen.other_wnid]
    pictures = looks.class_pictures(results, pair.dataset, pair.evidence_run, wnids).groupby("wnid").head(2)
    for row in chosen.itertuples():
        box = markup.add(root, "div")
        title = markup.add(box, "h4")
        synset_card.way_to_synset(title, hierarchy, row.wnid)
        markup.add(title, "span", "and", class_="faint")
        synset_card.way_to_synset(title, hierarchy, row.other_wnid)
        markup.add(box, "p", f"likeness {row.other:.3f}; they meet at depth {row.depth}", class_="faint")
        both = pandas.concat([pictures[pictures.wnid == wnid] for wnid in (row.wnid, row.other_wnid)])
        synset_pictures.of_class(box, results, hierarchy, both, [hierarchy.name(wnid) for wnid in both.wnid], 6)
    return root
