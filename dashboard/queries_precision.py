"""The SQL of the page fp32_vs_fp16: a function each, from `Results` to a DataFrame.

`fp32_run` and `lower_run` are two runs that answered the same pictures from the same weights. What is asked of all pictures is
counted here, so that a page never gets a row for each of 50,000. A results file may come from anyone: rows that `compute` does
not write, with no number where one belongs, are left out, and of more than a page can draw the first are taken.
"""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

EXPERIMENT = "fp32_vs_fp16"
DRIFT = """FROM precision_drift WHERE run_id = $fp32_run AND other_run_id = $lower_run AND ordinal IS NOT NULL
    AND largest_change BETWEEN 0 AND 1 AND encoder_change BETWEEN 0 AND 1 AND margin BETWEEN 0 AND 1
    AND kl_divergence >= 0 AND isfinite(kl_divergence) AND changed_class IS NOT NULL AND top1_flip IS NOT NULL
    AND top5_changes IS NOT NULL AND top5_left IS NOT NULL"""
PICTURES = {
    "all": "",
    "one per class": f" AND ordinal IN (SELECT min(ordinal) {DRIFT} AND wnid IS NOT NULL GROUP BY wnid)",
    "first five": " AND ordinal <= 5",
}
ORDERS = {
    "change": "largest_change DESC",
    "divergence": "kl_divergence DESC",
    "margin": "margin",
    "number": "ordinal",
}
SMALLEST_SHOWN = 1e-7  # what lies below is drawn here on logarithmic axes: single precision tells no more
MOST_SINGLE_MARKS = 1000
MOST_FLIPS = 400
STEPS_A_DECADE = 6
MOST_PRECISIONS, MOST_SIZES, MOST_CLOCKS = 6, 8, 3
MOST_REPETITIONS = 1000  # of one precision; the bootstrap draws them a thousand times
MOST_LAYERS, MOST_GROUPS, MOST_NAMES = 100, 100, 1000
MOST_MEMORY_ROWS = 20_000
LARGEST_FIGURE = 1e9  # more milliseconds or MiB than any pass takes
FEW_PRECISIONS = f"""dense_rank() OVER (
    ORDER BY coalesce(list_position(['fp32', 'fp16', 'bf16', 'tf32'], precision), 5), precision) <= {MOST_PRECISIONS}"""
TIMED = f"""FROM latency WHERE run_id = $run_id AND milliseconds > 0 AND milliseconds < {LARGEST_FIGURE}
    AND precision IS NOT NULL AND batch_size >= 1 AND repetition IS NOT NULL AND clock IS NOT NULL"""


@kept
def precision_runs(results: Results) -> pandas.DataFrame:
    """The latest run of each variant on each data set and profile, the newest data first; dataset may be missing."""
    return results.query(
        """SELECT run_id, variant, profile, run.dataset, coalesce(device, 'an unknown device') AS device,
                  coalesce(threads, 0) AS threads, coalesce(python, 'unknown') AS python, coalesce(torch, 'unknown') AS torch,
                  started_at, settings ->> 'arithmetic' AS arithmetic, coalesce(name, 'timings only') AS dataset_name, labels,
                  coalesce(val_images, 0) AS val_images
           FROM run LEFT JOIN dataset ON dataset.dataset = run.dataset
           WHERE experiment = $experiment AND run_id IS NOT NULL AND variant IS NOT NULL AND profile IS NOT NULL
             AND started_at IS NOT NULL
           QUALIFY row_number() OVER (PARTITION BY run.dataset, profile, variant ORDER BY started_at DESC, run_id) = 1
           ORDER BY max(started_at) OVER (PARTITION BY run.dataset, profile) DESC, run.dataset, profile, started_at, run_id""",
        experiment=EXPERIMENT,
    )


@kept
def drift_pairs(results: Results) -> dict[str, str]:
    """The fp32 run that each lower precision's run was compared with, by the latter."""
    found = results.query(
        """SELECT other_run_id, any_value(run_id) AS run_id FROM precision_drift
           WHERE run_id IS NOT NULL AND other_run_id IS NOT NULL GROUP BY other_run_id"""
    )
    return dict(zip(found.other_run_id, found.run_id, strict=True))


@kept
def drift_summary(results: Results, fp32_run: str, lower_run: str, pictures: str) -> pandas.Series:
    """What the drift of some pictures comes to: counts of pictures, and the largest of each measure.

    `flip_margin` is the largest margin at which a first answer changed; of `cannot_flip` pictures none could.
    """
    return results.query(
        f"""SELECT count(*) AS images, count_if(top1_flip) AS flips, count_if(top5_changes > 0) AS reordered,
                   count_if(top5_left > 0) AS replaced, max(largest_change) AS largest_change,
                   max(kl_divergence) AS largest_divergence, max(margin) FILTER (top1_flip) AS flip_margin,
                   count_if(largest_change < margin / 2) AS cannot_flip {DRIFT}{PICTURES[pictures]}""",
        fp32_run=fp32_run,
        lower_run=lower_run,
    ).iloc[0]


@kept
def drift_medians(results: Results, fp32_run: str, lower_run: str, pictures: str) -> pandas.Series:
    """Medians over some pictures: change, divergence, encoder_change."""
    return results.query(
        f"""SELECT median(largest_change) AS change, median(kl_divergence) AS divergence,
                   median(encoder_change) AS encoder_change {DRIFT}{PICTURES[pictures]}""",
        fp32_run=fp32_run,
        lower_run=lower_run,
    ).iloc[0]


@kept
def change_histogram(results: Results, fp32_run: str, lower_run: str, pictures: str) -> pandas.DataFrame:
    """Pictures by their largest change, in steps of a quarter of a decade: low, high, pictures, flips."""
    return results.query(
        f"""SELECT floor(4 * log10(greatest(largest_change, {SMALLEST_SHOWN}))) AS step, count(*) AS pictures,
                   count_if(top1_flip) AS flips, 10 ** (step / 4) AS low, 10 ** ((step + 1) / 4) AS high
            {DRIFT}{PICTURES[pictures]} GROUP BY step ORDER BY step""",
        fp32_run=fp32_run,
        lower_run=lower_run,
    )


@kept
def margins_and_changes(results: Results, fp32_run: str, lower_run: str, pictures: str) -> pandas.DataFrame:
    """Marks of fp32's margin against the largest change: margin, change, flip, pictures, ordinal, the flips last.

    Each picture is a mark of its own up to MOST_SINGLE_MARKS; of more, those that keep their first answer are counted in cells
    of STEPS_A_DECADE by STEPS_A_DECADE in a decade, without `ordinal`. At most MOST_FLIPS flips, those of the largest change.
    """
    images = int(drift_summary(results, fp32_run, lower_run, pictures).images)
    x, y = (f"greatest({name}, {SMALLEST_SHOWN})" for name in ("margin", "largest_change"))
    if images <= MOST_SINGLE_MARKS:
        kept = f"SELECT {x} AS margin, {y} AS change, 1 AS pictures, ordinal {DRIFT}{PICTURES[pictures]} AND NOT top1_flip"
    else:
        cells = [f"floor({STEPS_A_DECADE} * log10({value}))" for value in (x, y)]
        centres = [f"10 ** (({cell} + 0.5) / {STEPS_A_DECADE})" for cell in cells]
        kept = f"""SELECT {centres[0]} AS margin, {centres[1]} AS change, count(*) AS pictures, NULL AS ordinal
                   {DRIFT}{PICTURES[pictures]} AND NOT top1_flip GROUP BY ALL"""
    return results.query(
        f"""SELECT *, FALSE AS flip FROM ({kept}) UNION ALL
            SELECT * FROM (
                SELECT {x} AS margin, {y} AS change, 1 AS pictures, ordinal, TRUE AS flip {DRIFT}{PICTURES[pictures]}
                AND top1_flip ORDER BY largest_change DESC, ordinal LIMIT {MOST_FLIPS}) ORDER BY flip, margin, change""",
        fp32_run=fp32_run,
        lower_run=lower_run,
    )


@kept
def right_answers(results: Results, fp32_run: str, lower_run: str, pictures: str) -> pandas.Series:
    """Pictures with a label by who is right: images, and for top 1 and 5 both_, only_fp32_ and only_lower_."""
    counted = ", ".join(
        f"""count_if(a.label_rank <= {top} AND b.label_rank <= {top}) AS both_{top},
            count_if(a.label_rank <= {top} AND b.label_rank > {top}) AS only_fp32_{top},
            count_if(a.label_rank > {top} AND b.label_rank <= {top}) AS only_lower_{top}"""
        for top in (1, 5)
    )
    return results.query(
        f"""WITH ranks AS (
                SELECT run_id, ordinal, any_value(label_rank) AS label_rank FROM prediction
                WHERE run_id IN ($fp32_run, $lower_run) AND label_rank IS NOT NULL GROUP BY run_id, ordinal)
            SELECT count(*) AS images, {counted} FROM ranks a JOIN ranks b USING (ordinal)
            WHERE a.run_id = $fp32_run AND b.run_id = $lower_run {PICTURES[pictures]}""",
        fp32_run=fp32_run,
        lower_run=lower_run,
    ).iloc[0]


def drifted_pictures(
    results: Results, fp32_run: str, lower_run: str, pictures: str, flips_only: bool, order: str, limit: int, offset: int
) -> list[int]:
    """The ordinals of a page of pictures, in one of ORDERS."""
    flips = " AND top1_flip" if flips_only else ""
    found = results.query(
        f"SELECT ordinal {DRIFT}{PICTURES[pictures]}{flips} ORDER BY {ORDERS[order]}, ordinal LIMIT $limit OFFSET $offset",
        fp32_run=fp32_run,
        lower_run=lower_run,
        limit=limit,
        offset=offset,
    )
    return [int(number) for number in found.ordinal.unique()]


def picture_drift(results: Results, fp32_run: str, lower_run: str, ordinals: list[int]) -> pandas.DataFrame:
    """The drift of some pictures, with `ordinal` as index."""
    return results.query(
        f"""SELECT ordinal, largest_change, changed_class, encoder_change, kl_divergence, top1_flip, top5_changes, top5_left,
                   margin, label_change {DRIFT} AND ordinal IN (SELECT unnest($ordinals))
            QUALIFY row_number() OVER (PARTITION BY ordinal ORDER BY image_id) = 1""",
        fp32_run=fp32_run,
        lower_run=lower_run,
        ordinals=ordinals,
    ).set_index("ordinal")


@kept
def layer_errors(results: Results, run_id: str) -> pandas.DataFrame:
    """A row for each layer in its order: images, middle error with 5 % and 95 %, own error, largest_value, below_normal.

    largest_value is NaN where that of any picture is.
    """
    return results.query(
        f"""SELECT ordinal, layer, count(*) AS images, median(relative_error) AS error,
                   quantile_cont(relative_error, 0.05) AS low, quantile_cont(relative_error, 0.95) AS high,
                   median(own_error) FILTER (isfinite(own_error)) AS own_error, max(largest_value) AS largest_value,
                   avg(below_normal) FILTER (below_normal BETWEEN 0 AND 1) AS below_normal
            FROM layer_drift
            WHERE run_id = $run_id AND ordinal IS NOT NULL AND layer IS NOT NULL AND isfinite(relative_error)
              AND relative_error >= 0
            GROUP BY ordinal, layer ORDER BY ordinal, layer LIMIT {MOST_LAYERS}""",
        run_id=run_id,
    )


@kept
def parameter_groups(results: Results, run_id: str) -> pandas.DataFrame:
    """CLIP's tensors by where they are and what they are kept in: part, kind, data_type, tensors, elements, rounded."""
    return results.query(
        f"""SELECT part, kind, data_type, count(*) AS tensors, sum(elements)::BIGINT AS elements,
                   coalesce(sum(rounded), 0)::BIGINT AS rounded FROM parameter_precision
            WHERE run_id = $run_id AND part IS NOT NULL AND kind IS NOT NULL AND data_type IS NOT NULL AND elements >= 0
            GROUP BY part, kind, data_type ORDER BY part, data_type, elements DESC, kind LIMIT {MOST_GROUPS}""",
        run_id=run_id,
    )


@kept
def parameter_names(results: Results, run_id: str, data_type: str) -> pandas.DataFrame:
    """The first MOST_NAMES tensors that are kept in a format, in the model's order: part, name, kind, elements."""
    return results.query(
        f"""SELECT part, name, kind, elements FROM parameter_precision
            WHERE run_id = $run_id AND data_type = $data_type AND part IS NOT NULL AND kind IS NOT NULL AND elements >= 0
            ORDER BY part, ordinal LIMIT {MOST_NAMES}""",
        run_id=run_id,
        data_type=data_type,
    )


@kept
def time_summaries(results: Results, run_id: str) -> pandas.DataFrame:
    """Times of a pass in ms by clock, batch and precision: repetitions, mean, deviation, middle, low (5 %), high (95 %)."""
    return results.query(
        f"""SELECT clock, batch_size, precision, count(*) AS repetitions, avg(milliseconds) AS mean,
                   stddev_samp(milliseconds) AS deviation, median(milliseconds) AS middle,
                   quantile_cont(milliseconds, 0.05) AS low, quantile_cont(milliseconds, 0.95) AS high
            {TIMED} GROUP BY clock, batch_size, precision
            QUALIFY {FEW_PRECISIONS} AND dense_rank() OVER (ORDER BY batch_size) <= {MOST_SIZES}
                AND dense_rank() OVER (ORDER BY clock <> 'wall', clock) <= {MOST_CLOCKS}
            ORDER BY clock, batch_size, precision""",
        run_id=run_id,
    )


@kept
def repetitions(results: Results, run_id: str, clock: str, batch_size: int) -> pandas.DataFrame:
    """The timed repetitions, of each precision at most the first MOST_REPETITIONS: precision, repetition, milliseconds."""
    return results.query(
        f"""SELECT precision, repetition, milliseconds {TIMED} AND clock = $clock AND batch_size = $batch_size
            QUALIFY {FEW_PRECISIONS}
                AND row_number() OVER (PARTITION BY precision ORDER BY repetition, milliseconds) <= {MOST_REPETITIONS}
            ORDER BY precision, repetition""",
        run_id=run_id,
        clock=clock,
        batch_size=batch_size,
    )


@kept
def bounds(results: Results, run_id: str) -> pandas.DataFrame:
    """What a pass must do and how fast the device does it: precision, batch_size, operations, bytes, matrix_rate, copy_rate.

    The rates are the best of their repetitions, and missing where they were not measured.
    """
    return results.query(
        f"""WITH rates AS (
                SELECT precision, max(per_second) FILTER (kind = 'matrix') AS matrix_rate,
                       max(per_second) FILTER (kind = 'copy') AS copy_rate
                FROM device_rate WHERE run_id = $run_id AND per_second > 0 AND isfinite(per_second) GROUP BY precision)
            SELECT precision, batch_size, operations, bytes, matrix_rate, copy_rate
            FROM encoder_work LEFT JOIN rates USING (precision)
            WHERE run_id = $run_id AND precision IS NOT NULL AND batch_size >= 1 AND operations > 0 AND bytes > 0
            QUALIFY {FEW_PRECISIONS} AND row_number() OVER (PARTITION BY batch_size, precision) = 1
            ORDER BY batch_size, precision""",
        run_id=run_id,
    )


@kept
def memory_moments(results: Results, run_id: str) -> pandas.DataFrame:
    """What is allocated at each moment of a pass: precision, batch_size, moment, milliseconds, layer, category, mebibytes."""
    return results.query(
        f"""SELECT precision, batch_size, moment, milliseconds, layer, category, mebibytes FROM memory
            WHERE run_id = $run_id AND precision IS NOT NULL AND batch_size >= 1 AND moment IS NOT NULL AND layer IS NOT NULL
              AND category IS NOT NULL AND milliseconds BETWEEN 0 AND {LARGEST_FIGURE}
              AND mebibytes BETWEEN 0 AND {LARGEST_FIGURE}
            QUALIFY {FEW_PRECISIONS} ORDER BY precision, moment, category LIMIT {MOST_MEMORY_ROWS}""",
        run_id=run_id,
    )


@kept
def memory_peaks(results: Results, run_id: str) -> pandas.DataFrame:
    """The peaks that were measured of a pass: precision, batch_size, measure, mebibytes."""
    return results.query(
        f"""SELECT precision, batch_size, measure, mebibytes FROM memory_peak
            WHERE run_id = $run_id AND precision IS NOT NULL AND batch_size >= 1 AND measure IS NOT NULL
              AND mebibytes BETWEEN 0 AND {LARGEST_FIGURE}
            QUALIFY {FEW_PRECISIONS} ORDER BY precision, measure LIMIT {MOST_GROUPS}""",
        run_id=run_id,
    )
