"""Files and folders that anyone sent: opened only where they are files, and read whole only where that is sensible."""

import errno
import hashlib
import io
import os
import stat
from pathlib import Path

LARGEST_TEXT_BYTES = 500_000_000  # COCO's largest file of captions has 92 MB
LONGEST_NAME = 60  # characters of a data set's name, which becomes a folder's
NO_FILE = "it is a pipe or a device, not a file"


def open_file(path: Path) -> io.BufferedReader:
    """Open a file, or what a link to one leads to; raises OSError for all else, as a pipe or a device may never end."""
    return open(path, "rb", opener=_opened)


def read_limited(path: Path) -> bytes:
    """All bytes of a file that people wrote by hand or with a program for tables; raises OSError where there are too many."""
    with open_file(path) as file:
        content = file.read(LARGEST_TEXT_BYTES + 1)
    if len(content) > LARGEST_TEXT_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {LARGEST_TEXT_BYTES:,} bytes", str(path))
    return content


def file_digest(path: Path) -> str:
    """SHA-256 of a file, or why it cannot be read."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"


def folder_problem(folder: Path) -> str:
    """What keeps a folder's files from being found, or nothing."""
    try:
        with os.scandir(folder):
            os.stat(os.path.join(folder, "."))  # a folder may be listed and its files still be closed
    except FileNotFoundError:
        return "there is no such folder"
    except NotADirectoryError:
        return "is a file, not a folder"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def _opened(path: str, flags: int) -> int:
    _check(path, os.stat(path))  # before it is opened, which some devices take for an order
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check(path, os.fstat(descriptor))  # and if it was put there in between, it is not waited for
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):  # Python itself refuses a folder
        raise OSError(errno.EINVAL, NO_FILE, path)
