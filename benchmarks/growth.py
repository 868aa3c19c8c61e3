"""How time, memory and the size of the file grow with images, classes, runs, and people who look at once.

Command: python -m benchmarks.growth [--images N ...] [--classes N ...] [--runs N ...] [--users N ...]

Images and classes: four outputs of generated classifiers beside the published results (`python -m benchmarks.large_results`).
Runs: U-Nets of the published results, under other seeds. Users: sessions that each open a page a second after the last one was
there, on the results with the most images. A page's time is the server's, from asking to the last of what it sends; "anew" is
the first time after the file was replaced, as after a publish.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from benchmarks.browsing import DASHBOARD, REPOSITORY, dashboard_environment, streamlit_process
from benchmarks.imagenet_results import CLASS_COUNT
from benchmarks.large_results import LABEL, write_large_results
from benchmarks.precision_rows import changing
from benchmarks.publishing import OF_STREETS, costs, large_trial, small_trial, trial_in
from benchmarks.sessions import Session, resident_mebibytes
from compute.results import publish
from compute.schema import SHARED, TABLES

IMAGES, CLASSES, RUNS, USERS = (500, 5_000, 50_000), (10, 100, 1_000), (10, 100, 1_000), (1, 4, 16)
IMAGES_OF_CLASSES = 5_000
ROUNDS = 3
THINKING_S, LOOKING_S = 1.0, 20.0
Pages = Sequence[tuple[str, str]]  # stem, and what follows ? in the address
DATA = urlencode({"data": LABEL})
OF_PICTURES: Pages = (
    ("imagenet_rn50_vs_clip", f"{DATA}&view=all+pictures"),
    ("wordnet_synsets", DATA),
    ("fp32_vs_fp16", f"{DATA}&view=drift"),
)
OF_RUNS: Pages = (("unet_skip_connections", ""), ("", ""), ("runs", ""))


@dataclass(frozen=True)
class Growth:
    """What was measured at one size; None where that is not asked."""

    file_mb: float | None = None
    writing_s: float | None = None
    writing_mib: float | None = None
    small_s: float | None = None
    large_s: float | None = None
    publishing_mib: float | None = None
    anew_ms: float | None = None  # the slowest of the pages
    again_ms: float | None = None
    late_ms: float | None = None  # 95 % of the pages of many users came before
    session_mib: float | None = None


def written(folder: Path, images: int, classes: int) -> tuple[float, float]:
    """Write large results: seconds, and the most memory in MiB; for a process of its own."""
    clock = time.perf_counter()
    write_large_results(folder, images, classes)
    return time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def grown_results(folder: Path, images: int, classes: int) -> Growth:
    """Write large results into `folder`, publish one more trial, small and large, and open the pages."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawned) as apart:
        writing_s, writing_mib = apart.submit(written, folder, images, classes).result()
    results, pictures = folder / "results.duckdb", folder / "images"
    small = costs(results, pictures, small_trial(results), folder)
    large = costs(results, pictures, large_trial(results), folder)
    (folder / "copy.duckdb").unlink()
    anew_ms, again_ms = page_times(results, pictures, OF_PICTURES)
    size_mb = results.stat().st_size / 1e6
    more = {"publishing_mib": large.mebibytes, "anew_ms": anew_ms, "again_ms": again_ms}
    return Growth(size_mb, writing_s, writing_mib, small.seconds, large.seconds, **more)


def grown_runs(folder: Path, count: int) -> Growth:
    """A file of `count` U-Nets, half of them without skips; publish one more, and open the pages."""
    published, images = REPOSITORY / "results.duckdb", REPOSITORY / "images"
    results = folder / "results.duckdb"
    pair = [trial_in(published, "unet_skip_connections", variant, OF_STREETS) for variant in ("skip", "no_skip")]
    for tables in pair:
        publish(results, images, tables)
    multiply_runs(results, count // len(pair))
    cost = costs(results, images, pair[0], folder)
    (folder / "copy.duckdb").unlink()
    anew_ms, again_ms = page_times(results, images, OF_RUNS)
    size_mb = results.stat().st_size / 1e6
    return Growth(size_mb, None, None, cost.seconds, None, cost.mebibytes, anew_ms, again_ms)


def multiply_runs(results: Path, factor: int) -> None:
    """Have each run of the file `factor` times, under other seeds."""
    with changing(results) as connection:
        for table, columns in TABLES.items():
            if table not in SHARED and columns.strip().startswith("run_id"):
                others = ", concat(trial_key, '-', copy) AS trial_key, seed + 1000 * copy AS seed" if table == "run" else ""
                connection.execute(
                    f"INSERT INTO {table} SELECT own.* REPLACE (concat(run_id, '-', copy) AS run_id{others}) "
                    f"FROM {table} own, range(1, {factor}) copies(copy) ORDER BY copy, own.rowid"
                )


def page_times(results: Path, images: Path, pages: Pages) -> tuple[float, float]:
    """Times in ms of the slowest page, when the file was replaced and when it was open before: medians of ROUNDS."""
    anew: dict[str, list[float]] = {stem: [] for stem, _ in pages}
    again: dict[str, list[float]] = {stem: [] for stem, _ in pages}
    with tempfile.TemporaryDirectory() as logs:
        environment = dashboard_environment(results, images)
        with streamlit_process(DASHBOARD, environment, Path(logs, "log")) as (address, _), Session(address) as session:
            _open(session, pages)  # loads what is imported
            for _ in range(ROUNDS):
                os.utime(results)  # a state that nothing is known of
                for times_ms in (anew, again):
                    for (stem, _), time_ms in zip(pages, _open(session, pages), strict=True):
                        times_ms[stem].append(time_ms)
    slowest = (max(statistics.median(times) for times in times_ms.values()) for times_ms in (anew, again))
    return next(slowest), next(slowest)


def _open(session: Session, pages: Pages) -> list[float]:
    return [session.open(stem, query)[0] for stem, query in pages]


def grown_users(results: Path, images: Path, count: int, looking_s: float = LOOKING_S) -> Growth:
    """Have `count` sessions open pages for a while, and say what a page took, and what a session holds in memory."""
    pages = (*OF_PICTURES, *OF_RUNS)
    times_ms: list[float] = []
    with tempfile.TemporaryDirectory() as logs:
        environment = dashboard_environment(results, images)
        with streamlit_process(DASHBOARD, environment, Path(logs, "log")) as (address, server):
            with Session(address) as first:
                _open(first, pages)
                _open(first, pages)
            before_mib = resident_mebibytes(server.pid)
            sessions = [Session(address) for _ in range(count)]
            end = time.monotonic() + looking_s
            people = [
                threading.Thread(target=_look, args=(session, pages[place % len(pages) :], pages, end, times_ms))
                for place, session in enumerate(sessions)
            ]
            for person in people:
                person.start()
            for person in people:
                person.join()
            after_mib = resident_mebibytes(server.pid)
            for session in sessions:
                session.close()
    late_ms = statistics.quantiles(times_ms, n=20, method="inclusive")[-1]
    return Growth(again_ms=statistics.median(times_ms), late_ms=late_ms, session_mib=(after_mib - before_mib) / count)


def _look(session: Session, first: Pages, pages: Pages, end: float, times_ms: list[float]) -> None:
    """Open pages one after the other, beginning with `first`, until `end`."""
    todo = [*first]
    while time.monotonic() < end:
        stem, query = todo.pop(0)
        times_ms.append(session.open(stem, query)[0])
        todo = todo or [*pages]
        time.sleep(THINKING_S)


COLUMNS = {
    "file_mb": ("File", "{:,.0f} MB"),
    "writing_s": ("Making it", "{:,.1f} s"),
    "writing_mib": ("Its memory", "{:,.0f} MiB"),
    "small_s": ("One small trial more", "{:,.2f} s"),
    "large_s": ("One large trial more", "{:,.2f} s"),
    "publishing_mib": ("Its memory", "{:,.0f} MiB"),
    "anew_ms": ("Slowest page anew", "{:,.0f} ms"),
    "again_ms": ("Slowest page again", "{:,.0f} ms"),
    "late_ms": ("95 %", "{:,.0f} ms"),
    "session_mib": ("A session's memory", "{:,.1f} MiB"),
}


def table_of(measured: Iterable[tuple[str, Growth]]) -> Table:
    """All that was measured, a row for each size."""
    table = Table("", *(title for title, _ in COLUMNS.values()))
    for size, growth in measured:
        values = {name: getattr(growth, name) for name in COLUMNS}
        table.add_row(size, *("" if value is None else COLUMNS[name][1].format(value) for name, value in values.items()))
    table.caption = (
        f"Of users the median of all pages. Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; seconds of "
        "publishing are medians of three, pages of three rounds."
    )
    return table


def main() -> int:
    """Measure all sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, sizes in (("images", IMAGES), ("classes", CLASSES), ("runs", RUNS), ("users", USERS)):
        parser.add_argument(f"--{name}", type=int, nargs="*", default=sizes)
    given = parser.parse_args()
    measured: list[tuple[str, Growth]] = []
    console = Console(width=None if sys.stdout.isatty() else 170)
    with tempfile.TemporaryDirectory(prefix="growth-") as temporary:
        folder = Path(temporary)

        def fresh(name: str) -> Path:
            made = folder / name
            made.mkdir()
            return made

        for classes in given.classes:
            place = fresh(f"classes{classes}")
            name = f"{classes:,} classes ({IMAGES_OF_CLASSES:,} images)"
            measured.append((name, grown_results(place, IMAGES_OF_CLASSES, classes)))
            shutil.rmtree(place)
        for runs in given.runs:
            measured.append((f"{runs:,} runs", grown_runs(fresh(f"runs{runs}"), runs)))
        for images in sorted(given.images):
            place = fresh(f"images{images}")
            measured.append((f"{images:,} images ({CLASS_COUNT:,} classes)", grown_results(place, images, CLASS_COUNT)))
            results, pictures = place / "results.duckdb", place / "images"
        for users in given.users if given.images else ():
            measured.append((f"{users} users at once", grown_users(results, pictures, users)))
    console.print(table_of(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
