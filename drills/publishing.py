"""A trial's way into the file, killed at each step: the file is as before or has the whole trial, and publishing goes on.

Each kill is one of a child process that was forked before any connection to a database: at a line of compute's code, each at
its first execution and the last one of those that are executed again; around what the system is asked to do; and at random
moments, for what DuckDB does within a line. Run as a program, this file prints what came of it for a folder of trials.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from compute import merge, results
from compute.schema import OWNER, SHARED, TABLES
from drills import Outcome
from drills.processes import ROOT
from drills.same_rows import pictures, rows_digest
from drills.steps import SYSTEM, Work, counted, dying, in_child, killed_soon, steps, traced

SEED = 0
PUBLISHING, MERGING = "publishing, killed at each of its steps", "merging, killed at its steps"
TRIALS = 5  # of the file that are taken: some to begin with, the others to publish or to merge
EVERY = {False: 1, True: 40}  # of the lines
EVERY_MERGED = {False: 3, True: 240}
EVERY_CALL = {False: 1, True: 5}  # to the system, with each moment around it
MOMENTS = {False: 30, True: 1}
ONLY = {"results.duckdb", ".results.duckdb.lock"}


def killed(folder: Path, trials: Path, short: bool) -> Iterator[Outcome]:
    """Kill publishing and merging of the first trials of a results file; the work lies in `folder`.

    Raises RuntimeError where the child that does so fails.
    """
    command = [sys.executable, "-m", "drills.publishing", str(folder), str(trials), str(int(short))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"The child that kills publishing ended with {done.returncode}: {done.stderr}")
    for line in done.stdout.splitlines():
        yield Outcome(**json.loads(line))


@dataclass(frozen=True)
class _Task:
    """Something that changes a results file: what it starts from, and how it is done, again and again if need be."""

    what: str
    starts_from: str  # in words
    template: Path  # a folder with results.duckdb, which may be missing, and images
    work: Callable[[Path], object]  # in a copy of it
    every: int


def _kills(task: _Task, place: Path, short: bool) -> Iterator[tuple[Work, str]]:
    """Each kill of a task in a fresh copy at `place`, and in words at what step."""

    def work() -> object:
        return task.work(place)

    _copy(task.template, place)
    executed = in_child(lambda: traced(work))
    for number in steps(executed)[:: task.every]:
        file, line = executed[number]
        yield partial(traced, work, number), f"{Path(file).name}:{line}"
    _copy(task.template, place)
    calls = in_child(lambda: counted(work))
    around = [
        (name, number, when)
        for name in SYSTEM
        for number in range(calls[name])
        for when in ("before", "after", *(("within",) if name == "copy_file" else ()))
    ]
    for name, number, when in around[:: EVERY_CALL[short]]:
        yield partial(dying, work, name, number, when), f"{when} {name} {number}"
    _copy(task.template, place)
    clock = time.perf_counter()
    in_child(lambda: work() and None)
    seconds = time.perf_counter() - clock
    dice = random.Random(SEED)
    for _ in range(MOMENTS[short]):
        after = dice.uniform(0, seconds)
        yield partial(killed_soon, work, after), f"after {after:.3f} s"


def _copy(template: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(template, place)


@dataclass(frozen=True)
class _Whole:
    """What a file and its pictures may be after a kill: all as before, or all as after; both were examined."""

    before: str
    after: str
    pictures: tuple[dict[str, str], dict[str, str]]

    def complaint(self, digest: str, images: Path, finished: bool) -> str:
        """What is wrong with a file of these rows and the pictures in `images`; empty where nothing is."""
        if digest not in (self.after, *(() if finished else (self.before,))):
            return "the file holds half of a trial, or lacks one"
        wanted = self.pictures[digest == self.after]
        return "" if wanted.items() <= pictures(images).items() else "pictures are missing, or other ones"


def _examined(place: Path) -> tuple[str, dict[str, str]]:
    """The rows' digest and the pictures of a file of which every check holds."""
    from compute.doctor_results import examine_results

    if (place / "results.duckdb").exists():
        _, violations = examine_results(place / "results.duckdb", place / "images")
        assert not violations, violations
    return rows_digest(place / "results.duckdb"), pictures(place / "images")


def _verdict(task: _Task, place: Path, whole: _Whole) -> tuple[bool, str, str]:
    """Whether all that is new was there after a kill, what was wrong then, and what is wrong when it was done again."""
    file, images = place / "results.duckdb", place / "images"
    digest = rows_digest(file)
    killed = whole.complaint(digest, images, finished=False)
    task.work(place)
    again = whole.complaint(rows_digest(file), images, finished=True)
    if not again and (left := {path.name for path in place.iterdir() if path.is_file()} - ONLY):
        again = f"left over: {sorted(left)}"
    return digest == whole.after, killed, again


def _drill(task: _Task, folder: Path, short: bool) -> Outcome:
    """Kill one task at all its steps."""
    place = folder / "place"
    _copy(task.template, place)
    before, pictures_before = in_child(lambda: _examined(place))
    in_child(lambda: task.work(place) and None)
    after, pictures_after = in_child(lambda: _examined(place))
    whole = _Whole(before, after, (pictures_before, pictures_after))
    tried = survived = lost = kept = 0
    complaints = []
    for kill, step in _kills(task, place, short):
        _copy(task.template, place)
        in_child(kill)
        done, killed, again = in_child(lambda: _verdict(task, place, whole))
        tried += 1
        kept += done
        lost += bool(killed)
        survived += not (killed or again)
        complaints += [f"{step}: {killed or again}"] if killed or again else []
    remark = "; ".join([*complaints[:2], f"{task.starts_from}: as before {tried - kept} times, all that was new {kept} times"])
    return Outcome(task.what, tried, survived, lost, remark)


def _trial(trials: Path, run_id: str) -> results.Tables:
    """All rows of a trial of a file whose trials share one data set."""
    import duckdb

    with duckdb.connect(str(trials), read_only=True) as connection:
        tables = {}
        for table in TABLES:
            own = "" if table in SHARED else f"WHERE {OWNER.get(table, 'run_id')} = '{run_id}'"
            if table == "segmentation_mask":
                own = f"WHERE run_id IS NULL OR run_id = '{run_id}'"
            if table != "contract":
                tables[table] = connection.execute(f"FROM {table} {own}").df()
    return {table: rows for table, rows in tables.items() if len(rows)}


def _prepare(trials: Path) -> dict[str, results.Tables]:
    """Some trials of a file, by run_id, the one that has pictures of its own first."""
    import duckdb

    with duckdb.connect(str(trials), read_only=True) as connection:
        found = connection.execute(
            """SELECT run_id FROM run LEFT JOIN segmentation_mask USING (run_id)
               GROUP BY run_id ORDER BY count(path) DESC, run_id"""
        ).fetchall()[:TRIALS]
    return {run_id: _trial(trials, run_id) for (run_id,) in found}


def _template(folder: Path, trials: Path, tables: list[results.Tables]) -> Path:
    """A folder with a file of these trials, and all pictures."""
    shutil.copytree(trials.parent / "images", folder / "images")
    for each in tables:
        results.publish(folder / "results.duckdb", folder / "images", each)
    return folder


def _tasks(folder: Path, trials: Path, short: bool) -> list[_Task]:
    tables = in_child(lambda: _prepare(trials))
    [run_id, *_] = tables
    first, *others = tables.values()
    ours, theirs, new, lacking = (folder / name for name in ("ours", "theirs", "new", "lacking"))
    for place, held in ((ours, others[:3]), (theirs, [first, others[3]]), (new, [])):
        in_child(partial(_template, place, trials, held))
    shutil.copytree(ours, lacking)
    shutil.rmtree(lacking / "images" / "runs" / run_id)  # so that merging has pictures to copy
    replacing = _of_another_run(first, run_id, theirs / "images")

    def publishing(rows: results.Tables) -> Callable[[Path], object]:
        return lambda place: results.publish(place / "results.duckdb", place / "images", rows)

    def merging(place: Path) -> object:
        return merge.merge(theirs / "results.duckdb", place / "results.duckdb", place / "images", theirs / "images")

    tasks = [
        _Task(PUBLISHING, "a new trial", ours, publishing(first), EVERY[short]),
        _Task(PUBLISHING, "a new file", new, publishing(first), EVERY[short]),
        _Task(PUBLISHING, "a trial again", theirs, publishing(replacing), EVERY[short]),
        _Task(MERGING, "two trials", lacking, merging, EVERY_MERGED[short]),
    ]
    return [tasks[0], tasks[-1]] if short else tasks


def _of_another_run(tables: results.Tables, run_id: str, images: Path) -> results.Tables:
    """The same trial computed again: under another run_id, with pictures of its own."""
    again = f"{run_id}-2"
    shutil.copytree(images / "runs" / run_id, images / "runs" / again)
    changed = {}
    for table, rows in tables.items():
        changed[table] = rows.assign(run_id=rows.run_id.replace(run_id, again)) if "run_id" in rows else rows
    masks = changed["segmentation_mask"]
    changed["segmentation_mask"] = masks.assign(path=masks.path.str.replace(f"runs/{run_id}/", f"runs/{again}/", regex=False))
    return changed


def main() -> None:
    """Print the outcome of each task, a line of JSON each."""
    folder, trials, short = Path(sys.argv[1]), Path(sys.argv[2]), bool(int(sys.argv[3]))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    outcomes = [_drill(task, folder, short) for task in _tasks(folder, trials, short)]
    for what in (PUBLISHING, MERGING):
        own = [outcome for outcome in outcomes if outcome.what == what]
        tried, survived, lost = (sum(getattr(each, name) for each in own) for name in ("tried", "survived", "lost"))
        outcome = Outcome(what, tried, survived, lost, ", ".join(each.remark for each in own))
        print(json.dumps(vars(outcome)), flush=True)


if __name__ == "__main__":
    main()
