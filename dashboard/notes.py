"""What people wrote about pictures, classes, findings and pages: one JSON line a note in `notes.jsonl`, beside the results.

Whoever may see the results may add a line, so that a file is foreign input: what is read is limited, and what is no note is
skipped and counted. Lines are appended whole and under a lock, so that many people and processes can write at once.
"""

import functools
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from dashboard.connection import ResultsError

FILE_NAME = "notes.jsonl"
MOST_CHARACTERS = {"author": 80, "time": 40, "subject": 400, "address": 4000, "text": 4000}
MOST_LINES = 10_000  # of a file are read, the last ones
MOST_BYTES = 16 * 2**20
MOST_FILE_BYTES = 4 * MOST_BYTES  # and no note is added
# Neither a terminal nor a page should obey what a note holds: control characters, and those that turn the direction of writing.
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
LOCKED_BYTE = 2**30  # on Windows, where a lock hides the bytes it covers: one that no note reaches


class NotesError(ResultsError):
    """Notes that cannot be read or written; the message says why, and the remedy."""


@dataclass(frozen=True)
class Note:
    """What one person wrote: `time` in UTC as ISO 8601, `address` a page's path and query, `text` plain with line breaks."""

    author: str
    time: str
    subject: str
    address: str
    text: str

    @property
    def day(self) -> str:
        """Date and time for people: 2026-01-02 03:04 UTC."""
        return f"{self.time[:10]} {self.time[11:16]} UTC"


@dataclass(frozen=True)
class Notebook:
    """All notes of a file, the oldest first, and how many of its lines are none."""

    notes: tuple[Note, ...]
    skipped: int

    def of(self, subject: str) -> list[Note]:
        """The notes of one subject."""
        return self._by_subject.get(_subject(subject), [])

    @functools.cached_property
    def _by_subject(self) -> dict[str, list[Note]]:
        found: dict[str, list[Note]] = {}
        for note in self.notes:
            found.setdefault(note.subject, []).append(note)
        return found


def beside(results_path: Path) -> Path:
    """Where the notes on a results file lie: in its folder, or where CONTRAST_NOTES says."""
    return Path(os.environ.get("CONTRAST_NOTES") or results_path.parent / FILE_NAME)


def written_now(author: str, subject: str, address: str, text: str) -> Note:
    """A note of this moment, cleaned of what is not text.

    Raises NotesError where the name or the text is missing or too long.
    """
    note = Note(
        _line(author),
        f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        _subject(subject),
        _line(address)[: MOST_CHARACTERS["address"]],
        _text(text),
    )
    for name, words in (("author", "A name"), ("text", "A note")):
        given, most = len(getattr(note, name)), MOST_CHARACTERS[name]
        if not 0 < given <= most:
            raise NotesError(f"{words} has 1 to {most:,} characters, this one {given:,}.")
    return note


def read(path: Path) -> list[Note]:
    """All notes of a file, the oldest first; none where there is no file. Raises NotesError where it cannot be read."""
    return list(notebook(path).notes)


def notebook(path: Path) -> Notebook:
    """As `read`, with the number of lines that were skipped as they are no notes, or not whole."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise NotesError(f"{path} is no file, so that it can hold no notes. Move it, or name a file in CONTRAST_NOTES.")
        return _notebook(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        return Notebook((), 0)
    except OSError as error:
        raise NotesError(
            f"The notes in {path} cannot be read ({error.strerror or error}). Give yourself the right to read it, or name "
            "another file in CONTRAST_NOTES."
        ) from error


def append(path: Path, note: Note) -> None:
    """Add one note at the end of a file, which is made where there is none; it is on disk when this returns.

    Raises NotesError where it cannot be written, and then leaves the file as it was.
    """
    line = json.dumps(asdict(note), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            with _locked(file):
                if os.fstat(file).st_size + len(line) > MOST_FILE_BYTES:
                    raise NotesError(
                        f"{path} is full: a file of notes has at most {MOST_FILE_BYTES // 2**20} MB. Move it away, and the "
                        "next note begins a new one."
                    )
                _write_line(file, line)
        finally:
            os.close(file)
    except OSError as error:
        raise NotesError(
            f"The note could not be saved in {path} ({error.strerror or error}). Make its folder one that you can write to and "
            "that has space left, or name another file in CONTRAST_NOTES."
        ) from error


def _write_line(file: int, line: bytes) -> None:
    """Append one whole line, apart from what another program may have left half-written, or nothing at all."""
    size = os.lseek(file, 0, os.SEEK_END)
    if size:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":
            line = b"\n" + line
    if os.write(file, line) != len(line):
        os.ftruncate(file, size)
        raise OSError("no space left for all of it")
    os.fsync(file)


if sys.platform == "win32":
    import msvcrt

    @contextmanager
    def _locked(file: int) -> Iterator[None]:
        os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    @contextmanager
    def _locked(file: int) -> Iterator[None]:
        fcntl.flock(file, fcntl.LOCK_EX)  # of this opening of the file: it holds among threads as well
        yield  # closing the file unlocks it


@functools.lru_cache(maxsize=4)
def _notebook(path: Path, state: tuple[int, ...]) -> Notebook:
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - MOST_BYTES)
        file.seek(start)
        lines = file.read(MOST_BYTES).split(b"\n")
    lines = [line for line in lines[1 if start else 0 :] if line.strip()][-MOST_LINES:]
    notes = [_parsed(line) for line in lines]
    found = sorted(dict.fromkeys(note for note in notes if note), key=lambda note: note.time)  # equal ones once
    return Notebook(tuple(found), notes.count(None))


def _parsed(line: bytes) -> Note | None:
    """The note that a line holds, with its texts cleaned and cut to their limits; None where it holds none."""
    try:
        given = json.loads(line.decode("utf-8"))
        values = {field.name: given[field.name] for field in fields(Note)}
        time = datetime.fromisoformat(values["time"])
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    if not all(isinstance(value, str) for value in values.values()):
        return None
    values = {name: (_text if name == "text" else _line)(value)[: MOST_CHARACTERS[name]] for name, value in values.items()}
    return Note(**{**values, "time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}) if values["text"] else None


def _text(given: str) -> str:
    """Text without what cannot be seen, with plain line breaks."""
    return UNSEEN.sub("", given.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")).strip()


def _subject(given: str) -> str:
    """A subject as files hold it."""
    return _line(given)[: MOST_CHARACTERS["subject"]]


def _line(given: str) -> str:
    """Text on one line."""
    return " ".join(_text(given).split())
