"""Files that others made, given to every part of the product: each has its expected message, and nothing is run, read or lost.

The cases are the tests' own (tests/test_foreign_*.py), run by pytest in a process of its own; the long form draws every view of
every page on each kind of changed rows, too. A case that fails counts as not survived, and as lost where its message speaks of
contents that are not what they were. With them go the tests of "no silent wrong number", and the checks of the published file.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compute.doctor_results import examine_results
from drills import Outcome

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "tests"
GROUPS: dict[str, tuple[str, ...]] = {
    "Pictures that results name: damaged, far too large, or elsewhere": ("test_foreign_pictures.py",),
    "Files of results: damaged, of another schema, with views and macros": ("test_foreign_contract.py",),
    "Texts, extremes and missing values in every column": ("test_foreign_rows.py", "test_foreign_charts.py"),
    "Weights: cut short, of another network, with code": ("test_foreign_checkpoints.py",),
    "Data sets: pictures, pairs, palettes, manifests": ("test_foreign_data.py",),
    "Captions and folders of BLIP": ("test_foreign_captions.py",),
    "Commands: odd results, figures, options, pipes, closed folders": ("test_foreign_commands.py", "test_foreign_options.py"),
    "The server: hosts, paths, sessions": ("test_foreign_server.py",),
    "Dependencies: pins, hashes, audit": ("test_foreign_pins.py",),
    "Figures against slow definitions, the same seed, golden ones": (
        "test_metric_definitions.py", "test_same_rows.py", "test_golden.py",
    ),
}  # fmt: skip
# Of the short form, which `make test` runs beside the very same tests: enough to see that they are found and counted.
SHORT: dict[str, tuple[str, ...]] = {
    "Dependencies: pins, hashes, audit": ("test_foreign_pins.py",),
    "Weights: cut short, of another network, with code": ("test_foreign_checkpoints.py",),
}
LOSS_WORDS = ("read_bytes", "given()", "is lost")  # in the lines of the assertion that failed, which pytest marks
LONGEST_RUN_S = 7200


@dataclass(frozen=True)
class Cases:
    """How many cases ran, which of them failed, and in how many of those something was lost."""

    tried: int
    failed: tuple[str, ...]
    lost: int


def run(folder: Path, short: bool) -> Iterator[Outcome]:
    """Run all groups, and in the long form check every row of the published file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (what, names) in enumerate((SHORT if short else GROUPS).items()):
        yield outcome(what, run_cases([TESTS / name for name in names], folder / f"{number}.xml", not short))
    if not short:
        yield _published(REPOSITORY / "results.duckdb", REPOSITORY / "images")


def run_cases(files: Sequence[Path], report: Path, long: bool = False) -> Cases:
    """Run pytest on test files, which writes `report`; raises RuntimeError where it could not run them at all."""
    command = [sys.executable, "-m", "pytest", *map(str, files), "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    environment = os.environ | ({"CONTRAST_LONG_DRILL": "1"} if long else {})
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), str(TESTS)])
    done = subprocess.run(
        [*command, f"--rootdir={REPOSITORY}"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False,
        timeout=LONGEST_RUN_S,
    )  # fmt: skip
    if done.returncode not in (0, 1) or not report.exists():  # 1: some failed
        raise RuntimeError(
            f"pytest could not run {', '.join(file.name for file in files)}:\n{done.stdout[-2000:]}{done.stderr}"
        )
    return read_report(report)


def read_report(report: Path) -> Cases:
    """Count the cases of a report in JUnit's format; those that were skipped do not count."""
    cases = [case for case in ElementTree.parse(report).iter("testcase") if case.find("skipped") is None]
    complaints = {}
    for case in cases:
        problems = [*case.findall("failure"), *case.findall("error")]
        if problems:
            complaints[f"{case.get('name')}"] = "\n".join(each.text or "" for each in problems)
    lost = sum(_speaks_of_loss(complaint) for complaint in complaints.values())
    return Cases(len(cases), tuple(complaints), lost)


def _speaks_of_loss(complaint: str) -> bool:
    marked = [line for line in complaint.splitlines() if line.startswith((">", "E "))]
    return any(word in line for line in marked for word in LOSS_WORDS)


def outcome(what: str, cases: Cases) -> Outcome:
    """A line of the table; the first cases that failed are named."""
    remark = f"failed: {', '.join(cases.failed[:3])}" if cases.failed else ""
    return Outcome(what, cases.tried, cases.tried - len(cases.failed), cases.lost, remark)


def _published(results: Path, images: Path) -> Outcome:
    """All that `python -m compute doctor --results` checks of the published file, one check of a row or picture each."""
    checked, violations = examine_results(results, images)
    checks = sum(line.checks for line in checked)
    rows = sum(line.rows for line in checked)
    failed = sum(line.failed for line in checked)
    remark = violations[0].what if violations else f"{rows:,} rows"
    return Outcome("Checks of the published results", checks, checks - failed, 0, remark)
