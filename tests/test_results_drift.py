"""Two runs on four pictures in two precisions, worked out by hand: what publish makes of them."""

from pathlib import Path

import pandas
import pytest
from result_files import Tables, Tamper, check_refused, drop_row, query, repeat_row, set_value
from test_results_classes import DATASET, PHOTOS, class_trial

from compute.results import publish

WEIGHTS = "a" * 64


def precision_trial(images: Path, run_id: str, variant: str) -> Tables:
    """The classifier's trial as the run of one precision."""
    tables = class_trial(images, run_id, f"trial of {variant}")
    run = tables["run"].assign(experiment="fp32_vs_fp16", variant=variant, weights_sha256=WEIGHTS)
    return {**tables, "run": run}


def lower_trial(images: Path, run_id: str = "lower", exact_run_id: str = "exact") -> Tables:
    """The run of fp16: the second picture's first answer is another one than in fp32, and a hen's place is taken."""
    tables = precision_trial(images, run_id, "fp16")
    ids = [f"{DATASET}/{photo}" for photo in PHOTOS]
    labels = tables["image"][["wnid", "style"]].to_dict("list")
    drift = {
        "run_id": exact_run_id, "other_run_id": run_id, "image_id": ids, "ordinal": [1, 2, 3, 4], **labels,
        "largest_change": [0.01, 0.02, 0.0, 0.005], "changed_class": [0, 2, 8, 8], "encoder_change": [0.008, 0.02, 0.0, 0.001],
        "kl_divergence": [1e-5, 2e-5, 0.0, 1e-6], "top1_flip": False, "top5_changes": [0, 2, 0, 0], "top5_left": 0,
        "margin": [0.3, 0.2, 0.1, 0.5], "label_change": [-0.01, 0.01, 0.0, None],
    }  # fmt: skip
    layers = [(image_id, ordinal, layer) for image_id in ids[:2] for ordinal, layer in enumerate(("stem", "logits"))]
    layer = pandas.DataFrame(layers, columns=["image_id", "ordinal", "layer"]).assign(
        run_id=run_id, relative_error=0.001, own_error=0.0005, largest_value=4.5, below_normal=0.25
    )
    parameter = {
        "run_id": run_id, "ordinal": [0, 1], "part": ["image encoder", "text encoder"], "name": ["visual.conv1.weight", "ln"],
        "kind": ["Conv2d", "LayerNorm"], "data_type": ["float16", "float32"], "elements": [27, 3], "rounded": [20, 0],
    }  # fmt: skip
    return {
        **tables,
        "precision_drift": pandas.DataFrame(drift),
        "layer_drift": layer,
        "parameter_precision": pandas.DataFrame(parameter),
    }


SAME = "precision_drift: both runs must have the same weights, pictures, profile, seed and device"
OF_FP32 = "precision_drift: run_id must be the run of fp32, and another one than other_run_id"
EACH = "precision_drift: each image of prediction must have its row, and no other image"
IMAGES = "precision_drift: ordinal, wnid and style must be the image's"
RANGES = "precision_drift: changes and margin must be 0 to 1, the label's at most the largest, kl_divergence at least 0"
FLIP = "precision_drift: top1_flip must say whether the first answers of both runs differ"
LEFT = "precision_drift: top5_left must count those of fp32's top five that the other lacks, top5_changes at least as many"
ERRORS = "layer_drift: errors and largest_value must be finite and not negative, below_normal 0 to 1"
SAME_LAYERS = "layer_drift: each image must have the same layers, numbered from 0 without a gap"
PARTS = "parameter_precision: elements must be above 0, rounded 0 to elements, and part 'image encoder' or 'text encoder'"
KEYS = "precision_drift: rows differ though their run_id, other_run_id, image_id are the same"
# Each tampering with the lower precision's run, and the check that must refuse it.
TAMPERED_DRIFT: list[tuple[Tamper, str]] = [
    (repeat_row("precision_drift"), KEYS),
    (repeat_row("layer_drift"), "layer_drift: rows differ though their run_id, image_id, layer are the same"),
    (repeat_row("parameter_precision"), "parameter_precision: rows differ though their run_id, ordinal are the same"),
    (set_value("precision_drift", "image_id", "x"), "precision_drift: image_id is not in the table image"),
    (set_value("layer_drift", "image_id", "x"), "layer_drift: image_id is not in the table image"),
    (set_value("run", "weights_sha256", "b" * 64), SAME),
    (set_value("run", "weights_sha256", None), SAME),
    (set_value("run", "profile", "gpu"), SAME),
    (set_value("run", "seed", 1), SAME),
    (set_value("run", "device", "another GPU"), SAME),
    (set_value("run", "data_fingerprint", "d" * 64), SAME),
    (set_value("precision_drift", "run_id", "nobody", row=None), SAME),
    (set_value("precision_drift", "run_id", "lower", row=None), OF_FP32),
    (drop_row("precision_drift", 2), EACH),
    (set_value("precision_drift", "ordinal", 2), IMAGES),
    (set_value("precision_drift", "style", None), IMAGES),
    (set_value("precision_drift", "largest_change", 1.5), RANGES),
    (set_value("precision_drift", "encoder_change", -0.1), RANGES),
    (set_value("precision_drift", "margin", 1.5), RANGES),
    (set_value("precision_drift", "label_change", 0.02), RANGES),
    (set_value("precision_drift", "kl_divergence", -1e-3), RANGES),
    (set_value("precision_drift", "kl_divergence", float("inf")), RANGES),
    (set_value("precision_drift", "top1_flip", True), FLIP),
    (set_value("precision_drift", "top5_left", 1), LEFT),
    (set_value("precision_drift", "top5_changes", 6), LEFT),
    (
        set_value("precision_drift", "changed_class", 9),
        "precision_drift: changed_class must be one of the classifier's classes",
    ),
    (set_value("layer_drift", "relative_error", float("inf")), ERRORS),
    (set_value("layer_drift", "own_error", -0.5), ERRORS),
    (set_value("layer_drift", "largest_value", float("inf")), ERRORS),
    (set_value("layer_drift", "below_normal", 1.5), ERRORS),
    (set_value("layer_drift", "ordinal", 2, row=1), SAME_LAYERS),
    (set_value("layer_drift", "layer", "features", row=3), SAME_LAYERS),
    (set_value("parameter_precision", "elements", 0), PARTS),
    (set_value("parameter_precision", "part", "head"), PARTS),
    (set_value("parameter_precision", "rounded", 28), PARTS),
]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Tables]:
    """A results file with the run of fp32, its pictures, and the run of fp16, whose tables tamperings replace by copies."""
    folder = tmp_path_factory.mktemp("drift")
    publish(folder / "results.duckdb", folder / "images", precision_trial(folder / "images", "exact", "fp32"))
    return folder / "results.duckdb", folder / "images", lower_trial(folder / "images")


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_DRIFT)
def test_a_check_that_fails_leaves_the_file_as_it_was(valid: tuple[Path, Path, Tables], tamper: Tamper, complaint: str) -> None:
    results, images, trial = valid
    check_refused(results, images, trial, tamper, complaint)


def test_a_replaced_run_of_fp32_takes_along_what_was_held_against_it(tmp_path: Path) -> None:
    results, images = tmp_path / "results.duckdb", tmp_path / "images"
    publish(results, images, precision_trial(images, "exact", "fp32"))
    publish(results, images, lower_trial(images))
    assert query(results, "SELECT count(*) FROM precision_drift") == [(4,)]
    publish(results, images, precision_trial(images, "exact-2", "fp32"))
    assert query(results, "SELECT run_id FROM run") == [("exact-2",)]
    for table in ("precision_drift", "layer_drift", "parameter_precision"):
        assert query(results, f"SELECT count(*) FROM {table}") == [(0,)], table
    publish(results, images, lower_trial(images, "lower-2", "exact-2"))
    assert query(results, "SELECT DISTINCT run_id, other_run_id FROM precision_drift") == [("exact-2", "lower-2")]
    publish(results, images, lower_trial(images, "lower-3", "exact-2"))
    assert query(results, "SELECT DISTINCT run_id, other_run_id FROM precision_drift") == [("exact-2", "lower-3")]
