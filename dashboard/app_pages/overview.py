"""What was found, in a sentence each, with the way to the pages behind it."""

from typing import Any

import streamlit

from dashboard import gallery, layout
from dashboard.app_pages import rn50_architectures, segmentation_metric, unet_skip_connections
from dashboard.connection import Results
from dashboard.layout import Finding, Pages

TITLE = "Overview"
EXPERIMENTS = (unet_skip_connections, segmentation_metric, rn50_architectures)


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        "Contrast",
        "Vision experiments side by side: two or more things on the *same* images, computed once, and here to be looked at, "
        "questioned and shared.",
    )
    for experiment in EXPERIMENTS:
        streamlit.subheader(experiment.QUESTION)
        findings = experiment.findings(results)
        if not findings:
            layout.not_run_yet(experiment.EXPERIMENT)
        columns = (
            streamlit.columns(max(2, len(findings)), gap="medium")
            if len(findings) < 4
            else [streamlit.container()] * len(findings)
        )
        for number, (finding, column) in enumerate(zip(findings, columns, strict=False)):
            with column.container(border=True, height="stretch"):
                _finding(finding, f"{experiment.EXPERIMENT}_{number}", pages[experiment.EXPERIMENT])


def _finding(finding: Finding, key: str, page: Any) -> None:
    streamlit.markdown(f"##### {finding.sentence}")
    if finding.pictures:
        gallery.show(finding.pictures, key, opacity=0.7, cell_width_rem=5, framed=False)
    streamlit.caption(f"{layout.plain(finding.data)} · {finding.basis}")
    streamlit.page_link(page, label="Look closer", icon=":material/arrow_forward:", query_params={"data": finding.data})
