"""Figures that SQL derives from the counts, against the definitions written out."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from compute import metrics
from compute.data.labelled_images import LabelledImages, Split
from compute.data.palette import SegmentationClass
from compute.data.street_pairs import PairsSource
from compute.results import publish
from compute.segmentation_rows import SegmentationRows
from dashboard import queries
from dashboard.components import gallery
from dashboard.connection import ResultsError, open_results

CLASS_COUNT, IMAGE_COUNT, SIZE_PX = 4, 13, 24


def random_pairs() -> tuple[PairsSource, LabelledImages]:
    random = np.random.default_rng(7)
    labels = random.integers(0, CLASS_COUNT + 1, (IMAGE_COUNT, SIZE_PX, SIZE_PX)).astype(np.uint8)  # the last one is ignored
    labels[labels == 3] = np.where(random.random((labels == 3).sum()) < 0.9, 2, 3)
    photos = random.integers(0, 256, (IMAGE_COUNT, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    classes = [
        SegmentationClass(index, f"class {index}", f"#0000{index:02x}", index == CLASS_COUNT)
        for index in range(CLASS_COUNT + 1)
    ]
    split = Split(tuple(str(number) for number in range(1, IMAGE_COUNT + 1)), photos, labels)
    source = PairsSource("random", Path(), "palette", ((), ()), "0123456789abcdef", "a test", "CC0")
    return source, LabelledImages(tuple(classes), split, split)


def predict(pairs: LabelledImages, seed: int, wrong_share: float) -> torch.Tensor:
    random = np.random.default_rng(seed)
    noise = random.integers(0, CLASS_COUNT, pairs.val.labels.shape)
    wrong = (random.random(noise.shape) < wrong_share) | (pairs.val.labels >= CLASS_COUNT)
    return torch.from_numpy(np.where(wrong, noise, pairs.val.labels).astype(np.uint8))


@pytest.fixture(scope="module")
def published(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("published")
    source, pairs = random_pairs()
    predictions = {}
    run_columns = {
        "profile": "mini", "dataset": source.dataset, "settings": json.dumps({}), "seconds": 1.0, "device": "CPU",
        "host": "here", "python": "3.11", "torch": "2", "threads": 2, "weights": "none", "data_fingerprint": source.fingerprint,
    }  # fmt: skip
    for seed in (0, 1):
        for variant, wrong_share in (("skip", 0.3), ("no_skip", 0.5)):
            run_id = f"{variant}-{seed}"
            rows = SegmentationRows(source, pairs, folder / "images", run_id)
            rows.add_epoch(0, predict(pairs, 50 + seed, 0.9))
            predictions[run_id] = predict(pairs, seed, wrong_share)
            rows.add_epoch(1, predictions[run_id])
            rows.add_boundaries(predictions[run_id])
            rows.add_masks(1, predictions[run_id])
            run = {
                "run_id": run_id,
                "trial_key": run_id,
                "experiment": "unet_skip_connections",
                "variant": variant,
                "seed": seed,
            }
            run["started_at"] = pandas.Timestamp("2026-01-01")
            publish(
                folder / "results.duckdb", folder / "images", {"run": pandas.DataFrame([run | run_columns]), **rows.tables()}
            )
    return open_results(folder / "results.duckdb", folder / "images"), pairs, predictions


def counts_of(pairs: LabelledImages, predicted: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return metrics.class_counts(metrics.confusion_matrices(torch.from_numpy(pairs.val.labels), predicted, CLASS_COUNT))


def test_all_three_metrics_equal_their_definitions(published):
    results, pairs, predictions = published
    found = queries.predictor_scores(results, "random-01234567", "mini").set_index("run_id")
    assert set(found.index) == set(predictions)
    for run_id, predicted in predictions.items():
        counts = counts_of(pairs, predicted)
        assert found.pooled[run_id] == pytest.approx(metrics.pooled_mean_iou(*counts))
        assert found.per_image[run_id] == pytest.approx(metrics.mean_iou_per_image(*counts))
        scores = []
        for label, prediction in zip(pairs.val.labels, predicted.numpy(), strict=True):
            scored = label < CLASS_COUNT
            label, prediction = label[scored], prediction[scored]
            scores.append(np.logical_and(label, prediction).sum() / np.logical_or(label, prediction).sum())
        assert found.notebook[run_id] == pytest.approx(np.mean(scores))


def test_the_score_by_zero_class_is_what_renumbering_gives(published):
    results, pairs, predictions = published
    found = queries.zero_class_scores(results, "skip-0").set_index("class_id").score
    for zero in range(CLASS_COUNT):
        scores = []
        for label, prediction in zip(pairs.val.labels, predictions["skip-0"].numpy(), strict=True):
            scored = label < CLASS_COUNT
            renumbered, predicted = (values[scored].astype(int) - zero for values in (label, prediction))
            scores.append(np.logical_and(renumbered, predicted).sum() / np.logical_or(renumbered, predicted).sum())
        assert found[zero] == pytest.approx(np.mean(scores))


def test_scores_after_each_epoch_are_pooled(published):
    results, pairs, predictions = published
    found = queries.epoch_scores(results, ["no_skip-1"])
    assert found.epoch.tolist() == [0, 1]
    assert found.mean_iou[1] == pytest.approx(metrics.pooled_mean_iou(*counts_of(pairs, predictions["no_skip-1"])))


def test_pictures_come_in_every_order_and_in_pages_without_gap_or_repeat(published):
    results, pairs, predictions = published
    with_skips, without = (
        np.nanmean(metrics.intersection_over_union(*counts_of(pairs, predictions[run_id])).numpy(), axis=1)
        for run_id in ("skip-0", "no_skip-0")
    )
    difference = with_skips - without
    expected = {
        "helped": np.argsort(-difference, kind="stable"),
        "hurt": np.argsort(difference, kind="stable"),
        "hardest": np.argsort(with_skips + without, kind="stable"),
        "number": np.arange(IMAGE_COUNT),
    }
    for order, indices in expected.items():
        pages = [queries.compared_pictures(results, "skip-0", "no_skip-0", order, False, 5, offset) for offset in (0, 5, 10)]
        found = pandas.concat(pages)
        assert found.ordinal.tolist() == (indices + 1).tolist()
        np.testing.assert_allclose(found.difference, difference[indices])
    first_ten = queries.compared_pictures(results, "skip-0", "no_skip-0", "helped", True, 100, 0)
    assert sorted(first_ten.ordinal) == list(range(1, 11))


def test_only_pairs_with_the_same_seed_and_settings_are_compared(published):
    results, _, _ = published
    [row] = queries.comparisons(results).itertuples()
    assert list(row.seeds) == [0, 1]
    assert list(row.skip_runs) == ["skip-0", "skip-1"]
    assert list(row.no_skip_runs) == ["no_skip-0", "no_skip-1"]


def test_distance_bands_come_from_near_to_far(published):
    results, _, _ = published
    found = queries.boundary_counts(results, ["skip-0"], first_only=True)
    assert found.band.tolist() == [name for name, _ in metrics.BOUNDARY_BANDS] * 10
    assert found.image_id.nunique() == 10


def test_losses_are_averaged_to_few_points(published, tmp_path, make_trial):
    tables = make_trial()
    step = np.arange(1000)
    steps = {"run_id": "run-1", "epoch": 0, "step": step, "loss": step.astype(float), "learning_rate": 0.1, "milliseconds": 1.0}
    publish(tmp_path / "results.duckdb", tmp_path / "images", {**tables, "training_step": pandas.DataFrame(steps)})
    results = open_results(tmp_path / "results.duckdb", tmp_path / "images")
    found = queries.training_losses(results, ["run-1"], points=10)
    assert found.step.tolist() == [49.5 + 100 * block for block in range(10)]
    assert found.loss.tolist() == found.step.tolist()


def test_a_new_state_of_the_file_is_seen_and_an_old_reader_keeps_its_own(tmp_path, make_trial, tiny_results):
    before = open_results(*tiny_results)
    assert open_results(*tiny_results) is before
    publish(*tiny_results, make_trial("run-2", "trial-2", seed=1))
    after = open_results(*tiny_results)
    assert after.identity != before.identity
    assert queries.runs(before).run_id.tolist() == ["run-1"]
    assert sorted(queries.runs(after).run_id) == ["run-1", "run-2"]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY run TO 'stolen.csv'",
        "ATTACH 'other.duckdb'",
        "DELETE FROM run",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ],
)
def test_no_statement_reaches_other_files_or_changes_anything(tiny_results, statement):
    results = open_results(*tiny_results)
    with pytest.raises(ResultsError):
        results.query(statement)


def test_pictures_outside_the_folder_are_not_found(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    (images / "inside.png").write_bytes(b"")
    (images / "link.png").symlink_to(tmp_path / "secret.png")
    assert gallery.find_picture(images, "inside.png") is not None
    for path in ("../secret.png", str(tmp_path / "secret.png"), "link.png", "none.png", "", None, "."):
        assert gallery.find_picture(images, path) is None


def test_the_four_way_map_says_who_is_right():
    truth = np.array([[0, 0, 1, 1, 9]], dtype=np.uint8)
    mask_a = np.array([[0, 0, 0, 0, 0]], dtype=np.uint8)
    mask_b = np.array([[0, 1, 1, 0, 0]], dtype=np.uint8)
    # both right, only A, only B, neither, not scored
    assert gallery.four_way(truth, mask_a, mask_b, class_count=2).tolist() == [[0, 1, 2, 3, 4]]


def test_results_are_equal_where_their_state_is(tiny_results):
    results = open_results(*tiny_results)
    assert dataclasses.replace(results, connections=[]) == results
