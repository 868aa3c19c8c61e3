"""What the benchmark of the dashboard's pages makes of its times, and that it leaves no page out."""

from benchmarks.browsing import REPOSITORY
from benchmarks.page_load import BUTTON, CHANGES, EMPTY_CHANGES, FIRST_LOAD, OTHER_PAGE, Line, like, percentile_95


def test_every_page_is_measured_with_a_choice_of_its_own() -> None:
    pages = {path.stem for path in (REPOSITORY / "dashboard" / "app_pages").glob("[a-z]*.py")}
    assert set(CHANGES) == pages
    assert all(CHANGES.values())


def test_the_95th_percentile_lies_between_the_two_times_around_it() -> None:
    assert percentile_95([100.0 * place for place in range(1, 22)]) == 2000.0  # 21 times: the 20th, 95 % of the way
    assert percentile_95([10.0, 20.0]) == 19.5
    assert percentile_95([7.0]) == 7.0


def test_a_first_load_is_held_against_its_ratio_alone() -> None:
    assert Line("a page", FIRST_LOAD, [1400.0, 1500.0, 9000.0], [1000.0] * 3, [40.0]).is_reached  # 1.5 times
    assert not Line("a page", FIRST_LOAD, [1501.0] * 3, [1000.0] * 3, [40.0]).is_reached


def test_a_change_must_be_short_in_95_of_100_cases_as_well() -> None:
    assert Line("a page", BUTTON, [100.0] * 3, [40.0] * 3, [40.0]).is_reached  # 2.5 times
    assert not Line("a page", BUTTON, [101.0] * 3, [40.0] * 3, [40.0]).is_reached
    assert not Line("a page", BUTTON, [100.0] * 9 + [2000.0], [40.0] * 10, [40.0]).is_reached  # 95 %: 1145 ms


def test_like_is_held_against_like() -> None:
    assert like(FIRST_LOAD, {}) == FIRST_LOAD
    assert like(OTHER_PAGE, CHANGES["overview"]) == OTHER_PAGE
    skips = CHANGES["unet_skip_connections"]
    assert [like(what, skips) for what in skips] == ["a choice", BUTTON, "a tab"]
    compared = {like(what, changes) for changes in CHANGES.values() for what in changes}
    assert compared <= set(EMPTY_CHANGES)
