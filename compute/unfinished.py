"""Files and folders that are whole or not there, and what is left of them where a writer was killed."""

import errno
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

COPIED_AT_ONCE = 2**30  # bytes; so often a long copy can be interrupted

FULL_BYTES = 2**20  # where less is left, a disk is full


def unfinished_path(target: Path) -> Path:
    """A name beside `target`, with its ending, that no other process uses, on this machine or on one that shares the folder."""
    return target.with_name(f".{target.stem}.{platform.node()}.{os.getpid()}{target.suffix}")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; where the file system can, both share what neither changes, which takes no time whatever the size."""
    with suppress(AttributeError, OSError):  # of a system, or a file system, that has no such call
        with source.open("rb") as given, target.open("wb") as copied:
            while os.copy_file_range(given.fileno(), copied.fileno(), COPIED_AT_ONCE):
                pass
        if target.stat().st_size == source.stat().st_size:
            return
    shutil.copyfile(source, target)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A name to write a file under, which becomes `target` in one step at the end; on any error nothing is left of it.

    The folder is made where there is none. An OSError names `target`.
    """
    unfinished = unfinished_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        os.replace(unfinished, target)
    except OSError as error:
        _raise_of(target, unfinished, error)
        raise
    finally:
        with suppress(OSError):
            unfinished.unlink()


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `target` in one step at the end; on any error nothing is left of it.

    Where another process was first, with the same contents, its folder stays. An OSError is as with `whole_file`.
    """
    unfinished = unfinished_path(target)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)  # of an earlier process of that number
        unfinished.mkdir(parents=True)
        yield unfinished
        try:
            unfinished.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    except OSError as error:
        _raise_of(target, unfinished, error)
        raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _raise_of(target: Path, unfinished: Path, error: OSError) -> None:
    """Raise the error as one of `target`, where it is one; what numpy and Pillow say of a full disk tells neither."""
    number = error.errno
    if number is None:
        above = next(folder for folder in target.absolute().parents if folder.exists())
        number = errno.ENOSPC if shutil.disk_usage(above).free < FULL_BYTES else None
    if number is not None and (error.filename is None or str(error.filename).startswith(str(unfinished))):
        raise OSError(number, os.strerror(number), str(target)) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what processes of this machine that run no more have left unfinished below `folder`."""
    name = re.compile(rf"\..+\.{re.escape(platform.node())}\.(\d+)(\.\w+)?")
    for parent, folders, files in os.walk(folder):
        for left in [each for each in (*folders, *files) if (found := name.fullmatch(each)) and not _runs(int(found[1]))]:
            path = Path(parent, left)
            if left in folders:
                folders.remove(left)
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()


def _runs(process: int) -> bool:
    if sys.platform == "win32":
        return True  # to ask there would be to end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is another user's
    return True
