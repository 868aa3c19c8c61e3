"""SQL that sets runs beside each other: figures of whatever tables hold their rows, common pictures, and one class of them."""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

MOST_FIGURES = 60  # of one table
LONGEST_TEXT = 40
# By table, the figures of its rows. Each query gives run_id, figure (in words, with its unit), value, digits (after the point).
FIGURES = {
    "segmentation_score": """
        WITH pooled AS (
            SELECT run_id, class_id, sum(intersection) AS i, sum(predicted) AS p, sum(truth) AS t FROM segmentation_score s
            WHERE list_contains($run_ids, run_id)
              AND epoch = (SELECT max(epoch) FROM segmentation_score e WHERE e.run_id = s.run_id) GROUP BY ALL)
        SELECT run_id, 'Mean IoU, pooled', avg(i / (p + t - i)) FILTER (p + t > 0), 3 FROM pooled GROUP BY run_id""",
    "foreground_score": """
        SELECT run_id, 'The notebook’s foreground IoU', avg(intersection / nullif(union_pixels, 0)), 3 FROM foreground_score f
        WHERE list_contains($run_ids, run_id)
          AND epoch = (SELECT max(epoch) FROM foreground_score e WHERE e.run_id = f.run_id) GROUP BY run_id""",
    "boundary_score": """
        SELECT run_id, 'Right pixels, ' || left(band, $longest) || ' px from a boundary (%)', 100 * sum(correct) / sum(total), 1
        FROM boundary_score WHERE list_contains($run_ids, run_id) GROUP BY run_id, band
        ORDER BY band LIKE 'over%', try_cast(split_part(band, '-', 1) AS INTEGER)""",
    "hidden_score": """
        SELECT run_id, 'Hidden pixels called by what is hidden (%)', 100 * sum(as_hidden) / nullif(sum(hidden), 0), 1
        FROM hidden_score WHERE list_contains($run_ids, run_id) GROUP BY run_id""",
    "training_step": """
        SELECT run_id, 'Mean training loss in the last epoch', avg(loss), 4 FROM training_step t
        WHERE list_contains($run_ids, run_id)
          AND epoch = (SELECT max(epoch) FROM training_step e WHERE e.run_id = t.run_id) GROUP BY run_id""",
    "prediction": """
        SELECT run_id, 'Top-1 accuracy (%)', 100 * avg((label_rank = 1)::INTEGER), 1 FROM prediction
        WHERE list_contains($run_ids, run_id) AND label_rank IS NOT NULL GROUP BY run_id
        UNION ALL SELECT run_id, 'Top-5 accuracy (%)', 100 * avg((label_rank <= 5)::INTEGER), 1 FROM prediction
        WHERE list_contains($run_ids, run_id) AND label_rank IS NOT NULL GROUP BY run_id""",
    "precision_drift": """
        SELECT other_run_id AS run_id, 'First answers other than fp32’s (%)', 100 * avg(top1_flip::INTEGER), 2
        FROM precision_drift WHERE list_contains($run_ids, other_run_id) GROUP BY other_run_id
        UNION ALL SELECT other_run_id, 'Mean KL divergence from fp32 (millionths of a nat)', 1e6 * avg(kl_divergence), 3
        FROM precision_drift WHERE list_contains($run_ids, other_run_id) GROUP BY other_run_id""",
    "latency": """
        SELECT run_id, 'Median time of a batch of ' || batch_size || ', ' || left(precision, $longest) || ', '
                       || left(clock, $longest) || ' clock (ms)', median(milliseconds), 2
        FROM latency WHERE list_contains($run_ids, run_id) GROUP BY run_id, precision, batch_size, clock
        ORDER BY precision, clock, batch_size""",
    "memory_peak": """
        SELECT run_id, upper(left(measure, 1)) || substr(left(measure, $longest), 2) || ', ' || left(precision, $longest)
                       || ', batch of ' || batch_size || ' (MiB)', max(mebibytes), 1
        FROM memory_peak WHERE list_contains($run_ids, run_id) GROUP BY run_id, measure, precision, batch_size
        ORDER BY precision, measure, batch_size""",
    "caption_score": """
        SELECT run_id, 'Corpus BLEU by ' || left(library, $longest) || ', ' || left(against, $longest) || ' (%)',
               100 * max(bleu), 2
        FROM caption_score WHERE list_contains($run_ids, run_id) GROUP BY run_id, library, against ORDER BY library, against""",
    "caption": """
        SELECT run_id, 'Words of a caption, on average', avg(words), 1 FROM caption
        WHERE list_contains($run_ids, run_id) GROUP BY run_id""",
    "retrieval_epoch": """
        SELECT run_id, upper(left(direction, 1)) || substr(left(direction, $longest), 2) || ', R@1 (%)',
               100 * max(hits_at_1 / nullif(queries, 0)), 1
        FROM retrieval_epoch r WHERE list_contains($run_ids, run_id)
          AND epoch = (SELECT max(epoch) FROM retrieval_epoch e WHERE e.run_id = r.run_id)
        GROUP BY run_id, direction ORDER BY direction""",
    "model_layer": """
        SELECT run_id, 'Layers', count(*), 0 FROM model_layer WHERE list_contains($run_ids, run_id) GROUP BY run_id
        UNION ALL SELECT run_id, 'Multiply-adds of a picture (millions)', sum(multiply_adds) / 1e6, 1
        FROM model_layer WHERE list_contains($run_ids, run_id) GROUP BY run_id""",
    "model_cost": """
        SELECT run_id, 'Parameters of the ' || left(part, $longest) || ' (thousands)', max(parameters) / 1e3, 1
        FROM model_cost WHERE list_contains($run_ids, run_id) GROUP BY run_id, part ORDER BY part""",
    "label_cluster": """
        SELECT run_id, 'Clusters of colours', count(DISTINCT cluster), 0 FROM label_cluster
        WHERE list_contains($run_ids, run_id) GROUP BY run_id""",
}
PICTURES_OF = ("segmentation_score", "prediction", "caption", "retrieval_rank")


@kept
def key_figures(results: Results, first: str, second: str) -> pandas.DataFrame:
    """A row for each figure that either run has: figure, digits, first, second (missing where a run lacks it)."""
    found = [
        results.query(
            f"SELECT * FROM ({sql}) AS figures (run_id, figure, value, digits) LIMIT {MOST_FIGURES}",
            run_ids=[first, second],
            **({"longest": LONGEST_TEXT} if "$longest" in sql else {}),
        )
        for sql in FIGURES.values()
    ]
    rows = pandas.concat(found, ignore_index=True)
    figures = rows.drop_duplicates("figure")[["figure", "digits"]].set_index("figure")
    for column, run_id in (("first", first), ("second", second)):
        own = rows[rows.run_id == run_id].drop_duplicates("figure").set_index("figure")
        figures[column] = own["value"].astype(float).reindex(figures.index)
    return figures.reset_index()


@kept
def pictures_in_common(results: Results, first: str, second: str) -> tuple[int, int, int]:
    """How many pictures both runs were asked about, the first one, and the second one."""
    each = [f"SELECT DISTINCT run_id, image_id FROM {table} WHERE run_id = $first OR run_id = $second" for table in PICTURES_OF]
    counts = results.query(
        f"""WITH asked AS ({" UNION ".join(each)}),
                 pictures AS (SELECT image_id, bool_or(run_id = $first) AS a, bool_or(run_id = $second) AS b
                              FROM asked GROUP BY image_id)
            SELECT count(*) FILTER (a AND b) AS both_runs, count(*) FILTER (a) AS first, count(*) FILTER (b) AS second
            FROM pictures""",
        first=first,
        second=second,
    ).iloc[0]
    return int(counts.both_runs), int(counts["first"]), int(counts.second)


@kept
def class_counts(results: Results, run_ids: tuple[str, ...], class_id: int) -> pandas.DataFrame:
    """Pixel counts of one class by run and picture after the last epoch: run_id, ordinal, intersection, predicted, truth."""
    return results.query(
        """SELECT run_id, ordinal, intersection, predicted, truth FROM segmentation_score s JOIN image USING (image_id)
           WHERE list_contains($run_ids, run_id) AND class_id = $class_id
             AND epoch = (SELECT max(epoch) FROM segmentation_score e WHERE e.run_id = s.run_id) ORDER BY run_id, ordinal""",
        run_ids=list(run_ids),
        class_id=class_id,
    )
