"""Recall@k and ranks from places that may be shared: arrays in, numbers out.

A query's answer has `above` others before it and shares its place with `tied` others, so that it is at any of the places
above + 1 to above + 1 + tied with equal probability. Its rank is the mean of these places, 1 + above + tied / 2.
"""

import bisect
from collections.abc import Sequence

import numpy as np

BIN_EDGES = (1, 5, 10, 20, 50, 100, 1000, 10_000)  # the last rank of each bin


def expected_hits(above: np.ndarray, tied: np.ndarray, cutoff: int) -> np.ndarray:
    """Probability of each answer to be among the first `cutoff`: two (queries,) -> (queries,) float64."""
    return np.clip(cutoff - above, 0, tied + 1) / (tied + 1)


def mean_places(above: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Rank of each answer, the mean of the places that it shares: two (queries,) -> (queries,) float64, from 1 on."""
    return 1 + above + tied / 2


def chance_recall(candidates: int, right: np.ndarray, cutoff: int) -> float:
    """Mean probability that any of a query's `right` answers (queries,) is among the first `cutoff` where the order is chance.

    One minus the probability that the first `cutoff` of all `candidates` are wrong ones, drawn without replacement.
    """
    counts, queries = np.unique(np.asarray(right, np.int64), return_counts=True)
    drawn = np.arange(min(cutoff, candidates))
    misses = [np.prod(np.maximum(candidates - count - drawn, 0) / (candidates - drawn)) for count in counts]
    return float(1 - np.average(misses, weights=queries)) if len(counts) and candidates else float("nan")


def chance_rank(candidates: int, right: np.ndarray) -> float:
    """Mean rank of the first right answer in an order by chance, other right ones of a query not counted as before it."""
    if not len(right) or not candidates:
        return float("nan")
    return float(np.mean((candidates + 1) / (np.asarray(right, np.float64) + 1)))


def chance_median(candidates: int, right: np.ndarray) -> float:
    """Median rank of the first right answer in an order by chance: where the recall by chance comes to one half."""
    if not len(right) or not candidates:
        return float("nan")
    reached = bisect.bisect_left(range(1, candidates + 1), 0.5 - 1e-9, key=lambda k: chance_recall(candidates, right, k)) + 1
    passed = bisect.bisect_right(range(1, candidates + 1), 0.5 + 1e-9, key=lambda k: chance_recall(candidates, right, k)) + 1
    return (reached + min(passed, candidates)) / 2


def rank_bins(last_rank: int) -> list[tuple[int, int]]:
    """First and last rank of each bin of BIN_EDGES up to `last_rank`."""
    lasts = [*(edge for edge in BIN_EDGES if edge < last_rank), max(last_rank, 1)]
    return list(zip([1, *(last + 1 for last in lasts[:-1])], lasts, strict=True))


def bin_counts(above: np.ndarray, tied: np.ndarray, bins: Sequence[tuple[int, int]]) -> list[float]:
    """Answers in each bin; one that shares places counts in each bin with the part of them that lies there."""
    return [float((expected_hits(above, tied, last) - expected_hits(above, tied, first - 1)).sum()) for first, last in bins]


def cutoffs_of(candidates: int, most: int = 60) -> list[int]:
    """Cutoffs for a curve of recall, from 1 to all candidates: each of them where they are few, else spread evenly by ratio."""
    if candidates <= most:
        return list(range(1, candidates + 1))
    return sorted({round(value) for value in np.geomspace(1, candidates, most)})


def sums_by_image(values: np.ndarray, image: np.ndarray, images: int) -> np.ndarray:
    """Values of queries (queries,) added up over each image's: (images,) float64."""
    return np.bincount(image, weights=values, minlength=images).astype(np.float64)


def drawn_means(weights: np.ndarray, sums: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Means over the queries of drawn images: weights (draws, images), sums (images, figures), counts of queries (images,).

    Gives (draws, figures), NaN where no query was drawn.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ sums) / (weights @ queries)[:, None]


def outcome_counts(ranks_a: np.ndarray, ranks_b: np.ndarray) -> tuple[int, int, int]:
    """How many ranks are better (smaller) in B than in A, the same, and worse."""
    return int((ranks_b < ranks_a).sum()), int((ranks_b == ranks_a).sum()), int((ranks_b > ranks_a).sum())
