"""What was found, in a sentence each, with the way to the pages behind it."""

import streamlit

from dashboard import layout
from dashboard.app_pages import segmentation_metric, unet_skip_connections
from dashboard.layout import Pages
from dashboard.queries import Results

TITLE = "Overview"
EXPERIMENTS = (unet_skip_connections, segmentation_metric)


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        "Contrast",
        "Vision experiments side by side: two or more things on the *same* images, computed once, and here to be looked at, questioned and shared.",
    )
    for experiment in EXPERIMENTS:
        streamlit.subheader(experiment.QUESTION)
        findings = experiment.findings(results)
        if not findings:
            layout.not_run_yet(experiment.EXPERIMENT)
        for finding in findings:
            with streamlit.container(border=True):
                streamlit.markdown(finding.sentence)
                streamlit.caption(finding.basis)
                streamlit.page_link(
                    pages[experiment.EXPERIMENT],
                    label="Look at it",
                    icon=":material/arrow_forward:",
                    query_params=finding.query,
                )
