"""Bootstrap intervals and the scores they are taken of."""

import numpy as np
import pytest
import torch

from compute import metrics
from dashboard import intervals

# Two images of two classes: intersection, predicted, truth.
COUNTS = np.array([[[[9, 12, 10], [3, 4, 6]], [[8, 10, 8], [4, 4, 6]]]], dtype=np.float64)


def random_counts(seeds: int = 2, images: int = 30, classes: int = 5) -> np.ndarray:
    random = np.random.default_rng(3)
    intersection = random.integers(0, 50, (seeds, images, classes))
    counts = np.stack([intersection, intersection + random.integers(0, 50, intersection.shape), intersection + 7], axis=-1)
    counts[:, :, 4] = 0  # a class that is in no image
    counts[:, :10, 3] = 0  # and one that is in some
    return counts.astype(np.float64)


def test_pooled_and_per_image_means_are_the_hand_worked_ones():
    weights = intervals.image_weights(2)
    assert intervals.pooled_mean_iou(weights, COUNTS)[0] == pytest.approx((17 / 23 + 7 / 13) / 2)
    assert intervals.per_image_mean_iou(weights, COUNTS)[0] == pytest.approx(((9 / 13 + 3 / 7) / 2 + (8 / 10 + 4 / 6) / 2) / 2)


def test_the_dashboard_scores_as_compute_does():
    counts = random_counts()
    weights = intervals.image_weights(counts.shape[1])
    pooled = [metrics.pooled_mean_iou(*torch.from_numpy(seed).unbind(-1)) for seed in counts]
    per_image = [metrics.mean_iou_per_image(*torch.from_numpy(seed).unbind(-1)) for seed in counts]
    assert intervals.pooled_mean_iou(weights, counts)[0] == pytest.approx(np.mean(pooled))
    assert intervals.per_image_mean_iou(weights, counts)[0] == pytest.approx(np.mean(per_image))


def test_a_draw_scores_as_if_its_images_had_been_repeated():
    counts = random_counts(seeds=1)
    weights = intervals.image_weights(counts.shape[1])
    repeats = np.rint(weights[1] * counts.shape[1]).astype(int)
    assert repeats.sum() == counts.shape[1]
    repeated = np.repeat(counts, repeats, axis=1)
    for score in (intervals.pooled_mean_iou, intervals.per_image_mean_iou):
        expected = score(intervals.image_weights(repeated.shape[1]), repeated)[0]
        assert score(weights, counts)[1] == pytest.approx(expected)


def test_a_clear_difference_excludes_zero_and_none_does_not():
    counts = random_counts()
    weights = intervals.image_weights(counts.shape[1])
    worse = counts.copy()
    worse[..., 0] *= 0.5
    draws = [intervals.pooled_mean_iou(weights, each) for each in (counts, worse)]
    assert intervals.summarise(draws[0] - draws[1]).excludes_zero
    shuffled = counts[:, ::-1]
    level = intervals.pooled_mean_iou(weights, counts) - intervals.pooled_mean_iou(weights, shuffled)
    estimate = intervals.summarise(level)
    assert estimate.value == pytest.approx(0, abs=1e-12)
    assert estimate.low < 0 < estimate.high
    assert not estimate.excludes_zero


def test_the_interval_is_the_percentile_one():
    draws = np.concatenate([[0.5], np.arange(1001) / 1000])
    estimate = intervals.summarise(draws)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.5, 0.025, 0.975))


def test_one_image_has_no_interval():
    one = COUNTS[:, :1]
    estimate = intervals.summarise(intervals.pooled_mean_iou(intervals.image_weights(1), one))
    assert np.isnan(estimate.low)
    assert not estimate.excludes_zero
    assert intervals.as_text(estimate) == f"{(9 / 13 + 3 / 7) / 2:.3f}"
