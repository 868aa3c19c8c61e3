"""BLEU over the grid of temperature and k, and all that is measured of each setting, as tables."""

import math
from functools import partial

import numpy as np
import pandas
import streamlit

from dashboard import bleu, intervals, layout
from dashboard import charts_captions as charts
from dashboard import queries_captions as rows
from dashboard.connection import Results
from dashboard.views.caption_runs import Setting, Setup
from dashboard.views.caption_scores import ALL, ONE, Scores, counts_of, further

LIBRARIES = ("nltk", "sacrebleu")
CLOSE = 1e-3  # how far figures that should be the same may lie apart before the page says so


@streamlit.fragment
@layout.errors_as_messages()
def grid(results: Results, setup: Setup, scores: Scores) -> None:
    """Draw the tab; a fragment, so that what is chosen in it redraws it alone."""
    library = layout.choose_button("Library", LIBRARIES, "library")
    drawn = grid_rows(results, setup, scores, library)
    if drawn.value.notna().any():
        in_grid = drawn[drawn.k != charts.GREEDY]
        title = f"BLEU against {scores.against}, {library}"
        drawing = partial(charts.over_temperature, in_grid, drawn[drawn.k == charts.GREEDY], k_names(setup), title)
        layout.chart(drawing, drawn, "bleu_by_temperature")
        streamlit.caption(_drawn_how(setup, library))
    else:
        streamlit.info(f"These results hold no BLEU by {library}.")
    streamlit.markdown("\n".join(f"- {told}" for told in further(setup, scores)))
    streamlit.subheader("All settings")
    table = score_table(results, setup, scores)
    _score_table(table)
    _fact_table(fact_table(results, setup, scores))
    with streamlit.expander("What BLEU is made of: precisions and the brevity penalty"):
        _parts_table(parts_table(setup, scores))
    streamlit.caption(_computed_how(results, setup, scores, table))


def k_names(setup: Setup) -> list[str]:
    """What each k is called in a chart."""
    return [f"k = {top_k}" for top_k in setup.top_ks]


def in_grid(setup: Setup) -> list[tuple[int, Setting, str]]:
    """Place, setting and group (its k, or greedy) of what a chart over temperature shows, by rising temperature."""
    found = [(place, setting) for place, setting in enumerate(setup.settings) if setting.is_in_grid or setting.is_greedy]
    found.sort(key=lambda each: each[1].temperature or 0.0)
    return [(place, setting, charts.GREEDY if setting.is_greedy else f"k = {setting.top_k}") for place, setting in found]


def grid_rows(results: Results, setup: Setup, scores: Scores, library: str) -> pandas.DataFrame:
    """BLEU of each setting in the grid and of greedy: k, temperature (words), value, low, high (NaN for sacrebleu)."""
    stored = stored_means(results, setup)
    table = []
    for place, setting, group in in_grid(setup):
        estimate = scores.estimates[place]
        value, low, high = estimate.value, estimate.low, estimate.high
        if library != LIBRARIES[0]:
            value, low, high = stored.get((setting.name, library, scores.against), math.nan), math.nan, math.nan
        table.append((group, "" if setting.temperature is None else f"{setting.temperature:g}", value, low, high))
    return pandas.DataFrame(table, columns=["k", "temperature", "value", "low", "high"])


def stored_means(results: Results, setup: Setup) -> dict[tuple[str, str, str], float]:
    """Corpus BLEU by setting, library and reference as the libraries gave it, the mean over seeds."""
    found = rows.stored_scores(results, setup.run_ids)
    names = {run_id: setting.name for setting in setup.settings for run_id in setting.run_ids}
    means = found.assign(name=found.run_id.map(names)).groupby(["name", "library", "against"]).bleu.mean()
    return {(str(name), str(library), str(against)): float(value) for (name, library, against), value in means.items()}


def score_table(results: Results, setup: Setup, scores: Scores) -> pandas.DataFrame:
    """A row for each setting, figures 0 to 1, of libraries the mean over seeds.

    Columns setting, nltk_all, sacrebleu_all, nltk_one, sacrebleu_one, interval and seeds (the lowest and the highest) of what
    the page compares with, both in words, report.
    """
    stored = stored_means(results, setup)
    reported = rows.reported_results(results).drop_duplicates("variant").set_index("variant").value
    table = []
    for setting, estimate, by_seed in zip(setup.settings, scores.estimates, scores.seed_scores, strict=True):
        by_library = {
            f"{library}_{short}": stored.get((setting.name, library, against), math.nan)
            for against, short in ((ALL, "all"), (ONE, "one"))
            for library in LIBRARIES
        }
        report = float(reported.get(setting.variant, math.nan)) / 100
        interval = intervals.interval_text(estimate)
        seeds = f"{min(by_seed):.3f} to {max(by_seed):.3f}" if len(by_seed) > 1 else ""
        table.append({"setting": setting.name, **by_library, "interval": interval, "seeds": seeds, "report": report})
    return pandas.DataFrame(table)


def fact_table(results: Results, setup: Setup, scores: Scores) -> pandas.DataFrame:
    """What each setting's captions are like, means over its seeds.

    Columns setting, caption_bleu (mean of the captions' own), length (words), vocabulary (different words of a run),
    distinct_share (vocabulary by words), differ (share of pictures whose captions differ between seeds), cut_off (share),
    seconds.
    """
    facts = rows.caption_facts(results, setup.run_ids).set_index("run_id")
    counts = counts_of(results, setup, scores.against)
    table = []
    for setting, counted in zip(setup.settings, counts.settings, strict=True):
        own = facts.reindex([*setting.run_ids])
        shares = own.vocabulary / own.all_words.where(own.all_words > 0)
        different = rows.different_captions(results, setting.run_ids)
        different = different[different.captions > 1]
        table.append(
            {
                "setting": setting.name,
                "caption_bleu": float(np.nanmean(bleu.caption_bleu(counted))),
                "length": own.length.mean(),
                "vocabulary": own.vocabulary.mean(),
                "distinct_share": shares.mean(),
                "differ": (different.different > 1).mean() if len(different) else math.nan,
                "cut_off": own.cut_off.mean(),
                "seconds": own.seconds.mean(),
            }
        )
    return pandas.DataFrame(table)


def parts_table(setup: Setup, scores: Scores) -> pandas.DataFrame:
    """Of each setting the precisions precision_1 to precision_4, brevity and length_ratio (words by the references'), by seed.

    All are means over seeds.
    """
    table = []
    for setting, sums in zip(setup.settings, scores.sums, strict=True):
        shares = bleu.precisions(sums).mean(axis=0)
        ratio = float((sums[:, -2] / np.where(sums[:, -1] > 0, sums[:, -1], np.nan)).mean())
        parts = {f"precision_{order}": float(share) for order, share in zip(rows.ORDERS, shares, strict=True)}
        table.append(
            {"setting": setting.name, **parts, "brevity": float(bleu.brevity_penalty(sums).mean()), "length_ratio": ratio}
        )
    return pandas.DataFrame(table)


def _score_table(table: pandas.DataFrame) -> None:
    names = {
        "nltk_all": "nltk, all references",
        "sacrebleu_all": "sacrebleu, all references",
        "nltk_one": "nltk, one reference",
        "sacrebleu_one": "sacrebleu, one reference",
        "interval": "95 % interval",
        "report": "the report",
    }
    shown = table.drop(columns=[name for name in ("report", "seeds") if table[name].isin(["", math.nan]).all()])
    layout.table(shown.rename(columns=names), "bleu_table", dict.fromkeys(names.values(), "{:.3f}"))
    layout.csv_button(table, "bleu_of_settings")


def _fact_table(table: pandas.DataFrame) -> None:
    names = {
        "caption_bleu": ("a caption’s BLEU", "{:.3f}"),
        "length": ("words", "{:.2f}"),
        "vocabulary": ("different words", "{:.0f}"),
        "distinct_share": ("of all words", "{:.1%}"),
        "differ": ("seeds differ", "{:.0%}"),
        "cut_off": ("cut off", "{:.1%}"),
        "seconds": ("seconds a caption", "{:.4f}"),
    }
    shown = table.rename(columns={column: name for column, (name, _) in names.items()})
    layout.table(shown, "captions_table", dict(names.values()))
    layout.csv_button(table, "captions_of_settings")
    streamlit.caption(
        "A caption’s BLEU: the mean over captions of each one’s own, smoothed. Words: of a caption. Different words: in all "
        "captions of a run, and as a share of all its words. Seeds differ: pictures of which not all seeds give the same "
        "caption. Cut off: captions that reached the longest length before their end. All are means over seeds."
    )


def _parts_table(table: pandas.DataFrame) -> None:
    names = {f"precision_{order}": f"{order} word{'s' if order > 1 else ''}" for order in rows.ORDERS}
    names |= {"brevity": "brevity penalty", "length_ratio": "words by the references’"}
    shown = table.rename(columns=names)
    layout.table(shown, "parts_table", dict.fromkeys(names.values(), "{:.3f}"))
    layout.csv_button(table, "parts_of_bleu")
    streamlit.caption(
        "BLEU is the geometric mean of the four precisions, the shares of all groups of 1 to 4 words that a reference has, "
        "times the brevity penalty, which is below 1 where the captions have fewer words than the references that are nearest "
        "in length."
    )


def _drawn_how(setup: Setup, library: str) -> str:
    seeds = "" if len(setup.seeds) == 1 else f" A mark is the mean of {len(setup.seeds)} seeds’ BLEU."
    if library == LIBRARIES[0]:
        return f"Vertical lines, and the band around greedy, are 95 % bootstrap intervals over pictures.{seeds}"
    return f"As sacrebleu gave it, without intervals: the n-grams that are stored are of nltk’s words.{seeds}"


def _computed_how(results: Results, setup: Setup, scores: Scores, table: pandas.DataFrame) -> str:
    """The libraries' signatures, and whether their figures are those of the stored counts, in Markdown."""
    found = rows.stored_scores(results, setup.run_ids)
    told = [
        f"{layout.plain(row.library, 20)}, {layout.plain(row.against, 20)}: {layout.plain(row.signature)}."
        for row in found.drop_duplicates(["library", "against", "signature"])[:8].itertuples()
    ]
    ours = np.array([estimate.value for estimate in scores.estimates])
    apart = np.abs(table["nltk_all" if scores.against == ALL else "nltk_one"].to_numpy(float) - ours)
    if (apart > CLOSE).any():
        told.append(
            "**The stored n-gram counts do not give nltk’s figures**: of some settings they are up to "
            f"{np.nanmax(apart):.3f} apart. Intervals and the answer above are of the counts."
        )
    reported = rows.reported_results(results)
    if table.report.notna().any():
        told.append(
            f"The report: {layout.plain(reported.source.iloc[0])}; of other pictures, so that at most the order compares."
        )
    return " ".join(told)
