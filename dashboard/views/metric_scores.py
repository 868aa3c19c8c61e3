"""What a predictor that knows nothing scores by the notebook's metric and by pooled mean IoU, with intervals over images."""

import numpy as np

from dashboard import intervals, queries
from dashboard.connection import Results, ResultsError
from dashboard.intervals import Estimate
from dashboard.kept import kept


@kept
def constant_scores(results: Results, run_id: str) -> tuple[Estimate, Estimate, Estimate]:
    """One run's mean of the notebook's IoU over images, its pooled mean IoU, and the difference on the same images.

    Raises ResultsError where the two are not of the same images.
    """
    scored = queries.notebook_scores(results, [run_id])
    counted = queries.final_counts(results, [run_id], False)
    images = scored.image_id.tolist()
    if not images or counted.image_id.drop_duplicates().tolist() != images or len(counted) % len(images):
        raise ResultsError(f"The run {run_id} does not hold both scores of the same images. Compute it again with --force.")
    counts = counted[["intersection", "predicted", "truth"]].to_numpy(np.float64).reshape(1, len(images), -1, 3)
    weights = intervals.image_weights(len(images))
    notebook = mean_of_present(weights, scored.score.to_numpy(np.float64))
    pooled = intervals.pooled_mean_iou(weights, counts)
    return intervals.summarise(notebook), intervals.summarise(pooled), intervals.summarise(notebook - pooled)


def mean_of_present(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over the drawn images of what is not NaN: (draws, images), (images,) -> (draws,); NaN where none is left."""
    present = ~np.isnan(values)
    shares = weights @ present
    return np.divide(weights @ np.where(present, values, 0), shares, out=np.full(len(weights), np.nan), where=shares > 0)
