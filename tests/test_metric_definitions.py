"""Every score that a page shows against its definition, written out slowly in plain Python, on inputs that hypothesis draws.

The counts behind them, ranks, drift and BLEU's matches have such tests beside their own (test_metrics, test_ranks, test_drift,
test_bleu, test_prediction_rows). Draws are the same in every run, so that a failure stays one.
"""

import itertools
import math
import statistics
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from compute import bleu as compute_bleu
from compute import drift, metrics, ranks
from compute.data import imagenet, wordnet
from dashboard import bleu, intervals, recall

STEADY = settings(max_examples=60, deadline=None, derandomize=True)
FEW = settings(STEADY, max_examples=20)
CLOSE = 1e-9

# Pixels of a class in an image: right ones, predicted ones that are not, true ones that are missed.
PARTS = some.tuples(*[some.integers(0, 40)] * 3)
Counts = list[list[list[tuple[int, int, int]]]]


@some.composite
def class_counts(draw: some.DrawFn) -> Counts:
    """Intersection, predicted and truth of each class in each image for each seed; often nothing of a class."""
    seeds, images, classes = (draw(some.integers(1, most)) for most in (2, 5, 4))
    part = some.one_of(some.just((0, 0, 0)), PARTS)
    drawn = draw(some.lists(part, min_size=seeds * images * classes, max_size=seeds * images * classes))
    whole = [(right, right + wrong, right + missed) for right, wrong, missed in drawn]
    by_image = [whole[start : start + classes] for start in range(0, len(whole), classes)]
    return [by_image[start : start + images] for start in range(0, len(by_image), images)]


def slow_iou(counts: tuple[int, int, int]) -> Fraction | None:
    """What is in both over what is in either; nothing where a class is in neither."""
    intersection, predicted, truth = counts
    either = predicted + truth - intersection
    return Fraction(intersection, either) if either else None


def slow_mean(values: Sequence[Fraction | float | None]) -> float:
    """Mean of what is there; NaN where nothing is."""
    there = [value for value in values if value is not None and not math.isnan(value)]
    return float(sum(there) / len(there)) if there else math.nan


def slow_pooled(images: list[list[tuple[int, int, int]]]) -> float:
    """Mean over the classes of IoU from the pixels of all images together."""
    classes = zip(*images, strict=True)
    return slow_mean([slow_iou(tuple(map(sum, zip(*of_class, strict=True)))) for of_class in classes])


def slow_per_image(images: list[list[tuple[int, int, int]]]) -> float:
    """Mean over the images of the mean over an image's classes."""
    return slow_mean([slow_mean([slow_iou(counts) for counts in image]) for image in images])


@STEADY
@given(class_counts())
def test_mean_iou_per_image_and_pooled(counts: Counts) -> None:
    for seed in counts:
        given_counts = torch.tensor(seed).unbind(-1)
        assert metrics.pooled_mean_iou(*given_counts) == pytest.approx(slow_pooled(seed), abs=CLOSE, nan_ok=True)
        assert metrics.mean_iou_per_image(*given_counts) == pytest.approx(slow_per_image(seed), abs=CLOSE, nan_ok=True)


@STEADY
@given(class_counts(), some.data())
def test_the_dashboards_scores_of_any_draw_of_images(counts: Counts, data: some.DataObject) -> None:
    images = len(counts[0])
    drawn = data.draw(some.lists(some.integers(0, images - 1), min_size=images, max_size=images))
    weights = np.array([[1 / images] * images, [drawn.count(image) / images for image in range(images)]])
    array = np.array(counts, np.float64)
    for row, chosen in enumerate((list(range(images)), drawn)):
        repeated = [[seed[image] for image in chosen] for seed in counts]
        of_classes = [
            slow_mean([slow_iou(tuple(map(sum, zip(*(image[place] for image in seed), strict=True)))) for seed in repeated])
            for place in range(len(counts[0][0]))
        ]
        found = intervals.pooled_class_iou(weights, array)[row]
        np.testing.assert_allclose(found, of_classes, atol=CLOSE)
        assert intervals.pooled_mean_iou(weights, array)[row] == pytest.approx(slow_mean(of_classes), abs=CLOSE, nan_ok=True)
    of_images = [slow_mean([slow_mean([slow_iou(each) for each in seed[image]]) for seed in counts]) for image in range(images)]
    np.testing.assert_allclose(intervals.image_iou(array), of_images, atol=CLOSE)
    if not any(map(math.isnan, of_images)):
        expected = sum(of_images[image] for image in drawn) / images
        assert intervals.per_image_mean_iou(weights, array)[1] == pytest.approx(expected, abs=CLOSE)


@STEADY
@given(some.lists(some.lists(some.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=9), some.integers(0, 10**6))
def test_pixels_by_distance_to_a_boundary(truth: list[list[int]], seed: int) -> None:
    """3 stands for what is ignored: it is counted in no band, and is no class that a boundary could be of."""
    predicted = np.random.default_rng(seed).integers(0, 3, (len(truth), 5)).tolist()
    expected = {name: [0, 0] for name, _ in metrics.BOUNDARY_BANDS}
    scored = [(y, x) for y in range(len(truth)) for x in range(5) if truth[y][x] < 3]
    for y, x in scored:
        others = [max(abs(y - v), abs(x - u)) for v, u in scored if truth[v][u] != truth[y][x]]
        distance = min(others, default=math.inf)
        [name] = [name for name, most in metrics.BOUNDARY_BANDS if most is None or distance <= most][:1]
        expected[name][0] += truth[y][x] == predicted[y][x]
        expected[name][1] += 1
    maps = [torch.tensor([each], dtype=torch.uint8) for each in (truth, predicted)]
    correct, total = metrics.boundary_counts(metrics.boundary_bands(maps[0], 3), *maps, 3)
    assert list(zip(correct[0].tolist(), total[0].tolist(), strict=True)) == [tuple(each) for each in expected.values()]


# Places that queries' answers share: how many are before, and how many others are just as good.
PLACES = some.lists(some.tuples(some.integers(0, 12), some.integers(0, 6)), min_size=1, max_size=8)


def slow_places(places: list[tuple[int, int]]) -> list[list[int]]:
    return [list(range(above + 1, above + tied + 2)) for above, tied in places]


@STEADY
@given(PLACES, some.integers(1, 20))
def test_recall_and_ranks_of_shared_places(places: list[tuple[int, int]], cutoff: int) -> None:
    shared = slow_places(places)
    hits = [Fraction(sum(place <= cutoff for place in each), len(each)) for each in shared]
    means = [statistics.fmean(each) for each in shared]
    above, tied = (np.array(column) for column in zip(*places, strict=True))
    np.testing.assert_allclose(recall.expected_hits(above, tied, cutoff), [float(hit) for hit in hits], atol=CLOSE)
    np.testing.assert_allclose(recall.mean_places(above, tied), means, atol=CLOSE)
    found = ranks.summary(ranks.Places(torch.tensor(above), torch.tensor(tied)))
    by_cutoff = [sum(sum(place <= k for place in each) / len(each) for each in shared) for k in (1, 5, 10)]
    assert [found.hits_at_1, found.hits_at_5, found.hits_at_10] == pytest.approx(by_cutoff, abs=CLOSE)
    assert (found.median_rank, found.mean_rank) == pytest.approx((statistics.median(means), statistics.fmean(means)), abs=CLOSE)
    assert ranks.Places(torch.tensor(above), torch.tensor(tied)).hits(cutoff) == pytest.approx(float(sum(hits)), abs=CLOSE)


@STEADY
@given(PLACES)
def test_bins_of_ranks_hold_every_answer_once(places: list[tuple[int, int]]) -> None:
    above, tied = (np.array(column) for column in zip(*places, strict=True))
    bins = recall.rank_bins(20)
    expected = [
        sum(sum(first <= place <= last for place in each) / len(each) for each in slow_places(places)) for first, last in bins
    ]
    assert recall.bin_counts(above, tied, bins) == pytest.approx(expected, abs=CLOSE)
    assert sum(expected) == pytest.approx(len(places))


@FEW
@given(some.integers(1, 6), some.data())
def test_what_guessing_finds_is_the_mean_over_all_orders(candidates: int, data: some.DataObject) -> None:
    right = data.draw(some.lists(some.integers(1, candidates), min_size=1, max_size=3))
    cutoff = data.draw(some.integers(1, candidates + 1))
    orders = list(itertools.permutations(range(candidates)))
    firsts = {count: [min(order.index(answer) for answer in range(count)) + 1 for order in orders] for count in right}
    found = [sum(first <= cutoff for first in firsts[count]) / len(orders) for count in right]
    assert recall.chance_recall(candidates, np.array(right), cutoff) == pytest.approx(statistics.fmean(found), abs=CLOSE)
    means = [statistics.fmean(firsts[count]) for count in right]
    assert recall.chance_rank(candidates, np.array(right)) == pytest.approx(statistics.fmean(means), abs=CLOSE)
    every = [first for count in right for first in firsts[count]]
    assert recall.chance_median(candidates, np.array(right)) == statistics.median(every)


WORDS = some.lists(some.sampled_from(["a", "red", "dog", "on", "grass"]), max_size=8)
CORPUS = some.lists(some.tuples(WORDS, some.lists(WORDS.filter(bool), min_size=1, max_size=3)), min_size=1, max_size=4)


def slow_grams(words: list[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]


def slow_bleu(corpus: list[tuple[list[str], list[list[str]]]], none_matched: float) -> float:
    """Papineni et al. 2002, 2.3: brevity penalty times the geometric mean of four clipped precisions, as nltk counts them."""
    product = 1.0
    for order in range(1, 5):
        matched = total = 0
        for caption, references in corpus:
            grams = slow_grams(caption, order)
            for gram in set(grams):
                matched += min(grams.count(gram), max(slow_grams(text, order).count(gram) for text in references))
            total += max(len(grams), 1)
        if order == 1 and matched == 0:
            return 0.0
        product *= (matched or none_matched) / total
    length = sum(len(caption) for caption, _ in corpus)
    wanted = sum(min((abs(len(text) - len(caption)), len(text)) for text in texts)[1] for caption, texts in corpus)
    return product**0.25 * (1.0 if length > wanted else math.exp(1 - wanted / length))


@STEADY
@given(CORPUS)
def test_bleu_of_stored_counts_and_of_texts(corpus: list[tuple[list[str], list[list[str]]]]) -> None:
    counted = [compute_bleu.counts(caption, references) for caption, references in corpus]
    columns = [np.array([getattr(each, name) for each in counted]) for name in compute_bleu.Counts._fields]
    stored = bleu.statistics(*columns)
    assert float(bleu.corpus_bleu(stored.sum(axis=0))) == pytest.approx(slow_bleu(corpus, 0.0), abs=CLOSE)
    for pair, row in zip(corpus, stored, strict=True):
        expected = slow_bleu([pair], 0.1)
        assert float(bleu.caption_bleu(row)) == pytest.approx(expected, abs=CLOSE)
        assert compute_bleu.caption_bleu(*pair) == pytest.approx(expected, abs=CLOSE)


@STEADY
@given(CORPUS)
def test_marked_words_are_those_that_bleu_matches(corpus: list[tuple[list[str], list[list[str]]]]) -> None:
    for caption, references in corpus:
        longest = bleu.matched_lengths(caption, references)
        single = compute_bleu.counts(caption, references).matches[0]
        grams = [gram for text in references for order in range(1, 5) for gram in slow_grams(text, order)]
        assert sum(length > 0 for length in longest) >= single
        for place, length in enumerate(longest):
            around = [tuple(caption[start : start + length]) for start in range(max(0, place - length + 1), place + 1)]
            assert length == 0 or any(gram in grams for gram in around)


@STEADY
@given(some.lists(some.tuples(some.floats(-9, 9), some.floats(-9, 9)), min_size=1, max_size=6))
def test_relative_error_and_probabilities(values: list[tuple[float, float]]) -> None:
    exact, coarse = ([pair[side] for pair in values] for side in (0, 1))
    length = math.sqrt(math.fsum(value**2 for value in exact))
    distance = math.sqrt(math.fsum((a - b) ** 2 for a, b in values))
    [found] = drift.relative_error(np.array([exact]), np.array([coarse]))
    if length > 1e-150:
        assert found == pytest.approx(distance / length, rel=1e-12)
    [row] = np.exp(drift.log_probabilities(np.array([exact])))
    total = math.fsum(math.exp(value) for value in exact)
    assert row.tolist() == pytest.approx([math.exp(value) / total for value in exact], abs=1e-12)
    assert row.sum() == pytest.approx(1, abs=1e-12)


@STEADY
@given(some.integers(1, 400), some.data())
def test_the_interval_of_a_share_is_where_the_score_test_does_not_reject(total: int, data: some.DataObject) -> None:
    """Wilson's interval ends where the share lies 1.96 standard deviations, as the end itself has them, from it."""
    right = data.draw(some.integers(0, total))
    found = intervals.proportion(right, total)
    assert found.value == right / total
    assert 0 - CLOSE <= found.low <= found.value + CLOSE
    assert found.value - CLOSE <= found.high <= 1 + CLOSE
    for end in (found.low, found.high):
        distance = abs(found.value - end)
        assert distance == pytest.approx(1.959964 * math.sqrt(max(end * (1 - end), 0) / total), abs=1e-7)


@STEADY
@given(some.integers(0, 60), some.integers(0, 60), some.integers(0, 80))
def test_paired_answers(only_a: int, only_b: int, same: int) -> None:
    total = only_a + only_b + same
    found = intervals.paired_difference(only_a, only_b, total)
    if not total:
        assert math.isnan(found.value)
        return
    assert found.value == pytest.approx((only_a - only_b) / total)
    mirrored = intervals.paired_difference(only_b, only_a, total)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
    # The differences of the answers, half a picture added to each side: 1, -1 and 0; their mean and its deviation.
    weights = {1: only_a + 0.5, -1: only_b + 0.5, 0: same + 1}
    count = sum(weights.values())
    mean = sum(value * weight for value, weight in weights.items()) / count
    variance = sum(weight * (value - mean) ** 2 for value, weight in weights.items()) / count
    reach = 1.959964 * math.sqrt(variance / count)
    assert (found.low, found.high) == pytest.approx((mean - reach, mean + reach), abs=CLOSE)
    fewer, differing = min(only_a, only_b), only_a + only_b
    tail = sum(math.comb(differing, each) for each in range(fewer + 1))
    assert intervals.mcnemar(only_a, only_b) == pytest.approx(min(1.0, 2 * tail / 2**differing))


@FEW
@given(some.lists(some.floats(0.5, 100), min_size=2, max_size=40))
def test_a_bootstrap_interval_is_the_same_again_and_holds_the_mean(values: list[float]) -> None:
    array = np.array(values)
    weights = intervals.image_weights(len(values))
    assert (weights[0] * len(values) == 1).all()
    assert weights.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(np.rint(weights * len(values)), weights * len(values)) or np.allclose(
        np.rint(weights * len(values)), weights * len(values)
    )
    estimate = intervals.summarise(weights @ array)
    intervals.image_weights.cache_clear()
    again = intervals.summarise(intervals.image_weights(len(values)) @ array)
    assert (estimate.value, repr(estimate.low), repr(estimate.high)) == (again.value, repr(again.low), repr(again.high))
    assert estimate.value == pytest.approx(statistics.fmean(values))
    if not math.isnan(estimate.low):
        means = sorted(float(np.average(array, weights=row)) for row in weights[1:])
        assert estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high
        below, above = (sum(mean < end - 1e-12 for mean in means) for end in (estimate.low, estimate.high))
        assert below <= 0.025 * len(means) + 1
        assert above >= 0.975 * len(means) - 1 - sum(abs(mean - estimate.high) < 1e-9 for mean in means)


WNIDS = sorted(imagenet.by_wnid())


@FEW
@given(some.sampled_from(WNIDS), some.sampled_from(WNIDS))
def test_nearest_common_ancestors_are_nltks_lowest_common_hypernyms(one: str, other: str) -> None:
    nouns = wordnet.synset(one), wordnet.synset(other)
    lowest = {wordnet.wnid_of(noun) for noun in nouns[0].lowest_common_hypernyms(nouns[1], use_min_depth=False)}
    found, depth = wordnet.nearest_common_ancestor(one, other)
    assert found in lowest
    assert depth == wordnet.synset(found).max_depth()
    assert wordnet.nearest_common_ancestor(other, one) == (found, depth)
    assert wordnet.nearest_common_ancestor(one, one)[0] == one


def slow_depth(wnid: str) -> int:
    """Edges of the longest way up."""
    return max((1 + slow_depth(parent) for parent in wordnet.parents(wnid)), default=0)


@FEW
@given(some.sampled_from(WNIDS))
def test_depths_are_the_longest_ways_up(wnid: str) -> None:
    assert all(depth == slow_depth(ancestor) for ancestor, depth in wordnet.ancestors(wnid).items())
