"""Files and folders that are whole or not there, and what killed writers left."""

import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from compute.unfinished import remove_leftovers, unfinished_path, whole_file, whole_folder


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fill_half(file: Path) -> None:
    file.write_text("half")
    raise ZeroDivisionError


def test_a_file_is_there_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "new" / "1.png"
    with whole_file(target) as unfinished:
        unfinished.write_text("whole")
        assert not target.exists()
        assert unfinished.suffix == ".png"
    assert target.read_text() == "whole"
    assert names(tmp_path) == ["new", "new/1.png"]


def test_an_error_leaves_the_file_before_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "1.png"
    target.write_text("before")
    with pytest.raises(ZeroDivisionError), whole_file(target) as unfinished:
        fill_half(unfinished)
    assert target.read_text() == "before"
    assert names(tmp_path) == ["1.png"]


def test_an_error_of_the_system_names_the_file_that_is_to_be(tmp_path: Path) -> None:
    target = tmp_path / "1.png"
    with pytest.raises(OSError, match="No space left") as raised, whole_file(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(target)
    with pytest.raises(FileNotFoundError) as raised, whole_file(target) as unfinished:
        (unfinished / "1.jpg").write_text("")
    assert raised.value.filename == str(target)


def test_an_error_of_another_file_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised, whole_file(tmp_path / "1.png"):
        (tmp_path / "other").read_text()
    assert raised.value.filename == str(tmp_path / "other")
    with pytest.raises(OSError, match="image file is truncated"), whole_file(tmp_path / "1.png"):
        raise OSError("image file is truncated")


def test_a_folder_is_there_when_it_is_whole_and_the_first_one_stays(tmp_path: Path) -> None:
    target = tmp_path / "new" / "world"
    with whole_folder(target) as unfinished:
        (unfinished / "1.jpg").write_text("first")
        assert not target.exists()
    with whole_folder(target) as unfinished:
        (unfinished / "1.jpg").write_text("second")
    with pytest.raises(FileNotFoundError) as raised, whole_folder(tmp_path / "other") as unfinished:
        (unfinished / "not there" / "1.jpg").write_text("half")
    assert raised.value.filename == str(tmp_path / "other")
    assert (target / "1.jpg").read_text() == "first"
    assert names(tmp_path) == ["new", "new/world", "new/world/1.jpg"]


def test_only_what_dead_processes_of_this_machine_left_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own, dead, node = os.getpid(), ended.pid, platform.node()
    kept = ["1.png", f".1.{node}.{own}.png", f".1.elsewhere.{dead}.png", ".git", f"1.{node}.{dead}.png"]
    for name in [*kept, f".1.{node}.{dead}.png", f".world.{node}.{dead}/1.jpg", f"runs/.2.{node}.{dead}.png", "runs/2.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([*kept, "runs", "runs/2.png"])
    remove_leftovers(tmp_path / "not there")


def test_names_are_those_that_are_looked_for(tmp_path: Path) -> None:
    for target in (tmp_path / "val_00001.png", tmp_path / "openmoji-200.40", tmp_path / "features-0123.f16"):
        left = unfinished_path(target)
        assert left.name.startswith(".")
        left.with_name(left.name.replace(f".{os.getpid()}", ".999999999")).touch()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []
