"""A clock that stands still while this process is stopped, so that no time says more than was computed in it.

A process is stopped by Ctrl-Z or SIGSTOP, and goes on by SIGCONT, which is when it is noticed; how long it was stopped is what
the last beat of a thread leaves open. While a machine sleeps, the system's own clock stands still on Linux and macOS.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BEAT_SECONDS = 0.2
NEAR_SECONDS = 2.0  # so soon after a gap between two beats comes the signal that explains it


class _Stops:
    """How often and for how long the process was stopped while it was watched."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0
        self._signals: int | None = None  # the descriptor where they can be read
        self._lock = threading.Lock()
        self._last = self._gap = self._gap_end = 0.0

    def watch(self, signals: int | None) -> None:
        """Look for signals there from now on, or no more."""
        with self._lock:
            self._signals, self._gap, self._last = signals, 0.0, time.perf_counter()

    def look(self) -> None:
        """Count a stop that has ended since the last look."""
        with self._lock:
            if self._signals is None:
                return
            ready, _, _ = select.select([self._signals], [], [], 0)
            goes_on = bool(ready) and signal.SIGCONT in os.read(self._signals, 512)
            now = time.perf_counter()  # after the signals, or a stop between the two would be one of no length
            if now - self._last > self._gap or now - self._gap_end > NEAR_SECONDS:
                self._gap, self._gap_end = now - self._last, now
            self._last = now
            if goes_on:
                self.count += 1
                self.seconds += max(0.0, self._gap - BEAT_SECONDS)
                self._gap = 0.0


_stops = _Stops()


def clock() -> float:
    """Seconds as `time.perf_counter` tells them, less those of stops that were noticed; each counts 0 to BEAT_SECONDS less."""
    _stops.look()
    return time.perf_counter() - _stops.seconds


def stops() -> int:
    """How often the process was stopped so far, as far as it was noticed."""
    _stops.look()
    return _stops.count


@contextmanager
def watched() -> Iterator[None]:
    """Notice stops within: in the main thread, where the system knows signals and nobody else waits for them."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGCONT, lambda *_: None)
    _stops.watch(reading)
    over = threading.Event()
    beats = threading.Thread(target=_beat, args=(over,), daemon=True)
    beats.start()
    try:
        yield
    finally:
        over.set()
        beats.join()
        _stops.look()
        _stops.watch(None)
        signal.signal(signal.SIGCONT, handler)
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _beat(over: threading.Event) -> None:
    while not over.wait(BEAT_SECONDS):
        _stops.look()
