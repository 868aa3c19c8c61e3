"""Any two runs beside each other: what differs in how they came about, and their key figures."""

import json
import math
import re
from typing import Any

import pandas
import streamlit

from dashboard import layout, queries_comparison
from dashboard.connection import Results

HASH = re.compile("[0-9a-f]{64}")
LEFT_OUT = ("settings", "dataset", "trial_key")  # told one by one, by its name, and not meant for people
LONGEST_PART, LONGEST_VALUE, DEEPEST = 60, 200, 4
NAMES = {
    "git_commit": "commit",
    "weights_sha256": "SHA-256 of the weights",
    "dataset_name": "data",
    "started_at": "started (UTC)",
}


@streamlit.fragment
@layout.errors_as_messages()
def choose_and_show(results: Results, runs: pandas.DataFrame) -> None:
    """Let a person choose any two of `runs`, and show them beside each other; a fragment, so that it redraws itself alone."""
    streamlit.subheader("Two runs beside each other")
    labels = run_labels(runs)
    for key in ("first", "second"):
        if streamlit.session_state.get(key, labels[0]) not in labels:
            streamlit.session_state.pop(key, None)  # of other results
    chosen = [
        column.selectbox(f"{key.capitalize()} run", labels, None, key=key, placeholder="Type to search", bind="query-params")
        for column, key in zip(streamlit.columns(2), ("first", "second"), strict=True)
    ]
    if None in chosen:
        streamlit.caption("Choose two, of this machine or merged from another one, to see what differs between them.")
        return
    first, second = (runs.iloc[labels.index(str(label))] for label in chosen)
    if first.run_id == second.run_id:
        streamlit.info("These are one and the same run.")
        return
    _differences(first, second)
    if first.experiment == second.experiment:
        _figures(results, first, second)
    else:
        streamlit.caption("They are of two experiments, so their figures do not compare.")


def run_labels(runs: pandas.DataFrame) -> list[str]:
    """Experiment, variant, seed, profile and date of each run, with its run_id where that is not enough."""
    labels = [
        " · ".join(
            str(part)[:LONGEST_PART]
            for part in (run.experiment, run.variant, f"seed {run.seed}", run.profile, _date(run.started_at))
        )
        for run in runs.itertuples()
    ]
    return [f"{label} · {key}" if labels.count(label) > 1 else label for label, key in zip(labels, runs.run_id, strict=True)]


def _date(started_at: Any) -> str:
    return "no date" if pandas.isna(started_at) else f"{started_at:%Y-%m-%d %H:%M}"


def facts(run: pandas.Series) -> dict[str, str]:
    """All that is known of a run, in words: its row, and each of its settings."""
    told = {NAMES.get(name, str(name).replace("_", " ")): value for name, value in run.items() if name not in LEFT_OUT}
    try:
        settings = json.loads(run.settings)
    except (TypeError, ValueError):
        settings = {}
    return {name: _text(value) for name, value in (told | _flat(settings, "setting")).items()}


def _flat(value: Any, name: str, depth: int = 0) -> dict[str, Any]:
    """Settings that hold settings, one by one."""
    if not isinstance(value, dict) or depth == DEEPEST:
        return {name: json.dumps(value) if isinstance(value, list | dict) else value}
    found: dict[str, Any] = {}
    for key, part in value.items():
        found |= _flat(part, f"{name}: {str(key).replace('_', ' ')[:LONGEST_PART]}", depth + 1)
    return found


def _text(value: Any) -> str:
    if value is None or value is pandas.NaT or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, pandas.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)[:LONGEST_VALUE]
    return f"{text[:16]}…" if HASH.fullmatch(text) else text


def _differences(first: pandas.Series, second: pandas.Series) -> None:
    a, b = facts(first), facts(second)
    names = list(dict.fromkeys([*a, *b]))
    rows = [(name, a.get(name, "–"), b.get(name, "–")) for name in names if a.get(name, "–") != b.get(name, "–")]
    table = pandas.DataFrame(rows, columns=["What differs", "First run", "Second run"])
    layout.table(table, "differing_settings")
    streamlit.caption(f"{len(names) - len(rows)} other settings and facts are the same in both.")
    layout.csv_button(table, "runs_differences")


def _figures(results: Results, first: pandas.Series, second: pandas.Series) -> None:
    found = queries_comparison.key_figures(results, first.run_id, second.run_id)
    if found.empty:
        streamlit.caption("Neither run left figures that compare.")
        return
    texts = [
        (
            row.figure,
            layout.number(row.first, int(row.digits)),
            layout.number(row.second, int(row.digits)),
            _change(row.second - row.first, int(row.digits)),
        )
        for row in found.itertuples()
    ]
    table = pandas.DataFrame(texts, columns=["Figure", "First run", "Second run", "Second minus first"])
    layout.table(table, "figures_of_both")
    both, of_first, of_second = queries_comparison.pictures_in_common(results, first.run_id, second.run_id)
    told = f"{both} pictures in common, of {of_first} in the first run and {of_second} in the second. " if both else ""
    streamlit.caption(f"{told}Single figures, without intervals; the experiment’s page has those.")
    layout.csv_button(found.drop(columns="digits"), "runs_figures")


def _change(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{round(value, digits) + 0.0:+.{digits}f}"  # + 0.0: zero has no minus
