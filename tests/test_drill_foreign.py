"""The drill of foreign files counts what pytest ran: what failed is not survived, what was skipped is not tried."""

from pathlib import Path

import pytest

from drills import foreign

MADE = """
import pytest

@pytest.mark.parametrize("number", [1, 2, 3])
def test_of_three_the_second_fails(number):
    assert number != 2

def test_that_loses_something(tmp_path):
    (tmp_path / "file").write_text("a")
    before = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_text("b")
    assert (tmp_path / "file").read_bytes() == before

@pytest.fixture
def broken():
    raise OSError("no room")

def test_that_loses_nothing(tmp_path):
    assert (tmp_path / "file").exists()
    (tmp_path / "file").read_bytes()

def test_whose_fixture_breaks(broken):
    pass

@pytest.mark.skip
def test_that_is_skipped():
    assert False
"""


def test_a_case_that_fails_is_not_survived_and_a_skipped_one_is_not_tried(tmp_path: Path) -> None:
    (tmp_path / "test_made.py").write_text(MADE)
    cases = foreign.run_cases([tmp_path / "test_made.py"], tmp_path / "report.xml")
    assert (cases.tried, cases.lost) == (6, 1)
    expected = ["of_three_the_second_fails[2]", "that_loses_something", "that_loses_nothing", "whose_fixture_breaks"]
    assert cases.failed == tuple(f"test_{name}" for name in expected)
    outcome = foreign.outcome("made", cases)
    assert (outcome.tried, outcome.survived, outcome.lost, outcome.held) == (6, 2, 1, False)
    assert outcome.remark.startswith("failed: test_of_three_the_second_fails[2], test_that_loses_something")


def test_what_pytest_cannot_read_is_no_outcome(tmp_path: Path) -> None:
    (tmp_path / "test_made.py").write_text("def test_(:")
    with pytest.raises(RuntimeError, match=r"pytest could not run test_made\.py"):
        foreign.run_cases([tmp_path / "test_made.py"], tmp_path / "report.xml")


def test_every_test_of_foreign_files_is_in_one_group_and_every_group_is_there() -> None:
    grouped = [name for names in foreign.GROUPS.values() for name in names]
    assert len(set(grouped)) == len(grouped)
    assert {path.name for path in foreign.TESTS.glob("test_foreign_*.py")} <= set(grouped)
    assert all((foreign.TESTS / name).is_file() for name in grouped)
    assert foreign.SHORT.items() <= foreign.GROUPS.items()


def test_the_short_form_holds(tmp_path: Path) -> None:
    outcomes = list(foreign.run(tmp_path / "foreign", short=True))
    assert [outcome.what for outcome in outcomes] == list(foreign.SHORT)
    assert all(outcome.held for outcome in outcomes), outcomes
    assert sum(outcome.tried for outcome in outcomes) > 100
