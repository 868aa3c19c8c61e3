"""Scores from raw counts with bootstrap intervals over images: arrays in, numbers out.

Counts are (seeds, images, classes, 3) with intersection, predicted and truth in pixels along the last axis. Images are drawn
with replacement, the same ones for all that is compared; seeds are averaged, not drawn, so that an interval tells how far the
figure hangs on the choice of images. Percentile intervals at 95 %.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
COVERAGE = 0.95
NORMAL_95 = 1.959964  # standard deviations of a normal distribution on either side of its middle 95 %


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; `low` and `high` are NaN where there are fewer than two images."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return bool(self.low > 0 or self.high < 0)


@functools.lru_cache(maxsize=8)
def image_weights(image_count: int) -> np.ndarray:
    """How often each image is drawn, as shares: (1 + RESAMPLES, images) float64; the first row is the data as it is."""
    draws = np.random.default_rng(0).multinomial(image_count, np.full(image_count, 1 / image_count), size=RESAMPLES)
    return np.vstack([np.ones((1, image_count)), draws]) / image_count


def pooled_class_iou(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """IoU of each class from counts pooled over the drawn images, averaged over seeds: (draws, images) -> (draws, classes).

    NaN where a class is in neither the truth nor any prediction.
    """
    seeds, images, classes, _ = counts.shape
    pooled = weights @ counts.transpose(1, 0, 2, 3).reshape(images, -1)
    intersection, predicted, truth = np.moveaxis(pooled.reshape(len(weights), seeds, classes, 3), -1, 0)
    with np.errstate(invalid="ignore"):
        return _mean(intersection / (predicted + truth - intersection), axis=1)


def pooled_mean_iou(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean over the classes of `pooled_class_iou`: (draws, images) -> (draws,)."""
    return _mean(pooled_class_iou(weights, counts), axis=1)


def per_image_mean_iou(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean over each image's classes, then over the drawn images: (draws, images) -> (draws,)."""
    return weights @ image_iou(counts)


def image_iou(counts: np.ndarray) -> np.ndarray:
    """Mean IoU of each image over the classes in its truth or prediction, averaged over seeds: (images,)."""
    intersection, predicted, truth = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore"):
        return _mean(_mean(intersection / (predicted + truth - intersection), axis=2), axis=0)


def summarise(draws: np.ndarray) -> Estimate:
    """The first value of (draws,) with the percentile interval of the rest."""
    if len(draws) < 2 or np.isnan(draws[1:]).all() or np.ptp(draws[~np.isnan(draws)]) == 0:
        return Estimate(float(draws[0]), float("nan"), float("nan"))
    tail = (1 - COVERAGE) / 2
    low, high = np.nanquantile(draws[1:], [tail, 1 - tail])
    return Estimate(float(draws[0]), float(low), float(high))


def as_text(estimate: Estimate, signed: bool = False) -> str:
    """A figure with its interval: 0.201 [0.180, 0.223]."""
    form = "{:+.3f}" if signed else "{:.3f}"
    interval = interval_text(estimate, signed)
    return f"{form.format(estimate.value)} {interval}".strip()


def interval_text(estimate: Estimate, signed: bool = False) -> str:
    """The interval alone: [0.180, 0.223]; empty where there is none."""
    form = "{:+.3f}" if signed else "{:.3f}"
    return "" if np.isnan(estimate.low) else f"[{form}, {form}]".format(estimate.low, estimate.high)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is not NaN; NaN, without a warning, where nothing is left."""
    present = ~np.isnan(values)
    count = present.sum(axis=axis)
    return np.divide(np.where(present, values, 0).sum(axis=axis), count, out=np.full(count.shape, np.nan), where=count > 0)


def proportion(right: int, total: int) -> Estimate:
    """Share of `total` with Wilson's 95 % score interval; NaN where there is nothing to count."""
    if total == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    share, spread = right / total, NORMAL_95**2 / total
    middle = (share + spread / 2) / (1 + spread)
    reach = NORMAL_95 * np.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return Estimate(share, float(middle - reach), float(middle + reach))


def paired_difference(only_a: int, only_b: int, total: int) -> Estimate:
    """By how much A's share of right answers exceeds B's on the same `total` images, of which one alone got `only_`.

    Wald's 95 % interval for paired proportions with half a picture added to both counts (Agresti & Min 2005), which keeps it
    from vanishing where the two never differ.
    """
    if total == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    a, b, count = only_a + 0.5, only_b + 0.5, total + 2
    middle = (a - b) / count
    reach = NORMAL_95 * np.sqrt(a + b - (a - b) ** 2 / count) / count
    return Estimate((only_a - only_b) / total, float(middle - reach), float(middle + reach))


def ratio_of_means(numerators: np.ndarray, denominators: np.ndarray, paired: bool) -> Estimate:
    """Mean of (n,) over mean of (m,) with the bootstrap interval; where `paired`, both are drawn together, and n is m.

    NaN where either is empty or its mean is no positive number.
    """
    if not (len(numerators) and len(denominators) and numerators.mean() > 0 and denominators.mean() > 0):
        return Estimate(math.nan, math.nan, math.nan)
    above, below = image_weights(len(numerators)) @ numerators, image_weights(len(denominators)) @ denominators
    if not paired:
        below[1:] = below[:0:-1]  # other draws than those above
    return summarise(above / below)


def mcnemar(only_a: int, only_b: int) -> float:
    """Probability that of the images that one alone gets right a split at least so uneven falls out by chance.

    McNemar's test in its exact form: two-sided binomial with probability one half (1 where there is no such image).
    """
    total = only_a + only_b
    ways, tail = 1, 0
    for fewer in range(min(only_a, only_b) + 1):
        tail += ways
        ways = ways * (total - fewer) // (fewer + 1)
    return min(1.0, 2 * tail / 2**total)
