"""What must hold of a trial's rows before they may enter `results.duckdb`."""

import functools
import re
from collections.abc import Collection

from compute.caption_checks import CAPTION_CHECKS
from compute.class_checks import PREDICTION_CHECKS, SYNSET_CHECKS
from compute.drift_checks import DRIFT_CHECKS
from compute.head_checks import HEAD_CHECKS
from compute.precision_checks import PRECISION_CHECKS
from compute.run_checks import RUN_CHECKS
from compute.schema import KEYS, OWNER, SHARED, TABLES

# Column of each reference and the table whose column of the same name must hold its value.
REFERENCES = (
    ("run", "dataset", "dataset"),
    ("image", "dataset", "dataset"),
    ("segmentation_class", "dataset", "dataset"),
    ("segmentation_score", "image_id", "image"),
    ("foreground_score", "image_id", "image"),
    ("boundary_score", "image_id", "image"),
    ("segmentation_mask", "image_id", "image"),
    ("segmentation_mask", "run_id", "run"),
    ("prediction", "image_id", "image"),
    ("logit", "image_id", "image"),
    ("image_evidence", "image_id", "image"),
    ("classifier_output", "wnid", "synset"),
    ("class_score", "wnid", "synset"),
    ("class_similarity", "wnid", "synset"),
    ("precision_drift", "image_id", "image"),
    ("layer_drift", "image_id", "image"),
    ("hidden_score", "image_id", "image"),
    ("token_attention", "image_id", "image"),
    ("image_caption", "image_id", "image"),
    ("image_caption", "dataset", "dataset"),
    ("caption", "image_id", "image"),
    ("retrieval_rank", "image_id", "image"),
    ("retrieval_rank", "caption_id", "image_caption"),
    ("synset_parent", "wnid", "synset"),
    ("synset_leaf", "wnid", "synset"),
)


def _of_run(table: str) -> str:
    """Condition that keeps a check to the new rows, where the table tells whose they are."""
    if table in SHARED:
        return "TRUE"
    return f"{OWNER.get(table, 'run_id')} = $run_id" if "run_id" in TABLES[table] else "TRUE"


def _uniqueness(table: str) -> tuple[str, str]:
    keys = ", ".join(KEYS[table])
    duplicates = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {_of_run(table)} GROUP BY {keys} HAVING count(*) > 1)"
    return f"{table}: rows differ though their {keys} are the same", duplicates


def _reference(table: str, column: str, target: str) -> tuple[str, str]:
    orphans = f"{column} IS NOT NULL AND {column} NOT IN (SELECT {column} FROM {target})"
    return (
        f"{table}: {column} is not in the table {target}",
        f"SELECT count(*) FROM {table} WHERE {_of_run(table)} AND {orphans}",
    )


# Each check is what it says when it fails, and a query that counts the offending rows of `$run_id`.
CHECKS: tuple[tuple[str, str], ...] = (
    *(_uniqueness(table) for table in KEYS),
    *(_reference(*reference) for reference in REFERENCES),
    (
        "image: sha256 must be 64 hexadecimal digits",
        "SELECT count(*) FROM image WHERE NOT regexp_full_match(sha256, '[0-9a-f]{64}')",
    ),
    (
        "image: wnid must be n and eight digits",
        "SELECT count(*) FROM image WHERE NOT regexp_full_match(wnid, 'n[0-9]{8}')",
    ),
    (
        "image: width and height must be positive",
        "SELECT count(*) FROM image WHERE NOT (width > 0 AND height > 0)",
    ),
    (
        "image: a data set's ordinals must count from 1 without a gap",
        """SELECT count(*) FROM (
               SELECT min(ordinal) AS first, max(ordinal) AS last, count(*) AS images, count(DISTINCT ordinal) AS ordinals
               FROM image GROUP BY dataset, split)
           WHERE first <> 1 OR last <> images OR ordinals <> images""",
    ),
    (
        "image: path must lie in the data set's folder",
        "SELECT count(*) FROM image WHERE NOT starts_with(path, dataset || '/')",
    ),
    (
        "dataset: val_images must count its rows in image",
        """SELECT count(*) FROM dataset LEFT JOIN (
               SELECT dataset, count(*) AS images FROM image WHERE split = 'val' GROUP BY dataset) USING (dataset)
           WHERE val_images IS DISTINCT FROM images""",
    ),
    (
        "segmentation_score: class_id is no scored class of the image's data set",
        """SELECT count(*) FROM segmentation_score JOIN image USING (image_id)
           LEFT JOIN segmentation_class c ON c.dataset = image.dataset AND c.class_id = segmentation_score.class_id
           WHERE run_id = $run_id AND c.ignored IS DISTINCT FROM FALSE""",
    ),
    (
        "segmentation_score: intersection must be 0 to the smaller of predicted and truth",
        """SELECT count(*) FROM segmentation_score
           WHERE run_id = $run_id AND NOT (0 <= intersection AND intersection <= least(predicted, truth))""",
    ),
    (
        "segmentation_score: an image's predicted pixels must add up to its true ones, and to at most its size",
        """SELECT count(*) FROM (
               SELECT sum(predicted) AS predicted, sum(truth) AS truth, any_value(width * height) AS pixels
               FROM segmentation_score JOIN image USING (image_id) WHERE run_id = $run_id GROUP BY epoch, image_id)
           WHERE predicted <> truth OR truth > pixels""",
    ),
    (
        "foreground_score: must agree with the class counts of segmentation_score",
        """SELECT count(*) FROM foreground_score f JOIN (
               SELECT epoch, image_id, sum(truth) AS pixels, sum(intersection) FILTER (class_id = 0) AS both_zero,
                      sum(truth + predicted - intersection) FILTER (class_id = 0) AS either_zero
               FROM segmentation_score WHERE run_id = $run_id GROUP BY epoch, image_id) s USING (epoch, image_id)
           WHERE f.run_id = $run_id AND (f.intersection <> pixels - either_zero OR f.union_pixels <> pixels - both_zero)""",
    ),
    (
        "boundary_score: correct must be 0 to total, and the bands must add up to the image's scored pixels",
        """SELECT count(*) FROM (
               SELECT image_id, sum(total) AS total, bool_and(0 <= correct AND correct <= total) AS possible
               FROM boundary_score WHERE run_id = $run_id GROUP BY image_id)
           LEFT JOIN (SELECT image_id, sum(truth) AS pixels FROM segmentation_score
                      WHERE run_id = $run_id AND epoch = (SELECT max(epoch) FROM segmentation_score WHERE run_id = $run_id)
                      GROUP BY image_id) USING (image_id)
           WHERE NOT possible OR total IS DISTINCT FROM pixels""",
    ),
    (
        "training_step: loss, learning rate and time must be finite and not negative",
        """SELECT count(*) FROM training_step
           WHERE run_id = $run_id AND NOT (isfinite(loss) AND loss >= 0 AND learning_rate >= 0 AND milliseconds >= 0)""",
    ),
    (
        "run: seconds must not be negative",
        "SELECT count(*) FROM run WHERE run_id = $run_id AND NOT seconds >= 0",
    ),
    *SYNSET_CHECKS,
    *PREDICTION_CHECKS,
    *HEAD_CHECKS,
    *PRECISION_CHECKS,
    *DRIFT_CHECKS,
    *CAPTION_CHECKS,
    *RUN_CHECKS,
    (
        "model_layer: layers must be numbered from 1, with no parameters or multiply-adds below 0",
        """SELECT count(*) FROM (
               SELECT min(ordinal) AS first, max(ordinal) AS last, count(*) AS layers, min(parameters) AS parameters,
                      min(multiply_adds) AS multiply_adds
               FROM model_layer WHERE run_id = $run_id HAVING count(*) > 0)
           WHERE first <> 1 OR last <> layers OR parameters < 0 OR multiply_adds < 0""",
    ),
)


@functools.cache
def tables_read(offending: str) -> frozenset[str]:
    """Tables that a check's query may read: all of the contract whose names are words of it."""
    return frozenset(re.findall(r"\w+", offending)) & TABLES.keys()


def may_offend(offending: str, given: Collection[str]) -> bool:
    """Whether a check can find anything in a run whose own rows are all in `run` and the tables `given`.

    What a check of `$run_id` counts are rows of that run: where the run has none in any of the tables it reads, it counts none.
    A check of all rows is never left out, as something else may have written to the file.
    """
    own = tables_read(offending) - {"run", *SHARED}
    return "$run_id" not in offending or not own or not own.isdisjoint(given)
