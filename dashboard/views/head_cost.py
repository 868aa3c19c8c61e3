"""What each head costs, in weights, multiply-adds and time, against how well it segments."""

import math
from collections.abc import Sequence
from functools import partial

import pandas
import streamlit

from dashboard import charts_heads as charts
from dashboard import layout, queries_precision
from dashboard import queries_heads as rows
from dashboard.connection import Results
from dashboard.views.head_runs import Head, Setup
from dashboard.views.head_scores import SCORE_TITLES, Standing, estimates_of

# What can be asked for, with the column of `cost_table`, and what the axis is called.
COSTS = {
    "parameters": ("parameters", "parameters of the head"),
    "multiply-adds": ("multiply_adds", "multiply-adds of the head for one picture"),
    "training time": ("training_s", "seconds of training steps"),
    "inference time": ("inference_ms", "milliseconds of the head for one picture, median"),
}
TEXTS = {"parameters": "{:,.0f}", "multiply_adds": "{:,.0f}", "training_s": "{:.1f} s", "inference_ms": "{:.3f} ms"}
CLOCKS = {"wall": "wall clock", "cuda": "CUDA events"}


@streamlit.fragment
@layout.errors_as_messages()
def cost(results: Results, setup: Setup, score: str, found: Sequence[Standing]) -> None:
    """Draw the tab."""
    chosen = layout.choose_button("Cost", list(COSTS), "cost")
    column, title = COSTS[chosen]
    table = cost_table(results, setup, found)
    drawn = table.dropna(subset=[column, "mean_iou"])
    drawn = drawn[drawn[column] > 0]
    if drawn.empty:
        streamlit.info(f"The {chosen} of these heads was not recorded.")
    else:
        texts = drawn[column].map(TEXTS[column].format)
        points = drawn.assign(cost=drawn[column], cost_text=texts)[["head", "cost", "cost_text", "mean_iou", "low", "high"]]
        layout.chart(
            partial(charts.cost_quality, points, setup.names, title, SCORE_TITLES[score]), points, "cost_against_quality"
        )
        streamlit.caption("Vertical lines are 95 % bootstrap intervals over images. Up and to the left is better.")
    _table(setup, table)
    streamlit.caption(_measured(results, setup, table))


def cost_table(results: Results, setup: Setup, found: Sequence[Standing]) -> pandas.DataFrame:
    """A row for each head, times being the mean over seeds.

    Columns head, mean_iou, low, high, parameters, multiply_adds, training_s, inference_ms, inference_low, inference_high (5 and
    95 % of the repetitions), repetitions, clock.
    """
    estimates = estimates_of(found)
    costs, times = rows.model_costs(results, setup.run_ids), rows.training_times(results, setup.run_ids)
    table = []
    for head in setup.heads:
        own = costs[costs.run_id.isin(head.run_ids) & (costs.part == "head")]
        seconds = times.seconds[times.run_id.isin(head.run_ids)]
        estimate = estimates[head.name]
        table.append(
            {
                "head": head.name,
                "mean_iou": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "parameters": _first(own.parameters, head.parameters),
                "multiply_adds": _first(own.multiply_adds, None),
                "training_s": float(seconds.mean()) if len(seconds) else math.nan,
                **_inference(results, head),
            }
        )
    return pandas.DataFrame(table)


def _first(values: pandas.Series, otherwise: int | None) -> float:
    if len(values):
        return float(values.iloc[0])
    return math.nan if otherwise is None else float(otherwise)


def _inference(results: Results, head: Head) -> dict[str, object]:
    """Middle and spread of the head's time for one picture: by the device's own clock where there is one."""
    found = pandas.concat([queries_precision.time_summaries(results, run_id) for run_id in head.run_ids])
    found = found[found.batch_size == 1]
    names = ["inference_ms", "inference_low", "inference_high", "repetitions", "clock"]
    if found.empty:
        return dict(zip(names, [math.nan, math.nan, math.nan, 0, ""], strict=True))
    clock = "cuda" if "cuda" in set(found.clock) else str(found.clock.iloc[0])
    found = found[found.clock == clock]
    means = found[["middle", "low", "high"]].mean().tolist()
    return dict(zip(names, [*means, int(found.repetitions.sum()), clock], strict=True))


def _table(setup: Setup, table: pandas.DataFrame) -> None:
    spread = [
        "" if math.isnan(row.inference_low) else f"{row.inference_low:.3f} to {row.inference_high:.3f}"
        for row in table.itertuples()
    ]
    shown = pandas.DataFrame(
        {
            "head": table["head"],
            "mean IoU": table.mean_iou,
            "parameters": table.parameters,
            "multiply-adds": table.multiply_adds,
            "training, s": table.training_s,
            "inference, ms": table.inference_ms,
            "5 to 95 %, ms": spread,
        }
    )
    formats = {
        "mean IoU": "{:.3f}",
        "parameters": "{:,.0f}",
        "multiply-adds": "{:,.0f}",
        "training, s": "{:.1f}",
        "inference, ms": "{:.3f}",
    }
    layout.table(shown, "cost_of_heads", formats)
    layout.csv_button(table, "cost_of_decoder_heads")


def _measured(results: Results, setup: Setup, table: pandas.DataFrame) -> str:
    """Where and how the costs were measured, and what the encoder costs besides, in Markdown."""
    costs = rows.model_costs(results, setup.run_ids)
    encoder = costs[costs.part == "encoder"]
    besides = ""
    if len(encoder):
        first = encoder.iloc[0]
        besides = (
            f" The encoder, the same for all, has {first.parameters:,} parameters and takes {first.multiply_adds:,} "
            "multiply-adds besides."
        )
    clocks = {CLOCKS.get(clock, clock) for clock in table.clock if clock}
    timed = table.repetitions.max()
    how = f" by {layout.plain(' and '.join(sorted(clocks)))}, {timed} repetitions of one picture" if clocks else ""
    return (
        f"Measured on {setup.measured_on}{how}. All figures are of the head alone: its training is the sum of the optimiser’s "
        f"steps, without the encoder’s features, which are computed once for all heads.{besides}"
    )
