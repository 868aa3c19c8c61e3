"""Two variants on the same images: their counts as arrays, and from those the figures of the skip-connections page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from dashboard import intervals, layout, queries
from dashboard.charts import VARIANT_COLORS
from dashboard.connection import Results, ResultsError
from dashboard.intervals import Estimate
from dashboard.kept import kept

VARIANTS = tuple(VARIANT_COLORS)
UPPER_PX = r"^\d+-(\d{1,6})$"  # of a band: its largest distance from a boundary; the band beyond all others has none
SCORES = {"pooled": intervals.pooled_mean_iou, "per image": intervals.per_image_mean_iou}
Counts = tuple[np.ndarray, np.ndarray]  # with and without skips, each (seeds, images, classes, 3)


@dataclass(frozen=True)
class Comparison:
    """The runs that are set side by side: one with and one without skips for each seed."""

    dataset: str
    profile: str
    image_count: int
    class_count: int
    seeds: tuple[int, ...]
    skip_runs: tuple[str, ...]
    no_skip_runs: tuple[str, ...]
    epochs: int

    @property
    def run_ids(self) -> list[str]:
        """All runs, those with skips first."""
        return [*self.skip_runs, *self.no_skip_runs]

    def runs_of_seed(self, seed: int) -> tuple[str, str]:
        """The run with and the run without skips."""
        position = self.seeds.index(seed)
        return self.skip_runs[position], self.no_skip_runs[position]

    @property
    def labels(self) -> pandas.DataFrame:
        """Variant and seed of each run."""
        variants = np.repeat(VARIANTS, len(self.seeds))
        return pandas.DataFrame({"run_id": self.run_ids, "variant": variants, "seed": [*self.seeds, *self.seeds]})


def comparison_of(results: Results, row: pandas.Series) -> Comparison:
    """The comparison that a row of `queries.comparisons` describes."""
    class_count = int((~queries.classes(results, row.dataset).ignored).sum())
    runs = tuple(row.skip_runs), tuple(row.no_skip_runs)
    return Comparison(row.dataset, row.profile, int(row.val_images), class_count, tuple(row.seeds), *runs, int(row.epochs))


@kept
def counts_of(results: Results, comparison: Comparison, first_only: bool) -> Counts:
    """Pixel counts of both variants after their last epoch; raises ResultsError where runs saw different images."""
    frame = queries.final_counts(results, comparison.run_ids, first_only)
    values = frame[["intersection", "predicted", "truth"]].to_numpy(np.float64)
    shape = (2 * len(comparison.seeds), -1, comparison.class_count, 3)
    if len(frame) % (shape[0] * shape[2]) or frame.groupby("run_id").image_id.nunique().nunique() != 1:
        raise ResultsError(f"The runs {', '.join(comparison.run_ids)} do not hold the same images and classes.")
    by_run = dict(zip(frame.run_id.unique(), values.reshape(shape), strict=True))
    with_skips, without = (
        np.stack([by_run[run_id] for run_id in runs]) for runs in (comparison.skip_runs, comparison.no_skip_runs)
    )
    return with_skips, without


@kept
def mean_iou(counts: Counts, score: str) -> tuple[Estimate, Estimate, Estimate]:
    """Mean IoU, by one of SCORES, with skips, without, and the difference on the same images."""
    with_skips, without = counts
    function = SCORES[score]
    weights = intervals.image_weights(with_skips.shape[1])
    draws = function(weights, with_skips), function(weights, without)
    return intervals.summarise(draws[0]), intervals.summarise(draws[1]), intervals.summarise(draws[0] - draws[1])


def seed_differences(counts: Counts, score: str) -> list[float]:
    """Mean IoU with minus without skips of each seed alone: how far the figure hangs on training."""
    one_draw = intervals.image_weights(counts[0].shape[1])[:1]
    pairs = zip(*counts, strict=True)
    return [float((SCORES[score](one_draw, a[None]) - SCORES[score](one_draw, b[None]))[0]) for a, b in pairs]


@kept
def class_iou(counts: Counts, names: list[str]) -> pandas.DataFrame:
    """IoU of each class and variant with intervals, the class with the most true pixels first.

    Columns class, variant, iou, low, high, pixel_share, difference (as text, with its interval).
    """
    weights = intervals.image_weights(counts[0].shape[1])
    draws = [intervals.pooled_class_iou(weights, variant_counts) for variant_counts in counts]
    true_pixels = counts[0][0, :, :, 2].sum(axis=0)
    rows = []
    for index, name in enumerate(names):
        difference = intervals.as_text(intervals.summarise(draws[0][:, index] - draws[1][:, index]), signed=True)
        for variant, variant_draws in zip(VARIANTS, draws, strict=True):
            estimate = intervals.summarise(variant_draws[:, index])
            share = true_pixels[index] / true_pixels.sum()
            rows.append((name, variant, estimate.value, estimate.low, estimate.high, share, difference))
    frame = pandas.DataFrame(rows, columns=["class", "variant", "iou", "low", "high", "pixel_share", "difference"])
    return frame.sort_values("pixel_share", ascending=False, kind="stable").dropna(subset=["iou"])


@kept
def boundary_accuracy(results: Results, comparison: Comparison, first_only: bool) -> pandas.DataFrame:
    """Pixel accuracy by distance band and variant, seeds pooled: band, variant, accuracy, low, high, pixel_share."""
    counts = queries.boundary_counts(results, comparison.run_ids, first_only).merge(comparison.labels, on="run_id")
    per_image = counts.groupby(["variant", "band", "image_id"], sort=False)[["correct", "total"]].sum()
    rows = []
    for (variant, band), group in per_image.groupby(level=[0, 1], sort=False):
        correct, total = (intervals.image_weights(len(group)) @ group.to_numpy(np.float64)).T
        with np.errstate(invalid="ignore"):
            estimate = intervals.summarise(correct / total)
        rows.append((band, variant, estimate.value, estimate.low, estimate.high, group.total.sum()))
    frame = pandas.DataFrame(rows, columns=["band", "variant", "accuracy", "low", "high", "pixel_share"])
    frame["pixel_share"] /= frame.groupby("variant").pixel_share.transform("sum")
    return frame.dropna(subset=["accuracy"])


@dataclass(frozen=True)
class Near:
    """Which share of the pixels that skips put right lies within some pixels of a boundary, and which share of all pixels."""

    within_px: int
    gained: Estimate
    of_all: float


@kept
def gain_near_boundaries(results: Results, comparison: Comparison) -> Near | None:
    """The narrowest distance within which most of the gain was shown to lie; None where there is none, or no gain."""
    counts = queries.boundary_counts(results, comparison.run_ids, False).merge(comparison.labels, on="run_id")
    upper_px = counts.band.str.extract(UPPER_PX, expand=False).astype(float).fillna(np.inf)
    sums = counts.assign(upper_px=upper_px).pivot_table(
        values=["correct", "total"], index="image_id", columns=["variant", "upper_px"], aggfunc="sum", fill_value=0
    )
    if sums.empty or set(VARIANTS) != set(sums["correct"].columns.get_level_values("variant")):
        return None
    gains = sums["correct"][VARIANTS[0]].sub(sums["correct"][VARIANTS[1]], fill_value=0)
    totals = sums["total"][VARIANTS[0]].sum().cumsum()
    drawn = (intervals.image_weights(len(gains)) @ gains.to_numpy(np.float64)).cumsum(axis=1)
    if not (drawn[:, -1] > 0).all():
        return None  # where some draws show no gain at all, its shares mean nothing
    for place, within_px in enumerate(gains.columns[:-1]):
        share = intervals.summarise(drawn[:, place] / drawn[:, -1])
        if share.low > 0.5:
            return Near(int(within_px), share, float(totals.iloc[place] / totals.iloc[-1]))
    return None


def picture_class_table(classes: pandas.DataFrame, variants: Sequence[str]) -> None:
    """Draw one picture's classes: true pixels, IoU of two variants, and their difference.

    Rows are those of `queries.picture_classes` with a column variant.
    """
    scores = classes.pivot(index=["class_id", "name", "color", "truth"], columns="variant", values="iou")
    scores = scores.reindex(columns=list(variants)).reset_index().sort_values(["truth", "class_id"], ascending=[False, True])
    first, second = scores[variants[0]], scores[variants[1]]
    shown = pandas.DataFrame(
        {
            "class": scores["name"],
            "true pixels": scores.truth,
            f"IoU {variants[0]}": first,
            f"IoU {variants[1]}": second,
            "difference": first - second,
        }
    )
    formats = {"true pixels": "{:,}", "difference": "{:+.3f}", **{f"IoU {variant}": "{:.3f}" for variant in variants}}
    layout.table(shown, "classes_of_the_picture", formats, scores.color.tolist())
