"""What must hold of the rows on captions and retrieval before they may enter `results.duckdb`.

Each check is what it says when it fails, and a query that counts the offending rows of `$run_id`.
"""

_DIRECTIONS = "('image to text', 'text to image')"
_LARGEST_COSINE = 1.0001  # a unit vector's product with itself, rounded
# The run's data set: its images with the count of their captions, and its captions.
_IMAGES = """(SELECT image.image_id, image.ordinal, captions FROM image JOIN run USING (dataset) LEFT JOIN (
                  SELECT image_id, count(*) AS captions FROM image_caption GROUP BY image_id) USING (image_id)
              WHERE run_id = $run_id AND split = 'val')"""
_CAPTIONS = """(SELECT c.* FROM image_caption c JOIN run USING (dataset) WHERE run_id = $run_id)"""


def _bleu(matches: str, totals: str, words: str, reference_words: str, none: float) -> str:
    """BLEU as nltk has it, from four matches and totals each; `none` stands for no match at all of a length."""
    precisions = [
        f"ln(CASE {matches.format(n)} WHEN 0 THEN {none!r} ELSE {matches.format(n)}::DOUBLE END / {totals.format(n)})"
        for n in range(1, 5)
    ]
    return f"""CASE WHEN {matches.format(1)} = 0 THEN 0 ELSE
                   exp(least(1 - {reference_words}::DOUBLE / {words}, 0) + ({" + ".join(precisions)}) / 4) END"""


def _score(against: str, matches: str, reference_words: str) -> tuple[str, str]:
    """A check on a run's corpus BLEU: a caption of fewer words than n counts for nltk as one n-gram that no reference has."""
    sums = ", ".join(
        f"sum({matches}[{n}])::DOUBLE AS matches_{n}, sum(greatest(totals[{n}], 1))::DOUBLE AS totals_{n}" for n in range(1, 5)
    )
    computed = _bleu("matches_{}", "totals_{}", "words", "reference_words", none=1e-300)
    return (
        f"caption_score: nltk's BLEU against {against} must follow from the counts of caption",
        f"""SELECT count(*) FROM caption_score, (
                SELECT sum(words)::DOUBLE AS words, sum({reference_words})::DOUBLE AS reference_words, {sums}
                FROM caption WHERE run_id = $run_id HAVING count(*) > 0)
            WHERE run_id = $run_id AND library = 'nltk' AND against = '{against}' AND NOT abs(bleu - ({computed})) < 1e-6""",
    )


def _ranks(direction: str, candidates: str) -> tuple[str, str]:
    """A check on one direction's ranks: the first of the places that are shared, and the last one."""
    rank, tied = f"{direction}_rank", f"{direction}_tied"
    return (
        f"retrieval_rank: {rank} must be the mean of the places that it shares with {tied} others, within the candidates",
        f"""SELECT count(*) FROM retrieval_rank JOIN {_IMAGES} USING (image_id)
            WHERE run_id = $run_id AND NOT (
                {tied} >= 0 AND isfinite({rank}) AND {rank} - {tied} / 2 >= 1 AND {rank} + {tied} / 2 <= {candidates}
                AND {rank} - {tied} / 2 = floor({rank} - {tied} / 2))""",
    )


def _agreement(direction: str, queries: str) -> tuple[str, str]:
    """A check on one direction's figures after the last epoch; `queries` gives each query's rank and tied."""
    hits = ", ".join(f"sum(greatest(0, least({k} - first + 1, tied + 1)) / (tied + 1)) AS at_{k}" for k in (1, 5, 10))
    return (
        f"retrieval_epoch: the last epoch's figures of {direction} must follow from retrieval_rank",
        f"""SELECT count(*) FROM retrieval_epoch, (
                SELECT count(*) AS found, {hits}, median(rank) AS middle, avg(rank) AS mean
                FROM (SELECT rank, tied, rank - tied / 2 AS first FROM ({queries})) HAVING count(*) > 0)
            WHERE run_id = $run_id AND direction = '{direction}'
              AND epoch = (SELECT max(epoch) FROM retrieval_epoch WHERE run_id = $run_id)
              AND NOT (queries = found AND abs(hits_at_1 - at_1) <= 1e-6 * found AND abs(hits_at_5 - at_5) <= 1e-6 * found
                       AND abs(hits_at_10 - at_10) <= 1e-6 * found AND abs(median_rank - middle) <= 1e-6 * middle
                       AND abs(mean_rank - mean) <= 1e-6 * mean)""",
    )


_DATA_CHECKS = (
    (
        "image_caption: text must not be empty",
        "SELECT count(*) FROM image_caption WHERE trim(text) = ''",
    ),
    (
        "image_caption: dataset must be the image's, and the image a validation image",
        """SELECT count(*) FROM image_caption c JOIN image USING (image_id)
           WHERE c.dataset <> image.dataset OR image.split <> 'val'""",
    ),
    (
        "image_caption: an image's ordinals must count from 1 without a gap, and a data set's positions in the images' order",
        """SELECT count(*) FROM (
               SELECT c.ordinal, position, row_number() OVER (PARTITION BY image_id ORDER BY c.ordinal) AS nth_of_image,
                      row_number() OVER (PARTITION BY image.dataset ORDER BY image.ordinal, c.ordinal) AS nth
               FROM image_caption c JOIN image USING (image_id))
           WHERE ordinal <> nth_of_image OR position <> nth""",
    ),
)

_CAPTION_CHECKS = (
    (
        "caption: each validation image of the run's data set must have its row, and no other image",
        f"""SELECT count(*) FROM (SELECT image_id FROM caption WHERE run_id = $run_id) c
            FULL JOIN (SELECT image_id FROM {_IMAGES}) i USING (image_id)
            WHERE (c.image_id IS NULL OR i.image_id IS NULL) AND EXISTS (SELECT 1 FROM caption WHERE run_id = $run_id)""",
    ),
    (
        "caption: ordinal must be the image's, and reference the first of its captions",
        """SELECT count(*) FROM caption c JOIN image USING (image_id)
           LEFT JOIN (FROM image_caption WHERE ordinal = 1) first USING (image_id)
           WHERE run_id = $run_id AND (c.ordinal, reference) IS DISTINCT FROM (image.ordinal, first.text)""",
    ),
    (
        "caption: text must be in lower case",
        "SELECT count(*) FROM caption WHERE run_id = $run_id AND text <> lower(text)",
    ),
    (
        "caption: totals must be the n-grams of so many words, and distinct_words at most words",
        """SELECT count(*) FROM caption
           WHERE run_id = $run_id AND NOT (
               totals = [greatest(words::INTEGER - n + 1, 0) for n in range(1, 5)]
               AND distinct_words BETWEEN least(words, 1) AND words)""",
    ),
    (
        "caption: matches must be four counts of at most totals, and one_matches of at most matches",
        """SELECT count(*) FROM caption
           WHERE run_id = $run_id AND NOT (
               len(matches) = 4 AND len(one_matches) = 4 AND len(totals) = 4
               AND len([n for n in range(1, 5) if matches[n] <= totals[n] AND one_matches[n] <= matches[n]]) = 4)""",
    ),
    (
        "caption: reference_words must be above 0, and at least as near to words as one_reference_words",
        """SELECT count(*) FROM caption
           WHERE run_id = $run_id AND NOT (
               reference_words > 0 AND one_reference_words > 0
               AND abs(reference_words::INTEGER - words) <= abs(one_reference_words::INTEGER - words))""",
    ),
    (
        "caption: bleu must be 0 to 1 and follow from matches, totals, words and reference_words",
        f"""SELECT count(*) FROM caption
            WHERE run_id = $run_id AND NOT (bleu BETWEEN 0 AND 1.000001 AND abs(bleu - ({
            _bleu("matches[{}]", "greatest(totals[{}], 1)", "words", "reference_words", none=0.1)
        })) < 1e-6)""",
    ),
    (
        "caption: each token must have its probability, 0 to 1, and there must be at least one",
        """SELECT count(*) FROM caption
           WHERE run_id = $run_id AND NOT (
               len(tokens) > 0 AND list_count(tokens) = len(tokens) AND list_count(token_probability) = len(tokens)
               AND len(token_probability) = len(tokens) AND list_min(token_probability) >= 0
               AND list_max(token_probability) <= 1.0001)""",
    ),
    (
        "caption: seconds must be finite and not negative",
        "SELECT count(*) FROM caption WHERE run_id = $run_id AND NOT (isfinite(seconds) AND seconds >= 0)",
    ),
    (
        "caption_score: bleu must be 0 to 1, of 'nltk' or 'sacrebleu', against 'one reference' or 'all references'",
        """SELECT count(*) FROM caption_score
           WHERE run_id = $run_id AND NOT (bleu BETWEEN 0 AND 1.000001 AND library IN ('nltk', 'sacrebleu')
                                           AND against IN ('one reference', 'all references') AND signature <> '')""",
    ),
    _score("all references", "matches", "reference_words"),
    _score("one reference", "one_matches", "one_reference_words"),
)

_RETRIEVAL_CHECKS = (
    (
        "retrieval_rank: each caption of the run's data set must have its row with its image, and no other",
        f"""SELECT count(*) FROM (SELECT caption_id, image_id FROM retrieval_rank WHERE run_id = $run_id) r
            FULL JOIN (SELECT caption_id, image_id FROM {_CAPTIONS}) c USING (caption_id)
            WHERE r.image_id IS DISTINCT FROM c.image_id AND EXISTS (SELECT 1 FROM retrieval_rank WHERE run_id = $run_id)""",
    ),
    _ranks("image_to_text", f"(SELECT count(*) FROM {_CAPTIONS}) - captions + 1"),
    _ranks("text_to_image", f"(SELECT count(*) FROM {_IMAGES})"),
    (
        "retrieval_rank: similarity must be a cosine",
        f"""SELECT count(*) FROM retrieval_rank
            WHERE run_id = $run_id AND NOT (isfinite(similarity) AND abs(similarity) <= {_LARGEST_COSINE})""",
    ),
    (
        "retrieval_epoch: epochs must count from 0 without a gap, each with both directions",
        f"""SELECT count(*) FROM (
                SELECT epoch, count(*) FILTER (direction IN {_DIRECTIONS}) AS known, count(*) AS directions,
                       row_number() OVER (ORDER BY epoch) - 1 AS place
                FROM retrieval_epoch WHERE run_id = $run_id GROUP BY epoch)
            WHERE known <> 2 OR directions <> 2 OR epoch <> place""",
    ),
    (
        "retrieval_epoch: queries must be the images or the captions of the run's data set",
        f"""SELECT count(*) FROM retrieval_epoch
            WHERE run_id = $run_id AND queries <> CASE direction WHEN 'image to text' THEN (SELECT count(*) FROM {_IMAGES})
                                                  ELSE (SELECT count(*) FROM {_CAPTIONS}) END""",
    ),
    (
        "retrieval_epoch: hits must not fall with more answers, nor be more than queries, and ranks must be at least 1",
        """SELECT count(*) FROM retrieval_epoch
           WHERE run_id = $run_id AND NOT (
               0 <= hits_at_1 AND hits_at_1 <= hits_at_5 + 1e-6 AND hits_at_5 <= hits_at_10 + 1e-6
               AND hits_at_10 <= queries + 1e-6 AND isfinite(median_rank) AND median_rank >= 1
               AND isfinite(mean_rank) AND mean_rank >= 1)""",
    ),
    _agreement(
        "image to text",
        """SELECT min(image_to_text_rank)::DOUBLE AS rank, arg_min(image_to_text_tied, image_to_text_rank) AS tied
           FROM retrieval_rank WHERE run_id = $run_id GROUP BY image_id""",
    ),
    _agreement(
        "text to image",
        """SELECT text_to_image_rank::DOUBLE AS rank, text_to_image_tied AS tied
           FROM retrieval_rank WHERE run_id = $run_id""",
    ),
    (
        "retrieval_answer: query and answers must be images and captions of the run's data set, by direction",
        f"""SELECT count(*) FROM retrieval_answer, (SELECT count(*) AS images FROM {_IMAGES}),
                                                   (SELECT count(*) AS captions FROM {_CAPTIONS})
            WHERE run_id = $run_id AND NOT (
                direction IN {_DIRECTIONS} AND list_count(answers) = len(answers) AND list_unique(answers) = len(answers)
                AND len(answers) BETWEEN 1 AND 10 AND list_min(answers) >= 1 AND query >= 1
                AND CASE direction WHEN 'image to text' THEN query <= images AND list_max(answers) <= captions
                    ELSE query <= captions AND list_max(answers) <= images END)""",
    ),
    (
        "retrieval_answer: each answer must have its similarity, a cosine, the largest first",
        f"""SELECT count(*) FROM retrieval_answer
            WHERE run_id = $run_id AND NOT (
                len(similarities) = len(answers) AND list_count(similarities) = len(similarities)
                AND similarities = list_reverse_sort(similarities)
                AND list_max(similarities) <= {_LARGEST_COSINE} AND list_min(similarities) >= -{_LARGEST_COSINE})""",
    ),
    (
        "retrieval_answer: an image and its own caption must be as similar as in retrieval_rank",
        f"""SELECT count(*) FROM (
                SELECT CASE direction WHEN 'image to text' THEN query ELSE answer END AS ordinal,
                       CASE direction WHEN 'image to text' THEN answer ELSE query END AS position, similarity
                FROM (SELECT direction, query, unnest(answers) AS answer, unnest(similarities) AS similarity
                      FROM retrieval_answer WHERE run_id = $run_id)) given
            JOIN {_CAPTIONS} c USING (position)
            JOIN image ON image.image_id = c.image_id AND image.ordinal = given.ordinal
            JOIN retrieval_rank r ON r.caption_id = c.caption_id AND r.run_id = $run_id
            WHERE abs(given.similarity - r.similarity) > 1e-4""",
    ),
)

CAPTION_CHECKS: tuple[tuple[str, str], ...] = (*_DATA_CHECKS, *_CAPTION_CHECKS, *_RETRIEVAL_CHECKS)
