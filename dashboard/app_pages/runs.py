"""Every run: what was computed, when, where, from what."""

import json

import pandas
import streamlit

from dashboard import address, layout, links, queries
from dashboard.components import table
from dashboard.connection import Results
from dashboard.layout import Pages
from dashboard.views import notes, run_comparison

TITLE = "Runs"
SHORT_COMMIT = 10  # characters, as below every page


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        "Where does every figure come from?", "One row is one finished trial: a variant of an experiment with one seed."
    )
    runs = queries.runs(results)
    if runs.empty:
        streamlit.info("No trial has finished yet. Start with: python -m compute run --profile mini")
        return
    stems = sorted(map(str, runs.experiment.unique()))
    titles: dict[str, str] = {stem: pages[stem].title if stem in pages else stem for stem in stems}
    options: list[str] = ["all", *titles]

    def named(stem: str) -> str:
        return layout.as_label(titles.get(stem, stem))

    links.by_name("experiment", options, named)
    chosen = layout.choose_button("Experiment", options, "experiment", default="all", shown=named)
    shown = (runs if chosen == "all" else runs[runs.experiment == chosen]).reset_index(drop=True)
    columns = {
        "experiment": "Experiment",
        "variant": "Variant",
        "seed": "Seed",
        "profile": "Profile",
        "dataset_name": "Data",
        "started_at": "Started (UTC)",
        "seconds": "Seconds",
        "device": "Device",
        "git_commit": "Commit",
    }
    run_id = streamlit.query_params.get("run")
    formats = {"Seconds": "{:,.1f}"}
    named_rows = shown.assign(
        experiment=shown.experiment.map(titles),
        variant=shown.variant.astype(str).str.replace("_", " "),
        git_commit=shown.git_commit.str[:SHORT_COMMIT],
    )
    listed = named_rows[list(columns)].rename(columns=columns)
    table.show(listed, "run_table", formats, keys=shown.run_id.tolist(), picked=run_id, on_pick=_pick)
    layout.csv_button(shown, "runs")
    if run_id is None:
        streamlit.caption(f"{len(shown)} runs. Select one to see all that is known of it.")
    else:
        _details(results, runs, run_id)
    run_comparison.choose_and_show(results, runs)


def _pick(run_id: str) -> None:
    """Show a run, or, where it is the one that is shown, the list alone."""
    address.keep("run", None if streamlit.query_params.get("run") == run_id else run_id)


def _details(results: Results, runs: pandas.DataFrame, run_id: str) -> None:
    found = runs[runs.run_id == run_id]
    if found.empty:
        streamlit.warning(f"These results hold no run {layout.plain(run_id)}; shown instead: the list alone.")
        return
    run = found.iloc[0].to_dict()
    streamlit.subheader(f"Run {layout.plain(run_id)}")
    try:
        settings = json.loads(run.pop("settings"))
    except (TypeError, ValueError):
        settings = {}
    facts = {**run, **{f"setting: {name}": value for name, value in settings.items()}}
    rows = [(name.replace("_", " "), table.as_text(value)) for name, value in facts.items() if value is not None]
    layout.table(pandas.DataFrame(rows, columns=["What", "Value"]), "facts_of_the_run")
    notes.of_run(results, run_id, "runs")
