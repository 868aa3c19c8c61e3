"""People click through the dashboard while trials are published: no error, nothing of two states at once, no leak.

Ten sessions of one browser click for eight minutes on a copy of the published results, in which a process publishes a trial
every second (see `reading_writer`); some close their window while a page is drawn. After each click the page must come to rest
without an error, and what it says of its runs must be of the one state of the file that its link names. The memory of the
server is taken every second; its growth is that of a line through all that was taken in the last five minutes, by when every
page was opened and what the server keeps of each is kept.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.browsing import DASHBOARD, REPOSITORY, dashboard_environment, streamlit_process
from dashboard.connection import MOST_STATES
from drills import Outcome
from drills.reading_sessions import Told, click_through, mixed

SESSIONS, SECONDS, WARM_UP_SECONDS = 10, 480, 180
SHORT_SESSIONS, SHORT_SECONDS, LEAST_CLICKS = 2, 10, 3
PUBLISH_EVERY_S, SAMPLE_EVERY_S, WRITER_STOP_S = 1.0, 1.0, 120
MOST_GROWTH = 0.05
SEED = 20
MEBIBYTE = 2**20


@dataclass
class Samples:
    """Of a process, at the seconds since it was first looked at: resident memory, files that it holds though they are gone."""

    seconds: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)
    gone_files: list[int] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def growth(self, since_s: float) -> tuple[float, float]:
        """MiB at the start and at the end of a line through all that was taken after `since_s`."""
        late = np.array(self.seconds) >= since_s
        if late.sum() < 2:
            return self.mebibytes[-1], self.mebibytes[-1]
        at = np.array(self.seconds)[late]
        slope, start = np.polyfit(at - at[0], np.array(self.mebibytes)[late], 1)
        return float(start), float(start + slope * (at[-1] - at[0]))


def run(folder: Path, short: bool) -> Iterator[Outcome]:
    """The whole drill below `folder`; gives its outcomes, those of memory only from the long form."""
    sessions, seconds = (SHORT_SESSIONS, SHORT_SECONDS) if short else (SESSIONS, SECONDS)
    results, images, log = folder / "results.duckdb", folder / "images", folder / "published.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / "results.duckdb", results)
    shutil.copytree(REPOSITORY / "images", images)
    told, samples = Told(), Samples()
    environment = dashboard_environment(results, images)
    with (
        streamlit_process(DASHBOARD, environment, folder / "dashboard.log") as (address, server),
        _sampled(server.pid, samples),
        _published(results, images, log),
        ThreadPoolExecutor(1) as browser,  # a thread without another's event loop
    ):
        browser.submit(click_through, address, sessions, seconds, SEED, told, LEAST_CLICKS).result()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    yield _of_clicks(told, sessions, seconds, _lost(results, images, lines), len(lines) - 1)
    yield _of_states(told, {line["fingerprint"]: line["runs"] for line in lines})
    yield _of_files(samples, sessions)
    if not short:
        yield _of_memory(samples)


def _of_clicks(told: Told, sessions: int, seconds: float, lost: int, published: int) -> Outcome:
    what = f"clicks while a trial is published again and again ({sessions} sessions, {seconds:g} s)"
    remark = f"{published} published, {len(told.pages)} pages, {told.left} windows closed while a page was drawn"
    remark += f"; {told.faults[0]}" if told.faults else ""
    return Outcome(what, told.clicks, told.clicks - told.faulty_clicks, lost, remark)


def _of_states(told: Told, published: dict[str, list[list[str]]]) -> Outcome:
    wrong = mixed(told.states, published)
    what = "pages whose figures are of one state of the file"
    seen = len({fingerprint for _, fingerprint, _ in told.states})
    return Outcome(what, len(told.states), len(told.states) - len(wrong), 0, wrong[0] if wrong else f"{seen} states were seen")


def _of_files(samples: Samples, sessions: int) -> Outcome:
    """How often the server held no more files that were replaced than it may, and one for each session that asks just then."""
    most = MOST_STATES + sessions
    kept = sum(count <= most for count in samples.gone_files)
    remark = (
        f"at most {max(samples.gone_files, default=0)} replaced files held, {max(samples.open_files, default=0)} files open, "
        f"{max(samples.threads, default=0)} threads"
    )
    return Outcome("looks at the files that the server holds", len(samples.gone_files), kept, 0, remark)


def _of_memory(samples: Samples) -> Outcome:
    before, after = samples.growth(WARM_UP_SECONDS)
    share = after / before - 1
    remark = f"{before:.0f} MiB after {WARM_UP_SECONDS} s, {after:.0f} MiB at the end ({100 * share:+.1f} %)"
    return Outcome(
        f"memory of the server, which grows by less than {100 * MOST_GROWTH:.0f} %", 1, int(share < MOST_GROWTH), 0, remark
    )


def _lost(results: Path, images: Path, lines: Sequence[dict[str, str]]) -> int:
    """Trials whose last published run the file does not have in the end, or not all of its masks."""
    last = {line["trial_key"]: line["run_id"] for line in lines if "trial_key" in line}
    with duckdb.connect(str(results), read_only=True) as connection:
        there = dict(connection.execute("SELECT trial_key, run_id FROM run").fetchall())
        masks = connection.execute("SELECT run_id, path FROM segmentation_mask WHERE run_id IS NOT NULL").fetchall()
    incomplete = {run_id for run_id, path in masks if not (images / path).is_file()}
    return sum(there.get(key) != run_id or run_id in incomplete for key, run_id in last.items())


@contextmanager
def _published(results: Path, images: Path, log: Path) -> Iterator[None]:
    """Have another process publish a trial every second. Raises RuntimeError where it fails."""
    command = [sys.executable, "-m", "drills.reading_writer", results, images, log, SEED, PUBLISH_EVERY_S]
    with tempfile.TemporaryFile() as errors:
        writer = subprocess.Popen([*map(str, command)], cwd=REPOSITORY, stdin=subprocess.PIPE, stderr=errors)
        try:
            yield
        finally:
            writer.communicate(timeout=WRITER_STOP_S)
        if writer.returncode:
            errors.seek(0)
            raise RuntimeError(f"the writer failed: {errors.read().decode(errors='replace')[-1000:]}")


@contextmanager
def _sampled(pid: int, samples: Samples) -> Iterator[None]:
    """Look at a process every second."""
    stop, start = threading.Event(), time.monotonic()

    def look() -> None:
        while not stop.wait(SAMPLE_EVERY_S):
            _look(pid, time.monotonic() - start, samples)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _look(pid: int, at_s: float, samples: Samples) -> None:
    process = Path(f"/proc/{pid}")
    if not process.is_dir():
        return  # a system without /proc, or the end of the process
    opened = []
    for descriptor in os.listdir(process / "fd"):
        try:
            opened.append(os.readlink(process / "fd" / descriptor))
        except OSError:  # closed meanwhile
            continue
    pages = int((process / "statm").read_text().split()[1])
    samples.seconds.append(at_s)
    samples.mebibytes.append(pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE)
    samples.open_files.append(len(opened))
    samples.gone_files.append(sum(".duckdb" in path and path.endswith("(deleted)") for path in opened))
    samples.threads.append(len(os.listdir(process / "task")))
