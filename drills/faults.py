"""Full and read-only disks, a clock that goes back, two runs at once, a machine asleep, locks that are held, and notes.

Each ends well, or with a message that names the file and says what to do; what was finished is still there; and when the fault
is gone, the same command computes what an undisturbed run does. Small disks are mounted, which root may do, and everybody in
a namespace of his own where the system allows it. Run as a program, this file is the drill within such a namespace.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb

from compute.connection import finished_trials
from drills import NOT_TRIED, Outcome
from drills.crash import quick_arguments
from drills.notes import notes_outcome
from drills.processes import ROOT, Place, Run, Runner, runner
from drills.same_rows import differences

FIRST = "rn50_architectures"  # two trials that draw and show no picture
REMEDIES = (
    "Make room",
    "See that",
    "Give yourself",
    "Have it",
    "ame another",
    "Run again",
    "run again",
    "run the same command",
)
ROOMY = "256m"
SMALL = (("results", "96k"), ("results", "512k"), ("results", "800k"), ("images", "16k"), ("cache", "64k"))
STOPPED_SECONDS = {False: 6.0, True: 1.5}
LIMIT_SECONDS = 600.0
MOUNTED = "CONTRAST_DRILLS_MOUNTED"


@dataclass
class _Tally:
    """Faults of one kind: how many were tried, what was lost, and what was wrong."""

    what: str
    tried: int = 0
    lost: int = 0
    complaints: list[str] = field(default_factory=list)
    remark: str = ""

    def add(self, name: str, complaint: str, lost: int = 0) -> None:
        """One more fault."""
        self.tried += 1
        self.lost += lost
        if complaint or lost:
            self.complaints.append(f"{name}: {complaint or f'{lost} trials are gone'}")

    def outcome(self) -> Outcome:
        """The line of the table."""
        remark = "; ".join(self.complaints[:2]) or self.remark
        return Outcome(self.what, self.tried, self.tried - len(self.complaints), self.lost, remark)


@dataclass(frozen=True)
class _Drill:
    """What all faults start from."""

    runs: Runner
    folder: Path
    arguments: list[str]  # of a quick run
    undisturbed: Place
    short: bool

    def place(self, name: str) -> Place:
        """A fresh place, with nothing in it."""
        place = Place(self.folder / name)
        shutil.rmtree(place.folder, ignore_errors=True)
        place.folder.mkdir(parents=True)
        return place

    def run(self, arguments: list[str], rig: str = "", temporary: Path | None = None) -> tuple[int, str]:
        """Run to the end, in the time that a quick run has."""
        started = self.runs.start(arguments, rig, temporary)
        return started.wait(LIMIT_SECONDS), started.said

    def check(
        self,
        place: Place,
        code: int,
        said: str,
        named: Path,
        before: dict[str, str],
        lift: Callable[[], object],
        **places: Path,
    ) -> tuple[str, int]:
        """What is wrong with a run that met a fault, with what it left, and with the next run; and how many trials are lost."""
        results = places.get("results", place.results)
        there = finished_trials(results)
        lost = sum(there.get(key) != run_id for key, run_id in before.items())
        complaint = _complaint_of_message(code, said, named)
        lift()
        again, said = self.run(place.arguments(*self.arguments, **places))
        if again and not complaint:
            complaint = f"the next run ended with {again}: {said[-300:]}"
        unlike = differences(results, self.undisturbed.results, places.get("images", place.images))
        return complaint or "; ".join(unlike), lost


def run(folder: Path, short: bool) -> Iterator[Outcome]:
    """Try every fault, where the machine allows it."""
    if os.environ.get(MOUNTED) or _mounts(folder):
        yield from _all(folder, short, disks=True)
    elif _run(["unshare", "-Urm", "true"]) == 0:
        command = ["unshare", "-Urm", sys.executable, "-m", "drills.faults", str(folder), str(int(short))]
        environment = os.environ | {"PYTHONPATH": str(ROOT), MOUNTED: "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            raise RuntimeError(f"The drill of faults ended with {done.returncode}: {done.stderr}")
        for line in done.stdout.splitlines():
            yield Outcome(**json.loads(line))
    else:
        yield from _all(folder, short, disks=False)


def _run(command: list[str]) -> int:
    if shutil.which(command[0]) is None:
        return 127
    return subprocess.run(command, capture_output=True, check=False).returncode


def _mounts(folder: Path) -> bool:
    """Whether this process may mount a small disk."""
    place = folder / "mount"
    place.mkdir(parents=True, exist_ok=True)
    if _run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]):
        return False
    return _run(["umount", str(place)]) == 0


@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A small disk at `folder`; call what is yielded with other options, such as a size, to mount it anew."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield partial(_remount, folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def _all(folder: Path, short: bool, disks: bool) -> Iterator[Outcome]:
    with runner(folder / "said") as runs:
        arguments = [FIRST] if short else quick_arguments(folder)
        drill = _Drill(runs, folder, arguments, Place(folder / "undisturbed"), short)
        code, said = drill.run(drill.undisturbed.arguments(*arguments))
        if code:
            raise RuntimeError(f"A run that nobody disturbed ended with {code}: {said}")
        full, read_only = "the disk is full", "folders are read-only"
        if disks:
            yield _full_disks(drill, _Tally(full))
            yield _read_only(drill, _Tally(read_only))
        else:
            why = f"{NOT_TRIED}small disks cannot be mounted here, neither as root nor with unshare -Urm"
            yield from (Outcome(what, 0, 0, 0, why) for what in (full, read_only))
        yield _clock(drill, _Tally("the clock goes back by a day again and again"))
        yield _two_at_once(drill, _Tally("two runs at once on one file"))
        yield _asleep(drill, _Tally("stopped in its midst, and continued"))
        yield _held_lock(drill, _Tally("a writer is stopped, then dies, with the lock in its hand"))
    yield notes_outcome(folder / "notes", short, _disk if disks else None)


def _complaint_of_message(code: int, said: str, named: Path) -> str:
    """What is wrong with what a run says that did not end well; empty where nothing is."""
    if "Traceback" in said:
        return f"a traceback: {said[-300:]}"
    if code < 0:
        return f"it did not end within {LIMIT_SECONDS:.0f} s"
    if code and not (str(named) in said and any(remedy in said for remedy in REMEDIES)):
        return f"no clear message: {said[-300:]}"
    return ""


def _full_disks(drill: _Drill, seen: _Tally) -> Outcome:
    """Of results, pictures, cache and temporary files in turn."""
    for name, size in SMALL[: 1 if drill.short else None]:
        place = drill.place(f"full-{name}")
        disk = place.folder / "disk"
        with _disk(disk, size) as mount:
            places = {name: disk / "results.duckdb" if name == "results" else disk}
            results = places.get("results", place.results)
            before = {}
            if not drill.short:
                drill.run(place.arguments(FIRST, **places))
                before = finished_trials(results)
            code, said = drill.run(place.arguments(*drill.arguments, **places))
            complaint, lost = drill.check(place, code, said, places[name], before, partial(mount, f"size={ROOMY}"), **places)
            seen.add(f"{name}, {size}", complaint if code else "the disk was not full", lost)
    if not drill.short:
        place = drill.place("full-temporary")
        with _disk(place.folder / "disk", "4k"):
            (place.folder / "disk" / "full").write_bytes(bytes(4096))
            code, said = drill.run(place.arguments(*drill.arguments), temporary=place.folder / "disk")
            seen.add("temporary files", *drill.check(place, code, said, place.folder, {}, lambda: None))
    seen.remark = "that of results" if drill.short else "that of results, of pictures, of the cache, of temporary files"
    return seen.outcome()


def _read_only(drill: _Drill, seen: _Tally) -> Outcome:
    """A disk that is read-only, and a folder without the right to write."""
    for name in ("results",) if drill.short else ("results", "images", "cache"):
        place = drill.place(f"read-only-{name}")
        disk = place.folder / "disk"
        with _disk(disk, ROOMY) as mount:
            places = {name: disk / "results.duckdb" if name == "results" else disk}
            results = places.get("results", place.results)
            if not drill.short:
                drill.run(place.arguments(FIRST, **places))
            before = finished_trials(results)
            mount("ro")
            code, said = drill.run(place.arguments(*drill.arguments, **places))
            complaint, lost = drill.check(place, code, said, disk, before, partial(mount, "rw"), **places)
            seen.add(f"disk of {name}", complaint if code else "it ended well", lost)
    place = drill.place("modes")
    place.folder.chmod(0o555)
    code, said = drill.run(place.arguments(*drill.arguments), rig="modes")
    complaint, lost = drill.check(place, code, said, place.folder, {}, lambda: place.folder.chmod(0o755))
    seen.add("folder without the right to write", complaint if code else "it ended well", lost)
    seen.remark = "a disk that is, and a folder whose rights say so"
    return seen.outcome()


def _clock(drill: _Drill, seen: _Tally) -> Outcome:
    place = drill.place("clock")
    code, said = drill.run(place.arguments(*drill.arguments), rig="clock")
    complaint, lost = drill.check(place, code, said, place.results, {}, lambda: None)
    with duckdb.connect(str(place.results), read_only=True) as connection:
        [(least, days)] = connection.execute(
            "SELECT min(seconds), date_diff('day', min(started_at), max(started_at)) FROM run"
        ).fetchall()
    if not complaint and (code or least < 0 or not days):
        complaint = f"it ended with {code}, the shortest trial took {least} s, the clock went back by {days} days"
    seen.add("clock", complaint, lost)
    seen.remark = f"{days} days in all, and no trial took less than 0 s"
    return seen.outcome()


def _two_at_once(drill: _Drill, seen: _Tally) -> Outcome:
    place = drill.place("two")
    both = [drill.runs.start(place.arguments(*drill.arguments)) for _ in range(2)]
    ended = [(each.wait(LIMIT_SECONDS), each.said) for each in both]
    complaint, lost = drill.check(
        place, max(code for code, _ in ended), "".join(said for _, said in ended), place.results, {}, lambda: None
    )
    seen.add("two", complaint, lost)
    seen.remark = f"they ended with {ended[0][0]} and {ended[1][0]}, and each trial is there once"
    return seen.outcome()


def _asleep(drill: _Drill, seen: _Tally) -> Outcome:
    place = drill.place("asleep")
    started = drill.runs.start(place.arguments(*drill.arguments))
    time.sleep(0.5)
    started.signal(signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS[drill.short])
    started.signal(signal.SIGCONT)
    code = started.wait(LIMIT_SECONDS)
    complaint, lost = drill.check(place, code, started.said, place.results, {}, lambda: None)
    seen.add("stopped", complaint or (f"it ended with {code}" if code else ""), lost)
    seen.remark = "tests hold that what is timed meanwhile does not count the stop"
    return seen.outcome()


def _held_lock(drill: _Drill, seen: _Tally) -> Outcome:
    place = drill.place("lock")
    holder = drill.runs.start(place.arguments(FIRST), rig="holder")
    try:
        _wait_until_stopped(holder)
        code, said = drill.run(place.arguments(FIRST), rig="timeout")
        told = f"process {holder.pid}" in said and "stopped" in said and str(place.results) in said
        seen.add("stopped", "" if code == 1 and told and "Traceback" not in said else f"it ended with {code}: {said[-300:]}")
    finally:
        holder.signal(signal.SIGKILL)
        holder.wait()
    seen.add("dead", *drill.check(place, 0, "", place.results, {}, lambda: None))
    seen.remark = "whoever waits names the process, and how to have it go on or end it"
    return seen.outcome()


def _wait_until_stopped(started: Run) -> None:
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        if Path(f"/proc/{started.pid}/stat").read_text().rpartition(")")[2].split()[0] in "TtZ":
            return
        time.sleep(0.05)
    raise RuntimeError(f"The writer that was to stop with the lock did not: {started.said}")


def main() -> None:
    """Print each outcome as a line of JSON."""
    for outcome in run(Path(sys.argv[1]), bool(int(sys.argv[2]))):
        print(json.dumps(vars(outcome)), flush=True)


if __name__ == "__main__":
    main()
