"""Who waits to write says for whom."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas
import pytest

from compute import results as results_module
from compute.connection import ResultsError, finished_trials
from compute.lock_holder import Holder, lock_holder
from compute.results import publish

Tables = dict[str, pandas.DataFrame]
HOLD = """
import sys, time, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who holds a lock")


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / ".results.duckdb.lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def stop(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def test_whoever_waits_too_long_says_for_whom_and_what_to_do(
    holder: subprocess.Popen, tmp_path: Path, make_trial: Callable[..., Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_module, "LOCK_TIMEOUT_SECONDS", 0.2)
    results = tmp_path / "results.duckdb"
    waits = pytest.warns(UserWarning, match=rf"results\.duckdb: waits for process {holder.pid} \(.+\), as only one")
    gives_up = pytest.raises(ResultsError, match=rf"process {holder.pid} \(.+\) kept it locked for 0\.2 s\. Run again when")
    with waits, gives_up:
        publish(results, tmp_path / "images", make_trial())
    stop(holder)
    waits = pytest.warns(UserWarning, match="which is stopped")
    gives_up = pytest.raises(ResultsError, match=rf"is stopped, kept .+ kill -CONT {holder.pid}, or end it with kill -KILL")
    with waits, gives_up:
        publish(results, tmp_path / "images", make_trial())
    assert not results.exists()


def test_whoever_waits_gets_its_turn_when_the_holder_has_died(
    holder: subprocess.Popen, tmp_path: Path, make_trial: Callable[..., Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results_module, "NOTICE_SECONDS", 0.1)
    stop(holder)
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(0.5); os.kill({holder.pid}, 9)"])
    with pytest.warns(UserWarning, match=f"process {holder.pid}"):
        publish(tmp_path / "results.duckdb", tmp_path / "images", make_trial())
    killer.wait()
    assert finished_trials(tmp_path / "results.duckdb") == {"trial-1": "run-1"}


def test_the_holder_is_named_by_its_command(holder: subprocess.Popen, tmp_path: Path) -> None:
    found = lock_holder(tmp_path / ".results.duckdb.lock")
    assert found is not None
    assert (found.process, found.stopped) == (holder.pid, False)
    assert found.command.startswith(sys.executable)
    assert Holder(7, "python", True).words == "process 7 (python), which is stopped,"


def test_nobody_is_named_where_nobody_holds_the_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert lock_holder(tmp_path / "lock") is None
    assert lock_holder(tmp_path / "not there") is None
