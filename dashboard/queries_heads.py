"""The SQL of the page segmentation_decoder_heads: a function each, from `Results` to a DataFrame."""

import pandas

from dashboard.connection import Results
from dashboard.kept import kept

EXPERIMENT = "segmentation_decoder_heads"
REPORTED_METRIC = "mIoU in percent"


@kept
def head_runs(results: Results) -> pandas.DataFrame:
    """The latest run of each head and seed for each data set, profile and settings, the newest first."""
    return results.query(
        """SELECT run_id, variant, profile, dataset, seed, settings::VARCHAR AS settings_text, device, threads, parameters,
                  started_at, coalesce(name, '') AS dataset_name, labels, train_images, val_images,
                  coalesce(regexp_extract(weights, 'features of (.*) \\(SHA-256', 1), '') AS encoder,
                  try_cast(settings ->> 'epochs' AS INTEGER) AS epochs,
                  try_cast(settings ->> 'image_size_px' AS INTEGER) AS image_size_px
           FROM run JOIN dataset USING (dataset) WHERE experiment = $experiment
           QUALIFY row_number() OVER (
               PARTITION BY dataset, profile, settings_text, variant, seed ORDER BY started_at DESC, run_id) = 1
           ORDER BY started_at DESC, run_id""",
        experiment=EXPERIMENT,
    )


@kept
def epoch_scores(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Mean IoU over all images after each epoch of each run, both ways: run_id, epoch, pooled, per_image."""
    return results.query(
        """WITH scores AS (
               SELECT run_id, epoch, image_id, class_id, intersection AS i, predicted + truth - intersection AS u
               FROM segmentation_score WHERE list_contains($run_ids, run_id)),
           class_scores AS (
               SELECT run_id, epoch, class_id, sum(i) / nullif(sum(u), 0) AS iou FROM scores GROUP BY ALL),
           image_scores AS (
               SELECT run_id, epoch, image_id, avg(i / u) FILTER (u > 0) AS iou FROM scores GROUP BY ALL)
           SELECT run_id, epoch, pooled, per_image
           FROM (SELECT run_id, epoch, avg(iou) AS pooled FROM class_scores GROUP BY ALL)
           JOIN (SELECT run_id, epoch, avg(iou) AS per_image FROM image_scores GROUP BY ALL) USING (run_id, epoch)
           ORDER BY run_id, epoch""",
        run_ids=list(run_ids),
    )


@kept
def class_epoch_scores(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """IoU of each class, pooled over all images, after each epoch of each run: run_id, epoch, class_id, iou, truth (pixels).

    A class that is in neither the truth nor the predictions of an epoch has no IoU.
    """
    return results.query(
        """SELECT run_id, epoch, class_id, sum(truth)::BIGINT AS truth,
                  sum(intersection) / nullif(sum(predicted + truth - intersection), 0) AS iou
           FROM segmentation_score WHERE list_contains($run_ids, run_id) GROUP BY run_id, epoch, class_id
           ORDER BY run_id, class_id, epoch""",
        run_ids=list(run_ids),
    )


def epoch_masks(results: Results, run_ids: tuple[str, ...], image_id: str) -> pandas.DataFrame:
    """The stored masks of one picture with its mean IoU after that epoch: run_id, epoch, path, mean_iou."""
    return results.query(
        """SELECT m.run_id, m.epoch, any_value(m.path) AS path,
                  avg(intersection / (predicted + truth - intersection)) FILTER (predicted + truth > 0) AS mean_iou
           FROM segmentation_mask m LEFT JOIN segmentation_score s USING (run_id, epoch, image_id)
           WHERE list_contains($run_ids, m.run_id) AND image_id = $image_id GROUP BY m.run_id, m.epoch
           ORDER BY m.run_id, m.epoch""",
        run_ids=list(run_ids),
        image_id=image_id,
    )


@kept
def last_masks(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Pictures with each run's last mask of them: image_id, ordinal, photo, width, height, truth_mask, run_id, mask."""
    return results.query(
        """WITH truth AS (SELECT image_id, any_value(path) AS truth_mask FROM segmentation_mask
                          WHERE run_id IS NULL GROUP BY image_id),
           last AS (SELECT image_id, run_id, arg_max(path, epoch) AS mask FROM segmentation_mask
                    WHERE list_contains($run_ids, run_id) GROUP BY image_id, run_id)
           SELECT image_id, ordinal, image.path AS photo, width, height, truth_mask, run_id, mask
           FROM last JOIN image USING (image_id) LEFT JOIN truth USING (image_id) ORDER BY ordinal, image_id, run_id""",
        run_ids=list(run_ids),
    )


@kept
def model_costs(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """What each part of each run's model costs for one picture: run_id, part, parameters, multiply_adds."""
    return results.query(
        """SELECT run_id, part, parameters, multiply_adds FROM model_cost WHERE list_contains($run_ids, run_id)
           ORDER BY run_id, part""",
        run_ids=list(run_ids),
    )


@kept
def training_times(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """How long the optimiser's steps of each run took together: run_id, steps, seconds."""
    return results.query(
        """SELECT run_id, count(*) AS steps, sum(milliseconds) / 1000 AS seconds FROM training_step
           WHERE list_contains($run_ids, run_id) AND isfinite(milliseconds) GROUP BY run_id ORDER BY run_id""",
        run_ids=list(run_ids),
    )


@kept
def attended_pictures(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Pictures whose class tokens' attention is stored: image_id, ordinal, photo, width, height, truth_mask."""
    return results.query(
        """WITH truth AS (SELECT image_id, any_value(path) AS truth_mask FROM segmentation_mask
                          WHERE run_id IS NULL GROUP BY image_id)
           SELECT image_id, ordinal, image.path AS photo, width, height, truth_mask
           FROM image LEFT JOIN truth USING (image_id)
           WHERE image_id IN (SELECT image_id FROM token_attention WHERE list_contains($run_ids, run_id))
           ORDER BY ordinal, image_id""",
        run_ids=list(run_ids),
    )


@kept
def token_attention(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Attention of every class token over the patches: run_id, image_id, class_id, height, width, weights (row by row)."""
    return results.query(
        """SELECT run_id, image_id, class_id, height, width, weights FROM token_attention
           WHERE list_contains($run_ids, run_id) AND len(weights) = height::INTEGER * width AND len(weights) > 0
           ORDER BY run_id, image_id, class_id""",
        run_ids=list(run_ids),
    )


@kept
def hidden_counts(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Pixels by run and image: run_id, image_id, hidden, as_hidden, as_occluder, control, control_as_hidden."""
    return results.query(
        """SELECT run_id, image_id, sum(hidden)::BIGINT AS hidden, sum(as_hidden)::BIGINT AS as_hidden,
                  sum(as_occluder)::BIGINT AS as_occluder, sum(control)::BIGINT AS control,
                  sum(control_as_hidden)::BIGINT AS control_as_hidden
           FROM hidden_score WHERE list_contains($run_ids, run_id) GROUP BY run_id, image_id ORDER BY run_id, image_id""",
        run_ids=list(run_ids),
    )


@kept
def hidden_parts(results: Results, run_ids: tuple[str, ...]) -> pandas.DataFrame:
    """Every hidden part, the largest share of it called what it is first, of images with a mask of that run.

    Columns run_id, image_id, class_id, name, occluder_class_id, occluder_name, hidden and as_hidden (pixels), share.
    """
    return results.query(
        """SELECT run_id, image_id, h.class_id, c.name, occluder_class_id, o.name AS occluder_name, hidden, as_hidden,
                  as_hidden / nullif(hidden, 0) AS share
           FROM hidden_score h SEMI JOIN segmentation_mask USING (run_id, image_id) JOIN image USING (image_id)
                JOIN segmentation_class c ON c.dataset = image.dataset AND c.class_id = h.class_id
                JOIN segmentation_class o ON o.dataset = image.dataset AND o.class_id = h.occluder_class_id
           WHERE list_contains($run_ids, run_id)
           ORDER BY share DESC NULLS LAST, hidden DESC, image_id, h.class_id, occluder_class_id, run_id""",
        run_ids=list(run_ids),
    )


@kept
def reported_results(results: Results) -> pandas.DataFrame:
    """Mean IoU in percent of each head in the report that the experiment reproduces: variant, value, source."""
    return results.query(
        """SELECT variant, value, source FROM reference_result
           WHERE experiment = $experiment AND metric = $metric AND isfinite(value) ORDER BY value, variant""",
        experiment=EXPERIMENT,
        metric=REPORTED_METRIC,
    )
