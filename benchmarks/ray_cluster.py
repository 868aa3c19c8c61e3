"""Whether a Ray cluster of three nodes on this machine finds what one process finds, how quick it is, and what kills cost it.

Command: python -m benchmarks.ray_cluster [--experiments NAME ... | --all] [--epochs N] [--only one|spread|worker|driver ...]

The same trials run in one process, on a cluster of three nodes with a core each, on one whose worker is killed in the midst of
a trial, and on one whose driver is killed between trials and started again. Torch has one thread in all of them, so that their
rows must be the same but for times; one more run in one process has torch's own number of threads, and is not compared.
Each begins with the world's street pairs drawn and nothing else in its cache. Cores are what the processes used by the system's
own account, so the table tells whether more nodes could have been quicker on this machine. Exit code 1 where rows differ.
Needs Ray: pip install -r requirements-ray.txt
"""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
from ray.cluster_utils import Cluster
from rich.console import Console
from rich.table import Table

NODES = 3
CHEAP = ("segmentation_metric", "rn50_architectures", "wordnet_synsets", "unet_skip_connections")
EPOCHS = 2
WORLD = ("segmentation_metric",)  # draws the street pairs
TIMES = {"started_at", "seconds", "milliseconds", "threads"}  # columns that differ from run to run
MEASURED = {"latency", "memory"}  # tables of nothing but measurements
POLL_SECONDS = 0.1
WATCH_SECONDS = 0.5
IN_THE_MIDST_SECONDS = 4.0
WORDS = ("finished", "its worker was lost", "driver was killed")  # of the lines that tell what became of a run
WIDE = {"COLUMNS": "300"}  # so that these are not broken
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Place:
    """Where one run keeps everything."""

    folder: Path

    @property
    def results(self) -> Path:
        """The file of results."""
        return self.folder / "results.duckdb"

    def finished(self) -> int:
        """How many trials the file holds."""
        if not self.results.exists():
            return 0
        with duckdb.connect(str(self.results), read_only=True) as connection:
            [(count,)] = connection.execute("SELECT count(*) FROM run").fetchall()
        return count


@dataclass(frozen=True)
class Told:
    """What a run took, and what it says of itself."""

    seconds: float
    cores: float
    others: float  # cores that other programs used meanwhile
    said: str


def command(place: Place, arguments: list[str]) -> list[str]:
    """The command line of a run."""
    places = {"results": place.results, "images": place.folder / "images", "cache": place.folder / "cache"}
    options = [part for name, path in places.items() for part in (f"--{name}", str(path))]
    return [sys.executable, "-m", "compute", "run", "--device", "cpu", *options, *arguments]


def started(place: Place, arguments: list[str], threads: int | None) -> subprocess.Popen:
    """A run that has been started, and writes what it says beside its results."""
    environment = os.environ | WIDE | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    with (place.folder / "said.txt").open("a") as said:
        return subprocess.Popen(command(place, arguments), env=environment, stdout=said, stderr=subprocess.STDOUT)


def measured(place: Place, work: Callable[[], None], roots: list[int]) -> Told:
    """Do the work and account for its cores: those of processes that it waits for, and of those below the processes `roots`."""
    clock, ended, busy = time.perf_counter(), os.times(), _busy_seconds()
    before, last, over = _seconds_of(roots), {}, threading.Event()

    def watch() -> None:  # what a worker used is not to be had when Ray has ended it
        while not over.wait(WATCH_SECONDS):
            last.update(_seconds_of(roots))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    last.update(_seconds_of(roots))
    seconds, now = time.perf_counter() - clock, os.times()
    used = sum(own - before.get(pid, 0.0) for pid, own in last.items())
    used += now.children_user + now.children_system - ended.children_user - ended.children_system
    others = max(0.0, _busy_seconds() - busy - used)
    return Told(seconds, used / seconds, others / seconds, (place.folder / "said.txt").read_text())


def _seconds_of(roots: list[int]) -> dict[int, float]:
    """Seconds of a core that each process below `roots` has used so far."""
    seconds = {}
    for pid in descendants(roots):
        with suppress(OSError):  # it has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            seconds[pid] = sum(map(int, fields[11:13])) / TICKS
    return seconds


def _busy_seconds() -> float:
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _idle, _waiting, *rest = map(int, fields)
    return (user + nice + system + sum(rest[:3])) / TICKS


def descendants(roots: list[int]) -> Iterator[int]:
    """The processes `roots` and all that they have started, at any depth."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = set(roots)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return iter(found)


def working(roots: list[int]) -> list[int]:
    """The cluster's processes that run a trial now, by the title that Ray gives them."""
    found = []
    for pid in descendants(roots):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
        if title.startswith("ray::_perform"):
            found.append(pid)
    return found


def run_to_the_end(place: Place, arguments: list[str], threads: int | None) -> None:
    """Run until all is done; raises where it fails."""
    if started(place, arguments, threads).wait():
        raise SystemExit((place.folder / "said.txt").read_text())


def kill_a_worker(place: Place, arguments: list[str], roots: list[int]) -> None:
    """Run on the cluster, and kill the first worker that has been at one trial for some seconds."""
    driver = started(place, arguments, 1)
    since: dict[int, float] = {}
    while driver.poll() is None:
        now = time.monotonic()
        since = {pid: since.get(pid, now) for pid in working(roots)}
        if late := [pid for pid, start in since.items() if now - start > IN_THE_MIDST_SECONDS]:
            os.kill(late[0], signal.SIGKILL)
            break
        time.sleep(POLL_SECONDS)
    if driver.wait() or driver.returncode:
        raise SystemExit((place.folder / "said.txt").read_text())


def kill_the_driver(place: Place, arguments: list[str], roots: list[int]) -> None:
    """Run on the cluster, kill the driver once some trials are done and others run, and start it again."""
    driver = started(place, arguments, 1)
    while driver.poll() is None and not (place.finished() >= NODES and working(roots)):
        time.sleep(POLL_SECONDS)
    driver.kill()
    driver.wait()
    print(f"the driver was killed when {place.finished()} trials were done", file=(place.folder / "said.txt").open("a"))
    run_to_the_end(place, arguments, 1)


def differences(ours: Place, theirs: Place) -> list[str]:
    """Tables of which two runs hold different rows, times aside, and pictures that differ; none where all is the same."""
    found = []
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{ours.results}' AS ours (READ_ONLY)")
        connection.execute(f"ATTACH '{theirs.results}' AS theirs (READ_ONLY)")
        columns = connection.execute(
            "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE database_name = 'ours' GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for table, names in columns:
            kept = ", ".join(f'"{name}"' for name in names if name not in TIMES)
            chosen = "count(*)" if table in MEASURED else kept
            queries = [f"SELECT {chosen} FROM {catalog}.{table}" for catalog in ("ours", "theirs")]
            for one, other in (queries, queries[::-1]):
                [(count,)] = connection.execute(f"SELECT count(*) FROM ({one} EXCEPT ALL {other})").fetchall()
                if count:
                    found.append(f"{count} rows of {table}")
    pictures = [_pictures(place.folder / "images") for place in (ours, theirs)]
    if pictures[0] != pictures[1]:
        found.append("pictures")
    return found


def _pictures(images: Path) -> dict[str, str]:
    # What is written has a hidden name until it is whole, and keeps it where its writer is killed.
    files = [path for path in images.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(images)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    """Run all, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiments", nargs="+", default=CHEAP)
    parser.add_argument("--all", action="store_true", help="all experiments of mini, with all their epochs")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--only", nargs="+", choices=("one", "spread", "worker", "driver"))
    chosen = parser.parse_args()
    arguments = [] if chosen.all else [*chosen.experiments, "--epochs", str(chosen.epochs)]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(NODES):
            cluster.add_node(num_cpus=1)
        with tempfile.TemporaryDirectory(prefix="ray_cluster-") as folder:
            good = compare(Path(folder), arguments, chosen.only, cluster)
    finally:
        cluster.shutdown()
    raise SystemExit(not good)


def compare(folder: Path, arguments: list[str], only: list[str] | None, cluster: Cluster) -> bool:
    """Whether all runs found the same; prints what each took."""
    roots = [
        process.process.pid for node in cluster.list_all_nodes() for kind in node.all_processes.values() for process in kind
    ]
    on_cluster = [*arguments, "--engine", "ray", "--address", cluster.address]
    runs: dict[str, tuple[str, Callable[[Place], None]]] = {
        "one process": ("", lambda place: run_to_the_end(place, arguments, 1)),
        "one process, all threads": ("one", lambda place: run_to_the_end(place, arguments, None)),
        f"cluster of {NODES} nodes": ("spread", lambda place: run_to_the_end(place, on_cluster, 1)),
        "a worker killed": ("worker", lambda place: kill_a_worker(place, on_cluster, roots)),
        "the driver killed": ("driver", lambda place: kill_the_driver(place, on_cluster, roots)),
    }
    drawn = Place(folder / "drawn")
    drawn.folder.mkdir()
    run_to_the_end(drawn, list(WORLD), None)
    table = Table("Run", "Trials", "Seconds", "Cores used", "Cores of others", "Rows and pictures", "What it said")
    first, good = Place(folder / "0"), True
    for number, (name, (short, work)) in enumerate(runs.items()):
        if only and short and short not in only:
            continue
        place = Place(folder / str(number))
        shutil.copytree(drawn.folder / "cache", place.folder / "cache")
        told = measured(place, lambda work=work, place=place: work(place), roots)  # type: ignore[misc]
        found = [] if place == first or short == "one" else differences(first, place)
        good &= not found
        same = "not compared" if short == "one" else ", ".join(found) or ("-" if place == first else "the same")
        said = [line.strip() for line in told.said.splitlines() if any(word in line for word in WORDS) and "raylet" not in line]
        numbers = (f"{told.seconds:.1f}", f"{told.cores:.2f}", f"{told.others:.2f}")
        table.add_row(name, str(place.finished()), *numbers, same, "\n".join(line.partition(". ")[0] for line in said))
    Console(width=160).print(table)
    Console().print(f"This machine has {os.cpu_count()} cores; the trials of a cluster share them with Ray's own processes.")
    return good


if __name__ == "__main__":
    main()
