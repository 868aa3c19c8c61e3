"""Killing a forked process at each step of what it does: a line of compute's code, a call to the system, any moment."""

import itertools
import os
import pickle
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from compute import connection, merge, merge_pictures, merge_rows, results, unfinished

CODE = tuple(module.__file__ for module in (results, connection, merge, merge_pictures, merge_rows, unfinished))
SYSTEM = ("copy_file", "fsync", "replace", "unlink")
Work = Callable[[], object]


def in_child(work: Work) -> Any:
    """What `work` returns in a forked process; None where that was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"A child of the drill ended with {code}.")
    return pickle.loads(content) if code == 0 else None


def die() -> None:
    """End this process as a kill from outside does, without any clearing up."""
    os.kill(os.getpid(), signal.SIGKILL)


def traced(work: Work, last: int | None = None) -> list[tuple[str, int]]:
    """Each line of compute's code that `work` executes, by file and number; dies before the one of the number `last`."""
    executed: list[tuple[str, int]] = []

    def line(frame: FrameType, event: str, _: object) -> Any:
        if event == "line":
            executed.append((frame.f_code.co_filename, frame.f_lineno))
            if len(executed) - 1 == last:
                die()
        return line

    sys.settrace(lambda frame, *_: line if frame.f_code.co_filename in CODE else None)
    try:
        work()
    finally:
        sys.settrace(None)
    return executed


def steps(executed: list[tuple[str, int]]) -> list[int]:
    """Numbers of executed lines: each line's first, and the last of those that come again."""
    first: dict[tuple[str, int], int] = {}
    for number, line in enumerate(executed):
        first.setdefault(line, number)
    last = {line: number for number, line in enumerate(executed)}
    return sorted({*first.values(), *last.values()})


def counted(work: Work) -> Counter[str]:
    """How often `work` asks the system for what SYSTEM names."""
    calls: Counter[str] = Counter()

    def count(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **options)

        return call

    for module, name in system():
        setattr(module, name, count(name, getattr(module, name)))
    work()
    return calls


def system() -> list[tuple[Any, str]]:
    """Where each call of SYSTEM is found, and its name."""
    return [(results if name == "copy_file" else os, name) for name in SYSTEM]


def dying(work: Work, wanted: str, number: int, when: str) -> object:
    """Do `work`, and die before, after or, with half a copy, within the call of that number, from 0, of what SYSTEM names."""
    calls = itertools.count()
    [module] = [module for module, name in system() if name == wanted]
    function = getattr(module, wanted)

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) != number:
            return function(*arguments, **options)
        if when == "within":
            content = Path(arguments[0]).read_bytes()
            Path(arguments[1]).write_bytes(content[: len(content) // 2])
        elif when == "after":
            function(*arguments, **options)
        return die()

    setattr(module, wanted, call)
    return work()


def killed_soon(work: Work, seconds: float) -> object:
    """Do `work`, and die after so many seconds, whatever is going on then."""
    threading.Timer(seconds, die).start()
    return work() and None
