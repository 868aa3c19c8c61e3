"""What was found, in a sentence each, with the way to the pages behind it."""

import re
from types import ModuleType
from typing import Any

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
from dashboard.components import gallery
from dashboard.connection import Results, ResultsError
from dashboard.layout import Finding, Pages
from dashboard.views import notes
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

COLUMNS = 2
MOST_PROFILES = 4
WIDE_ROW, FEW_PX = 4, 132  # pictures that fill a card's width, and the width of each where there are fewer
INTERVAL = re.compile(r" \[[^\[\]()]{1,30}\]( %)?")
NO_BREAK = "\u00a0"
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
    cards = [(experiment, finding) for experiment, findings in answered.items() for finding in findings]
    for start in range(0, len(cards), COLUMNS):
        # Rows of their own, so that cards beside each other are equally high.
        for place, (column, (experiment, finding)) in enumerate(
            zip(streamlit.columns(COLUMNS, gap="medium"), cards[start:], strict=False), start
        ):
            with column.container(border=True, height="stretch", gap="small"):
                _finding(results, experiment, finding, pages[experiment.EXPERIMENT], f"finding_{place}")
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


def _finding(results: Results, experiment: ModuleType, finding: Finding, page: Any, key: str) -> None:
    streamlit.caption(experiment.QUESTION)
    streamlit.markdown(_unbroken(f"### {finding.sentence}\n\n{finding.detail}"))
    if finding.pictures:
        cells = max(len(row.cells) for row in finding.pictures)
        with streamlit.container(width="stretch" if cells >= WIDE_ROW else max(1, cells) * FEW_PX):  # so that few stay small
            gallery.show(finding.pictures, key, opacity=0.7, cell_width_rem=4, framed=False)
    if finding.report:
        streamlit.markdown(f":material/article: {finding.report[:1].upper()}{finding.report[1:]}")
    streamlit.caption(f"{layout.plain(finding.data)} · {finding.basis}")
    streamlit.space("stretch")  # what leads on stands at the same height in cards beside each other
    with streamlit.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        streamlit.page_link(page, label="Look closer", icon=":material/arrow_forward:", query_params=finding.view)
        notes.of_finding(results, experiment.EXPERIMENT, finding.data, finding.view)


def _unbroken(text: str) -> str:
    """Markdown in which no line breaks within an interval."""
    return INTERVAL.sub(lambda found: found.group().replace(" ", NO_BREAK), text)


def _pending(experiments: list[ModuleType]) -> None:
    """What has not run yet, the command that runs it, and what that costs."""
    streamlit.subheader("Not asked yet")
    for experiment in experiments:
        streamlit.markdown(experiment.QUESTION)
        streamlit.code(f"python -m compute run {experiment.EXPERIMENT} --profile mini", language="bash", wrap_lines=True)
        streamlit.caption(f"{experiment.COST[:1].upper()}{experiment.COST[1:]} {HARDWARE}.")
