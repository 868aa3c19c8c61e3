"""How well each head segments: mean IoU with intervals, the order that appears, and which of its steps were shown."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from dashboard import intervals, layout, queries
from dashboard.connection import Results, ResultsError
from dashboard.intervals import Estimate
from dashboard.kept import kept
from dashboard.views.head_runs import Head, Setup

SCORES = {"pooled": intervals.pooled_mean_iou, "per image": intervals.per_image_mean_iou}
SCORE_TITLES = {"pooled": "mean IoU, pooled over all images", "per image": "mean IoU, averaged over images"}


@dataclass(frozen=True)
class Standing:
    """A head's mean IoU, and by how much it is ahead of the next one and of the last on the same images; None for the last."""

    head: Head
    estimate: Estimate
    lead: Estimate | None
    lead_of_last: Estimate | None = None


@kept
def counts_of(results: Results, setup: Setup) -> list[np.ndarray]:
    """Pixel counts of each head after its last epoch, (seeds, images, classes, 3); raises ResultsError where images differ."""
    frame = queries.final_counts(results, list(setup.run_ids), False)
    values = frame[["intersection", "predicted", "truth"]].to_numpy(np.float64)
    shape = (len(setup.run_ids), -1, setup.class_count, 3)
    images = frame.groupby("run_id").image_id.agg(lambda ids: tuple(dict.fromkeys(ids)))
    if len(images) != shape[0] or images.nunique() != 1 or len(frame) != shape[0] * len(images.iloc[0]) * setup.class_count:
        raise ResultsError(f"The runs {', '.join(setup.run_ids)} do not hold the same images and classes.")
    by_run = dict(zip(frame.run_id.unique(), values.reshape(shape), strict=True))
    return [np.stack([by_run[run_id] for run_id in head.run_ids]) for head in setup.heads]


@kept
def standings(results: Results, setup: Setup, score: str) -> list[Standing]:
    """All heads by one of SCORES, the best first."""
    counts = counts_of(results, setup)
    weights = intervals.image_weights(counts[0].shape[1])
    draws = [SCORES[score](weights, own) for own in counts]
    order = sorted(range(len(draws)), key=lambda place: (np.isnan(draws[place][0]), -draws[place][0], place))
    found = []
    for place, following in zip(order, [*order[1:], None], strict=True):
        lead = lead_of_last = None
        if following is not None:
            lead, lead_of_last = (intervals.summarise(draws[place] - draws[other]) for other in (following, order[-1]))
        found.append(Standing(setup.heads[place], intervals.summarise(draws[place]), lead, lead_of_last))
    return found


def estimates_of(found: Sequence[Standing]) -> dict[str, Estimate]:
    """The mean IoU of each head by its name."""
    return {standing.head.name: standing.estimate for standing in found}


def sentence(found: Sequence[Standing]) -> str:
    """By how much the first head is ahead of the last, or that this was not shown, in Markdown."""
    first, last = found[0], found[-1]
    if len(found) == 1 or first.lead_of_last is None:
        return f"So far only {first.head.phrase} has run: mean IoU **{intervals.as_text(first.estimate)}**."
    scores = f"mean IoU {layout.number(first.estimate.value)} against {layout.number(last.estimate.value)}"
    if _holds_zero(first.lead_of_last):
        difference = intervals.as_text(first.lead_of_last, signed=True)
        return f"No difference was shown, even of {first.head.phrase} from {last.head.phrase}: {scores}, {difference}."
    place = f", the last of {len(found)}," if len(found) > 2 else ""
    told = f"{_capital(first.head.phrase)} is ahead of {last.head.phrase}{place} by "
    without = "" if first.lead_of_last.excludes_zero else " These images give no interval."
    return f"{told}**{intervals.as_text(first.lead_of_last)}**: {scores}.{without}"


def _holds_zero(lead: Estimate) -> bool:
    """Whether nothing is shown to be ahead; of a lead without an interval, whether there is none."""
    return lead.low <= 0 <= lead.high or not lead.value > 0


def steps(found: Sequence[Standing]) -> str:
    """Which steps of the order were not shown, in Markdown; empty where there are fewer than two, or nothing was shown."""
    if len(found) < 3 or found[0].lead_of_last is None or _holds_zero(found[0].lead_of_last):
        return ""
    open_steps = [
        f"between {standing.head.phrase} and {following.head.phrase} ({intervals.as_text(standing.lead, signed=True)})"
        for standing, following in itertools.pairwise(found)
        if standing.lead is not None and not standing.lead.excludes_zero
    ]
    if not open_steps:
        return "Every step of the order between them was shown."
    return f"No difference was shown {' or '.join(open_steps)}."


@kept
def ignorance(results: Results, setup: Setup) -> list[str]:
    """That a head gives all pixels of all images one class, in Markdown, for each head of which that is true."""
    names = queries.classes(results, setup.dataset)
    names = names[~names.ignored].name.tolist()
    told = []
    for head, counts in zip(setup.heads, counts_of(results, setup), strict=True):
        predicted = counts[..., 1].sum(axis=(0, 1))
        if np.count_nonzero(predicted) == 1:
            name = layout.plain(names[int(predicted.argmax())], 60)
            told.append(f"{_capital(head.phrase)} calls every pixel {name}, which takes no learning at all.")
    return told


def order_words(found: Sequence[Standing]) -> str:
    """The heads in their order: a > b where the step was shown, a ≈ b where not."""
    words = ""
    for standing in found:
        sign = "" if standing.lead is None else " > " if standing.lead.excludes_zero else " ≈ "
        words += layout.plain(standing.head.name) + sign.replace(">", "\\>")
    return words


def basis(setup: Setup, found: Sequence[Standing]) -> str:
    """What the figures rest on, in Markdown."""
    order = f" In order: {order_words(found)}." if len(found) > 1 else ""
    return (
        f"{setup.image_count:,} images, {setup.class_count} classes, {layout.seeds_text(len(setup.seeds))}, {setup.epochs} "
        f"epochs; in brackets the 95 % bootstrap interval over images.{order}"
    )


@kept
def class_rows(results: Results, setup: Setup) -> pandas.DataFrame:
    """IoU of each class and head after the last epoch, seeds averaged, the class with the most true pixels first.

    Columns class_id, class, color, pixel_share, head, iou, low, high.
    """
    counts = counts_of(results, setup)
    names = queries.classes(results, setup.dataset)
    names = names[~names.ignored].reset_index(drop=True)
    weights = intervals.image_weights(counts[0].shape[1])
    true_pixels = counts[0][0, :, :, 2].sum(axis=0)
    found = []
    for head, own in zip(setup.heads, counts, strict=True):
        draws = intervals.pooled_class_iou(weights, own)
        for place, entry in enumerate(names.itertuples()):
            estimate = intervals.summarise(draws[:, place])
            share = true_pixels[place] / max(true_pixels.sum(), 1)
            found.append((entry.class_id, entry.name, entry.color, share, head.name, *_parts(estimate)))
    columns = ["class_id", "class", "color", "pixel_share", "head", "iou", "low", "high"]
    return pandas.DataFrame(found, columns=columns).sort_values(
        ["pixel_share", "class_id"], ascending=[False, True], kind="stable", ignore_index=True
    )


def _parts(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
