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


@pytest.mark.parametrize(
    "only_a, only_b, expected",
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 2 / 32), (1, 7, 2 * (1 + 8) / 256), (4, 4, 1.0), (2, 8, 2 * (1 + 10 + 45) / 1024)],
)
def test_the_exact_mcnemar_test_against_sums_by_hand(only_a, only_b, expected):
    assert intervals.mcnemar(only_a, only_b) == pytest.approx(expected)
    assert intervals.mcnemar(only_b, only_a) == intervals.mcnemar(only_a, only_b)


def test_the_exact_mcnemar_test_takes_any_count():
    assert intervals.mcnemar(25_000, 25_000) == 1.0
    assert intervals.mcnemar(20_000, 30_000) == pytest.approx(0.0)
    assert 0.04 < intervals.mcnemar(24_770, 25_230) < 0.05  # 460 / sqrt(50,000) is 2.06 standard deviations


def test_a_ratio_of_means_and_its_interval():
    slow, quick = np.array([4.0, 6.0, 8.0]), np.array([2.0, 3.0, 4.0])
    paired = intervals.ratio_of_means(slow, quick, paired=True)
    assert (paired.value, paired.excludes_zero) == (2.0, False)  # each is exactly twice as slow: nothing is uncertain
    apart = intervals.ratio_of_means(slow, quick, paired=False)
    assert apart.value == 2.0
    assert 1 <= apart.low < 2 < apart.high <= 4
    weights = intervals.image_weights(3)
    drawn = (weights[1:] @ slow) / (weights[:0:-1] @ quick)
    assert (apart.low, apart.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_what_moves_together_has_a_narrow_ratio_only_where_it_is_drawn_together():
    waits = np.random.default_rng(1).exponential(1.0, 100)
    first, second = 1 + waits, 2 + 2 * waits + np.random.default_rng(2).normal(0, 0.01, 100)
    paired, apart = (intervals.ratio_of_means(first, second, each) for each in (True, False))
    assert paired.low < 0.5 < paired.high
    assert apart.high - apart.low > 10 * (paired.high - paired.low)


@pytest.mark.parametrize("first, second", [([], [1.0]), ([1.0], []), ([0.0], [1.0]), ([1.0], [0.0])])
def test_without_times_there_is_no_ratio(first, second):
    assert np.isnan(intervals.ratio_of_means(np.array(first), np.array(second), False).value)
