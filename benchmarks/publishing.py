"""What one more trial costs in a results file of any size: its parts, the memory, and the holes that it leaves.

Command: python -m benchmarks.publishing [--sizes IMAGES ...]

The files are those of `python -m benchmarks.large_results` with so many pictures. A small trial is a U-Net of the published
results; a large one is a classifier's, with 1000 outputs for each of the file's generated pictures. Every repetition adds to a
fresh copy of the file. Exit code 1 where a trial takes longer than its goal.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks.imagenet_results import PROFILE
from benchmarks.large_results import write_large_results
from benchmarks.sessions import MEBIBYTE
from compute import results as results_module
from compute.results import Tables, publish
from compute.schema import OWNER, SHARED, TABLES

SIZES = (500, 5_000, 50_000)
REPETITIONS, MORE_TRIALS = 3, 20
SMALL, LARGE = "small: a U-Net", "large: a classifier"
LONGEST_S = {SMALL: 2.0, LARGE: 10.0}
PARTS = ("copy", "open", "insert", "check", "commit", "checkpoint", "flush", "replace")
OF_CLASSES = ("dataset", "image", "synset", "synset_parent", "synset_leaf", "word_sense")
OF_STREETS = ("dataset", "image", "segmentation_class")


def trial_in(results: Path, experiment: str, variant: str, shared: Sequence[str], profile: str = "%") -> Tables:
    """The rows of a trial of the file, with those of the tables `shared` that runs on its data set bring along."""
    with duckdb.connect(str(results), read_only=True) as connection:
        run_id, dataset = connection.execute(
            "SELECT run_id, dataset FROM run WHERE experiment = ? AND variant = ? AND profile LIKE ? ORDER BY seed LIMIT 1",
            [experiment, variant, profile],
        ).fetchall()[0]
        tables: dict[str, Any] = {}
        for table, columns in TABLES.items():
            if table in shared:
                which, asked = ("WHERE dataset = ?", [dataset]) if "dataset VARCHAR" in columns else ("", [])
            elif "run_id" in columns and table not in SHARED:
                which, asked = f"WHERE {OWNER.get(table, 'run_id')} = ?", [run_id]
            else:
                continue
            rows = connection.sql(f"FROM {table} {which}", params=asked).to_arrow_table()
            if len(rows):
                tables[table] = rows.to_pandas() if table in ("run", *shared) else rows
    return tables


def renamed(tables: Tables, run_id: str, seed: int) -> Tables:
    """The same trial under another id and seed, and so another trial."""
    made: dict[str, Any] = {"run": tables["run"].assign(run_id=run_id, trial_key=run_id, seed=seed)}
    for table, rows in tables.items():
        owner = OWNER.get(table, "run_id")
        if table != "run" and table not in SHARED:
            place = rows.column_names.index(owner)
            made[table] = rows.set_column(place, owner, [[run_id] * len(rows)])
    return {**tables, **made}


@dataclass(frozen=True)
class Cost:
    """Seconds of publishing in all and by PARTS, and MiB that it took above what the process held."""

    seconds: float
    parts: dict[str, float]
    mebibytes: float


class _Timed:
    """A connection that notes how long its statements take."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, note: Callable[..., Any]) -> None:
        self._connection, self._note = connection, note

    def execute(self, statement: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        part = statement.split(maxsplit=1)[0].lower()
        if part not in ("commit", "checkpoint"):  # others are within a part already
            return self._connection.execute(statement, *parameters)
        return self._note(part, self._connection.execute, statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def cost_of(results: Path, images: Path, tables: Tables) -> Cost:
    """Publish a trial, and say what it took."""
    seconds: dict[str, float] = defaultdict(float)

    def note(part: str, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        clock = time.perf_counter()
        try:
            return call(*given, **named)
        finally:
            seconds[part] += time.perf_counter() - clock

    connect = results_module.connect

    @contextmanager
    def timed_connect(*given: Any, **named: Any) -> Iterator[Any]:
        opened = connect(*given, **named)
        connection = note("open", opened.__enter__)
        try:
            yield _Timed(connection, note)
        finally:
            opened.__exit__(None, None, None)

    wrapped: dict[str, tuple[Any, str]] = {
        "copy": (results_module, "copy_file"),
        "insert": (results_module, "_insert"),
        "check": (results_module, "_check"),
        "flush": (results_module, "_flush"),
        "replace": (os, "replace"),
    }
    with ExitStack() as patches:
        for part, (module, name) in wrapped.items():
            call = getattr(module, name)
            noted = lambda *given, part=part, call=call, **named: note(part, call, *given, **named)  # noqa: E731
            patches.enter_context(patch.object(module, name, noted))
        patches.enter_context(patch.object(results_module, "connect", timed_connect))
        before = _reset_peak()
        clock = time.perf_counter()
        publish(results, images, tables)
        total = time.perf_counter() - clock
    parts = {part: seconds[part] for part in PARTS}
    return Cost(total, parts | {"rest": total - sum(parts.values())}, _peak() - before)


def _reset_peak() -> float:
    """Forget the most memory that this process held; gives what it holds, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return int(status["VmHWM"].split()[0]) * 1024 / MEBIBYTE


def costs(results: Path, images: Path, trial: Tables, folder: Path, repetitions: int = REPETITIONS) -> Cost:
    """The medians of adding a trial to fresh copies of the file, which lie in `folder`."""
    found = []
    for number in range(repetitions):
        copy = folder / "copy.duckdb"
        shutil.copyfile(results, copy)
        found.append(cost_of(copy, images, renamed(trial, f"benchmark{number}", 1000 + number)))
    parts = {part: statistics.median(cost.parts[part] for cost in found) for part in found[0].parts}
    seconds = statistics.median(cost.seconds for cost in found)
    return Cost(seconds, parts, max(cost.mebibytes for cost in found))


def holes(results: Path, images: Path, trial: Tables, folder: Path, count: int, is_new: bool) -> tuple[int, int]:
    """Bytes of the file after `count` publishes of a trial, and of these in holes; each a new trial, or the same one again."""
    copy = folder / "holes.duckdb"
    shutil.copyfile(results, copy)
    for number in range(count):
        publish(copy, images, renamed(trial, f"benchmark{number if is_new else 0}", 1000 + number))
    with duckdb.connect(str(copy), read_only=True) as connection:
        rows = connection.execute("SELECT block_size * free_blocks FROM pragma_database_size()").fetchall()
    size = copy.stat().st_size
    copy.unlink()
    return size, int(rows[0][0])


def small_trial(results: Path) -> Tables:
    """A U-Net's rows."""
    return trial_in(results, "unet_skip_connections", "skip", OF_STREETS)


def large_trial(results: Path) -> Tables:
    """The rows of a classifier that answered for the generated pictures."""
    return trial_in(results, "imagenet_rn50_vs_clip", "rn50", OF_CLASSES, PROFILE)


def main() -> int:
    """Measure and print the tables; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    given = parser.parse_args()
    table = Table("Pictures", "File", "Trial", *(f"{part}" for part in (*PARTS, "rest")), "In all", "Goal", "Memory")
    table.title = "Publishing one more trial, seconds by part"
    left = Table("Pictures", "File", f"{MORE_TRIALS} small trials more", "a large one again, and again")
    left.title = "Size of the file, and of this in holes"
    missed = 0
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="publishing-") as temporary:
            folder = Path(temporary)
            results, images = write_large_results(folder, size)
            trials = {SMALL: small_trial(results), LARGE: large_trial(results)}
            megabytes = f"{results.stat().st_size / 1e6:,.0f} MB"
            for name, trial in trials.items():
                cost = costs(results, images, trial, folder)
                missed += cost.seconds > LONGEST_S[name]
                parts = [f"{seconds:.2f}" for seconds in cost.parts.values()]
                goal = f"{LONGEST_S[name]:.0f} s"
                row = (f"{size:,}", megabytes, name, *parts, f"{cost.seconds:.2f} s", goal, f"{cost.mebibytes:,.0f} MiB")
                table.add_row(*row)
            small = holes(results, images, trials[SMALL], folder, MORE_TRIALS, is_new=True)
            large = holes(results, images, trials[LARGE], folder, 3, is_new=False)
            told = [f"{whole / 1e6:,.1f} MB, {free / 1e6:,.1f} MB in holes" for whole, free in (small, large)]
            left.add_row(f"{size:,}", megabytes, *told)
    table.caption = f"Medians of {REPETITIONS}. Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table, left)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
