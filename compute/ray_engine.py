"""Runs trials on a Ray cluster: each in a worker that has a GPU to itself, or as many cores as torch has threads here.

The driver, which is the process that calls `spread`, alone writes results. Workers get code and settings from it, and return
rows as Arrow tables. Pictures and the cache they share with it by its folders; a worker that does not see these returns its
pictures, too, and makes anew what it wants of the cache. A trial whose worker is lost runs again elsewhere.
"""

import logging
import os
import platform
import tempfile
import uuid
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import pandas
import pyarrow
import ray
import torch
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from compute import predictions
from compute.data.errors import DataError
from compute.trials import Report, Tables, Task, Trial, Workbench, perform, ready
from compute.unfinished import whole_file

CODE = Path(__file__).parent
ATTEMPTS = 4  # that a trial has, where one worker after the other is lost
POLL_SECONDS = 0.25
NEWS_TIMEOUT_SECONDS = 5.0
REPORT_SECONDS = 0.25  # a worker tells how far it is at most so often
SCRATCH = Path(tempfile.gettempdir()) / "contrast-ray"  # of workers that do not see the driver's folders
TOKEN = ".shared"  # a file by which a worker knows them
WITH_PICTURES = ("image", "segmentation_mask")  # tables whose column `path` names files below images/
Pictures = dict[str, bytes]  # by their path below images/
Progress = tuple[int, int, str]  # what a report is called with


@dataclass(frozen=True)
class Ground:
    """What all workers are told of the driver."""

    folder: Path  # where it was started, from which relative paths count
    shared: tuple[Path, ...]  # folders that a worker may see as well, and knows by their token
    token: str
    threads: int
    resources: Mapping[str, float]  # that a trial needs
    places: int  # how many trials have room on the cluster at a time


def connect(address: str | None, device: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Join the Ray cluster at `address`, or with None start one of this machine alone; returns what trials compute on.

    Where a job was submitted to a cluster, its RAY_ADDRESS stands for None. Raises DataError where there is no such cluster, or
    it lacks what `device` names.
    """
    place = address or os.environ.get("RAY_ADDRESS", "local")
    # Read when a worker starts; Ray would have one thread for each core that a trial books.
    environment = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    code = {"py_modules": [str(CODE)], "excludes": ["__pycache__"], "env_vars": environment}
    try:
        ray.init(place, runtime_env=code, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise DataError(
            f"--address {place}: there is no Ray cluster that can be joined ({str(error).partition(chr(10))[0]}). Start one "
            "with: ray start --head, or leave --address out for one on this machine."
        ) from error
    has_gpus = ray.cluster_resources().get("GPU", 0) >= 1
    if device == "cuda" and not has_gpus:
        raise DataError("The Ray cluster has no GPU. Start its workers on machines that have one, or run with --device cpu.")
    return torch.device("cuda" if has_gpus and device != "cpu" else "cpu")


def spread(tasks: Sequence[Task]) -> Generator[tuple[Trial, Tables | str], None, None]:
    """The engine of a cluster that `connect` has joined: yields each trial with its rows, or what went wrong, as they end."""
    if not tasks:
        return
    bench = tasks[0][1]
    shared = (bench.images, bench.cache)
    with _recognizable(shared) as token:
        yield from _spread(tasks, _ground(shared, token, bench.device))


def _spread(tasks: Sequence[Task], ground: Ground) -> Generator[tuple[Trial, Tables | str], None, None]:
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    news: Any = ray.remote(_News).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
    asked = news.take.remote()
    waiting = {trial.key: (trial, bench) for trial, bench in tasks}
    running: dict[ray.ObjectRef, Task] = {}
    led: set[str] = set()
    lost: Counter[str] = Counter()
    try:
        while waiting or running:
            for trial in ready([trial for trial, _ in waiting.values()], [trial for trial, _ in running.values()], led):
                task = waiting.pop(trial.key)
                running[_submit(task, news, ground)] = task
            ended, _ = ray.wait(list(running), timeout=POLL_SECONDS)
            if ray.wait([asked], timeout=0)[0]:
                _show(asked, {bench.run_id: bench.report for _, bench in running.values()})
                asked = news.take.remote()
            for reference in ended:
                trial, bench = running.pop(reference)
                made = _collected(reference, bench)
                if isinstance(made, RayError):
                    lost[trial.key] += 1
                    if lost[trial.key] < ATTEMPTS:
                        warnings.warn(f"{trial.title}: its worker was lost ({_first_line(made)}). It runs again.", stacklevel=2)
                        waiting = {trial.key: (trial, bench), **waiting}
                        continue
                    made = f"its worker was lost {ATTEMPTS} times, last with: {made}"
                led.update(trial.shares)
                yield trial, made
        _show(asked, {})
        _show(news.take.remote(), {})
    finally:
        for reference in running:
            with suppress(RayError):
                ray.cancel(reference, force=True)


def _submit(task: Task, news: Any, ground: Ground) -> ray.ObjectRef:
    trial, bench = task
    return _perform.options(**ground.resources).remote(trial, replace(bench, report=_silent), news, ground)


def _collected(reference: ray.ObjectRef, bench: Workbench) -> Tables | str | RayError:
    """What a worker returned, its pictures put into their folder; or what went wrong, a RayError only where it was lost."""
    try:
        made, pictures, last_report = ray.get(reference)
    except RayTaskError as error:
        return str(error)
    except RayError as error:
        return error
    bench.report(*last_report)
    for path, content in pictures.items():
        with whole_file(bench.images / path) as unfinished:
            unfinished.write_bytes(content)
    if isinstance(made, str):
        return made
    looked_into = ("run", *WITH_PICTURES)  # by those who publish, and small
    return {name: rows.to_pandas() if name in looked_into else rows for name, rows in made.items()}


def _show(asked: ray.ObjectRef, reports: Mapping[str, Report]) -> None:
    """Show what workers have told meanwhile, by the reports of the runs that go on."""
    try:
        progress, said = ray.get(asked, timeout=NEWS_TIMEOUT_SECONDS)
    except RayError:  # it was lost, and is empty
        return
    for run_id, told in progress.items():
        if run_id in reports:
            reports[run_id](*told)
    for message in said:
        warnings.warn(message, stacklevel=2)


@contextmanager
def _recognizable(folders: Sequence[Path]) -> Iterator[str]:
    """For a while, a file in each folder holds the token by which workers know that it is the driver's."""
    token = uuid.uuid4().hex
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TOKEN).write_text(token, encoding="utf-8")
    try:
        yield token
    finally:
        for folder in folders:
            if _token(folder) == token:  # not that of another driver
                (folder / TOKEN).unlink(missing_ok=True)


def _token(folder: Path) -> str | None:
    try:
        return (folder / TOKEN).read_text(encoding="utf-8")
    except OSError:
        return None


def _ground(shared: tuple[Path, ...], token: str, device: torch.device) -> Ground:
    driver = (Path.cwd(), shared, token, torch.get_num_threads())
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if device.type == "cuda":
        places = int(sum(node.get("GPU", 0) for node in nodes))
        return Ground(*driver, {"num_gpus": 1, "num_cpus": 1}, places)
    cores = [int(node.get("CPU", 0)) for node in nodes]
    each = min(torch.get_num_threads(), max(cores))
    if not each:
        raise DataError("No node of the Ray cluster offers a core. Start one with: ray start --address ADDRESS --num-cpus N")
    return Ground(*driver, {"num_cpus": each}, sum(own // each for own in cores))


def _first_line(error: RayError) -> str:
    return str(error).strip().partition("\n")[0]


# What follows runs in workers.


class _News:
    """Keeps what workers tell until the driver asks: how far each run is, and warnings."""

    def __init__(self) -> None:
        self.progress: dict[str, Progress] = {}
        self.said: list[str] = []

    def report(self, run_id: str, progress: Progress) -> None:
        self.progress[run_id] = progress

    def say(self, message: str) -> None:
        self.said.append(message)

    def take(self) -> tuple[dict[str, Progress], list[str]]:
        told = self.progress, self.said
        self.progress, self.said = {}, []
        return told


@ray.remote(max_retries=0)  # the driver tries again, and says so
def _perform(trial: Trial, bench: Workbench, news: Any, ground: Ground) -> tuple[Tables | str, Pictures, Progress]:
    """Run one trial; returns its rows, or what went wrong, its pictures where the driver lacks them, and its last report."""
    shared = _settle(ground)
    if not shared:
        bench = replace(bench, images=SCRATCH / "images", cache=SCRATCH / "cache")
    elif ground.places > 1:
        bench = replace(bench, help_with=lambda whole: _helped(whole, ground))
    tell = _Telling(news, bench.run_id)
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: news.say.remote(str(message))
        made = perform(trial, replace(bench, report=tell))
    if isinstance(made, str):
        return made if shared else f"{made}\n{_unshared(ground)}", {}, tell.last
    pictures = {} if shared else _pictures(bench.images, made)
    return {name: _as_arrow(rows) for name, rows in made.items()}, pictures, tell.last


def _settle(ground: Ground) -> bool:
    """Work as the driver would; returns whether this worker sees the driver's folders."""
    torch.set_num_threads(ground.threads)
    home = ground.folder if ground.folder.is_dir() else SCRATCH
    home.mkdir(parents=True, exist_ok=True)
    os.chdir(home)
    return all(_token(folder) == ground.token for folder in ground.shared)


def _unshared(ground: Ground) -> str:
    folders = " and ".join(map(str, ground.shared))
    return f"{platform.node()}, where it ran, does not see the driver's {folders}. Have all nodes share {ground.folder}."


def _silent(*_: object) -> None:
    """Where reports go until a trial has a worker."""


class _Telling:
    """A report that goes to the driver from time to time."""

    def __init__(self, news: Any, run_id: str) -> None:
        self.news, self.run_id = news, run_id
        self.next_time = 0.0
        self(0, 0, "")

    def __call__(self, *progress: Any) -> None:
        self.last: Progress = progress
        if monotonic() >= self.next_time:
            self.next_time = monotonic() + REPORT_SECONDS
            self.news.report.remote(self.run_id, progress)


def _as_arrow(rows: pandas.DataFrame | pyarrow.Table) -> pyarrow.Table:
    return rows if isinstance(rows, pyarrow.Table) else pyarrow.Table.from_pandas(rows, preserve_index=False)


def _pictures(images: Path, tables: Tables) -> Pictures:
    paths = {path for name in WITH_PICTURES if name in tables for path in tables[name]["path"]}
    return {path: (images / path).read_bytes() for path in sorted(paths)}


@contextmanager
def _helped(whole: predictions.Pass, ground: Ground) -> Iterator[None]:
    """Have workers that are free compute shards of a pass from its end, while this one computes them from its start."""
    backwards = whole.starts[::-1]
    count = min(len(backwards) // 2, ground.places - 1)
    helpers = []
    try:
        sent = ray.put(whole)
        for number in range(count):
            helpers.append(_help.options(**ground.resources).remote(sent, list(backwards[number::count]), ground))
    except Exception as error:  # whatever hinders a foreign function from being sent
        warnings.warn(f"One worker computes all outputs, as the function cannot be sent to others: {error}", stacklevel=2)
    try:
        yield
    finally:
        for helper in helpers:
            with suppress(RayError):
                ray.cancel(helper, force=True)


@ray.remote(max_retries=1)
def _help(whole: predictions.Pass, starts: list[int], ground: Ground) -> None:
    if _settle(ground):
        predictions.compute_shards(whole, starts)
