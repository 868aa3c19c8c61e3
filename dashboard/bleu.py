"""BLEU from stored counts, and which words of a caption its references have: numbers and words in, numbers out.

Papineni et al. (2002), section 2, with nltk's conventions: the reference nearest in length counts, and a caption that is too
short for an n-gram counts as having one.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

ORDERS = 4
COUNTS = 2 * ORDERS + 2  # matches of 1 to 4 words, n-grams of 1 to 4 words, words, words of the references
# As the counts that are stored were made: words with what joins them inside ("t-shirt"), or one punctuation mark by itself.
WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
NONE_MATCHED = 0.1  # what nltk's smoothing method 1 takes for a count of 0

Words = Sequence[str]


def statistics(matches: np.ndarray, totals: np.ndarray, words: np.ndarray, reference_words: np.ndarray) -> np.ndarray:
    """What adds up over captions: matches and n-grams (..., 4), words (...) -> (..., COUNTS) float64."""
    lengths = np.stack([words, reference_words], axis=-1)
    return np.concatenate([matches, np.maximum(totals, 1), lengths], axis=-1).astype(np.float64)


def precisions(sums: np.ndarray) -> np.ndarray:
    """Share of n-grams of 1 to 4 words that a reference has: (..., COUNTS) -> (..., 4); NaN where nothing is counted."""
    return _divide(sums[..., :ORDERS], sums[..., ORDERS : 2 * ORDERS])


def brevity_penalty(sums: np.ndarray) -> np.ndarray:
    """Factor for captions that are shorter than their references: (..., COUNTS) -> (...), 0 to 1; 0 without a word."""
    words, reference_words = sums[..., -2], sums[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        shorter = np.exp(1 - reference_words / words)
    return np.where(words > reference_words, 1.0, np.where(words > 0, shorter, 0.0))


def corpus_bleu(sums: np.ndarray) -> np.ndarray:
    """BLEU of summed `statistics`, unsmoothed: (..., COUNTS) -> (...), 0 to 1; NaN where nothing is counted."""
    return brevity_penalty(sums) * _geometric_mean(precisions(sums))


def caption_bleu(counts: np.ndarray) -> np.ndarray:
    """BLEU of each caption alone with nltk's smoothing method 1: (..., COUNTS) -> (...), 0 to 1; 0 where no word matches."""
    matches, totals = counts[..., :ORDERS], counts[..., ORDERS : 2 * ORDERS]
    smoothed = _divide(np.where(matches == 0, NONE_MATCHED, matches), totals)
    return np.where(matches[..., 0] > 0, brevity_penalty(counts) * _geometric_mean(smoothed), 0.0)


def _geometric_mean(shares: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.exp(np.log(shares).mean(axis=-1))


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)


def split(text: str) -> list[str]:
    """The words and punctuation marks that BLEU compares: "A red bus, 2" -> "a", "red", "bus", ",", "2"."""
    return WORD.findall(text.lower())


def matched_lengths(words: Words, references: Sequence[Words]) -> list[int]:
    """For each word the longest n-gram, up to 4 words, that it is in and that counts as matched; 0 where there is none.

    As in BLEU an n-gram counts at most as often as the reference has it that has it most often: the first ones count.
    """
    longest = [0] * len(words)
    for order in range(1, ORDERS + 1):
        allowed: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            allowed |= Counter(_grams(reference, order))
        for start, gram in enumerate(_grams(words, order)):
            if allowed[gram] > 0:
                allowed[gram] -= 1
                longest[start : start + order] = [order] * order
    return longest


def _grams(words: Words, order: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]
