"""What a run shows on the console: a bar for each trial, and in words what went wrong."""

import errno
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from rich import markup
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from compute.connection import ResultsError
from compute.data.errors import DataError, for_terminal


def shown(text: str) -> str:
    """A text that may hold what somebody sent, as the console's markup for exactly that text."""
    return markup.escape(for_terminal(text))


@contextmanager
def shown_warnings(console: Console) -> Iterator[None]:
    """Have warnings of ours stand between the bars."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: console.print(f"[yellow]{shown(str(message))}[/]", highlight=False)
        yield


def bar_columns() -> tuple[ProgressColumn, ...]:
    """Name, bar, time and score, of which the name gives way where a terminal is narrow."""
    name, fixed = Column(no_wrap=True, overflow="ellipsis", ratio=1, min_width=18), Column(no_wrap=True)
    return (
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=10),
        TaskProgressColumn(table_column=fixed),
        TimeRemainingColumn(elapsed_when_finished=True, table_column=fixed.copy()),
        TextColumn("{task.fields[note]}", table_column=fixed.copy()),
    )


def bar_report(progress: Progress, variant: str, seed: int) -> Callable[[int, int, str], None]:
    """A trial's report, which shows a bar from its first call on."""
    bar = progress.add_task(f"{variant} · seed {seed}", total=None, note="", visible=False, start=False)

    def report(done: int, total: int, note: str) -> None:
        progress.start_task(bar)
        progress.update(bar, completed=done, total=total or None, note=note, visible=True)

    return report


def explained(error: Exception, device: torch.device) -> str:
    """What went wrong in a trial, in words where it is known, else with all that Python says."""
    if isinstance(error, (DataError, ResultsError)):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError):
        return f"{device} ran out of memory. Close other programs on it, or run with --device cpu."
    if isinstance(error, OSError):
        return explained_os_error(error)
    return "".join(traceback.format_exception(error))


def explained_os_error(error: OSError) -> str:
    """What the system refused, in words, with what mends it."""
    remedies = {
        errno.ENOSPC: "Make room on its disk",
        errno.EDQUOT: "Make room within your share of its disk",
        errno.EROFS: "Have it be one that can be written to, or name another folder with --results, --images or --cache",
        errno.EACCES: "Give yourself the right to it, or name another folder with --results, --images or --cache",
    }
    remedy = remedies.get(error.errno or 0, "See that it can be read and written to")
    told = f"{error.filename or 'A file'}: {error.strerror or error}"
    return f"{told}. {remedy}, and run the same command again; nothing that was finished is lost."
