"""Notes beside the results: a writer that is killed, lines that are cut in half, and a disk that is full.

Run as a program, this file writes notes until it is killed.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from dashboard.notes import NotesError, append, notebook, written_now
from drills import Outcome
from drills.processes import ROOT

SEED = 0
KILLS = {False: 20, True: 1}
SHORTEST_LINE_BYTES = 60
LONGEST_SECONDS = 0.5  # from the first note to the kill
Disk = Callable[[Path, str], AbstractContextManager[Callable[[str], None]]]


def notes_outcome(folder: Path, short: bool, disk: Disk | None) -> Outcome:
    """Kill writers, cut a line, and fill the disk, where one can be mounted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dice = random.Random(SEED)
    tried = survived = lost = read = 0
    complaints = []
    for number in range(KILLS[short]):
        file = folder / f"notes-{number}.jsonl"  # of each its own: of one file only so many notes are read, the latest
        written = _killed_writer(file, f"{number}", dice.uniform(0, LONGEST_SECONDS))
        gone = written - _texts(file)
        with file.open("rb+") as opened:  # what a kill within a write would leave of the last note
            opened.truncate(opened.seek(0, os.SEEK_END) - dice.randrange(1, SHORTEST_LINE_BYTES))
        append(file, written_now("a drill", "a subject", "?page=x", f"after {number}"))
        found = _texts(file)
        cut = written - gone - found
        unread = len(gone) + max(0, len(cut) - 1) + len({f"after {number}"} - found)
        tried += 1
        lost += unread
        read += len(found)
        survived += not unread
        complaints += [f"{unread} notes are gone"] if unread else []
    if disk is not None:
        tried += 1
        complaint = _full_disk(folder / "disk", disk)
        survived += not complaint
        complaints += [complaint] if complaint else []
    remark = "; ".join(complaints[:2]) or f"all {read:,} whole notes are read, whatever stands between them"
    return Outcome("notes: their writer is killed, a line is cut, the disk is full", tried, survived, lost, remark)


def _killed_writer(file: Path, name: str, seconds: float) -> set[str]:
    """Texts that a process had written, as it said, when it was killed."""
    command = [sys.executable, "-m", "drills.notes", str(file), name]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert writer.stdout is not None
    said = writer.stdout.readline()
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    said += writer.communicate()[0]
    return {line for line in said.split("\n")[:-1] if line}


def _texts(file: Path) -> set[str]:
    return {note.text for note in notebook(file).notes}


def _full_disk(folder: Path, disk: Disk) -> str:
    """What is wrong with a note that a full disk has no room for; empty where nothing is."""
    with disk(folder, "8k"):
        file = folder / "notes.jsonl"
        append(file, written_now("a drill", "a subject", "?page=x", "the first"))
        (folder / "full").write_bytes(bytes(4096))
        try:
            append(file, written_now("a drill", "a subject", "?page=x", "long " * 799))
        except NotesError as error:
            told = str(error)
        else:
            return "the disk was not full"
        found = _texts(file)
        if str(file) not in told or "space" not in told:
            return f"no clear message: {told}"
        return "" if found == {"the first"} else f"notes are {found}"


def main() -> None:
    """Write notes and say which, until killed."""
    file, name = Path(sys.argv[1]), sys.argv[2]
    number = 0
    while True:
        number += 1
        append(file, written_now("a drill", "a subject", "?page=x", f"{name} {number}"))
        print(f"{name} {number}", flush=True)


if __name__ == "__main__":
    main()
