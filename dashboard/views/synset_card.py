"""What is known of one synset, as markup: its place in the hierarchy, its words and senses, and both classifiers' accuracy."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from xml.etree.ElementTree import Element

import pandas

from dashboard import intervals
from dashboard.components import markup, panel
from dashboard.intervals import Estimate
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_hierarchy import SynsetHierarchy

MOST_LISTED = 14
Scores: TypeAlias = pandas.DataFrame | None  # rows of queries_synsets.rolled_scores by wnid


def way_to_synset(parent: Element, hierarchy: SynsetHierarchy, wnid: str, class_: str = "way") -> Element:
    """A button with a synset's name that opens it; its wnid shows on hovering."""
    button = panel.way_to(parent, wnid, hierarchy.name(wnid), class_)
    button.set("title", str(wnid))
    if hierarchy.is_class(wnid):
        button.set("class", f"{class_} class")
    return button


def count_below(hierarchy: SynsetHierarchy, wnid: str) -> str:
    """How many of ImageNet's classes a synset stands for, in words."""
    if hierarchy.is_class(wnid):
        return f"one of ImageNet’s {len(hierarchy.by_index):,} classes, index {int(hierarchy.synsets[wnid].imagenet_index)}"
    count = len(hierarchy.leaves.get(wnid, ()))
    return f"{count:,} of ImageNet’s classes below" if count > 1 else f"{count} ImageNet class below"


def search_results(hierarchy: SynsetHierarchy, found: Sequence[str], senses: pandas.DataFrame) -> Element:
    """What a search found: all senses of the word, then synsets with their glosses."""
    root = Element("div", {"class": "results"})
    if len(senses) > 1:
        inside = sum(wnid in hierarchy.synsets for wnid in senses.wnid)
        told = markup.add(root, "details", **({"open": "open"} if inside > 1 else {}))
        words = f"“{senses.word.iloc[0]}” has {len(senses)} senses as a noun, {inside} of them in this tree"
        markup.add(told, "summary", words)
        _senses(told, hierarchy, senses)
    if not found:
        markup.add(root, "p", "No synset above or among ImageNet’s classes has this word or wnid.", class_="faint")
        return root
    total = len(found)
    markup.add(root, "p", f"{total} {'synset' if total == 1 else 'synsets'} found", class_="faint")
    for wnid in found[:MOST_LISTED]:
        button = panel.way_to(root, wnid, "", "hit")
        markup.add(button, "strong", hierarchy.name(wnid))
        count = "ImageNet class" if hierarchy.is_class(wnid) else f"{len(hierarchy.leaves.get(wnid, ()))} classes"
        markup.add(button, "span", f" {count} · {wnid}", class_="faint")
        markup.add(button, "span", hierarchy.synsets[wnid].gloss, class_="gloss")
    if total > MOST_LISTED:
        markup.add(root, "p", f"and {total - MOST_LISTED} more; a longer word finds fewer.", class_="faint")
    return root


def _senses(parent: Element, hierarchy: SynsetHierarchy, senses: pandas.DataFrame, chosen: str = "") -> None:
    listed = markup.add(parent, "ol", class_="senses")
    for sense in senses.itertuples():
        entry = markup.add(listed, "li", value=sense.sense, class_="" if sense.wnid in hierarchy.synsets else "outside")
        if sense.wnid == chosen:
            markup.add(entry, "strong", sense.name)
        elif sense.wnid in hierarchy.synsets:
            panel.way_to(entry, sense.wnid, sense.name, "way class" if hierarchy.is_class(sense.wnid) else "way")
        else:
            markup.add(entry, "span", sense.name)
        place = "" if sense.wnid in hierarchy.synsets else " (not in ImageNet’s tree)"
        markup.add(entry, "span", f" {sense.gloss}{place}", class_="faint")


def description(hierarchy: SynsetHierarchy, wnid: str, senses: pandas.DataFrame) -> Element:
    """Breadcrumbs on all ways up, name, gloss, lemmas, depth, parents, siblings, and the other senses of its words."""
    found = hierarchy.synsets[wnid]
    root = Element("div", {"class": "card"})
    _breadcrumbs(root, hierarchy, wnid)
    title = markup.add(root, "h3", hierarchy.name(wnid))
    markup.add(title, "small", wnid)
    markup.add(root, "p", count_below(hierarchy, wnid), class_="badge class" if hierarchy.is_class(wnid) else "badge")
    markup.add(root, "p", found.gloss, class_="gloss")
    facts = markup.add(root, "dl")
    _fact(facts, "Synset", found.name)
    _fact(facts, "Lemmas" if len(found.lemmas) > 1 else "Lemma", ", ".join(found.lemmas))
    if hierarchy.is_class(wnid) and found.torchvision_name != found.openai_name:
        _fact(facts, "Class names", f"{found.torchvision_name} (torchvision), {found.openai_name} (OpenAI)")
    _fact(facts, "Depth", f"{found.depth} below the top, by the longest way")
    _relatives(facts, hierarchy, "Parent", "Parents", hierarchy.by_name(set(hierarchy.parents.get(wnid, ()))))
    _relatives(facts, hierarchy, "Sibling", "Siblings", hierarchy.siblings(wnid))
    _other_senses(root, hierarchy, wnid, senses)
    return root


def _breadcrumbs(parent: Element, hierarchy: SynsetHierarchy, wnid: str) -> None:
    ways = [way for way in hierarchy.ways_up(wnid) if len(way) > 1]
    if len(ways) > 1:
        markup.add(parent, "p", f"{len(ways)} ways up, as a synset may have two parents:", class_="faint")
    for way in ways:
        line = markup.add(parent, "nav", class_="crumbs", aria_label="way up")
        for above in way[:-1]:
            way_to_synset(line, hierarchy, above)
            markup.add(line, "span", "›", aria_hidden="true")
        markup.add(line, "strong", hierarchy.name(wnid))


def _fact(facts: Element, name: str, value: object) -> Element:
    markup.add(facts, "dt", name)
    return markup.add(facts, "dd", value)


def _relatives(facts: Element, hierarchy: SynsetHierarchy, one: str, many: str, wnids: Sequence[str]) -> None:
    if wnids:
        listed = _fact(facts, one if len(wnids) == 1 else many, "")
        chips(listed, hierarchy, wnids)


def chips(parent: Element, hierarchy: SynsetHierarchy, wnids: Sequence[str]) -> None:
    """Buttons for some synsets, the rest folded away."""
    for wnid in wnids[:MOST_LISTED]:
        way_to_synset(parent, hierarchy, wnid, "chip")
    if rest := wnids[MOST_LISTED:]:
        more = markup.add(parent, "details")
        markup.add(more, "summary", f"and {len(rest)} more")
        for wnid in rest:
            way_to_synset(more, hierarchy, wnid, "chip")


def _other_senses(parent: Element, hierarchy: SynsetHierarchy, wnid: str, senses: pandas.DataFrame) -> None:
    words = [group for _, group in senses.groupby(senses.word.str.lower(), sort=False) if len(group) > 1]
    if not words:
        return
    inside = any(other in hierarchy.synsets and other != wnid for group in words for other in group.wnid)
    more = markup.add(parent, "details", **({"open": "open"} if inside else {}))
    summary = "Other senses of its words" + (", some of them in this tree" if inside else "")
    markup.add(more, "summary", summary)
    for group in words:
        markup.add(more, "p", f"{group.word.iloc[0]}", class_="word")
        _senses(more, hierarchy, group, wnid)


def accuracy(scores: Any, pair: Pair) -> Element:
    """Both classifiers' top-1 and top-5 at a synset, with counts and intervals; `scores` is one of rolled_scores."""
    root = Element("div", {"class": "card accuracy"})
    for title, rank in (("First answer right", "top1"), ("In the top five", "top5")):
        block = markup.add(root, "section")
        markup.add(block, "h4", title)
        for letter, name, _, color in pair.sides:
            right, total = int(getattr(scores, f"{rank}_{letter}")), int(scores.images)
            bar(block, name, intervals.proportion(right, total), f"{right:,} of {total:,}", color)
    return root


def bar(parent: Element, name: str, share: Estimate, counts: str, color: str) -> None:
    """A share as a bar with its interval, between its name and its figures."""
    line = markup.add(parent, "div", class_="bar")
    markup.add(line, "span", name, class_="label")
    track = markup.add(line, "span", class_="track", aria_hidden="true")
    if share.value == share.value:
        markup.add(track, "i", style=f"width:{100 * share.value:.1f}%;background:{color}")
    if share.low == share.low:
        markup.add(track, "b", style=f"left:{100 * share.low:.1f}%;width:{100 * (share.high - share.low):.1f}%")
    figures = markup.add(line, "span", "", class_="figures")
    markup.add(figures, "strong", "–" if share.value != share.value else f"{share.value:.3f}")
    markup.add(figures, "span", f" {intervals.interval_text(share)} ")
    markup.add(figures, "span", counts, class_="faint")


def children(hierarchy: SynsetHierarchy, scores: Scores, pair: Pair | None, wnid: str, rank: int) -> Element | None:
    """What lies right below a synset, with both classifiers' accuracy there; None below a class."""
    below = hierarchy.by_name(set(hierarchy.children.get(wnid, ())))
    if not below:
        return None
    known: set[str] = set() if scores is None else set(scores.index)
    below.sort(key=lambda child: (child not in known, -len(hierarchy.leaves.get(child, ()))))
    root = Element("div", {"class": "card"})
    markup.add(root, "h4", f"{len(below)} {'child' if len(below) == 1 else 'children'}")
    table = markup.add(root, "div", class_="children")
    shown = [child for child in below if scores is None or child in known][:MOST_LISTED] if pair else []
    for child in shown:
        counts = scores.loc[child] if scores is not None else None
        if counts is not None and pair is not None:
            _child(table, hierarchy, child, counts, pair, rank)
    if rest := [child for child in below if child not in shown]:
        if shown:
            markup.add(root, "p", "The others:" if known & set(rest) else "Without pictures here:", class_="faint")
        chips(markup.add(root, "p"), hierarchy, rest)
    return root


def _child(table: Element, hierarchy: SynsetHierarchy, wnid: str, counts: pandas.Series, pair: Pair, rank: int) -> None:
    line = markup.add(table, "div", class_="child")
    way_to_synset(line, hierarchy, wnid)
    total = int(counts.images)
    markup.add(line, "span", f"{total:,} {'picture' if total == 1 else 'pictures'}", class_="faint")
    for letter, name, _, color in pair.sides:
        right = int(counts[f"top{rank}_{letter}"])
        title = f"{name}: {right:,} of {total:,}, {intervals.as_text(intervals.proportion(right, total))}"
        cell = markup.add(line, "span", class_="mini", title=title)
        track = markup.add(cell, "span", class_="track", aria_hidden="true")
        markup.add(track, "i", style=f"width:{100 * right / max(total, 1):.1f}%;background:{color}")
        markup.add(cell, "span", f"{right / total:.2f}" if total else "–")


def confusions(hierarchy: SynsetHierarchy, found: dict[str, pandas.DataFrame], pair: Pair, node: str) -> Element:
    """For each classifier, by its letter, the most frequent wrong first answers that leave a synset and that stay within it."""
    root = Element("div", {"class": "card confusions"})
    for letter, name, _, color in pair.sides:
        block = markup.add(root, "section")
        title = markup.add(block, "h4")
        markup.add(title, "i", class_="swatch", style=f"background:{color}")
        markup.add(title, "span", name)
        rows = found[letter]
        for within, words in ((False, f"leave {hierarchy.name(node)}"), (True, "stay within it")):
            if hierarchy.is_class(node) if within else node == hierarchy.root:
                continue  # nothing can
            chosen = rows[rows.within == within]
            total = int(chosen.total.iloc[0]) if len(chosen) else 0
            markup.add(block, "p", f"{total:,} wrong answers {words}{':' if total else ''}", class_="faint")
            listed = markup.add(block, "ul")
            for row in chosen.itertuples():
                entry = markup.add(listed, "li")
                way_to_synset(entry, hierarchy, row.wnid)
                markup.add(entry, "span", " taken for ")
                way_to_synset(entry, hierarchy, row.answer_wnid)
                markup.add(entry, "span", f" {row.pictures}×", class_="faint")
    return root
