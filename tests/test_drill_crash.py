"""The short form of the crash drill, and that it sees what it is there to see."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas
import pytest

from compute.results import publish
from drills import NOT_TRIED, Outcome, crash
from drills.__main__ import markdown
from drills.processes import Place
from drills.same_rows import differences, rows_digest
from drills.steps import in_child, steps

Tables = dict[str, pandas.DataFrame]


def test_nothing_is_lost_by_kills_at_random_moments_and_at_steps_of_publishing(tmp_path: Path) -> None:
    outcomes = list(crash.run(tmp_path, short=True))
    assert [outcome for outcome in outcomes if not outcome.held] == []
    killed, again, published, merged = outcomes
    assert killed.tried == 3
    assert again.tried >= 1  # one folder or more, as a run may end before it is killed
    assert min(published.tried, merged.tried) >= 5
    for outcome in (published, merged):  # some were killed before the file was replaced, and some after
        assert ": as before 0 times" not in outcome.remark
        assert "all that was new 0 times" not in outcome.remark


def copied(tiny_results: tuple[Path, Path], folder: Path) -> tuple[Path, Path]:
    ours, images = tiny_results
    shutil.copytree(images, folder / "images")
    shutil.copy(ours, folder)
    return ours, folder / ours.name


def test_a_copy_has_the_same_rows_and_pictures(tiny_results: tuple[Path, Path], tmp_path: Path) -> None:
    ours, theirs = copied(tiny_results, tmp_path / "theirs")
    with duckdb.connect(str(theirs)) as connection:
        connection.execute("UPDATE run SET seconds = 99, started_at = TIMESTAMP '2000-01-01'")
        connection.execute("UPDATE training_step SET milliseconds = 99")
    assert differences(ours, theirs) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE training_step SET loss = 9 WHERE step = 1", "1 rows of training_step"),
        ("DELETE FROM boundary_score", "4 rows of boundary_score"),
        ("INSERT INTO label_cluster SELECT * FROM label_cluster", "2 rows of label_cluster"),
    ],
)
def test_another_row_is_seen(tiny_results: tuple[Path, Path], tmp_path: Path, statement: str, told: str) -> None:
    ours, theirs = copied(tiny_results, tmp_path / "theirs")
    with duckdb.connect(str(theirs)) as connection:
        connection.execute(statement)
    assert differences(ours, theirs) == differences(theirs, ours) == [told]
    assert rows_digest(ours) != rows_digest(theirs)


def test_another_picture_is_seen_and_one_that_is_not_whole_is_none(tiny_results: tuple[Path, Path], tmp_path: Path) -> None:
    ours, theirs = copied(tiny_results, tmp_path / "theirs")
    images = theirs.parent / "images"
    (images / "runs" / ".1.here.99999.png").write_bytes(b"half")
    assert differences(ours, theirs) == []
    mask = images / "runs" / "run-1" / "epoch_0" / "1.png"
    mask.write_bytes(mask.read_bytes() + b"x")
    assert differences(ours, theirs) == ["1 pictures, such as runs/run-1/epoch_0/1.png"]


def test_the_digest_goes_by_rows_and_not_by_bytes(tmp_path: Path, make_trial: Callable[..., Tables]) -> None:
    first, second = make_trial("run-1", "trial-1"), make_trial("run-2", "trial-2")
    for name, trials in (("a", (first, second)), ("b", (second, first))):
        for tables in trials:
            publish(tmp_path / f"{name}.duckdb", tmp_path / "images", tables)
    assert rows_digest(tmp_path / "a.duckdb") == rows_digest(tmp_path / "b.duckdb") != rows_digest(tmp_path / "none.duckdb")


def test_steps_are_each_lines_first_and_the_last_of_those_that_come_again() -> None:
    executed = [("a", 1), ("a", 2), ("a", 2), ("a", 2), ("b", 2), ("a", 1)]
    assert steps(executed) == [0, 1, 3, 4, 5]


def test_a_child_that_kills_itself_gives_nothing_and_one_that_fails_is_no_kill(capfd: pytest.CaptureFixture[str]) -> None:
    assert in_child(lambda: (1, "two")) == (1, "two")
    assert in_child(lambda: os.kill(os.getpid(), signal.SIGKILL)) is None
    with pytest.raises(RuntimeError, match="ended with 1"):
        in_child(lambda: 1 / 0)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_leftovers_are_told_apart_by_their_run(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.images / "runs").mkdir(parents=True)
    (place.images / "runs" / ".1.here.123.png").touch()
    (place.images / "runs" / "1.png").touch()
    (tmp_path / ".results.duckdb.unfinished").touch()
    assert sorted(crash.leftovers(place)) == [".1.here.123.png", ".results.duckdb.unfinished"]


def test_an_outcome_holds_where_all_was_survived_and_nothing_lost_or_the_machine_cannot_try() -> None:
    assert Outcome("what", 2, 2, 0).held
    assert not Outcome("what", 2, 1, 0).held
    assert not Outcome("what", 2, 2, 1).held
    assert not Outcome("what", 0, 0, 0).held
    assert Outcome("what", 0, 0, 0, f"{NOT_TRIED}no disk").held
    assert not Outcome("what", 1, 1, 0, f"{NOT_TRIED}no disk").held


def test_the_table_for_the_readme() -> None:
    assert markdown([Outcome("a|b", 1000, 999, 1, "one")]).splitlines() == [
        "| What | Tried | Survived | Lost | Remark |",
        "| --- | ---: | ---: | ---: | --- |",
        "| a/b | 1,000 | 999 | 1 | one |",
    ]
