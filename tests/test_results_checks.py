"""Every check on a trial's rows: each is tripped by a tampering with a valid trial, and leaves the file as it was."""

import pytest
from result_files import (
    FileAndImages,
    MakeTrial,
    Tables,
    Tamper,
    all_of,
    alter,
    check_refused,
    repeat_row,
    set_value,
)
from test_results_captions import TAMPERED_CAPTIONS
from test_results_classes import TAMPERED_CLASSES
from test_results_drift import TAMPERED_DRIFT
from test_results_heads import TAMPERED_HEADS
from test_results_precision import TAMPERED_PRECISION
from test_results_runs import TAMPERED_RUNS

from compute.checks import CHECKS
from compute.connection import ResultsError
from compute.results import publish


def _foreign_image(tables: Tables) -> None:
    tables["image"] = tables["image"].assign(image_id=["x", "y"], dataset="elsewhere")


# Each tampering with a valid trial, and the table or the whole of the check that must refuse it.
TAMPERED = [
    (set_value("segmentation_mask", "run_id", "nobody"), "segmentation_mask: run_id is not in the table run"),
    (set_value("run", "run_id", "run-1"), "run: rows differ though their run_id are the same"),
    (set_value("dataset", "name", "Another"), "dataset: rows differ though their dataset are the same"),
    (set_value("image", "sha256", "c" * 64), "image: rows differ though their image_id are the same"),
    (set_value("segmentation_class", "color", "#ffffff"), "segmentation_class: rows differ though their dataset, class_id"),
    (repeat_row("segmentation_score"), "segmentation_score: rows differ though their run_id, epoch, image_id, class_id"),
    (repeat_row("foreground_score", intersection=1), "foreground_score: rows differ though their run_id, epoch, image_id"),
    (repeat_row("boundary_score", correct=1), "boundary_score: rows differ though their run_id, image_id, band"),
    (
        repeat_row("segmentation_mask", path="tiny-ffffffff/truth/1.png"),
        "segmentation_mask: rows differ though their run_id, epoch",
    ),
    (
        set_value("segmentation_mask", "path", "tiny-ffffffff/photo/1.jpg"),
        "segmentation_mask: rows differ though their run_id, epoch",
    ),
    (repeat_row("training_step", loss=9.0), "training_step: rows differ though their run_id, step"),
    (repeat_row("label_cluster", pixels=9), "label_cluster: rows differ though their run_id, cluster, class_id"),
    (set_value("run", "dataset", "elsewhere"), "run: dataset is not in the table dataset"),
    (_foreign_image, "image: dataset is not in the table dataset"),
    (repeat_row("segmentation_class", dataset="elsewhere"), "segmentation_class: dataset is not in the table dataset"),
    (set_value("segmentation_score", "image_id", "x"), "segmentation_score: image_id is not in the table image"),
    (set_value("foreground_score", "image_id", "x"), "foreground_score: image_id is not in the table image"),
    (set_value("boundary_score", "image_id", "x"), "boundary_score: image_id is not in the table image"),
    (set_value("segmentation_mask", "image_id", "x", row=3), "segmentation_mask: image_id is not in the table image"),
    (set_value("segmentation_score", "class_id", 7), "segmentation_score: class_id is no scored class"),
    (set_value("segmentation_score", "class_id", 2), "segmentation_score: class_id is no scored class"),
    (set_value("segmentation_score", "intersection", -1), "segmentation_score: intersection must be 0 to the smaller"),
    (set_value("segmentation_score", "intersection", 11), "segmentation_score: intersection must be 0 to the smaller"),
    (set_value("segmentation_score", "intersection", 5, row=3), "segmentation_score: intersection must be 0 to the smaller"),
    (set_value("segmentation_score", "predicted", 11), "segmentation_score: an image's predicted pixels must add up"),
    (set_value("segmentation_score", "truth", 11), "segmentation_score: an image's predicted pixels must add up"),
    (
        all_of(set_value("segmentation_score", "predicted", 13), set_value("segmentation_score", "truth", 11)),
        "segmentation_score: an image's predicted pixels must add up to its true ones, and to at most its size",
    ),
    (set_value("foreground_score", "intersection", 4), "foreground_score: must agree with the class counts"),
    (set_value("foreground_score", "union_pixels", 8), "foreground_score: must agree with the class counts"),
    (set_value("boundary_score", "correct", -1), "boundary_score: correct must be 0 to total"),
    (set_value("boundary_score", "correct", 13), "boundary_score: correct must be 0 to total"),
    (set_value("boundary_score", "total", 11), "boundary_score: correct must be 0 to total, and the bands must add up"),
    (set_value("training_step", "loss", float("inf")), "training_step: loss, learning rate and time must be finite"),
    (set_value("training_step", "loss", -0.5), "training_step: loss, learning rate and time must be finite"),
    (set_value("training_step", "learning_rate", -0.5), "training_step: loss, learning rate and time must be finite"),
    (set_value("training_step", "milliseconds", -0.5), "training_step: loss, learning rate and time must be finite"),
    (set_value("run", "seconds", -0.5), "run: seconds must not be negative"),
]


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED)
def test_a_check_that_fails_leaves_the_file_as_it_was(
    tiny_results: FileAndImages, make_trial: MakeTrial, tamper: Tamper, complaint: str
) -> None:
    results, images = tiny_results
    check_refused(results, images, make_trial("run-2", "trial-2"), tamper, complaint)


# Tables whose equal rows are always written once can hold a row twice only in a file that something else wrote to.
TAMPERED_FILES = [
    ("synset_parent", "('n00000002', 'n00000001')", "synset_parent: rows differ though their wnid, parent_wnid are the same"),
    ("synset_leaf", "('n00000001', 'n01440764')", "synset_leaf: rows differ though their wnid, leaf_wnid are the same"),
]


@pytest.mark.parametrize(("table", "row", "complaint"), TAMPERED_FILES)
def test_a_file_that_holds_a_row_twice_takes_no_trial(
    tiny_results: FileAndImages, make_trial: MakeTrial, table: str, row: str, complaint: str
) -> None:
    results, images = tiny_results
    alter(results, *[f"INSERT INTO {table} VALUES {row}"] * 2)
    before = results.read_bytes()
    with pytest.raises(ResultsError) as caught:
        publish(results, images, make_trial("run-2", "trial-2"))
    assert str(caught.value) == f"Nothing was written: {complaint} (1 rows of run run-2)."
    assert results.read_bytes() == before


def test_every_check_is_tripped_by_one_of_the_tamperings() -> None:
    told = [
        complaint
        for *_, complaint in (
            *TAMPERED,
            *TAMPERED_CAPTIONS,
            *TAMPERED_CLASSES,
            *TAMPERED_DRIFT,
            *TAMPERED_HEADS,
            *TAMPERED_PRECISION,
            *TAMPERED_RUNS,
            *TAMPERED_FILES,
        )
    ]
    assert [complaint for complaint, _ in CHECKS if not any(text in complaint for text in told)] == []
