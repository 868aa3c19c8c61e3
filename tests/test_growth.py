"""The benchmarks of size and growth, at sizes at which they take seconds, and the copy that publishing begins with."""

import os
import shutil

import duckdb
import pytest
from opened_pages import open_page, tables, words
from rich.console import Console

from benchmarks import growth, page_load, publishing
from benchmarks.large_results import LABEL, write_large_results
from compute.results import publish
from compute.unfinished import copy_file
from dashboard.views import score_views

IMAGES, CLASSES = 60, 12


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return write_large_results(tmp_path_factory.mktemp("large"), IMAGES, CLASSES)


@pytest.fixture(scope="module")
def street_runs(tmp_path_factory, large):
    """A file of two U-Nets alone, with and without skips."""
    results = tmp_path_factory.mktemp("streets") / "results.duckdb"
    for variant in ("skip", "no_skip"):
        trial = publishing.trial_in(large[0], "unet_skip_connections", variant, publishing.OF_STREETS)
        publish(results, large[1], trial)
    return results


def rows(results, query):
    with duckdb.connect(str(results), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_published_trials_stand_beside_generated_ones(large):
    experiments = rows(large[0], "SELECT profile, count(DISTINCT experiment) FROM run GROUP BY profile ORDER BY profile")
    assert dict(experiments)["full"] == 3  # classifiers, precisions, the tree
    assert dict(experiments)["mini"] == rows("results.duckdb", "SELECT count(DISTINCT experiment) FROM run")[0][0]
    assert rows(large[0], "SELECT count(*) FROM image WHERE dataset LIKE 'generated%'") == [(IMAGES,)]


@pytest.mark.parametrize("stem", page_load.CHANGES_OF_DATA)
def test_pages_of_classifiers_open_on_the_generated_data(monkeypatch, large, stem):
    app = open_page(monkeypatch, *large, stem, data=LABEL)
    assert not app.exception
    assert not app.error
    assert not app.warning  # which would say that there is no such data
    assert f"{IMAGES}" in words(app)


def test_pages_that_are_clicked_through_more_are_pages():
    assert set(page_load.CHANGES_OF_DATA) <= set(page_load.CHANGES)
    for stem, changes in page_load.CHANGES_OF_DATA.items():
        assert not set(changes) & set(page_load.CHANGES[stem])


def test_a_table_of_many_classes_is_drawn_when_it_is_opened(monkeypatch, large):
    drawn = {}
    for most in (CLASSES, CLASSES - 1):
        monkeypatch.setattr(score_views, "FEW_CLASSES", most)
        app = open_page(monkeypatch, *large, "imagenet_rn50_vs_clip", data=LABEL, view="by style and class")
        drawn[most] = [len(table) for table in tables(app)]
    assert drawn == {CLASSES: [CLASSES], CLASSES - 1: []}
    app.session_state["accuracy_of_all_classes"] = True
    assert [len(table) for table in tables(app.run())] == [CLASSES]


def test_the_parts_of_publishing_add_up_and_the_trial_is_there(large, tmp_path):
    results = shutil.copyfile(large[0], tmp_path / "results.duckdb")
    for number, trial in enumerate((publishing.small_trial(results), publishing.large_trial(results))):
        name = f"added{number}"
        cost = publishing.cost_of(results, large[1], publishing.renamed(trial, name, 1000 + number))
        assert set(cost.parts) == {*publishing.PARTS, "rest"}
        assert sum(cost.parts.values()) == pytest.approx(cost.seconds)
        assert min(cost.parts.values()) > 0  # also the rest: no part is counted twice
        assert cost.mebibytes >= 0
    added = rows(results, "SELECT run_id, seed FROM run WHERE run_id LIKE 'added%' ORDER BY run_id")
    assert added == [("added0", 1000), ("added1", 1001)]
    assert rows(results, "SELECT count(*) FROM logit WHERE run_id = 'added1'") == [(IMAGES,)]


def test_publishing_again_leaves_no_more_holes_than_the_trial_is_large(street_runs, large, tmp_path):
    trial = publishing.small_trial(street_runs)
    once, _ = publishing.holes(street_runs, large[1], trial, tmp_path, 1, is_new=False)
    again, free = publishing.holes(street_runs, large[1], trial, tmp_path, 5, is_new=False)
    assert again - once < street_runs.stat().st_size
    assert 0 <= free < again
    assert not (tmp_path / "holes.duckdb").exists()


def test_runs_are_multiplied_with_all_their_rows(street_runs, tmp_path):
    results = shutil.copyfile(street_runs, tmp_path / "results.duckdb")
    count = "SELECT count(*) FROM segmentation_score"
    before = rows(results, count)[0][0]
    growth.multiply_runs(results, 3)
    assert rows(results, count) == [(3 * before,)]
    assert rows(results, "SELECT count(*), count(DISTINCT trial_key), count(DISTINCT seed) FROM run") == [(6, 6, 3)]


def test_pages_and_users_are_timed_by_a_server(large):
    anew_ms, again_ms = growth.page_times(*large, (("imagenet_rn50_vs_clip", growth.DATA),))
    assert anew_ms > again_ms > 0
    grown = growth.grown_users(*large, count=2, looking_s=1.0)
    assert grown.late_ms >= grown.again_ms > 0
    console = Console(width=300)
    with console.capture() as captured:
        console.print(growth.table_of([("2 users", grown), ("500 images", growth.Growth(file_mb=12.3))]))
    assert "12 MB" in captured.get()


def test_a_copy_is_the_file_byte_by_byte(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(3_000_000))
    target.write_bytes(b"what was there before, and is longer or shorter")
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()


def refused(*_):
    raise OSError("no such call here")


@pytest.mark.parametrize("copying", [refused, lambda *_: 0, None])
def test_a_system_that_cannot_share_blocks_copies_them(monkeypatch, tmp_path, copying):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(100_000))
    if copying is None:
        monkeypatch.delattr(os, "copy_file_range")
    else:
        monkeypatch.setattr(os, "copy_file_range", copying)
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
