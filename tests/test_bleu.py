"""BLEU against nltk and sacrebleu themselves, and against numbers worked by hand."""

import math
import warnings
from collections import Counter

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as some
from nltk.translate import bleu_score

from compute.bleu import Counts, caption_bleu, corpus_scores, counts, words

TEXTS = some.lists(some.sampled_from(["a", "dog", "on", "grass", "red"]), max_size=9).map(" ".join)
CORPORA = some.lists(some.tuples(TEXTS, some.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=6)


def bleu_of(summed: list[Counts], none_matched: float = 0.0) -> float:
    """Papineni's formula on summed counts, with nltk's rule that an n-gram too long for a caption counts as one that fails."""
    matches = np.sum([each.matches for each in summed], axis=0)
    totals = np.sum([np.maximum(each.totals, 1) for each in summed], axis=0)
    length, reference_length = sum(each.words for each in summed), sum(each.reference_words for each in summed)
    matches = np.where(matches == 0, none_matched, matches) if matches[0] else np.zeros(4)
    if length == 0 or not matches.all():
        return 0.0
    brevity = 1.0 if length > reference_length else math.exp(1 - reference_length / length)
    return brevity * math.exp(np.log(matches / totals).mean())


def test_a_text_splits_into_words_and_marks_in_lower_case() -> None:
    assert words("A dog's bus, 2 t-shirts…and (two) Ärzte.") == [
        "a", "dog's", "bus", ",", "2", "t-shirts", "…", "and", "(", "two", ")", "ärzte", ".",
    ]  # fmt: skip
    assert words(" - 'quoted' -") == ["-", "'", "quoted", "'", "-"]
    assert words("") == words(" \n") == []


def test_counts_worked_by_hand() -> None:
    # "the" counts twice, as the first reference has it twice; "the cat" once in each; of length 7 and 6 both, 7 is nearest.
    caption = words("the the the cat sat on it")
    references = [words("the cat is on the mat"), words("there is a cat on the mat .")]
    assert counts(caption, references) == Counts((4, 1, 0, 0), (7, 6, 5, 4), 7, 6)
    assert counts(caption, references[1:]) == Counts((3, 0, 0, 0), (7, 6, 5, 4), 7, 8)


def test_the_shorter_of_two_references_that_are_as_near_counts() -> None:
    assert counts(["a"] * 5, [["a"] * 7, ["a"] * 3]).reference_words == 3
    assert counts(["a"] * 5, [["a"] * 7, ["a"] * 4, ["a"] * 3]).reference_words == 4


def test_captions_of_fewer_words_than_an_n_gram_has_none_of_it() -> None:
    assert counts(["a", "dog"], [["a", "dog", "runs"]]) == Counts((2, 1, 0, 0), (2, 1, 0, 0), 2, 3)
    assert counts([], [["a"], []]) == Counts((0, 0, 0, 0), (0, 0, 0, 0), 0, 0)


def test_bleu_of_one_caption_worked_by_hand() -> None:
    # 3 of 4 words, 2 of 3 pairs, 1 of 2 triples, none of 1: 0.1 is taken for it; 4 words for 5.
    expected = math.exp(1 - 5 / 4) * (3 / 4 * 2 / 3 * 1 / 2 * 0.1 / 1) ** 0.25
    assert caption_bleu(words("a red dog barks"), [words("a red dog on grass")]) == pytest.approx(expected, abs=1e-12)
    assert caption_bleu(words("a red dog on grass"), [words("a red dog on grass")]) == 1.0
    assert caption_bleu(words("cats"), [words("a dog")]) == caption_bleu([], [words("a dog")]) == 0.0
    # "a dog" has no triple: 0.1 of 1, twice
    assert caption_bleu(["a", "dog"], [["a", "dog"]]) == pytest.approx(0.1**0.5, abs=1e-12)


@given(CORPORA)
def test_counts_reproduce_nltk_for_any_corpus(corpus: list[tuple[str, list[str]]]) -> None:
    captions = [words(caption) for caption, _ in corpus]
    references = [[words(text) for text in texts] for _, texts in corpus]
    summed = [counts(caption, texts) for caption, texts in zip(captions, references, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = bleu_score.corpus_bleu(references, captions)
    assert bleu_of(summed) == pytest.approx(theirs, abs=1e-12)
    smoothing = bleu_score.SmoothingFunction().method1
    for caption, texts, each in zip(captions, references, summed, strict=True):
        assert caption_bleu(caption, texts) == pytest.approx(bleu_of([each], 0.1), abs=1e-12)
        assert caption_bleu(caption, texts) == bleu_score.sentence_bleu(texts, caption, smoothing_function=smoothing)


@given(CORPORA)
def test_matches_are_clipped_as_in_papineni(corpus: list[tuple[str, list[str]]]) -> None:
    for caption, texts in corpus:
        naive = []
        for order in range(1, 5):
            most: Counter[str] = Counter()
            for text in texts:
                most |= Counter(zip(*(words(text)[start:] for start in range(order)), strict=False))
            mine = Counter(zip(*(words(caption)[start:] for start in range(order)), strict=False))
            naive.append(sum((mine & most).values()))
        assert counts(words(caption), [words(text) for text in texts]).matches == tuple(naive)


@given(CORPORA)
def test_corpus_scores_are_the_libraries_own(corpus: list[tuple[str, list[str]]]) -> None:
    captions, references = [caption for caption, _ in corpus], [texts for _, texts in corpus]
    scores = {(score.library, score.against): score for score in corpus_scores(captions, references)}
    assert list(scores) == [
        (library, against) for against in ("one reference", "all references") for library in ("nltk", "sacrebleu")
    ]
    for against, count in (("one reference", 1), ("all references", 3)):
        chosen = [texts[:count] for texts in references]
        split = [[words(text) for text in texts] for texts in chosen]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = bleu_score.corpus_bleu(split, [words(caption) for caption in captions])
        assert scores["nltk", against].bleu == theirs
        rows = [[texts[place] if place < len(texts) else None for texts in chosen] for place in range(count)]
        rows = [row for row in rows if any(text is not None for text in row)]
        expected = sacrebleu.corpus_bleu(captions, rows, lowercase=True, force=True).score / 100
        assert scores["sacrebleu", against].bleu == expected
        assert 0 <= expected <= 1 + 1e-12


def test_signatures_tell_how_scores_were_made() -> None:
    captions, references = ["a dog on grass", "two cats here now"], [["A dog on grass.", "a dog"], ["Two cats here now!"]]
    one, single, many, several = corpus_scores(captions, references)
    assert single.signature.startswith("nrefs:1|case:lc|eff:no|tok:13a|smooth:exp|version:2.6")
    assert several.signature.startswith("nrefs:var|case:lc|eff:no|tok:13a")
    assert one.signature == many.signature
    assert one.signature.startswith("nltk 3.")
    # every n-gram matches, but each caption lacks its mark: 4 + 4 words for 5 + 5
    assert one.bleu == pytest.approx(math.exp(1 - 10 / 8), abs=1e-12)
    assert single.bleu == pytest.approx(math.exp(1 - 10 / 8), abs=1e-12)


def test_many_captions_that_end_in_a_stop_by_itself_bring_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    corpus_scores(["a dog ."] * 120, [["a dog ."]] * 120)
    assert not caplog.records
