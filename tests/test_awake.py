"""A stop of the process counts neither in its times nor in what it measures. Run as a program, this file is the process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compute import awake

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 2.0
WORK_SECONDS = 0.5

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that stops a process")


def process_that_is_stopped() -> None:
    import torch

    from compute import measure

    with awake.watched():
        clock, wall = awake.clock(), time.perf_counter()
        print("ready", flush=True)
        while time.perf_counter() - wall < STOP_SECONDS + WORK_SECONDS:
            time.sleep(0.01)
        times = {"awake": awake.clock() - clock, "wall": time.perf_counter() - wall, "stops": awake.stops()}
        print(json.dumps(times), flush=True)

        passes = iter(range(1000))

        def timed() -> None:
            if next(passes) == 3:
                print("ready", flush=True)
                time.sleep(WORK_SECONDS)

        timings = measure.interleaved({"one": timed}, 6, 1, torch.device("cpu"))
    print(json.dumps([timing.milliseconds for timing in timings]))


@contextmanager
def started() -> Iterator[subprocess.Popen]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen) -> None:
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGSTOP)
    time.sleep(STOP_SECONDS)
    process.send_signal(signal.SIGCONT)


def test_the_time_of_a_stop_is_no_time_of_work_and_no_pass_is_timed_across_it() -> None:
    with started() as process:
        stop(process)
        times = json.loads(process.stdout.readline())
        stop(process)
        milliseconds = json.loads(process.stdout.readline())
    assert times["stops"] == 1
    assert times["wall"] >= STOP_SECONDS + WORK_SECONDS
    lost = times["wall"] - times["awake"]
    assert STOP_SECONDS - 2 * awake.BEAT_SECONDS < lost < STOP_SECONDS + 1
    assert len(milliseconds) == 6
    assert max(milliseconds) < 1000 * WORK_SECONDS  # the pass that was stopped was timed once more


def test_nobody_else_is_in_the_way_of_signals_afterwards() -> None:
    before = signal.getsignal(signal.SIGCONT)
    with awake.watched():
        assert signal.getsignal(signal.SIGCONT) is not before
    assert signal.getsignal(signal.SIGCONT) is before
    first = awake.clock()
    assert awake.clock() >= first


if __name__ == "__main__":
    process_that_is_stopped()
