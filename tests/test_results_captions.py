"""Trials of sampling and of retrieval on four pictures with nine captions, worked out by hand: what publish makes of them."""

from pathlib import Path

import caption_rows
import pytest
from caption_rows import IDS, publish_retrieval, publish_sampling, retrieval_tables, sampling_tables
from result_files import Tamper, all_of, check_refused, counts, drop_row, query, repeat_row, set_value

from compute.results import publish

NAN, INFINITE = float("nan"), float("inf")
TEXT = "image_caption: text must not be empty"
OF_IMAGE = "image_caption: dataset must be the image's, and the image a validation image"
NUMBERED = "image_caption: an image's ordinals must count from 1 without a gap, and a data set's positions in the images' order"
EACH = "caption: each validation image of the run's data set must have its row, and no other image"
FIRST = "caption: ordinal must be the image's, and reference the first of its captions"
LOWER = "caption: text must be in lower case"
WORDS = "caption: totals must be the n-grams of so many words, and distinct_words at most words"
MATCHES = "caption: matches must be four counts of at most totals, and one_matches of at most matches"
LENGTHS = "caption: reference_words must be above 0, and at least as near to words as one_reference_words"
BLEU = "caption: bleu must be 0 to 1 and follow from matches, totals, words and reference_words"
TOKENS = "caption: each token must have its probability, 0 to 1, and there must be at least one"
SECONDS = "caption: seconds must be finite and not negative"
SCORE = "caption_score: bleu must be 0 to 1, of 'nltk' or 'sacrebleu', against 'one reference' or 'all references'"
ALL_SCORE = "caption_score: nltk's BLEU against all references must follow from the counts of caption"
ONE_SCORE = "caption_score: nltk's BLEU against one reference must follow from the counts of caption"
# Each tampering with the trial of greedy sampling, and the check that must refuse it. Its third caption is its reference, of
# five words; its scores are nltk's and sacrebleu's against all references, and then against one.
TAMPERED_SAMPLING: list[tuple[Tamper, str]] = [
    (set_value("image_caption", "text", "another"), "image_caption: rows differ though their caption_id are the same"),
    (repeat_row("caption"), "caption: rows differ though their run_id, image_id are the same"),
    (repeat_row("caption_score"), "caption_score: rows differ though their run_id, library, against are the same"),
    (repeat_row("image_caption", caption_id="new", image_id="x"), "image_caption: image_id is not in the table image"),
    (repeat_row("image_caption", caption_id="new", dataset="x"), "image_caption: dataset is not in the table dataset"),
    (set_value("caption", "image_id", "x"), "caption: image_id is not in the table image"),
    (repeat_row("image_caption", caption_id="new", text=" ", ordinal=3, position=10), TEXT),
    (
        all_of(
            repeat_row("image", image_id="new", split="train", ordinal=1),
            repeat_row("image_caption", caption_id="new", image_id="new", ordinal=1, position=10),
        ),
        OF_IMAGE,
    ),
    (repeat_row("image_caption", caption_id="new", ordinal=4, position=10), NUMBERED),
    (repeat_row("image_caption", caption_id="new", ordinal=3, position=11), NUMBERED),
    (repeat_row("image_caption", caption_id="new", image_id=IDS[0], ordinal=3, position=10), NUMBERED),
    (drop_row("caption", 3), EACH),
    (set_value("caption", "ordinal", 2), FIRST),
    (set_value("caption", "reference", "The cow stands on grass"), FIRST),
    (set_value("caption", "text", "A cow"), LOWER),
    (set_value("caption", "words", 6), WORDS),
    (set_value("caption", "totals", [5, 4, 3, 1]), WORDS),
    (set_value("caption", "totals", [5, 4, 3]), WORDS),
    (set_value("caption", "distinct_words", 6), WORDS),
    (set_value("caption", "distinct_words", 0), WORDS),
    (set_value("caption", "matches", [5, 4, 3, 3]), MATCHES),
    (set_value("caption", "matches", [5, 4, 3]), MATCHES),
    (set_value("caption", "one_matches", [5, 4, 3, 2, 1]), MATCHES),
    (all_of(set_value("caption", "matches", [5, 4, 2, 1]), set_value("caption", "one_matches", [5, 4, 2, 2])), MATCHES),
    (set_value("caption", "reference_words", 0), LENGTHS),
    (set_value("caption", "one_reference_words", 0), LENGTHS),
    (set_value("caption", "reference_words", 7), LENGTHS),
    (set_value("caption", "bleu", 0.5, row=2), BLEU),
    (set_value("caption", "bleu", -0.5), BLEU),
    (set_value("caption", "bleu", 1.5), BLEU),
    (set_value("caption", "bleu", INFINITE), BLEU),
    (set_value("caption", "tokens", ["a", "[SEP]"]), TOKENS),
    (set_value("caption", "token_probability", [0.5] * 7), TOKENS),
    (set_value("caption", "token_probability", [0.5, 0.5, 0.5, 0.5, 0.5, 1.5]), TOKENS),
    (set_value("caption", "token_probability", [0.5, 0.5, 0.5, 0.5, 0.5, -0.5]), TOKENS),
    (set_value("caption", "token_probability", [0.5, 0.5, 0.5, 0.5, 0.5, NAN]), TOKENS),
    (all_of(set_value("caption", "tokens", []), set_value("caption", "token_probability", [])), TOKENS),
    (set_value("caption", "seconds", -1.0), SECONDS),
    (set_value("caption", "seconds", INFINITE), SECONDS),
    (set_value("caption_score", "library", "mine"), SCORE),
    (set_value("caption_score", "against", "no reference"), SCORE),
    (set_value("caption_score", "bleu", 1.5, row=1), SCORE),
    (set_value("caption_score", "signature", ""), SCORE),
    (set_value("caption_score", "bleu", 0.88), ALL_SCORE),
    (set_value("caption_score", "bleu", 0.75, row=2), ONE_SCORE),
]

ROWS = "retrieval_rank: each caption of the run's data set must have its row with its image, and no other"
TO_TEXT = "retrieval_rank: image_to_text_rank must be the mean of the places that it shares with image_to_text_tied others"
TO_IMAGE = "retrieval_rank: text_to_image_rank must be the mean of the places that it shares with text_to_image_tied others"
COSINE = "retrieval_rank: similarity must be a cosine"
EPOCHS = "retrieval_epoch: epochs must count from 0 without a gap, each with both directions"
QUERIES = "retrieval_epoch: queries must be the images or the captions of the run's data set"
HITS = "retrieval_epoch: hits must not fall with more answers, nor be more than queries, and ranks must be at least 1"
TEXT_FIGURES = "retrieval_epoch: the last epoch's figures of image to text must follow from retrieval_rank"
IMAGE_FIGURES = "retrieval_epoch: the last epoch's figures of text to image must follow from retrieval_rank"
ANSWERS = "retrieval_answer: query and answers must be images and captions of the run's data set, by direction"
LARGEST_FIRST = "retrieval_answer: each answer must have its similarity, a cosine, the largest first"
SAME = "retrieval_answer: an image and its own caption must be as similar as in retrieval_rank"
# The same for the trial of fine-tuning: two rows an epoch for three epochs; first the answers for the four images, nine each.
# Of nine captions an image with two competes with eight, so its caption's rank is eight at most.
TAMPERED_RETRIEVAL: list[tuple[Tamper, str]] = [
    (repeat_row("retrieval_rank"), "retrieval_rank: rows differ though their run_id, caption_id are the same"),
    (repeat_row("retrieval_epoch"), "retrieval_epoch: rows differ though their run_id, epoch, direction are the same"),
    (repeat_row("retrieval_answer"), "retrieval_answer: rows differ though their run_id, direction, query are the same"),
    (set_value("retrieval_rank", "image_id", "x"), "retrieval_rank: image_id is not in the table image"),
    (set_value("retrieval_rank", "caption_id", "x"), "retrieval_rank: caption_id is not in the table image_caption"),
    (drop_row("retrieval_rank", 8), ROWS),
    (set_value("retrieval_rank", "image_id", IDS[1]), ROWS),
    (set_value("retrieval_rank", "image_to_text_rank", 0.5), TO_TEXT),
    (set_value("retrieval_rank", "image_to_text_rank", 1.5), TO_TEXT),
    (set_value("retrieval_rank", "image_to_text_rank", 1.25), TO_TEXT),
    (set_value("retrieval_rank", "image_to_text_rank", 9.0), TO_TEXT),
    (set_value("retrieval_rank", "image_to_text_rank", INFINITE), TO_TEXT),
    (set_value("retrieval_rank", "image_to_text_tied", 1), TO_TEXT),
    (set_value("retrieval_rank", "image_to_text_tied", -1), TO_TEXT),
    (set_value("retrieval_rank", "text_to_image_rank", 0.0), TO_IMAGE),
    (set_value("retrieval_rank", "text_to_image_rank", 5.0), TO_IMAGE),
    (
        all_of(set_value("retrieval_rank", "text_to_image_rank", 4.0), set_value("retrieval_rank", "text_to_image_tied", 2)),
        TO_IMAGE,
    ),
    (set_value("retrieval_rank", "similarity", 1.5), COSINE),
    (set_value("retrieval_rank", "similarity", INFINITE), COSINE),
    (drop_row("retrieval_epoch", 5), EPOCHS),
    (set_value("retrieval_epoch", "direction", "both"), EPOCHS),
    (all_of(drop_row("retrieval_epoch", 0), drop_row("retrieval_epoch", 0)), EPOCHS),
    (set_value("retrieval_epoch", "epoch", 7), EPOCHS),
    (set_value("retrieval_epoch", "queries", 9), QUERIES),
    (set_value("retrieval_epoch", "queries", 4, row=1), QUERIES),
    (set_value("retrieval_epoch", "hits_at_1", -1.0), HITS),
    (set_value("retrieval_epoch", "hits_at_1", 4.5), HITS),
    (set_value("retrieval_epoch", "hits_at_5", 4.5), HITS),
    (set_value("retrieval_epoch", "hits_at_10", 4.5), HITS),
    (set_value("retrieval_epoch", "hits_at_10", INFINITE), HITS),
    (set_value("retrieval_epoch", "median_rank", 0.5), HITS),
    (set_value("retrieval_epoch", "mean_rank", INFINITE), HITS),
    (set_value("retrieval_epoch", "hits_at_1", 3.5, row=4), TEXT_FIGURES),
    (set_value("retrieval_epoch", "median_rank", 1.5, row=4), TEXT_FIGURES),
    (set_value("retrieval_epoch", "mean_rank", 1.25, row=4), TEXT_FIGURES),
    (set_value("retrieval_epoch", "hits_at_1", 7.5, row=5), IMAGE_FIGURES),
    (set_value("retrieval_epoch", "hits_at_5", 8.5, row=5), IMAGE_FIGURES),
    (set_value("retrieval_epoch", "median_rank", 1.5, row=5), IMAGE_FIGURES),
    (set_value("retrieval_epoch", "mean_rank", 1.0, row=5), IMAGE_FIGURES),
    (set_value("retrieval_answer", "direction", "both"), ANSWERS),
    (set_value("retrieval_answer", "query", 5, row=3), ANSWERS),
    (set_value("retrieval_answer", "query", 0), ANSWERS),
    (set_value("retrieval_answer", "answers", [1, 2, 3, 4, 5, 6, 7, 8, 10]), ANSWERS),
    (set_value("retrieval_answer", "answers", [1, 2, 3, 4, 5, 6, 7, 8, 8]), ANSWERS),
    (set_value("retrieval_answer", "answers", [1, 2, 3, 4, 5, 6, 7, 8, 0]), ANSWERS),
    (set_value("retrieval_answer", "answers", [5], row=4), ANSWERS),
    (all_of(set_value("retrieval_answer", "answers", []), set_value("retrieval_answer", "similarities", [])), ANSWERS),
    (set_value("retrieval_answer", "similarities", [0.875]), LARGEST_FIRST),
    (set_value("retrieval_answer", "similarities", [0.25, 0.5, 0.75, 1], row=4), LARGEST_FIRST),
    (set_value("retrieval_answer", "similarities", [1.5, 0.5, 0.25, 0], row=4), LARGEST_FIRST),
    (set_value("retrieval_answer", "similarities", [1, 0.5, 0.25, -1.5], row=4), LARGEST_FIRST),
    (set_value("retrieval_answer", "similarities", [NAN, 0.5, 0.25, 0], row=4), LARGEST_FIRST),
    (set_value("retrieval_answer", "similarities", [0.75, 0.25, 0.125, 0.125], row=4), SAME),
    (set_value("retrieval_rank", "similarity", 0.75), SAME),
]  # fmt: skip
TAMPERED_CAPTIONS = [*TAMPERED_SAMPLING, *TAMPERED_RETRIEVAL]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A results file with one run of each experiment, and the folder of its pictures."""
    folder = tmp_path_factory.mktemp("captions")
    publish_sampling(folder, ("top20_t0.1",))
    return publish_retrieval(folder, ("evaluation",))


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_SAMPLING)
def test_a_check_on_captions_that_fails_leaves_the_file_as_it_was(
    published: tuple[Path, Path], tamper: Tamper, complaint: str
) -> None:
    results, images = published
    check_refused(results, images, sampling_tables(images, "greedy"), tamper, complaint)


@pytest.mark.parametrize(("tamper", "complaint"), TAMPERED_RETRIEVAL)
def test_a_check_on_retrieval_that_fails_leaves_the_file_as_it_was(
    published: tuple[Path, Path], tamper: Tamper, complaint: str
) -> None:
    results, images = published
    check_refused(results, images, retrieval_tables(images, "fine_tuned"), tamper, complaint)


def test_rows_are_those_that_were_given_and_go_with_their_run(tmp_path: Path) -> None:
    publish_sampling(tmp_path, ("greedy", "top20_t1.0"))
    results, images = publish_retrieval(tmp_path)
    found = counts(results)
    tables = ("image_caption", "caption", "caption_score", "retrieval_rank", "retrieval_epoch", "retrieval_answer")
    assert [found[table] for table in tables] == [9, 12, 12, 27, 14, 39]
    assert query(results, "SELECT text, words, matches, bleu FROM caption WHERE run_id = 'run-greedy-0' AND ordinal = 2") == [
        ("a red bus", 3, [3, 2, 1, 0], pytest.approx(0.1**0.25))
    ]
    ties = "SELECT text_to_image_rank, text_to_image_tied FROM retrieval_rank JOIN image_caption USING (caption_id)"
    assert query(results, f"{ties} WHERE run_id = 'run-evaluation' AND position IN (7, 9)") == [(1.5, 1), (1.5, 1)]
    again = retrieval_tables(images, "evaluation")
    again = {table: rows.assign(run_id="again") if "run_id" in rows else rows for table, rows in again.items()}
    publish(results, images, again)
    assert query(results, "SELECT DISTINCT run_id FROM retrieval_rank ORDER BY ALL") == [
        ("again",), ("run-fine_tuned",), ("run-random_lr1e-3",),
    ]  # fmt: skip
    assert counts(results) == found


def test_a_run_may_lack_any_of_the_tables_that_stand_beside_others(tmp_path: Path) -> None:
    results, images = publish_sampling(tmp_path, ("greedy",), without=("caption_score",))
    publish_retrieval(tmp_path, ("fine_tuned",), without=("retrieval_rank", "retrieval_answer"))
    tables = retrieval_tables(images, "evaluation")
    del tables["retrieval_epoch"]
    publish(results, images, tables)
    assert query(results, "SELECT count(*) FROM run") == [(3,)]


def test_figures_by_hand(tmp_path: Path) -> None:
    publish_sampling(tmp_path)
    results, _ = publish_retrieval(tmp_path, reported=True)
    [(all_references,), (one_reference,)] = query(
        results, "SELECT bleu FROM caption_score WHERE run_id = 'run-greedy-0' AND library = 'nltk' ORDER BY against"
    )
    precisions = (18 / 19 * 14 / 15 * 10 / 11 * 6 / 8) ** 0.25
    assert (all_references, one_reference) == pytest.approx((precisions, precisions * 2.718281828 ** (1 - 22 / 19)))
    rows = query(
        results,
        "SELECT queries, hits_at_1, hits_at_5, median_rank, mean_rank FROM retrieval_epoch WHERE run_id = 'run-evaluation'",
    )
    assert rows == [(4, 3.0, 4.0, 1.0, 5.5 / 4), (9, 8.0, 9.0, 1.0, pytest.approx(10 / 9))]
    # Untrained, picture 3 is as similar to all captions: its best one shares the places 1 to 8 with seven others.
    assert query(
        results, "SELECT hits_at_1 FROM retrieval_epoch WHERE run_id = 'run-random_lr1e-3' AND epoch = 0 ORDER BY direction"
    ) == [(pytest.approx(1 / 8),), (1.0,)]
    assert query(results, "SELECT count(*) FROM reference_result") == [(sum(map(len, caption_rows.REPORTED.values())),)]
