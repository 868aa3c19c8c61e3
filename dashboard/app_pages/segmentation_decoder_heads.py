"""Which decoder head suits a frozen Vision Transformer?"""

from collections.abc import Sequence

import pandas
import streamlit

from dashboard import intervals, layout, links, queries
from dashboard import queries_heads as rows
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views import head_pictures
from dashboard.views.head_attention import attention
from dashboard.views.head_cost import cost
from dashboard.views.head_epochs import by_class, over_epochs
from dashboard.views.head_hidden import hidden
from dashboard.views.head_runs import Setup, choices, setup_of
from dashboard.views.head_scores import SCORES, Standing, basis, estimates_of, ignorance, sentence, standings, steps

EXPERIMENT = rows.EXPERIMENT
TITLE = "Decoder heads"
QUESTION = "Which decoder head suits a frozen Vision Transformer?"
COST = "about a minute"  # of the miniature on two cores: 47 s
VIEWS = ("over epochs", "class by class", "pictures", "cost", "attention", "hidden objects")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "One encoder, frozen, and on its patch features four heads that learn to segment, from the same pictures in the same "
        "order: from a single linear layer to a transformer of class tokens.",
    )
    found = choices(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    setup, score = _controls(results, found)
    ranked = standings(results, setup, score)
    _answer(results, setup, ranked)
    opened = links.open_view(
        VIEWS,
        lambda: over_epochs(results, setup, score, ranked),
        lambda: by_class(results, setup),
        lambda: head_pictures.pictures(results, setup),
        lambda: cost(results, setup, score, ranked),
        lambda: attention(results, setup),
        lambda: hidden(results, setup),
    )
    if opened != "pictures":
        head_pictures.show_opened(results, setup)
    _conclusion()
    layout.provenance(queries.runs(results), setup.run_ids, pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = choices(results)
    answers = []
    for label, (_, choice) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        setup = setup_of(results, choice)
        ranked = standings(results, setup, "pooled")
        answers.append(
            Finding(
                sentence(ranked),
                label,
                basis(setup, ranked),
                _most_different(results, setup, ranked),
                view={"data": label, "view": VIEWS[0]},
                detail=steps(ranked),
                report=_reported(results, setup),
            )
        )
    return answers


def _reported(results: Results, setup: Setup) -> str:
    """The report's figures of the heads that ran."""
    found = rows.reported_results(results)
    named = [(head.name, found[found.variant == head.variant]) for head in setup.heads]
    figures = [(name, float(own.value.iloc[0])) for name, own in named if len(own)]
    return layout.report_text(figures, f"{rows.REPORTED_METRIC}, of other pictures", found.source)


def _controls(results: Results, found: pandas.DataFrame) -> tuple[Setup, str]:
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        choice = layout.choose_data(found)
        score = layout.choose_button("Mean IoU", list(SCORES), "score")
    return setup_of(results, choice), score


def _answer(results: Results, setup: Setup, ranked: Sequence[Standing]) -> None:
    streamlit.markdown(f"## {sentence(ranked)}")
    if told := steps(ranked):
        streamlit.markdown(told)
    estimates = estimates_of(ranked)
    both = [(head.short, estimates[head.name]) for head in setup.heads]
    figures.show([(name, layout.number(each.value), intervals.interval_text(each)) for name, each in both], "answer")
    for told in ignorance(results, setup):
        streamlit.warning(told)
    streamlit.caption(f"{basis(setup, ranked)} {layout.profile_note(setup.profile)}")


def _most_different(results: Results, setup: Setup, ranked: Sequence[Standing]) -> list[gallery.Row]:
    """The picture on which the leading head is furthest ahead of the last."""
    if len(ranked) < 2:
        return []
    pair = head_pictures.pair_of(setup, ranked[0].head.name, ranked[-1].head.name, setup.seeds[0])
    best = head_pictures.compared(results, pair, "helped")[:1]
    return [head_pictures.picture_row(results, setup, pair, picture, titled=False) for picture in best.itertuples()]


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- **The order is of heads on this encoder.** It is frozen, so a head can only read out what its features hold; another encoder,
  or one that learns along, can change who leads.
- **The interval tells of images, not of training.** How far a figure hangs on the start and the order of batches is what
  several seeds would show; with one, leave a small difference open, even where its interval leaves out zero.
- **Pooled** mean IoU adds up the counts of all images, then averages over classes; **per image** it is averaged over each
  image’s classes, then over images.
- **Sizes differ.** The transformers look at all patches at once, the convolutional head gives eight times the patches’
  resolution before the upsampling: more than one thing changes from head to head. The tab “cost” says what each takes.
- **Attention shows where a token looks**, in one layer and as a mean over its attention heads. It does not explain the mask,
  which is a product made after it.
- **Filling in has a control.** Hidden pixels lie close to what is still seen of the hidden object, so that a blurred boundary
  alone puts a head above the control; only a share far above it says that something is completed.
- **The report’s figures are of other pictures.** Beside ours they say what order to look for, not what figure to reach.
"""
    )
