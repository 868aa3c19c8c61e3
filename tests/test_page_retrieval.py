"""The page image_text_retrieval without a browser: every view, with only some runs, without tables, on foreign rows."""

import shutil
from pathlib import Path

import duckdb
import pytest
from caption_rows import publish_retrieval, publish_sampling, retrieval_tables
from opened_pages import open_page, rankings, words

from compute.results import publish
from dashboard.app_pages import image_text_retrieval as page
from dashboard.connection import open_results

PAGE = page.EXPERIMENT
VIEWS = [
    {},
    {"view": "scores", "cutoff": "R@5"},
    {"view": "ranks", "run": "random start", "direction": "image to text"},
    {"view": "browser"},
    {"view": "browser", "direction": "text to image", "caption": "7", "sort": "number"},
    {"view": "browser", "direction": "image to text", "image": "3", "run": "fine-tuned"},
    {"view": "browser", "search": "road bus"},
    {"view": "browser", "direction": "image to text", "search": "zebra cat"},
    {"view": "sweep"},
    {"view": "sweep", "direction": "image to text"},
    {"view": "shifts"},
    {"view": "shifts", "a": "fine-tuned", "b": "evaluation", "direction": "image to text"},
]
# Each table with a view that asks for it.
USES = [
    ("retrieval_rank", "scores"),
    ("reference_result", "scores"),
    ("image_caption", "browser"),
    ("image", "browser"),
    ("retrieval_answer", "browser"),
    ("retrieval_epoch", "sweep"),
    ("training_step", "sweep"),
    ("image_caption", "shifts"),
]
MALFORMED = [
    {"data": "x", "view": "y", "cutoff": "R@1000", "run": "'; DROP TABLE run"},
    {"view": "browser", "direction": "z", "caption": "<b>none</b>", "sort": "z", "page": "-7"},
    {"view": "browser", "caption": "99999999999999999999", "page": "99999"},
    {"view": "browser", "direction": "image to text", "image": "-1", "search": "' % _ \\ \" ("},
    {"view": "shifts", "a": "none", "b": "<script>"},
    {"view": "shifts", "a": "evaluation", "b": "evaluation"},
]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrieval")
    publish_retrieval(folder, reported=True)
    return folder


@pytest.fixture
def files(tmp_path: Path, _published: Path) -> tuple[Path, Path]:
    """A copy of the results of all runs, and of their images."""
    shutil.copytree(_published, tmp_path / "copied")
    return tmp_path / "copied" / "results.duckdb", tmp_path / "copied" / "images"


@pytest.mark.parametrize("query", [*VIEWS, *MALFORMED])
def test_every_view_is_drawn_whatever_the_address_says(monkeypatch, files, query):
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == page.QUESTION


def test_the_answer_is_computed_from_the_rows(monkeypatch, files):
    shown = words(open_page(monkeypatch, *files, PAGE)).replace("\u00a0", " ")
    assert (
        "The trained heads put a right caption first for **75.0 % [25.0, 100.0]** of images and the right image for "
        "**88.9 % [75.0, 100.0]** of captions; only text to image is shown to be better than guessing (25.0 %)."
    ) in shown
    assert "No change by fine-tuning was shown (+25.0 [+0.0, +75.0]" in shown
    assert "The training from a random start does **not** reach them" in shown
    assert "4 images with 9 captions, one seed each" in shown


def test_a_query_that_does_not_exist_is_told(monkeypatch, files):
    app = open_page(monkeypatch, *files, PAGE, view="browser", caption="77")
    assert "no caption numbered 77" in app.warning[0].value


def test_a_search_says_what_it_found(monkeypatch, files):
    for text, told, opened in (
        ("bus road", "1 caption with all these words", {}),
        ("cat", "4 captions with this word", {}),
        ("cat boat", "No stored caption has all of these words", {}),
        ("zebra", "No stored caption has any of these words", {}),
        ("zebra", "No stored caption has any of these words", {"caption": "1"}),
    ):
        app = open_page(monkeypatch, *files, PAGE, view="browser", search=text, direction="text to image", **opened)
        shown = "\n".join([words(app), rankings(app)])
        assert told in shown
        assert shown.count("This page runs no model") == 1


@pytest.mark.parametrize("variants", [("evaluation",), ("fine_tuned",), ("random_lr1e-3",), ("evaluation", "fine_tuned")])
@pytest.mark.parametrize("view", page.VIEWS)
def test_with_some_runs_every_tab_stands(monkeypatch, tmp_path, variants, view):
    app = open_page(monkeypatch, *publish_retrieval(tmp_path, variants), PAGE, view=view)
    assert not app.exception
    assert not app.error
    shown = words(app)
    if view == "shifts" and len(variants) == 1:
        assert "two are needed" in shown
    if view == "sweep" and variants == ("evaluation",):
        assert "No training of the projections is stored here" in shown
    if variants == ("random_lr1e-3",):
        assert "“random start” puts a right caption first" in shown


def test_seeds_are_averaged_and_can_be_chosen(monkeypatch, files):
    own = retrieval_tables(files[1], "evaluation")
    own = {name: rows.assign(run_id="second") if "run_id" in rows else rows for name, rows in own.items()}
    publish(*files, own | {"run": own["run"].assign(seed=1, trial_key="second")})
    for query in VIEWS:
        app = open_page(monkeypatch, *files, PAGE, **query)
        assert not app.exception
        assert not app.error
        assert "1 to 2 seeds of each variant, averaged" in words(app)
    app = open_page(monkeypatch, *files, PAGE, view="ranks", run="evaluation, seed 1")
    assert app.session_state["run"] == "evaluation, seed 1"


def test_findings_of_what_there_is(files, tmp_path):
    [finding] = page.findings(open_results(*files))
    assert finding.sentence.startswith("The trained heads put a right caption first for **75.0")
    assert finding.data == "Four captioned · mini"
    assert finding.pictures[0].title == "“a cat”"  # shares the places 1 and 2
    assert [cell.caption for cell in finding.pictures[0].cells] == ["its image: rank 1.5"]
    [tuned] = page.findings(open_results(*publish_retrieval(tmp_path / "one", ("fine_tuned",))))
    assert tuned.sentence.startswith("“fine\\-tuned” puts a right caption first for **100.0")


def test_without_runs_the_page_says_which_command_makes_some(monkeypatch, tmp_path):
    file, images = publish_sampling(tmp_path, ("greedy",))
    with duckdb.connect(str(file)) as connection:
        for table in ("retrieval_rank", "retrieval_epoch", "retrieval_answer", "image_caption", "reference_result"):
            connection.execute(f"DROP TABLE {table}")  # as in a file of an earlier release
    app = open_page(monkeypatch, file, images, PAGE)
    assert not app.exception
    assert not app.error
    assert "python -m compute run image_text_retrieval" in words(app)
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
    assert not app.error
    if table == "retrieval_rank":
        assert "no ranks that could be shown" in words(app)


@pytest.mark.parametrize("query", VIEWS)
def test_hostile_rows_are_shown_as_text(monkeypatch, files, query):
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** :red[x] $y$ " + "long" * 2500
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute("UPDATE image_caption SET text = ? WHERE position > 1", [nasty])
        connection.execute("UPDATE image_caption SET text = ' ' WHERE position = 1")
        connection.execute("UPDATE image SET path = '../results.duckdb', author = ?, license = ?", [nasty] * 2)
        connection.execute("UPDATE run SET device = ?, torch = ?, profile = ?, weights = ?", [nasty] * 4)
        connection.execute("UPDATE run SET variant = ?, settings = '[1]' WHERE variant = 'fine_tuned'", [nasty])
        connection.execute("UPDATE reference_result SET source = ?", [nasty])
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert "<script>" not in words(app)
    assert len(words(app)) < 20_000


@pytest.mark.parametrize("query", VIEWS)
def test_figures_that_are_none_leave_the_page_standing(monkeypatch, files, query):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE retrieval_rank SET image_to_text_rank = 'nan' WHERE run_id = 'run-fine_tuned'")
        connection.execute("UPDATE retrieval_rank SET similarity = 'nan'")
        connection.execute("UPDATE retrieval_epoch SET hits_at_1 = 'nan' WHERE epoch = 1")
        connection.execute("UPDATE retrieval_epoch SET queries = 0 WHERE run_id = 'run-evaluation'")
        connection.execute("UPDATE retrieval_answer SET answers = [NULL] WHERE query % 3 = 0")
        odd = "answers = [NULL, -5, 1, 1], similarities = [0.5, NULL, 'nan'::FLOAT, 9]"
        connection.execute(f"UPDATE retrieval_answer SET {odd} WHERE query % 3 = 2")
        connection.execute("UPDATE retrieval_answer SET similarities = [] WHERE query % 3 = 1")
        connection.execute("UPDATE run SET settings = ?", ['{"learning_rate": "x", "temperature": 1e999, "epochs": -1}'])
        connection.execute("UPDATE training_step SET milliseconds = 'nan'")
        connection.execute("UPDATE reference_result SET value = 'inf' WHERE variant = 'evaluation'")
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert any("Left out" in warning.value for warning in app.warning)


def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, files):
    shutil.rmtree(files[1])
    for query in VIEWS:
        app = open_page(monkeypatch, *files, PAGE, **query)
        assert not app.exception
        assert not app.error
