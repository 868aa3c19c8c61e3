"""Ranks and first answers: worked by hand, against a naive way in whole numbers, and within bounds of memory."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from compute import ranks
from compute.ranks import FEATURE_STEP, Places, Summary, first_answers, pair_ranks, summary

# Similarities of three images, the rows, to five captions; the first two are of image 0, the next two of image 1.
MATRIX = torch.tensor([
    [0.5, 0.25, 0.5, 0.0, 0.125],
    [0.25, 0.25, 0.25, 0.375, 0.375],
    [0.125, 0.0, 0.5, 0.25, 0.5],
])  # fmt: skip
OWNER = torch.tensor([0, 0, 1, 1, 2])
SIDE = 20_000  # so many by so many similarities need 1,526 MiB in single precision
LARGEST_MIB = 512


def features_of(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Images and captions whose similarities are `matrix`: the images are at right angles to one another."""
    return torch.eye(len(matrix)), matrix.T.contiguous()


def places(above: list[int], tied: list[int]) -> Places:
    return Places(torch.tensor(above), torch.tensor(tied))


def listed(found: Places) -> tuple[list[int], list[int]]:
    return found.above.tolist(), found.tied.tolist()


def test_a_matrix_with_ties_and_several_captions_of_an_image() -> None:
    found = pair_ranks(*features_of(MATRIX), OWNER)
    # Caption 1 has only caption 2 above it, for caption 0 is of the same image; caption 2 ties with captions 0 and 1.
    assert listed(found.image_to_text) == ([0, 1, 1, 0, 0], [1, 0, 2, 1, 1])
    assert found.image_to_text.rank.tolist() == [1.5, 2, 3, 1.5, 1.5]
    assert listed(found.text_to_image) == ([0, 0, 2, 0, 0], [0, 1, 0, 0, 0])
    assert found.text_to_image.rank.tolist() == [1, 1.5, 3, 1, 1]
    assert listed(found.images) == ([0, 0, 0], [1, 1, 1])  # of captions 0, 3 and 4
    assert found.similarity.tolist() == [0.5, 0.25, 0.25, 0.375, 0.5]


def test_the_summary_of_that_matrix() -> None:
    found = pair_ranks(*features_of(MATRIX), OWNER)
    assert summary(found.images) == Summary(3, 1.5, 3, 3, median_rank=1.5, mean_rank=1.5)
    assert summary(found.text_to_image) == Summary(5, 3.5, 5, 5, median_rank=1, mean_rank=1.5)


def test_first_answers_of_that_matrix_and_equal_ones_in_their_order() -> None:
    images, captions = features_of(MATRIX)
    answers, similarities = first_answers(images, captions)
    assert answers.tolist() == [[0, 2, 1, 4, 3], [3, 4, 0, 1, 2], [2, 4, 3, 0, 1]]
    assert similarities[0].tolist() == [0.5, 0.5, 0.25, 0.125, 0]
    answers, similarities = first_answers(captions, images, count=2)
    assert answers.tolist() == [[0, 1], [0, 1], [0, 2], [1, 2], [2, 1]]
    assert similarities[1].tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("above", "tied", "expected"),
    [
        (0, 0, [1, 1, 1]),
        (1, 0, [0, 1, 1]),
        (0, 1, [0.5, 1, 1]),
        (3, 3, [0, 0.5, 1]),  # places 4 to 7
        (4, 7, [0, 1 / 8, 6 / 8]),  # places 5 to 12
        (9, 1, [0, 0, 0.5]),
        (10, 5, [0, 0, 0]),
        (0, 99, [1 / 100, 5 / 100, 10 / 100]),
    ],
)
def test_a_hit_is_the_part_of_the_shared_places_that_counts(above: int, tied: int, expected: list[float]) -> None:
    assert [places([above], [tied]).hits(first) for first in (1, 5, 10)] == pytest.approx(expected)


def test_the_median_of_an_even_number_of_ranks_lies_between_two() -> None:
    told = summary(places([0, 1, 4, 9], [0, 1, 0, 0]))
    assert (told.queries, told.median_rank, told.mean_rank) == (4, (2.5 + 5) / 2, (1 + 2.5 + 5 + 10) / 4)
    assert (told.hits_at_1, told.hits_at_5, told.hits_at_10) == (1, 3, 4)


def test_features_that_are_all_the_same_are_ranked_as_by_chance() -> None:
    images, captions, owner = torch.full((50, 4), 0.5), torch.full((100, 4), 0.5), torch.arange(100) // 2
    found = pair_ranks(images, captions, owner)
    assert set(found.image_to_text.rank.tolist()) == {(1 + 99) / 2}
    assert set(found.text_to_image.rank.tolist()) == {(1 + 50) / 2}
    assert summary(found.images).hits_at_5 == pytest.approx(50 * 5 / 99)
    assert summary(found.text_to_image).hits_at_10 == pytest.approx(100 * 10 / 50)
    assert first_answers(images, captions, 3, 7, 5)[0].tolist() == [[0, 1, 2]] * 50


def whole(features: Tensor) -> np.ndarray:
    """Features in whole steps, whose products and sums are exact in 64 bits."""
    return np.rint(features.numpy().astype(np.float64) / FEATURE_STEP).astype(np.int64)


def naive_places(matrix: np.ndarray, owner: list[int]) -> tuple[tuple[list[int], list[int]], tuple[list[int], list[int]]]:
    """Image to text, then text to image: how many are above and how many tied, pair by pair."""
    image_to_text, text_to_image = ([], []), ([], [])
    for caption, image in enumerate(owner):
        sought = matrix[image, caption]
        others = [matrix[image, other] for other in range(len(owner)) if owner[other] != image]
        images = [matrix[other, caption] for other in range(len(matrix)) if other != image]
        for (above, tied), rivals in ((image_to_text, others), (text_to_image, images)):
            above.append(sum(rival > sought for rival in rivals))
            tied.append(sum(rival == sought for rival in rivals))
    return image_to_text, text_to_image


def naive_answers(matrix: np.ndarray, count: int) -> list[list[int]]:
    return [sorted(range(len(row)), key=lambda place: (-row[place], place))[:count] for row in matrix]


def check_against_naive(
    images: Tensor, captions: Tensor, owner: Tensor, captions_at_once: int, images_at_once: int, count: int = 10
) -> None:
    matrix, of = whole(images) @ whole(captions).T, owner.tolist()
    found = pair_ranks(images, captions, owner, captions_at_once, images_at_once)
    image_to_text, text_to_image = naive_places(matrix, of)
    assert listed(found.image_to_text) == image_to_text
    assert listed(found.text_to_image) == text_to_image
    ranks_of = found.image_to_text.rank.tolist()
    best = [min(rank for rank, other in zip(ranks_of, of, strict=True) if other == image) for image in range(len(images))]
    assert found.images.rank.tolist() == best
    assert found.similarity.tolist() == [matrix[image, caption] * FEATURE_STEP**2 for caption, image in enumerate(of)]
    for queries, candidates, values in ((images, captions, matrix), (captions, images, matrix.T)):
        answers, similarities = first_answers(queries, candidates, count, captions_at_once, images_at_once)
        assert answers.tolist() == naive_answers(values, count)
        assert (similarities.numpy() == np.take_along_axis(values, answers.numpy(), axis=1) * FEATURE_STEP**2).all()


sizes = st.integers(1, 7)


@st.composite
def problems(draw: Callable) -> tuple[Tensor, Tensor, Tensor]:
    """Few different features, so that many are equal: of coarse numbers, or of unit length with all their digits."""
    width, exact = draw(st.integers(1, 4)), draw(st.booleans())
    pool = torch.tensor(draw(st.lists(st.lists(st.integers(-3, 3), min_size=width, max_size=width), min_size=1, max_size=6)))
    pool = pool / 8 if exact else functional.normalize(pool.float(), dim=1)
    image_count = draw(sizes)
    owner = draw(st.permutations([*range(image_count), *draw(st.lists(st.integers(0, image_count - 1), max_size=9))]))
    place = st.integers(0, len(pool) - 1)
    images = draw(st.lists(place, min_size=image_count, max_size=image_count))
    captions = draw(st.lists(place, min_size=len(owner), max_size=len(owner)))
    return pool[images], pool[captions], torch.tensor(owner)


@settings(deadline=None, max_examples=300)
@given(problem=problems(), captions_at_once=sizes, images_at_once=sizes, count=st.integers(1, 4))
def test_blocks_give_what_the_naive_way_gives(
    problem: tuple[Tensor, Tensor, Tensor], captions_at_once: int, images_at_once: int, count: int
) -> None:
    check_against_naive(*problem, captions_at_once, images_at_once, count)


@pytest.mark.parametrize("most_near", [-1, 10**9])  # all in double precision, and in single precision what is not near
@pytest.mark.parametrize(("captions_at_once", "images_at_once"), [(7, 5), (64, 9), (1024, 2048)])
def test_equal_features_tie_wherever_they_lie(
    captions_at_once: int, images_at_once: int, most_near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "MOST_NEAR", most_near)
    generator = torch.Generator().manual_seed(0)
    images = functional.normalize(torch.randn(40, 193, generator=generator), dim=1)[torch.arange(60) % 40]
    owner = torch.randperm(120, generator=generator) % 60
    captions = functional.normalize(images + 0.1 * torch.randn(60, 193, generator=generator), dim=1)[owner]
    check_against_naive(images, captions, owner, captions_at_once, images_at_once)
    found = pair_ranks(images, captions, owner, captions_at_once, images_at_once)
    twice = ((owner % 40) + 40 < 60) | (owner >= 40)  # whose image there is two of
    assert (found.text_to_image.tied == twice.int()).all()
    assert not found.image_to_text.tied.any()  # both captions of an image are equal, but not rivals


@pytest.mark.parametrize("most_near", [-1, 10**9])
def test_similarities_that_single_precision_cannot_tell_apart(most_near: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "MOST_NEAR", most_near)
    generator = torch.Generator().manual_seed(2)
    base = functional.normalize(torch.randn(1, 300, generator=generator), dim=1)
    images = functional.normalize(base + 2e-7 * torch.randn(30, 300, generator=generator), dim=1)
    owner = torch.arange(60) % 30
    captions = functional.normalize(base + 2e-7 * torch.randn(60, 300, generator=generator), dim=1)
    check_against_naive(images, captions, owner, 16, 16)


def test_one_image_with_many_captions_beside_others_with_one() -> None:
    generator = torch.Generator().manual_seed(1)
    images = functional.normalize(torch.randint(-2, 3, (9, 3), generator=generator) + 0.5, dim=1)
    owner = torch.tensor([4] * 30 + [0, 1, 2, 3, 5, 6, 7, 8, 8])[torch.randperm(39, generator=generator)]
    captions = functional.normalize(torch.randint(-2, 3, (39, 3), generator=generator) + 0.5, dim=1)
    check_against_naive(images, captions, owner, 8, 4)


@pytest.mark.parametrize(
    ("images", "captions", "owner", "message"),
    [
        (torch.eye(2), torch.eye(3), torch.tensor([0, 1, 1]), r"given were \(2, 2\), \(3, 3\) and \(3,\)"),
        (torch.eye(2), torch.eye(2), torch.tensor([0]), r"with owners \(M,\)"),
        (torch.eye(2), torch.eye(2), torch.tensor([0, 2]), "is one of 2, given were 0 to 2"),
        (torch.eye(2), torch.eye(2), torch.tensor([-1, 1]), "is one of 2, given were -1 to 1"),
        (torch.eye(2), torch.eye(2), torch.tensor([1, 1]), "only 1 of 2 have one"),
        (torch.eye(2), 2 * torch.eye(2), torch.tensor([0, 1]), "no longer than 1"),
        (torch.full((2, 2), torch.nan), torch.eye(2), torch.tensor([0, 1]), "must be numbers"),
        (torch.empty(0, 2), torch.empty(0, 2), torch.empty(0, dtype=torch.int64), "only 0 of 0"),
    ],
)
def test_what_cannot_be_ranked_is_refused(images: Tensor, captions: Tensor, owner: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pair_ranks(images, captions, owner)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak")
def test_the_similarities_are_never_held_all_at_once() -> None:
    program = f"""
import torch
from compute import ranks
from compute.measure import peaks
torch.set_num_threads(2)
features = torch.nn.functional.normalize(torch.randn({SIDE}, 4), dim=1)
def work():
    ranks.pair_ranks(features, features.flip(0), torch.arange({SIDE}).flip(0))
    ranks.first_answers(features[:3000], features)
    ranks.first_answers(features, features[:3000])
told = peaks(work, torch.device("cpu"))
print(told["process peak"] - told["process before"])
"""
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0 < float(child.stdout) < LARGEST_MIB
