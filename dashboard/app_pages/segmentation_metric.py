"""What is wrong with IoU by `logical_and` and `logical_or`?"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas
import streamlit

from dashboard import charts, intervals, layout, links, queries
from dashboard.components import gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views import class_card, metric_scores, notes

EXPERIMENT = "segmentation_metric"
TITLE = "The wrong and the right IoU"
QUESTION = "What is wrong with IoU by `logical_and` and `logical_or`?"
COST = "a few seconds"  # of the miniature on two cores; the U-Nets beside it are of unet_skip_connections
METRICS = dict(zip(("notebook", "per_image", "pooled"), charts.METRIC_COLORS, strict=True))
NETWORKS = {"skip": "U-Net with skips", "no_skip": "U-Net without skips"}
CONSTANT = "everything is "
VIEWS = ("three metrics", "one picture", "class numbers", "k-means labels")
HELD = {"constant": "one picture", "number": "one picture", "opacity": "one picture", "class": "class numbers"}
CLUSTERS_PX = 556  # of the place of the chart of clusters
CLUSTER_PICTURES = (1, 2)


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "The notebook scores a prediction by `logical_and(label, prediction).sum() / logical_or(label, prediction).sum()`. "
        "That asks only **where both class numbers are not zero**, never whether they are the same.",
    )
    found = queries.metric_datasets(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    chosen = layout.choose_data(found)
    classes = queries.classes(results, chosen.dataset)
    scores = _scores(results, chosen, classes)
    constants, networks = _constants(scores), scores[scores.experiment != EXPERIMENT]
    if networks.empty:
        layout.not_run_yet("unet_skip_connections")
    if len(constants):
        streamlit.markdown(f"## {_sentence(results, scores)}")
        streamlit.caption(f"{_basis(chosen, classes, scores)} {layout.profile_note(chosen.profile)}")
        _views(results, chosen, scores, classes)
    _conclusion()
    layout.provenance(queries.runs(results), scores.run_id, pages)


def _views(results: Results, chosen: pandas.Series, scores: pandas.DataFrame, classes: pandas.DataFrame) -> None:
    """The parts of the page as tabs, those on a network's predictions where there are any."""
    networks = scores[scores.experiment != EXPERIMENT]
    drawings: dict[str, Callable[[], None]] = {VIEWS[0]: lambda: _metrics(scores)}
    if len(networks):
        network = networks[networks.variant == networks.variant.iloc[-1]].iloc[0]
        drawings[VIEWS[1]] = lambda: _one_picture(results, chosen, network, scores, classes)
        drawings[VIEWS[2]] = lambda: _numbering(results, chosen, network, classes, _constants(scores))
    drawings[VIEWS[3]] = lambda: _clusters(results, chosen)
    links.open_view(list(drawings), *drawings.values(), held=HELD)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = queries.metric_datasets(results)
    answers = []
    for label, (_, chosen) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        classes = queries.classes(results, chosen.dataset)
        scores = _scores(results, chosen, classes)
        constants = _constants(scores)
        if len(constants):
            view = {"data": label, "constant": constants.predictor.iloc[0]}
            pictures = _flattered(results, chosen, scores, classes)
            answers.append(Finding(_sentence(results, scores), label, _basis(chosen, classes, scores), pictures, view))
    return answers


def _scores(results: Results, chosen: pandas.Series, classes: pandas.DataFrame, ordinal: int | None = None) -> pandas.DataFrame:
    """Scores of all predictors on all images or on one, with a name for each predictor that a person understands."""
    scores = queries.predictor_scores(results, chosen.dataset, chosen.profile, ordinal)
    names = {f"constant_{name.replace(' ', '_')}": f"{CONSTANT}{name}" for name in classes.name}
    return scores.assign(predictor=scores.variant.map(names | NETWORKS).fillna(scores.variant))


def _constants(scores: pandas.DataFrame) -> pandas.DataFrame:
    """The predictors that know nothing, the one that the notebook's metric likes best first."""
    return scores[scores.experiment == EXPERIMENT].sort_values(["notebook", "pooled"], ascending=[False, True])


def _sentence(results: Results, scores: pandas.DataFrame) -> str:
    """How much more a predictor that knows nothing scores by the notebook's metric than by pooled mean IoU, in Markdown."""
    best = _constants(scores).iloc[0]
    notebook, pooled, difference = metric_scores.constant_scores(results, best.run_id)
    who = f"that {layout.plain(best.predictor)}"
    if not difference.excludes_zero:
        told = f"by the notebook’s IoU saying {who} scores {intervals.as_text(notebook)}, by pooled mean IoU"
        return f"No difference was shown: {told} {intervals.as_text(pooled)}."
    sentence = (
        f"Saying {who} scores **{intervals.as_text(notebook)}** by the notebook’s IoU, "
        f"and **{intervals.as_text(pooled)}** by pooled mean IoU"
    )
    trained = scores[scores.variant == "skip"]
    if len(trained):
        sentence += f"; a trained U-Net scores {trained.notebook.mean():.3f} and {trained.pooled.mean():.3f}"
    return f"{sentence}."


def _basis(chosen: pandas.Series, classes: pandas.DataFrame, scores: pandas.DataFrame) -> str:
    trained = len(scores[scores.variant == "skip"])
    seeds = f"; of the U-Net {layout.seeds_text(trained)}" if trained else ""
    return (
        f"{chosen.val_images} images{seeds}; in brackets 95 % bootstrap intervals over images. Class number 0 is "
        f"{layout.plain(classes.name.iloc[0])}."
    )


def _metrics(scores: pandas.DataFrame) -> None:
    means = scores.groupby(["experiment", "predictor"], sort=False)[list(METRICS)].mean().reset_index()
    means = means.sort_values(["experiment", "notebook", "pooled"], ascending=False)
    rows = means.melt(["predictor"], list(METRICS), "metric", "score").replace({"metric": METRICS}).dropna(subset=["score"])
    layout.chart(partial(charts.metric_scores, rows), rows, "scores_by_metric")
    streamlit.caption("Networks are averaged over their seeds. Who calls everything one class knows nothing of the picture.")


@streamlit.fragment
@layout.errors_as_messages()
def _one_picture(
    results: Results, chosen: pandas.Series, network: pandas.Series, scores: pandas.DataFrame, classes: pandas.DataFrame
) -> None:
    """One picture; a fragment, so that another picture or opacity does not draw the charts anew."""
    constants = _constants(scores)
    first = min(queries.widest_gap(results, network.run_id), int(chosen.val_images))
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        links.by_name("constant", constants.predictor.tolist(), _constant_name)
        constant = layout.choose_one("Beside it: everything is", constants.predictor.tolist(), "constant", _constant_name)
        opacity = layout.choose_opacity()
    ordinal = streamlit.pagination(max(1, int(chosen.val_images)), default=max(1, first), key="number", bind="query-params")
    streamlit.caption(f"Picture {ordinal} of {chosen.val_images:,}. The notebook’s metric flatters picture {first} most.")
    found = queries.numbered_picture(results, chosen.dataset, ordinal, network.run_id)
    if found.empty:
        streamlit.warning(f"These results hold no picture number {ordinal} of this data set.")
        return
    named = classes.class_id[classes.name == constant.removeprefix(CONSTANT)]
    if named.empty:
        streamlit.warning(f"No class of this data set is called {layout.plain(constant.removeprefix(CONSTANT))}.")
        return
    class_id = int(named.iloc[0])
    rows = [_picture_row(results, found.iloc[0], network.predictor, constant, class_id)]
    seen = ("neither number is non-zero", "only one is: counts as wrong", "both are: counts as right")
    colors = dict(zip(seen, map(gallery.hexadecimal, gallery.AND_OR_COLORS), strict=True))
    gallery.show(rows, "metric_picture", opacity, gallery.aspect_ratio(found), legends={"What the metric sees": colors})
    one = _scores(results, chosen, classes, ordinal)
    one = one[(one.run_id == network.run_id) | (one.predictor == constant)]
    overall = scores.set_index("run_id").pooled
    table = {
        "Predictor": one.predictor,
        "Notebook’s IoU, this picture": one.notebook.map(layout.number),
        "Mean over its classes, this picture": one.per_image.map(layout.number),
        "Pooled mean IoU, all pictures": one.run_id.map(overall).map(layout.number),
    }
    layout.table(pandas.DataFrame(table), "scores_of_the_picture")
    notes.of_picture(results, str(found.image_id.iloc[0]), EXPERIMENT)


def _constant_name(predictor: str) -> str:
    return layout.as_label(predictor.removeprefix(CONSTANT))


def _flattered(
    results: Results, chosen: pandas.Series, scores: pandas.DataFrame, classes: pandas.DataFrame
) -> list[gallery.Row]:
    """The first picture, and what the metric sees of the predictor that knows nothing."""
    constant = _constants(scores).iloc[0]
    class_ids = classes.class_id[classes.name == constant.predictor.removeprefix(CONSTANT)]
    found = queries.numbered_picture(results, chosen.dataset, 1, constant.run_id)
    if found.empty or class_ids.empty:
        return []
    row = _picture_row(results, found.iloc[0], constant.predictor, constant.predictor, int(class_ids.iloc[0]))
    photo, truth, *_, seen = row.cells
    return [gallery.Row("", "", [photo, truth, replace(seen, caption=f"“{constant.predictor}”: magenta counts as right")])]


def _picture_row(results: Results, picture: pandas.Series, network: str, constant: str, class_id: int) -> gallery.Row:
    paths = (gallery.find_picture(results.images, path) for path in (picture.photo, picture.truth_mask, picture["mask"]))
    photo_path, truth, mask = paths
    photo = gallery.photo_url(photo_path)
    cells = [
        gallery.Cell("photo", "The photo", photo),
        gallery.Cell("truth", "True classes", photo, gallery.mask_url(truth)),
        gallery.Cell(network, f"Prediction of the {network}", photo, gallery.mask_url(mask)),
        gallery.Cell(
            f"the metric’s view of the {network}", f"And and or of the {network}", None, gallery.and_or_url(truth, mask)
        ),
        gallery.Cell(f"its view of “{constant}”", f"And and or of {constant}", None, gallery.and_or_url(truth, None, class_id)),
    ]
    return gallery.Row("one", "", cells)


def _numbering(
    results: Results, chosen: pandas.Series, network: pandas.Series, classes: pandas.DataFrame, constants: pandas.DataFrame
) -> None:
    scores = queries.zero_class_scores(results, network.run_id).dropna(subset=["score"])
    rows = pandas.DataFrame(
        {"class": scores.name, "score": scores.score, "is_actual": scores.class_id == classes.class_id.iloc[0]}
    )
    streamlit.markdown(
        "**The score depends on which class is numbered 0.** Not one prediction changes here, only the order of the classes in "
        f"a list: the notebook’s IoU of the {network.predictor} moves between "
        f"**{rows.score.min():.2f} and {rows.score.max():.2f}**. Neither mean IoU moves."
    )
    layout.chart(partial(charts.zero_class_scores, rows), rows, "notebook_iou_by_zero_class")
    by_class = constants.set_index(constants.predictor.str.removeprefix(CONSTANT))
    class_card.of_metric(results, chosen.dataset, network.predictor, rows, by_class, EXPERIMENT)


def _clusters(results: Results, chosen: pandas.Series) -> None:
    clusters = queries.label_clusters(results, chosen.dataset, chosen.profile)
    if clusters.empty:
        streamlit.info("Nothing is known of labels by k-means on this data.")
        return
    used = clusters[clusters.pixels > 0].assign(share=lambda rows: rows.pixels / rows["size"])
    mixed = used[used.share >= 0.01].groupby("cluster").size()
    streamlit.markdown(
        "**The notebook’s labels are ten clusters of random colours.** It fits k-means to 1,000 *random* colours and names "
        "each mask pixel after the nearest of the ten centers. The centers know nothing of the palette: of the "
        f"{used.cluster.nunique()} clusters in use here, "
        f"{int((mixed > 1).sum())} mix several classes (each with at least 1 % of the cluster). No network that is trained on "
        "them can tell those apart."
    )
    left, right = streamlit.columns([3, 2], gap="large")
    classes = used.drop_duplicates("class_id").sort_values("class_id")
    palette = dict(zip(classes.name, classes.class_color, strict=True))
    with left:
        rows = used.assign(cluster="cluster " + used.cluster.astype(str)).rename(columns={"name": "class"})
        drawing = partial(charts.cluster_shares, rows[["cluster", "class", "pixels", "share"]], palette)
        layout.chart(drawing, rows, "kmeans_clusters", CLUSTERS_PX)
    with right:
        pictures = [_cluster_row(results, chosen.dataset, ordinal, clusters.run_id.iloc[0]) for ordinal in CLUSTER_PICTURES]
        centers = clusters.drop_duplicates("cluster").sort_values("cluster")
        center_colors = dict(zip("cluster " + centers.cluster.astype(str), centers.color, strict=True))
        legends = {"The palette": palette, "The ten centers": center_colors}
        gallery.show([row for row in pictures if row], "cluster_pictures", 1.0, cell_width_rem=5, legends=legends)


def _cluster_row(results: Results, dataset: str, ordinal: int, run_id: str) -> gallery.Row | None:
    """Photo, labels by the palette and labels by the clusters of one picture."""
    found = queries.numbered_picture(results, dataset, ordinal, run_id)
    if found.empty:
        return None
    picture = found.iloc[0]
    photo, truth, mask = (
        gallery.find_picture(results.images, path) for path in (picture.photo, picture.truth_mask, picture["mask"])
    )
    cells = [
        gallery.Cell("photo", f"Photo {ordinal}", gallery.photo_url(photo)),
        gallery.Cell("by the palette", f"Labels of picture {ordinal} by the palette", None, gallery.mask_url(truth)),
        gallery.Cell("by k-means", f"Labels of picture {ordinal} by k-means", None, gallery.mask_url(mask)),
    ]
    return gallery.Row(f"cluster {ordinal}", "", cells)


def _conclusion() -> None:
    streamlit.subheader("What is wrong, and what to use instead")
    streamlit.markdown(
        """
- **It cannot see a wrong class.** Two different non-zero numbers count as agreement: a building called *person* is a hit.
- **It rewards ignorance.** A constant non-zero prediction scores the share of pixels that are not class 0. The rarer class 0
  is, the closer to 1.
- **It hangs on the numbering.** Renumber the classes, and the score of the same prediction changes.
- **The mean per image** is sound, but a class that is small in one picture weighs as much there as one that fills it. A class
  absent from truth and prediction does not count.
- **The pooled mean** adds up the counts of all pictures first, as the PASCAL VOC and Cityscapes benchmarks do: it is steadier
  for rare classes, and the one to compare with published figures.
- Neither is *the* truth; they answer different questions. So the raw counts are kept, and every score here comes from them.
"""
    )
