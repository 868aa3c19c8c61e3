"""Every SQL query of the dashboard: a function each, from `Results` to a DataFrame.

What every view of a page asks for is kept for each state of the file; no caller changes a frame that it is given.
"""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

FIRST_IMAGES = 10  # the notebook's evaluation is on its first ten validation images

# One run for each variant and seed on a data set in a profile: the latest, where settings were changed and run again.
LATEST_RUNS = """
    latest AS (
        SELECT * FROM run QUALIFY row_number() OVER (
            PARTITION BY experiment, variant, profile, dataset, seed ORDER BY started_at DESC) = 1)"""
# Raw counts after each run's last epoch.
FINAL_COUNTS = """
    final AS (
        SELECT s.*, ordinal FROM segmentation_score s JOIN image USING (image_id)
        WHERE list_contains($run_ids, s.run_id)
          AND epoch = (SELECT max(epoch) FROM segmentation_score e WHERE e.run_id = s.run_id))"""


@kept
def runs(results: Results) -> pandas.DataFrame:
    """Every run with its data set's name, the latest first."""
    return results.query(
        """SELECT run.*, coalesce(dataset.name, '') AS dataset_name, dataset.labels
           FROM run LEFT JOIN dataset USING (dataset) ORDER BY started_at DESC, run_id"""
    )


@kept
def fingerprint(results: Results) -> str:
    """Twelve hexadecimal digits that are the same for the same runs, whatever their order, and others with one run more."""
    found = results.query(
        """WITH lines AS (SELECT concat_ws(' ', run_id, started_at) AS line FROM run)
           SELECT substr(sha256(coalesce(string_agg(line, chr(10) ORDER BY line), '')), 1, 12) AS fingerprint FROM lines"""
    )
    return str(found.fingerprint.iloc[0])


def data_sources(results: Results) -> pandas.DataFrame:
    """Where the pictures of each data set come from: name, source, license."""
    return results.query("SELECT DISTINCT name, source, license FROM dataset ORDER BY ALL")


@kept
def comparisons(results: Results) -> pandas.DataFrame:
    """Data sets and profiles on which both variants of unet_skip_connections ran with the same seeds and settings.

    A row holds lists, in the order of the seeds: seeds, skip_runs, no_skip_runs.
    """
    return results.query(
        f"""WITH {LATEST_RUNS},
            pairs AS (
                SELECT a.dataset, a.profile, a.seed, a.run_id AS skip_run, b.run_id AS no_skip_run, a.started_at,
                       try_cast(a.settings ->> 'epochs' AS INTEGER) AS epochs
                FROM latest a JOIN latest b USING (experiment, profile, dataset, seed)
                WHERE experiment = 'unet_skip_connections' AND a.variant = 'skip' AND b.variant = 'no_skip'
                  AND a.settings = b.settings)
            SELECT dataset, profile, any_value(name) AS dataset_name, any_value(labels) AS labels,
                   any_value(val_images) AS val_images, list(seed ORDER BY seed) AS seeds,
                   list(skip_run ORDER BY seed) AS skip_runs, list(no_skip_run ORDER BY seed) AS no_skip_runs,
                   coalesce(max(epochs), 0) AS epochs
            FROM pairs JOIN dataset USING (dataset) GROUP BY dataset, profile ORDER BY max(started_at) DESC, dataset"""
    )


@kept
def classes(results: Results, dataset: str) -> pandas.DataFrame:
    """The classes of a data set in the order of their indices, the ignored ones last."""
    return results.query(
        "SELECT class_id, name, color, ignored FROM segmentation_class WHERE dataset = $dataset ORDER BY class_id",
        dataset=dataset,
    )


def final_counts(results: Results, run_ids: list[str], first_only: bool) -> pandas.DataFrame:
    """Pixel counts by run, image and class after the last epoch, ordered by run, image and class."""
    return results.query(
        f"""WITH {FINAL_COUNTS}
            SELECT run_id, image_id, class_id, intersection, predicted, truth FROM final
            WHERE ordinal <= $last ORDER BY run_id, ordinal, image_id, class_id""",
        run_ids=run_ids,
        last=FIRST_IMAGES if first_only else 2**30,
    )


def epoch_scores(results: Results, run_ids: list[str]) -> pandas.DataFrame:
    """Pooled mean IoU after each epoch of each run, over all images: run_id, epoch, mean_iou."""
    return results.query(
        """WITH pooled AS (
               SELECT run_id, epoch, class_id, sum(intersection) AS i, sum(predicted) AS p, sum(truth) AS t
               FROM segmentation_score WHERE list_contains($run_ids, run_id) GROUP BY ALL)
           SELECT run_id, epoch, avg(i / (p + t - i)) FILTER (p + t > 0) AS mean_iou FROM pooled GROUP BY ALL ORDER BY ALL""",
        run_ids=run_ids,
    )


def training_losses(results: Results, run_ids: list[str], points: int = 60) -> pandas.DataFrame:
    """Training loss averaged over neighbouring steps, at most `points` a run: run_id, step, loss."""
    return results.query(
        """WITH numbered AS (SELECT *, max(step) OVER (PARTITION BY run_id) + 1 AS steps
                             FROM training_step WHERE list_contains($run_ids, run_id))
           SELECT run_id, avg(step) AS step, avg(loss) AS loss FROM numbered
           GROUP BY run_id, step * $points // greatest(steps, $points) ORDER BY run_id, step""",
        run_ids=run_ids,
        points=points,
    )


def boundary_counts(results: Results, run_ids: list[str], first_only: bool) -> pandas.DataFrame:
    """Right and all pixels by run, image and distance band: run_id, image_id, band, correct, total."""
    return results.query(
        """SELECT run_id, image_id, band, correct, total FROM boundary_score JOIN image USING (image_id)
           WHERE list_contains($run_ids, run_id) AND ordinal <= $last
           ORDER BY run_id, ordinal, image_id, band LIKE 'over%', try_cast(split_part(band, '-', 1) AS INTEGER)""",
        run_ids=run_ids,
        last=FIRST_IMAGES if first_only else 2**30,
    )


# Mean over an image's classes, where a class absent from truth and prediction does not count.
IMAGE_SCORES = """
    image_scores AS (
        SELECT run_id, image_id, any_value(ordinal) AS ordinal,
               avg(intersection / (predicted + truth - intersection)) FILTER (predicted + truth > 0) AS mean_iou
        FROM final GROUP BY run_id, image_id)"""
# Columns to sort by, and whether the largest comes first.
PICTURE_ORDERS = {
    "helped": ("difference", False),
    "hurt": ("difference", True),
    "hardest": ("sum_iou", True),
    "number": ("ordinal", True),
}


def compared_pictures(
    results: Results, skip_run: str, no_skip_run: str, order: str, first_only: bool, limit: int, offset: int
) -> pandas.DataFrame:
    """A page of pictures with both variants' mean IoU and the paths of photo and masks, in one of PICTURE_ORDERS."""
    column, ascending = PICTURE_ORDERS[order]
    pictures = _all_compared_pictures(results, skip_run, no_skip_run)
    if first_only:
        pictures = pictures[pictures.ordinal <= FIRST_IMAGES]
    return pictures.sort_values([column, "ordinal"], ascending=[ascending, True])[offset : offset + limit]


def compared_picture(results: Results, skip_run: str, no_skip_run: str, image_id: str) -> pandas.DataFrame:
    """One picture as in `compared_pictures`; empty where these runs have none of that name."""
    pictures = _all_compared_pictures(results, skip_run, no_skip_run)
    return pictures[pictures.image_id == image_id]


@kept
def _all_compared_pictures(results: Results, skip_run: str, no_skip_run: str) -> pandas.DataFrame:
    """All pictures of two runs; kept, as every sort and page is one more view of them."""
    return results.query(
        f"""WITH {FINAL_COUNTS}, {IMAGE_SCORES}
            SELECT image_id, a.ordinal, a.mean_iou AS skip_iou, b.mean_iou AS no_skip_iou, skip_iou - no_skip_iou AS difference,
                   skip_iou + no_skip_iou AS sum_iou, image.path AS photo, width, height, {_mask_path("NULL")} AS truth_mask,
                   {_mask_path("$skip_run")} AS skip_mask, {_mask_path("$no_skip_run")} AS no_skip_mask
            FROM image_scores a JOIN image_scores b USING (image_id) JOIN image USING (image_id)
            WHERE a.run_id = $skip_run AND b.run_id = $no_skip_run""",
        run_ids=[skip_run, no_skip_run],
        skip_run=skip_run,
        no_skip_run=no_skip_run,
    )


def _mask_path(run_id: str) -> str:
    """SQL for the path of the latest mask that a run, or with NULL the truth, has of `image.image_id`."""
    return f"""(SELECT arg_max(m.path, coalesce(m.epoch, 0)) FROM segmentation_mask m
                WHERE m.image_id = image.image_id AND m.run_id IS NOT DISTINCT FROM {run_id})"""


def picture_classes(results: Results, image_id: str, run_ids: list[str]) -> pandas.DataFrame:
    """Counts of one picture by run and class, of the classes in its truth or a prediction, the most frequent first."""
    return results.query(
        f"""WITH {FINAL_COUNTS}
            SELECT run_id, class_id, c.name, c.color, intersection, predicted, truth,
                   intersection / nullif(predicted + truth - intersection, 0) AS iou
            FROM final JOIN image USING (image_id) JOIN segmentation_class c USING (dataset, class_id)
            WHERE image_id = $image_id AND predicted + truth > 0 ORDER BY truth DESC, class_id""",
        run_ids=run_ids,
        image_id=image_id,
    )


def metric_datasets(results: Results) -> pandas.DataFrame:
    """Data sets and profiles on which segmentation_metric ran: dataset, profile, dataset_name, labels, val_images."""
    return results.query(
        """SELECT dataset, profile, any_value(name) AS dataset_name, any_value(labels) AS labels,
                  any_value(val_images) AS val_images
           FROM run JOIN dataset USING (dataset) WHERE experiment = 'segmentation_metric'
           GROUP BY dataset, profile ORDER BY max(started_at) DESC, dataset"""
    )


def predictor_scores(results: Results, dataset: str, profile: str, ordinal: int | None = None) -> pandas.DataFrame:
    """All networks and constant predictors under each metric, over all images or for the one numbered `ordinal`.

    Columns run_id, experiment, variant, seed, notebook, per_image, pooled; of one image, per_image and pooled are the same.
    """
    return results.query(
        f"""WITH {LATEST_RUNS},
            chosen AS (SELECT * FROM latest WHERE dataset = $dataset AND profile = $profile
                       AND (experiment = 'unet_skip_connections' OR variant LIKE 'constant\\_%' ESCAPE '\\')),
            last AS (SELECT run_id, max(epoch) AS epoch
                     FROM segmentation_score SEMI JOIN chosen USING (run_id) GROUP BY run_id),
            final AS (SELECT s.*, ordinal
                      FROM segmentation_score s JOIN last USING (run_id, epoch) JOIN image USING (image_id)
                      WHERE $ordinal IS NULL OR ordinal = $ordinal),
            {IMAGE_SCORES},
            per_image AS (SELECT run_id, avg(mean_iou) AS per_image FROM image_scores GROUP BY run_id),
            class_pools AS (SELECT run_id, class_id, sum(intersection) AS i, sum(predicted) AS p, sum(truth) AS t
                            FROM final GROUP BY ALL),
            pooled AS (SELECT run_id, avg(i / (p + t - i)) FILTER (p + t > 0) AS pooled FROM class_pools GROUP BY run_id),
            notebook AS (SELECT run_id, avg(intersection / nullif(union_pixels, 0)) AS notebook
                         FROM foreground_score JOIN last USING (run_id, epoch) JOIN image USING (image_id)
                         WHERE $ordinal IS NULL OR ordinal = $ordinal GROUP BY run_id)
            SELECT run_id, experiment, variant, seed, notebook, per_image, pooled
            FROM chosen JOIN per_image USING (run_id) JOIN pooled USING (run_id) JOIN notebook USING (run_id)
            ORDER BY experiment DESC, variant, seed""",
        dataset=dataset,
        profile=profile,
        ordinal=ordinal,
    )


def notebook_scores(results: Results, run_ids: list[str]) -> pandas.DataFrame:
    """The notebook's IoU of each image after each run's last epoch, ordered by run and image: run_id, image_id, score.

    `score` is missing where neither side has a non-zero class number.
    """
    return results.query(
        """SELECT run_id, image_id, intersection / nullif(union_pixels, 0) AS score
           FROM foreground_score JOIN image USING (image_id)
           WHERE list_contains($run_ids, run_id)
           QUALIFY epoch = max(epoch) OVER (PARTITION BY run_id) ORDER BY run_id, ordinal, image_id""",
        run_ids=run_ids,
    )


def zero_class_scores(results: Results, run_id: str) -> pandas.DataFrame:
    """The notebook's IoU of a run's predictions, had each class in turn been the one numbered zero: class_id, name, score.

    Both sides are non-zero wherever neither is the zero class, so that the score follows from the class counts.
    """
    return results.query(
        f"""WITH {FINAL_COUNTS},
            sizes AS (SELECT image_id, sum(truth) AS pixels FROM final GROUP BY image_id)
            SELECT class_id, any_value(c.name) AS name,
                   avg((pixels - (truth + predicted - intersection)) / nullif(pixels - intersection, 0)) AS score
            FROM final JOIN sizes USING (image_id) JOIN image USING (image_id)
                 JOIN segmentation_class c USING (dataset, class_id)
            GROUP BY class_id ORDER BY score DESC""",
        run_ids=[run_id],
    )


def widest_gap(results: Results, run_id: str) -> int:
    """Number of the picture that the notebook's metric flatters most, compared with the mean over its classes."""
    found = results.query(
        f"""WITH {FINAL_COUNTS}, {IMAGE_SCORES}
            SELECT s.ordinal FROM image_scores s JOIN foreground_score f USING (run_id, image_id)
            WHERE f.epoch = (SELECT max(epoch) FROM final)
            ORDER BY f.intersection / nullif(f.union_pixels, 0) - mean_iou DESC NULLS LAST, s.ordinal LIMIT 1""",
        run_ids=[run_id],
    )
    return int(found.ordinal.iloc[0]) if len(found) else 1


def numbered_picture(results: Results, dataset: str, ordinal: int, run_id: str) -> pandas.DataFrame:
    """One picture of a data set by its number, with the paths of photo, truth and a run's mask; empty where there is none."""
    return results.query(
        f"""SELECT image_id, ordinal, path AS photo, width, height, {_mask_path("NULL")} AS truth_mask,
                   {_mask_path("$run_id")} AS mask
            FROM image WHERE dataset = $dataset AND ordinal = $ordinal""",
        dataset=dataset,
        ordinal=ordinal,
        run_id=run_id,
    )


def label_clusters(results: Results, dataset: str, profile: str) -> pandas.DataFrame:
    """What the notebook's color clusters hold, a row for each cluster and true class, the largest cluster first.

    Columns run_id, cluster, color, class_id, name, class_color, pixels, and the cluster's size in pixels.
    """
    return results.query(
        f"""WITH {LATEST_RUNS},
            newest AS (SELECT * FROM latest WHERE variant = 'kmeans_labels' AND dataset = $dataset AND profile = $profile
                       ORDER BY started_at DESC LIMIT 1)
            SELECT l.run_id, cluster, l.color, l.class_id, c.name, c.color AS class_color, pixels,
                   sum(pixels) OVER (PARTITION BY cluster) AS size
            FROM label_cluster l JOIN newest USING (run_id)
                 JOIN segmentation_class c ON c.dataset = newest.dataset AND c.class_id = l.class_id
            ORDER BY size DESC, cluster, pixels DESC""",
        dataset=dataset,
        profile=profile,
    )
