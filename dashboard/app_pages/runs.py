"""Every run: what was computed, when, where, from what."""

import json

import pandas
import streamlit

from dashboard import layout, queries
from dashboard.connection import Results
from dashboard.layout import Pages
from dashboard.views import run_comparison

TITLE = "Runs"


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        "Where does every figure come from?", "One row is one finished trial: a variant of an experiment with one seed."
    )
    runs = queries.runs(results)
    if runs.empty:
        streamlit.info("No trial has finished yet. Start with: python -m compute run --profile mini")
        return
    experiments = ["all", *sorted(runs.experiment.unique())]
    chosen = streamlit.segmented_control(
        "Experiment", experiments, default="all", required=True, key="experiment", bind="query-params"
    )
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
        "parameters": "Parameters",
        "git_commit": "Commit",
    }
    config = {
        "started_at": streamlit.column_config.DatetimeColumn(columns["started_at"], format="YYYY-MM-DD HH:mm"),
        "seconds": streamlit.column_config.NumberColumn(columns["seconds"], format="%.1f"),
        "parameters": streamlit.column_config.NumberColumn(columns["parameters"], format="localized"),
    }
    streamlit.dataframe(
        shown[list(columns)],
        column_config={name: config.get(name, label) for name, label in columns.items()},
        hide_index=True,
        on_select=_remember_row,
        selection_mode="single-row",
        key="run_table",
    )
    streamlit.session_state["shown_runs"] = shown.run_id.tolist()
    layout.csv_button(shown, "runs")
    run_id = streamlit.query_params.get("run")
    if run_id is None:
        streamlit.caption(f"{len(shown)} runs. Select one to see all that is known of it.")
    else:
        _details(runs, run_id)
    run_comparison.choose_and_show(results, runs)


def _remember_row() -> None:
    rows = streamlit.session_state["run_table"]["selection"]["rows"]
    run_ids = streamlit.session_state.get("shown_runs", [])
    if rows and rows[0] < len(run_ids):
        streamlit.query_params["run"] = run_ids[rows[0]]
    else:
        streamlit.query_params.pop("run", None)


def _details(runs: pandas.DataFrame, run_id: str) -> None:
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
    rows = [(name.replace("_", " "), str(value)) for name, value in facts.items() if value is not None]
    streamlit.table(pandas.DataFrame(rows, columns=["What", "Value"]), hide_index=True)
