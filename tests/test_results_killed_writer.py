"""A writer that dies at any moment leaves a complete file, and nothing in the way of the next one.

Run as a program, this file is the writer that dies.
"""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest

from compute import results as results_module
from compute.checks import CHECKS
from compute.connection import finished_trials
from compute.results import publish

ROOT = Path(__file__).resolve().parents[1]
Tables = dict[str, pandas.DataFrame]
KILLS = 12
STEPS_BEFORE_THE_FILE = ("copied", "inserted", "committed", "checkpointed", "flushed")
REPLACED = "replaced"


def die() -> None:
    os._exit(9)


class DyingConnection:
    """A DuckDB connection whose process ends right after one statement."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, last_statement: str) -> None:
        self.connection, self.last_statement = connection, last_statement

    def execute(self, statement: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        done = self.connection.execute(statement, *parameters)
        if statement.startswith(self.last_statement):
            die()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def dying_after(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> None:
        function(*arguments)
        die()

    return call


def die_once(step: str) -> None:
    """Have this process end without any clearing up when publish has done `step`."""
    statements = {"inserted": "INSERT INTO segmentation_score", "committed": "COMMIT", "checkpointed": "CHECKPOINT"}
    if step == "copied":
        results_module.copy_file = dying_after(results_module.copy_file)
    elif step == "flushed":
        results_module.os.replace = lambda *_: die()
    elif step == REPLACED:
        results_module.os.replace = dying_after(results_module.os.replace)
    elif step in statements:
        connect = results_module.connect

        @contextmanager
        def dying_connect(*arguments: Any, **options: Any) -> Iterator[DyingConnection]:
            with connect(*arguments, **options) as connection:
                yield DyingConnection(connection, statements[step])

        results_module.connect = dying_connect


def write_until_death(results: Path, images: Path, pickled: Path, step: str) -> None:
    trials: list[Tables] = pickle.loads(pickled.read_bytes())
    die_once(step)
    while True:
        for tables in trials:
            publish(results, images, tables)
            print(tables["run"].run_id.iloc[0], flush=True)


def start_writer(results: Path, images: Path, trials: list[Tables], step: str = "") -> subprocess.Popen:
    pickled = images.with_name("trials.pickle")
    pickled.write_bytes(pickle.dumps(trials))
    command = [sys.executable, __file__, str(results), str(images), str(pickled), step]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def complete_runs(results: Path, checked: set[str] = frozenset()) -> set[str]:
    """Runs in the file, after making sure that all rows of each are there and pass the checks, which `checked` did before."""
    with duckdb.connect(str(results), read_only=True) as connection:
        runs = {run_id for (run_id,) in connection.execute("SELECT run_id FROM run").fetchall()}
        for table, rows in (("segmentation_score", 4), ("foreground_score", 2), ("boundary_score", 4), ("training_step", 2)):
            found = dict(connection.execute(f"SELECT run_id, count(*) FROM {table} GROUP BY run_id").fetchall())
            assert found == dict.fromkeys(runs, rows)
        for complaint, offending in CHECKS:
            for parameters in [{"run_id": run_id} for run_id in runs - checked] if "$run_id" in offending else [None]:
                assert connection.execute(offending, parameters).fetchall() == [(0,)], complaint
    return runs


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ONLY_THE_FILE = [".results.duckdb.lock", "results.duckdb"]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "published").mkdir()
    return tmp_path / "published" / "results.duckdb"


def test_kills_at_varied_moments_lose_at_most_the_trial_in_flight(
    results: Path, tmp_path: Path, make_trial: Callable[..., Tables]
) -> None:
    images = tmp_path / "images"
    clock = time.perf_counter()
    publish(results, images, make_trial("first", "first"))
    publish(results, images, make_trial("second", "second"))
    publish_seconds = (time.perf_counter() - clock) / 2
    written = {"first", "second"}
    for kill in range(KILLS):
        writer = start_writer(results, images, [make_trial(f"{kill}-{n}", f"{kill}-{n}") for n in range(4)])
        acknowledged = writer.stdout.readline()
        time.sleep(publish_seconds * 1.5 * kill / KILLS)  # any moment will do; these are spread over a publish and a half
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.communicate()[0]
        assert writer.returncode == -signal.SIGKILL
        runs = complete_runs(results, written)
        written |= set(acknowledged.split())
        assert written <= runs <= {*written, *(f"{kill}-{n}" for n in range(4))}
        publish(results, images, make_trial(f"next-{kill}", f"next-{kill}"))
        written = {*runs, f"next-{kill}"}
        assert complete_runs(results, runs) == written
        assert files_in(results.parent) == ONLY_THE_FILE
    assert set(finished_trials(results)) == written


def die_while_publishing(results: Path, images: Path, tables: Tables, step: str) -> None:
    writer = start_writer(results, images, [tables], step)
    acknowledged, _ = writer.communicate(timeout=60)
    assert (writer.returncode, acknowledged) == (9, "")


@pytest.mark.parametrize("step", STEPS_BEFORE_THE_FILE)
def test_a_death_before_the_file_is_replaced_changes_nothing(
    results: Path, tmp_path: Path, make_trial: Callable[..., Tables], step: str
) -> None:
    images = tmp_path / "images"
    publish(results, images, make_trial("run-1", "trial-1"))
    before = results.read_bytes()
    die_while_publishing(results, images, make_trial("run-2", "trial-2"), step)
    assert results.read_bytes() == before
    assert complete_runs(results) == {"run-1"}
    assert ".results.duckdb.unfinished" in files_in(results.parent)
    publish(results, images, make_trial("run-3", "trial-3"))
    assert complete_runs(results) == {"run-1", "run-3"}
    assert files_in(results.parent) == ONLY_THE_FILE


@pytest.mark.parametrize("step", STEPS_BEFORE_THE_FILE[1:])
def test_a_death_before_there_is_a_file_leaves_none(
    results: Path, tmp_path: Path, make_trial: Callable[..., Tables], step: str
) -> None:
    die_while_publishing(results, tmp_path / "images", make_trial(), step)
    assert not results.exists()
    assert finished_trials(results) == {}
    publish(results, tmp_path / "images", make_trial("run-2", "trial-2"))
    assert complete_runs(results) == {"run-2"}
    assert files_in(results.parent) == ONLY_THE_FILE


def test_a_death_right_after_the_file_is_replaced_keeps_the_trial(
    results: Path, tmp_path: Path, make_trial: Callable[..., Tables]
) -> None:
    images = tmp_path / "images"
    publish(results, images, make_trial("run-1", "trial-1"))
    die_while_publishing(results, images, make_trial("run-2", "trial-2"), REPLACED)
    assert complete_runs(results) == {"run-1", "run-2"}
    publish(results, images, make_trial("run-3", "trial-3"))
    assert complete_runs(results) == {"run-1", "run-2", "run-3"}
    assert files_in(results.parent) == ONLY_THE_FILE


if __name__ == "__main__":
    write_until_death(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
