"""How the class tokens of the transformer heads look at a picture's patches, and how much of that falls on their class."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
import streamlit

from dashboard import intervals, layout, queries
from dashboard import queries_heads as rows
from dashboard.components import attention as heat
from dashboard.components import gallery
from dashboard.components.gallery import Cell, Row
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views.head_epochs import percent, percent_interval
from dashboard.views.head_pictures import class_legend
from dashboard.views.head_runs import Setup, choose_seed

PRESENT = "those in the picture"
BACKGROUND = "background"
MOST_PICTURES = 30  # to choose from
Maps = dict[tuple[str, str, int], np.ndarray]  # by run, image and class: weights (h, w)


@dataclass(frozen=True)
class Looked:
    """How much of a class token's attention falls on its class in a picture, and how much of the picture that class is."""

    head: str
    image_id: str
    class_id: int
    on_class: float
    area: float


@streamlit.fragment
@layout.errors_as_messages()
def attention(results: Results, setup: Setup) -> None:
    """Draw the tab; a fragment, so that what is chosen in it redraws it alone."""
    pictures = rows.attended_pictures(results, setup.run_ids)
    maps = maps_of(results, setup)
    pictures = pictures[pictures.image_id.isin({image_id for _, image_id, _ in maps})][:MOST_PICTURES]
    if pictures.empty:
        streamlit.info("No attention is stored here. Only the transformer heads have class tokens that attend to patches.")
        return
    names = queries.classes(results, setup.dataset).query("not ignored")
    picture, class_choice, seed, opacity = _controls(setup, pictures, names)
    shown = _rows(results, picture, _looks_of(setup, maps, picture.image_id, seed), names, class_choice)
    if shown:
        dark, bright = gallery.hexadecimal(heat.HEAT_COLORS[0]), gallery.hexadecimal(heat.HEAT_COLORS[-1])
        legends = {
            "Attention": {"none": dark, "most in this row": bright},
            "Classes": class_legend(results, setup),
        }
        gallery.show(shown, "attention_maps", opacity, picture.width / picture.height, legends=legends)
    else:
        streamlit.info("None of these classes is in this picture, or its true mask is missing.")
    streamlit.caption(
        "A block is a patch. A row’s heads share one scale. The share of the attention on the class’s pixels stands beside the "
        "share of the picture that they cover: equal shares are what looking everywhere alike would give."
    )
    _summary(results, setup)


def maps_of(results: Results, setup: Setup) -> Maps:
    """All stored attention of a setup's runs that is finite."""
    found = rows.token_attention(results, setup.run_ids)
    maps = {}
    for row in found.itertuples():
        weights = np.asarray(row.weights, np.float32).reshape(int(row.height), int(row.width))
        if np.isfinite(weights).all() and (weights >= 0).all():
            maps[row.run_id, row.image_id, int(row.class_id)] = weights
    return maps


def _controls(setup: Setup, pictures: pandas.DataFrame, names: pandas.DataFrame) -> tuple[Any, int | None, int, float]:
    """The picture, the class or None for those in it, the seed and the opacity; the choices are in the address."""
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        numbers = pictures.ordinal.astype(str).tolist()
        number = layout.choose_button("Picture", numbers, "number")
        seed = choose_seed(setup)
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        labels = class_labels(names)
        label = streamlit.selectbox("Class tokens", [PRESENT, *labels], key="token", bind="query-params", width=240)
        opacity = layout.choose_opacity()
    picture = next(pictures[pictures.ordinal.astype(str) == number].itertuples())
    return picture, labels.get(label), seed, opacity


def class_labels(names: pandas.DataFrame) -> dict[str, int]:
    """The index of each class by what a person picks: its name, with the index where names are the same."""
    labels: dict[str, int] = {}
    for entry in names.itertuples():
        name = str(entry.name)[:60]
        taken = name in labels or name == PRESENT
        labels[f"{name} ({entry.class_id})" if taken else name] = int(entry.class_id)
    return labels


def _looks_of(setup: Setup, maps: Maps, image_id: str, seed: int) -> dict[int, dict[str, np.ndarray]]:
    """The maps of one picture: by class, then by the head's short name."""
    found: dict[int, dict[str, np.ndarray]] = {}
    names = {setup.run_of(head.name, seed): head.short for head in setup.heads}
    for (run_id, of_image, class_id), weights in maps.items():
        if of_image == image_id and run_id in names:
            found.setdefault(class_id, {})[names[run_id]] = weights
    return {class_id: {name: own[name] for name in names.values() if name in own} for class_id, own in found.items()}


def _rows(
    results: Results, picture: Any, maps: dict[int, dict[str, np.ndarray]], names: pandas.DataFrame, chosen: int | None
) -> list[Row]:
    """A row for each class: photo, truth, and the heat map of each head."""
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
    path = gallery.find_picture(results.images, picture.truth_mask if isinstance(picture.truth_mask, str) else None)
    truth, classes = gallery.mask_url(path), gallery.mask_classes(path)
    shown = []
    for entry in _classes_shown(names, classes, chosen):
        own = maps.get(entry.class_id, {})
        largest = max((float(weights.max()) for weights in own.values()), default=0.0)
        cells = [
            Cell("photo", f"Photo {picture.ordinal}", photo),
            Cell("truth", f"True classes of picture {picture.ordinal}", photo, truth),
        ]
        for name, weights in own.items():
            caption = f"{name}: {_share_words(weights, classes, entry.class_id)}"
            url = heat.heat_url(weights, largest, picture.width / picture.height)
            cells.append(Cell(caption, f"Attention of {name} to {entry.name}, picture {picture.ordinal}", photo, url))
        if own:
            shown.append(Row(f"{entry.class_id}", f"{str(entry.name)[:60]} {_area_words(classes, entry.class_id)}", cells))
    return shown


def _classes_shown(names: pandas.DataFrame, classes: np.ndarray | None, chosen: int | None) -> list[Any]:
    """The chosen class, or all that are in the picture, the largest first."""
    if chosen is not None:
        return list(names[names.class_id == chosen].itertuples())
    if classes is None:
        return []
    pixels = np.bincount(classes.ravel(), minlength=256)
    present = names[names.class_id.map(lambda class_id: pixels[class_id] > 0)]
    order = present.class_id.map(lambda class_id: -pixels[class_id]).sort_values(kind="stable").index
    return list(present.loc[order].itertuples())


def _share_words(weights: np.ndarray, classes: np.ndarray | None, class_id: int) -> str:
    if classes is None:
        return "true mask missing"
    on_class, area = heat.share_on_class(weights, classes, class_id)
    return f"{percent(on_class)} of its attention" if area > 0 else "class not in the picture"


def _area_words(classes: np.ndarray | None, class_id: int) -> str:
    area = float((classes == class_id).mean()) if classes is not None else math.nan
    return f"covers {percent(area)} of the picture" if area > 0 else "is not in this picture"


@kept
def looks(results: Results, setup: Setup) -> list[Looked]:
    """Every class token's look at every stored picture that its class is in, seeds averaged."""
    maps, found = maps_of(results, setup), []
    for picture in rows.attended_pictures(results, setup.run_ids).itertuples():
        path = picture.truth_mask if isinstance(picture.truth_mask, str) else None
        classes = gallery.mask_classes(gallery.find_picture(results.images, path))
        if classes is None:
            continue
        for class_id in np.unique(classes).tolist():
            for head in setup.heads:
                own = [maps[key] for run_id in head.run_ids if (key := (run_id, picture.image_id, class_id)) in maps]
                shares = [heat.share_on_class(weights, classes, class_id) for weights in own]
                if shares:
                    on_class, area = np.mean(shares, axis=0)
                    found.append(Looked(head.name, picture.image_id, class_id, float(on_class), float(area)))
    return found


def look_table(found: list[Looked], left_out: set[int]) -> pandas.DataFrame:
    """Each head's looks as means over pictures: head, pictures, looks, on_class, area, excess (Estimate).

    Looks of the classes in `left_out` do not count. A picture counts as the mean over its classes; the interval of the excess
    is over pictures.
    """
    frame = pandas.DataFrame(found)
    if frame.empty:
        return frame
    frame = frame[~frame.class_id.isin(left_out)]
    table = []
    for name, own in frame.groupby("head", sort=False):
        by_picture = own.groupby("image_id")[["on_class", "area"]].mean()
        excess = intervals.image_weights(len(by_picture)) @ (by_picture.on_class - by_picture.area).to_numpy()
        means = by_picture.mean()
        table.append((name, len(by_picture), len(own), means.on_class, means.area, intervals.summarise(excess)))
    return pandas.DataFrame(table, columns=["head", "pictures", "looks", "on_class", "area", "excess"])


def _summary(results: Results, setup: Setup) -> None:
    names = queries.classes(results, setup.dataset)
    left_out = set(names.class_id[names.ignored | (names.name == BACKGROUND)])
    table = look_table(looks(results, setup), left_out)
    if table.empty:
        return
    streamlit.subheader("Over all stored pictures")
    shown = pandas.DataFrame(
        {
            "head": table["head"],
            "attention on its class": table.on_class,
            "area of the class": table.area,
            "difference, points": [100 * each.value for each in table.excess],
            "95 % interval": [percent_interval(each, 1) for each in table.excess],
            "pictures": table.pictures,
            "maps": table.looks,
        }
    )
    formats = {"attention on its class": "{:.1%}", "area of the class": "{:.1%}", "difference, points": "{:+.1f}"}
    layout.table(shown, "attention_on_its_class", formats)
    streamlit.caption(
        f"Means over pictures of the classes in each, without {BACKGROUND}; the interval of the difference is over pictures."
    )
