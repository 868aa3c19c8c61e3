"""Pure functions from label maps to raw pixel counts, and from counts to scores.

A label map holds one class index per pixel as uint8. With `class_count` = C the classes 0 to C - 1 are scored; a true index of
C or more is ignored, that is, left out of every count here. Predictions are always below C.
"""

import torch
from torch import Tensor
from torch.nn import functional

# Name of each distance band and the largest distance in it, in pixels.
BOUNDARY_BANDS = (("1-2", 2), ("3-5", 5), ("6-10", 10), ("over 10", None))

# Neighbouring pixels are mostly of one class, and a counter that was just raised is slow to raise again: so they take turns
# at this many sets of counters.
LANES = 4


def confusion_matrices(truth: Tensor, predicted: Tensor, class_count: int) -> Tensor:
    """Count each image's pixels by true and predicted class, with one `bincount` for as many images as fit.

    truth, predicted: (N, H, W) uint8 -> (N, C, C) int64, rows the truth, columns the prediction.
    Raises ValueError where shapes or types differ from that, or a prediction is not below `class_count`.
    """
    if truth.ndim != 3 or truth.shape != predicted.shape or truth.dtype != torch.uint8 or predicted.dtype != torch.uint8:
        given = f"truth {tuple(truth.shape)} {truth.dtype}, prediction {tuple(predicted.shape)} {predicted.dtype}"
        raise ValueError(f"label maps must have one shape (N, H, W) and type uint8, given were {given}")
    if predicted.numel() and int(predicted.max()) >= class_count:
        raise ValueError(f"a prediction is class {int(predicted.max())}, but there are only {class_count} classes")
    size = (class_count + 1) * class_count  # of one image's counts: one more row takes the ignored truth
    largest = torch.iinfo(torch.int16).max  # the narrowest type that holds all cells is the fastest to count
    at_once = max(1, largest // (LANES * size))
    cell_type = torch.int16 if LANES * size <= largest else torch.int32
    lanes = torch.arange(truth.shape[2], dtype=cell_type) % LANES  # (W,)
    counts = []
    for true_maps, predicted_maps in zip(truth.split(at_once), predicted.split(at_once), strict=True):
        images = torch.arange(len(true_maps), dtype=cell_type).view(-1, 1, 1)
        cells = ((images * LANES + lanes) * size).add(predicted_maps).add_(true_maps.clamp(max=class_count), alpha=class_count)
        counts.append(torch.bincount(cells.flatten(), minlength=len(true_maps) * LANES * size))
    by_lane = torch.cat(counts).view(len(truth), LANES, class_count + 1, class_count)
    return by_lane.sum(dim=1)[:, :class_count]


def class_counts(matrices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels of each class that are right, predicted, and true: (N, C, C) -> three (N, C) int64."""
    return matrices.diagonal(dim1=1, dim2=2), matrices.sum(dim=1), matrices.sum(dim=2)


def foreground_counts(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """The notebook's intersection and union, which see only whether a class index is zero or not.

    `logical_and(label, prediction)` is true where both indices are non-zero, equal or not, and `logical_or` where either is.
    matrices: (N, C, C) -> two (N,) int64, in pixels.
    """
    union = matrices.sum(dim=(1, 2)) - matrices[:, 0, 0]
    return matrices[:, 1:, 1:].sum(dim=(1, 2)), union


def boundary_bands(truth: Tensor, class_count: int) -> Tensor:
    """Sort pixels by distance to the nearest pixel of another class: (N, H, W) uint8 -> band index (N, H, W) uint8.

    Distance is the chessboard distance in pixels (the larger of rows and columns), and ignored pixels are no class of their
    own. A pixel lies within distance d exactly where the window of d pixels around it holds two classes.
    """
    ignored = truth >= class_count
    largest = truth.float().masked_fill(ignored, -1.0).unsqueeze(1)  # (N, 1, H, W)
    smallest = truth.float().masked_fill(ignored, 256.0).unsqueeze(1)
    bands = torch.full_like(truth, len(BOUNDARY_BANDS) - 1)
    for index in reversed(range(len(BOUNDARY_BANDS) - 1)):
        distance = BOUNDARY_BANDS[index][1]
        assert distance is not None
        two_classes = _window_maximum(largest, distance) > -_window_maximum(-smallest, distance)
        bands[two_classes.squeeze(1)] = index
    return bands


def _window_maximum(values: Tensor, distance: int) -> Tensor:
    """Largest value within `distance` pixels, rows then columns: (N, 1, H, W) -> (N, 1, H, W)."""
    size = 2 * distance + 1
    rows = functional.max_pool2d(values, (size, 1), stride=1, padding=(distance, 0))
    return functional.max_pool2d(rows, (1, size), stride=1, padding=(0, distance))


def boundary_counts(bands: Tensor, truth: Tensor, predicted: Tensor, class_count: int) -> tuple[Tensor, Tensor]:
    """Pixels that are right, and all pixels, in each distance band: three (N, H, W) uint8 -> two (N, bands) int64."""
    band_count = len(BOUNDARY_BANDS)
    scored = truth < class_count
    cells = torch.where(scored, bands * 2 + (truth == predicted), 2 * band_count)
    counts = torch.stack([torch.bincount(image.flatten(), minlength=2 * band_count + 1) for image in cells])
    wrong_and_right = counts[:, : 2 * band_count].view(len(truth), band_count, 2)
    return wrong_and_right[:, :, 1], wrong_and_right.sum(dim=2)


def intersection_over_union(intersection: Tensor, predicted: Tensor, truth: Tensor) -> Tensor:
    """IoU of counts of any one shape, 0 to 1, NaN where a class is in neither the truth nor the prediction."""
    return intersection.double() / (predicted + truth - intersection)


def mean_iou_per_image(intersection: Tensor, predicted: Tensor, truth: Tensor) -> float:
    """Mean over the classes of an image, then over the images: three (N, C) -> 0 to 1; absent classes do not count."""
    return float(intersection_over_union(intersection, predicted, truth).nanmean(dim=1).nanmean())


def pooled_mean_iou(intersection: Tensor, predicted: Tensor, truth: Tensor) -> float:
    """Mean over the classes of IoU from counts pooled over all images: three (N, C) -> 0 to 1.

    The definition of the PASCAL VOC and Cityscapes benchmarks.
    """
    return float(intersection_over_union(intersection.sum(dim=0), predicted.sum(dim=0), truth.sum(dim=0)).nanmean())
