"""How far off wrong answers are: how deep in the hierarchy they meet the truth."""

from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

import numpy as np
import pandas
import streamlit

from dashboard import charts_synsets, intervals, layout
from dashboard import queries_synsets as rows
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.intervals import NORMAL_95, Estimate
from dashboard.kept import kept
from dashboard.views.classifier_pair import Pair
from dashboard.views.synset_card import way_to_synset
from dashboard.views.synset_explorer import open_in_explorer
from dashboard.views.synset_hierarchy import SynsetHierarchy

CHANCE = "a random other class"
MOST_ANCESTORS = 12


@dataclass(frozen=True)
class Depths:
    """Mean depths at which wrong first answers meet the truth, on pictures that both classifiers know.

    `a` and `b` are over each one's own wrong answers, `both_a`, `both_b` and `difference` (B minus A) over the `both_wrong`
    pictures that neither gets right.
    """

    a: Estimate
    b: Estimate
    both_a: Estimate
    both_b: Estimate
    difference: Estimate
    both_wrong: int
    wrong_a: int
    wrong_b: int


def mean_of(values: pandas.Series, counts: pandas.Series) -> Estimate:
    """Mean of values that occur `counts` times each, with the normal 95 % interval; without one where fewer than two."""
    total = int(counts.sum())
    if total == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    mean = float((values * counts).sum() / total)
    if total < 2:
        return Estimate(mean, float("nan"), float("nan"))
    variance = float((counts * (values - mean) ** 2).sum() / (total - 1))
    reach = NORMAL_95 * float(np.sqrt(variance / total))
    return Estimate(mean, mean - reach, mean + reach)


@kept
def depths_of(results: Results, pair: Pair) -> Depths:
    """The mean depths of a pair of classifiers."""
    counted = rows.answer_depths(results, pair.run_a, pair.run_b).astype(float)
    wrong_a, wrong_b = counted.dropna(subset=["depth_a"]), counted.dropna(subset=["depth_b"])
    both = counted.dropna()
    return Depths(
        mean_of(wrong_a.depth_a, wrong_a.pictures),
        mean_of(wrong_b.depth_b, wrong_b.pictures),
        mean_of(both.depth_a, both.pictures),
        mean_of(both.depth_b, both.pictures),
        mean_of(both.depth_b - both.depth_a, both.pictures),
        int(both.pictures.sum()),
        int(wrong_a.pictures.sum()),
        int(wrong_b.pictures.sum()),
    )


def sentence(results: Results, pair: Pair) -> str:
    """Whose wrong answers are nearer to the truth, or that this was not shown, in Markdown; empty where nothing is wrong."""
    depths = depths_of(results, pair)
    a, b = layout.plain(pair.name_a), layout.plain(pair.name_b)
    if len(pair.sides) == 1:
        return f"A wrong answer of {a} meets the truth **{_levels(depths.a)}** levels down." if depths.wrong_a else ""
    if depths.both_wrong < 2:
        return ""
    difference = intervals.as_text(depths.difference, signed=True)
    if not depths.difference.excludes_zero:
        return (
            f"No difference was shown: where both are wrong, neither {a} nor {b} is shown to be nearer to the truth "
            f"({difference} levels)."
        )
    nearer, further = (b, a) if depths.difference.value > 0 else (a, b)
    size = depths.difference if depths.difference.value > 0 else _negated(depths.difference)
    return f"Where both are wrong, {nearer} is nearer to the truth than {further}, by **{intervals.as_text(size)}** levels."


def _levels(depth: Estimate) -> str:
    return f"{depth.value:.1f}" + ("" if np.isnan(depth.low) else f" [{depth.low:.1f}, {depth.high:.1f}]")


def _negated(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low)


def draw(results: Results, hierarchy: SynsetHierarchy, pair: Pair | None) -> None:
    """Draw the whole tab."""
    if pair is None:
        layout.not_run_yet("imagenet_rn50_vs_clip")
        return
    streamlit.markdown(
        "Two labels meet at their **nearest common ancestor**. The deeper it lies, the nearer they are: one breed of dog taken "
        "for another meets it at *dog*, far down; taken for a teapot, near the top."
    )
    depths = depths_of(results, pair)
    if not depths.wrong_a + depths.wrong_b:
        streamlit.info("No first answer is wrong here.")
        return
    shares = depth_shares(results, hierarchy, pair)
    panel.show(_figures(pair, depths, shares), "depth_figures")
    names, colors = [name for _, name, _, _ in pair.sides], [color for *_, color in pair.sides]
    layout.chart(partial(charts_synsets.answer_depths, shares, names, colors, CHANCE), shares, "wrong_answers_by_depth")
    streamlit.caption(
        f"Each classifier’s wrong first answers, on pictures of classes that {'both know' if len(names) > 1 else 'it knows'}. "
        f"Lines: where answers would meet if each were {CHANCE}."
    )
    streamlit.subheader("Where they meet most often")
    panel.show(_ancestors(results, hierarchy, pair, depths), "ancestors", open_in_explorer)


@kept
def depth_shares(results: Results, hierarchy: SynsetHierarchy, pair: Pair) -> pandas.DataFrame:
    """Share of wrong answers by depth, of the classifiers and of random answers: classifier, depth, pictures, share."""
    counted = rows.answer_depths(results, pair.run_a, pair.run_b)
    parts = []
    for letter, name, _, _ in pair.sides:
        pictures = counted.dropna(subset=[f"depth_{letter}"]).groupby(f"depth_{letter}").pictures.sum()
        parts.append(
            pandas.DataFrame({"classifier": name, "depth": pictures.index.astype(int), "pictures": pictures.to_numpy()})
        )
    scores = rows.class_scores(results, pair.run_a, pair.run_b).set_index("wnid").images
    parts.append(_chance(hierarchy, scores, rows.known_classes(results, pair.run_a, pair.run_b)))
    shares = pandas.concat(part.assign(share=part.pictures / part.pictures.sum()) for part in parts if len(part))
    return shares.reset_index(drop=True)


def _chance(hierarchy: SynsetHierarchy, images: pandas.Series, answers: list[str]) -> pandas.DataFrame:
    """Depths at which random wrong answers would meet the labels of `images` (pictures by class), in expected pictures."""
    classes, depths = hierarchy.common_depth
    position = {wnid: number for number, wnid in enumerate(classes)}
    columns = [position[wnid] for wnid in answers if wnid in position]
    expected: np.ndarray = np.zeros(int(depths.max(initial=0)) + 1)
    for wnid, count in images.items():
        if wnid in position and len(columns) > 1:
            others = depths[position[wnid], [column for column in columns if column != position[wnid]]]
            expected += count * np.bincount(others, minlength=len(expected)) / len(others)
    frame = pandas.DataFrame({"classifier": CHANCE, "depth": range(len(expected)), "pictures": expected})
    return frame[frame.pictures > 0]


def _figures(pair: Pair, depths: Depths, shares: pandas.DataFrame) -> Element:
    root = Element("div", {"class": "figurerow"})
    means = {"a": (depths.a, depths.wrong_a), "b": (depths.b, depths.wrong_b)}
    for letter, name, _, _ in pair.sides:
        mean, wrong = means[letter]
        words = f"mean depth of {wrong:,} wrong answers {intervals.interval_text(mean)}"
        _figure(root, name, layout.number(mean.value, 2), words)
    if len(pair.sides) > 1:
        words = f"on the {depths.both_wrong:,} pictures both get wrong {intervals.interval_text(depths.difference, True)}"
        _figure(root, "Second minus first", f"{depths.difference.value:+.2f}", words)
    chance = shares[shares.classifier == CHANCE]
    if len(chance):
        _figure(root, "Chance", f"{(chance.depth * chance.share).sum():.2f}", f"if every answer were {CHANCE}")
    return root


def _figure(parent: Element, name: str, value: str, words: str) -> None:
    box = markup.add(parent, "div")
    markup.add(box, "span", name)
    markup.add(box, "strong", value)
    markup.add(box, "span", words)


def _ancestors(results: Results, hierarchy: SynsetHierarchy, pair: Pair, depths: Depths) -> Element:
    wrong = {"a": depths.wrong_a, "b": depths.wrong_b}
    counted = {
        letter: rows.frequent_ancestors(results, run, pair.run_b if run == pair.run_a else pair.run_a).set_index("wnid")
        for letter, _, run, _ in pair.sides
    }
    both = pandas.concat({letter: frame.pictures for letter, frame in counted.items()}, axis=1).fillna(0)
    both["sum"] = both.sum(axis=1)
    chosen = both.reset_index().sort_values(["sum", "wnid"], ascending=[False, True]).head(MOST_ANCESTORS)
    root = Element("div", {"class": "scroll"})
    table = markup.add(root, "table")
    head = markup.add(markup.add(table, "thead"), "tr")
    for title in ("Nearest common ancestor", "Depth"):
        markup.add(head, "th", title)
    for _, name, _, color in pair.sides:
        cell = markup.add(head, "th")
        markup.add(cell, "i", class_="swatch", style=f"background:{color}")
        markup.add(cell, "span", f" {name}")
    body = markup.add(table, "tbody")
    for row in chosen.to_dict("records"):
        line = markup.add(body, "tr")
        way_to_synset(markup.add(line, "td"), hierarchy, row["wnid"])
        found = hierarchy.synsets.get(row["wnid"])
        markup.add(line, "td", found.depth if found is not None else "")
        for letter, *_ in pair.sides:
            share = row[letter] / max(1, wrong[letter])
            markup.add(line, "td", f"{int(row[letter]):,} ({share:.0%})".replace("%", " %"))
    return root
