"""What was found, in a sentence each, with the way to the pages behind it."""

from types import ModuleType
from typing import Any

import streamlit

from dashboard import layout
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
from dashboard.connection import Results
from dashboard.layout import Finding, Pages

TITLE = "Overview"
EXPERIMENTS = (
    unet_skip_connections,
    segmentation_metric,
    segmentation_decoder_heads,
    rn50_architectures,
    imagenet_rn50_vs_clip,
    wordnet_synsets,
    fp32_vs_fp16,
    caption_sampling,
    image_text_retrieval,
)

COLUMNS = 2


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        "Contrast",
        "Vision experiments side by side: two or more things on the *same* images, computed once, and here to be looked at, "
        "questioned and shared.",
    )
    answered = {experiment: experiment.findings(results) for experiment in EXPERIMENTS}
    cards = [(experiment, finding) for experiment, findings in answered.items() for finding in findings]
    for start in range(0, len(cards), COLUMNS):
        # Rows of their own, so that cards beside each other are equally high.
        for column, (experiment, finding) in zip(streamlit.columns(COLUMNS, gap="medium"), cards[start:], strict=False):
            with column.container(border=True, height="stretch"):
                _finding(experiment, finding, pages[experiment.EXPERIMENT], f"finding_{start}_{experiment.EXPERIMENT}")
    if pending := [experiment for experiment, findings in answered.items() if not findings]:
        _pending(pending)


def _finding(experiment: ModuleType, finding: Finding, page: Any, key: str) -> None:
    streamlit.caption(experiment.QUESTION)
    streamlit.markdown(f"##### {finding.sentence}")
    if finding.pictures:
        gallery.show(finding.pictures, key, opacity=0.7, cell_width_rem=5, framed=False)
    streamlit.caption(f"{layout.plain(finding.data)} · {finding.basis}")
    streamlit.page_link(page, label="Look closer", icon=":material/arrow_forward:", query_params={"data": finding.data})


def _pending(experiments: list[ModuleType]) -> None:
    """What has not run yet, and the command that runs it."""
    streamlit.subheader("Not asked yet")
    for experiment in experiments:
        streamlit.markdown(experiment.QUESTION)
        streamlit.code(f"python -m compute run {experiment.EXPERIMENT} --profile mini", language="bash")
