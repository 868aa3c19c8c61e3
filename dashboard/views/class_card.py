"""One class of a segmentation by itself: an address of its own, its figures, the pictures it is in, and notes on it."""

from collections.abc import Sequence

import pandas
import streamlit

from dashboard import layout, queries, queries_comparison
from dashboard.components import figures
from dashboard.connection import Results
from dashboard.views import notes
from dashboard.views.comparison import VARIANTS, Comparison

MOST_PICTURES = 24


@streamlit.fragment
@layout.errors_as_messages()
def of_networks(results: Results, chosen: Comparison, by_class: pandas.DataFrame, first_only: bool, page: str) -> None:
    """A class under both networks, from the rows of `comparison.class_iou`; a fragment, so that it redraws itself alone."""
    name = choose(by_class["class"].tolist())
    if name is None:
        return
    rows = by_class[by_class["class"] == name].set_index("variant")
    values = [f"{rows.iou[variant]:.3f}" if variant in rows.index else "–" for variant in VARIANTS]
    intervals = [
        f"[{rows.low[variant]:.3f}, {rows.high[variant]:.3f}]" if variant in rows.index else "" for variant in VARIANTS
    ]
    difference, _, interval = str(rows.difference.iloc[0]).partition(" ")
    told = (
        *zip((f"IoU {variant}" for variant in VARIANTS), values, intervals, strict=True),
        ("Difference", difference, interval),
    )
    figures.show(told, "figures_of_the_class")
    table = pictures(results, chosen, name, first_only)
    shown = "" if len(table) <= MOST_PICTURES else f" The first {MOST_PICTURES} of {len(table)} pictures."
    streamlit.caption(
        f"{layout.plain(name)} has {100 * rows.pixel_share.iloc[0]:.1f} % of all true pixels. Below, the pictures with the "
        f"class in truth or in a prediction, where skips help it most first; the counts of all seeds are added up.{shown}"
    )
    formats = {"true pixels": "{:,.0f}", "difference": "{:+.3f}", **{f"IoU {variant}": "{:.3f}" for variant in VARIANTS}}
    layout.table(table.head(MOST_PICTURES), "pictures_of_the_class", formats)
    layout.csv_button(table, "pictures_of_the_class")
    notes.of_class(results, f"{chosen.dataset}/{name}", page)


@streamlit.fragment
@layout.errors_as_messages()
def of_metric(
    results: Results, dataset: str, network: str, zero_class: pandas.DataFrame, constants: pandas.DataFrame, page: str
) -> None:
    """A class under the notebook's metric: a network's score were it number 0, and what calling everything by it scores.

    `zero_class` has columns class, score and is_actual, `constants` notebook and pooled by the class that is said.
    """
    name = choose(zero_class["class"].tolist())
    if name is None:
        return
    scored = zero_class[zero_class["class"] == name].iloc[0]
    number = "as it is here" if scored.is_actual else "were it so"
    rows = [(f"Notebook’s IoU of the {network}, with the class as number 0 ({number})", layout.number(scored.score))]
    if name in constants.index:
        constant = constants.loc[[name]].iloc[0]
        rows.append((f"Notebook’s IoU of saying that everything is {name}", layout.number(constant.notebook)))
        rows.append(("Pooled mean IoU of the same", layout.number(constant.pooled)))
    layout.table(pandas.DataFrame(rows, columns=[name, "Score"]), "scores_of_the_class")
    notes.of_class(results, f"{dataset}/{name}", page)


def choose(names: Sequence[str]) -> str | None:
    """Let a person pick one of some classes, or none; the choice is in the address."""
    listed = list(dict.fromkeys(names))
    if streamlit.session_state.get("class") not in listed:
        streamlit.session_state.pop("class", None)  # of other data
    return streamlit.selectbox(
        "One class", listed, None, key="class", placeholder="Choose a class", bind="query-params", width=260
    )


def pictures(results: Results, chosen: Comparison, name: str, first_only: bool) -> pandas.DataFrame:
    """The class picture by picture: picture (its number), true pixels, IoU of each variant, difference, the largest first."""
    names = queries.classes(results, chosen.dataset)
    class_id = int(names.class_id[(names.name == name) & ~names.ignored].iloc[0])
    counts = queries_comparison.class_counts(results, tuple(chosen.run_ids), class_id).merge(chosen.labels, on="run_id")
    if first_only:
        counts = counts[counts.ordinal <= queries.FIRST_IMAGES]
    sums = counts.groupby(["ordinal", "variant"])[["intersection", "predicted", "truth"]].sum()
    union = sums.predicted + sums.truth - sums.intersection
    iou = (sums.intersection / union.where(union > 0)).unstack().reindex(columns=list(VARIANTS))
    first = counts[counts.run_id == chosen.run_ids[0]].set_index("ordinal").truth
    table = pandas.DataFrame({"true pixels": first.reindex(iou.index)})
    for variant in VARIANTS:
        table[f"IoU {variant}"] = iou[variant]
    table["difference"] = iou[VARIANTS[0]] - iou[VARIANTS[1]]
    table = table[iou.notna().any(axis=1)].rename_axis("picture").reset_index()
    return table.sort_values(["difference", "picture"], ascending=[False, True], ignore_index=True)
