"""The SQL of the page caption_sampling: a function each, from `Results` to a DataFrame."""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

EXPERIMENT = "caption_sampling"
REPORTED_METRIC = "BLEU in percent"
ORDERS = range(1, 5)
# What bleu.WORD finds, in the words of DuckDB's regular expressions.
WORD = r"[\p{L}\p{N}_]+(?:['’-][\p{L}\p{N}_]+)*|[^\p{L}\p{N}_\s]"
# How the last token says that the caption came to its end.
END_TOKEN = r"\[.*\]|<.*>"


@kept
def sampling_runs(results: Results) -> pandas.DataFrame:
    """The latest run of each setting and seed for each data set, profile and settings, the newest first."""
    return results.query(
        """SELECT run_id, variant, profile, dataset, seed, settings::VARCHAR AS settings_text, device, threads, weights,
                  started_at, coalesce(name, '') AS dataset_name, labels, val_images
           FROM run JOIN dataset USING (dataset) WHERE experiment = $experiment
           QUALIFY row_number() OVER (
               PARTITION BY dataset, profile, settings_text, variant, seed ORDER BY started_at DESC, run_id) = 1
           ORDER BY started_at DESC, run_id""",
        experiment=EXPERIMENT,
    )


@kept
def caption_counts(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """N-gram counts of every caption that has all of them, ordered by run and picture.

    Columns run_id, image_id, ordinal, all_1 to all_4 (matches with any reference), one_1 to one_4 (with the first), total_1 to
    total_4, words, reference_words, one_reference_words.
    """
    lists = {"all": "matches", "one": "one_matches", "total": "totals"}
    columns = ", ".join(f"{column}[{order}] AS {name}_{order}" for name, column in lists.items() for order in ORDERS)
    whole = " AND ".join(f"list_count({column}) = 4 AND len({column}) = 4" for column in lists.values())
    return results.query(
        f"""SELECT run_id, image_id, ordinal, {columns}, words, reference_words, one_reference_words FROM caption
            WHERE list_contains($run_ids, run_id) AND {whole}
              AND words IS NOT NULL AND reference_words IS NOT NULL AND one_reference_words IS NOT NULL
            ORDER BY run_id, ordinal, image_id""",
        run_ids=list(run_ids),
    )


@kept
def caption_facts(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """What the captions of each run are like, as a whole.

    Columns run_id, captions, length (words of a caption, mean), vocabulary (different words in all captions), all_words (words
    in all captions), seconds (for a caption, mean), cut_off (share whose last token is no end).
    """
    return results.query(
        """WITH own AS (SELECT * FROM caption WHERE list_contains($run_ids, run_id)),
               split AS (SELECT run_id, unnest(regexp_extract_all(lower(text), $word)) AS word FROM own),
               vocabularies AS (SELECT run_id, count(DISTINCT word) AS vocabulary, count(*) AS all_words
                                FROM split GROUP BY run_id)
           SELECT run_id, count(*) AS captions, avg(words) AS length, coalesce(any_value(vocabulary), 0) AS vocabulary,
                  coalesce(any_value(all_words), 0) AS all_words,
                  avg(seconds) FILTER (isfinite(seconds) AND seconds >= 0) AS seconds,
                  avg((NOT regexp_full_match(tokens[-1], $end_token))::INTEGER) AS cut_off
           FROM own LEFT JOIN vocabularies USING (run_id) GROUP BY run_id ORDER BY run_id""",
        run_ids=list(run_ids),
        word=WORD,
        end_token=END_TOKEN,
    )


@kept
def different_captions(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """How many different captions some runs, of one setting, have of each picture: image_id, ordinal, different, captions."""
    return results.query(
        """SELECT image_id, min(ordinal) AS ordinal, count(DISTINCT text) AS different, count(*) AS captions FROM caption
           WHERE list_contains($run_ids, run_id) GROUP BY image_id ORDER BY ordinal, image_id""",
        run_ids=list(run_ids),
    )


@kept
def stored_scores(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Corpus BLEU of each run as the libraries gave it: run_id, library, against, bleu, signature."""
    return results.query(
        """SELECT run_id, library, against, bleu, signature FROM caption_score
           WHERE list_contains($run_ids, run_id) AND isfinite(bleu) ORDER BY run_id, library, against""",
        run_ids=list(run_ids),
    )


@kept
def run_captions(results: Results, run_id: str) -> pandas.DataFrame:
    """Every caption of one run by image_id: text, words."""
    return results.query(
        "SELECT image_id, text, words FROM caption WHERE run_id = $run_id ORDER BY ordinal, image_id", run_id=run_id
    ).set_index("image_id")


@kept
def references(results: Results, dataset: str) -> pandas.DataFrame:
    """What people, or a world that was drawn, say of each picture of a data set: image_id, texts (in their order)."""
    return results.query(
        """SELECT image_id, list(text ORDER BY ordinal, caption_id) AS texts FROM image_caption
           WHERE dataset = $dataset GROUP BY image_id""",
        dataset=dataset,
    )


@kept
def captioned_pictures(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Pictures that any of some runs has a caption of: image_id, ordinal, photo, width, height."""
    return results.query(
        """SELECT image_id, ordinal, path AS photo, width, height FROM image
           WHERE image_id IN (SELECT image_id FROM caption WHERE list_contains($run_ids, run_id)) ORDER BY ordinal, image_id""",
        run_ids=list(run_ids),
    )


def picture_captions(results: Results, run_ids: tuple[str, ...], image_id: str) -> pandas.DataFrame:
    """The captions that some runs have of one picture: run_id, tokens, token_probability."""
    return results.query(
        """SELECT run_id, tokens, token_probability FROM caption
           WHERE list_contains($run_ids, run_id) AND image_id = $image_id ORDER BY run_id""",
        run_ids=list(run_ids),
        image_id=image_id,
    )


@kept
def reported_results(results: Results) -> pandas.DataFrame:
    """BLEU in percent of each setting in a report that the owner of the results has added: variant, value, source."""
    return results.query(
        """SELECT variant, value, source FROM reference_result
           WHERE experiment = $experiment AND metric = $metric AND isfinite(value) ORDER BY variant, value""",
        experiment=EXPERIMENT,
        metric=REPORTED_METRIC,
    )
