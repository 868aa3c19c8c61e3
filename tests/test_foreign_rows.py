"""Every page on results whose every column was changed: a message, a dash or the text itself, and never an error or markup.

Each case is one kind of change in all columns that it fits, in each row or in every third, on one page. The short form draws
each page as it opens; with CONTRAST_LONG_DRILL=1 in the environment each of its views is drawn, too.
"""

import os
import shutil
from pathlib import Path

import foreign_rows
import pytest
from opened_pages import open_page, words
from streamlit.testing.v1 import AppTest

from dashboard.pages import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
STEMS = [module.__name__.rpartition(".")[2] for modules in SECTIONS.values() for module in modules]
LONG = bool(os.environ.get("CONTRAST_LONG_DRILL"))
SPOILT = [(change, every) for change in foreign_rows.CHANGES for every in ((1, 3) if LONG else (1,))]


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory):
    """Call with a change, and in how many rows, for the published results with that change in them."""
    folder, made = tmp_path_factory.mktemp("foreign"), {}

    def make(change: str, every: int) -> Path:
        if (change, every) not in made:
            file = folder / f"{change} {every}.duckdb"
            shutil.copy(ROOT / "results.duckdb", file)
            assert foreign_rows.spoil(file, change, every=every) > 20
            made[change, every] = file
        return made[change, every]

    return make


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(("change", "every"), SPOILT)
def test_a_page_of_changed_rows_stands_and_holds_no_markup(monkeypatch, spoilt, change: str, every: int, stem: str) -> None:
    file = spoilt(change, every)
    page = "" if stem == "overview" else stem
    app = open_page(monkeypatch, file, ROOT / "images", page)
    views = [tab.label for tab in app.tabs] if LONG else []
    for drawn in (app, *(open_page(monkeypatch, file, ROOT / "images", page, view=view) for view in views[1:])):
        assert [error.message for error in drawn.exception] == []
        assert list(foreign_rows.harm(drawn)) == []
        assert len(words(drawn)) < 100_000
        assert all("Traceback" not in error.value for error in drawn.error)


def _careless() -> None:
    import streamlit

    streamlit.markdown("Data: ![pic](http://evil.example/a.png)")


def _careless_choice() -> None:
    import streamlit

    streamlit.segmented_control("Data", ["![pic](http://evil.example/a.png)", "other"])


def _careless_tab() -> None:
    import streamlit

    streamlit.tabs(["[go](javascript:alert(1))", "other"])


def _careless_markup() -> None:
    import streamlit

    streamlit.html("<p><img src=x onerror=alert(1)></p>")


@pytest.mark.parametrize("page", [_careless, _careless_choice, _careless_tab, _careless_markup])
def test_a_careless_page_would_be_found(page) -> None:
    assert list(foreign_rows.harm(AppTest.from_function(page).run()))
