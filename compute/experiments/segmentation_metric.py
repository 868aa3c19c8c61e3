"""What is wrong with IoU by `logical_and` and `logical_or`?

Method: predictors that know nothing, each calling every pixel the same class, are scored as any network is; and the notebook's
labels, nearest of ten k-means clusters of random colours, are counted against the true classes. How the metrics judge real
predictions, and how the notebook's one changes with the numbering of the classes, follows from the counts that
unet_skip_connections keeps, so that nothing is predicted twice.
Source: the course notebook's metric and labels; per-image and pooled means as in the PASCAL VOC and Cityscapes benchmarks.
Command: python -m compute run segmentation_metric [--pairs DIR]
Time: seconds, on a CPU.
Tables: dataset, image, segmentation_class, segmentation_score, foreground_score, boundary_score, segmentation_mask,
label_cluster.
"""

from dataclasses import dataclass

import numpy as np
import pandas
import torch

from compute.data.labelled_images import LabelledImages
from compute.data.palette import color_values, kmeans_palette
from compute.data.street_pairs import PairsSource, classes_of, load, relabel
from compute.pictures import write_mask
from compute.segmentation_rows import SegmentationRows, dataset_tables, image_ids
from compute.trials import Trial, TrialRows, Workbench

NAME = "segmentation_metric"
QUESTION = "What is wrong with IoU by logical_and and logical_or?"
VERSION = 1
KMEANS_VARIANT = "kmeans_labels"


@dataclass(frozen=True)
class Settings:
    """Which class a constant predictor names everywhere; None where the trial predicts nothing."""

    constant_class: int | None


def trials(profile: str, seed: int, pairs: PairsSource) -> list[Trial]:
    """A constant predictor for each scored class, and the notebook's labels beside those of the palette."""
    scored = [entry for entry in classes_of(pairs) if not entry.ignored]
    constants = [
        Trial(
            NAME,
            f"constant_{entry.name.replace(' ', '_')}",
            profile,
            seed,
            VERSION,
            Settings(entry.class_id),
            pairs,
            score_constant,
        )
        for entry in scored
    ]
    if pairs.labels == "kmeans":  # there is no palette to hold the clusters against
        return constants
    return [*constants, Trial(NAME, KMEANS_VARIANT, profile, seed, VERSION, Settings(None), pairs, count_clusters)]


def score_constant(trial: Trial, bench: Workbench) -> TrialRows:
    """Score the prediction that every pixel is of one class."""
    pairs = load(trial.data, bench.cache)
    predicted = torch.full(pairs.val.labels.shape, trial.settings.constant_class, dtype=torch.uint8)
    rows = SegmentationRows(trial.data, pairs, bench.images, bench.run_id)
    score = rows.add_epoch(0, predicted)
    rows.add_boundaries(predicted)
    bench.report(1, 1, f"mIoU {score:.3f}")
    return TrialRows(rows.tables(), weights="none: predicts one class everywhere")


def count_clusters(trial: Trial, bench: Workbench) -> TrialRows:
    """Label the validation masks by k-means on random colours, and count each cluster's pixels by true class."""
    pairs = load(trial.data, bench.cache)
    clusters = kmeans_palette(trial.seed)
    colors = color_values(clusters)
    labels = relabel(trial.data, pairs, colors)
    paths = [f"runs/{bench.run_id}/epoch_0/{stem}.png" for stem in pairs.val.stems]
    for path, label_map in zip(paths, labels, strict=True):
        write_mask(bench.images, path, label_map, colors)
    shared = dataset_tables(trial.data, pairs, bench.images)
    masks = pandas.DataFrame({"run_id": bench.run_id, "epoch": 0, "image_id": image_ids(trial.data, pairs), "path": paths})
    counts = cluster_counts(labels, pairs, len(clusters))
    rows = [
        {
            "run_id": bench.run_id,
            "cluster": cluster.class_id,
            "color": cluster.color,
            "class_id": class_id,
            "pixels": int(pixels),
        }
        for cluster in clusters
        for class_id, pixels in enumerate(counts[cluster.class_id])
    ]
    bench.report(1, 1, f"{np.count_nonzero(counts.sum(axis=1))} of {len(clusters)} clusters in use")
    tables = {**shared, "segmentation_mask": pandas.concat([shared["segmentation_mask"], masks], ignore_index=True)}
    return TrialRows({**tables, "label_cluster": pandas.DataFrame(rows)}, weights="none: k-means on 1,000 random colours")


def cluster_counts(labels: np.ndarray, pairs: LabelledImages, cluster_count: int) -> np.ndarray:
    """Pixels by cluster and true class: labels (N, H, W) uint8 -> (clusters, classes) int64; ignored pixels do not count."""
    cells = labels.astype(np.int32) * len(pairs.classes) + pairs.val.labels
    counts = np.bincount(cells.ravel(), minlength=cluster_count * len(pairs.classes))
    return counts.reshape(cluster_count, len(pairs.classes))[:, : pairs.class_count]
