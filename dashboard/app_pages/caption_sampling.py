"""What do temperature and top-k do to captions?"""

import math

import pandas
import streamlit

from dashboard import intervals, layout, links, queries
from dashboard import queries_captions as rows
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views import caption_pictures
from dashboard.views.caption_diversity import diversity, diversity_table
from dashboard.views.caption_grid import grid
from dashboard.views.caption_runs import Setup, choices, setup_of
from dashboard.views.caption_scores import AGAINST, ALL, Change, Scores, basis, scores_of, sentence
from dashboard.views.caption_tokens import word_by_word

EXPERIMENT = rows.EXPERIMENT
TITLE = "Caption sampling"
QUESTION = "What do temperature and top-k do to captions?"
COST = "about a minute and a half"  # of the miniature on two cores: 69 s, most of it training the captioner
VIEWS = ("grid", "captions", "word by word", "diversity")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "One captioning model, the same pictures, and several ways of choosing the next word: always the likeliest one, or one "
        "drawn from the k likeliest, at temperatures from almost none to 1.",
    )
    found = choices(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    setup, against = _controls(results, found)
    scores = scores_of(results, setup, against)
    _answer(results, setup, scores)
    opened = links.open_view(
        VIEWS,
        lambda: grid(results, setup, scores),
        lambda: caption_pictures.pictures(results, setup, against),
        lambda: word_by_word(results, setup, against),
        lambda: diversity(results, setup, scores),
    )
    if opened != "captions":
        caption_pictures.show_opened(results, setup, against)
    _conclusion(setup)
    layout.provenance(queries.runs(results), setup.run_ids, pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = choices(results)
    answers = []
    for label, (_, choice) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        setup = setup_of(results, choice)
        scores = scores_of(results, setup, ALL)
        answers.append(
            Finding(
                sentence(setup, scores),
                label,
                basis(setup, scores),
                _most_different(results, setup),
                view={"data": label, "view": VIEWS[0]},
                report=_reported(results, setup, scores),
            )
        )
    return answers


def _reported(results: Results, setup: Setup, scores: Scores) -> str:
    """The report's figures of the settings that the sentence is about."""
    found = rows.reported_results(results)
    of = [*filter(None, [setup.greedy]), *(change.end for change in scores.to_hottest)] or list(setup.settings[:1])
    named = [(setting.name, found[found.variant == setting.variant]) for setting in of]
    known = [(name, float(own.value.iloc[0])) for name, own in named if len(own)]
    return layout.report_text(known, f"{rows.REPORTED_METRIC}, of other pictures", found.source)


def _controls(results: Results, found: pandas.DataFrame) -> tuple[Setup, str]:
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        choice = layout.choose_data(found)
        against = layout.choose_button("Compared with", list(AGAINST), "against", default=ALL)
    return setup_of(results, choice), against


def _answer(results: Results, setup: Setup, scores: Scores) -> None:
    streamlit.markdown(f"## {sentence(setup, scores)}")
    figures.show(_figures(results, setup, scores), "answer")
    streamlit.caption(f"{basis(setup, scores)} {layout.profile_note(setup.profile)}")


def _figures(results: Results, setup: Setup, scores: Scores) -> list[tuple[str, str, str]]:
    """Label, value and interval of the largest figures: the first setting's BLEU, what heat changes, how captions differ."""
    first = scores.estimates[0]
    name = setup.settings[0].name[:40]
    told = [(f"BLEU, {name}", layout.number(first.value), intervals.interval_text(first))]
    for change in scores.to_hottest[:2]:
        label = f"{_start(change)} to t = {change.end.temperature:g}, k = {change.end.top_k}".replace(" = ", "\u00a0=\u00a0")
        value = "–" if math.isnan(change.estimate.value) else f"{change.estimate.value:+.3f}".replace("-", "−")
        told.append((label, value, intervals.interval_text(change.estimate, signed=True).replace("-", "−")))
    table = diversity_table(results, setup, scores)
    sampled = table[table.temperature.notna() & table.different.notna()]
    if len(setup.seeds) > 1 and len(sampled):
        hottest = sampled.sort_values(["temperature", "different"], kind="stable").iloc[-1]
        interval = "" if math.isnan(hottest.low) else f"[{hottest.low:.2f}, {hottest.high:.2f}] · "
        label = f"Different captions, of {len(setup.seeds)} seeds"
        told.append((label, f"{hottest.different:.2f}", f"{interval}{hottest['name']}"))
    return told


def _start(change: Change) -> str:
    return "Greedy" if change.start.is_greedy else f"t = {change.start.temperature:g}"


def _most_different(results: Results, setup: Setup) -> list[gallery.Row]:
    """The pictures whose captions heat changes most."""
    if len(setup.settings) < 2:
        return []
    b = setup.setting(caption_pictures.default_b(setup, setup.names[1:]))
    return caption_pictures.most_different(results, setup, ALL, setup.settings[0], b)


def _conclusion(setup: Setup) -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- **BLEU counts words, not meaning.** “Couch” for a reference’s “sofa” scores nothing, a wrong colour in a well-worn phrase
  loses little. A lower BLEU says that captions are less like these references, not that they are worse.
- **Few references make it harsh.** A good caption that nobody happened to write matches little. More references for a picture
  can only raise the precisions: compare figures against one reference only with figures against one reference.
- **A corpus is not the mean of its captions.** Corpus BLEU adds up the n-grams of all captions before it takes shares; the mean
  of the captions’ own BLEU needs smoothing where a short caption has no match of four words, and the choice of it moves the
  figure. The tables show both; do not mix them.
- **Two libraries, two ways.** nltk gets texts that Contrast has split into words; sacrebleu splits them itself, and each treats
  short captions and missing matches in its own way. Their signatures stand below the tables; never set one library’s figure
  beside the other’s.
- **The interval is over pictures.** Seeds are averaged, not drawn, so it does not hold the luck of sampling; the lowest and the
  highest seed stand in the first table. With k and temperature there are ten differences, each with its own 95 % interval:
  expect one in twenty to be “shown” where there is nothing.
- **Temperature and k meet.** At temperature 0.1 a word half as likely as another is drawn a thousand times as rarely, so that k
  has next to nothing to cut off there. At 1 it keeps out the unlikely tail, and the more of it, the smaller k is.
- **Diversity has its price in BLEU**, for of several different captions not all can be nearest to the references. Which is
  wanted, one safe caption or many different ones, is no question that BLEU answers.
"""
    )
    if layout.kind_of_profile(setup.profile) == "mini":
        streamlit.markdown(
            "- **The miniature speaks a small grammar.** Its references come from a few patterns and words, which a small "
            "model can learn nearly whole. How high BLEU is, and how fast it changes, is this grammar’s own: expect neither of "
            "people’s captions."
        )
