"""The page of two classifiers, run without a browser: every view, with and without styles, and on foreign rows."""

import shutil
from pathlib import Path

import duckdb
import pytest
from opened_pages import open_page, words
from synset_rows import BEAGLE, DATASET, DOG, classifier_tables, publish_classifiers, publish_hierarchy

from compute.results import publish
from dashboard.app_pages import imagenet_rn50_vs_clip
from dashboard.connection import open_results

VIEWS = [
    {},
    {"image": f"{DATASET}/3"},
    {"classes": "beagle, sofa"},
    {"view": "all pictures"},
    {"view": "all pictures", "node": DOG, "outcome": "only B", "sort": "number", "image": f"{DATASET}/3"},
    {"view": "by style and class"},
    {"view": "confusions"},
    {"view": "confusions", "node": DOG, "cell": "0-1", "cells": "shares of a row"},
    {"view": "zero-shot"},
]
MALFORMED = [
    {"data": "x", "right": "9", "a": "zzz", "b": "'; DROP TABLE run", "classes": "<b>,;'", "image": "<b>none</b>"},
    {"view": "all pictures", "node": "n99999999", "outcome": "x", "style": "y", "sort": "z", "page": "-7"},
    {"view": "all pictures", "page": "99999"},
    {"view": "confusions", "cell": "99-99", "confused": "x", "node": "entity"},
    {"view": "confusions", "cell": f"{BEAGLE}-n99999999", "cell_page": "x"},
    {"view": "zero-shot", "example": "999"},
]


@pytest.fixture(scope="module")
def _published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in ("classifiers", "plain", "hierarchy")}
    for name in ("classifiers", "plain"):
        styled = name == "classifiers"
        file, images = publish_classifiers(folders[name], styled=styled)
        for variant in ("clip_one_template", "clip_80_templates_cosine"):
            publish(file, images, classifier_tables(images, variant, 1, styled=styled))
    publish_hierarchy(folders["hierarchy"])
    return folders


@pytest.fixture
def files(tmp_path: Path, _published: dict[str, Path]):
    """Call with "classifiers", "plain" (pictures without styles) or "hierarchy" (no classifier) for a copy of such results."""

    def copied(name: str) -> tuple[Path, Path]:
        shutil.copytree(_published[name], tmp_path / name)
        return tmp_path / name / "results.duckdb", tmp_path / name / "images"

    return copied


@pytest.mark.parametrize("query", [*VIEWS, *MALFORMED])
@pytest.mark.parametrize("kind", ["classifiers", "plain"])
def test_every_view_is_drawn_whatever_the_address_says(monkeypatch, files, kind, query):
    app = open_page(monkeypatch, *files(kind), "imagenet_rn50_vs_clip", **query)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == imagenet_rn50_vs_clip.QUESTION


def test_the_answer_is_computed_from_the_rows(monkeypatch, files):
    published = files("classifiers")
    shown = words(open_page(monkeypatch, *published, "imagenet_rn50_vs_clip"))
    assert "No difference was shown: CLIP RN50 with 80 prompts finds the class in its top five on 0.800 of 10 pictures" in shown
    assert "ImageNet RN50 on 0.700" in shown
    assert "5 both right, 2 only ImageNet RN50, 3 only CLIP RN50, 80 prompts, 0 neither" in shown
    shown = words(open_page(monkeypatch, *published, "imagenet_rn50_vs_clip", right="first answer"))
    assert "names the class in its first answer on 0.500 of 10 pictures" in shown


def test_only_what_both_know_is_compared_and_the_page_says_so(monkeypatch, files):
    shown = words(open_page(monkeypatch, *files("classifiers"), "imagenet_rn50_vs_clip", b="small"))
    assert "On the 7 of 10 pictures whose class both know" in shown


def test_one_model_is_never_compared_with_itself(monkeypatch, files):
    app = open_page(
        monkeypatch, *files("classifiers"), "imagenet_rn50_vs_clip", a="CLIP RN50, 80 prompts", b="CLIP RN50, 80 prompts"
    )
    chosen = {group.key: group for group in app.button_group}
    assert chosen["a"].value == "CLIP RN50, 80 prompts"
    assert chosen["b"].value == "ImageNet RN50"


def test_without_runs_the_page_says_which_command_makes_some(monkeypatch, files):
    app = open_page(monkeypatch, *files("hierarchy"), "imagenet_rn50_vs_clip")
    assert not app.exception
    assert "python -m compute run imagenet_rn50_vs_clip" in words(app)


def test_an_older_file_without_the_tables_has_not_run_yet(monkeypatch, files):
    file, images = files("hierarchy")
    with duckdb.connect(str(file)) as connection:
        for table in ("prediction", "class_score", "synset", "synset_leaf", "synset_parent", "logit", "image_evidence"):
            connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, file, images, "imagenet_rn50_vs_clip")
    assert not app.error
    assert "python -m compute run imagenet_rn50_vs_clip" in words(app)


def test_with_one_classifier_the_page_says_that_it_needs_two(monkeypatch, tmp_path):
    file, images = tmp_path / "results.duckdb", tmp_path / "images"
    publish(file, images, classifier_tables(images, "rn50", 0))
    assert "needs two" in words(open_page(monkeypatch, file, images, "imagenet_rn50_vs_clip"))


@pytest.mark.parametrize("table", ["prediction", "class_score", "synset", "synset_leaf", "image", "image_evidence"])
@pytest.mark.parametrize("view", ["who wins where", "all pictures", "by style and class", "confusions"])
def test_a_missing_table_is_a_message_and_no_traceback(monkeypatch, files, table, view):
    file, images = files("classifiers")
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, file, images, "imagenet_rn50_vs_clip", view=view)
    assert not app.exception
    assert all(table in error.value.replace("\\", "") for error in app.error)


@pytest.mark.parametrize("query", VIEWS)
def test_hostile_rows_are_shown_as_text(monkeypatch, files, query):
    file, images = files("classifiers")
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** " + "long" * 3000
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute("UPDATE image SET path = '../results.duckdb', author = ?, license = ?, style = ?", [nasty] * 3)
        connection.execute("UPDATE prediction SET style = ?", [nasty])
        connection.execute("UPDATE class_score SET style = ?", [nasty])
        connection.execute("UPDATE synset SET openai_name = ?, lemmas = [?]", [nasty, nasty])
        connection.execute("UPDATE image_evidence SET probe = ?", [nasty])
        connection.execute("UPDATE run SET variant = ? WHERE variant = 'small'", [nasty])
        connection.execute("UPDATE synset_parent SET parent_wnid = wnid")  # a way up that never ends
    app = open_page(monkeypatch, file, images, "imagenet_rn50_vs_clip", **query)
    assert not app.exception
    assert "<script>" not in words(app)


def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, files):
    file, images = files("classifiers")
    shutil.rmtree(images)
    for view in ("who wins where", "all pictures", "zero-shot"):
        app = open_page(monkeypatch, file, images, "imagenet_rn50_vs_clip", view=view)
        assert not app.exception
        assert not app.error


def test_a_picture_that_is_not_there_is_named(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "imagenet_rn50_vs_clip", image="<b>none</b>")
    assert "holds no picture" in app.warning[0].value


def test_classes_that_nobody_knows_are_named(monkeypatch, files):
    app = open_page(monkeypatch, *files("classifiers"), "imagenet_rn50_vs_clip", classes="teapot")
    assert "teapot" in app.warning[0].value


def test_findings_name_both_models_with_a_picture_each(files):
    [finding] = imagenet_rn50_vs_clip.findings(open_results(*files("classifiers")))
    assert "0.800 of 10 pictures" in finding.sentence
    assert finding.data == "Ten · mini"
    [row] = finding.pictures
    assert [cell.caption for cell in row.cells] == ["sofa: only CLIP RN50, 80 prompts", "beagle: only ImageNet RN50"]
