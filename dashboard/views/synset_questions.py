"""Four questions on ImageNet's labels, answered from the rows: two of them here, two in synset_looks and _differences."""

from collections import Counter
from functools import partial
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import charts_synsets, intervals, layout
from dashboard import queries_likeness as looks
from dashboard import queries_synsets as rows
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.views import synset_card, synset_differences, synset_looks, synset_pictures
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_explorer import open_in_explorer
from dashboard.views.synset_hierarchy import SynsetHierarchy

QUESTIONS = ("1 the hierarchy", "2 a synset", "3 when grouping hurts", "4 differences within")
SHOWN_PICTURES = 5


def draw(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None, right: str) -> None:
    """Draw the question that a person picks."""
    asked = layout.choose_button("Question", QUESTIONS, "question", labelled=False)
    if asked == QUESTIONS[0]:
        _hierarchy(results, hierarchy, pair)
    elif asked == QUESTIONS[1]:
        _synset(results, hierarchy, pair, rows.RIGHT[right])
    elif pair is None:
        layout.not_run_yet("imagenet_rn50_vs_clip")
    elif asked == QUESTIONS[2]:
        synset_looks.grouping(results, hierarchy, pair, rows.RIGHT[right])
    else:
        synset_differences.draw(results, hierarchy, pair, rows.RIGHT[right])


def with_pictures(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None) -> list[str]:
    """ImageNet's classes that have pictures here, or all where no classifier ran."""
    known = set(rows.class_scores(results, pair.run_a, pair.run_b).wnid) if pair else set()
    return sorted(known & set(hierarchy.by_index.values())) or sorted(hierarchy.by_index.values())


def _hierarchy(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None) -> None:
    streamlit.subheader("Which hierarchy does ImageNet use?")
    edges = sum(map(len, hierarchy.parents.values()))
    several = sorted(wnid for wnid, above in hierarchy.parents.items() if len(above) > 1)
    inside = [wnid for wnid in hierarchy.by_index.values() if len(hierarchy.leaves.get(wnid, ())) > 1]
    streamlit.markdown(
        "WordNet’s hierarchy of nouns. An edge leads from a synset to its **hypernym**, the more general thing that it is a "
        "kind of. ImageNet’s classes were picked among these synsets"
        + (", and no class lies below another one:" if not inside else f"; {len(inside)} of them lie above another class:")
    )
    counts = {
        f"{len(hierarchy.synsets):,}": f"synsets: {len(hierarchy.by_index):,} classes and all above them",
        f"{edges:,}": "edges “is a kind of”",
        f"{len(several):,}": "synsets with two parents or more: it is no tree",
        f"{max((found.depth for found in hierarchy.synsets.values()), default=0)}": "levels below the top at most",
    }
    root = Element("div", {"class": "figurerow"})
    for value, words in counts.items():
        box = markup.add(root, "div")
        markup.add(box, "strong", value)
        markup.add(box, "span", words)
    panel.show(root, "hierarchy_counts")
    left, right = streamlit.columns(2, gap="large")
    with left:
        streamlit.markdown("#### How deep they lie")
        depths = synset_depths(hierarchy)
        layout.chart(partial(charts_synsets.synset_depths, depths), depths, "synsets_by_depth", layout.HALF_PX)
    with right:
        streamlit.markdown("#### One way up, from the deepest class here that has pictures")
        found = with_pictures(results, hierarchy, pair)
        deepest = max(found, key=lambda wnid: (hierarchy.synsets[wnid].depth, wnid), default=hierarchy.root)
        panel.show(_ladder(hierarchy, deepest), "ladder", open_in_explorer)
    streamlit.markdown("#### Some with two parents, which stand below both")
    panel.show(_two_parents(hierarchy, several), "two_parents", open_in_explorer)


def synset_depths(hierarchy: SynsetHierarchy) -> pandas.DataFrame:
    """How many classes and synsets above them lie how deep: depth, kind, synsets."""
    kinds = list(charts_synsets.DEPTH_COLORS)
    counted = Counter(
        (int(found.depth), kinds[0] if hierarchy.is_class(wnid) else kinds[1]) for wnid, found in hierarchy.synsets.items()
    )
    return pandas.DataFrame(
        [(depth, kind, count) for (depth, kind), count in sorted(counted.items())], columns=["depth", "kind", "synsets"]
    )


def _ladder(hierarchy: SynsetHierarchy, wnid: str) -> Element:
    root = Element("div", {"class": "card"})
    ladder = markup.add(root, "ol", class_="ladder")
    for step in hierarchy.ways_up(wnid)[0]:
        entry = markup.add(ladder, "li")
        synset_card.way_to_synset(entry, hierarchy, step)
        markup.add(entry, "span", f" {synset_card.count_below(hierarchy, step)}", class_="faint")
    return root


def _two_parents(hierarchy: SynsetHierarchy, several: list[str]) -> Element:
    root = Element("div", {"class": "card"})
    several = sorted(several, key=lambda wnid: (-len(hierarchy.leaves.get(wnid, ())), wnid))
    for wnid in several[:8]:
        line = markup.add(root, "p")
        synset_card.way_to_synset(line, hierarchy, wnid)
        markup.add(line, "span", " is a kind of ")
        for number, parent in enumerate(hierarchy.parents[wnid]):
            if number:
                markup.add(line, "span", " and of ")
            synset_card.way_to_synset(line, hierarchy, parent)
    if rest := several[8:]:
        more = markup.add(root, "details")
        markup.add(more, "summary", f"and {len(rest)} more")
        for wnid in rest:
            synset_card.way_to_synset(more, hierarchy, wnid, "chip")
    return root


def _synset(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None, rank: int) -> None:
    streamlit.subheader("What is a synset?")
    streamlit.markdown(
        "A **set of synonyms**: the words (lemmas) that can stand for one and the same thing, with a gloss that says which. "
        "One synset has several words, and one word is in several synsets. So a class is named by its synset’s number, the "
        "**wnid**; its name alone would not do."
    )
    here = with_pictures(results, hierarchy, pair)
    many = max(here, key=lambda wnid: (len(hierarchy.synsets[wnid].lemmas), wnid))
    streamlit.markdown("#### One synset, several words")
    root = Element("div", {"class": "strip"})
    _class_box(root, results, hierarchy, pair, many, rank)
    panel.show(root, "many_lemmas", open_in_explorer)
    streamlit.markdown("#### One word, several synsets")
    shared = rows.shared_words(results)
    if shared.empty:
        streamlit.caption("No word is a lemma of two classes here.")
        return
    words = shared.word.tolist()
    pictured = [row.word for row in shared.itertuples() if set(row.wnids) <= set(here)]
    default = next((word for word in ("crane", *pictured) if word in words and (not pair or word in pictured)), words[0])
    word = streamlit.pills(
        f"{len(words)} words are lemmas of more than one class",
        words,
        default=default,
        required=True,
        key="word",
        bind="query-params",
    )
    wnids = list(shared[shared.word == word].wnids.iloc[0])
    _one_word(results, hierarchy, pair, word, wnids, rank)
    _one_name(hierarchy)


def _one_word(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None, word: str, wnids: list[str], rank: int) -> None:
    root = Element("div", {"class": "strip"})
    for wnid in wnids:
        if wnid in hierarchy.synsets:
            _class_box(root, results, hierarchy, pair, wnid, rank)
    panel.show(root, "one_word", open_in_explorer)
    for _, name, run, _ in pair.sides if pair else ():
        counts = [
            layout.plain(f"{hierarchy.name(row.wnid)} taken for {hierarchy.name(row.answer_wnid)} {row.pictures}×")
            for row in rows.taken_for(results, run, wnids).itertuples()
        ]
        streamlit.caption(f"{layout.plain(name)}: {', '.join(counts) or 'takes none of them for another of them'}.")
    senses = rows.senses(results, [word])
    outside = len(senses) - len(wnids)
    note = f", {outside} of them no class" if outside > 0 else ""
    with streamlit.expander(f"All {len(senses)} senses of “{layout.plain(word)}” as a noun{note}"):
        panel.show(synset_card.search_results(hierarchy, wnids, senses), "word_senses", open_in_explorer)


def _class_box(parent: Element, results: Results, hierarchy: SynsetHierarchy, pair: Pair | None, wnid: str, rank: int) -> None:
    """One class with its words, gloss, accuracy and some pictures."""
    found = hierarchy.synsets[wnid]
    box = markup.add(parent, "div")
    title = markup.add(box, "h4")
    synset_card.way_to_synset(title, hierarchy, wnid)
    markup.add(title, "small", f"{wnid} · index {int(found.imagenet_index)}", class_="faint")
    markup.add(box, "p", found.gloss)
    words = markup.add(box, "p")
    for lemma in found.lemmas:
        markup.add(words, "span", lemma, class_="chip")
    if pair is None:
        return
    counts = rows.class_scores(results, pair.run_a, pair.run_b).set_index("wnid")
    if wnid not in counts.index:
        markup.add(box, "p", "no pictures here", class_="faint")
        return
    row = counts.loc[wnid]
    for letter, name, _, color in pair.sides:
        right, total = int(row[f"top{rank}_{letter}"]), int(row.images)
        synset_card.bar(box, name, intervals.proportion(right, total), f"{right} of {total}", color)
    pictures = looks.class_pictures(results, pair.dataset, pair.evidence_run, [wnid]).head(SHOWN_PICTURES)
    captions = [value if isinstance(value, str) else "" for value in pictures["style"]]
    synset_pictures.of_class(box, results, hierarchy, pictures, captions, 4.6)


def _one_name(hierarchy: SynsetHierarchy) -> None:
    """The classes that have one name in torchvision's list or in OpenAI's."""
    told = []
    for column, source in (("torchvision_name", "torchvision’s"), ("openai_name", "OpenAI’s")):
        names: dict[str, list[str]] = {}
        for index, wnid in sorted(hierarchy.by_index.items()):
            names.setdefault(getattr(hierarchy.synsets[wnid], column), []).append(str(index))
        twice = [f"*{layout.plain(name)}* ({', '.join(indices)})" for name, indices in names.items() if len(indices) > 1]
        told.append(f"in {source} list {', '.join(twice) if twice else 'none'}")
    streamlit.markdown(f"Names that more than one class has (with their indices): {'; '.join(told)}.")
