"""What was found, in a sentence each, with the way to the pages behind it."""

from types import ModuleType

import streamlit

from dashboard import layout, queries, saving
from dashboard.app_pages import (
    caption_sampling,
    fp32_vs_fp16,
    image_text_retrieval,
    imagenet_rn50_vs_clip,
    rn50_architectures,
    segmentation_decoder_heads,
    segmentation_metric,
    unet_skip_connections,
    wordnet_synsets,
)
from dashboard.connection import Results, ResultsError
from dashboard.layout import Finding, Pages
from dashboard.views import finding_cards, notes
from dashboard.views.beside import findings_of

TITLE = "Overview"
EXPERIMENTS = (
    unet_skip_connections,
    segmentation_metric,
    segmentation_decoder_heads,
    imagenet_rn50_vs_clip,
    rn50_architectures,  # beside another without pictures
    wordnet_synsets,
    fp32_vs_fp16,
    caption_sampling,
    image_text_retrieval,
)

MOST_PROFILES = 4
HARDWARE = "on two processor cores, without any download"


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        "Contrast",
        "Vision experiments side by side: two or more things on the *same* images, computed once, and here to be looked at, "
        "questioned and shared.",
    )
    answered, problems = _answers(results)
    if told := _profiles(results):
        streamlit.caption(told)
    saving.report_button(results)
    finding_cards.show(
        results,
        {
            notes.finding_name(experiment.EXPERIMENT, finding.data): (experiment, finding)
            for experiment, findings in answered.items()
            for finding in findings
        },
        pages,
    )
    for problem in problems:
        streamlit.error(layout.plain(problem, longest=1000))
    if pending := [experiment for experiment, findings in answered.items() if not findings]:
        _pending(pending)


def _answers(results: Results) -> tuple[dict[ModuleType, list[Finding]], list[str]]:
    """The findings of each experiment that could be asked, and, each once, why others could not."""
    answered, problems = {}, []
    for experiment in EXPERIMENTS:
        try:
            answered[experiment] = findings_of(experiment, results)
        except ResultsError as error:  # of one experiment; the others are shown all the same
            problems.append(str(error))
    return answered, list(dict.fromkeys(problems))


def _profiles(results: Results) -> str:
    """What the figures of the profiles that ran are worth, in Markdown, and how an interval is written."""
    ran = sorted(set(queries.runs(results).profile.astype(str)))[:MOST_PROFILES]
    intervals = "In brackets stand 95 % intervals; where one holds zero, nothing was shown."
    return " ".join([*map(layout.profile_note, ran), intervals]) if ran else ""


def _pending(experiments: list[ModuleType]) -> None:
    """What has not run yet, the command that runs it, and what that costs."""
    streamlit.subheader("Not asked yet")
    for experiment in experiments:
        streamlit.markdown(experiment.QUESTION)
        streamlit.code(f"python -m compute run {experiment.EXPERIMENT} --profile mini", language="bash", wrap_lines=True)
        streamlit.caption(f"{experiment.COST[:1].upper()}{experiment.COST[1:]} {HARDWARE}.")
