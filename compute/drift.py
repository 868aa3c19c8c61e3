"""How far a classifier's probabilities move when its arithmetic gets coarser: pure functions on outputs.

A probability is the softmax of an output row, computed in double precision, so that all drift is the outputs' own.
"""

from dataclasses import dataclass

import numpy as np

TOP = 5


@dataclass(frozen=True, eq=False)
class Drift:
    """What changed for each of N pictures.

    largest_change (N,) float64, 0 to 1: of any class's probability; changed_position (N,) int64: of which; kl_divergence (N,)
    float64, nats; top1_flip (N,) bool; top5_changes, top5_left (N,) int64: of the first five, how many have another rank, and
    how many are no longer among the five; margin (N,) float64: first minus second probability before the change.
    """

    largest_change: np.ndarray
    changed_position: np.ndarray
    kl_divergence: np.ndarray
    top1_flip: np.ndarray
    top5_changes: np.ndarray
    top5_left: np.ndarray
    margin: np.ndarray


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """Log-softmax of each row: (N, K) of any floating type -> (N, K) float64."""
    values = logits.astype(np.float64)
    values = values - values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def drift(exact: np.ndarray, coarse: np.ndarray) -> Drift:
    """What changes from outputs `exact` to outputs `coarse` of the same pictures: two (N, K).

    kl_divergence is that of the coarse distribution from the exact one, sum p log(p / q). Of equal outputs the one in the
    earlier position ranks first. Raises ValueError where the shapes differ.
    """
    if exact.shape != coarse.shape or exact.ndim != 2:
        raise ValueError(f"outputs must have one shape (N, K), given were {exact.shape} and {coarse.shape}")
    before, after = log_probabilities(exact), log_probabilities(coarse)
    p, q = np.exp(before), np.exp(after)
    change = np.abs(q - p)
    order = np.argsort(-exact.astype(np.float64), axis=1, kind="stable")
    rank_after = np.argsort(np.argsort(-coarse.astype(np.float64), axis=1, kind="stable"), axis=1)
    top = min(TOP, exact.shape[1])
    ranks = np.take_along_axis(rank_after, order[:, :top], axis=1)  # what became of the first five
    largest = np.sort(p, axis=1)[:, ::-1]
    return Drift(
        largest_change=change.max(axis=1),
        changed_position=change.argmax(axis=1),
        kl_divergence=np.maximum((p * (before - after)).sum(axis=1), 0),  # rounding can leave it a trifle below zero
        top1_flip=ranks[:, 0] != 0,
        top5_changes=(ranks != np.arange(top)).sum(axis=1),
        top5_left=(ranks >= top).sum(axis=1),
        margin=largest[:, 0] - (largest[:, 1] if exact.shape[1] > 1 else 0),
    )


def relative_error(exact: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Euclidean length of the difference as a share of the exact values' length, for each of N rows: (N,) float64.

    Of exact values that are all zero the error is 0 where the others are, too, and infinite otherwise.
    """
    exact, coarse = (values.reshape(len(values), -1).astype(np.float64) for values in (exact, coarse))
    length = np.linalg.norm(exact, axis=1)
    distance = np.linalg.norm(coarse - exact, axis=1)
    return np.divide(distance, length, out=np.where(distance > 0, np.inf, 0.0), where=length > 0)
