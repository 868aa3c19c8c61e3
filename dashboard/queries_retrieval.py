"""The SQL of the page image_text_retrieval: a function each, from `Results` to a DataFrame.

A rank that is no number of at least 1 counts nowhere; `rank_signatures` tells whose runs hold such. Texts come cut to what can
be shown.
"""

from collections.abc import Sequence

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

EXPERIMENT = "image_text_retrieval"
DIRECTIONS = ("image to text", "text to image")
LONGEST_TEXT = 600
MOST_MARKS = 1500  # beyond it pairs of ranks share a mark
CELLS_PER_DECADE = 16
# Of a list of queries; shared places count by their mean.
ORDERS = {"wrong first": "rank DESC, number", "right first": "rank, number", "number": "number"}
ABOVE = "{0}_rank - 1 - {0}_tied / 2"
VALID = " AND ".join(
    f"isfinite({column}_rank) AND {column}_tied >= 0 AND {ABOVE.format(column)} >= 0"
    for column in ("image_to_text", "text_to_image")
)
# A caption's words, each between spaces.
WORDS = r"' ' || regexp_replace(lower(left(text, 2000)), '[^\p{L}\p{N}]+', ' ', 'g') || ' '"


@kept
def retrieval_runs(results: Results) -> pandas.DataFrame:
    """The latest run of each variant and seed for each data set and profile, the newest first."""
    return results.query(
        """SELECT run_id, variant, profile, dataset, seed, settings::VARCHAR AS settings_text, device, started_at, weights,
                  coalesce(name, '') AS dataset_name, labels, train_images, val_images,
                  try_cast(settings ->> 'learning_rate' AS DOUBLE) AS learning_rate,
                  try_cast(settings ->> 'weight_decay' AS DOUBLE) AS weight_decay,
                  try_cast(settings ->> 'temperature' AS DOUBLE) AS temperature,
                  try_cast(settings ->> 'epochs' AS INTEGER) AS epochs,
                  try_cast(settings ->> 'batch_size' AS INTEGER) AS batch_size,
                  coalesce(left(settings ->> 'start', 40), '') AS start
           FROM run JOIN dataset USING (dataset) WHERE experiment = $experiment
           QUALIFY row_number() OVER (PARTITION BY dataset, profile, variant, seed ORDER BY started_at DESC, run_id) = 1
           ORDER BY started_at DESC, run_id""",
        experiment=EXPERIMENT,
    )


@kept
def rank_signatures(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """What each run ranked: run_id, captions, images, signature (equal where the captions are), invalid (rows)."""
    return results.query(
        f"""SELECT run_id, count(*) AS captions, count(DISTINCT image_id) AS images,
                   bit_xor(hash(image_id, caption_id))::VARCHAR AS signature,
                   count_if(NOT coalesce({VALID}, false)) AS invalid
            FROM retrieval_rank WHERE list_contains($run_ids, run_id) GROUP BY run_id ORDER BY run_id""",
        run_ids=list(run_ids),
    )


@kept
def caption_places(results: Results, run_id: str) -> pandas.DataFrame:
    """Places of each caption's pair, captions in a fixed order: image (from 0), and above and tied each way.

    Columns image, text_above, text_tied (image to text), image_above, image_tied (text to image).
    """
    return results.query(
        f"""SELECT dense_rank() OVER (ORDER BY image_id)::INTEGER - 1 AS image,
                   {ABOVE.format("image_to_text")} AS text_above, image_to_text_tied AS text_tied,
                   {ABOVE.format("text_to_image")} AS image_above, text_to_image_tied AS image_tied
            FROM retrieval_rank WHERE run_id = $run_id AND {VALID} ORDER BY image_id, caption_id""",
        run_id=run_id,
    )


@kept
def epoch_scores(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """R@1 after each epoch of each run, 0 to 1: run_id, epoch, direction, queries, recall_1."""
    return results.query(
        """SELECT run_id, epoch, direction, queries, hits_at_1 / queries AS recall_1 FROM retrieval_epoch
           WHERE list_contains($run_ids, run_id) AND queries > 0 AND hits_at_1 BETWEEN 0 AND queries
           ORDER BY run_id, direction, epoch""",
        run_ids=list(run_ids),
    )


# The queries of a run with their answer's place; an image counts with its most similar caption, the one with the fewest above.
QUERIES = {
    "text to image": f"""
        SELECT c.position AS number, r.image_id, {ABOVE.format("text_to_image")} AS above, text_to_image_tied AS tied
        FROM retrieval_rank r JOIN image_caption c USING (caption_id) WHERE run_id = $run_id AND {VALID}""",
    "image to text": f"""
        SELECT any_value(i.ordinal) AS number, image_id, best.above AS above, best.tied AS tied
        FROM (SELECT image_id, min({{'above': {ABOVE.format("image_to_text")}, 'tied': image_to_text_tied}}) AS best
              FROM retrieval_rank WHERE run_id = $run_id AND {VALID} GROUP BY image_id) JOIN image i USING (image_id)
        GROUP BY image_id, best""",
}


def ranked_queries(
    results: Results, run_id: str, direction: str, order: str, limit: int, offset: int, words: Sequence[str] = ()
) -> pandas.DataFrame:
    """A page of a run's queries in one of ORDERS: number, image_id, above, tied, rank, shared, exact.

    With `words`, only queries of whose captions one has some of them, each as the beginning of a word; those with the most
    first, and `exact` where a caption has all. `number` is image_caption.position or image.ordinal, by direction.
    """
    found = "SELECT *, 0 AS shared, true AS exact FROM queries"
    first = ""
    if words:
        column = "c.position" if direction == "text to image" else "c.image_id"
        key = "number" if direction == "text to image" else "image_id"
        found = f"""
            SELECT q.*, shared, shared = len($words) AS exact FROM queries q JOIN (
                SELECT {column} AS key, max(len(list_filter($words, lambda word: contains({WORDS}, ' ' || word)))) AS shared
                FROM image_caption c WHERE c.image_id IN (SELECT image_id FROM queries) GROUP BY key) s ON s.key = q.{key}
            WHERE shared > 0"""
        first = "shared DESC, "
    parameters = {"words": list(words)} if words else {}
    return results.query(
        f"""WITH queries AS ({QUERIES[direction]}), found AS ({found})
            SELECT *, 1 + above + tied / 2 AS rank, count(*) OVER () AS total, count_if(exact) OVER () AS exact_total
            FROM found ORDER BY {first}{ORDERS[order]}, image_id LIMIT $limit OFFSET $offset""",
        run_id=run_id,
        limit=limit,
        offset=offset,
        **parameters,
    )


def found_query(results: Results, run_id: str, direction: str, number: int) -> pandas.DataFrame:
    """One query of a run by its number, as in `ranked_queries`; empty where there is none."""
    return results.query(
        f"""WITH queries AS ({QUERIES[direction]})
            SELECT *, 1 + above + tied / 2 AS rank FROM queries WHERE number = $number ORDER BY image_id LIMIT 1""",
        run_id=run_id,
        number=number,
    )


def answers(results: Results, run_id: str, direction: str, query: int) -> pandas.DataFrame:
    """A query's first answers in their order: place (from 1), answer (position or ordinal), similarity."""
    return results.query(
        """SELECT unnest(range(1, len(answers) + 1)) AS place, unnest(answers) AS answer,
                  unnest(similarities)::DOUBLE AS similarity
           FROM (SELECT list_slice(answers, 1, 10) AS answers, list_slice(similarities, 1, 10) AS similarities
                 FROM retrieval_answer WHERE run_id = $run_id AND direction = $direction AND query = $query
                   AND len(answers) = len(similarities) LIMIT 1)
           ORDER BY place""",
        run_id=run_id,
        direction=direction,
        query=query,
    )


def pictures(results: Results, run_id: str, ordinals: Sequence[int] = (), image_ids: Sequence[str] = ()) -> pandas.DataFrame:
    """Pictures that a run ranked, by their numbers or names: image_id, ordinal, path, width, height."""
    return results.query(
        """SELECT image_id, ordinal, path, width, height FROM image
           WHERE (list_contains($ordinals, ordinal) OR list_contains($image_ids, image_id))
             AND image_id IN (SELECT image_id FROM retrieval_rank WHERE run_id = $run_id) ORDER BY ordinal, image_id""",
        run_id=run_id,
        ordinals=list(ordinals),
        image_ids=list(image_ids),
    )


def captions(results: Results, run_id: str, positions: Sequence[int] = (), image_ids: Sequence[str] = ()) -> pandas.DataFrame:
    """Captions that a run ranked, by their positions or their pictures, with their places there.

    Columns position, caption_id, image_id, ordinal (among the picture's), text, similarity, text_rank and image_rank.
    """
    return results.query(
        f"""SELECT position, caption_id, c.image_id, c.ordinal, left(text, {LONGEST_TEXT}) AS text,
                   similarity::DOUBLE AS similarity,
                   image_to_text_rank::DOUBLE AS text_rank, text_to_image_rank::DOUBLE AS image_rank
            FROM image_caption c JOIN retrieval_rank r USING (caption_id)
            WHERE run_id = $run_id AND (list_contains($positions, position) OR list_contains($image_ids, c.image_id))
            ORDER BY position, caption_id""",
        run_id=run_id,
        positions=list(positions),
        image_ids=list(image_ids),
    )


SHIFTED = """
    WITH a AS ({query_a}), b AS ({query_b}),
    pair AS (SELECT a.number, a.image_id, 1 + a.above + a.tied / 2 AS rank_a, 1 + b.above + b.tied / 2 AS rank_b
             FROM a JOIN b ON a.number = b.number AND a.image_id = b.image_id)"""


def _shifted(direction: str) -> str:
    return SHIFTED.format(
        query_a=QUERIES[direction].replace("$run_id", "$run_a"), query_b=QUERIES[direction].replace("$run_id", "$run_b")
    )


@kept
def rank_pairs(results: Results, run_a: str, run_b: str, direction: str) -> pandas.DataFrame:
    """How many queries have which rank in A and in B: rank_a, rank_b, queries; near ones together where they are too many."""
    cell = f"10 ** (round(log10({{}}) * {CELLS_PER_DECADE}) / {CELLS_PER_DECADE})"
    return results.query(
        f"""{_shifted(direction)},
            pairs AS (SELECT rank_a, rank_b, count(*) AS queries FROM pair GROUP BY ALL)
            SELECT CASE WHEN many THEN {cell.format("rank_a")} ELSE rank_a END AS rank_a,
                   CASE WHEN many THEN {cell.format("rank_b")} ELSE rank_b END AS rank_b, sum(queries)::BIGINT AS queries,
                   any_value(many) AS many
            FROM (SELECT *, count(*) OVER () > {MOST_MARKS} AS many FROM pairs) GROUP BY 1, 2 ORDER BY 1, 2""",
        run_a=run_a,
        run_b=run_b,
    )


def most_shifted(results: Results, run_a: str, run_b: str, direction: str, gained: bool, limit: int) -> pandas.DataFrame:
    """Queries whose rank in B is the smallest (or largest) share of that in A: number, image_id, rank_a, rank_b."""
    sign, way = ("<", "ASC") if gained else (">", "DESC")
    return results.query(
        f"""{_shifted(direction)} SELECT number, image_id, rank_a, rank_b FROM pair WHERE rank_b {sign} rank_a
            ORDER BY rank_b / rank_a {way}, number, image_id LIMIT $limit""",
        run_a=run_a,
        run_b=run_b,
        limit=limit,
    )


@kept
def reported_results(results: Results) -> pandas.DataFrame:
    """The figures of the report that the experiment reproduces: variant, metric, value, source."""
    return results.query(
        """SELECT variant, metric, value, source FROM reference_result
           WHERE experiment = $experiment AND isfinite(value) ORDER BY variant, metric""",
        experiment=EXPERIMENT,
    )
