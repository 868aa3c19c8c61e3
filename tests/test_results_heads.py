"""A trial of a decoder head on two pictures, worked out by hand: what publish makes of it."""

from pathlib import Path

import pandas
import pytest
from result_files import (
    FileAndImages,
    MakeTrial,
    Tables,
    Tamper,
    all_of,
    check_refused,
    counts,
    drop_row,
    query,
    repeat_row,
    set_value,
)

from compute.results import publish

IDS = ["tiny-ffffffff/val/1", "tiny-ffffffff/val/2"]


def head_trial(tables: Tables) -> Tables:
    """The rows of make_trial, with those that only a decoder head has.

    In the first picture a car (class 1, 6 true pixels) hides 4 pixels of road, of which 3 are called car and one road; of the
    car's other 2 pixels one is called road. In the second road (8 true pixels) hides 3 pixels of a car, all called road.
    """
    [run_id] = tables["run"].run_id
    hidden = {
        "run_id": run_id, "image_id": IDS, "class_id": [0, 1], "occluder_class_id": [1, 0], "hidden": [4, 3],
        "as_hidden": [1, 0], "as_occluder": [3, 3], "control": [2, 5], "control_as_hidden": [1, 0],
    }  # fmt: skip
    attention = {
        "run_id": run_id, "image_id": [IDS[0], IDS[0]], "class_id": [0, 1], "height": 2, "width": 3,
        "weights": [[0.5, 0.25, 0.25, 0.0, 0.0, 0.0], [0.1, 0.1, 0.2, 0.2, 0.2, 0.2]],
    }  # fmt: skip
    cost = {"run_id": run_id, "part": ["encoder", "head"], "parameters": [500, 10], "multiply_adds": [9000, 80]}
    reference = {
        "experiment": "segmentation_decoder_heads", "variant": ["linear", "transformer"], "metric": "mIoU in percent",
        "value": [45.46, 63.13], "source": "a report",
    }  # fmt: skip
    run = tables["run"].assign(experiment="segmentation_decoder_heads", variant="linear")
    added = {"hidden_score": hidden, "token_attention": attention, "model_cost": cost, "reference_result": reference}
    return {**tables, "run": run, **{table: pandas.DataFrame(rows) for table, rows in added.items()}}


HIDDEN_PARTS = "hidden_score: as_hidden and as_occluder must be parts of hidden, and control_as_hidden of control"
HIDDEN_WITHIN = "hidden_score: a hiding class's pixels, with those that hide nothing, must be within its true ones"
ANOTHER = "hidden_score: a class is hidden by another one, in at least one pixel"
WEIGHTS = "token_attention: weights must be height times width, none below 0, and add up to 1"
COST = "model_cost: must have encoder and head, with parameters and multiply-adds above 0, the head's as many as the run's"
VALUE = "reference_result: value must be a finite number, of a percentage 0 to 100"
# Each tampering with the trial above, and the check that must refuse it.
TAMPERED_HEADS: list[tuple[Tamper, str]] = [
    (repeat_row("hidden_score"), "hidden_score: rows differ though their run_id, image_id, class_id, occluder_class_id are"),
    (repeat_row("token_attention"), "token_attention: rows differ though their run_id, image_id, class_id are the same"),
    (repeat_row("model_cost"), "model_cost: rows differ though their run_id, part are the same"),
    (repeat_row("reference_result", value=1.0), "reference_result: rows differ though their experiment, variant, metric are"),
    (set_value("hidden_score", "image_id", "x"), "hidden_score: image_id is not in the table image"),
    (set_value("token_attention", "image_id", "x"), "token_attention: image_id is not in the table image"),
    (set_value("hidden_score", "class_id", 2), "hidden_score: class_id is no scored class of the image's data set"),
    (set_value("hidden_score", "class_id", 9), "hidden_score: class_id is no scored class of the image's data set"),
    (set_value("hidden_score", "occluder_class_id", 2), "hidden_score: occluder_class_id is no scored class of the image's"),
    (set_value("token_attention", "class_id", 2), "token_attention: class_id is no scored class of the image's data set"),
    (set_value("hidden_score", "class_id", 1), ANOTHER),
    (all_of(*(set_value("hidden_score", column, 0) for column in ("hidden", "as_hidden", "as_occluder"))), ANOTHER),
    (set_value("hidden_score", "as_hidden", 2), HIDDEN_PARTS),
    (set_value("hidden_score", "as_hidden", -1), HIDDEN_PARTS),
    (set_value("hidden_score", "as_occluder", -1), HIDDEN_PARTS),
    (set_value("hidden_score", "control_as_hidden", 3), HIDDEN_PARTS),
    (set_value("hidden_score", "control_as_hidden", -1), HIDDEN_PARTS),
    (set_value("hidden_score", "hidden", 5), HIDDEN_WITHIN),
    (set_value("hidden_score", "control", 6, row=1), HIDDEN_WITHIN),
    (set_value("token_attention", "height", 3), WEIGHTS),
    (set_value("token_attention", "weights", [0.5, 0.5]), WEIGHTS),
    (set_value("token_attention", "weights", [0.5, 0.25, 0.25, 0.0, 0.0, 0.1]), WEIGHTS),
    (set_value("token_attention", "weights", [0.5, 0.25, 0.35, 0.0, 0.0, -0.1]), WEIGHTS),
    (set_value("token_attention", "weights", [0.5, 0.25, 0.25, 0.0, 0.0, float("nan")]), WEIGHTS),
    (all_of(set_value("token_attention", "weights", []), set_value("token_attention", "height", 0)), WEIGHTS),
    (drop_row("model_cost", 0), COST),
    (set_value("model_cost", "part", "decoder"), COST),
    (set_value("model_cost", "parameters", 0), COST),
    (set_value("model_cost", "parameters", 11, row=1), COST),
    (set_value("model_cost", "multiply_adds", 0, row=1), COST),
    (set_value("run", "parameters", None), COST),
    (set_value("reference_result", "value", 101.0), VALUE),
    (set_value("reference_result", "value", -1.0), VALUE),
    (set_value("reference_result", "value", float("inf")), VALUE),
]


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_HEADS)
def test_a_check_that_fails_leaves_the_file_as_it_was(
    tiny_results: FileAndImages, make_trial: MakeTrial, tamper: Tamper, complaint: str
) -> None:
    results, images = tiny_results
    check_refused(results, images, head_trial(make_trial("run-2", "trial-2")), tamper, complaint)


def test_the_rows_of_a_head_are_those_that_were_given(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    publish(results, images, head_trial(make_trial("run-2", "trial-2")))
    found = counts(results)
    assert [found[table] for table in ("hidden_score", "token_attention", "model_cost", "reference_result")] == [2, 2, 2, 2]
    assert query(results, "SELECT * EXCLUDE (run_id, image_id) FROM hidden_score ORDER BY image_id") == [
        (0, 1, 4, 1, 3, 2, 1),
        (1, 0, 3, 0, 3, 5, 0),
    ]
    [(weights,)] = query(results, "SELECT weights FROM token_attention WHERE class_id = 0")
    assert weights == [0.5, 0.25, 0.25, 0.0, 0.0, 0.0]


def test_reference_results_of_several_runs_are_kept_once(tiny_results: FileAndImages, make_trial: MakeTrial) -> None:
    results, images = tiny_results
    publish(results, images, head_trial(make_trial("run-2", "trial-2")))
    publish(results, images, head_trial(make_trial("run-3", "trial-3", seed=1)))
    found = counts(results)
    assert (found["reference_result"], found["model_cost"], found["hidden_score"]) == (2, 4, 4)


def test_rows_of_heads_go_with_their_run(tiny_results: FileAndImages, make_trial: MakeTrial, tmp_path: Path) -> None:
    results, images = tiny_results
    publish(results, images, head_trial(make_trial("run-2", "trial-2")))
    publish(results, images, make_trial("run-3", "trial-2"))
    found = counts(results)
    assert [found[table] for table in ("hidden_score", "token_attention", "model_cost", "reference_result")] == [0, 0, 0, 2]
