"""Any two heads on the pictures whose masks are kept: side by side, where each is right, and over the epochs."""

from dataclasses import dataclass
from typing import Any

import pandas
import streamlit

from dashboard import layout, links, queries
from dashboard import queries_heads as rows
from dashboard.components import gallery
from dashboard.components.gallery import Cell, Row
from dashboard.connection import Results
from dashboard.views import notes
from dashboard.views.comparison import picture_class_table
from dashboard.views.head_runs import Setup, choose_seed

PAGE_ROWS = 3  # a screenful
ORDERS = {"A furthest ahead": "helped", "B furthest ahead": "hurt", "hardest": "hardest", "number": "number"}


@dataclass(frozen=True)
class Pair:
    """The two heads that are set side by side, with the runs of one seed."""

    a: str
    b: str
    run_a: str
    run_b: str
    seed: int


@streamlit.fragment
@layout.errors_as_messages()
def pictures(results: Results, setup: Setup) -> None:
    """Draw the tab; a fragment, so that what is chosen in it redraws it alone."""
    if len(setup.heads) < 2:
        streamlit.info("Only one head has run here; two are needed to set them side by side.")
        return
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        pair = _choose_pair(setup)
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = layout.choose_button("Order", list(ORDERS), "sort")
        opacity = layout.choose_opacity()
    found = compared(results, pair, ORDERS[order])
    if found.empty:
        streamlit.info("No picture has a stored mask of both of these heads.")
        return
    page_count = -(-len(found) // PAGE_ROWS)
    offset = PAGE_ROWS * (streamlit.pagination(page_count, key="page", bind="query-params") - 1)
    shown = [picture_row(results, setup, pair, picture) for picture in found[offset : offset + PAGE_ROWS].itertuples()]
    legends = _legends(results, setup)
    gallery.show(shown, "gallery", opacity, gallery.aspect_ratio(found), legends=legends, on_open=_open)
    streamlit.caption(
        f"Masks are kept of {len(found)} fixed pictures, spread evenly; the scores above are of all {setup.image_count:,}. "
        "Pick a row to see both heads from epoch to epoch."
    )
    show_opened(results, setup, pair, opacity)


def _choose_pair(setup: Setup) -> Pair:
    """Let a person pick A, B and the seed; the choices are in the address."""
    names = setup.names
    a = _choose("A", list(reversed(names)), "a")
    b = _choose("B", [name for name in names if name != a], "b")
    return pair_of(setup, a, b, choose_seed(setup))


def _choose(label: str, names: list[str], key: str) -> str:
    if streamlit.session_state.get(key) not in names:
        streamlit.session_state.pop(key, None)  # what the other choice does not leave to choose from
    links.by_name(key, names)
    return layout.choose_button(label, names, key, shown=layout.as_label)


def pair_of(setup: Setup, a: str, b: str, seed: int) -> Pair:
    """Two heads by name, with their runs of a seed."""
    return Pair(a, b, setup.run_of(a, seed), setup.run_of(b, seed), seed)


def compared(results: Results, pair: Pair, order: str) -> pandas.DataFrame:
    """Pictures with a mask of both heads, in one of ORDERS: columns of `queries.compared_pictures`, named a_ and b_."""
    found = queries.compared_pictures(results, pair.run_a, pair.run_b, order, False, 2**30, 0)
    names = {"skip_iou": "a_iou", "no_skip_iou": "b_iou", "skip_mask": "a_mask", "no_skip_mask": "b_mask"}
    return found.rename(columns=names).dropna(subset=["a_mask", "b_mask"])


def picture_row(results: Results, setup: Setup, pair: Pair, picture: Any, titled: bool = True) -> Row:
    """Photo, truth, both heads' masks and the four-way map of one row of `compared`."""
    number = picture.ordinal
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
    truth, a, b = (
        gallery.find_picture(results.images, path if isinstance(path, str) else None)
        for path in (picture.truth_mask, picture.a_mask, picture.b_mask)
    )
    difference = f"A’s mean IoU minus B’s is {picture.difference:+.3f}"
    return Row(
        picture.image_id,
        f"Picture {number}: {difference}" if titled else "",
        [
            Cell("photo", f"Photo {number}", photo),
            Cell("truth", f"True classes of picture {number}", photo, gallery.mask_url(truth)),
            Cell(
                f"A: {setup.head(pair.a).short} {picture.a_iou:.3f}", f"{pair.a}, picture {number}", photo, gallery.mask_url(a)
            ),
            Cell(
                f"B: {setup.head(pair.b).short} {picture.b_iou:.3f}", f"{pair.b}, picture {number}", photo, gallery.mask_url(b)
            ),
            Cell(
                "who is right where",
                f"Where each of the two is right, picture {number}",
                photo,
                gallery.four_way_url(truth, a, b, setup.class_count),
            ),
        ],
    )


def _legends(results: Results, setup: Setup) -> dict[str, dict[str, str]]:
    colors = map(gallery.hexadecimal, gallery.FOUR_WAY_COLORS[1:4])
    outcomes = ("only A", "only B", "neither (clear where both are)")
    return {"Who is right where": dict(zip(outcomes, colors, strict=True)), "Classes": class_legend(results, setup)}


def class_legend(results: Results, setup: Setup) -> dict[str, str]:
    """The color of each class by its name."""
    names = queries.classes(results, setup.dataset)
    return dict(zip(names.name, names.color, strict=True))


def _open(image_id: str) -> None:
    streamlit.query_params["picture"] = image_id


def _close() -> None:
    streamlit.query_params.pop("picture", None)


def show_opened(results: Results, setup: Setup, pair: Pair | None = None, opacity: float = 0.5) -> None:
    """Show the picture that the address names, where it names one; by default of the last head beside the first."""
    image_id = streamlit.query_params.get("picture")
    if image_id and len(setup.heads) > 1:
        names = setup.names
        _dialog(results, setup, pair or pair_of(setup, names[-1], names[0], setup.seeds[0]), image_id, opacity)


@streamlit.dialog("One picture over the epochs", width="large", on_dismiss=_close)
@layout.errors_as_messages()
def _dialog(results: Results, setup: Setup, pair: Pair, image_id: str, opacity: float) -> None:
    found = compared(results, pair, "number")
    found = found[found.image_id == image_id]
    if found.empty:
        streamlit.warning(f"This data set holds no picture {layout.plain(image_id)} with masks of both heads in these results.")
        return
    picture = next(found.itertuples())
    aspect = gallery.aspect_ratio(found)
    gallery.show([picture_row(results, setup, pair, picture)], "opened_picture", opacity, aspect)
    strips = [epoch_strip(results, name, run_id, letter, picture) for letter, name, run_id in _sides(pair)]
    gallery.show(strips, "opened_strip", opacity, aspect)
    classes = queries.picture_classes(results, image_id, [pair.run_a, pair.run_b])
    classes["variant"] = classes.run_id.map({pair.run_a: pair.a, pair.run_b: pair.b})
    picture_class_table(classes, (pair.a, pair.b))
    streamlit.caption(
        f"Seed {pair.seed}. IoU of this picture alone; a dash where a class is in neither the truth nor that prediction. "
        f"{layout.plain(image_id, 300)}"
    )
    notes.of_picture(results, image_id, rows.EXPERIMENT)
    links.copy_link(results, "copy_picture_link")


def _sides(pair: Pair) -> list[tuple[str, str, str]]:
    return [("A", pair.a, pair.run_a), ("B", pair.b, pair.run_b)]


def epoch_strip(results: Results, name: str, run_id: str, letter: str, picture: Any) -> Row:
    """A head's stored masks of one picture in the order of the epochs, each with its mean IoU."""
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
    cells = []
    for mask in rows.epoch_masks(results, (run_id,), picture.image_id).itertuples():
        url = gallery.mask_url(gallery.find_picture(results.images, mask.path))
        caption = f"epoch {mask.epoch}: {layout.number(mask.mean_iou)}"
        cells.append(Cell(caption, f"{name} after epoch {mask.epoch}, picture {picture.ordinal}", photo, url))
    return Row(f"{letter} {picture.image_id}", f"{letter}: {name}, epoch by epoch", cells)
