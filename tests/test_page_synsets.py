"""The page on WordNet's synsets, run without a browser: with and without classifiers and styles, and on foreign rows."""

import shutil
from pathlib import Path

import duckdb
import pytest
from opened_pages import open_page, panels, words
from synset_rows import BEAGLE, DOG, publish_classifiers, publish_hierarchy

from dashboard.app_pages import wordnet_synsets
from dashboard.connection import open_results

QUESTIONS = ("1 the hierarchy", "2 a synset", "3 when grouping hurts", "4 differences within")
VIEWS = [
    {},
    {"synset": DOG},
    {"synset": BEAGLE, "search": "crane", "show": "neither"},
    {"view": "how far off"},
    *({"view": "four questions", "question": question} for question in QUESTIONS),
]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("classifiers", "plain", "hierarchy")}
    publish_classifiers(folders["classifiers"])
    publish_classifiers(folders["plain"], styled=False)
    publish_hierarchy(folders["hierarchy"])
    return folders


@pytest.fixture
def files(tmp_path: Path, _published: dict[str, Path]):
    """Call with "classifiers", "plain" (pictures without styles) or "hierarchy" (no classifier) for a copy of such results."""

    def copied(name: str) -> tuple[Path, Path]:
        shutil.copytree(_published[name], tmp_path / name)
        return tmp_path / name / "results.duckdb", tmp_path / name / "images"

    return copied


@pytest.mark.parametrize("query", VIEWS)
@pytest.mark.parametrize("kind", ["classifiers", "plain", "hierarchy"])
def test_every_view_is_drawn(monkeypatch, files, kind, query):
    app = open_page(monkeypatch, *files(kind), "wordnet_synsets", **query)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == wordnet_synsets.QUESTION


def test_the_finding_is_computed_from_the_rows(files):
    found = open_results(*files("classifiers"))
    [finding] = wordnet_synsets.findings(found)
    assert "**7** classes are among **12** synsets of WordNet, 2 to 4 levels below the top" in finding.sentence
    assert (
        "CLIP RN50, 80 prompts is nearer to the truth than ImageNet RN50, by **2.000 [0.868, 3.132]** levels" in finding.detail
    )
    assert "12 edges" in finding.basis


def test_without_a_classifier_the_finding_is_of_the_hierarchy_alone(files):
    [finding] = wordnet_synsets.findings(open_results(*files("hierarchy")))
    assert finding.sentence.endswith("2 to 4 levels below the top.")


def test_the_counts_of_a_synset_are_in_words(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "wordnet_synsets", synset=DOG)
    assert "6 pictures of 2 classes" in panels(app)
    shown = next(group for group in app.button_group if group.key == "show")
    assert [option.content for option in shown.proto.options] == [
        "all", "both right", "only ImageNet RN50", "only CLIP RN50, 80 prompts", "neither",
    ]  # fmt: skip


def test_the_address_chooses_the_classifiers_and_says_what_is_left_out(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "wordnet_synsets", synset="n00000001", a="small", b="ImageNet RN50")
    assert "7 pictures of 3 classes" in panels(app)
    assert "3 more are of classes that not both know" in panels(app)


def test_a_malformed_address_falls_back(monkeypatch, files):
    query = {"synset": "<b>x", "view": "zzz", "page": "-9", "show": "q", "a": "1", "b": "2", "right": "x", "question": "9"}
    app = open_page(monkeypatch, *files("classifiers"), "wordnet_synsets", search="';--", word="x", **query)
    assert not app.exception
    assert not app.error
    assert any("is no synset" in warning.value for warning in app.warning)
    assert "10 pictures of 5 classes" in panels(app)


def test_a_search_longer_than_its_field_is_said(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "wordnet_synsets", search=f"crane{' ' * 60}x")
    [warning] = app.warning
    assert warning.value == "The address asks for **search** of 66 characters; its first 60 are taken."
    assert "“crane” has 3 senses" in panels(app)


def test_without_styles_the_page_says_what_is_missing(monkeypatch, files):
    app = open_page(monkeypatch, *files("plain"), "wordnet_synsets", view="four questions", question=QUESTIONS[3])
    assert "not known of these pictures" in words(app)
    assert "how alike each picture is" in words(app)


def test_the_word_of_two_classes_is_shown_with_both(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "wordnet_synsets", view="four questions", question=QUESTIONS[1])
    assert "construction crane taken for crane bird 1×" in words(app)


def test_where_another_class_is_more_alike_it_is_counted(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "wordnet_synsets", view="four questions", question=QUESTIONS[2])
    assert "In 1 of 3 classes" in words(app)


@pytest.mark.parametrize("table", ["synset", "synset_leaf", "word_sense", "prediction", "class_score", "image"])
def test_a_missing_table_is_a_message_and_no_traceback(monkeypatch, files, table):
    results, images = files("classifiers")
    with duckdb.connect(str(results)) as connection:
        connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, results, images, "wordnet_synsets")
    assert not app.exception
    assert app.error
    assert all(table in error.value.replace("\\", "") for error in app.error)


def test_an_older_file_without_the_tables_says_which_command_makes_them(monkeypatch, tmp_path, make_trial):
    from compute.results import publish

    results, images = tmp_path / "older.duckdb", tmp_path / "images"
    publish(results, images, make_trial())
    with duckdb.connect(str(results)) as connection:
        for table in ("synset", "synset_parent", "synset_leaf", "word_sense", "prediction", "class_score"):
            connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, results, images, "wordnet_synsets")
    assert not app.exception
    assert "python -m compute run wordnet_synsets" in words(app)


@pytest.mark.parametrize("query", VIEWS)
def test_foreign_text_and_paths_do_no_harm(monkeypatch, tmp_path, files, query):
    results, images = files("classifiers")
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** " + "long" * 3000
    with duckdb.connect(str(results)) as connection:
        for column in ("name", "gloss"):
            connection.execute(f"UPDATE synset SET {column} = ?", [nasty])
            connection.execute(f"UPDATE word_sense SET {column} = ?", [nasty])
        connection.execute("UPDATE synset SET lemmas = [?], openai_name = ?, torchvision_name = ?", [nasty, nasty, nasty])
        connection.execute("UPDATE run SET variant = ? WHERE variant = 'small'", [nasty])
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute("UPDATE image SET path = ?", [str(tmp_path / "secret.png")])
        connection.execute("UPDATE image SET style = ?, form = ?", [nasty, nasty])
        connection.execute("INSERT INTO synset_parent VALUES ('n00000001', ?)", [BEAGLE])  # a circle
    app = open_page(monkeypatch, results, images, "wordnet_synsets", **query)
    assert not app.exception
    assert "<script>" not in words(app)


def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, files):
    results, images = files("classifiers")
    shutil.rmtree(images)
    for query in VIEWS:
        app = open_page(monkeypatch, results, images, "wordnet_synsets", **query)
        assert not app.exception
        assert not app.error
