"""What must hold of the rows on drift between precisions before they may enter `results.duckdb`.

Each check is what it says when it fails, and a query that counts the offending rows of `$run_id`, the lower precision's run.
"""

_PAIR = """(SELECT DISTINCT run_id, other_run_id FROM precision_drift WHERE other_run_id = $run_id) pair
           LEFT JOIN run exact USING (run_id) LEFT JOIN run lower ON lower.run_id = other_run_id"""

DRIFT_CHECKS: tuple[tuple[str, str], ...] = (
    (
        "precision_drift: both runs must have the same weights, pictures, profile, seed and device",
        f"""SELECT count(*) FROM {_PAIR}
            WHERE exact.weights_sha256 IS NULL
               OR (exact.weights_sha256, exact.data_fingerprint, exact.profile, exact.seed, exact.device)
                  IS DISTINCT FROM (lower.weights_sha256, lower.data_fingerprint, lower.profile, lower.seed, lower.device)""",
    ),
    (
        "precision_drift: run_id must be the run of fp32, and another one than other_run_id",
        f"SELECT count(*) FROM {_PAIR} WHERE exact.variant IS DISTINCT FROM 'fp32' OR run_id = other_run_id",
    ),
    (
        "precision_drift: each image of prediction must have its row, and no other image",
        """SELECT count(*) FROM (SELECT image_id FROM precision_drift WHERE other_run_id = $run_id) d
           FULL JOIN (SELECT image_id FROM prediction WHERE run_id = $run_id) p USING (image_id)
           WHERE (d.image_id IS NULL OR p.image_id IS NULL)
             AND EXISTS (SELECT 1 FROM precision_drift WHERE other_run_id = $run_id)""",
    ),
    (
        "precision_drift: ordinal, wnid and style must be the image's",
        """SELECT count(*) FROM precision_drift d JOIN image USING (image_id)
           WHERE other_run_id = $run_id
             AND (d.ordinal, d.wnid, d.style) IS DISTINCT FROM (image.ordinal, image.wnid, image.style)""",
    ),
    (
        "precision_drift: changes and margin must be 0 to 1, the label's at most the largest, kl_divergence at least 0",
        """SELECT count(*) FROM precision_drift
           WHERE other_run_id = $run_id AND NOT (
               largest_change BETWEEN 0 AND 1 AND encoder_change BETWEEN 0 AND 1 AND margin BETWEEN 0 AND 1
               AND abs(coalesce(label_change, 0)) <= largest_change * 1.0001 + 1e-9
               AND isfinite(kl_divergence) AND kl_divergence >= 0)""",
    ),
    (
        "precision_drift: top1_flip must say whether the first answers of both runs differ",
        """SELECT count(*) FROM precision_drift d JOIN prediction a ON a.run_id = d.run_id AND a.image_id = d.image_id
           JOIN prediction b ON b.run_id = other_run_id AND b.image_id = d.image_id
           WHERE other_run_id = $run_id AND top1_flip <> (a.top5[1] <> b.top5[1])""",
    ),
    (
        "precision_drift: top5_left must count those of fp32's top five that the other lacks, top5_changes at least as many",
        """SELECT count(*) FROM precision_drift d JOIN prediction a ON a.run_id = d.run_id AND a.image_id = d.image_id
           JOIN prediction b ON b.run_id = other_run_id AND b.image_id = d.image_id
           WHERE other_run_id = $run_id AND (
               top5_left <> len(list_filter(a.top5, lambda answer: NOT list_contains(b.top5, answer)))
               OR top5_changes < top5_left OR top5_changes > 5 OR top1_flip AND top5_changes = 0)""",
    ),
    (
        "precision_drift: changed_class must be one of the classifier's classes",
        """SELECT count(*) FROM precision_drift WHERE other_run_id = $run_id AND changed_class NOT IN (
               SELECT imagenet_index FROM classifier_output JOIN synset USING (wnid) WHERE run_id = $run_id)""",
    ),
    (
        "layer_drift: errors and largest_value must be finite and not negative, below_normal 0 to 1",
        """SELECT count(*) FROM layer_drift
           WHERE run_id = $run_id AND NOT (
               isfinite(relative_error) AND relative_error >= 0 AND isfinite(own_error) AND own_error >= 0
               AND isfinite(largest_value) AND largest_value >= 0 AND below_normal BETWEEN 0 AND 1)""",
    ),
    (
        "layer_drift: each image must have the same layers, numbered from 0 without a gap",
        """WITH layers AS (
               SELECT image_id, list(layer ORDER BY ordinal) AS names, list(ordinal ORDER BY ordinal) AS ordinals
               FROM layer_drift WHERE run_id = $run_id GROUP BY image_id)
           SELECT count(*) FROM layers
           WHERE names <> (SELECT min(names) FROM layers) OR ordinals <> range(len(names))""",
    ),
    (
        "parameter_precision: elements must be above 0, rounded 0 to elements, and part 'image encoder' or 'text encoder'",
        """SELECT count(*) FROM parameter_precision
           WHERE run_id = $run_id AND NOT (elements > 0 AND rounded BETWEEN 0 AND elements
                                           AND part IN ('image encoder', 'text encoder'))""",
    ),
)
