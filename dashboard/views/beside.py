"""What the same experiment found on other data, in another profile or on a teammate's machine, beside what the page shows."""

from types import ModuleType

import streamlit

from dashboard import layout, links, queries
from dashboard.components import gallery
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.layout import Finding

RUNS_OF = {"wordnet_synsets": "imagenet_rn50_vs_clip"}  # pages that compare the runs of another experiment


@streamlit.fragment
@layout.errors_as_messages()
def of_page(results: Results, module: ModuleType, pages: layout.Pages) -> None:
    """A part that opens, below a page that has more than one data set or profile to show; nothing below any other.

    A fragment, filled only when it is open, as it takes all findings of the experiment; whether it is open is in the address.
    """
    experiment = getattr(module, "EXPERIMENT", "")
    if not experiment or choice_count(results, RUNS_OF.get(experiment, experiment)) < 2:
        return
    with streamlit.expander(
        "Beside other results", icon=":material/compare:", key="compare", on_change="rerun", bind="query-params"
    ) as opened:
        if opened.open:
            _beside(results, module, pages)


@kept
def choice_count(results: Results, experiment: str) -> int:
    """On how many data sets and in how many profiles an experiment ran; of one that needs no data, in how many profiles."""
    runs = queries.runs(results)
    own = runs[runs.experiment == experiment]
    if own.dataset.notna().any():
        own = own[own.dataset.notna()]
    return len(own.drop_duplicates(["dataset", "profile"]))


@kept
def findings_of(module: ModuleType, results: Results) -> list[Finding]:
    """The findings of an experiment, worked out once for each state of the results."""
    return module.findings(results)


def _beside(results: Results, module: ModuleType, pages: layout.Pages) -> None:
    with streamlit.spinner("Working out what was found elsewhere", show_time=True):
        found = {finding.data: finding for finding in findings_of(module, results)}
    shown = str(streamlit.session_state.get("data"))
    if shown not in found:
        shown = next(iter(found), shown)
    others = [label for label in found if label != shown]
    if not others:
        streamlit.caption("The other results of this experiment lack what its finding is made of.")
        return
    if streamlit.session_state.get("beside", others[0]) not in others:
        streamlit.session_state.pop("beside", None)  # what the page itself shows now, or what is of other results
    chosen = streamlit.selectbox("Beside what the page shows", others, key="beside", bind="query-params", width=420)
    profiles = list(queries.runs(results).profile.astype(str).unique())
    columns = streamlit.columns(2, gap="medium")
    for place, (column, label) in enumerate(zip(columns, (shown, chosen), strict=True)):
        with column.container(border=True, height="stretch", gap="small"):
            _finding(found[label], profile_of(label, profiles), f"beside_{place}")
            if place:
                view = found[label].view or {"data": label}
                page = pages[module.EXPERIMENT]
                streamlit.page_link(
                    page, label="Open this one", icon=":material/arrow_forward:", query_params=links.to(results, **view)
                )


def profile_of(label: str, profiles: list[str]) -> str | None:
    """The profile in a data set's label, which ends with it, or with it and the data set's key."""
    named = [part for part in label.split(" · ")[1:] if part in profiles]
    return named[-1] if named else None


def _finding(finding: Finding, profile: str | None, key: str) -> None:
    streamlit.caption(layout.plain(finding.data))
    streamlit.markdown(f"### {finding.sentence}")
    if finding.detail:
        streamlit.markdown(finding.detail)
    if finding.pictures:
        gallery.show(finding.pictures, key, opacity=0.7, cell_width_rem=5, framed=False)
    note = layout.profile_note(profile) if profile else ""
    streamlit.caption(finding.basis if note in finding.basis else f"{finding.basis} {note}")
