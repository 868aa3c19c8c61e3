"""Trials that do no work: which are run, in which order they fail, and what is kept."""

import dataclasses
import io
import json
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
import torch
from rich.console import Console

from compute.connection import ResultsError, finished_trials
from compute.data.errors import DataError
from compute.data.street_pairs import PairsSource
from compute.trials import Outcome, Trial, TrialRows, Workbench, run_trials

Run = Callable[[Trial, Workbench], TrialRows]


@dataclasses.dataclass(frozen=True)
class FakeSettings:
    width: int = 3
    rate: float = 0.5


# Its key in the tables is tiny-ffffffff, as in the rows that make_trial gives.
SOURCE = PairsSource("tiny", Path("nowhere"), "palette", (("1.jpg",), ("1.jpg", "2.jpg")), "f" * 64, "drawn by a test", "CC0")


class Workshop:
    """Runs fake trials into a results file, and remembers which were run."""

    def __init__(self, folder: Path, make_trial: Callable[..., dict[str, pandas.DataFrame]]) -> None:
        self.results, self.images, self.cache = folder / "results.duckdb", folder / "images", folder / "cache"
        self.make_trial, self.started, self.shown = make_trial, [], ""

    def trial(self, variant: str, run: Run | None = None) -> Trial:
        def start(trial: Trial, bench: Workbench) -> TrialRows:
            self.started.append(trial.variant)
            return (run or self.work)(trial, bench)

        return Trial("fake_experiment", variant, "mini", 5, 1, FakeSettings(), SOURCE, start)

    def work(self, trial: Trial, bench: Workbench) -> TrialRows:
        bench.report(1, 2, "half way")
        tables = self.make_trial(bench.run_id, trial.key)
        del tables["run"]
        return TrialRows(tables, weights="none at all", weights_sha256="d" * 64, parameters=12)

    def run(self, *trials: Trial, force: bool = False) -> Outcome:
        shown = io.StringIO()
        try:
            return run_trials(
                trials, self.results, self.images, self.cache, torch.device("cpu"), force, Console(file=shown, width=200)
            )
        finally:
            self.shown = shown.getvalue()

    def finished(self) -> dict[str, str]:
        return finished_trials(self.results)

    def pictures_of_runs(self) -> set[str]:
        return {path.name for path in (self.images / "runs").iterdir()}


@pytest.fixture
def workshop(tmp_path: Path, make_trial: Callable[..., dict[str, pandas.DataFrame]]) -> Workshop:
    return Workshop(tmp_path, make_trial)


def test_trials_run_in_their_order_and_are_kept(workshop: Workshop) -> None:
    trials = [workshop.trial(variant) for variant in ("c", "a", "b")]
    assert workshop.run(*trials) == Outcome(finished=3, already_there=0, failed=(), interrupted=False)
    assert workshop.started == ["c", "a", "b"]
    assert workshop.finished() == {trial.key: trial.key[:12] for trial in trials}
    assert workshop.pictures_of_runs() == {trial.key[:12] for trial in trials}


def test_finished_trials_are_not_run_again(workshop: Workshop) -> None:
    first, second = workshop.trial("first"), workshop.trial("second")
    workshop.run(first)
    before = workshop.results.read_bytes()
    assert workshop.run(first) == Outcome(finished=0, already_there=1, failed=(), interrupted=False)
    assert workshop.results.read_bytes() == before
    assert workshop.run(first, second) == Outcome(finished=1, already_there=1, failed=(), interrupted=False)
    assert workshop.started == ["first", "second"]


def test_force_runs_finished_trials_again_and_replaces_them(workshop: Workshop) -> None:
    forced, other = workshop.trial("forced"), workshop.trial("other")
    workshop.run(forced, other)
    run_ids = [workshop.finished()[forced.key]]
    for _ in range(2):
        assert workshop.run(forced, force=True) == Outcome(finished=1, already_there=0, failed=(), interrupted=False)
        run_ids.append(workshop.finished()[forced.key])
        assert set(workshop.finished()) == {forced.key, other.key}
        assert workshop.pictures_of_runs() == {run_ids[-1], other.key[:12]}
    assert run_ids == [forced.key[:12], f"{forced.key[:12]}-2", forced.key[:12]]


def _fail_with(error: BaseException) -> Run:
    def run(_trial: Trial, _bench: Workbench) -> TrialRows:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (DataError("pairs/train: holds no pictures."), "pairs/train: holds no pictures."),
        (ResultsError("results: [locked]."), "results: [locked]."),
        (OSError(28, "No space left on device", "images/1.png"), "images/1.png: No space left on device. Make room on its"),
        (torch.OutOfMemoryError("17 GiB"), "cpu ran out of memory"),
        (ZeroDivisionError("by [zero]"), "Traceback (most recent call last):"),
    ],
)
def test_a_failing_trial_is_shown_and_does_not_stop_the_others(workshop: Workshop, error: Exception, shown: str) -> None:
    good = [workshop.trial("before"), workshop.trial("after")]
    bad = workshop.trial("bad", _fail_with(error))
    outcome = workshop.run(good[0], bad, good[1])
    assert outcome == Outcome(finished=2, already_there=0, failed=("fake_experiment · bad · seed 5",), interrupted=False)
    assert set(workshop.finished()) == {trial.key for trial in good}
    assert f"fake_experiment · bad · seed 5 failed: {shown}" in workshop.shown
    assert ("ZeroDivisionError: by [zero]" in workshop.shown) == isinstance(error, ZeroDivisionError)


def test_a_trial_whose_rows_fail_a_check_is_reported_and_can_be_run_again(workshop: Workshop) -> None:
    def impossible(trial: Trial, bench: Workbench) -> TrialRows:
        rows = workshop.work(trial, bench)
        rows.tables["segmentation_score"]["intersection"] = 99
        return rows

    outcome = workshop.run(workshop.trial("a", impossible), workshop.trial("b"))
    assert (outcome.finished, outcome.failed) == (1, ("fake_experiment · a · seed 5",))
    assert "segmentation_score: intersection must be 0 to the smaller of predicted and truth" in workshop.shown
    assert workshop.run(workshop.trial("a")).finished == 1


def test_an_interrupt_keeps_what_was_finished(workshop: Workshop) -> None:
    first, second, third = workshop.trial("1"), workshop.trial("2", _fail_with(KeyboardInterrupt())), workshop.trial("3")
    assert workshop.run(first, second, third) == Outcome(finished=1, already_there=0, failed=(), interrupted=True)
    assert workshop.started == ["1", "2"]
    assert list(workshop.finished()) == [first.key]
    outcome = workshop.run(first, workshop.trial("2"), third)
    assert outcome == Outcome(finished=2, already_there=1, failed=(), interrupted=False)
    assert workshop.started == ["1", "2", "2", "3"]


def test_an_unusable_results_file_is_refused_before_any_trial_runs(workshop: Workshop) -> None:
    workshop.results.write_text("no database")
    with pytest.raises(ResultsError, match="is no readable DuckDB file"):
        workshop.run(workshop.trial("a"))
    assert workshop.started == []


def test_warnings_of_a_trial_are_shown_and_only_there(workshop: Workshop) -> None:
    def warn(trial: Trial, bench: Workbench) -> TrialRows:
        warnings.warn("train/[7].jpg: skipped", stacklevel=2)
        return workshop.work(trial, bench)

    with warnings.catch_warnings(record=True) as outside:
        warnings.simplefilter("always")
        workshop.run(workshop.trial("a", warn))
        warnings.warn("later", stacklevel=1)
    assert "train/[7].jpg: skipped" in workshop.shown
    assert [str(warning.message) for warning in outside] == ["later"]


def test_the_row_of_a_run_tells_where_it_comes_from(workshop: Workshop) -> None:
    before = datetime.now(UTC).replace(tzinfo=None)
    trial = workshop.trial("a")
    workshop.run(trial)
    with duckdb.connect(str(workshop.results), read_only=True) as connection:
        row = connection.execute("FROM run").df().to_dict("records")[0]
    in_a_clone = (Path(__file__).resolve().parents[1] / ".git").exists()
    assert [name for name, value in row.items() if pandas.isna(value) or value == ""] == ([] if in_a_clone else ["git_commit"])
    assert json.loads(row["settings"]) == {"width": 3, "rate": 0.5, "version": 1}
    assert timedelta(0) <= row["started_at"].to_pydatetime() - before < timedelta(minutes=5)
    assert 0 < row["seconds"] < 300
    expected: dict[str, Any] = {
        "run_id": trial.key[:12],
        "trial_key": trial.key,
        "experiment": "fake_experiment",
        "variant": "a",
        "profile": "mini",
        "seed": 5,
        "dataset": "tiny-ffffffff",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "weights": "none at all",
        "weights_sha256": "d" * 64,
        "data_fingerprint": "f" * 64,
        "parameters": 12,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["device"].startswith("CPU ")
    assert not in_a_clone or re.fullmatch("[0-9a-f]{40}( with changes)?", row["git_commit"])


@pytest.mark.parametrize(
    "changed",
    [
        {"experiment": "another"},
        {"variant": "another"},
        {"profile": "gpu"},
        {"seed": 6},
        {"version": 2},
        {"settings": FakeSettings(width=4)},
        {"settings": FakeSettings(rate=0.25)},
        {"data": dataclasses.replace(SOURCE, fingerprint="e" * 64)},
    ],
)
def test_a_trial_is_another_where_anything_changed_that_decides_its_rows(workshop: Workshop, changed: dict[str, Any]) -> None:
    trial = workshop.trial("a")
    other = dataclasses.replace(trial, **changed)
    assert trial.key != other.key
    workshop.run(trial)
    assert workshop.run(other).already_there == 0


def test_a_trial_stays_the_same_on_data_that_was_only_moved(workshop: Workshop) -> None:
    trial = workshop.trial("a")
    moved = dataclasses.replace(trial, data=dataclasses.replace(SOURCE, directory=Path("elsewhere"), name="renamed"))
    assert trial.key == moved.key == dataclasses.replace(trial, run=workshop.work).key
