"""Whether a head fills in what is hidden: what it calls the pixels where one object hides another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas
import streamlit

from dashboard import charts_heads as charts
from dashboard import intervals, layout
from dashboard import queries_heads as rows
from dashboard.components import gallery
from dashboard.components.gallery import Cell, Row
from dashboard.connection import Results
from dashboard.intervals import Estimate
from dashboard.views.head_epochs import percent, percent_interval
from dashboard.views.head_pictures import class_legend
from dashboard.views.head_runs import Head, Setup

EXAMPLES = 4
MOSTLY, PARTLY = 0.5, 0.1  # shares of hidden pixels from which a head is said to fill in
COLUMNS = ["hidden", "as_hidden", "as_occluder", "control", "control_as_hidden"]


@dataclass(frozen=True)
class Filling:
    """What a head calls hidden pixels: shares with intervals over images; `excess` is as_hidden minus control."""

    head: Head
    pixels: int
    images: int
    as_hidden: Estimate
    as_occluder: Estimate
    control: Estimate
    excess: Estimate


@streamlit.fragment
@layout.errors_as_messages()
def hidden(results: Results, setup: Setup) -> None:
    """Draw the tab."""
    found = fillings(results, setup)
    if not found:
        streamlit.info(
            "These pictures do not tell what is hidden behind what. Only drawn object scenes do, as their objects are known "
            "whole; photos and street pairs hold no such masks."
        )
        return
    streamlit.markdown(f"### {sentence(found)}")
    shares, controls = chart_rows(found)
    layout.chart(partial(charts.hidden_shares, shares, controls), shares, "hidden_pixels")
    streamlit.caption(
        "A bar is all hidden pixels. The dark line marks the control: how much of the hiding objects’ pixels that hide nothing "
        "is called the hidden object’s class all the same."
    )
    _table(found)
    _examples(results, setup, found)


def fillings(results: Results, setup: Setup) -> list[Filling]:
    """Each head's answer, in the setup's order, seeds pooled; those without a hidden pixel are left out."""
    counts = rows.hidden_counts(results, setup.run_ids).merge(setup.labels, on="run_id")
    found = []
    for head in setup.heads:
        own = counts[counts["head"] == head.name]
        by_image = own.groupby("image_id", sort=True)[COLUMNS].sum().astype(np.float64)
        pixels = by_image.hidden.sum()
        if pixels > 0:
            found.append(_filling(head, by_image, round(pixels / own.run_id.nunique())))
    return found


def _filling(head: Head, by_image: pandas.DataFrame, pixels: int) -> Filling:
    weights = intervals.image_weights(len(by_image))
    drawn, as_hidden, as_occluder, others, control = (weights @ by_image.to_numpy()).T
    filled, occluder, controls = _shares(as_hidden, drawn), _shares(as_occluder, drawn), _shares(control, others)
    shares = map(intervals.summarise, (filled, occluder, controls, filled - controls))
    return Filling(head, pixels, len(by_image), *shares)


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part` of `whole`; NaN where there is nothing to count."""
    return np.divide(part, whole, out=np.full(len(part), math.nan), where=whole > 0)


def sentence(found: Sequence[Filling]) -> str:
    """Whether any head fills in, told of the one that does so most of those above their control, in Markdown."""
    above = [filling for filling in found if filling.excess.low > 0]
    most = max(above or found, key=lambda filling: filling.as_hidden.value)
    told = (
        f"{_verdict(above, most)}: of {most.pixels:,} hidden pixels {most.head.phrase} calls **{share_text(most.as_hidden)}** "
        f"what is hidden, against **{share_text(most.control)}** of the hiding objects’ other pixels"
    )
    if len(found) == 1:
        return f"{told}; a difference was {'shown' if above else 'not shown'}."
    if len(above) < 2:
        return f"{told}; no {'other ' if above else ''}head is shown to differ from its control."
    return f"{told}; {len(above)} of {len(found)} heads are shown to be above their control."


def _verdict(above: Sequence[Filling], most: Filling) -> str:
    if not above:
        return "No"
    if most.as_hidden.value >= MOSTLY:
        return "Yes, mostly"
    return "In part" if most.as_hidden.value >= PARTLY else "Hardly"


def share_text(share: Estimate) -> str:
    """A share with its interval, in percent."""
    return "none" if math.isnan(share.value) else f"{100 * share.value:.1f} % {percent_interval(share, 1)}".strip()


def chart_rows(found: Sequence[Filling]) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Shares of all hidden pixels by what they are called (head, called, share, order), and the controls (head, share)."""
    shares = [
        (filling.head.name, called, share, order)
        for filling in found
        for order, (called, share) in enumerate(
            zip(
                charts.CALLED_COLORS,
                (
                    filling.as_hidden.value,
                    filling.as_occluder.value,
                    max(0.0, 1 - filling.as_hidden.value - filling.as_occluder.value),
                ),
                strict=True,
            )
        )
    ]
    controls = [(filling.head.name, filling.control.value) for filling in found if not math.isnan(filling.control.value)]
    return (
        pandas.DataFrame(shares, columns=["head", "called", "share", "order"]),
        pandas.DataFrame(controls, columns=["head", "share"]),
    )


def _table(found: Sequence[Filling]) -> None:
    table = pandas.DataFrame(
        {
            "head": [filling.head.name for filling in found],
            "called what is hidden": [share_text(filling.as_hidden) for filling in found],
            "control": [share_text(filling.control) for filling in found],
            "difference, points": [
                f"{100 * filling.excess.value:+.1f} {percent_interval(filling.excess, 1)}" for filling in found
            ],
            "called the hiding object": [share_text(filling.as_occluder) for filling in found],
            "images": [filling.images for filling in found],
            "hidden pixels": [f"{filling.pixels:,}" for filling in found],
        }
    )
    layout.table(table, "hidden_pixels_of_heads")
    streamlit.caption("In brackets 95 % bootstrap intervals over the images in which something is hidden.")


def _examples(results: Results, setup: Setup, found: Sequence[Filling]) -> None:
    """The pictures with the largest share, of those whose masks are kept."""
    runs = {filling.head.run_ids[0]: filling.head.short for filling in found}
    kept = rows.last_masks(results, tuple(runs))
    if kept.empty:
        return
    streamlit.subheader("Where it fills in most")
    shown = example_rows(results, runs)
    if not shown:
        streamlit.caption(
            f"In none of the {kept.image_id.nunique()} pictures whose masks are kept is a hidden pixel called what it is."
        )
        return
    opacity = layout.choose_opacity()
    legends = {"Classes": class_legend(results, setup)}
    gallery.show(shown, "hidden_examples", opacity, gallery.aspect_ratio(kept), legends=legends)
    streamlit.caption(
        f"Of the {kept.image_id.nunique()} pictures whose masks are kept, those with the largest share of a hidden part that "
        f"any head calls what is hidden; seed {setup.seeds[0]}."
    )


def example_rows(results: Results, runs: dict[str, str]) -> list[Row]:
    """Pictures in which any run, named by `runs`, calls a hidden part what it is, each with its best part; up to EXAMPLES."""
    parts = rows.hidden_parts(results, tuple(runs))
    best = parts[parts.share > 0].drop_duplicates("image_id")[:EXAMPLES]
    return [_example(results, runs, part, parts) for part in best.itertuples()]


def _example(results: Results, runs: dict[str, str], part: Any, parts: pandas.DataFrame) -> Row:
    """Photo, truth and every head's mask, with the share of the part that it calls what is hidden."""
    keys = ["image_id", "class_id", "occluder_class_id"]
    same = parts[(parts[keys] == [getattr(part, key) for key in keys]).all(axis=1)]
    shares = dict(zip(same.run_id.map(runs), same["share"], strict=True))
    masks = rows.last_masks(results, tuple(runs))
    masks = masks[masks.image_id == part.image_id]
    first = next(masks.itertuples())
    photo = gallery.photo_url(gallery.find_picture(results.images, first.photo))
    truth = gallery.find_picture(results.images, first.truth_mask if isinstance(first.truth_mask, str) else None)
    cells = [
        Cell("photo", f"Photo {first.ordinal}", photo),
        Cell("truth", f"True classes of picture {first.ordinal}", photo, gallery.mask_url(truth)),
    ]
    for run_id, name in runs.items():
        for path in masks["mask"][masks.run_id == run_id]:
            mask = gallery.mask_url(gallery.find_picture(results.images, path))
            caption = f"{name}: {percent(shares.get(name, math.nan))} filled in"
            cells.append(Cell(caption, f"{name}, picture {first.ordinal}", photo, mask))
    title = f"Picture {first.ordinal}: {int(part.hidden):,} pixels of {part.name[:40]} behind {part.occluder_name[:40]}"
    return Row(f"hidden {part.image_id}", title, cells)
