"""What must hold of every run's rows: numbers that are numbers, on the very images that all runs on a data set share.

Each check is what it says when it fails, and a query that counts the offending rows of `$run_id`.
"""

import re

from compute.schema import OWNER, SHARED, TABLES

# Name and type of each column that holds floating-point numbers, alone or in a list.
_FLOATING = re.compile(r"(\w+) (?:DOUBLE|FLOAT)(\[\])?")
_NO_HALF = 0x7C00  # the bits that half precision sets in what is no finite number, and in nothing else all of them


def _number(column: str, listed: bool) -> str:
    """SQL for whether a column's numbers, where it has any, are all finite."""
    if listed:  # in a sum, one that is not finite stays so
        return f"coalesce(isfinite(list_sum({column})) AND list_count({column}) = len({column}), TRUE)"
    return f"coalesce(isfinite({column}), TRUE)"


def _finite(table: str, columns: list[tuple[str, str]]) -> tuple[str, str]:
    named = ", ".join(name for name, _ in columns)
    numbers = " AND ".join(_number(name, bool(listed)) for name, listed in columns)
    owned = f"{OWNER.get(table, 'run_id')} = $run_id"
    return f"{table}: {named} must be finite", f"SELECT count(*) FROM {table} WHERE {owned} AND NOT ({numbers})"


_FINITE_CHECKS = tuple(
    _finite(table, found) for table, columns in TABLES.items() if table not in SHARED and (found := _FLOATING.findall(columns))
)  # those of reference_result, which no run owns, have a check of their own


def _images_of(table: str, by: str = "image_id") -> str:
    return f"(SELECT DISTINCT {by} FROM {table} WHERE run_id = $run_id)"


def _same_images(table: str, by: str) -> tuple[str, str]:
    """A check that a table has rows of exactly the images, or images and epochs, that segmentation_score has."""
    return (
        f"{table}: must have rows of each {by.replace(', ', ' and ')} of segmentation_score, and of no other",
        f"""SELECT count(*) FROM (SELECT *, TRUE AS here FROM {_images_of(table, by)})
            FULL JOIN (SELECT *, TRUE AS scored FROM {_images_of("segmentation_score", by)}) USING ({by})
            WHERE (here IS NULL OR scored IS NULL) AND EXISTS (SELECT 1 FROM {table} WHERE run_id = $run_id)""",
    )


RUN_CHECKS: tuple[tuple[str, str], ...] = (
    *_FINITE_CHECKS,
    (
        "logit: half_bits must be of finite numbers",
        f"""SELECT count(*) FROM logit
            WHERE run_id = $run_id AND len(list_filter(half_bits, lambda b: b & {_NO_HALF} = {_NO_HALF})) > 0""",
    ),
    (
        "prediction: each validation image of the run's data set must have its row, and no other image",
        f"""SELECT count(*) FROM {_images_of("prediction")} p
            FULL JOIN (SELECT image_id FROM image JOIN run USING (dataset) WHERE run_id = $run_id AND split = 'val') i
                 USING (image_id)
            WHERE (p.image_id IS NULL OR i.image_id IS NULL) AND EXISTS (SELECT 1 FROM prediction WHERE run_id = $run_id)""",
    ),
    (
        "segmentation_score: each epoch must score every class on each validation image of the run's data set, and no other",
        """SELECT count(*) FROM (
               SELECT epoch, count(*) AS scores, count(*) FILTER (image.dataset = run.dataset AND split = 'val') AS own
               FROM segmentation_score JOIN image USING (image_id) JOIN run USING (run_id)
               WHERE run_id = $run_id GROUP BY epoch), (
               SELECT count(*) AS wanted FROM image JOIN run USING (dataset) JOIN segmentation_class USING (dataset)
               WHERE run_id = $run_id AND split = 'val' AND NOT ignored)
           WHERE scores <> wanted OR own <> wanted""",
    ),
    (
        "segmentation_score: an image's true pixels of a class must be the same in every run and epoch",
        """SELECT count(*) FROM (
               SELECT image_id, class_id FROM segmentation_score
               WHERE image_id IN (SELECT image_id FROM segmentation_score WHERE run_id = $run_id)
               GROUP BY image_id, class_id HAVING min(truth) <> max(truth))""",
    ),
    _same_images("foreground_score", "epoch, image_id"),
    _same_images("boundary_score", "image_id"),
    (
        "label_cluster: class_id must be one of the run's data set, with 0 pixels or more",
        """SELECT count(*) FROM label_cluster JOIN run USING (run_id)
           LEFT JOIN segmentation_class c ON c.dataset = run.dataset AND c.class_id = label_cluster.class_id
           WHERE run_id = $run_id AND (c.name IS NULL OR pixels < 0)""",
    ),
    (
        "class_similarity: other_wnid is not in the table synset",
        """SELECT count(*) FROM class_similarity
           WHERE run_id = $run_id AND other_wnid IS NOT NULL AND other_wnid NOT IN (SELECT wnid FROM synset)""",
    ),
)

# What is asked of a whole file alone: a teammate's run may have said otherwise when its rows came in.
WHOLE_FILE_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "run: data_fingerprint must be the one of its data set",
        "SELECT count(*) FROM run JOIN dataset USING (dataset) WHERE data_fingerprint <> dataset.fingerprint",
    ),
)
