"""The short form of the drill in which people click while trials are published, and that its checks can fail."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from drills import Outcome, reading
from drills.reading import Samples
from drills.reading_sessions import mixed

RUNS = [["caption_sampling", "2027-01-01 00:01"], ["caption_sampling", "2027-01-01 00:02"], ["unet", "2026-01-01 10:00"]]
PUBLISHED = {"aaaaaaaaaaaa": RUNS[:2], "bbbbbbbbbbbb": RUNS}


@pytest.fixture(scope="module")
def outcomes(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """Those of the short form; `browser` says whether there is one at all, and the drill starts its own."""
    return list(reading.run(tmp_path_factory.mktemp("reading"), short=True))


def test_people_click_while_trials_are_published(outcomes: list[Outcome]) -> None:
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert outcome.held, outcome
    assert outcomes[0].tried >= reading.SHORT_SESSIONS * reading.LEAST_CLICKS


@pytest.mark.parametrize(
    ("fingerprint", "text", "fault"),
    [
        ("bbbbbbbbbbbb", "3 runs. Select one to see", ""),
        ("bbbbbbbbbbbb", "2 runs. Select one to see", ""),  # of one experiment
        ("aaaaaaaaaaaa", "3 runs. Select one to see", "3 runs, where the file has 2"),
        ("bbbbbbbbbbbb", "From 2 runs on CPU, 2 threads · 2026-01-01 10:00 UTC", ""),
        ("aaaaaaaaaaaa", "From 2 runs on CPU, 2 threads · 2026-01-01 10:00 UTC", "a run of 2026-01-01 10:00"),
        ("cccccccccccc", "3 runs. Select one to see", "no state of the file has the fingerprint"),
    ],
)
def test_a_page_of_two_states_is_found(fingerprint: str, text: str, fault: str) -> None:
    found = mixed([("runs", fingerprint, text)], PUBLISHED)
    assert len(found) == bool(fault)
    assert fault in "".join(found)


def test_growth_is_that_of_a_line_and_not_of_two_looks() -> None:
    samples = Samples(seconds=[0, 10, 20, 30, 40], mebibytes=[50, 100, 110, 100, 110], gone_files=[0] * 5)
    first, last = samples.growth(10)
    assert (round(first, 6), round(last, 6)) == (102, 108)  # slope 0.2 a second


def test_a_leak_does_not_hold() -> None:
    steady = Samples(seconds=[180, 300, 480], mebibytes=[100, 100, 104], gone_files=[3, 3, 3])
    leaking = Samples(seconds=[180, 300, 480], mebibytes=[100, 103, 106], gone_files=[3, 40, 300])
    assert (reading._of_memory(steady).held, reading._of_memory(leaking).held) == (True, False)
    assert (reading._of_files(steady, 10).held, reading._of_files(leaking, 10).held) == (True, False)


def test_a_trial_that_is_gone_is_counted(tiny_results: tuple[Path, Path]) -> None:
    results, images = tiny_results
    lines = [{"trial_key": "trial-1", "run_id": "run-0"}, {"trial_key": "trial-1", "run_id": "run-1"}]
    assert reading._lost(results, images, lines) == 0
    assert reading._lost(results, images, [*lines, {"trial_key": "trial-2", "run_id": "run-2"}]) == 1
    next((images / "runs" / "run-1").rglob("*.png")).unlink()
    assert reading._lost(results, images, lines) == 1
