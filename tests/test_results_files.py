"""Which files publish will not touch, and what becomes of a file that an earlier release wrote."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from result_files import FileAndImages, MakeTrial, alter, counts, files_beside, query
from test_results_classes import class_trial

from compute.connection import ResultsError, finished_trials
from compute.results import publish
from compute.schema import TABLES

UNUSABLE = [
    pytest.param(lambda path: path.write_text("not a database"), "is no readable DuckDB file", id="text"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), "is no readable DuckDB file", id="truncated"),
    pytest.param(
        lambda path: alter(path, "DROP TABLE run", "DROP TABLE contract", "DROP TABLE dataset"),
        "lacks the tables contract, run, so this version did not write it.",
        id="another program's tables",
    ),
    pytest.param(
        lambda path: alter(path, "UPDATE contract SET version = version - 1"), "has tables of version [0]", id="older"
    ),
    pytest.param(
        lambda path: alter(path, "UPDATE contract SET version = version + 1"), "has tables of version [2]", id="newer"
    ),
    pytest.param(
        lambda path: alter(path, "DROP TABLE contract", "CREATE TABLE contract (name VARCHAR)"),
        "its tables are not as expected",
        id="another program's contract",
    ),
    pytest.param(lambda path: alter(path, "DELETE FROM contract"), "has tables of version []", id="no version"),
    pytest.param(
        lambda path: alter(path, "DROP TABLE run", "CREATE TABLE run (name VARCHAR)"),
        'its tables are not as expected (Binder Error: Referenced column "trial_key" not found',
        id="another program's run",
    ),
]


@pytest.mark.parametrize(("spoil", "complaint"), UNUSABLE)
def test_a_file_that_cannot_be_used_is_named_and_left_alone(
    tiny_results: FileAndImages, make_trial: MakeTrial, spoil: Callable[[Path], object], complaint: str
) -> None:
    results, images = tiny_results
    spoil(results)
    digest = hashlib.sha256(results.read_bytes()).hexdigest()
    for use in (lambda: finished_trials(results), lambda: publish(results, images, make_trial("run-2", "trial-2"))):
        with pytest.raises(ResultsError) as caught:
            use()
        assert str(caught.value).startswith(f"{results}: ")
        assert complaint in str(caught.value)
        assert hashlib.sha256(results.read_bytes()).hexdigest() == digest
        assert files_beside(results) == {"results.duckdb"}


# What the first release's files lack.
NEW_TABLES = (
    "model_layer", "synset", "synset_parent", "synset_leaf", "word_sense", "classifier_output", "prediction", "class_score",
    "logit", "image_evidence", "class_similarity",
)  # fmt: skip


def _of_the_first_release(results: Path) -> None:
    alter(results, *(f"DROP TABLE {table}" for table in NEW_TABLES), "ALTER TABLE image DROP COLUMN form")


def test_a_file_of_the_first_release_keeps_its_rows_and_takes_a_new_trial(tiny_results: FileAndImages) -> None:
    results, images = tiny_results
    _of_the_first_release(results)
    old_tables = [table for table in TABLES if table not in NEW_TABLES]
    before = {table: set(map(str, query(results, f"FROM {table}"))) for table in old_tables if table != "image"}
    assert finished_trials(results) == {"trial-1": "run-1"}
    publish(results, images, class_trial(images, "run-2", "trial-2"))
    assert finished_trials(results) == {"trial-1": "run-1", "trial-2": "run-2"}
    for table, rows in before.items():
        assert rows <= set(map(str, query(results, f"FROM {table}"))), table
    assert query(results, "SELECT image_id, form FROM image ORDER BY dataset, ordinal") == [
        ("photos-eeeeeeee/tench/1.jpg", "drawn"),
        ("photos-eeeeeeee/tench/2.jpg", None),
        ("photos-eeeeeeee/hen/1.jpg", None),
        ("photos-eeeeeeee/unknown.jpg", None),
        ("tiny-ffffffff/val/1", None),
        ("tiny-ffffffff/val/2", None),
    ]
    assert counts(results)["prediction"] == 4


def test_a_file_of_the_first_release_takes_its_own_trial_again(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    before = counts(results)
    _of_the_first_release(results)
    publish(results, images, make_trial())
    assert counts(results) == before


def test_a_refused_trial_leaves_a_file_of_the_first_release_as_it_was(
    tiny_results: FileAndImages, make_trial: MakeTrial
) -> None:
    results, images = tiny_results
    _of_the_first_release(results)
    before = results.read_bytes()
    tables = make_trial("run-2", "trial-2")
    tables["run"] = tables["run"].assign(seconds=-1.0)
    with pytest.raises(ResultsError, match="seconds must not be negative"):
        publish(results, images, tables)
    assert results.read_bytes() == before
