"""Pixel counts and scores against numbers worked out by hand, slow definitions, and another library."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import ConfusionMatrix, JaccardIndex

from compute.metrics import (
    BOUNDARY_BANDS,
    boundary_bands,
    boundary_counts,
    class_counts,
    confusion_matrices,
    foreground_counts,
    intersection_over_union,
    mean_iou_per_image,
    pooled_mean_iou,
)

IGNORED = 255
TRUTH = [[0, 0, 1], [0, 1, 1], [2, 2, IGNORED]]
PREDICTED = [[0, 1, 1], [0, 1, 2], [2, 0, 1]]


def maps(*pictures: list[list[int]]) -> Tensor:
    return torch.tensor(pictures, dtype=torch.uint8)


def random_maps(seed: int, class_count: int, ignored_share: float, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, class_count, shape).astype(np.uint8)
    truth[dice.random(shape) < ignored_share] = dice.choice([class_count, 255])
    return torch.from_numpy(truth), torch.from_numpy(dice.integers(0, class_count, shape).astype(np.uint8))


def slow_matrices(truth: Tensor, predicted: Tensor, class_count: int) -> list[list[list[int]]]:
    matrices = np.zeros((len(truth), class_count, class_count), dtype=int)
    for index, picture in enumerate(truth.tolist()):
        for row, values in enumerate(picture):
            for column, true_class in enumerate(values):
                if true_class < class_count:
                    matrices[index, true_class, int(predicted[index, row, column])] += 1
    return matrices.tolist()


def slow_bands(truth: list[list[int]], class_count: int) -> dict[tuple[int, int], int]:
    """Band of each scored pixel by its distance to every pixel of another class."""
    scored = [(y, x, value) for y, row in enumerate(truth) for x, value in enumerate(row) if value < class_count]
    bands = {}
    for y, x, value in scored:
        distances = [max(abs(y - v), abs(x - u)) for v, u, other in scored if other != value]
        nearest = min(distances, default=10**6)
        bands[y, x] = next(i for i, (_, largest) in enumerate(BOUNDARY_BANDS) if largest is None or nearest <= largest)
    return bands


def test_confusion_matrix_worked_out_by_hand() -> None:
    assert confusion_matrices(maps(TRUTH), maps(PREDICTED), 3).tolist() == [[[2, 1, 0], [0, 2, 1], [1, 0, 1]]]


def test_class_counts_are_the_diagonal_the_columns_and_the_rows() -> None:
    counts = class_counts(torch.tensor([[[2, 1, 0], [0, 2, 1], [4, 0, 1]]]))
    assert [each.tolist() for each in counts] == [[[2, 2, 1]], [[6, 3, 2]], [[3, 3, 5]]]


def test_foreground_counts_take_a_wrong_class_for_agreement() -> None:
    intersection, union = foreground_counts(confusion_matrices(maps(TRUTH), maps(PREDICTED), 3))
    # Truth and prediction are both non-zero at (0, 2), (1, 1), (1, 2) and (2, 0), though at (1, 2) they differ.
    assert (intersection.tolist(), union.tolist()) == ([4], [6])


def test_a_prediction_without_one_right_pixel_scores_1_in_the_foreground_metric() -> None:
    matrices = confusion_matrices(maps([[1, 2, 3, 1]] * 4), maps([[2, 3, 1, 3]] * 4), 4)
    intersection, union = foreground_counts(matrices)
    assert (intersection.tolist(), union.tolist()) == ([16], [16])
    assert pooled_mean_iou(*class_counts(matrices)) == 0.0


def test_counting_the_zero_class_everywhere_gives_an_empty_foreground_intersection() -> None:
    intersection, union = foreground_counts(confusion_matrices(maps([[0, 1], [1, 0]]), maps([[0, 0], [0, 0]]), 2))
    assert (intersection.tolist(), union.tolist()) == ([0], [2])


@pytest.mark.parametrize("label", [3, 4, 127, 254, 255])
def test_a_true_label_beyond_the_classes_is_left_out_of_every_count(label: int) -> None:
    truth = maps([[0, 1, label, label], [2, 2, label, label]])
    predicted = maps([[0, 1, 0, 1], [2, 1, 2, 2]])
    matrices = confusion_matrices(truth, predicted, 3)
    assert matrices.tolist() == [[[1, 0, 0], [0, 1, 0], [0, 1, 1]]]
    assert [int(counts.sum()) for counts in foreground_counts(matrices)] == [3, 3]
    correct, total = boundary_counts(boundary_bands(truth, 3), truth, predicted, 3)
    assert (correct.sum(), total.sum()) == (3, 4)


@pytest.mark.parametrize("class_count", [2, 127, 128, 200, 250])
def test_counts_stay_exact_where_the_cell_number_outgrows_16_bits(class_count: int) -> None:
    last = class_count - 1
    matrices = confusion_matrices(maps([[last, last, 0, 255]]), maps([[last, 0, last, last]]), class_count)
    assert matrices.sum() == 3
    assert (matrices[0, last, last], matrices[0, last, 0], matrices[0, 0, last]) == (1, 1, 1)


def test_mean_per_image_and_pooled_mean_differ_as_worked_out_by_hand() -> None:
    intersection = torch.tensor([[16, 0], [8, 4], [12, 0]])
    predicted = torch.tensor([[16, 0], [12, 4], [12, 4]])
    truth = torch.tensor([[16, 0], [8, 8], [16, 0]])
    # Images: 1 (its second class is nowhere), (8/12 + 4/8) / 2 and (12/16 + 0/4) / 2.
    assert mean_iou_per_image(intersection, predicted, truth) == pytest.approx(47 / 72)
    # Pooled: 36 of 40 + 40 - 36, and 4 of 8 + 8 - 4.
    assert pooled_mean_iou(intersection, predicted, truth) == pytest.approx(19 / 33)


def test_a_class_in_neither_map_does_not_count() -> None:
    counts = class_counts(confusion_matrices(maps(TRUTH), maps(PREDICTED), 5))
    iou = intersection_over_union(*counts)[0]
    assert iou[:3].tolist() == pytest.approx([2 / 4, 2 / 4, 1 / 3])
    assert iou[3:].isnan().all()
    assert mean_iou_per_image(*counts) == pooled_mean_iou(*counts) == pytest.approx(4 / 9)


def test_an_image_without_a_scored_pixel_does_not_count() -> None:
    truth, predicted = maps(TRUTH, [[IGNORED] * 3] * 3), maps(PREDICTED, [[1] * 3] * 3)
    assert mean_iou_per_image(*class_counts(confusion_matrices(truth, predicted, 3))) == pytest.approx(4 / 9)


def test_a_predicted_class_that_is_nowhere_true_counts_as_zero() -> None:
    counts = class_counts(confusion_matrices(maps([[0, 0, 0, 0]]), maps([[0, 0, 0, 1]]), 2))
    assert pooled_mean_iou(*counts) == pytest.approx((3 / 4 + 0) / 2)


def test_bands_of_one_straight_boundary_follow_its_distance() -> None:
    truth = maps([[0] * 13 + [1] * 13] * 2)
    # Pixels beside the boundary are at distance 1; the thirteenth from it is at distance 13.
    half = [0] * 2 + [1] * 3 + [2] * 5 + [3] * 3
    assert boundary_bands(truth, 2).tolist() == [[half[::-1] + half] * 2]


def test_distance_is_the_larger_of_rows_and_columns() -> None:
    picture = np.zeros((15, 15), dtype=np.uint8)
    picture[7, 7] = 1
    bands = boundary_bands(torch.from_numpy(picture)[None], 2)[0]
    assert [int(bands[7 + step, 7 + step]) for step in (1, 2, 3, 5, 6, 7)] == [0, 0, 1, 1, 2, 2]
    assert int(bands[7, 7]) == 0


def test_an_ignored_pixel_makes_no_boundary_but_does_not_hide_one() -> None:
    truth = maps([[0, 0, 0, 3, 0, 0, 0, 3, 3, 3, 1, 1]])
    bands = boundary_bands(truth, 3)[0, 0].tolist()
    assert [bands[column] for column in (0, 2, 4, 6, 10, 11)] == [2, 2, 2, 1, 1, 1]


@pytest.mark.parametrize("seed", range(6))
def test_bands_equal_the_slow_distance_on_random_patches(seed: int) -> None:
    dice = np.random.default_rng(seed)
    patches = np.kron(dice.integers(0, 2 + seed % 3, (3, 2)), np.ones((9, 14))).astype(np.uint8)
    patches[dice.random(patches.shape) < 0.1 * (seed % 4)] = 255
    patches[: 3 * (seed % 2)] = 7
    expected = slow_bands(patches.tolist(), 4)
    bands = boundary_bands(torch.from_numpy(patches)[None], 4)[0]
    assert {place: int(bands[place]) for place in expected} == expected


def test_a_picture_of_one_class_lies_in_the_last_band() -> None:
    assert boundary_bands(maps([[2] * 30] * 30), 3).unique().tolist() == [len(BOUNDARY_BANDS) - 1]


def test_boundary_counts_worked_out_by_hand() -> None:
    truth = maps([[0, 0, 0, 0, 1, 1, 255, 1]])
    predicted = maps([[0, 1, 0, 0, 1, 0, 1, 1]])
    correct, total = boundary_counts(boundary_bands(truth, 2), truth, predicted, 2)
    assert total.tolist() == [[4, 3, 0, 0]]  # columns 2, 3, 4, 5; then 0, 1 and 7, which is 4 from column 3
    assert correct.tolist() == [[3, 2, 0, 0]]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    class_count=st.sampled_from([2, 3, 7, 19, 130]),
    ignored_share=st.sampled_from([0.0, 0.3, 1.0]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
)
def test_fast_counts_equal_slow_ones_and_add_up_to_the_pixels(
    seed: int, class_count: int, ignored_share: float, shape: tuple[int, int, int]
) -> None:
    truth, predicted = random_maps(seed, class_count, ignored_share, shape)
    matrices = confusion_matrices(truth, predicted, class_count)
    assert matrices.tolist() == slow_matrices(truth, predicted, class_count)
    scored = (truth < class_count).flatten(1)
    intersection, predicted_pixels, true_pixels = class_counts(matrices)
    assert predicted_pixels.sum(dim=1).tolist() == true_pixels.sum(dim=1).tolist() == scored.sum(dim=1).tolist()
    both, either = foreground_counts(matrices)
    a, b = truth.flatten(1).numpy(), predicted.flatten(1).numpy()
    assert both.tolist() == (np.logical_and(a, b) & scored.numpy()).sum(axis=1).tolist()
    assert either.tolist() == (np.logical_or(a, b) & scored.numpy()).sum(axis=1).tolist()
    correct, total = boundary_counts(boundary_bands(truth, class_count), truth, predicted, class_count)
    assert total.sum(dim=1).tolist() == scored.sum(dim=1).tolist()
    assert correct.sum(dim=1).tolist() == intersection.sum(dim=1).tolist()
    assert bool((correct <= total).all())


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6), size=st.tuples(st.integers(1, 16), st.integers(1, 16)), share=st.sampled_from([0.0, 0.2, 0.8])
)
def test_bands_equal_the_slow_distance_on_any_map(seed: int, size: tuple[int, int], share: float) -> None:
    dice = np.random.default_rng(seed)
    truth = (dice.random(size) < 0.02).astype(np.uint8)
    truth[dice.random(size) < share] = 2
    expected = slow_bands(truth.tolist(), 2)
    bands = boundary_bands(torch.from_numpy(truth)[None], 2)[0]
    assert {place: int(bands[place]) for place in expected} == expected


@pytest.mark.parametrize("ignored_share", [0.0, 0.2])
def test_torchmetrics_counts_and_pools_the_same(ignored_share: float) -> None:
    truth, predicted = random_maps(5, 6, 0.0, (4, 24, 24))
    truth[torch.rand(truth.shape, generator=torch.Generator().manual_seed(0)) < ignored_share] = IGNORED
    matrices = confusion_matrices(truth, predicted, 6)
    options = {"task": "multiclass", "num_classes": 6, "ignore_index": IGNORED}
    assert torch.equal(matrices.sum(dim=0), ConfusionMatrix(**options)(predicted.long(), truth.long()))
    expected = float(JaccardIndex(average="macro", **options)(predicted.long(), truth.long()))
    assert pooled_mean_iou(*class_counts(matrices)) == pytest.approx(expected, abs=1e-6)


def test_maps_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape .* truth \(1, 3, 3\) torch.uint8, prediction \(1, 2, 3\)"):
        confusion_matrices(maps(TRUTH), maps(PREDICTED[:2]), 3)


@pytest.mark.parametrize("kind", [torch.int64, torch.float32, torch.int8])
def test_maps_of_another_type_are_refused(kind: torch.dtype) -> None:
    with pytest.raises(ValueError, match="type uint8"):
        confusion_matrices(maps(TRUTH), maps(PREDICTED).to(kind), 3)
    with pytest.raises(ValueError, match="type uint8"):
        confusion_matrices(maps(TRUTH).to(kind), maps(PREDICTED), 3)


def test_a_prediction_beyond_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="prediction is class 2, but there are only 2 classes"):
        confusion_matrices(maps(TRUTH), maps(PREDICTED), 2)


def test_a_single_map_without_its_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        confusion_matrices(maps(TRUTH)[0], maps(PREDICTED)[0], 3)


@pytest.mark.parametrize("class_count", [2, 19, 120, 180, 181, 250])
def test_counts_are_right_whatever_number_type_holds_them(class_count: int) -> None:
    dice = np.random.default_rng(class_count)
    truth = dice.integers(0, 256, (5, 9, 11), dtype=np.uint8)
    predicted = dice.integers(0, class_count, (5, 9, 11), dtype=np.uint8)
    expected = np.zeros((5, class_count, class_count), dtype=np.int64)
    for image, row, column in np.ndindex(truth.shape):
        if truth[image, row, column] < class_count:
            expected[image, truth[image, row, column], predicted[image, row, column]] += 1
    counted = confusion_matrices(torch.from_numpy(truth), torch.from_numpy(predicted), class_count)
    np.testing.assert_array_equal(counted.numpy(), expected)
