"""Every page, run without a browser, on good, missing, foreign and damaged results."""

import shutil
from pathlib import Path

import duckdb
import pytest
from opened_pages import figures, open_page, tables, words
from PIL import Image

from compute.schema import TABLES

PAGES = {
    "": "Contrast",
    "unet_skip_connections": "How important are U-Net’s skip connections?",
    "segmentation_metric": "What is wrong with IoU by `logical_and` and `logical_or`?",
    "runs": "Where does every figure come from?",
}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_results_of_both_experiments(monkeypatch, full_results, page):
    app = open_page(monkeypatch, *full_results, page)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == PAGES[page]


def test_the_finding_is_computed_from_the_rows(monkeypatch, full_results):
    app = open_page(monkeypatch, *full_results, "unet_skip_connections")
    # Pooled over both pictures: road 17 right, 22 predicted, 18 true; car 7 right, 8 predicted, 12 true.
    score = f"{(17 / 23 + 7 / 13) / 2:.3f}"
    assert [value for _, value, _ in figures(app)] == [score, score, "+0.000"]  # both variants have the same counts here
    assert "No difference was shown" in words(app)
    assert "By seed: +0.000." in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_file_every_page_says_which_command_makes_one(monkeypatch, tmp_path, page):
    app = open_page(monkeypatch, tmp_path / "none.duckdb", tmp_path, page)
    assert not app.exception
    assert "python -m compute run" in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_with_no_runs_every_page_says_which_command_makes_some(monkeypatch, tmp_path, page):
    results = tmp_path / "empty.duckdb"
    with duckdb.connect(str(results)) as connection:
        for name, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
        connection.execute("INSERT INTO contract VALUES (1)")
    app = open_page(monkeypatch, results, tmp_path, page)
    assert not app.exception
    assert not app.error
    assert "python -m compute run" in words(app)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("table", [name for name in TABLES if name != "contract"])
def test_a_missing_table_is_a_message_and_no_traceback(monkeypatch, tmp_path, full_results, page, table):
    results, images = full_results
    with duckdb.connect(str(results)) as connection:
        connection.execute(f"DROP TABLE {table}")
    app = open_page(monkeypatch, results, images, page)
    assert not app.exception
    assert all(table in error.value.replace("\\", "") for error in app.error)


def damage_as_text(path: Path) -> None:
    path.write_text("no database" * 500)


def damage_by_cutting(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30_000])


def set_version(version: int):
    def change(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute("UPDATE contract SET version = ?", [version])

    return change


@pytest.mark.parametrize(
    "damage, told",
    [
        (damage_as_text, "cannot be read as Contrast"),
        (damage_by_cutting, "cannot be read as Contrast"),
        (set_version(99), "newer"),
        (set_version(0), "older"),
    ],
)
def test_a_file_that_is_not_ours_to_read_is_named_with_a_remedy(monkeypatch, full_results, damage, told):
    results, images = full_results
    damage(results)
    app = open_page(monkeypatch, results, images, "unet_skip_connections")
    assert not app.exception
    assert app.subheader[0].value == "These results cannot be shown"
    assert told in app.error[0].value


@pytest.mark.parametrize("page", PAGES)
def test_foreign_text_and_paths_do_no_harm(monkeypatch, tmp_path, full_results, page):
    results, images = full_results
    secret = tmp_path / "secret.png"
    Image.new("P", (4, 4)).save(secret)
    nasty = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** " + "long" * 3000
    with duckdb.connect(str(results)) as connection:
        connection.execute("UPDATE dataset SET name = ?", [nasty])
        connection.execute("UPDATE segmentation_class SET name = ? WHERE class_id = 0", [nasty])
        connection.execute("UPDATE segmentation_class SET color = 'red;background:url(x)'")
        connection.execute("UPDATE run SET device = ?, torch = '=1+1', git_commit = ?", [nasty, nasty])
        connection.execute("UPDATE segmentation_mask SET path = '../secret.png'")
        connection.execute("UPDATE image SET path = ?", [str(secret)])
    app = open_page(monkeypatch, results, images, page)
    assert not app.exception
    assert "<script>" not in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_that_are_gone_leave_the_page_standing(monkeypatch, full_results, page):
    results, images = full_results
    shutil.rmtree(images)
    app = open_page(monkeypatch, results, images, page)
    assert not app.exception
    assert not app.error


def test_choices_come_from_the_address(monkeypatch, full_results):
    query = {"images": "first ten", "score": "per image", "sort": "hardest", "opacity": "75 %"}
    app = open_page(monkeypatch, *full_results, "unet_skip_connections", **query)
    chosen = {group.key: group.value for group in app.button_group}
    assert {name: chosen[name] for name in query} == query


def test_a_malformed_address_falls_back(monkeypatch, full_results):
    query = {"images": "some", "sort": "'; DROP TABLE run", "opacity": "much", "page": "-7", "seed": "x", "data": "none"}
    app = open_page(monkeypatch, *full_results, "unet_skip_connections", **query)
    assert not app.exception
    assert not app.error


def test_an_address_opens_one_picture_with_its_classes(monkeypatch, full_results):
    app = open_page(monkeypatch, *full_results, "unet_skip_connections", picture="tiny-ffffffff/val/1")
    table = tables(app)[0]
    assert table["class"].tolist() == ["road", "car"]
    assert table["true pixels"].tolist() == ["10", "6"]
    assert table["IoU with skips"].tolist() == [f"{9 / 13:.3f}", f"{3 / 7:.3f}"]


def test_an_address_of_an_unknown_picture_or_run_says_so(monkeypatch, full_results):
    app = open_page(monkeypatch, *full_results, "unet_skip_connections", picture="<b>none</b>")
    assert "no picture" in app.warning[0].value
    app = open_page(monkeypatch, *full_results, "runs", run="none")
    assert "no run" in app.warning[0].value


def test_an_address_opens_one_run_with_its_settings(monkeypatch, full_results):
    app = open_page(monkeypatch, *full_results, "runs", run="run-skip")
    facts = dict(tables(app)[1].itertuples(index=False))
    assert facts["variant"] == "skip"
    assert facts["data fingerprint"] == "f" * 64
