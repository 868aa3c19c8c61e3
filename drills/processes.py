"""Runs of `python -m compute` that can be killed: forked from a process that has imported compute, each in its own group.

So no drill waits for torch to be imported again and again; a run is otherwise what the command line starts. Run as a program,
this file is the process that they are forked from.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT_SECONDS = 1800.0  # no run takes so long, however busy the machine is
POLL_SECONDS = 0.05
BACKWARDS_SECONDS = 86_400.0  # how far 'clock' jumps
SHORT_TIMEOUT_SECONDS = 4.0
# man 2 capset: its third version, and CAP_DAC_OVERRIDE with CAP_DAC_READ_SEARCH
CAPABILITY_VERSION, OVERRIDE_RIGHTS = 0x20080522, 0b110


@dataclass(frozen=True)
class Place:
    """Where one run keeps everything."""

    folder: Path

    @property
    def results(self) -> Path:
        """The file of results."""
        return self.folder / "results.duckdb"

    @property
    def images(self) -> Path:
        """The folder of pictures."""
        return self.folder / "images"

    @property
    def cache(self) -> Path:
        """The folder of what can be made again."""
        return self.folder / "cache"

    def arguments(self, *arguments: str, **places: Path) -> list[str]:
        """The arguments of `compute run` here, on the CPU; `places` are other ones than these for results, images, cache."""
        own = {"results": self.results, "images": self.images, "cache": self.cache} | places
        return [
            "run",
            "--device",
            "cpu",
            *(part for name, path in own.items() for part in (f"--{name}", str(path))),
            *arguments,
        ]


class Run:
    """A run that was started, and what it says."""

    def __init__(self, runner: "Runner", pid: int, said: Path) -> None:
        self.runner, self.pid, self.said_in = runner, pid, said

    def signal(self, number: int) -> None:
        """Send a signal to the run and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def wait(self, limit_s: float = LIMIT_SECONDS) -> int:
        """The exit code, or minus the signal that ended it; a run that takes longer than the limit is killed."""
        timer = threading.Timer(limit_s, self.signal, [signal.SIGKILL])
        timer.start()
        try:
            return self.runner.ask({"wait": self.pid})
        finally:
            timer.cancel()

    def ended(self) -> bool:
        """Whether it has ended by itself, or was killed, and can be waited for without waiting."""
        return bool(self.runner.ask({"ended": self.pid}))

    def kill_after(self, seconds: float) -> int:
        """Let it run for so long, and then kill it; returns as `wait` does."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.ended():
            time.sleep(min(POLL_SECONDS, max(0.0, until - time.monotonic())))
        self.signal(signal.SIGKILL)
        return self.wait()

    @property
    def said(self) -> str:
        """All that it has said so far."""
        return self.said_in.read_text(errors="replace")


class Runner:
    """The process that runs are forked from."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process, self.folder, self.started = process, folder, 0

    def ask(self, order: Mapping[str, object]) -> int:
        """Send one order, and return what comes back."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, arguments: list[str], rig: str = "", temporary: Path | None = None) -> Run:
        """Start a command of compute, with what is rigged about it, and its folder of temporary files."""
        self.started += 1
        said = self.folder / f"said-{self.started}.txt"
        order = {"arguments": arguments, "said": str(said), "rig": rig, "temporary": str(temporary) if temporary else None}
        return Run(self, self.ask(order), said)

    def run(self, arguments: list[str], rig: str = "", temporary: Path | None = None) -> tuple[int, str]:
        """Run a command of compute to its end: its exit code and what it said."""
        run = self.start(arguments, rig, temporary)
        return run.wait(), run.said


@contextmanager
def runner(folder: Path) -> Iterator[Runner]:
    """A process that has imported compute, and keeps what its runs say in `folder`."""
    environment = os.environ | {"COLUMNS": "500", "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "drills.processes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    )
    try:
        yield Runner(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _rig_clock() -> None:
    """The wall clock goes back by a day each time it is read."""
    import datetime as module

    from compute import trials

    readings = iter(range(1, 10**9))

    class Backwards(module.datetime):
        @classmethod
        def now(cls, tz: module.tzinfo | None = None) -> "Backwards":
            found = super().now(tz) - module.timedelta(seconds=BACKWARDS_SECONDS * next(readings))
            return cls.fromtimestamp(found.timestamp(), tz)

    wall = time.time
    time.time = lambda: wall() - BACKWARDS_SECONDS * next(readings)
    trials.datetime = Backwards  # type: ignore[misc]


def _rig_timeout() -> None:
    """Whoever waits for another writer gives up soon."""
    from compute import results

    results.LOCK_TIMEOUT_SECONDS = SHORT_TIMEOUT_SECONDS  # type: ignore[assignment]


def _rig_holder() -> None:
    """Stops itself within publishing, with the lock in its hand."""
    from compute import results

    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)

    results.copy_file = stop  # type: ignore[assignment]
    results._flush = stop  # type: ignore[assignment]


def _rig_modes() -> None:
    """The rights of files count, as they do for everybody but root."""
    header, data = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.capget(header, data)
    for word in range(3):
        data[word] &= ~OVERRIDE_RIGHTS
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")


RIGS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "clock": _rig_clock,
    "timeout": _rig_timeout,
    "holder": _rig_holder,
    "modes": _rig_modes,
}


def _become(order: dict[str, Any]) -> int:
    """What a forked process does: run a command of compute, and return its exit code."""
    os.setsid()
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(descriptor, number)
    if order["temporary"]:
        os.environ["TMPDIR"] = order["temporary"]
    RIGS[order["rig"]]()
    from compute.__main__ import app

    try:
        app(order["arguments"])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def serve() -> None:
    """Fork a run for each order that comes in, or wait for one."""
    import compute.__main__  # noqa: F401

    ended: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "arguments" in order:
            pid = os.fork()
            if not pid:
                code = 1
                try:
                    code = _become(order)
                    sys.stdout.flush()
                finally:
                    os._exit(code)
            answer = pid
        elif "ended" in order:
            answer = int(_reaped(ended, order["ended"], os.WNOHANG))
        else:
            _reaped(ended, order["wait"], 0)
            answer = ended.pop(order["wait"])
        print(answer, flush=True)


def _reaped(ended: dict[int, int], pid: int, options: int) -> bool:
    if pid not in ended:
        found, status = os.waitpid(pid, options)
        if found:
            ended[pid] = os.waitstatus_to_exitcode(status)
    return pid in ended


if __name__ == "__main__":
    serve()
