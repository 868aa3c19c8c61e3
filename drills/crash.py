"""Killed at random moments while it computes, and at every step of publishing: nothing that was finished may be lost."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compute.connection import ResultsError, finished_trials
from compute.data.openmoji_world import write_street_pairs
from compute.doctor_results import examine_results
from drills import Outcome, publishing
from drills.processes import Place, Run, Runner, runner
from drills.same_rows import differences

SEED = 0
KILLS = {False: 100, True: 3}
MEAN_SECONDS = {False: 5.0, True: 1.0}  # to the next kill: twice as long after each that brought no progress, half after others
LONGEST_MEAN_SECONDS = 120.0
QUICK = ("segmentation_metric", "rn50_architectures")
PAIRS = (6, 3)  # street pairs to train on and to validate with, for the short form
UNDISTURBED = "undisturbed"
BESIDE = {"results.duckdb", ".results.duckdb.lock", "images", "cache"}


def run(folder: Path, short: bool) -> Iterator[Outcome]:
    """Kill `compute run` again and again, then publishing and merging at each of their steps.

    What an undisturbed run gives is taken from `folder`/undisturbed where it lies there, and computed there otherwise.
    """
    with runner(folder / "said") as runs:
        quick = quick_arguments(folder)
        arguments = quick if short else []
        yield from _killed_runs(runs, folder, arguments, short)
        trials = Place(folder / (UNDISTURBED if short else "trials"))
        if not short:
            _complete(runs, trials, quick)
    yield from publishing.killed(folder / "publishing", trials.results, short)


def quick_arguments(folder: Path) -> list[str]:
    """Arguments of a run of a dozen trials that takes some seconds, on street pairs that are drawn below `folder`."""
    write_street_pairs(folder / "pairs", *PAIRS, seed=SEED)
    return [*QUICK, "--pairs", str(folder / "pairs")]


@dataclass
class _Tally:
    """What was seen so far."""

    kills: int = 0
    survived: int = 0
    lost: int = 0
    leftovers: int = 0
    ended: int = 0  # runs that had ended before they were killed
    compared: list[str] = field(default_factory=list)  # of each folder, how its rows differ
    complaints: list[str] = field(default_factory=list)


def _complete(runs: Runner, place: Place, arguments: list[str]) -> None:
    code, said = runs.run(place.arguments(*arguments))
    if code:
        raise RuntimeError(f"A run that nobody disturbed ended with {code}: {said}")


def _killed_runs(runs: Runner, folder: Path, arguments: list[str], short: bool) -> Iterator[Outcome]:
    dice, seen, undisturbed = random.Random(SEED), _Tally(), Place(folder / UNDISTURBED)
    number = 0
    while seen.kills < KILLS[short]:
        number += 1
        place = Place(folder / f"killed-{number}")
        shutil.rmtree(place.folder, ignore_errors=True)
        _kill_until_done(runs, place, arguments, dice, seen, short)
        _complete(runs, undisturbed, arguments)  # here, or it is there already
        _finish(runs, place, undisturbed, arguments, seen)
        shutil.rmtree(place.folder)
    trials = len(finished_trials(undisturbed.results))
    left = f"{seen.leftovers} left half-written files, which the next run removed"
    remark = "; ".join([*seen.complaints[:2], f"{trials} trials in each of {number} folders; {left}"])
    yield Outcome("compute killed at random moments", seen.kills, seen.survived, seen.lost, remark)
    same = sum(not told for told in seen.compared)
    told = "; ".join(filter(None, seen.compared)) or "rows and pictures are those of an undisturbed run, timings aside"
    yield Outcome("run again after the kills", len(seen.compared), same, 0, told)


def _kill_until_done(runs: Runner, place: Place, arguments: list[str], dice: random.Random, seen: _Tally, short: bool) -> None:
    """Kill runs in one folder until one of them has ended by itself, or there were enough kills."""
    mean, examined = MEAN_SECONDS[short], None
    before: dict[str, str] = {}
    progress: tuple[int, list[str]] | None = None
    while seen.kills < KILLS[short]:
        run = runs.start(place.arguments(*arguments))
        if run.kill_after(dice.expovariate(1 / mean)) == 0:
            seen.ended += 1
            return
        seen.kills += 1
        state = _state(place.results)
        try:
            there = finished_trials(place.results)
            complaint = _complaint(place) if state != examined else ""
        except ResultsError as error:
            there, complaint = {}, str(error)
        lost = sum(there.get(key) != run_id for key, run_id in before.items())
        seen.lost += lost
        seen.survived += not lost and not complaint
        if complaint:
            seen.complaints.append(complaint)
        seen.leftovers += bool(leftovers(place, run))
        before, examined = there, state
        last, progress = progress, (len(there), sorted(path.name for path in place.cache.glob("[!.]*")))
        mean = min(mean * 2, LONGEST_MEAN_SECONDS) if progress == last else max(mean / 2, MEAN_SECONDS[short])


def _finish(runs: Runner, place: Place, undisturbed: Place, arguments: list[str], seen: _Tally) -> None:
    """Run to the end, and compare with what an undisturbed run gives."""
    before = finished_trials(place.results)
    code, said = runs.run(place.arguments(*arguments))
    there = finished_trials(place.results)
    seen.lost += sum(there.get(key) != run_id for key, run_id in before.items())
    told = [f"the last run ended with {code}: {said[-300:]}"] if code else differences(place.results, undisturbed.results)
    told += [complaint] if (complaint := _complaint(place)) else []
    left = {path.name for path in place.folder.iterdir()} - BESIDE | set(leftovers(place))
    seen.compared.append("; ".join(told + [f"left over: {sorted(left)}"] * bool(left)))


def leftovers(place: Place, run: Run | None = None) -> list[str]:
    """Names of what is half-written below images and cache, and beside the results; of that run alone, where it is given."""
    found = [path.name for folder in (place.images, place.cache) for path in folder.rglob(".*")]
    found += [path.name for path in place.folder.glob(".*.unfinished*")]
    return [name for name in found if run is None or f".{run.pid}" in name or name.endswith(".unfinished")]


def _state(file: Path) -> tuple[int, ...] | None:
    if not file.exists():
        return None
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _complaint(place: Place) -> str:
    """What does not hold of the file and its pictures; empty where all does, or there is no file yet."""
    if not place.results.exists():
        return ""
    _, violations = examine_results(place.results, place.images)
    return f"{len(violations)} checks do not hold: {violations[0].table}: {violations[0].what}" if violations else ""
