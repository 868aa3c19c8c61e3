"""At which rank the right answers stand: histograms both ways, and recall over all cutoffs with chance."""

from functools import partial

import numpy as np
import pandas
import streamlit

from dashboard import charts_retrieval as charts
from dashboard import layout, recall
from dashboard import queries_retrieval as rows
from dashboard.connection import Results
from dashboard.views.retrieval_runs import QUERY_WORDS, Setup, choose_direction, choose_run
from dashboard.views.retrieval_scores import captions_by_image, percent, places


@streamlit.fragment
@layout.errors_as_messages()
def ranks(results: Results, setup: Setup) -> None:
    """Draw the tab."""
    runs = setup.runs
    label = choose_run("Run", "run", list(runs))
    for column, direction in zip(streamlit.columns(2, gap="large"), rows.DIRECTIONS, strict=True):
        with column:
            streamlit.subheader(direction.capitalize())
            bars = histogram_rows(results, setup, runs[label], direction)
            color = charts.colors_of(setup.names)[_variant_name(setup, runs[label])]
            words = QUERY_WORDS[direction][1]
            layout.chart(
                partial(charts.rank_histogram, bars, color, words), bars, f"ranks_{direction.replace(' ', '_')}", layout.HALF_PX
            )
            streamlit.caption(tie_words(results, runs[label], direction))
    streamlit.caption(
        "Numbers above the bars count queries; the ticks are what an order by chance would give. Bins grow wider to the right."
    )
    streamlit.subheader("Recall over the cutoff")
    direction = choose_direction()
    lines, guess = curve_rows(results, setup, direction)
    title = f"R@k, share of {QUERY_WORDS[direction][1]}"
    layout.chart(
        partial(charts.recall_curves, lines, guess, setup.names, title), pandas.concat([lines, guess]), "recall_over_cutoff"
    )
    seeds = " Lines are means over seeds." if any(len(variant.seeds) > 1 for variant in setup.variants) else ""
    streamlit.caption(f"The dotted grey line is chance among {setup.candidates(direction):,} candidates.{seeds}")


def _variant_name(setup: Setup, run_id: str) -> str:
    return next(variant.name for variant in setup.variants if run_id in variant.run_ids)


def histogram_rows(results: Results, setup: Setup, run_id: str, direction: str) -> pandas.DataFrame:
    """Queries by bin of ranks: bin, queries, share, chance (the share by chance)."""
    own = places(results, run_id, direction)
    candidates = setup.candidates(direction)
    bins = recall.rank_bins(candidates)
    counts = recall.bin_counts(own.above, own.tied, bins)
    right = _right_counts(results, setup, direction)
    below = [0.0, *(recall.chance_recall(candidates, right, last) for _, last in bins)]
    return pandas.DataFrame(
        {
            "bin": [bin_text(first, last) for first, last in bins],
            "queries": counts,
            "share": np.array(counts) / max(len(own.above), 1),
            "chance": np.diff(below),
        }
    )


def bin_text(first: int, last: int) -> str:
    """A bin of ranks in words: 1, 2–5, 101–1,000."""
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def _right_counts(results: Results, setup: Setup, direction: str) -> np.ndarray:
    return captions_by_image(results, setup) if direction == "image to text" else np.ones(1)


def tie_words(results: Results, run_id: str, direction: str) -> str:
    """How many queries share their places with others, and how they count."""
    own = places(results, run_id, direction)
    tied = int(np.count_nonzero(own.tied))
    one, many = QUERY_WORDS[direction]
    if not tied:
        return (
            f"No right answer is exactly as similar as a wrong one, so that every one of {len(own.tied):,} {many} has a place."
        )
    share = percent(tied / len(own.tied))
    return (
        f"Of {tied:,} of {len(own.tied):,} {one if tied == 1 else many} ({share}) the right answer is exactly as similar as "
        "others. It counts in each of the places that they share with an equal part, and its rank is their mean."
    )


def curve_rows(results: Results, setup: Setup, direction: str) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Recall of each variant, seeds averaged, and by chance, over cutoffs: variant, cutoff, recall."""
    cutoffs = recall.cutoffs_of(setup.candidates(direction))
    right = _right_counts(results, setup, direction)
    lines = []
    for variant in setup.variants:
        own = [places(results, run_id, direction) for run_id in variant.run_ids]
        for cutoff in cutoffs:
            shares = [recall.expected_hits(each.above, each.tied, cutoff).mean() for each in own]
            lines.append((variant.name, cutoff, float(np.mean(shares))))
    guess = [("chance", cutoff, recall.chance_recall(setup.candidates(direction), right, cutoff)) for cutoff in cutoffs]
    columns = ["variant", "cutoff", "recall"]
    return pandas.DataFrame(lines, columns=columns), pandas.DataFrame(guess, columns=columns)
