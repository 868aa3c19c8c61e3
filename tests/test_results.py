"""What publish writes and refuses, and which files it will not touch."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas
import pytest

from compute.checks import CHECKS
from compute.results import ResultsError, finished_trials, publish
from compute.schema import CONTRACT_VERSION, SHARED, TABLES

Tables = dict[str, pandas.DataFrame]
MakeTrial = Callable[..., Tables]
FileAndImages = tuple[Path, Path]


def query(results: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(results), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def counts(results: Path) -> dict[str, int]:
    return {table: query(results, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def alter(results: Path, *statements: str) -> None:
    with duckdb.connect(str(results)) as connection:
        for statement in statements:
            connection.execute(statement)


def files_beside(results: Path) -> set[str]:
    return {path.name for path in results.parent.iterdir() if path.is_file()} - {f".{results.name}.lock"}


ROWS_OF_ONE_TRIAL = {
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
        (None, None, "tiny/truth/1.png"),
        (None, None, "tiny/truth/2.png"),
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
    assert (images / "tiny/truth/1.png").is_file()


def test_the_same_run_again_keeps_its_pictures(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    publish(results, images, make_trial())
    assert counts(results) == ROWS_OF_ONE_TRIAL
    assert (images / "runs/run-1/epoch_0/1.png").is_file()


def _set(table: str, column: str, value: object, row: int | None = 0) -> Callable[[Tables], None]:
    def tamper(tables: Tables) -> None:
        rows = tables[table].copy()
        rows[column] = [value if row in (None, number) else old for number, old in enumerate(rows[column])]
        tables[table] = rows

    return tamper


def _repeat(table: str, **changed: object) -> Callable[[Tables], None]:
    def tamper(tables: Tables) -> None:
        last = tables[table].iloc[[-1]].assign(**changed)
        tables[table] = pandas.concat([tables[table], last], ignore_index=True)

    return tamper


def _foreign_image(tables: Tables) -> None:
    tables["image"] = tables["image"].assign(image_id=["x", "y"], dataset="elsewhere")


# Each tampering with a valid trial, and the table or the whole of the check that must refuse it.
TAMPERED = [
    (_set("segmentation_mask", "run_id", "nobody"), "segmentation_mask: run_id is not in the table run"),
    (_set("run", "run_id", "run-1"), "run: rows differ though their run_id are the same"),
    (_set("dataset", "name", "Another"), "dataset: rows differ though their dataset are the same"),
    (_set("image", "sha256", "c" * 64), "image: rows differ though their image_id are the same"),
    (_set("segmentation_class", "color", "#ffffff"), "segmentation_class: rows differ though their dataset, class_id"),
    (_repeat("segmentation_score"), "segmentation_score: rows differ though their run_id, epoch, image_id, class_id"),
    (_repeat("foreground_score", intersection=1), "foreground_score: rows differ though their run_id, epoch, image_id"),
    (_repeat("boundary_score", correct=1), "boundary_score: rows differ though their run_id, image_id, band"),
    (_repeat("segmentation_mask", path="tiny/truth/1.png"), "segmentation_mask: rows differ though their run_id, epoch"),
    (_set("segmentation_mask", "path", "tiny/photo/1.jpg"), "segmentation_mask: rows differ though their run_id, epoch"),
    (_repeat("training_step", loss=9.0), "training_step: rows differ though their run_id, step"),
    (_repeat("label_cluster", pixels=9), "label_cluster: rows differ though their run_id, cluster, class_id"),
    (_set("run", "dataset", "elsewhere"), "run: dataset is not in the table dataset"),
    (_foreign_image, "image: dataset is not in the table dataset"),
    (_repeat("segmentation_class", dataset="elsewhere"), "segmentation_class: dataset is not in the table dataset"),
    (_set("segmentation_score", "image_id", "x"), "segmentation_score: image_id is not in the table image"),
    (_set("foreground_score", "image_id", "x"), "foreground_score: image_id is not in the table image"),
    (_set("boundary_score", "image_id", "x"), "boundary_score: image_id is not in the table image"),
    (_set("segmentation_mask", "image_id", "x", row=3), "segmentation_mask: image_id is not in the table image"),
    (_set("segmentation_score", "class_id", 7), "segmentation_score: class_id is no scored class"),
    (_set("segmentation_score", "class_id", 2), "segmentation_score: class_id is no scored class"),
    (_set("segmentation_score", "intersection", -1), "segmentation_score: intersection must be 0 to the smaller"),
    (_set("segmentation_score", "intersection", 11), "segmentation_score: intersection must be 0 to the smaller"),
    (_set("segmentation_score", "intersection", 5, row=3), "segmentation_score: intersection must be 0 to the smaller"),
    (_set("segmentation_score", "predicted", 11), "segmentation_score: an image's predicted pixels must add up"),
    (_set("segmentation_score", "truth", 11), "segmentation_score: an image's predicted pixels must add up"),
    (
        lambda tables: (_set("segmentation_score", "predicted", 13)(tables), _set("segmentation_score", "truth", 11)(tables)),
        "segmentation_score: an image's predicted pixels must add up to its true ones, and to at most its size",
    ),
    (_set("foreground_score", "intersection", 4), "foreground_score: must agree with the class counts"),
    (_set("foreground_score", "union_pixels", 8), "foreground_score: must agree with the class counts"),
    (_set("boundary_score", "correct", -1), "boundary_score: correct must be 0 to total"),
    (_set("boundary_score", "correct", 13), "boundary_score: correct must be 0 to total"),
    (_set("boundary_score", "total", 11), "boundary_score: correct must be 0 to total, and the bands must add up"),
    (_set("training_step", "loss", float("inf")), "training_step: loss, learning rate and time must be finite"),
    (_set("training_step", "loss", -0.5), "training_step: loss, learning rate and time must be finite"),
    (_set("training_step", "learning_rate", -0.5), "training_step: loss, learning rate and time must be finite"),
    (_set("training_step", "milliseconds", -0.5), "training_step: loss, learning rate and time must be finite"),
    (_set("run", "seconds", -0.5), "run: seconds must not be negative"),
]


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED)
def test_a_check_that_fails_leaves_the_file_as_it_was(
    tiny_results: FileAndImages, make_trial: MakeTrial, tamper: Callable[[Tables], None], complaint: str
) -> None:
    results, images = tiny_results
    before = results.read_bytes()
    tables = make_trial("run-2", "trial-2")
    tamper(tables)
    with pytest.raises(ResultsError, match="Nothing was written") as caught:
        publish(results, images, tables)
    assert complaint in str(caught.value)
    assert results.read_bytes() == before
    assert files_beside(results) == {"results.duckdb"}


def test_every_check_is_tripped_by_a_tampered_trial() -> None:
    assert [complaint for complaint, _ in CHECKS if not any(text in complaint for _, text in TAMPERED)] == []


def test_a_refused_first_trial_leaves_no_file(tmp_path: Path, make_trial: MakeTrial) -> None:
    tables = make_trial()
    _set("run", "seconds", -1.0)(tables)
    with pytest.raises(ResultsError, match="seconds must not be negative"):
        publish(tmp_path / "results.duckdb", tmp_path / "images", tables)
    assert files_beside(tmp_path / "results.duckdb") == set()


def test_a_refused_replacement_keeps_the_old_run_and_its_pictures(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    tables = make_trial("run-1b", "trial-1")
    _set("segmentation_score", "intersection", -1)(tables)
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
    _set(table, "path", path.format(outside=outside))(tables)
    with pytest.raises(ResultsError, match=f"{table} names the picture '.*', which is not below"):
        publish(results, images, tables)
    assert results.read_bytes() == before


UNUSABLE = [
    pytest.param(lambda path: path.write_text("not a database"), "is no readable DuckDB file", id="text"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), "is no readable DuckDB file", id="truncated"),
    pytest.param(
        lambda path: alter(path, "DROP TABLE label_cluster", "DROP TABLE dataset"),
        "lacks the tables dataset, label_cluster",
        id="tables missing",
    ),
    pytest.param(
        lambda path: alter(path, "UPDATE contract SET version = version - 1"), "has tables of version [0]", id="older"
    ),
    pytest.param(
        lambda path: alter(path, "UPDATE contract SET version = version + 1"), "has tables of version [2]", id="newer"
    ),
    pytest.param(lambda path: alter(path, "DELETE FROM contract"), "has tables of version []", id="no version"),
    pytest.param(
        lambda path: alter(path, "DROP TABLE run", "CREATE TABLE run (name VARCHAR)"),
        "",
        id="columns missing",
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
        for column in ("dataset", "image_id"):
            if column in rows:
                rows[column] = rows[column].str.replace("tiny-ffffffff", "tiny-00000000")
        tables[table] = rows
    publish(results, images, tables)
    found = counts(results)
    assert {table: found[table] for table in SHARED} == {
        "dataset": 2,
        "image": 4,
        "segmentation_class": 6,
        "segmentation_mask": 8,
    }


def test_a_loss_that_is_no_number_is_refused_as_such(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    tables = make_trial("run-2", "trial-2")
    _set("training_step", "loss", float("nan"))(tables)
    with pytest.raises(ResultsError, match="rows do not fit the table training_step"):
        publish(results, images, tables)
