"""What every metric gives on inputs that never change, by its name.

    PYTHONPATH=. python tests/golden_metrics.py    # add the values of new names to tests/golden/metrics.json

A name that is there keeps its values: whoever changes what a metric means gives it a new name, and its column, too.
"""

import dataclasses
import json
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import torch

from compute import bleu as compute_bleu
from compute import drift, metrics, prediction_rows, ranks
from compute.data import wordnet
from dashboard import bleu, intervals, recall

GOLDEN = Path(__file__).parent / "golden" / "metrics.json"
MODULES = (metrics, compute_bleu, drift, prediction_rows, ranks, bleu, intervals, recall)
# Public functions of these modules that are no metric: rows, texts, bins and drawn weights that tests beside theirs hold.
OTHERS = {
    "compute.prediction_rows.prediction_tables", "dashboard.intervals.as_text", "dashboard.intervals.interval_text",
}  # fmt: skip
CAPTIONS = ["a red dog on grass", "a dog", "the cat sat on the mat", "two birds"]
REFERENCES = [["a red dog on the grass", "a dog on grass"], ["a dog runs"], ["the cat is on the mat .", "a cat"], ["fish"]]


def spread(shape: tuple[int, ...], below: int, start: int = 0) -> np.ndarray:
    """Whole numbers that look drawn and are the same everywhere: each from 0 to `below` - 1."""
    places = np.arange(start, start + int(np.prod(shape)), dtype=np.int64)
    return ((places * 7919 + places**2 * 104_729 + 13) % 1_000_003 % below).reshape(shape)


def _maps() -> tuple[torch.Tensor, torch.Tensor]:
    truth = np.kron(spread((2, 3, 4), 5), np.ones((1, 4, 5))).astype(np.uint8)  # class 4 is ignored
    predicted = np.where(spread(truth.shape, 3, 7) == 0, spread(truth.shape, 4, 99), np.minimum(truth, 3)).astype(np.uint8)
    return torch.from_numpy(truth), torch.from_numpy(predicted)


def values() -> dict[str, object]:
    """The values of every metric, as JSON holds them."""
    truth, predicted = _maps()
    matrices = metrics.confusion_matrices(truth, predicted, 4)
    counts = metrics.class_counts(matrices)
    bands = metrics.boundary_bands(truth, 4)
    stacked = np.stack([each.numpy() for each in counts], axis=-1)[None].astype(np.float64)  # one seed
    weights = np.array([[0.5, 0.5], [1.0, 0.0]])
    words = [compute_bleu.words(text) for text in CAPTIONS]
    references = [[compute_bleu.words(text) for text in texts] for texts in REFERENCES]
    of_captions = [compute_bleu.counts(*pair) for pair in zip(words, references, strict=True)]
    sums = bleu.statistics(
        *(np.array([getattr(each, name) for each in of_captions]) for name in ("matches", "totals", "words", "reference_words"))
    )
    logits = (spread((4, 9), 64) / 8).astype(np.float32)
    coarse = (logits + spread((4, 9), 5, 50) / 16).astype(np.float16)
    images, texts = (torch.from_numpy(spread((count, 4), 9, start) / 32.0) for count, start in ((4, 0), (7, 31)))
    found = ranks.pair_ranks(images, texts, torch.tensor([0, 1, 2, 3, 0, 1, 1]))
    above, tied = spread((9,), 14), spread((9,), 4, 20)
    right = np.array([1, 2, 2, 5])
    means = spread((12, 3), 40).astype(np.float64)
    draws = np.concatenate([[5.0], spread((200,), 100) / 10])
    nine, seven = spread((9,), 30, 3) + 1.0, spread((7,), 30, 5) + 2.0
    made: dict[Callable[..., object], object] = {
        metrics.confusion_matrices: matrices,
        metrics.class_counts: counts,
        metrics.foreground_counts: metrics.foreground_counts(matrices),
        metrics.boundary_bands: bands,
        metrics.boundary_counts: metrics.boundary_counts(bands, truth, predicted, 4),
        metrics.intersection_over_union: metrics.intersection_over_union(*counts),
        metrics.mean_iou_per_image: metrics.mean_iou_per_image(*counts),
        metrics.pooled_mean_iou: metrics.pooled_mean_iou(*counts),
        compute_bleu.words: words,
        compute_bleu.counts: of_captions,
        compute_bleu.caption_bleu: [compute_bleu.caption_bleu(*pair) for pair in zip(words, references, strict=True)],
        compute_bleu.corpus_scores: [score.bleu for score in compute_bleu.corpus_scores(CAPTIONS, REFERENCES)],
        drift.log_probabilities: drift.log_probabilities(logits),
        drift.drift: drift.drift(logits, coarse),
        drift.relative_error: drift.relative_error(logits, coarse),
        prediction_rows.summarise: prediction_rows.summarise(logits, np.array([0, 3, -1, 8])),
        ranks.pair_ranks: found,
        ranks.summary: [ranks.summary(found.images), ranks.summary(found.text_to_image)],
        ranks.first_answers: ranks.first_answers(images, texts, 3),
        bleu.statistics: sums,
        bleu.precisions: bleu.precisions(sums.sum(axis=0)),
        bleu.brevity_penalty: bleu.brevity_penalty(sums),
        bleu.corpus_bleu: bleu.corpus_bleu(sums.sum(axis=0)),
        bleu.caption_bleu: bleu.caption_bleu(sums),
        bleu.split: [bleu.split(text) for text in CAPTIONS],
        bleu.matched_lengths: [bleu.matched_lengths(*pair) for pair in zip(words, references, strict=True)],
        intervals.image_weights: intervals.image_weights(5)[:4],
        intervals.pooled_class_iou: intervals.pooled_class_iou(weights, stacked),
        intervals.pooled_mean_iou: intervals.pooled_mean_iou(weights, stacked),
        intervals.per_image_mean_iou: intervals.per_image_mean_iou(weights, stacked),
        intervals.image_iou: intervals.image_iou(stacked),
        intervals.summarise: intervals.summarise(draws),
        intervals.proportion: [intervals.proportion(*pair) for pair in ((0, 9), (4, 9), (890, 890))],
        intervals.paired_difference: [intervals.paired_difference(*each) for each in ((0, 0, 9), (47, 173, 890))],
        intervals.ratio_of_means: [
            intervals.ratio_of_means(nine, seven, paired=False),
            intervals.ratio_of_means(nine, nine[::-1], paired=True),
        ],
        intervals.mcnemar: [intervals.mcnemar(*pair) for pair in ((0, 0), (2, 8), (47, 173))],
        recall.expected_hits: recall.expected_hits(above, tied, 5),
        recall.mean_places: recall.mean_places(above, tied),
        recall.chance_recall: recall.chance_recall(20, right, 5),
        recall.chance_rank: recall.chance_rank(20, right),
        recall.chance_median: recall.chance_median(20, right),
        recall.rank_bins: recall.rank_bins(60),
        recall.bin_counts: recall.bin_counts(above, tied, recall.rank_bins(20)),
        recall.cutoffs_of: recall.cutoffs_of(100, 9),
        recall.sums_by_image: recall.sums_by_image(above, spread((9,), 4), 4),
        recall.drawn_means: recall.drawn_means(weights @ np.ones((2, 12)), means, np.arange(12)),
        recall.outcome_counts: recall.outcome_counts(above, tied),
        wordnet.nearest_common_ancestor: wordnet.nearest_common_ancestor("n01440764", "n01514859"),
    }
    return {f"{function.__module__}.{function.__name__}": plain(value) for function, value in made.items()}


def plain(value: object) -> object:
    """Arrays, tensors and records as lists of numbers and texts."""
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, each.name)) for each in dataclasses.fields(value)]
    if isinstance(value, torch.Tensor | np.ndarray | np.generic | pyarrow.Array):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if value != value else value  # JSON has no NaN


def public_functions() -> set[str]:
    """The functions that the metrics' modules define and name without a line below."""
    return {
        f"{module.__name__}.{name}"
        for module in MODULES
        for name, value in vars(module).items()
        if callable(value) and not isinstance(value, type) and not name.startswith("_")
        if getattr(value, "__module__", "") == module.__name__ and not isinstance(value, types.GenericAlias)
    }


def main() -> None:
    """Add what is new."""
    old = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    found = values()
    kept = {name: old.get(name, value) for name, value in found.items()}
    GOLDEN.write_text("{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(kept[name])}" for name in kept) + "\n}\n")
    print(f"{len(kept.keys() - old.keys())} names are new, {len(old.keys() - kept.keys())} are gone.")


if __name__ == "__main__":
    main()
