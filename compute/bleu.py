"""BLEU of captions by nltk and by sacrebleu, and the counts from which BLEU of any set of captions can be made.

Papineni et al. 2002. For nltk and for the counts, words are what `words` makes of a text; sacrebleu splits texts by itself.
nltk is imported where it is used: it takes a second, and listing experiments needs none of it.
"""

import itertools
import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU

ORDERS = 4  # n-grams of 1 to 4 words
# Letters and digits, with what joins them inside a word ("t-shirt", "dog's"), or one punctuation mark by itself.
WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
ONE, ALL = "one reference", "all references"

Words = Sequence[str]


class Counts(NamedTuple):
    """What BLEU counts of one caption: for n-grams of 1 to 4 words those that match and all, and two lengths in words."""

    matches: tuple[int, ...]
    totals: tuple[int, ...]
    words: int
    reference_words: int  # of the reference nearest in length, the shorter one where two are as near


class CorpusScore(NamedTuple):
    """Corpus BLEU, 0 to 1, as one library has it against one or all references, and how it was computed."""

    library: str
    against: str
    bleu: float
    signature: str


def words(text: str) -> list[str]:
    """The words and punctuation marks of a text in lower case: "A dog's bus, 2" -> "a", "dog's", "bus", ",", "2"."""
    return WORD.findall(text.lower())


def counts(caption: Words, references: Sequence[Words]) -> Counts:
    """What BLEU counts of a caption's words against those of at least one reference.

    An n-gram matches as often as the reference has it that has it most often, and no oftener than the caption has it.
    """
    from nltk.translate import bleu_score

    orders = range(1, ORDERS + 1)
    matches = tuple(bleu_score.modified_precision(references, caption, order).numerator for order in orders)
    totals = tuple(max(0, len(caption) - order + 1) for order in orders)
    return Counts(matches, totals, len(caption), bleu_score.closest_ref_length(references, len(caption)))


def caption_bleu(caption: Words, references: Sequence[Words]) -> float:
    """BLEU of one caption by nltk, 0 to 1, with a count of 0 taken as 0.1 (its smoothing method 1); 0 where no word matches."""
    from nltk.translate import bleu_score

    return float(bleu_score.sentence_bleu(references, caption, smoothing_function=bleu_score.SmoothingFunction().method1))


def corpus_scores(captions: Sequence[str], references: Sequence[Sequence[str]]) -> list[CorpusScore]:
    """Corpus BLEU of captions by both libraries, against the first and against all references of each, one at least."""
    first = [texts[:1] for texts in references]
    return [
        score
        for against, chosen in ((ONE, first), (ALL, references))
        for score in (_nltk_score(captions, chosen, against), _sacrebleu_score(captions, chosen, against))
    ]


def _nltk_score(captions: Sequence[str], references: Sequence[Sequence[str]], against: str) -> CorpusScore:
    import nltk
    from nltk.translate import bleu_score

    split = [[words(text) for text in texts] for texts in references]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where n-grams of an order never match: BLEU is then as good as 0, as it should be
        bleu = bleu_score.corpus_bleu(split, [words(text) for text in captions])
    signature = f"nltk {nltk.__version__}, corpus_bleu, 1 to {ORDERS} words, no smoothing, lower case, words {WORD.pattern}"
    return CorpusScore("nltk", against, float(bleu), signature)


def _sacrebleu_score(captions: Sequence[str], references: Sequence[Sequence[str]], against: str) -> CorpusScore:
    metric = BLEU(lowercase=True, force=True)  # force: a full stop that stands alone is no reason to complain
    padded = list(itertools.zip_longest(*references))  # the first of each, the second or None of each, ...
    score = metric.corpus_score(list(captions), padded)
    return CorpusScore("sacrebleu", against, score.score / 100, str(metric.get_signature()))
