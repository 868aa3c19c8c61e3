"""What one session can make the server do has an end, and a message where the end is."""

import sys
import time
import tomllib
from pathlib import Path

import pytest
from opened_pages import charts, drawn, open_page, words
from streamlit.testing.v1 import AppTest

from dashboard import layout, notes, saving
from dashboard.connection import open_results
from dashboard.notes import MOST_CHARACTERS, MOST_FILE_BYTES, NotesError, append, written_now

ROOT = Path(__file__).parents[1]
RESULTS, IMAGES = ROOT / "results.duckdb", ROOT / "images"
MOST_PICTURES_A_PAGE = 60
GREEDY = {"page": "1000000", "rows": "10000", "size": "10000", "limit": "-1", "images": "all", "number": "0"}
# Pages with galleries, and what opens each.
GALLERIES = {
    "unet_skip_connections": {},
    "segmentation_metric": {},
    "segmentation_decoder_heads": {"view": "pictures"},
    "imagenet_rn50_vs_clip": {"view": "all pictures"},
    "wordnet_synsets": {"view": "explore"},
    "caption_sampling": {"view": "captions"},
    "image_text_retrieval": {"view": "browser"},
}


@pytest.fixture(autouse=True)
def main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's tests leave a page in place of the main module, which processes that are started later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def pictures_sent(app: AppTest) -> int:
    """Of all components of a page, each picture's data as often as it is there."""
    return sum(element.proto.json.count("data:image/") for element in app.get("bidi_component"))


@pytest.mark.parametrize("stem", GALLERIES)
def test_no_address_makes_a_page_of_many_pictures(monkeypatch: pytest.MonkeyPatch, stem: str) -> None:
    app = open_page(monkeypatch, RESULTS, IMAGES, stem, **{**GALLERIES[stem], **GREEDY})
    assert not app.exception
    assert 0 < pictures_sent(app) <= MOST_PICTURES_A_PAGE


@pytest.mark.parametrize(
    "query",
    [
        {f"parameter{number}": "x" for number in range(900)},
        {f"parameter{number}": "x" for number in range(20_000)},
        {"experiment": "x" * 400_000},
        {"experiment": "x" * 4_000_000},
        {"run": "*" * 400_000, "first": "<b>" * 100_000},
    ],
    ids=["900 parameters", "20,000 parameters", "a long one", "a very long one", "long ones of Markdown"],
)
def test_a_long_address_costs_little_and_is_told_in_few_words(monkeypatch: pytest.MonkeyPatch, query: dict[str, str]) -> None:
    open_page(monkeypatch, RESULTS, IMAGES, "runs")  # what is loaded once is no part of it
    started = time.process_time()
    app = open_page(monkeypatch, RESULTS, IMAGES, "runs", **query)
    assert time.process_time() - started < 10
    assert not app.exception
    assert [title.value for title in app.title] == ["Where does every figure come from?"]
    assert len("".join(warning.value for warning in app.warning)) < 2000


def long_page() -> None:
    """A page with a chart, and a button that saves its rows, of as many rows as the session says."""
    from functools import partial

    import pandas
    import streamlit

    from dashboard import charts, layout

    rows = pandas.DataFrame({"predictor": "a", "metric": "b", "score": 0.5}, index=range(streamlit.session_state["count"]))
    layout.chart(partial(charts.metric_scores, rows.head(3)), rows, "many_rows")
    layout.csv_button(rows, "many_rows")


@pytest.mark.parametrize(("count", "is_drawn"), [(layout.MOST_SAVED_ROWS, True), (layout.MOST_SAVED_ROWS + 1, False)])
def test_a_chart_and_what_is_saved_of_it_have_a_limit(count: int, is_drawn: bool) -> None:
    app = AppTest.from_function(long_page, default_timeout=60)
    app.session_state["count"] = count
    app.run()
    assert not app.exception
    assert len(charts(app)) == len(app.get("download_button")) == int(is_drawn)
    told = words(app)
    assert told.count("100,001 rows are more than the 100,000 that a page draws or saves") == (0 if is_drawn else 2)


def test_a_table_has_a_limit_and_says_so() -> None:
    def page() -> None:
        import pandas

        from dashboard import layout

        layout.table(pandas.DataFrame({"a": range(5000)}), "long_table")

    app = AppTest.from_function(page, default_timeout=60).run()
    [data] = drawn(app, "contrast_table")
    assert (len(data["columns"][0]["texts"]), data["more"]) == (1000, "The first 1,000 of 5,000 rows.")


def test_a_report_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "MOST_MEGABYTES", 0)
    with pytest.raises(RuntimeError, match=r"larger than the 0 MB that a dashboard saves.*python -m dashboard\.report"):
        saving._written(open_results(RESULTS, IMAGES), ["--page", "runs"])


def test_nobody_waits_for_ever_for_others_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "LONGEST_SECONDS", 0.1)
    with saving._one_at_a_time, pytest.raises(RuntimeError, match="Others are saving"):
        saving._written(open_results(RESULTS, IMAGES), ["--page", "runs"])
    assert not saving._one_at_a_time.locked()


def test_a_report_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "LONGEST_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match="took too long"):
        saving._written(open_results(RESULTS, IMAGES), ["--page", "runs"])


def test_notes_fill_no_disk(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    longest = written_now("a" * MOST_CHARACTERS["author"], "s" * 9999, "/" * 9999, "💬" * MOST_CHARACTERS["text"])
    append(path, longest)
    of_one = path.stat().st_size
    assert of_one < 25_000
    with path.open("ab") as file:
        file.truncate(MOST_FILE_BYTES - of_one + 1)  # of zeros, which hold no note
    with pytest.raises(NotesError, match=r"notes\.jsonl is full.*at most 64 MB.*Move it away"):
        append(path, longest)
    assert path.stat().st_size == MOST_FILE_BYTES - of_one + 1
    path.rename(tmp_path / "earlier.jsonl")
    append(path, longest)
    assert notes.read(path) == [longest]


def test_what_a_browser_sends_has_a_limit() -> None:
    """Streamlit takes the limit of what it sends for what it accepts; its own is 200 MB."""
    assert tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["server"]["maxMessageSize"] == 32
