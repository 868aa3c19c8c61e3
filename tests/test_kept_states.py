"""A state of the results file that was replaced goes, with all that was kept of it, when nobody looks at it any more."""

import gc
import os
import shutil
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest
from opened_pages import open_page
from result_files import Tables
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from compute.results import publish
from dashboard import queries
from dashboard.app_pages.overview import EXPERIMENTS
from dashboard.components import gallery
from dashboard.connection import MOST_STATES, ReplacedError, Results, drawing_on, is_latest, open_results
from dashboard.kept import Answers, kept, lacking
from dashboard.views import head_attention, head_runs
from dashboard.views.beside import findings_of
from dashboard.views.hierarchy import Hierarchy
from dashboard.views.synset_hierarchy import SynsetHierarchy

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's tests leave a page in place of the main module, which processes that are started later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def held_files() -> int:
    """Files that this process holds though they are gone."""
    held = 0
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            held += os.readlink(f"/proc/self/fd/{descriptor}").endswith("results.duckdb (deleted)")
        except OSError:
            continue
    return held


def test_states_that_were_replaced_do_not_pile_up(tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]) -> None:
    results, images = tiny_results
    before, threads = held_files(), len(os.listdir("/proc/self/task"))
    for number in range(8):
        opened = open_results(results, images)
        assert len(queries.runs(opened)) == number + 1
        queries.comparisons(opened)
        queries.fingerprint(opened)
        publish(results, images, make_trial(f"run-{number + 2}", f"trial-{number + 2}"))
    gc.collect()
    assert held_files() - before <= 2  # those that were opened last
    assert len(os.listdir("/proc/self/task")) - threads <= 6


def test_what_somebody_looks_at_stays_as_it_is(tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]) -> None:
    results, images = tiny_results
    first = open_results(results, images)
    assert is_latest(first)
    for number in range(4):
        publish(results, images, make_trial(f"run-{number + 2}", f"trial-{number + 2}"))
        open_results(results, images)
    assert not is_latest(first)
    assert len(first.query("FROM run")) == 1
    results.unlink()
    assert not is_latest(first)


def test_what_was_kept_of_a_state_goes_with_the_next(
    tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]
) -> None:
    results, images = tiny_results
    first = open_results(results, images)
    assert len(queries.runs(first)) == 1
    assert open_results(results, images) is first
    assert (len(first.kept), len(first.answers)) == (1, 1)
    publish(results, images, make_trial("run-2", "trial-2"))
    open_results(results, images)
    assert (len(first.kept), len(first.answers)) == (0, 0)
    assert len(queries.runs(first)) == 1  # of what it always was


def test_of_many_states_that_are_shown_the_oldest_are_closed(
    tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]
) -> None:
    results, images = tiny_results
    before = held_files()
    shown = [open_results(results, images)]
    for number in range(2 * MOST_STATES):
        publish(results, images, make_trial(f"run-{number + 2}", f"trial-{number + 2}"))
        shown.append(open_results(results, images))
    assert held_files() - before <= MOST_STATES
    for number, state in enumerate(shown[-MOST_STATES:], len(shown) - MOST_STATES + 1):
        assert len(queries.runs(state)) == number
    for state in shown[:-MOST_STATES]:
        with pytest.raises(ReplacedError, match=r"results\.duckdb was replaced more than"):
            queries.runs(state)
        assert not is_latest(state)


def test_a_state_stays_open_while_a_page_is_drawn_on_it(
    tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]
) -> None:
    results, images = tiny_results
    shown = [open_results(results, images)]
    with drawing_on(shown[0]), drawing_on(shown[0]):
        for number in range(MOST_STATES + 1):
            publish(results, images, make_trial(f"run-{number + 2}", f"trial-{number + 2}"))
            shown.append(open_results(results, images))
        assert len(queries.runs(shown[0])) == 1
        with pytest.raises(ReplacedError):
            queries.runs(shown[1])
    publish(results, images, make_trial("run-20", "trial-20"))
    shown.append(open_results(results, images))
    with pytest.raises(ReplacedError):
        queries.runs(shown[0])


def test_what_is_shown_of_a_state_that_was_closed_is_drawn_on_the_latest(
    tiny_results: tuple[Path, Path], make_trial: Callable[..., Tables]
) -> None:
    def page() -> None:
        import streamlit

        from dashboard import layout, queries
        from dashboard.connection import open_results

        def part(results: object) -> None:
            with layout.errors_as_messages():
                streamlit.text(f"{len(queries.runs(results))} runs")

        old = streamlit.session_state.pop("old", None)  # as a part of a page, drawn alone, is given what it was drawn on
        part(old or open_results(*streamlit.session_state["files"]))

    results, images = tiny_results
    shown = [old := open_results(results, images)]
    for number in range(MOST_STATES):
        publish(results, images, make_trial(f"run-{number + 2}", f"trial-{number + 2}"))
        shown.append(open_results(results, images))
    app = AppTest.from_function(page, default_timeout=30)
    app.session_state["files"], app.session_state["old"] = tiny_results, old
    app.run()
    assert not app.exception
    assert [text.value for text in app.text] == [f"{MOST_STATES + 1} runs"]


def test_no_widget_of_a_page_that_was_left_holds_a_hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Streamlit keeps what is called at a change of each widget that a session ever saw.
    results = shutil.copyfile(ROOT / "results.duckdb", tmp_path / "results.duckdb")
    app = open_page(monkeypatch, results, ROOT / "images", "imagenet_rn50_vs_clip")
    gc.unfreeze()  # what the first page of a process leaves to no search
    held = []
    for page, query in (
        ("imagenet_rn50_vs_clip", {"view": "all pictures"}),
        ("imagenet_rn50_vs_clip", {"view": "confusions"}),
        ("wordnet_synsets", {"view": "explorer", "search": "dog"}),
        ("wordnet_synsets", {"view": "four questions"}),
        ("runs", {}),
    ):
        held += [weakref.ref(each) for each in gc.get_objects() if isinstance(each, (Hierarchy, SynsetHierarchy))]
        os.utime(results)
        app.query_params.clear()
        app.query_params.update(query)
        app._page_hash = calc_hash(page)
        app.run()
        assert not app.exception
    gc.collect()
    assert len({id(each) for each in held}) >= 2
    assert [each() for each in held] == [None] * len(held)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_page_whose_pictures_went_with_their_run_is_drawn_anew(tiny_results: tuple[Path, Path], comes_back: bool) -> None:
    def page() -> None:
        import os

        import streamlit

        from dashboard.components import gallery
        from dashboard.connection import open_results

        path, images = streamlit.session_state["files"]
        streamlit.session_state["drawn"] = drawn = streamlit.session_state.get("drawn", 0) + 1
        streamlit.session_state[gallery.SHOWN] = open_results(path, images)
        if drawn == 1:
            os.utime(path)  # as if another file were in its place
        is_gone = drawn == 1 or not streamlit.session_state["comes_back"]
        cell = gallery.Cell("mask", "a mask", mask=gallery.MISSING if is_gone else "data:image/png;base64,")
        gallery.show([gallery.Row("1", "Picture 1", [cell])], "gallery", 0.5)

    app = AppTest.from_function(page, default_timeout=30)
    app.session_state["files"], app.session_state["comes_back"] = tiny_results, comes_back
    app.run()
    assert not app.exception
    assert app.session_state["drawn"] == 2  # and not for ever where the picture is not there at all
    [element] = app.get("bidi_component")
    assert ("picture missing" in element.proto.json) is not comes_back


def test_a_picture_that_is_gone_since_it_was_found_is_missing(tmp_path: Path) -> None:
    gone = tmp_path / "gone.png"
    urls = [
        gallery.photo_url(gone),
        gallery.mask_url(gone),
        gallery.four_way_url(gone, gone, gone, 3),
        gallery.and_or_url(gone, gone),
    ]
    assert urls == [gallery.MISSING] * 4
    assert gallery.mask_classes(gone) is None


def test_answers_are_kept_with_the_results_that_they_are_of(tiny_results: tuple[Path, Path]) -> None:
    asked = []

    @kept
    def count(results: Results, table: str, frame: pandas.DataFrame | None = None) -> int:
        asked.append(table)
        return len(results.query(f"FROM {table}"))

    opened = open_results(*tiny_results)
    frames = [pandas.DataFrame({"a": [value]}) for value in (1, 1, 2)]
    assert [count(opened, "run"), count(opened, table="run"), count(opened, "run"), count(results=opened, table="run")] == [
        1
    ] * 4
    assert [count(opened, "image", frame) for frame in frames] == [2] * 3
    assert asked == ["run", "run", "run", "image", "image"]  # named or not are two ways to ask; equal frames are one
    assert {len(answers._found) for function, answers in opened.answers.items() if function is count.__wrapped__} == {5}


def test_of_many_answers_the_one_not_asked_for_the_longest_goes() -> None:
    answers, worked_out = Answers(most=2), []

    def get(key: str) -> str:
        return answers.get(key, lambda: worked_out.append(key) or key.upper())

    assert [get(key) for key in "abacab"] == list("ABACAB")
    assert worked_out == ["a", "b", "c", "b"]


def test_an_answer_that_something_is_lacking_for_is_not_kept_nor_what_is_made_of_it() -> None:
    files: list[str] = []

    @kept
    def read() -> list[str]:
        if not files:
            lacking()
        return [*files]

    @kept
    def twice() -> list[str]:
        return read() + read()

    @kept
    def count() -> int:
        return len(files)

    assert (twice(), count()) == ([], 0)
    files.append("a")
    assert (twice(), count()) == (["a", "a"], 0)
    files.append("b")
    assert twice() == ["a", "a"]


@pytest.mark.parametrize("half_copied", [False, True])
def test_pictures_that_come_later_are_shown(tmp_path: Path, half_copied: bool) -> None:
    """In findings, and in what is made of masks, both of which are kept."""
    shutil.copy(ROOT / "results.duckdb", tmp_path)
    images = tmp_path / "images"
    shutil.copytree(ROOT / "images", images)
    pictures = [path for path in images.rglob("*.*") if path.suffix in (".png", ".jpg")]
    for path in pictures:
        path.write_bytes(path.read_bytes()[:20]) if half_copied else path.unlink()
    opened = open_results(tmp_path / "results.duckdb", images)
    setup = head_runs.setup_of(opened, head_runs.choices(opened).iloc[0])

    def look() -> tuple[set[bool], bool]:
        """Whether the pictures of findings are there, and whether the heads' looks at masks are."""
        found = [finding for experiment in EXPERIMENTS for finding in findings_of(experiment, opened)]
        cells = [cell for finding in found for row in finding.pictures for cell in row.cells]
        return {gallery.MISSING not in (cell.photo, cell.mask) for cell in cells}, bool(head_attention.looks(opened, setup))

    assert look() == ({False}, False)
    shutil.copytree(ROOT / "images", images, dirs_exist_ok=True)
    assert look() == ({True}, True)
