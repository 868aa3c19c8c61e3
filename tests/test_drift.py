"""How far probabilities move: worked out by hand, and against a slow definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.drift import drift, log_probabilities, relative_error


def logits_of(*rows: list[float]) -> np.ndarray:
    """Outputs whose softmax are these probabilities."""
    return np.log(np.array(rows, np.float64))


def test_probabilities_worked_out_by_hand() -> None:
    before = logits_of([0.5, 0.3, 0.2], [0.4, 0.35, 0.25], [0.7, 0.2, 0.1])
    after = logits_of([0.45, 0.35, 0.2], [0.3, 0.45, 0.25], [0.7, 0.2, 0.1])
    found = drift(before, after)
    assert found.largest_change == pytest.approx([0.05, 0.1, 0])
    assert found.changed_position.tolist()[1] in (0, 1)
    assert found.kl_divergence[0] == pytest.approx(0.5 * math.log(0.5 / 0.45) + 0.3 * math.log(0.3 / 0.35))
    assert found.kl_divergence[2] == pytest.approx(0, abs=1e-15)
    assert found.top1_flip.tolist() == [False, True, False]
    assert found.top5_changes.tolist() == [0, 2, 0]
    assert found.top5_left.tolist() == [0, 0, 0]
    assert found.margin == pytest.approx([0.2, 0.05, 0.5])


def test_what_leaves_the_first_five_is_counted_among_the_changes() -> None:
    before = logits_of([0.3, 0.25, 0.15, 0.12, 0.1, 0.08])
    after = logits_of([0.3, 0.25, 0.15, 0.12, 0.08, 0.1])
    found = drift(before, after)
    assert (found.top5_changes[0], found.top5_left[0], bool(found.top1_flip[0])) == (1, 1, False)


def test_of_equal_outputs_the_earlier_position_ranks_first() -> None:
    before = np.array([[2.0, 1.0, 0.0]])
    found = drift(before, np.array([[1.0, 1.0, 1.0]], np.float16))
    assert not found.top1_flip[0]
    assert found.top5_changes[0] == 0


def test_equal_outputs_do_not_drift_whatever_is_added_to_all() -> None:
    outputs = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    found = drift(outputs, outputs + 8)
    assert found.largest_change.max() < 1e-6
    assert not found.top5_changes.any()


@given(st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-3, 1.0]))
def test_agrees_with_a_slow_definition(classes: int, seed: int, noise: float) -> None:
    dice = np.random.default_rng(seed)
    before = dice.integers(-4, 5, size=(1, classes)).astype(np.float32)  # with ties
    after = (before + noise * dice.normal(size=before.shape)).astype(np.float16)
    found = drift(before, after)
    p, q = (
        [math.exp(value) / sum(math.exp(other) for other in row.tolist()) for value in row.tolist()]
        for row in (before[0].astype(float), after[0].astype(float))
    )
    first, second = (sorted(range(classes), key=lambda k, row=row: (-row[0][k], k)) for row in (before, after))
    five = min(5, classes)
    assert found.largest_change[0] == pytest.approx(max(abs(a - b) for a, b in zip(p, q, strict=True)), abs=1e-12)
    assert found.kl_divergence[0] == pytest.approx(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-12)
    assert found.top1_flip[0] == (first[0] != second[0])
    assert found.top5_changes[0] == sum(first[rank] != second[rank] for rank in range(five))
    assert found.top5_left[0] == len(set(first[:five]) - set(second[:five]))
    ordered = sorted(p, reverse=True)
    assert found.margin[0] == pytest.approx(ordered[0] - (ordered[1] if classes > 1 else 0), abs=1e-12)


def test_outputs_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        drift(np.zeros((2, 3)), np.zeros((2, 4)))


def test_log_probabilities_of_large_half_precision_outputs_stay_finite() -> None:
    found = log_probabilities(np.array([[60000.0, 100.0, 60000.0]], np.float16))
    assert np.exp(found)[0].tolist() == pytest.approx([0.5, 0, 0.5])


def test_relative_error_is_a_share_of_the_exact_length() -> None:
    exact = np.array([[[3.0], [4.0]], [[0.0], [0.0]], [[0.0], [0.0]]])
    coarse = np.array([[[3.0], [4.5]], [[0.0], [1.0]], [[0.0], [0.0]]])
    assert relative_error(exact, coarse).tolist() == pytest.approx([0.1, math.inf, 0])
