"""How important are U-Net's skip connections?"""

from functools import partial
from typing import Any

import pandas
import streamlit

from dashboard import charts, intervals, layout, links, queries
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views import class_card, comparison, notes
from dashboard.views.comparison import SCORES, VARIANTS, Comparison, Counts, comparison_of, counts_of

EXPERIMENT = "unet_skip_connections"
TITLE = "Skip connections"
QUESTION = "How important are U-Net’s skip connections?"
COST = "about a minute"  # of the miniature on two cores: 56 s
PAGE_ROWS = 3  # a screenful
VIEWS = ("picture by picture", "class by class", "near boundaries", "training")
HELD = {"class": "class by class", "curve": "training"}
IMAGE_CHOICES = ("all", "first ten")
ORDERS = {"skips help most": "helped", "skips hurt most": "hurt", "hardest": "hardest", "number": "number"}


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "One U-Net, trained twice on the same pictures in the same order: once with the connections that hand the encoder’s "
        "fine detail to the decoder, once with them cut.",
    )
    found = queries.comparisons(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    chosen, first_only, score = _controls(results, found)
    counts = counts_of(results, chosen, first_only)
    _answer(chosen, counts, score)
    # A tab's contents are made only when it is open: the first view draws no chart, and loads none of what draws them.
    links.open_view(
        VIEWS,
        lambda: _pictures(results, chosen, first_only),
        lambda: _classes(results, chosen, counts, first_only),
        lambda: _boundaries(results, chosen, first_only),
        lambda: _training(results, chosen),
        held=HELD,
    )
    _conclusion()
    layout.provenance(queries.runs(results), chosen.run_ids, pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = queries.comparisons(results)
    answers = []
    for label, (_, row) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        chosen = comparison_of(results, row)
        counts = counts_of(results, chosen, False)
        _, _, difference = comparison.mean_iou(counts, "pooled")
        skip_run, no_skip_run = chosen.runs_of_seed(chosen.seeds[0])
        best = queries.compared_pictures(results, skip_run, no_skip_run, "helped", False, 1, 0)
        pictures = [_row(results, chosen, picture, titled=False) for picture in best.itertuples()]
        near = comparison.gain_near_boundaries(results, chosen) if difference.low > 0 else None
        view = {"data": label, "view": VIEWS[2] if near else VIEWS[0]}
        answers.append(Finding(_sentence(difference, near), label, _basis(chosen, counts, "pooled"), pictures, view))
    return answers


def _controls(results: Results, found: pandas.DataFrame) -> tuple[Comparison, bool, str]:
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        row = layout.choose_data(found)
        images = layout.choose_button("Validation images", IMAGE_CHOICES, "images")
        score = layout.choose_button("Mean IoU", list(SCORES), "score")
    return comparison_of(results, row), images == IMAGE_CHOICES[1], score


def _sentence(difference: intervals.Estimate, near: comparison.Near | None = None) -> str:
    """What was found, in Markdown, and how near to boundaries where that is known."""
    if not difference.excludes_zero:
        return f"No difference was shown: skip connections change mean IoU by {intervals.as_text(difference, signed=True)}."
    if difference.value > 0:
        told = f"Skip connections raise mean IoU by **{intervals.as_text(difference)}**"
        return f"{told}, {_near_words(near)}." if near else f"{told}."
    return f"Here skip connections do harm: they change mean IoU by **{intervals.as_text(difference)}**."


def _near_words(near: comparison.Near) -> str:
    return (
        f"most within {near.within_px} pixels of a boundary: there lie **{100 * near.gained.value:.0f} "
        f"[{100 * near.gained.low:.0f}, {100 * near.gained.high:.0f}] %** of the pixels that they put right, and "
        f"{100 * near.of_all:.0f} % of all"
    )


def _basis(chosen: Comparison, counts: Counts, score: str) -> str:
    by_seed = ", ".join(f"{difference:+.3f}" for difference in comparison.seed_differences(counts, score))
    return (
        f"{counts[0].shape[1]} images, {layout.seeds_text(len(chosen.seeds))}, {chosen.epochs} epochs; in brackets the "
        f"95 % bootstrap interval over images. By seed: {by_seed}."
    )


def _answer(chosen: Comparison, counts: Counts, score: str) -> None:
    with_skips, without, difference = comparison.mean_iou(counts, score)
    streamlit.markdown(f"## {_sentence(difference)}")
    told = [
        (f"Mean IoU {name}", f"{estimate.value:.3f}", intervals.interval_text(estimate))
        for name, estimate in (("with skips", with_skips), ("without skips", without))
    ]
    signed = f"{difference.value:+.3f}", intervals.interval_text(difference, signed=True)
    figures.show([*told, ("Difference on the same pictures", *signed)], "answer")
    streamlit.caption(f"{_basis(chosen, counts, score)} {layout.profile_note(chosen.profile)}")


@streamlit.fragment
@layout.errors_as_messages()
def _pictures(results: Results, chosen: Comparison, first_only: bool) -> None:
    """The gallery; a fragment, so that sorting, paging and opacity redraw it alone."""
    count = min(chosen.image_count, queries.FIRST_IMAGES) if first_only else chosen.image_count
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = layout.choose_button("Order", list(ORDERS), "sort")
        seeds = list(map(str, chosen.seeds))
        seed = layout.choose_button("Seed", seeds, "seed")
        opacity = layout.choose_opacity()
    page_count = max(1, -(-count // PAGE_ROWS))
    offset = PAGE_ROWS * (streamlit.pagination(page_count, key="page", bind="query-params") - 1)
    skip_run, no_skip_run = chosen.runs_of_seed(int(seed))
    found = queries.compared_pictures(results, skip_run, no_skip_run, ORDERS[order], first_only, 2 * PAGE_ROWS, offset)
    shown, next_page = found[:PAGE_ROWS], found[PAGE_ROWS:]
    rows = [_row(results, chosen, picture) for picture in shown.itertuples()]
    gallery.show(rows, "gallery", opacity, gallery.aspect_ratio(found), legends=_legends(results, chosen), on_open=_open)
    for picture in next_page.itertuples():
        _row(results, chosen, picture)  # so that its thumbnails are there when a person turns the page
    if opened := streamlit.query_params.get("picture"):
        _picture_dialog(results, chosen, opened, int(seed), opacity)


def _row(results: Results, chosen: Comparison, picture: Any, titled: bool = True) -> gallery.Row:
    """Photo, truth, both predictions and the four-way map of one picture."""
    number = picture.ordinal
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
    paths = (
        gallery.find_picture(results.images, path) for path in (picture.truth_mask, picture.skip_mask, picture.no_skip_mask)
    )
    truth, skip, no_skip = paths
    four_way = gallery.four_way_url(truth, skip, no_skip, chosen.class_count)
    cells = [
        gallery.Cell("photo", f"Photo {number}", photo),
        gallery.Cell("truth", f"True classes of picture {number}", photo, gallery.mask_url(truth)),
        gallery.Cell(f"with skips {picture.skip_iou:.3f}", f"Prediction with skips, {number}", photo, gallery.mask_url(skip)),
        gallery.Cell(
            f"without skips {picture.no_skip_iou:.3f}", f"Prediction without skips, {number}", photo, gallery.mask_url(no_skip)
        ),
        gallery.Cell("who is right where", f"Where each prediction is right, picture {number}", photo, four_way),
    ]
    title = f"Picture {number}: skips change its mean IoU by {picture.difference:+.3f}" if titled else ""
    return gallery.Row(picture.image_id, title, cells)


def _legends(results: Results, chosen: Comparison) -> dict[str, dict[str, str]]:
    names = queries.classes(results, chosen.dataset)
    outcomes = ("only with skips", "only without", "neither (clear where both are)")
    colors = map(gallery.hexadecimal, gallery.FOUR_WAY_COLORS[1:4])
    return {
        "Who is right where": dict(zip(outcomes, colors, strict=True)),
        "Classes": dict(zip(names.name, names.color, strict=True)),
    }


def _open(image_id: str) -> None:
    streamlit.query_params["picture"] = image_id


def _close() -> None:
    streamlit.query_params.pop("picture", None)


@streamlit.dialog("One picture", width="large", on_dismiss=_close)
@layout.errors_as_messages()
def _picture_dialog(results: Results, chosen: Comparison, image_id: str, seed: int, opacity: float) -> None:
    skip_run, no_skip_run = chosen.runs_of_seed(seed)
    found = queries.compared_picture(results, skip_run, no_skip_run, image_id)
    if found.empty:
        streamlit.warning(f"This data set holds no picture {layout.plain(image_id)} in these results.")
        return
    row = _row(results, chosen, next(found.itertuples()))
    gallery.show([row], "opened_picture", opacity, gallery.aspect_ratio(found), cell_width_rem=20)
    classes = queries.picture_classes(results, image_id, [skip_run, no_skip_run])
    classes["variant"] = classes.run_id.map({skip_run: VARIANTS[0], no_skip_run: VARIANTS[1]})
    comparison.picture_class_table(classes, VARIANTS)
    streamlit.caption(
        f"Seed {seed}. IoU of this picture alone; a dash where a class is in neither the truth nor that prediction."
    )
    notes.of_picture(results, image_id, EXPERIMENT)
    links.copy_link(results, "copy_picture_link")


def _classes(results: Results, chosen: Comparison, counts: Counts, first_only: bool) -> None:
    names = queries.classes(results, chosen.dataset)
    by_class = comparison.class_iou(counts, names[~names.ignored].name.tolist())
    layout.chart(partial(charts.class_iou, by_class), by_class, "iou_by_class")
    streamlit.caption("The class with the most true pixels first; lines are 95 % bootstrap intervals over images.")
    class_card.of_networks(results, chosen, by_class, first_only, EXPERIMENT)


def _boundaries(results: Results, chosen: Comparison, first_only: bool) -> None:
    bands = comparison.boundary_accuracy(results, chosen, first_only)
    layout.chart(partial(charts.boundary_accuracy, bands), bands, "accuracy_by_boundary_distance")


def _training(results: Results, chosen: Comparison) -> None:
    curve = layout.choose_button("Curve", ["score", "loss"], "curve", default="score", labelled=False)
    if curve == "score":
        rows = queries.epoch_scores(results, chosen.run_ids).merge(chosen.labels, on="run_id")
        layout.chart(partial(charts.epoch_scores, rows), rows, "mean_iou_by_epoch")
    else:
        rows = queries.training_losses(results, chosen.run_ids).merge(chosen.labels, on="run_id")
        layout.chart(partial(charts.training_loss, rows), rows, "training_loss")


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- **Pooled** mean IoU adds up the counts of all images, then averages over classes; **per image** it is averaged over each
  image’s classes, then over images. The notebook scores only its **first ten** validation images; all of them say more.
- Four halvings leave the deepest layer one value for each 16 by 16 pixels. Without skips, everything finer must be guessed from
  that, and the loss shows **near boundaries and in thin classes** first.
- Without skips the decoder also has fewer weights, as its blocks take half as many channels in. The contrast is of the two
  designs as the notebook defines them, not of the information alone.
- The interval tells how far the figure hangs on the choice of images. How far it hangs on the training is what the seeds show:
  look at their lines under “training” before you trust a small difference.
- Both networks saw the same pictures in the same order for the same epochs. Longer training can narrow the gap.
"""
    )
