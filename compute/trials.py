"""Runs trials: skips what is finished, shows progress, publishes each as it ends.

Where a trial's function runs is the engine's business: in this process one after the other, or anywhere else. All else is here.
"""

import functools
import hashlib
import itertools
import json
import os
import platform
import subprocess
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import torch
from rich.console import Console
from rich.progress import Progress

from compute import awake, predictions, results
from compute.connection import finished_trials
from compute.console import bar_columns, bar_report, explained, shown, shown_warnings
from compute.data.errors import DataError
from compute.unfinished import remove_leftovers

Report = Callable[[int, int, str], None]
Tables = dict[str, pandas.DataFrame | pyarrow.Table]


@dataclass(frozen=True)
class Workbench:
    """What a trial function is given to work with."""

    run_id: str
    device: torch.device
    images: Path  # pictures go below this folder, in the paths that the rows name
    cache: Path
    results: Path  # the file that finished trials lie in, for those that compare themselves with another
    report: Report  # (steps done, steps in all or 0 where not known yet, a few words on loss or score)
    help_with: predictions.HelpWith = predictions.without_help  # who else computes shards of a large pass


@dataclass(frozen=True)
class TrialRows:
    """What a trial function returns: rows by table, and what only it knows about its row in the table `run`."""

    tables: Tables
    weights: str  # where the model's weights come from, in words
    weights_sha256: str | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class FixedData:
    """What never changes but with the code: an encoder's definition, WordNet."""

    name: str
    fingerprint: str
    dataset: str | None = None


@dataclass(frozen=True)
class Trial:
    """The unit of work, of resume and of distribution: one variant of one experiment with one seed.

    `settings` is a frozen dataclass of plain values; `run` does the work. `data` is what it works on: it has a `name` for
    people, a `fingerprint` of its contents, and as `dataset` its key in that table, or None where it is no set of pictures.
    """

    experiment: str
    variant: str
    profile: str
    seed: int
    version: int
    settings: Any
    data: Any
    run: Callable[["Trial", Workbench], TrialRows]
    shares: tuple[str, ...] = ()  # what the first trial that names it leaves for the others: in the cache, or in the results

    @property
    def key(self) -> str:
        """Hash of all that decides the rows; a finished trial of the same key need not run again."""
        parts = [
            self.experiment,
            self.variant,
            self.profile,
            self.seed,
            self.version,
            asdict(self.settings),
            self.data.fingerprint,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def title(self) -> str:
        """What a person reads in a list or beside a bar."""
        return f"{self.experiment} · {self.variant} · seed {self.seed}"


Task = tuple[Trial, Workbench]
# Yields each trial with what `perform` returned, in any order; goes on only when that is published.
Engine = Callable[[Sequence[Task]], Generator[tuple[Trial, Tables | str], None, None]]


def one_after_another(tasks: Sequence[Task]) -> Generator[tuple[Trial, Tables | str], None, None]:
    """The engine that every machine has: each trial in its turn, in this process."""
    for trial, bench in tasks:
        bench.report(0, 0, "")
        yield trial, perform(trial, bench)


def ready(waiting: Sequence[Trial], running: Collection[Trial], led: Collection[str]) -> list[Trial]:
    """Those of the trials `waiting` that may start beside those `running`, where several can at a time.

    Of trials that share something the first goes ahead alone, until it has ended and what it leaves is in `led`.
    """
    taken = {share for trial in running for share in trial.shares if share not in led}
    free = []
    for trial in waiting:
        own = set(trial.shares).difference(led)
        if taken.isdisjoint(own):
            free.append(trial)
        taken |= own
    return free


@dataclass(frozen=True)
class Outcome:
    """What became of a call of `run_trials`."""

    finished: int
    already_there: int
    failed: tuple[str, ...]
    interrupted: bool


def run_trials(
    trials: Sequence[Trial],
    results_file: Path,
    images: Path,
    cache: Path,
    device: torch.device,
    force: bool,
    console: Console,
    engine: Engine = one_after_another,
) -> Outcome:
    """Run each trial that is not in `results_file` yet, or all with `force`, and publish each when it ends.

    Ctrl-C and a failing trial leave every finished trial in place; a failure is shown and the next trial runs. Raises
    ResultsError where `results_file` cannot be used at all.
    """
    there = finished_trials(results_file)
    pending = [trial for trial in trials if force or trial.key not in there]
    if pending:
        _check_folders(results_file, images)
        remove_leftovers(images)
        remove_leftovers(cache)
    finished, failed, reason, interrupted = 0, [], "", False
    with Progress(*bar_columns(), console=console) as progress, shown_warnings(console):
        tasks = [
            (trial, Workbench(run_id, device, images, cache, results_file, bar_report(progress, trial.variant, trial.seed)))
            for trial in pending
            for run_id in [_free_run_id(trial.key, set(there.values()))]
        ]
        try:
            with closing(engine(tasks)) as ended:
                for trial, made in ended:
                    error = made if isinstance(made, str) else _publish(results_file, images, device, made)
                    del made  # it can be large, and the next trial wants the memory
                    if error:
                        failed.append(trial.title)
                        told = "for the same reason." if error == reason else shown(error)
                        console.print(f"[red]{shown(trial.title)} failed:[/] {told}", highlight=False)
                        reason = error
                    else:
                        finished += 1
        except KeyboardInterrupt:
            interrupted = True
    return Outcome(finished, len(trials) - len(pending), tuple(failed), interrupted)


def _check_folders(results_file: Path, images: Path) -> None:
    """Raise DataError where what is computed could not be kept: before, rather than after."""
    for option, folder in (("--results", results_file.parent), ("--images", images)):
        above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not (above.is_dir() and os.access(above, os.W_OK)):
            raise DataError(
                f"{folder}: cannot be written to, so that nothing could be kept. Give yourself the right to write there, or "
                f"name another with {option}."
            )


def perform(trial: Trial, bench: Workbench) -> Tables | str:
    """Run one trial, on whatever machine this is; returns its rows, that of the table `run` among them, or what went wrong."""
    started = datetime.now(UTC)
    try:
        with awake.watched():
            clock = awake.clock()
            rows = trial.run(trial, bench)
            seconds = awake.clock() - clock
        return {"run": _run_row(trial, bench, rows, started, seconds), **rows.tables}
    except Exception as error:  # one trial's fault must not cost the others their turn
        return explained(error, bench.device)


def _publish(results_file: Path, images: Path, device: torch.device, tables: Tables) -> str | None:
    """Publish one trial's rows; returns what went wrong, if anything did."""
    run = tables["run"].assign(git_commit=_git_commit())  # known here alone: code that was sent elsewhere is no clone
    try:
        results.publish(results_file, images, {**tables, "run": run})
    except Exception as error:
        return explained(error, device)
    return None


def _run_row(trial: Trial, bench: Workbench, rows: TrialRows, started: datetime, seconds: float) -> pandas.DataFrame:
    row = {
        "run_id": bench.run_id,
        "trial_key": trial.key,
        "experiment": trial.experiment,
        "variant": trial.variant,
        "profile": trial.profile,
        "seed": trial.seed,
        "dataset": trial.data.dataset,
        "settings": json.dumps(asdict(trial.settings) | {"version": trial.version}),
        "started_at": started.replace(tzinfo=None),
        "seconds": seconds,
        "device": device_name(bench.device),
        "host": platform.node(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "weights": rows.weights,
        "weights_sha256": rows.weights_sha256,
        "data_fingerprint": trial.data.fingerprint,
        "parameters": rows.parameters,
    }
    return pandas.DataFrame([row])


def device_name(device: torch.device) -> str:
    """The maker's name of a GPU, or the processor's where `device` is the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text().splitlines():
            if line.startswith("model name"):
                return f"CPU {line.partition(':')[2].strip()}"
    return f"CPU {platform.processor() or platform.machine()}"


@functools.cache
def _git_commit() -> str | None:
    """The commit that computes, marked where `compute/` differs from it; None outside a clone."""
    code = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=code, capture_output=True, text=True, check=True
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "status", "--porcelain", "."], cwd=code, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit} with changes" if changes else commit


def _free_run_id(key: str, taken: set[str]) -> str:
    """The key's start, counted up where a run that is to be replaced has it, so that its pictures stay until it is."""
    candidates = (key[:12] if number == 1 else f"{key[:12]}-{number}" for number in itertools.count(1))
    return next(candidate for candidate in candidates if candidate not in taken)
