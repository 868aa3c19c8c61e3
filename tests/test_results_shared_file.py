"""Readers while a writer publishes, and two writers at once.

Run as a program, this file is the other reader or writer.
"""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas

from compute.connection import finished_trials
from compute.results import publish
from dashboard.connection import open_results
from dashboard.queries import runs

ROOT = Path(__file__).resolve().parents[1]
Tables = dict[str, pandas.DataFrame]
TRIALS = 20
COUNTED = ("run", "segmentation_score", "foreground_score", "training_step")
COUNTS = "SELECT " + ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in COUNTED)


def read_until_told(results: Path, images: Path, stop: Path) -> None:
    """Look at the file again and again; the last look begins after `stop` is there. Prints each look's counts, or its error."""
    last = False
    while not last:
        last = stop.exists()
        try:
            opened = open_results(results, images)
            look = {**opened.query(COUNTS).iloc[0].to_dict(), "listed": len(runs(opened)), "identity": opened.identity}
        except Exception as error:
            look = {"error": repr(error)}
        print(json.dumps(look), flush=True)


def write_when_told(results: Path, images: Path, pickled: Path) -> None:
    trials: list[Tables] = pickle.loads(pickled.read_bytes())
    print("ready", flush=True)
    sys.stdin.readline()
    for tables in trials:
        publish(results, images, tables)


def start(role: str, results: Path, images: Path, extra: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, role, str(results), str(images), str(extra)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_reader_sees_no_error_and_no_half_trial_while_trials_are_published(
    tiny_results: tuple[Path, Path], tmp_path: Path, make_trial: Callable[..., Tables]
) -> None:
    results, images = tiny_results
    trials = [make_trial(f"run-{number}", f"trial-{number}") for number in range(2, TRIALS + 2)]
    reader = start("read", results, images, tmp_path / "stop")
    looks = [json.loads(reader.stdout.readline())]
    for tables in trials:
        publish(results, images, tables)
    (tmp_path / "stop").touch()
    looks += [json.loads(line) for line in reader.communicate(timeout=60)[0].splitlines()]
    assert [look["error"] for look in looks if "error" in look] == []
    for look in looks:
        assert look["segmentation_score"] == 4 * look["run"]
        assert (look["foreground_score"], look["training_step"], look["listed"]) == (2 * look["run"],) * 2 + (look["run"],)
    seen = [look["run"] for look in looks]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (1, TRIALS + 1)
    assert looks[0]["identity"] != looks[-1]["identity"]


def test_a_reader_keeps_the_state_that_it_opened(tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]) -> None:
    results, images = tiny_results
    before = open_results(results, images)
    publish(results, images, make_trial("run-2", "trial-2"))
    after = open_results(results, images)
    assert [len(runs(opened)) for opened in (before, after, before)] == [1, 2, 1]
    assert before.identity != after.identity


def test_two_writers_at_once_lose_nothing(tmp_path: Path, make_trial: Callable[..., Tables]) -> None:
    results, images = tmp_path / "published" / "results.duckdb", tmp_path / "images"
    writers, expected = [], {}
    for name in ("a", "b"):
        keys = {f"trial-{name}{number}": f"run-{name}{number}" for number in range(6)}
        # Both also run one and the same trial.
        trials = [make_trial(run_id, key) for key, run_id in keys.items()] + [make_trial(f"same-{name}", "same")]
        (tmp_path / name).write_bytes(pickle.dumps(trials))
        writers.append(start("write", results, images, tmp_path / name))
        expected |= keys
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    found = finished_trials(results)
    assert found.pop("same") in ("same-a", "same-b")
    assert found == expected
    assert sorted(path.name for path in results.parent.iterdir()) == [".results.duckdb.lock", "results.duckdb"]
    assert len(list((images / "runs").iterdir())) == 13


if __name__ == "__main__":
    role, arguments = sys.argv[1], [Path(argument) for argument in sys.argv[2:]]
    {"read": read_until_told, "write": write_when_told}[role](*arguments)
