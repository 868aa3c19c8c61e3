"""What must hold of the rows of decoder heads before they may enter `results.duckdb`.

Each check is what it says when it fails, and a query that counts the offending rows.
"""


def _unscored(table: str, column: str) -> tuple[str, str]:
    return (
        f"{table}: {column} is no scored class of the image's data set",
        f"""SELECT count(*) FROM {table} JOIN image USING (image_id)
            LEFT JOIN segmentation_class c ON c.dataset = image.dataset AND c.class_id = {table}.{column}
            WHERE run_id = $run_id AND c.ignored IS DISTINCT FROM FALSE""",
    )


HEAD_CHECKS: tuple[tuple[str, str], ...] = (
    _unscored("hidden_score", "class_id"),
    _unscored("hidden_score", "occluder_class_id"),
    _unscored("token_attention", "class_id"),
    (
        "hidden_score: a class is hidden by another one, in at least one pixel",
        "SELECT count(*) FROM hidden_score WHERE run_id = $run_id AND NOT (class_id <> occluder_class_id AND hidden > 0)",
    ),
    (
        "hidden_score: as_hidden and as_occluder must be parts of hidden, and control_as_hidden of control",
        """SELECT count(*) FROM hidden_score
           WHERE run_id = $run_id AND NOT (as_hidden >= 0 AND as_occluder >= 0 AND as_hidden + as_occluder <= hidden
                                           AND control_as_hidden >= 0 AND control_as_hidden <= control)""",
    ),
    (
        "hidden_score: a hiding class's pixels, with those that hide nothing, must be within its true ones",
        """SELECT count(*) FROM (
               SELECT image_id, occluder_class_id AS class_id, sum(hidden) + max(control) AS pixels,
                      min(control) = max(control) AS same
               FROM hidden_score WHERE run_id = $run_id GROUP BY ALL)
           LEFT JOIN (SELECT DISTINCT image_id, class_id, truth FROM segmentation_score WHERE run_id = $run_id)
               USING (image_id, class_id)
           WHERE NOT coalesce(same AND pixels <= truth, FALSE)""",
    ),
    (
        "token_attention: weights must be height times width, none below 0, and add up to 1",
        """SELECT count(*) FROM token_attention
           WHERE run_id = $run_id AND NOT (len(weights) > 0 AND len(weights) = height::INTEGER * width
                                           AND list_count(weights) = len(weights) AND list_min(weights) >= 0
                                           AND list_sum(weights) BETWEEN 0.999 AND 1.001)""",
    ),
    (
        "model_cost: must have encoder and head, with parameters and multiply-adds above 0, the head's as many as the run's",
        """SELECT count(*) FROM (
               SELECT count(*) FILTER (part = 'encoder') = 1 AND count(*) FILTER (part = 'head') = 1 AND count(*) = 2
                      AND min(c.parameters) > 0 AND min(multiply_adds) > 0
                      AND max(c.parameters) FILTER (part = 'head') IS NOT DISTINCT FROM max(run.parameters) AS good
               FROM model_cost c JOIN run USING (run_id) WHERE run_id = $run_id HAVING count(*) > 0)
           WHERE NOT good""",
    ),
    (
        "reference_result: value must be a finite number, of a percentage 0 to 100",
        """SELECT count(*) FROM reference_result
           WHERE NOT (isfinite(value) AND (metric NOT LIKE '% in percent' OR value BETWEEN 0 AND 100))""",
    ),
)
