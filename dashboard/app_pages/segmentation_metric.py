"""What is wrong with IoU by `logical_and` and `logical_or`?"""

from typing import Any

import pandas
import streamlit

from dashboard import charts, gallery, layout, queries
from dashboard.layout import Finding, Pages
from dashboard.queries import Results

EXPERIMENT = "segmentation_metric"
QUESTION = "What is wrong with IoU by `logical_and` and `logical_or`?"
TITLE = "The wrong and the right IoU"
CLUSTER_PICTURES = (1, 2)
METRICS = dict(zip(("notebook", "per_image", "pooled"), charts.METRIC_COLORS, strict=True))
NETWORKS = {"skip": "U-Net with skips", "no_skip": "U-Net without skips"}


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "The notebook scores a prediction by `logical_and(label, prediction).sum() / logical_or(label, prediction).sum()`. That asks only "
        "**where both class numbers are not zero**, never whether they are the same.",
    )
    found = queries.metric_datasets(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    labels = layout.dataset_labels(found)
    chosen = found.iloc[labels.index(streamlit.selectbox("Data", labels, key="data", bind="query-params", width=320))]
    classes = queries.classes(results, chosen.dataset)
    scores = _named(queries.predictor_scores(results, chosen.dataset, chosen.profile), classes)
    if scores.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    streamlit.markdown(f"#### {_sentence(scores)}")
    streamlit.caption(_basis(chosen, classes))
    _metric_section(scores)
    networks = scores[scores.experiment == "unet_skip_connections"]
    constants = scores[scores.experiment == EXPERIMENT].sort_values("notebook", ascending=False)
    if networks.empty:
        streamlit.info("Scores of a trained network join these once it has run: python -m compute run unet_skip_connections")
    else:
        _picture_section(results, chosen, networks.iloc[-1], constants, classes)
        _numbering_section(results, networks.iloc[-1], classes)
    _cluster_section(results, chosen)
    _conclusion()
    layout.provenance(queries.runs(results), scores.run_id, pages)


def _named(scores: pandas.DataFrame, classes: pandas.DataFrame) -> pandas.DataFrame:
    """Scores with a name for each predictor that a person understands."""
    names = {f"constant_{name.replace(' ', '_')}": f"everything is {name}" for name in classes.name}
    return scores.assign(predictor=scores.variant.map(names | NETWORKS).fillna(scores.variant))


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = queries.metric_datasets(results)
    answers = []
    for label, (_, chosen) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        classes = queries.classes(results, chosen.dataset)
        sentence = _sentence(_named(queries.predictor_scores(results, chosen.dataset, chosen.profile), classes))
        answers.append(Finding(sentence, f"{layout.plain(label)} · {_basis(chosen, classes)}", {"data": label}))
    return answers


def _basis(chosen: pandas.Series, classes: pandas.DataFrame) -> str:
    return f"{chosen.val_images} images; class number 0 is {layout.plain(classes.name.iloc[0])}. {layout.profile_note(chosen.profile)}"


def _sentence(scores: pandas.DataFrame) -> str:
    constants = scores[scores.experiment == EXPERIMENT]
    best = constants.loc[constants.notebook.idxmax()]
    networks = scores[scores.variant == "skip"]
    sentence = f"Saying that {layout.plain(best.predictor)} scores **{best.notebook:.2f}** by the notebook’s IoU and **{best.pooled:.2f}** by pooled mean IoU"
    if len(networks):
        sentence += f"; the trained U-Net scores {networks.notebook.mean():.2f} and {networks.pooled.mean():.2f}"
    return f"{sentence}."


def _metric_section(scores: pandas.DataFrame) -> None:
    streamlit.subheader("The same predictions under three metrics")
    means = scores.groupby(["experiment", "predictor"], sort=False)[list(METRICS)].mean().reset_index()
    means = means.sort_values(["experiment", "notebook"], ascending=[False, False])
    long = means.melt(["predictor"], list(METRICS), "metric", "score").replace({"metric": METRICS}).dropna(subset=["score"])
    order = {name: position for position, name in enumerate(means.predictor)}
    long = long.sort_values("predictor", key=lambda names: names.map(order), kind="stable")
    streamlit.altair_chart(charts.metric_scores(long), key="metric_scores")
    layout.download(long, "scores_by_metric")
    streamlit.caption(
        "Networks are averaged over their seeds. A predictor that calls everything one class knows nothing of the picture."
    )


def _picture_section(
    results: Results, chosen: pandas.Series, network: pandas.Series, constants: pandas.DataFrame, classes: pandas.DataFrame
) -> None:
    streamlit.subheader("One picture under all of them")
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        default = min(queries.widest_gap(results, network.run_id), int(chosen.val_images))
        ordinal = streamlit.number_input(
            "Picture number", 1, int(chosen.val_images), default, key="picture", bind="query-params", width=160,
            help="At first the one that the notebook’s metric flatters most.",
        )  # fmt: skip
        constant = streamlit.selectbox(
            "Beside it", constants.predictor.tolist(), key="constant", bind="query-params", width=260
        )
        opacity = streamlit.slider("Mask opacity", 0.0, 1.0, 0.7, 0.1, key="opacity", bind="query-params", width=200)
    found = queries.numbered_picture(results, chosen.dataset, ordinal, network.run_id)
    if found.empty:
        streamlit.warning(f"These results hold no picture number {ordinal} of this data set.")
        return
    picture = next(found.itertuples())
    class_id = int(classes.class_id[classes.name == constant.removeprefix("everything is ")].iloc[0])
    gallery.show(
        _picture_rows(results, picture, network.predictor, constant, class_id),
        "metric_picture",
        opacity,
        picture.width / picture.height,
    )
    one = _named(queries.predictor_scores(results, chosen.dataset, chosen.profile, ordinal), classes)
    one = one[(one.run_id == network.run_id) | (one.predictor == constant)]
    overall = constants.set_index("predictor").pooled.to_dict() | {network.predictor: network.pooled}
    table = pandas.DataFrame(
        {
            "Predictor": one.predictor,
            "Notebook’s IoU, this picture": one.notebook.map(layout.number),
            "Mean over its classes, this picture": one.per_image.map(layout.number),
            "Pooled mean IoU, all pictures": one.predictor.map(overall).map(layout.number),
        }
    )
    streamlit.table(table, hide_index=True)


def _picture_rows(results: Results, picture: Any, network: str, constant: str, class_id: int) -> list[gallery.Row]:
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
    truth, mask = (gallery.find_picture(results.images, path) for path in (picture.truth_mask, picture.mask))
    return [
        gallery.Row(
            "one",
            "",
            [
                gallery.Cell("photo", "The photo", photo),
                gallery.Cell("truth", "True classes", photo, gallery.mask_url(truth)),
                gallery.Cell(network, f"Prediction of the {network}", photo, gallery.mask_url(mask)),
                gallery.Cell(
                    "what the metric sees of it", f"And and or of the {network}", None, gallery.and_or_url(truth, mask)
                ),
                gallery.Cell(
                    f"what it sees of “{constant}”",
                    f"And and or of: {constant}",
                    None,
                    gallery.and_or_url(truth, None, class_id),
                ),
            ],
        )
    ]


def _numbering_section(results: Results, network: pandas.Series, classes: pandas.DataFrame) -> None:
    streamlit.subheader("The score depends on which class is numbered 0")
    scores = queries.zero_class_scores(results, network.run_id)
    actual = int(classes.class_id.iloc[0])
    shown = pandas.DataFrame({"class": scores.name, "score": scores.score, "is_actual": scores.class_id == actual}).dropna()
    low, high = shown.score.min(), shown.score.max()
    streamlit.markdown(
        f"Not one prediction changes here, only the order of the classes in the list: the score of the {layout.plain(network.predictor)} "
        f"moves from **{low:.2f} to {high:.2f}**. Mean IoU does not depend on it."
    )
    streamlit.altair_chart(charts.zero_class_scores(shown), key="zero_class")
    layout.download(shown, "notebook_iou_by_zero_class")


def _cluster_section(results: Results, chosen: pandas.Series) -> None:
    clusters = queries.label_clusters(results, chosen.dataset, chosen.profile)
    if clusters.empty:
        return
    streamlit.subheader("The notebook’s labels: ten clusters of random colors")
    sizes = clusters.groupby("cluster").pixels.sum()
    used = clusters[clusters.cluster.isin(sizes[sizes > 0].index) & (clusters.pixels > 0)].copy()
    used["share"] = used.pixels / used.groupby("cluster").pixels.transform("sum")
    shared = used[used.share >= 0.01].groupby("cluster").size()
    streamlit.markdown(
        "The notebook fits k-means to 1,000 *random* colors and calls each mask pixel after the nearest of the ten centers. The centers know "
        f"nothing of the palette: here {int((shared > 1).sum())} of the {sizes[sizes > 0].size} clusters in use mix several classes (each with at "
        f"least 1 % of the cluster), and {int((sizes == 0).sum())} are empty. Classes in one cluster cannot be told apart by any network trained on it."
    )
    names = {f"cluster {cluster}": color for cluster, color in zip(clusters.cluster, clusters.color, strict=True)}
    used["cluster"] = "cluster " + used.cluster.astype(str)
    left, right = streamlit.columns([3, 2], gap="large")
    with left:
        chart_rows = used.rename(columns={"name": "class"})[["cluster", "class", "pixels", "share"]]
        by_class = used.drop_duplicates("class_id").sort_values("class_id")
        streamlit.altair_chart(
            charts.cluster_shares(chart_rows, dict(zip(by_class.name, by_class.class_color, strict=True))), key="clusters"
        )
        layout.download(chart_rows, "kmeans_clusters")
    with right:
        rows = [_cluster_row(results, chosen.dataset, ordinal, clusters.run_id.iloc[0]) for ordinal in CLUSTER_PICTURES]
        gallery.show([row for row in rows if row], "cluster_pictures", 1.0)
        layout.swatches(dict(zip(by_class.name, by_class.class_color, strict=True)), "The palette")
        layout.swatches(names, "The ten centers")


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
        gallery.Cell("labels by palette", f"Labels of picture {ordinal} by the palette", None, gallery.mask_url(truth)),
        gallery.Cell("labels by k-means", f"Labels of picture {ordinal} by k-means", None, gallery.mask_url(mask)),
    ]
    return gallery.Row(f"cluster {ordinal}", "", cells)


def _conclusion() -> None:
    streamlit.subheader("What is wrong, and what to use instead")
    streamlit.markdown(
        """
- **It cannot see a wrong class.** Two different non-zero numbers count as agreement: a road called *person* is a hit.
- **It rewards ignorance.** A constant non-zero prediction scores the share of pixels that are not class 0. The rarer class 0, the closer to 1.
- **It hangs on the numbering.** Renumber the classes and the score of the same prediction changes.
- **Mean per image** is sound, but a class that is small in one picture weighs as much as one that fills it, and a class that is absent from truth and
  prediction does not count. **Pooled mean** adds up counts over all pictures first, as the PASCAL VOC and Cityscapes benchmarks do: it is
  steadier for rare classes, and the one to compare with published figures.
- None of the three is *the* truth: they answer different questions. So the raw counts are kept, and every metric here is derived from them.
"""
    )
