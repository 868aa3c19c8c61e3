"""Break it on purpose, and print what came of it: tried, survived, lost.

Command: python -m drills [NAME ...] [--short] [--markdown] [--folder DIR]

Exit code 1 where something did not hold. What a drill starts from is made in a temporary folder, or below DIR, where it stays.
"""

import argparse
import importlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drills import Outcome

DRILLS = {
    "crash": "compute killed at random moments, publishing and merging killed at each step",
    "faults": "full and read-only disks, clock, two runs at once, a machine asleep, locks, notes",
    "reading": "sessions that read while trials are published",
    "foreign": "files that others made",
}
COLUMNS = ("What", "Tried", "Survived", "Lost", "Remark")


def main() -> None:
    """Run the drills that were named, or all of them."""
    listed = "; ".join(f"{name}: {what}" for name, what in DRILLS.items())
    parser = argparse.ArgumentParser(prog="python -m drills", description=(__doc__ or "").partition("\n")[0], epilog=listed)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(DRILLS)}; all")
    parser.add_argument("--short", action="store_true", help="the form that tests use, of less than half a minute each")
    parser.add_argument("--markdown", action="store_true", help="print the table for the README")
    parser.add_argument("--folder", type=Path, help="where to work, and to leave everything; a temporary folder")
    chosen = parser.parse_args()
    if unknown := sorted(set(chosen.names) - set(DRILLS)):
        parser.error(f"there is no drill {', '.join(unknown)}; there are {', '.join(DRILLS)}")
    console, outcomes = Console(stderr=chosen.markdown), []
    with _folder(chosen.folder) as folder:
        for name in chosen.names or DRILLS:
            clock = time.monotonic()
            drill = importlib.import_module(f"drills.{name}")  # here, as some take long to import
            for outcome in drill.run(folder / name, chosen.short):
                outcomes.append(outcome)
                console.print(f"{outcome.survived:,} of {outcome.tried:,}: {outcome.what}", highlight=False, markup=False)
            console.print(f"{name} took {time.monotonic() - clock:.0f} s", highlight=False)
    if chosen.markdown:
        print(markdown(outcomes))
    else:
        Console().print(_table(outcomes), highlight=False)
    raise SystemExit(not all(outcome.held for outcome in outcomes))


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="contrast-drills-") as temporary:
        yield Path(temporary).resolve()


def _cells(outcome: Outcome) -> tuple[str, ...]:
    return outcome.what, f"{outcome.tried:,}", f"{outcome.survived:,}", f"{outcome.lost:,}", outcome.remark


def _table(outcomes: list[Outcome]) -> Table:
    table = Table("", *COLUMNS)
    for outcome in outcomes:
        state = "[green]ok[/]" if outcome.held else "[red]failed[/]"
        table.add_row(state, *(escape(cell) for cell in _cells(outcome)))
    return table


def markdown(outcomes: list[Outcome]) -> str:
    """The same as a table in Markdown."""
    rows = [COLUMNS, ("---", "---:", "---:", "---:", "---"), *map(_cells, outcomes)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


if __name__ == "__main__":
    main()
