"""The short form of the drill of faults, and what it holds a message to."""

from pathlib import Path

import pytest

from drills import NOT_TRIED, faults
from drills.notes import notes_outcome


def test_every_fault_ends_well_or_with_a_clear_message_and_loses_nothing(tmp_path: Path) -> None:
    outcomes = list(faults.run(tmp_path, short=True))
    assert [outcome for outcome in outcomes if not outcome.held] == []
    assert len(outcomes) == 7
    tried = {outcome.what: outcome.tried for outcome in outcomes}
    assert tried["a writer is stopped, then dies, with the lock in its hand"] == 2
    if untried := [outcome.remark for outcome in outcomes if outcome.remark.startswith(NOT_TRIED)]:
        pytest.skip(untried[0])
    assert (tried["the disk is full"], tried["folders are read-only"]) == (1, 2)


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (0, "13 trials finished", ""),
        (1, "/disk/x.duckdb: No space left on device. Make room on its disk, and run the same command again.", ""),
        (1, "/other/x.duckdb: No space left on device. Make room on its disk.", "no clear message"),
        (1, "/disk/x.duckdb: No space left on device.", "no clear message"),
        (1, "Traceback (most recent call last): /disk/x.duckdb: Make room", "a traceback"),
        (0, "Traceback (most recent call last)", "a traceback"),
        (-9, "/disk/x.duckdb: Make room", "it did not end"),
    ],
)
def test_a_message_names_the_file_and_what_to_do(code: int, said: str, told: str) -> None:
    found = faults._complaint_of_message(code, said, Path("/disk/x.duckdb"))
    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_without_small_disks_notes_are_tried_all_the_same(tmp_path: Path) -> None:
    outcome = notes_outcome(tmp_path / "notes", short=True, disk=None)
    assert (outcome.tried, outcome.held) == (1, True)
