"""Mean IoU over the epochs, as a whole and class by class, and the last epoch beside the report's figures."""

import math
from collections.abc import Sequence
from functools import partial

import pandas
import streamlit

from dashboard import charts_heads as charts
from dashboard import intervals, layout, queries
from dashboard import queries_heads as rows
from dashboard.components import small_multiples
from dashboard.components.small_multiples import Series, Small
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views.head_runs import Setup
from dashboard.views.head_scores import SCORE_TITLES, Standing, class_rows, estimates_of

FULL = "full"
SCALES = ("the same for all", "each its own")


@streamlit.fragment
@layout.errors_as_messages()
def over_epochs(results: Results, setup: Setup, score: str, found: Sequence[Standing]) -> None:
    """Draw the tab of mean IoU over epochs."""
    scores = epoch_rows(results, setup, score)
    if len(scores):
        layout.chart(partial(charts.epoch_scores, scores, setup.names, SCORE_TITLES[score]), scores, "mean_iou_by_epoch")
        if len(setup.seeds) > 1:
            streamlit.caption("Lines are the mean over seeds, bands reach from the lowest seed to the highest.")
    else:
        streamlit.info("No score after an epoch is stored.")
    streamlit.subheader("Beside the report")
    table = report_table(results, setup, found)
    shown = table.rename(columns={"ours": "ours, %", "interval": "95 % interval", "report": "the report, %"})
    formats = {"parameters": "{:,.0f}", "ours, %": "{:.2f}", "the report, %": "{:.2f}"}
    layout.table(shown, "decoder_heads_beside_the_report", formats)
    layout.csv_button(table, "decoder_heads_beside_the_report")
    streamlit.markdown(how_far(results, setup, table))


@kept
def epoch_rows(results: Results, setup: Setup, score: str) -> pandas.DataFrame:
    """Mean IoU of each head after each epoch: head, epoch, score (mean over seeds), low and high (of the seeds)."""
    found = rows.epoch_scores(results, setup.run_ids).merge(setup.labels, on="run_id")
    column = {"pooled": "pooled", "per image": "per_image"}[score]
    found = found.dropna(subset=[column]).groupby(["head", "epoch"])[column].agg(score="mean", low="min", high="max")
    return found.reset_index()


def report_table(results: Results, setup: Setup, found: Sequence[Standing]) -> pandas.DataFrame:
    """A row for each head, figures in percent: head, parameters, ours, interval, report."""
    reported = rows.reported_results(results).drop_duplicates("variant").set_index("variant").value
    estimates = estimates_of(found)
    return pandas.DataFrame(
        [
            {
                "head": head.name,
                "parameters": head.parameters,
                "ours": 100 * estimates[head.name].value,
                "interval": percent_interval(estimates[head.name], 2),
                "report": float(reported.get(head.variant, math.nan)),
            }
            for head in setup.heads
        ]
    )


def percent_interval(estimate: intervals.Estimate, digits: int) -> str:
    """The interval alone, in percent; empty where there is none."""
    if math.isnan(estimate.low):
        return ""
    return f"[{100 * estimate.low:.{digits}f}, {100 * estimate.high:.{digits}f}]"


def how_far(results: Results, setup: Setup, table: pandas.DataFrame) -> str:
    """A plain word on how far data and size differ from the report's, and on the order in both, in Markdown."""
    encoder = f" on frozen features of {layout.plain(setup.encoder)}" if setup.encoder else ""
    size = f" at {setup.image_size_px} px" if setup.image_size_px else ""
    ours = (
        f"**Ours**: {layout.plain(setup.dataset_name, 60)}, {setup.train_images:,} training and {setup.image_count:,} "
        f"validation images{size}, {setup.class_count} classes{encoder}."
    )
    reported = rows.reported_results(results)
    if reported.empty or table.report.isna().all():
        return f"{ours} These results hold no figure of the report."
    theirs = f"**The report’s**: {layout.plain(reported.source.iloc[0])}."
    if layout.kind_of_profile(setup.profile) == FULL:
        far = "This profile follows the report’s protocol; on other data than its own the figures still cannot be the same."
    else:
        far = (
            "Other pictures and another encoder: **the figures themselves cannot be compared**, at most the order of the heads."
        )
    return f"{ours} {theirs} {far} {_orders(table)}"


def _orders(table: pandas.DataFrame) -> str:
    """Whether the heads' order is the report's."""
    both = table.dropna(subset=["ours", "report"])
    if len(both) < 2:
        return ""
    ours = both.sort_values("ours", ascending=False, kind="stable")["head"].tolist()
    theirs = both.sort_values("report", ascending=False, kind="stable")["head"].tolist()
    if ours == theirs:
        return "The order of the heads is the report’s here; which of its steps were shown stands at the top."
    words = " \\> ".join(map(layout.plain, ours)), " \\> ".join(map(layout.plain, theirs))
    return f"The order is **not** the report’s: here {words[0]}; in the report {words[1]}."


@streamlit.fragment
@layout.errors_as_messages()
def by_class(results: Results, setup: Setup) -> None:
    """Draw the tab of one small chart for each class."""
    epochs, smalls = class_charts(results, setup)
    if not smalls:
        streamlit.info("No score of a class is stored.")
        return
    names, colors, dashes = setup.names, charts.colors_of(setup.names), charts.dashes_of(setup.names)
    scale = layout.choose_button("Scale", SCALES, "scale")
    series = [Series(name, colors[name], dashes[name]) for name in names]
    small_multiples.show(smalls, series, epochs, "iou_by_class_and_epoch", scale == SCALES[0])
    streamlit.caption(
        "IoU pooled over all images after each epoch, seeds averaged; the class with the most true pixels first, its share of "
        "them beside its name, and below each chart the last epoch."
    )
    table = class_rows(results, setup)
    with streamlit.expander("The last epoch as a table"):
        _class_table(setup, table)
    layout.csv_button(table, "iou_by_class")


def class_charts(results: Results, setup: Setup) -> tuple[list[int], list[Small]]:
    """All epochs, and a small chart for each class that has an IoU in any of them."""
    found = rows.class_epoch_scores(results, setup.run_ids).merge(setup.labels, on="run_id")
    found = found.merge(queries.classes(results, setup.dataset).query("not ignored"), on="class_id")
    if found.empty:
        return [], []
    epochs = sorted(int(epoch) for epoch in found.epoch.unique())
    first = found[(found.run_id == setup.run_ids[0]) & (found.epoch == found.epoch.min())]
    pixels = first.set_index("class_id").truth
    smalls = []
    for class_id in pixels.sort_values(ascending=False, kind="stable").index:
        own = found[found.class_id == class_id]
        means = own.pivot_table(index="epoch", columns="head", values="iou", aggfunc="mean").reindex(epochs)
        if means.empty or means.isna().all(axis=None):
            continue
        values = {name: means[name].tolist() for name in setup.names if name in means}
        share = pixels[class_id] / max(pixels.sum(), 1)
        smalls.append(Small(str(own.name.iloc[0]), str(own.color.iloc[0]), percent(share), values))
    return epochs, smalls


def percent(share: float) -> str:
    """A share in percent, small ones with a digit after the point."""
    if math.isnan(share):
        return "–"
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.1f} %"


def _class_table(setup: Setup, table: pandas.DataFrame) -> None:
    wide = table.pivot_table(index="class_id", columns="head", values="iou", sort=False, dropna=False)
    first = table.drop_duplicates("class_id").set_index("class_id")
    shown = pandas.DataFrame({"class": first["class"], "share of true pixels": first.pixel_share})
    shown = shown.join(wide.reindex(columns=setup.names).add_prefix("IoU, "))
    formats = {"share of true pixels": "{:.1%}"} | {f"IoU, {name}": "{:.3f}" for name in setup.names}
    layout.table(shown, "iou_by_class", formats, first.color.tolist())
