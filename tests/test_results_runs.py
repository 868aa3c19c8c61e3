"""What holds of every run's rows: finite numbers, the same images and truth in all runs, and no row of another run.

Also that no check which publishing leaves out could have found anything.
"""

import math
from pathlib import Path

import duckdb
import numpy as np
import pytest
from result_files import FileAndImages, MakeTrial, Tables, Tamper, all_of, check_refused, drop_row, set_value
from test_results_classes import class_trial

from compute.checks import CHECKS, may_offend, tables_read
from compute.results import publish
from compute.run_checks import RUN_CHECKS
from compute.schema import OWNER, SHARED, TABLES

PUBLISHED = Path(__file__).parent.parent / "results.duckdb"
FINITE = {complaint: offending for complaint, offending in RUN_CHECKS if complaint.endswith("must be finite")}


def keep_epochs(*tables: str) -> Tamper:
    """Take the rows of one picture in some tables to an epoch of their own."""

    def tamper(given: Tables) -> None:
        for table in tables:
            rows = given[table].copy()
            rows.loc[rows.image_id == rows.image_id.iloc[-1], "epoch"] = 1
            given[table] = rows

    return tamper


def _other_truth(tables: Tables) -> None:
    """One road pixel more that is a car, in truth and prediction alike: by itself no count of this run is wrong."""
    rows = tables["segmentation_score"].copy()
    rows.loc[[0, 1], "truth"] = [9, 7]
    tables["segmentation_score"] = rows
    set_value("foreground_score", "intersection", 4)(tables)


# Each tampering with a valid trial, and the check that must refuse it.
TAMPERED_STREETS = [
    (set_value("run", "seconds", math.inf), "run: seconds must be finite"),
    (set_value("training_step", "learning_rate", math.inf), "training_step: loss, learning_rate, milliseconds must be finite"),
    (set_value("training_step", "milliseconds", math.inf), "training_step: loss, learning_rate, milliseconds must be finite"),
    (
        all_of(
            *(drop_row(table, row) for table in ("segmentation_score", "boundary_score") for row in (3, 2)),
            drop_row("foreground_score", 1),
        ),
        "segmentation_score: each epoch must score every class on each validation image",
    ),
    (
        all_of(
            keep_epochs("segmentation_score", "foreground_score"), drop_row("boundary_score", 1), drop_row("boundary_score", 0)
        ),
        "segmentation_score: each epoch must score every class on each validation image",
    ),
    (_other_truth, "segmentation_score: an image's true pixels of a class must be the same in every run and epoch"),
    (drop_row("foreground_score", 1), "foreground_score: must have rows of each epoch and image_id of segmentation_score"),
    (set_value("foreground_score", "epoch", 1), "foreground_score: must have rows of each epoch and image_id of segmentation"),
    (
        all_of(drop_row("boundary_score", 3), drop_row("boundary_score", 2)),
        "boundary_score: must have rows of each image_id of segmentation_score, and of no other",
    ),
    (set_value("label_cluster", "class_id", 9), "label_cluster: class_id must be one of the run's data set"),
    (set_value("label_cluster", "pixels", -1), "label_cluster: class_id must be one of the run's data set"),
    (set_value("training_step", "run_id", "run-1"), "training_step has rows of run run-1, not of run run-2"),
    (set_value("label_cluster", "run_id", "nobody"), "label_cluster has rows of run nobody, not of run run-2"),
]
TAMPERED_ANSWERS = [
    (
        all_of(drop_row("prediction", 3), drop_row("logit", 3), drop_row("image_evidence", 3)),
        "prediction: each validation image of the run's data set must have its row, and no other image",
    ),
    (
        set_value("class_similarity", "other_wnid", "n00000009", row=1),
        "class_similarity: other_wnid is not in the table synset",
    ),
    (set_value("logit", "single_values", [0.5, math.nan, 0.25]), "logit: single_values must be finite"),
    (
        all_of(
            set_value("logit", "half_bits", np.array([1, 2, math.inf], np.float16).view(np.uint16).tolist()),
            set_value("logit", "single_values", None),
        ),
        "logit: half_bits must be of finite numbers",
    ),
]
# What test_results_checks wants to know: every check that a test here trips.
TAMPERED_RUNS = [*TAMPERED_STREETS, *TAMPERED_ANSWERS, *((None, complaint) for complaint in FINITE)]


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_STREETS)
def test_a_run_unlike_the_others_leaves_the_file_as_it_was(
    tiny_results: FileAndImages, make_trial: MakeTrial, tamper: Tamper, complaint: str
) -> None:
    check_refused(*tiny_results, make_trial("run-2", "trial-2"), tamper, complaint)


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_ANSWERS)
def test_a_classifier_unlike_its_outputs_leaves_the_file_as_it_was(tmp_path: Path, tamper: Tamper, complaint: str) -> None:
    results, images = tmp_path / "results.duckdb", tmp_path / "images"
    publish(results, images, class_trial(images, "run-1", "trial-1"))
    check_refused(results, images, class_trial(images, "run-2", "trial-2"), tamper, complaint)


def _row(table: str, column: str, value: str) -> str:
    """SQL for a row of run-1 with this value in one column, and nothing in the others."""
    owner = OWNER.get(table, "run_id")
    return f"INSERT INTO {table} ({owner}, {column}) VALUES ('run-1', {value})"


@pytest.mark.parametrize("complaint", FINITE)
@pytest.mark.parametrize("wrong", ["'nan'", "'inf'", "'-inf'"])
def test_every_column_of_numbers_is_held_to_be_finite(complaint: str, wrong: str) -> None:
    table, _, told = complaint.partition(": ")
    [columns] = [text for name, text in TABLES.items() if name == table]
    listed = {column.split()[0] for column in columns.split(",") if column.strip().split()[1].endswith("[]")}
    for column in told.removesuffix(" must be finite").split(", "):
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE {table} ({columns.replace('NOT NULL', '')})")
            for value in ("0.5", f"{wrong}::FLOAT"):
                connection.execute(_row(table, column, f"[0.25, {value}]" if column in listed else value))
            assert connection.execute(FINITE[complaint], {"run_id": "run-1"}).fetchall() == [(1,)]
            assert connection.execute(FINITE[complaint], {"run_id": "run-2"}).fetchall() == [(0,)]


def test_every_column_of_numbers_has_its_check() -> None:
    with duckdb.connect() as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        found = connection.execute(
            """SELECT table_name, column_name FROM duckdb_columns()
               WHERE NOT internal AND regexp_matches(data_type, 'DOUBLE|FLOAT')"""
        ).fetchall()
    checked = {(complaint.partition(":")[0], column) for complaint in FINITE for column in _columns(complaint)}
    assert {(table, column) for table, column in found if table not in SHARED} == checked
    assert len(checked) > 30


def _columns(complaint: str) -> list[str]:
    return complaint.partition(": ")[2].removesuffix(" must be finite").split(", ")


def test_a_query_reads_no_table_but_those_that_it_names() -> None:
    """What a query reads is asked of DuckDB itself: a table that is not there is an error."""
    for complaint, offending in CHECKS:
        with duckdb.connect() as connection:
            for table in tables_read(offending):
                connection.execute(f"CREATE TABLE {table} ({TABLES[table]})")
            parameters = {"run_id": "run-1"} if "$run_id" in offending else None
            assert connection.execute(offending, parameters).fetchall() == [(0,)], complaint


def test_what_is_left_out_finds_nothing_in_a_run_without_rows_of_its_own(tmp_path: Path) -> None:
    """A check of a run is left out where the run has no row of its own in any table it reads; then it counts none.

    So it is with a run that has nothing but its row in `run`, on every data set and on none, among all that is published.
    """
    left_out = [check for check in CHECKS if not may_offend(check[1], {"run", *SHARED})]
    assert len(left_out) > 120
    assert all("$run_id" in offending for _, offending in left_out)
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(PUBLISHED.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        datasets = [None, *(dataset for (dataset,) in connection.execute("SELECT dataset FROM dataset").fetchall())]
        for number, dataset in enumerate(datasets):
            connection.execute(
                "INSERT INTO run SELECT * REPLACE (? AS run_id, ? AS dataset) FROM run LIMIT 1", [f"bare-{number}", dataset]
            )
        for complaint, offending in left_out:
            for number in range(len(datasets)):
                found = connection.execute(offending, {"run_id": f"bare-{number}"}).fetchall()
                assert found == [(0,)], complaint


def test_no_check_of_all_rows_is_ever_left_out() -> None:
    assert all(may_offend(offending, ()) for _, offending in CHECKS if "$run_id" not in offending)
    tables = {table for table in TABLES if table not in SHARED and table not in ("run", "contract")}
    for table in tables:
        named = [check for check in CHECKS if table in tables_read(check[1])]
        assert named
        assert all(may_offend(offending, {table}) for _, offending in named)
