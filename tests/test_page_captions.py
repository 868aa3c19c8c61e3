"""The page caption_sampling without a browser: every view, with only some settings, without tables, on foreign rows."""

import shutil
from pathlib import Path

import duckdb
import pytest
from caption_rows import IDS, publish_sampling, sampling_tables
from opened_pages import open_page, tables, words
from synset_rows import publish_hierarchy

from compute.results import publish
from dashboard.app_pages import caption_sampling as page
from dashboard.connection import open_results

PAGE = page.EXPERIMENT
GREEDY, COLD, HOT, HOT_50 = "greedy", "k = 20, t = 0.1", "k = 20, t = 1", "k = 50, t = 1"
VIEWS = [
    {},
    {"view": "grid", "library": "sacrebleu", "against": "one reference"},
    {"view": "captions"},
    {"view": "captions", "a": HOT, "b": HOT_50, "seed": "1", "sort": "longest", "word": "cow", "picture": IDS[0]},
    {"view": "word by word"},
    {"view": "word by word", "number": "3", "seed": "1", "against": "one reference"},
    {"view": "diversity"},
    {"picture": IDS[1]},
]
# Each table with a view that asks for it.
USES = [
    ("caption", "grid"),
    ("caption_score", "grid"),
    ("reference_result", "grid"),
    ("image_caption", "captions"),
    ("image", "captions"),
    ("caption", "word by word"),
    ("caption", "diversity"),
]
NEEDED = {"caption"}  # without whose rows there is nothing to compare
MALFORMED = [
    {"data": "x", "against": "'; DROP TABLE run", "view": "y", "picture": "<b>none</b>"},
    {"view": "grid", "library": "<script>"},
    {"view": "captions", "a": "none", "b": "<script>", "sort": "z", "page": "-7", "seed": "x", "word": "*[(\\"},
    {"view": "captions", "a": GREEDY, "b": GREEDY, "page": "99999"},
    {"view": "word by word", "number": "777", "seed": "-1"},
]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    publish_sampling(folder, reported=True)
    return folder


@pytest.fixture
def files(tmp_path: Path, _published: Path) -> tuple[Path, Path]:
    """A copy of the results of all settings, and of their images."""
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
    assert "BLEU falls as temperature rises: from greedy’s **0.881** to temperature 1 it falls by" in shown
    assert "of 4 pictures against all references, 2 seeds for each sampled setting, whose BLEU is averaged" in shown
    assert "At temperature 1, k = 50 instead of 20 changes BLEU by" in shown
    shown = words(open_page(monkeypatch, *files, PAGE, against="one reference"))
    assert "against one reference" in shown
    assert "**0.881**" not in shown


def test_the_tables_hold_every_setting_and_the_report(monkeypatch, files):
    scores, facts, parts = tables(open_page(monkeypatch, *files, PAGE))
    for table in (scores, facts, parts):
        assert table["setting"].tolist() == [GREEDY, COLD, HOT, HOT_50]
    assert scores["the report"].tolist() == ["0.215", "0.207", "0.092", "0.085"]
    assert facts["seeds differ"].tolist() == ["–", "50\u00a0%", "100\u00a0%", "100\u00a0%"]
    assert not any("_" in column for table in (scores, facts, parts) for column in table)


@pytest.mark.parametrize(("profile", "is_told"), [("mini", True), ("mini (lab)", True), ("full", False), ("full (lab)", False)])
def test_what_holds_for_a_miniature_holds_for_a_merged_one(monkeypatch, files, profile, is_told):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE run SET profile = ?", [profile])
    app = open_page(monkeypatch, *files, "caption_sampling")
    assert not app.exception
    assert ("The miniature speaks a small grammar" in words(app)) == is_told


def test_without_a_report_there_is_no_column_of_it(monkeypatch, tmp_path):
    app = open_page(monkeypatch, *publish_sampling(tmp_path), PAGE)
    assert "the report" not in tables(app)[0]
    assert "The report" not in words(app)


def test_a_picture_opens_from_any_tab(monkeypatch, files):
    for query in ({"picture": IDS[0]}, {"view": "captions", "picture": IDS[0]}, {"view": "diversity", "picture": IDS[0]}):
        app = open_page(monkeypatch, *files, PAGE, **query)
        assert not app.exception
        assert "before temperature and top-k are applied" in words(app)
        assert IDS[0] in words(app).replace("\\", "")
    app = open_page(monkeypatch, *files, PAGE, picture="<b>none</b>")
    assert "no picture" in app.warning[-1].value


def test_a_search_without_hits_says_so(monkeypatch, files):
    assert "No picture’s captions or references hold" in words(open_page(monkeypatch, *files, PAGE, view="captions", word="ox"))
    assert "1 picture." in words(open_page(monkeypatch, *files, PAGE, view="captions", word="bus"))


@pytest.mark.parametrize("variants", [("greedy",), ("top20_t1.0",), ("top20_t1.0", "top50_t1.0"), ("greedy", "top20_t0.1")])
@pytest.mark.parametrize("view", page.VIEWS)
def test_with_some_settings_every_tab_stands(monkeypatch, tmp_path, variants, view):
    app = open_page(monkeypatch, *publish_sampling(tmp_path, variants), PAGE, view=view, picture=IDS[0])
    assert not app.exception
    assert not app.error
    shown = words(app)
    if view == "captions" and len(variants) == 1:
        assert "two are needed" in shown
    if variants == ("greedy",):
        assert "So far only one setting has run, greedy: BLEU **0.881" in shown


def test_findings_of_what_there_is(files, tmp_path):
    [finding] = page.findings(open_results(*files))
    assert finding.sentence.startswith("BLEU falls as temperature rises: from greedy’s **0.881**")
    assert finding.data == "Four captioned · mini"
    cell = finding.pictures[0].cells[0]
    assert cell.caption.startswith("greedy: “")
    assert "k = 50, t = 1: “" in cell.caption
    [single] = page.findings(open_results(*publish_sampling(tmp_path / "one", ("greedy",))))
    assert single.pictures == []


def test_profiles_are_findings_of_their_own(files):
    tables = sampling_tables(files[1], "greedy", 0, profile="gpu")
    tables = {name: rows.assign(run_id="gpu") if "run_id" in rows else rows for name, rows in tables.items()}
    publish(*files, tables | {"run": tables["run"].assign(trial_key="gpu")})
    assert sorted(finding.data for finding in page.findings(open_results(*files))) == [
        "Four captioned · gpu",
        "Four captioned · mini",
    ]


def test_without_runs_the_page_says_which_command_makes_some(monkeypatch, tmp_path):
    file, images = publish_hierarchy(tmp_path)
    with duckdb.connect(str(file)) as connection:
        for table in ("caption", "caption_score", "image_caption", "reference_result"):
            connection.execute(f"DROP TABLE {table}")  # as in a file of an earlier release
    app = open_page(monkeypatch, file, images, PAGE)
    assert not app.exception
    assert not app.error
    assert "python -m compute run caption_sampling" in words(app)
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
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** :red[x] $y$ " + "long" * 2500
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute("UPDATE image SET path = '../results.duckdb', author = ?, license = ?", [nasty] * 2)
        connection.execute("UPDATE run SET device = ?, torch = ?, profile = ?, weights = ?", [nasty] * 4)
        connection.execute("UPDATE run SET variant = ? WHERE variant = 'top50_t1.0'", [nasty])
        connection.execute("UPDATE run SET settings = json_merge_patch(settings, json_object('prompt', ?))", [nasty])
        connection.execute("UPDATE caption SET text = ?, reference = ?, tokens = [?, ?]", [nasty] * 4)
        connection.execute("UPDATE image_caption SET text = ?", [nasty])
        connection.execute("UPDATE caption_score SET signature = ?", [nasty])
        connection.execute("UPDATE reference_result SET source = ?", [nasty])
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error
    assert "<script>" not in words(app)
    assert len(words(app)) < 20_000


@pytest.mark.parametrize("query", VIEWS)
def test_figures_that_are_none_leave_the_page_standing(monkeypatch, files, query):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE caption SET matches = [NULL], text = '' WHERE image_id = ?", [IDS[1]])
        connection.execute("UPDATE caption SET totals = [NULL, 1], tokens = [NULL] WHERE image_id = ?", [IDS[2]])
        connection.execute("UPDATE caption SET bleu = 'nan', seconds = 'inf', token_probability = ['nan'::FLOAT, 7, NULL, -1]")
        connection.execute("UPDATE caption SET token_probability = [NULL] WHERE image_id = ?", [IDS[3]])
        connection.execute("UPDATE caption_score SET bleu = 'nan' WHERE library = 'sacrebleu'")
        connection.execute("UPDATE reference_result SET value = 'inf'")
        connection.execute("UPDATE image_caption SET text = '' WHERE image_id = ?", [IDS[0]])
    app = open_page(monkeypatch, *files, PAGE, **query)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("settings", ["[1]", '{"top_k": 1e400, "temperature": "hot"}', '{"top_k": 20, "temperature": 1}'])
@pytest.mark.parametrize("view", page.VIEWS)
def test_settings_that_say_nothing_leave_the_page_standing(monkeypatch, files, settings, view):
    with duckdb.connect(str(files[0])) as connection:
        connection.execute("UPDATE run SET settings = ?", [settings])
    app = open_page(monkeypatch, *files, PAGE, view=view)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("view", page.VIEWS)
def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, files, view):
    shutil.rmtree(files[1])
    app = open_page(monkeypatch, *files, PAGE, view=view, picture=IDS[0])
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, [f"A: {GREEDY}", f"B: {HOT_50}"]),
        ({"a": HOT, "b": COLD}, [f"A: {HOT}", f"B: {COLD}"]),
        ({"a": "none"}, [f"A: {GREEDY}", f"B: {HOT_50}"]),
    ],
)
def test_buttons_say_which_settings_are_set_side_by_side(monkeypatch, files, asked, said):
    app = open_page(monkeypatch, *files, PAGE, view="captions", **asked)
    assert [block.proto.popover.label for block in app.get("popover")] == said
    assert [app.button_group(key=key).value for key in "ab"] == [label[3:] for label in said]
    app.button_group(key="a").set_value(COLD).run()
    assert app.get("popover")[0].proto.popover.label == f"A: {COLD}"
