"""What must hold of the rows on lower precisions before they may enter `results.duckdb`.

Each check is what it says when it fails, and a query that counts the offending rows of `$run_id`.
"""

_PRECISIONS = "('fp32', 'tf32', 'fp16', 'bf16')"
_CATEGORIES = "('parameters', 'inputs', 'activations', 'temporary')"


def _known_precision(table: str) -> tuple[str, str]:
    return (
        f"{table}: precision must be one of {_PRECISIONS}",
        f"SELECT count(*) FROM {table} WHERE run_id = $run_id AND precision NOT IN {_PRECISIONS}",
    )


PRECISION_CHECKS: tuple[tuple[str, str], ...] = (
    *(_known_precision(table) for table in ("latency", "device_rate", "encoder_work", "memory", "memory_peak")),
    (
        "latency: milliseconds must be finite and above 0, batch_size and repetition at least 1, and clock 'wall' or 'cuda'",
        """SELECT count(*) FROM latency
           WHERE run_id = $run_id AND NOT (isfinite(milliseconds) AND milliseconds > 0 AND batch_size >= 1 AND repetition >= 1
                                           AND clock IN ('wall', 'cuda'))""",
    ),
    (
        "latency: what the device's own clock timed must have been timed by the wall clock, too",
        """SELECT count(*) FROM latency cuda ANTI JOIN (FROM latency WHERE clock = 'wall') wall
               USING (run_id, precision, batch_size, repetition)
           WHERE run_id = $run_id AND clock = 'cuda'""",
    ),
    (
        "latency: encoder_work must tell the work of each precision and batch size",
        """SELECT count(*) FROM latency ANTI JOIN encoder_work USING (run_id, precision, batch_size)
           WHERE run_id = $run_id AND run_id IN (SELECT run_id FROM encoder_work)""",
    ),
    (
        "device_rate: per_second must be finite and above 0, and kind 'copy' or 'matrix'",
        """SELECT count(*) FROM device_rate
           WHERE run_id = $run_id AND NOT (isfinite(per_second) AND per_second > 0 AND kind IN ('copy', 'matrix'))""",
    ),
    (
        "device_rate: repetitions must count from 1 without a gap",
        """SELECT count(*) FROM (
               SELECT min(repetition) AS first, max(repetition) AS last, count(*) AS repetitions
               FROM device_rate WHERE run_id = $run_id GROUP BY precision, kind)
           WHERE first <> 1 OR last <> repetitions""",
    ),
    (
        "encoder_work: operations and bytes must be above 0, and a picture's operations the same everywhere",
        """SELECT count(*) FROM encoder_work JOIN (
               SELECT min(operations // batch_size) AS a_picture FROM encoder_work WHERE run_id = $run_id) ON TRUE
           WHERE run_id = $run_id AND NOT (operations > 0 AND bytes > 0 AND operations = batch_size * a_picture)""",
    ),
    (
        "memory: mebibytes and milliseconds must be finite and not negative",
        """SELECT count(*) FROM memory
           WHERE run_id = $run_id AND NOT (isfinite(mebibytes) AND mebibytes >= 0 AND isfinite(milliseconds)
                                           AND milliseconds >= 0 AND batch_size >= 1)""",
    ),
    (
        "memory: a precision's moments must count from 1 without a gap, one after the other",
        """SELECT count(*) FROM (
               SELECT moment, milliseconds, row_number() OVER inside AS position,
                      lag(milliseconds, 1, 0) OVER inside AS milliseconds_before
               FROM (SELECT precision, moment, min(milliseconds) AS milliseconds
                     FROM memory WHERE run_id = $run_id GROUP BY precision, moment)
               WINDOW inside AS (PARTITION BY precision ORDER BY moment))
           WHERE moment <> position OR milliseconds < milliseconds_before""",
    ),
    (
        f"memory: each moment must have each of {_CATEGORIES}, at one time, in one layer and for one batch size",
        f"""SELECT count(*) FROM (
               SELECT count(DISTINCT category) FILTER (category IN {_CATEGORIES}) AS known, count(*) AS categories,
                      count(DISTINCT (milliseconds, layer, batch_size)) AS places
               FROM memory WHERE run_id = $run_id GROUP BY precision, moment)
           WHERE known <> 4 OR categories <> 4 OR places <> 1""",
    ),
    (
        "memory: parameters and inputs must stay the same throughout a pass",
        """SELECT count(*) FROM (
               SELECT count(DISTINCT mebibytes) AS sizes FROM memory
               WHERE run_id = $run_id AND category IN ('parameters', 'inputs') GROUP BY precision, category)
           WHERE sizes <> 1""",
    ),
    (
        "memory_peak: mebibytes must be finite and above 0, and measure one that the contract names",
        """SELECT count(*) FROM memory_peak
           WHERE run_id = $run_id AND NOT (
               isfinite(mebibytes) AND mebibytes > 0 AND batch_size >= 1
               AND measure IN ('allocated peak', 'reserved peak', 'process before', 'process peak', 'device in use'))""",
    ),
    (
        "memory_peak: 'allocated peak' cannot be above 'reserved peak', nor 'process before' above 'process peak'",
        """SELECT count(*) FROM memory_peak low JOIN memory_peak high USING (run_id, precision, batch_size)
           WHERE run_id = $run_id AND low.mebibytes > high.mebibytes
             AND (low.measure, high.measure)
                 IN (('allocated peak', 'reserved peak'), ('process before', 'process peak'))""",
    ),
    (
        "memory_peak: a precision's moments in memory must have their 'allocated peak', for the same batch size",
        """SELECT count(*) FROM (SELECT DISTINCT run_id, precision, batch_size FROM memory WHERE run_id = $run_id)
           ANTI JOIN (FROM memory_peak WHERE measure = 'allocated peak') USING (run_id, precision, batch_size)""",
    ),
    (
        "memory: no moment may be above its precision's 'allocated peak' by more than a tenth",
        """SELECT count(*) FROM (
               SELECT run_id, precision, batch_size, sum(mebibytes) AS mebibytes
               FROM memory WHERE run_id = $run_id GROUP BY run_id, precision, batch_size, moment) held
           JOIN memory_peak USING (run_id, precision, batch_size)
           WHERE measure = 'allocated peak' AND held.mebibytes > 1.1 * memory_peak.mebibytes""",
    ),
)
