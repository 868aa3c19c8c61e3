"""The trainings of the projections: their settings as parallel axes that end in recall, and recall from epoch to epoch."""

import math
from collections.abc import Sequence
from functools import partial
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import charts_retrieval as charts
from dashboard import layout
from dashboard import queries_heads as steps
from dashboard import queries_retrieval as rows
from dashboard.components import markup, panel
from dashboard.connection import Results
from dashboard.views.retrieval_runs import QUERY_WORDS, Setup, Variant, choose_direction, setting_text
from dashboard.views.retrieval_scores import chance, percent

BEFORE, AFTER = "R@1|before", "R@1|after"
AXES = {"learning rate": "learning_rate", "weight decay": "weight_decay", "temperature": "temperature", "start": "start"}
RECALL_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
APART = 0.012  # lines through one setting are drawn this far apart


@streamlit.fragment
@layout.errors_as_messages()
def sweep(results: Results, setup: Setup) -> None:
    """Draw the tab."""
    trained = [variant for variant in setup.variants if variant.is_training]
    direction = choose_direction()
    epochs = epoch_rows(results, setup, direction)
    known = [variant for variant in trained if variant.name in set(epochs.variant)]
    if not known:
        streamlit.info("No training of the projections is stored here, or no recall after its epochs.")
        return
    ends = end_rows(epochs, known)
    lines, ticks, axes = parallel_rows(known, ends)
    streamlit.subheader("Settings and what they lead to")
    names = [variant.name for variant in known]
    drawing = partial(charts.parallel_settings, lines, ticks, axes, names, setup.names)
    layout.chart(drawing, lines[["variant", "setting", "text"]], "parallel_settings", series="variant")
    streamlit.caption(
        "A line is a training: from axis to axis through its settings to R@1 before it and after its last epoch. The values of "
        "a setting stand in their order with equal steps between them, R@1 by its size. Point at a mark to see its training "
        "alone."
    )
    streamlit.subheader("R@1 over the epochs")
    title = f"R@1, share of {QUERY_WORDS[direction][1]}"
    own = epochs[epochs.variant.isin(names)]
    levels = level_rows(results, setup, direction, epochs)
    layout.chart(partial(charts.epoch_recall, own, names, setup.names, levels, title), own, "recall_by_epoch")
    bands = " Lines are means over seeds, bands reach from the lowest to the highest." if (own.high > own.low).any() else ""
    streamlit.caption(f"Epoch 0 is before any training. Dotted: evaluation, and chance at the bottom.{bands}")
    streamlit.subheader("All settings")
    table = settings_table(results, known, ends)
    panel.show(_table(setup, table), "projection_trainings")
    layout.csv_button(table, "projection_trainings")
    streamlit.caption("Seconds of the optimiser’s steps, from features that were computed once; means over seeds.")


def epoch_rows(results: Results, setup: Setup, direction: str) -> pandas.DataFrame:
    """R@1 of each variant after each epoch: variant, epoch, recall (mean over seeds), low and high (of the seeds)."""
    found = rows.epoch_scores(results, setup.run_ids)
    found = found[found.direction == direction].merge(setup.labels, on="run_id")
    return found.groupby(["variant", "epoch"], sort=False).recall_1.agg(recall="mean", low="min", high="max").reset_index()


def end_rows(epochs: pandas.DataFrame, known: Sequence[Variant]) -> pandas.DataFrame:
    """R@1 of each training before it and after its last epoch: variant, before (NaN where it is not stored), after."""
    ends = []
    for variant in known:
        own = epochs[epochs.variant == variant.name].set_index("epoch").recall
        ends.append((variant.name, float(own.get(0, math.nan)), float(own[own.index.max()])))
    return pandas.DataFrame(ends, columns=["variant", "before", "after"])


def parallel_rows(known: Sequence[Variant], ends: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.DataFrame, list[str]]:
    """Where each training crosses each axis, the ticks of the axes, and the axes in their order.

    Lines have variant, axis, place (0 to 1), setting and text; ticks have axis, place and label.
    """
    lines, ticks = [], []
    axes = [axis.replace(" ", "|", 1) for axis in AXES]
    for axis, column in zip(axes, AXES.values(), strict=True):
        values = [getattr(variant, column) for variant in known]
        order = sorted(set(values), key=_setting_order)
        places = {value: (number / (len(order) - 1) if len(order) > 1 else 0.5) for number, value in enumerate(order)}
        ticks += [(axis, place, _setting_words(value)) for value, place in places.items()]
        sharing: dict[object, int] = {}
        for variant, value in zip(known, values, strict=True):
            count, number = values.count(value), sharing.get(value, 0)
            sharing[value] = number + 1
            place = places[value] + APART * (number - (count - 1) / 2)
            lines.append((variant.name, axis, place, axis.replace("|", " "), _setting_words(value)))
    for axis, column in ((BEFORE, "before"), (AFTER, "after")):
        named = RECALL_TICKS if axis == AFTER else RECALL_TICKS[:: len(RECALL_TICKS) - 1]
        ticks += [(axis, tick, percent(tick, 0) if tick in named else "") for tick in RECALL_TICKS]
        lines += [
            (end.variant, axis, value, axis.replace("|", " "), percent(value))
            for end in ends.itertuples()
            for value in [getattr(end, column)]
            if math.isfinite(value)
        ]
    columns = ["variant", "axis", "place", "setting", "text"]
    return (
        pandas.DataFrame(lines, columns=columns),
        pandas.DataFrame(ticks, columns=["axis", "place", "label"]),
        [*axes, BEFORE, AFTER],
    )


def _setting_order(value: float | str | None) -> tuple[bool, float, str]:
    return (value is not None, value if isinstance(value, float) else 0.0, value if isinstance(value, str) else "")


def _setting_words(value: float | str | None) -> str:
    if isinstance(value, str):
        return value[:20] or "–"
    return setting_text(value)


def level_rows(results: Results, setup: Setup, direction: str, epochs: pandas.DataFrame) -> pandas.DataFrame:
    """Lines across the chart of epochs: evaluation, where it is stored, and chance; label, recall."""
    levels = [("", chance(results, setup, direction).recalls[1])]
    if setup.evaluation:
        own = epochs[epochs.variant == setup.evaluation.name]
        levels += [("evaluation", float(own.recall.iloc[-1]))] if len(own) else []
    return pandas.DataFrame(levels, columns=["label", "recall"])


def settings_table(results: Results, known: Sequence[Variant], ends: pandas.DataFrame) -> pandas.DataFrame:
    """A row for each training: its settings as words, R@1 before and after it (0 to 1), seconds of its steps."""
    times = steps.training_times(results, tuple(run_id for variant in known for run_id in variant.run_ids))
    seconds, recalls = times.set_index("run_id").seconds, ends.set_index("variant")
    return pandas.DataFrame(
        [
            {
                "training": variant.name,
                "start": variant.start[:20] or "–",
                "learning rate": setting_text(variant.learning_rate),
                "weight decay": setting_text(variant.weight_decay),
                "temperature": setting_text(variant.temperature),
                "epochs": "–" if variant.epochs is None else f"{variant.epochs}",
                "batch": "–" if variant.batch_size is None else f"{variant.batch_size}",
                "R@1 before": float(recalls.before[variant.name]),
                "R@1 after": float(recalls.after[variant.name]),
                "training steps, s": float(seconds.reindex(list(variant.run_ids)).mean()),
            }
            for variant in known
        ]
    )


def _table(setup: Setup, table: pandas.DataFrame) -> Element:
    root = Element("div", {"class": "scroll"})
    drawn = markup.add(root, "table")
    head = markup.add(drawn, "tr")
    for place, title in enumerate(table.columns):
        markup.add(head, "th", title, class_="number" if place > 1 else "")
    colors = charts.colors_of(setup.names)
    for _, row in table.iterrows():
        line = markup.add(drawn, "tr")
        name = markup.add(line, "td", style="min-width:9rem")
        markup.add(name, "i", class_="swatch", style=f"background:{colors[row.training]}")
        markup.add(name, "span", f" {row.training}")
        markup.add(line, "td", row.start)
        for title in table.columns[2:]:
            value = row[title]
            text = value if isinstance(value, str) else percent(value) if title.startswith("R@1") else layout.number(value, 1)
            markup.add(line, "td", text, class_="number")
    return root
