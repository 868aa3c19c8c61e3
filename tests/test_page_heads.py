"""The page segmentation_decoder_heads without a browser: every view, with only some heads, without tables, on foreign rows."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from heads_rows import HEADS, IDS, head_tables, publish_heads
from opened_pages import figures, open_page, tables, words
from synset_rows import publish_hierarchy

from compute.results import publish
from dashboard.app_pages import segmentation_decoder_heads as page
from dashboard.connection import open_results

PAGE = page.EXPERIMENT
SHARED = "transformer, shared query and key"
VIEWS = [
    {},
    {"view": "over epochs", "score": "per image"},
    {"view": "class by class"},
    {"view": "class by class", "scale": "each its own"},
    {"view": "pictures"},
    {"view": "pictures", "a": "linear", "b": "convolutional", "sort": "number", "opacity": "75 %", "picture": IDS[0]},
    {"view": "cost"},
    {"view": "cost", "cost": "inference time"},
    {"view": "attention"},
    {"view": "attention", "number": "2", "token": "dog"},
    {"view": "hidden objects"},
    {"picture": IDS[1]},
]
# Each table with a view that asks for it.
USES = [
    ("segmentation_score", "over epochs"),
    ("reference_result", "over epochs"),
    ("segmentation_class", "class by class"),
    ("segmentation_mask", "pictures"),
    ("model_cost", "cost"),
    ("training_step", "cost"),
    ("latency", "cost"),
    ("token_attention", "attention"),
    ("hidden_score", "hidden objects"),
]
NEEDED = {"segmentation_score", "segmentation_class"}  # without whose rows there is nothing to compare
MALFORMED = [
    {"data": "x", "score": "'; DROP TABLE run", "view": "y", "picture": "<b>none</b>"},
    {"view": "pictures", "a": "none", "b": "<script>", "sort": "z", "page": "-7", "seed": "x"},
    {"view": "pictures", "a": "linear", "b": "linear", "page": "99999"},
    {"view": "cost", "cost": "much"},
    {"view": "attention", "number": "77", "token": "unicorn"},
]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    publish_heads(folder)
    return folder


@pytest.fixture
def files(tmp_path: Path, _published: Path) -> tuple[Path, Path]:
    """A copy of the results of all heads, and of their images."""
    shutil.copytree(_published, tmp_path / "copied")
    return tmp_path / "copied" / "results.duckdb", tmp_path / "copied" / "images"


@pytest.mark.parametrize("query", [*VIEWS, *MALFORMED])
def test_every_view_is_drawn_whatever_the_address_says(monkeypatch, files, query):
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == page.QUESTION


def test_the_answer_is_computed_from_the_rows(monkeypatch, files):
    shown = words(open_page(monkeypatch, *files, PAGE))
    leads = "The transformer with shared query and key is ahead of the convolutional head, the last of 4, by"
    assert f"{leads} **0.607**: mean IoU 0.750 against 0.143. These images give no interval." in shown  # all are alike
    assert "No difference was shown between the transformer and the linear head (+0.086 [-0.106, +0.200])" in shown
    assert "The convolutional head calls every pixel background" in shown
    assert f"In order: {SHARED} \\> transformer ≈ linear \\> convolutional." in shown
    per_image = figures(open_page(monkeypatch, *files, PAGE, score="per image"))
    assert ("linear", f"{(3 / 3 + 0.75) / 4:.3f}") in [figure[:2] for figure in per_image]


def test_each_tab_answers_its_question(monkeypatch, files):
    [table] = tables(open_page(monkeypatch, *files, PAGE))
    assert table["the report, %"].tolist() == ["45.46", "46.47", "63.13", "64.20"]
    shown = words(open_page(monkeypatch, *files, PAGE, view="pictures"))
    assert "Masks are kept of 2 fixed pictures, spread evenly; the scores above are of all 4" in shown
    shown = words(open_page(monkeypatch, *files, PAGE, view="cost"))
    assert "Measured on CPU, 2 threads by wall clock, 5 repetitions of one picture" in shown
    assert "5,000 parameters and takes 90,000 multiply-adds" in shown
    shown = words(open_page(monkeypatch, *files, PAGE, view="hidden objects"))
    assert "No: of 4 hidden pixels the transformer calls **50.0 % [0.0, 100.0]** what is hidden, against **0.0 %**" in shown


def test_a_picture_opens_over_its_epochs_from_any_tab(monkeypatch, files):
    for query in ({"picture": IDS[0]}, {"view": "pictures", "picture": IDS[0]}):
        app = open_page(monkeypatch, *files, PAGE, **query)
        [table] = [table for table in tables(app) if "difference" in table]
        assert table["class"].tolist() == ["background", "cat", "dog"]
        assert table[f"IoU {SHARED}"].tolist() == ["0.750", "0.750", "0.750"]
    app = open_page(monkeypatch, *files, PAGE, picture="<b>none</b>")
    assert "no picture" in app.warning[-1].value


@pytest.mark.parametrize("heads", [("linear",), ("transformer",), ("linear", "convolutional")])
@pytest.mark.parametrize("view", page.VIEWS)
def test_with_some_heads_every_tab_stands(monkeypatch, tmp_path, heads, view):
    app = open_page(monkeypatch, *publish_heads(tmp_path, heads), PAGE, view=view, picture=IDS[0])
    assert not app.exception
    assert not app.error
    shown = words(app)
    if view == "pictures" and len(heads) == 1:
        assert "two are needed" in shown
    if view == "attention" and "transformer" not in heads:
        assert "No attention is stored here" in shown


def test_pictures_that_tell_of_nothing_hidden(monkeypatch, tmp_path):
    files = publish_heads(tmp_path, without=("hidden_score", "token_attention"))
    assert "do not tell what is hidden" in words(open_page(monkeypatch, *files, PAGE, view="hidden objects"))
    assert "No attention is stored here" in words(open_page(monkeypatch, *files, PAGE, view="attention"))


def test_several_seeds_are_averaged_and_can_be_chosen(monkeypatch, tmp_path):
    files = publish_heads(tmp_path, ("linear", "transformer"), seeds=(0, 1))
    for query in VIEWS:
        app = open_page(monkeypatch, *files, PAGE, **{**query, "seed": "1"})
        assert not app.exception
        assert not app.error
        assert "2 seeds averaged" in words(app)
    assert "Seed 1." in words(open_page(monkeypatch, *files, PAGE, view="pictures", seed="1", picture=IDS[0]))


def test_findings_of_what_there_is(files, tmp_path):
    [finding] = page.findings(open_results(*files))
    assert finding.sentence.startswith("The transformer with shared query and key is ahead of")
    assert finding.data == "Four · mini"
    assert [cell.caption for cell in finding.pictures[0].cells][2:4] == [
        "A: transformer, shared 0.750",
        "B: convolutional 0.143",
    ]
    [single] = page.findings(open_results(*publish_heads(tmp_path / "one", ("linear",))))
    assert single.sentence.startswith("So far only the linear head has run")
    assert single.pictures == []


def test_profiles_are_findings_of_their_own(files):
    for head in HEADS:
        tables = head_tables(files[1], head, seed=7, profile="gpu")
        publish(*files, tables | {"run": tables["run"].assign(settings=json.dumps({"epochs": 2}))})
    assert sorted(finding.data for finding in page.findings(open_results(*files))) == ["Four · gpu", "Four · mini"]


def test_without_runs_the_page_says_which_command_makes_some(monkeypatch, tmp_path):
    file, images = publish_hierarchy(tmp_path)
    with duckdb.connect(str(file)) as connection:
        for table in ("token_attention", "hidden_score", "model_cost", "reference_result"):
            connection.execute(f"DROP TABLE {table}")  # as in a file of an earlier release
    app = open_page(monkeypatch, file, images, PAGE)
    assert not app.exception
    assert not app.error
    assert "python -m compute run segmentation_decoder_heads" in words(app)
    assert page.findings(open_results(file, images)) == []


@pytest.mark.parametrize("table, view", USES)
def test_a_missing_table_is_a_message_and_no_traceback(monkeypatch, files, table, view):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, *files, PAGE, view=view)
    assert not app.exception
    assert app.error
    assert all(table in error.value.replace("\\", "") for error in app.error)


@pytest.mark.parametrize("table, view", USES)
def test_missing_rows_leave_the_page_standing(monkeypatch, files, table, view):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute(f"DELETE FROM {table}")
    app = open_page(monkeypatch, *files, PAGE, view=view)
    assert not app.exception
    assert bool(app.error) == (table in NEEDED)


@pytest.mark.parametrize("query", VIEWS)
def test_hostile_rows_are_shown_as_text(monkeypatch, files, query):
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** :red[x] $y$ " + "long" * 3000
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute(
            "UPDATE segmentation_class SET name = ?, color = 'red;background:url(x)' WHERE class_id > 0", [nasty]
        )
        connection.execute("UPDATE image SET path = '../results.duckdb', author = ?, license = ?", [nasty] * 2)
        connection.execute("UPDATE segmentation_mask SET path = '../results.duckdb' WHERE epoch = 0")
        connection.execute("UPDATE run SET device = ?, torch = ?, profile = ?", [nasty] * 3)
        connection.execute("UPDATE run SET weights = ?", [f"features of {nasty} (SHA-256 x)"])
        connection.execute("UPDATE run SET variant = ? WHERE variant = 'convolutional'", [nasty])
        connection.execute("UPDATE run SET settings = '[1]'")
        connection.execute("UPDATE reference_result SET source = ?", [nasty])
        connection.execute("UPDATE latency SET clock = ?", [nasty])
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert "<script>" not in words(app)


@pytest.mark.parametrize("query", VIEWS)
def test_figures_that_are_none_leave_the_page_standing(monkeypatch, files, query):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE segmentation_score SET intersection = 0, predicted = 0, truth = 0 WHERE class_id = 2")
        connection.execute("UPDATE training_step SET milliseconds = 'nan'")
        connection.execute("UPDATE latency SET milliseconds = 'inf' WHERE repetition > 1")
        connection.execute("UPDATE model_cost SET parameters = 0, multiply_adds = -1")
        connection.execute("UPDATE hidden_score SET hidden = 0, control = 0 WHERE image_id LIKE '%1'")
        connection.execute(
            "UPDATE token_attention SET weights = list_transform(weights, lambda x: 'nan'::FLOAT) WHERE class_id = 1"
        )
        connection.execute("UPDATE token_attention SET weights = [0.5], height = 1, width = 1 WHERE class_id = 2")
        connection.execute("UPDATE reference_result SET value = 'inf' WHERE variant = 'linear'")
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error


def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, files):
    shutil.rmtree(files[1])
    for query in VIEWS:
        app = open_page(monkeypatch, *files, PAGE, **query)
        assert not app.exception
        assert not app.error
