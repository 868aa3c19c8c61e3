"""What publish writes, and what it refuses to write."""

import shutil
from pathlib import Path

import pandas
import pytest
from result_files import FileAndImages, MakeTrial, counts, files_beside, query, set_value

from compute.connection import ResultsError, finished_trials
from compute.results import publish
from compute.schema import CONTRACT_VERSION, SHARED, TABLES

ROWS_OF_ONE_TRIAL = dict.fromkeys(TABLES, 0) | {
    "contract": 1, "run": 1, "dataset": 1, "image": 2, "segmentation_class": 3, "segmentation_score": 4,
    "foreground_score": 2, "boundary_score": 4, "segmentation_mask": 4, "training_step": 2, "label_cluster": 2,
}  # fmt: skip


def test_published_rows_are_those_that_were_given(tiny_results: FileAndImages) -> None:
    results, _ = tiny_results
    assert counts(results) == ROWS_OF_ONE_TRIAL
    assert query(results, "SELECT version FROM contract") == [(CONTRACT_VERSION,)]
    assert query(results, "FROM segmentation_score ORDER BY ALL") == [
        ("run-1", 0, "tiny-ffffffff/val/1", 0, 9, 12, 10),
        ("run-1", 0, "tiny-ffffffff/val/1", 1, 3, 4, 6),
        ("run-1", 0, "tiny-ffffffff/val/2", 0, 8, 10, 8),
        ("run-1", 0, "tiny-ffffffff/val/2", 1, 4, 4, 6),
    ]
    assert query(results, "FROM training_step ORDER BY step") == [
        ("run-1", 0, 0, 1.5, 0.01, 3.5),
        ("run-1", 0, 1, 1.25, 0.01, 3.5),
    ]
    assert query(results, "SELECT run_id, epoch, path FROM segmentation_mask ORDER BY ALL") == [
        ("run-1", 0, "runs/run-1/epoch_0/1.png"),
        ("run-1", 0, "runs/run-1/epoch_0/2.png"),
        (None, None, "tiny-ffffffff/truth/1.png"),
        (None, None, "tiny-ffffffff/truth/2.png"),
    ]
    assert files_beside(results) == {"results.duckdb"}


def test_finished_trials_are_keys_with_their_runs(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    assert finished_trials(results.with_name("nothing yet.duckdb")) == {}
    publish(results, images, make_trial("run-2", "trial-2"))
    assert finished_trials(results) == {"trial-1": "run-1", "trial-2": "run-2"}


def test_rows_that_runs_share_are_written_once(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    publish(results, images, make_trial("run-2", "trial-2"))
    both = counts(results)
    assert {table: both[table] for table in ("dataset", "image", "segmentation_class")} == {
        "dataset": 1,
        "image": 2,
        "segmentation_class": 3,
    }
    assert both["segmentation_mask"] == 2 + 2 * 2
    assert (both["run"], both["segmentation_score"], both["training_step"]) == (2, 8, 4)


def test_the_same_trial_again_replaces_its_rows_and_its_pictures(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    publish(results, images, make_trial("run-2", "trial-2"))
    again = make_trial("run-1b", "trial-1")
    again["segmentation_score"]["intersection"] = [10, 4, 8, 4]
    again["segmentation_score"]["predicted"] = [12, 4, 10, 4]
    again["foreground_score"] = again["foreground_score"].assign(intersection=[4, 4], union_pixels=[6, 6])
    publish(results, images, again)
    assert finished_trials(results) == {"trial-1": "run-1b", "trial-2": "run-2"}
    for table, columns in TABLES.items():
        if "run_id" in columns:
            assert query(results, f"SELECT count(*) FROM {table} WHERE run_id = 'run-1'") == [(0,)], table
    assert query(results, "SELECT sum(intersection) FROM segmentation_score WHERE run_id = 'run-1b'") == [(26,)]
    assert sorted(path.name for path in (images / "runs").iterdir()) == ["run-1b", "run-2"]
    assert (images / "runs/run-1b/epoch_0/2.png").is_file()
    assert (images / "tiny-ffffffff/truth/1.png").is_file()


def test_the_same_run_again_keeps_its_pictures(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    publish(results, images, make_trial())
    assert counts(results) == ROWS_OF_ONE_TRIAL
    assert (images / "runs/run-1/epoch_0/1.png").is_file()


def test_a_refused_first_trial_leaves_no_file(tmp_path: Path, make_trial: MakeTrial) -> None:
    tables = make_trial()
    set_value("run", "seconds", -1.0)(tables)
    with pytest.raises(ResultsError, match="seconds must not be negative"):
        publish(tmp_path / "results.duckdb", tmp_path / "images", tables)
    assert files_beside(tmp_path / "results.duckdb") == set()


def test_a_refused_replacement_keeps_the_old_run_and_its_pictures(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    tables = make_trial("run-1b", "trial-1")
    set_value("segmentation_score", "intersection", -1)(tables)
    with pytest.raises(ResultsError):
        publish(results, images, tables)
    assert finished_trials(results) == {"trial-1": "run-1"}
    assert (images / "runs/run-1/epoch_0/1.png").is_file()


def test_a_table_outside_the_contract_is_refused(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    before = results.read_bytes()
    with pytest.raises(ResultsError, match="'seconds' is no table of the contract; they are contract, run, dataset, image"):
        publish(results, images, {**make_trial("run-2", "trial-2"), "seconds": pandas.DataFrame({"run_id": ["run-2"]})})
    assert results.read_bytes() == before


UNFIT = [
    ("training_step", {"run_id": ["run-2"]}),
    ("training_step", {"colour": ["red"]}),
    ("label_cluster", {"run_id": ["run-2"], "cluster": [256], "color": ["#000000"], "class_id": [0], "pixels": [1]}),
    ("label_cluster", {"run_id": ["run-2"], "cluster": ["first"], "color": ["#000000"], "class_id": [0], "pixels": [1]}),
]


@pytest.mark.parametrize(("table", "rows"), UNFIT)
def test_rows_that_do_not_fit_their_table_leave_the_file_as_it_was(
    tiny_results: FileAndImages, make_trial: MakeTrial, table: str, rows: dict[str, list]
) -> None:
    results, images = tiny_results
    before = results.read_bytes()
    with pytest.raises(ResultsError):
        publish(results, images, {**make_trial("run-2", "trial-2"), table: pandas.DataFrame(rows)})
    assert results.read_bytes() == before
    assert files_beside(results) == {"results.duckdb"}


@pytest.mark.parametrize(("table", "rows"), UNFIT)
def test_rows_that_do_not_fit_their_table_are_refused_by_its_name(
    tiny_results: FileAndImages, make_trial: MakeTrial, table: str, rows: dict[str, list]
) -> None:
    results, images = tiny_results
    with pytest.raises(ResultsError, match=f"rows do not fit the table {table}"):
        publish(results, images, {**make_trial("run-2", "trial-2"), table: pandas.DataFrame(rows)})


@pytest.mark.parametrize("path", ["../secret.png", "runs/../../secret.png", "{outside}", "runs/run-2/no such.png", "runs"])
@pytest.mark.parametrize("table", ["image", "segmentation_mask"])
def test_a_picture_that_is_not_below_the_images_is_refused(
    tiny_results: FileAndImages, make_trial: MakeTrial, table: str, path: str
) -> None:
    results, images = tiny_results
    outside = results.with_name("secret.png")
    outside.write_bytes(b"secret")
    before = results.read_bytes()
    tables = make_trial("run-2", "trial-2")
    set_value(table, "path", path.format(outside=outside))(tables)
    with pytest.raises(ResultsError, match=f"{table} names the picture '.*', which is not below"):
        publish(results, images, tables)
    assert results.read_bytes() == before


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path, make_trial: MakeTrial) -> None:
    tables = make_trial()
    (tmp_path / "a file").write_text("in the way")
    results = tmp_path / "a file" / "results.duckdb"
    assert finished_trials(results) == {}
    with pytest.raises(ResultsError) as caught:
        publish(results, tmp_path / "images", tables)
    assert str(caught.value).startswith(f"{results}: its folder cannot be written to")
    assert "--results" in str(caught.value)


def test_a_folder_is_made_where_there_is_none(tmp_path: Path, make_trial: MakeTrial) -> None:
    results = tmp_path / "not there" / "yet" / "results.duckdb"
    publish(results, tmp_path / "images", make_trial())
    assert finished_trials(results) == {"trial-1": "run-1"}


def test_shared_rows_of_a_second_data_set_stand_beside_the_first(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    tables = make_trial("run-2", "trial-2")
    for table, rows in tables.items():
        rows = rows.copy()
        for column in ("dataset", "image_id", "path"):
            if column in rows:
                rows[column] = rows[column].str.replace("tiny-ffffffff", "tiny-00000000")
        tables[table] = rows
    shutil.copytree(images / "tiny-ffffffff", images / "tiny-00000000")
    publish(results, images, tables)
    found = counts(results)
    assert {table: found[table] for table in SHARED} == {
        "dataset": 2,
        "image": 4,
        "segmentation_class": 6,
        "segmentation_mask": 8,
        **dict.fromkeys(("synset", "synset_parent", "synset_leaf", "word_sense", "image_caption", "reference_result"), 0),
    }


def test_a_loss_that_is_no_number_is_refused_as_such(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    tables = make_trial("run-2", "trial-2")
    set_value("training_step", "loss", float("nan"))(tables)
    with pytest.raises(ResultsError, match="rows do not fit the table training_step"):
        publish(results, images, tables)
