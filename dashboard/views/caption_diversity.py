"""How much captions differ between seeds, how long they are and how many words they use, against temperature and BLEU."""

import math
from functools import partial

import pandas
import streamlit

from dashboard import charts_captions as charts
from dashboard import intervals, layout
from dashboard import queries_captions as rows
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views.caption_grid import in_grid, k_names
from dashboard.views.caption_runs import Setup
from dashboard.views.caption_scores import Scores

# What is drawn over temperature: its column, its title, and how its figures are written.
MEASURES = {
    "different": ("different captions of a picture", ".2f"),
    "length": ("words of a caption", ".2f"),
    "vocabulary": ("different words of a run", ".0f"),
}


@streamlit.fragment
@layout.errors_as_messages()
def diversity(results: Results, setup: Setup, scores: Scores) -> None:
    """Draw the tab."""
    table = diversity_table(results, setup, scores)
    streamlit.markdown(f"### {sentence(setup, table)}")
    for column, (measure, (title, form)) in zip(streamlit.columns(len(MEASURES), gap="medium"), MEASURES.items(), strict=True):
        with column:
            drawn = measured(table, measure)
            if drawn.value.notna().any():
                own, greedy = drawn[drawn.k != charts.GREEDY], drawn[drawn.k == charts.GREEDY]
                drawing = partial(charts.over_temperature, own, greedy, k_names(setup), title, form, height=330)
                layout.chart(drawing, drawn, f"{measure}_by_temperature", layout.THIRD_PX)
            else:
                streamlit.info(f"No count of {title} is stored.")
    seeds = len(setup.seeds)
    streamlit.caption(
        f"Different captions: of {seeds} seeds’ captions of a picture how many are not the same, from 1 to {seeds}, with the "
        "95 % bootstrap interval over pictures. Words of a caption, and different words in all captions of one run, are means "
        "over seeds."
    )
    streamlit.subheader("BLEU against diversity")
    drawn = table.dropna(subset=["different", "bleu"])
    if drawn.empty:
        streamlit.info("Two settings with captions and their counts are needed.")
        return
    points = drawn.rename(columns={"different": "diversity", "k": "group"})
    points = points[["name", "group", "temperature", "label", "diversity", "bleu"]]
    title = f"different captions of a picture, of {seeds}" if seeds > 1 else "different captions of a picture, of one seed"
    drawing = partial(charts.bleu_against_diversity, points, k_names(setup), title, f"BLEU against {scores.against}")
    layout.chart(drawing, points, "bleu_against_diversity")
    streamlit.caption(
        "Numbers are temperatures. Up is nearer to the references, to the right more different from seed to seed."
    )


@kept
def diversity_table(results: Results, setup: Setup, scores: Scores) -> pandas.DataFrame:
    """A row for each setting in the grid and for greedy, by rising temperature.

    Columns name, k (a chart's group), temperature (NaN for greedy), label, different (mean over pictures), low, high, length,
    vocabulary, bleu. Greedy draws nothing: each seed would give the same caption, so that its `different` is 1.
    """
    facts = rows.caption_facts(results, setup.run_ids).set_index("run_id")
    table = []
    for place, setting, group in in_grid(setup):
        own = facts.reindex([*setting.run_ids])
        found = rows.different_captions(results, setting.run_ids)
        found = found[found.captions == len(setting.run_ids)]
        estimate = intervals.Estimate(math.nan, math.nan, math.nan)
        if len(found):
            estimate = intervals.summarise(intervals.image_weights(len(found)) @ found.different.to_numpy(float))
        table.append(
            {
                "name": setting.name,
                "k": group,
                "temperature": math.nan if setting.temperature is None else setting.temperature,
                "label": charts.GREEDY if setting.temperature is None else f"{setting.temperature:g}",
                "different": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "length": own.length.mean(),
                "vocabulary": own.vocabulary.mean(),
                "bleu": scores.estimates[place].value,
            }
        )
    columns = ["name", "k", "temperature", "label", "different", "low", "high", "length", "vocabulary", "bleu"]
    return pandas.DataFrame(table, columns=columns)


def measured(table: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """One of MEASURES as a chart over temperature takes it: k, temperature (words), value, low, high."""
    drawn = table[["k", "label", measure, "low", "high"]].set_axis(["k", "temperature", "value", "low", "high"], axis=1)
    return drawn if measure == "different" else drawn.assign(low=math.nan, high=math.nan)


def sentence(setup: Setup, table: pandas.DataFrame) -> str:
    """How much seeds' captions differ at the lowest and at the highest temperature, in Markdown."""
    seeds, sampled = len(setup.seeds), table[(table.k != charts.GREEDY) & table.different.notna()]
    if seeds < 2 or sampled.empty:
        return "One seed’s captions cannot tell how much captions differ: more seeds are needed."
    told = []
    for group, own in sampled.groupby("k", sort=False):
        first, last = own.iloc[0], own.iloc[-1]
        hot = f"**{last.different:.2f}** {_interval(last)} at {last.label} with {group}"
        told.append(hot if len(own) == 1 else f"**{first.different:.2f}** at temperature {first.label} and {hot}")
    return f"Of {seeds} captions of a picture, so many are different: {'; '.join(told)}."


def _interval(row: pandas.Series) -> str:
    return "" if math.isnan(row.low) else f"[{row.low:.2f}, {row.high:.2f}]"
