"""How important are U-Net's skip connections?"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import pandas
import streamlit

from dashboard import charts, gallery, intervals, layout, queries
from dashboard.layout import Finding, Pages
from dashboard.queries import Results

EXPERIMENT = "unet_skip_connections"
TITLE = "Skip connections"
QUESTION = "How important are U-Net’s skip connections?"
VARIANTS = tuple(charts.VARIANT_COLORS)
PAGE_ROWS = 5
IMAGE_CHOICES = ("all", "first ten")
SCORES = {"pooled": intervals.pooled_mean_iou, "per image": intervals.per_image_mean_iou}
ORDERS = {"skips help most": "helped", "skips hurt most": "hurt", "hardest": "hardest", "number": "number"}


@dataclass(frozen=True)
class Comparison:
    """The runs that a page sets side by side: one with and one without skips for each seed."""

    dataset: str
    profile: str
    image_count: int
    class_count: int
    seeds: tuple[int, ...]
    skip_runs: tuple[str, ...]
    no_skip_runs: tuple[str, ...]

    @property
    def run_ids(self) -> list[str]:
        """All runs, those with skips first."""
        return [*self.skip_runs, *self.no_skip_runs]


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "One U-Net, trained twice on the same pictures in the same order: once with the connections that hand the encoder’s fine "
        "detail to the decoder, once with them cut.",
    )
    found = queries.comparisons(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    comparison, first_only, score = _controls(results, found)
    counts = _counts(results, comparison, first_only)
    _finding(comparison, counts, score)
    streamlit.subheader("Picture by picture")
    _pictures(results, comparison, first_only)
    _class_section(results, comparison, counts)
    _other_charts(results, comparison, first_only)
    _conclusion()
    layout.provenance(queries.runs(results), comparison.run_ids, pages)


def _controls(results: Results, found: pandas.DataFrame) -> tuple[Comparison, bool, str]:
    labels = layout.dataset_labels(found)
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        chosen = streamlit.selectbox("Data", labels, key="data", bind="query-params", width=320)
        images = streamlit.segmented_control(
            "Validation images", IMAGE_CHOICES, default=IMAGE_CHOICES[0], required=True, key="images", bind="query-params",
            help=f"The notebook scores its first {queries.FIRST_IMAGES} validation images; all of them say more.",
        )  # fmt: skip
        score = streamlit.segmented_control(
            "Mean IoU", list(SCORES), default=next(iter(SCORES)), required=True, key="score", bind="query-params",
            help="Pooled: counts of all images together, then the mean over classes. Per image: the mean over each image’s classes, then "
            "over images.",
        )  # fmt: skip
    return _comparison(results, found.iloc[labels.index(chosen)]), images == IMAGE_CHOICES[1], score


def _comparison(results: Results, row: pandas.Series) -> Comparison:
    class_count = int((~queries.classes(results, row.dataset).ignored).sum())
    return Comparison(
        row.dataset,
        row.profile,
        int(row.val_images),
        class_count,
        tuple(row.seeds),
        tuple(row.skip_runs),
        tuple(row.no_skip_runs),
    )


@streamlit.cache_data(max_entries=64, show_spinner=False, hash_funcs={Results: attrgetter("identity"), Comparison: repr})
def _counts(results: Results, comparison: Comparison, first_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """Counts with and without skips, each (seeds, images, classes, 3)."""
    frame = queries.final_counts(results, comparison.run_ids, first_only)
    shape = (len(comparison.seeds), -1, comparison.class_count, 3)
    by_run = {
        run_id: rows[["intersection", "predicted", "truth"]].to_numpy(np.float64)
        for run_id, rows in frame.groupby("run_id", sort=False)
    }
    with_skips, without = (
        np.concatenate([by_run[run_id] for run_id in runs]).reshape(shape)
        for runs in (comparison.skip_runs, comparison.no_skip_runs)
    )
    return with_skips, without


@streamlit.cache_data(max_entries=64, show_spinner=False)
def _scores(
    counts: tuple[np.ndarray, np.ndarray], score: str
) -> tuple[intervals.Estimate, intervals.Estimate, intervals.Estimate]:
    with_skips, without = counts
    function = SCORES[score]
    return (
        intervals.estimate(function, with_skips),
        intervals.estimate(function, without),
        intervals.paired_difference(function, with_skips, without),
    )


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = queries.comparisons(results)
    answers = []
    for label, (_, row) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        comparison = _comparison(results, row)
        _, _, difference = _scores(_counts(results, comparison, False), "pooled")
        answers.append(
            Finding(
                _sentence(difference), f"{layout.plain(label)} · {_basis(comparison, comparison.image_count)}", {"data": label}
            )
        )
    return answers


def _sentence(difference: intervals.Estimate) -> str:
    if not difference.excludes_zero:
        return f"No difference was shown: skip connections change mean IoU by {layout.with_interval(difference, signed=True)}."
    if difference.value > 0:
        return f"Skip connections raise mean IoU by **{layout.with_interval(difference)}**."
    return f"Skip connections change mean IoU by **{layout.with_interval(difference)}**: here they do harm."


def _basis(comparison: Comparison, image_count: int) -> str:
    seeds = len(comparison.seeds)
    return (
        f"{image_count} images, {seeds} {'seed' if seeds == 1 else 'seeds'} averaged; 95 % bootstrap interval over images. "
        f"{layout.profile_note(comparison.profile)}"
    )


def _finding(comparison: Comparison, counts: tuple[np.ndarray, np.ndarray], score: str) -> None:
    with_skips, without, difference = _scores(counts, score)
    streamlit.markdown(f"#### {_sentence(difference)}")
    first, second, third = streamlit.columns(3)
    first.metric("With skips", layout.with_interval(with_skips), border=True)
    second.metric("Without skips", layout.with_interval(without), border=True)
    third.metric("Difference, same pictures", layout.with_interval(difference, signed=True), border=True)
    streamlit.caption(_basis(comparison, counts[0].shape[1]))


@streamlit.fragment
def _pictures(results: Results, comparison: Comparison, first_only: bool) -> None:
    """The gallery; a fragment, so that sorting, paging and opacity redraw it alone."""
    count = min(comparison.image_count, queries.FIRST_IMAGES) if first_only else comparison.image_count
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = streamlit.segmented_control(
            "Order", list(ORDERS), default=next(iter(ORDERS)), required=True, key="sort", bind="query-params"
        )
        seed = streamlit.segmented_control(
            "Seed",
            list(map(str, comparison.seeds)),
            default=str(comparison.seeds[0]),
            required=True,
            key="seed",
            bind="query-params",
        )
        opacity = streamlit.slider("Mask opacity", 0.0, 1.0, 0.6, 0.1, key="opacity", bind="query-params", width=200)
    page_number = streamlit.pagination(max(1, -(-count // PAGE_ROWS)), key="page", bind="query-params")
    skip_run, no_skip_run = _runs_of_seed(comparison, seed)
    found = queries.compared_pictures(
        results, skip_run, no_skip_run, ORDERS[order], first_only, PAGE_ROWS, PAGE_ROWS * (page_number - 1)
    )
    rows = [_row(results, comparison, picture) for picture in found.itertuples()]
    aspect = float(found.width.iloc[0] / found.height.iloc[0]) if len(found) else 1.0
    gallery.show(rows, key="gallery", opacity=opacity, aspect=aspect, on_open=_open)
    _legends(results, comparison)
    opened = streamlit.query_params.get("picture")
    if opened:
        _picture_dialog(results, comparison, opened, seed, opacity)


def _runs_of_seed(comparison: Comparison, seed: str) -> tuple[str, str]:
    position = comparison.seeds.index(int(seed))
    return comparison.skip_runs[position], comparison.no_skip_runs[position]


def _row(results: Results, comparison: Comparison, picture: Any) -> gallery.Row:
    """Photo, truth, both predictions and the four-way map of one picture."""
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
    truth, skip, no_skip = (
        gallery.find_picture(results.images, path) for path in (picture.truth_mask, picture.skip_mask, picture.no_skip_mask)
    )
    number = picture.ordinal
    cells = [
        gallery.Cell("photo", f"Photo {number}", photo),
        gallery.Cell("truth", f"True classes of picture {number}", photo, gallery.mask_url(truth)),
        gallery.Cell(
            f"with skips {picture.skip_iou:.3f}",
            f"Prediction with skip connections, picture {number}",
            photo,
            gallery.mask_url(skip),
        ),
        gallery.Cell(
            f"without skips {picture.no_skip_iou:.3f}",
            f"Prediction without skip connections, picture {number}",
            photo,
            gallery.mask_url(no_skip),
        ),
        gallery.Cell(
            "who is right where",
            f"Where each prediction is right, picture {number}",
            photo,
            gallery.four_way_url(truth, skip, no_skip, comparison.class_count),
        ),  # fmt: skip
    ]
    return gallery.Row(picture.image_id, f"Picture {number}: skips change its mean IoU by {picture.difference:+.3f}", cells)


def _open(image_id: str) -> None:
    streamlit.query_params["picture"] = image_id


def _close() -> None:
    streamlit.query_params.pop("picture", None)


def _legends(results: Results, comparison: Comparison) -> None:
    names = queries.classes(results, comparison.dataset)
    only_skip, only_without, neither = ("#{:02x}{:02x}{:02x}".format(*color[:3]) for color in gallery.FOUR_WAY_COLORS[1:4])
    layout.swatches(
        {"only with skips": only_skip, "only without": only_without, "neither (clear where both are)": neither},
        "Who is right where",
    )
    layout.swatches(dict(zip(names.name, names.color, strict=True)), "Classes")


@streamlit.dialog("One picture", width="large", on_dismiss=_close)
def _picture_dialog(results: Results, comparison: Comparison, image_id: str, seed: str, opacity: float) -> None:
    skip_run, no_skip_run = _runs_of_seed(comparison, seed)
    found = queries.compared_picture(results, skip_run, no_skip_run, image_id)
    if found.empty:
        streamlit.warning(f"These results hold no picture {layout.plain(image_id)} of this data set.")
        return
    picture = next(found.itertuples())
    row = _row(results, comparison, picture)
    gallery.show([row], key="opened_picture", opacity=opacity, aspect=picture.width / picture.height, cell_width_rem=19)
    table = queries.picture_classes(results, image_id, [skip_run, no_skip_run])
    table["variant"] = table.run_id.map({skip_run: VARIANTS[0], no_skip_run: VARIANTS[1]})
    scores = table.pivot_table(
        index=["class_id", "name", "color", "truth"], columns="variant", values="iou", dropna=False, observed=True
    )
    _class_table(scores.dropna(how="all").reset_index().sort_values("truth", ascending=False))
    streamlit.caption(
        f"Seed {seed}. IoU of this picture alone; a dash where a class is in neither the truth nor that prediction."
    )


def _class_table(scores: pandas.DataFrame) -> None:
    """One picture's classes: true pixels, IoU of both variants, and their difference."""
    shown = pandas.DataFrame(
        {
            "color": "",
            "class": scores["name"],
            "true pixels": scores.truth,
            **{f"IoU {variant}": scores[variant] for variant in VARIANTS if variant in scores},
        }
    )
    if set(VARIANTS) <= set(scores):
        shown["difference"] = scores[VARIANTS[0]] - scores[VARIANTS[1]]
    colors = scores.color.tolist()
    styled = shown.style.apply(lambda column: [f"background-color: {color}" for color in colors], subset=["color"]).format(
        {"true pixels": "{:,}", "difference": "{:+.3f}"} | {f"IoU {variant}": "{:.3f}" for variant in VARIANTS}, na_rep="–"
    )
    streamlit.dataframe(styled, hide_index=True, column_config={"color": streamlit.column_config.Column(" ", width=30)})


def _class_section(results: Results, comparison: Comparison, counts: tuple[np.ndarray, np.ndarray]) -> None:
    streamlit.subheader("Which classes gain")
    names = queries.classes(results, comparison.dataset)
    scores = _class_scores(counts, names[~names.ignored].name.tolist())
    streamlit.altair_chart(charts.class_iou(scores), key="class_iou")
    layout.download(scores, "iou_by_class")


@streamlit.cache_data(max_entries=64, show_spinner=False)
def _class_scores(counts: tuple[np.ndarray, np.ndarray], names: list[str]) -> pandas.DataFrame:
    """IoU of each class and variant with intervals, the class with the most true pixels first."""
    true_pixels = counts[0][0, :, :, 2].sum(axis=0)
    rows = []
    for variant, variant_counts in zip(VARIANTS, counts, strict=True):
        draws = intervals.pooled_class_iou(intervals.image_weights(variant_counts.shape[1]), variant_counts)
        for index, name in enumerate(names):
            estimate = intervals.summarise(draws[:, index])
            share = true_pixels[index] / true_pixels.sum()
            rows.append((name, variant, estimate.value, estimate.low, estimate.high, share))
    frame = pandas.DataFrame(rows, columns=["class", "variant", "iou", "low", "high", "pixel_share"])
    return frame.sort_values("pixel_share", ascending=False, kind="stable").dropna(subset=["iou"])


def _other_charts(results: Results, comparison: Comparison, first_only: bool) -> None:
    left, right = streamlit.columns(2, gap="large")
    labels = _run_labels(comparison)
    with left:
        streamlit.subheader("Where in the picture")
        bands = _boundary_scores(queries.boundary_counts(results, comparison.run_ids, first_only), labels)
        streamlit.altair_chart(charts.boundary_accuracy(bands), key="boundary_accuracy")
        layout.download(bands, "accuracy_by_boundary_distance")
    with right:
        streamlit.subheader("How training went")
        what = streamlit.segmented_control(
            "Curve",
            ["score", "loss"],
            default="score",
            required=True,
            key="curve",
            bind="query-params",
            label_visibility="collapsed",
        )
        if what == "score":
            curve = queries.epoch_scores(results, comparison.run_ids).merge(labels, on="run_id")
            streamlit.altair_chart(charts.epoch_scores(curve), key="epoch_scores")
        else:
            curve = queries.training_losses(results, comparison.run_ids).merge(labels, on="run_id")
            streamlit.altair_chart(charts.training_loss(curve), key="training_loss")
        layout.download(curve.drop(columns="run_id"), f"training_{what}")


def _run_labels(comparison: Comparison) -> pandas.DataFrame:
    """Variant and seed of each run."""
    return pandas.DataFrame(
        {
            "run_id": comparison.run_ids,
            "variant": np.repeat(VARIANTS, len(comparison.seeds)),
            "seed": [*comparison.seeds, *comparison.seeds],
        }
    )


def _boundary_scores(counts: pandas.DataFrame, labels: pandas.DataFrame) -> pandas.DataFrame:
    """Accuracy of each distance band and variant with intervals over images, seeds pooled."""
    merged = counts.merge(labels, on="run_id")
    per_image = merged.groupby(["variant", "band", "image_id"], sort=False)[["correct", "total"]].sum()
    rows = []
    for (variant, band), group in per_image.groupby(level=[0, 1], sort=False):
        correct, total = (intervals.image_weights(len(group)) @ group.to_numpy(np.float64)).T
        with np.errstate(invalid="ignore"):
            estimate = intervals.summarise(correct / total)
        rows.append((band, variant, estimate.value, estimate.low, estimate.high, group.total.sum()))
    frame = pandas.DataFrame(rows, columns=["band", "variant", "accuracy", "low", "high", "pixel_share"])
    frame["pixel_share"] /= frame.groupby("variant").pixel_share.transform("sum")
    return frame.dropna(subset=["accuracy"])


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- Four halvings leave the deepest layer one value for each 16 by 16 pixels. Without skips, everything finer must be guessed from
  that, and the loss shows **near boundaries and in thin classes** first; far from any boundary the two differ least.
- Without skips the decoder also has fewer weights, as its blocks take half as many channels in. The contrast is of the two designs as the
  notebook defines them, not of information alone.
- The interval tells how far the figure hangs on the choice of images. How far it hangs on training is what the seeds show: look at
  their lines under *How training went* before trusting a small difference.
- Both networks saw the same pictures in the same order, for the same epochs. Longer training can narrow the gap.
"""
    )
