"""Any two settings on the same pictures: references beside both captions, matched n-grams marked, one picture opened."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
import streamlit

from dashboard import bleu, layout, links
from dashboard import queries_captions as rows
from dashboard.components import captions, gallery, search_field
from dashboard.components.captions import Caption, Card
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views import notes, picture_filters
from dashboard.views.caption_runs import Setting, Setup, choose_seed, forget_unless
from dashboard.views.caption_scores import caption_scores
from dashboard.views.caption_tokens import LARGE_PX, references_of, split_words, tokens_of

PAGE_CARDS = 6
SHOWN_DIFFERENT = 3
# Column of `compared` to sort by, and whether the smallest comes first.
ORDERS = {
    "largest difference": ("size", False),
    "A better": ("difference", False),
    "B better": ("difference", True),
    "worst": ("mean", True),
    "longest": ("longest", False),
    "number": ("ordinal", True),
}


@dataclass(frozen=True)
class Pair:
    """The two settings that are set side by side, with the runs of one seed."""

    a: str
    b: str
    run_a: str
    run_b: str
    seed: int


@streamlit.fragment
@layout.errors_as_messages()
def pictures(results: Results, setup: Setup, against: str) -> None:
    """Draw the tab; a fragment, so that what is chosen in it redraws it alone."""
    if len(setup.settings) < 2:
        streamlit.info("Only one setting has run here; two are needed to set them side by side.")
        return
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        pair = _choose_pair(setup)
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = layout.choose_button("Order", list(ORDERS), "sort")
        word = search_field.show("word", "Search by word", "dog, red bus …", 60, width_px=260)
    found = ordered(with_words(results, setup, compared(results, setup, pair, against), word), order)
    _cards(results, setup, pair, against, found, f"{order} {word} {pair} {against} {setup.dataset} {setup.profile}")
    show_opened(results, setup, against, pair)


def _cards(results: Results, setup: Setup, pair: Pair, against: str, found: pandas.DataFrame, of: str) -> None:
    """A page of cards, or in words that there is none."""
    if found.empty:
        streamlit.info("No picture’s captions or references hold these words, or none has captions of both settings.")
        return
    page = picture_filters.page_number("page", -(-len(found) // PAGE_CARDS), of)
    first = PAGE_CARDS * (page - 1)
    shown = [card(results, setup, pair, picture, against) for picture in found[first : first + PAGE_CARDS].itertuples()]
    captions.show(captions.cards(shown), "caption_cards", _open)
    pictures_found = "1 picture" if len(found) == 1 else f"{len(found):,} pictures"
    streamlit.caption(
        f"{pictures_found}. A caption’s BLEU is of it alone, smoothed, against {against}, whose n-grams are marked. Pick a "
        "picture to see what every setting says of it, word by word."
    )


def _choose_pair(setup: Setup) -> Pair:
    """Let a person pick A, B and the seed; the choices are in the address."""
    a = _choose("A", setup.names, setup.names[0], "a")
    others = [name for name in setup.names if name != a]
    b = _choose("B", others, default_b(setup, others), "b")
    return pair_of(setup, a, b, choose_seed(setup))


def default_b(setup: Setup, names: Sequence[str]) -> str:
    """The setting, of some by name, that is likely furthest from greedy: of the highest temperature, then the largest k."""
    order = {setting.name: (setting.temperature or 0.0, setting.top_k or 0) for setting in setup.settings}
    return max(names, key=lambda name: order[name])


def _choose(label: str, names: list[str], default: str, key: str) -> str:
    forget_unless(key, names)
    links.by_name(key, names)
    return layout.choose_folded(label, names, key, default)


def pair_of(setup: Setup, a: str, b: str, seed: int) -> Pair:
    """Two settings by name, with their runs of a seed."""
    return Pair(a, b, setup.setting(a).run_of(seed), setup.setting(b).run_of(seed), seed)


@kept
def compared(results: Results, setup: Setup, pair: Pair, against: str) -> pandas.DataFrame:
    """Pictures that both settings have a caption of.

    Columns image_id, ordinal, photo, a_text, b_text, a_bleu, b_bleu (of the caption alone; NaN without counts), difference (A
    minus B), size (of it), mean, longest (words).
    """
    found = rows.captioned_pictures(results, setup.run_ids).drop_duplicates("image_id").set_index("image_id")
    for letter, name, run_id in (("a", pair.a, pair.run_a), ("b", pair.b, pair.run_b)):
        setting = setup.setting(name)
        alone = caption_scores(results, setup, against, setting, run_id).rename(f"{letter}_bleu")
        said = rows.run_captions(results, run_id)
        said = said[~said.index.duplicated()][["text", "words"]].add_prefix(f"{letter}_")
        found = found.join(said, how="inner").join(alone)
    return found.assign(
        difference=found.a_bleu - found.b_bleu,
        size=(found.a_bleu - found.b_bleu).abs(),
        mean=(found.a_bleu + found.b_bleu) / 2,
        longest=found[["a_words", "b_words"]].max(axis=1),
    ).reset_index()


def ordered(found: pandas.DataFrame, order: str) -> pandas.DataFrame:
    """Pictures in one of ORDERS, those without a BLEU last."""
    column, ascending = ORDERS[order]
    return found.sort_values([column, "ordinal"], ascending=[ascending, True], na_position="last", kind="stable")


def with_words(results: Results, setup: Setup, found: pandas.DataFrame, typed: str) -> pandas.DataFrame:
    """Pictures of which a caption or the references hold all typed words, or words that begin so."""
    wanted = bleu.split(typed)
    if not wanted:
        return found
    references = dict(rows.references(results, setup.dataset).itertuples(index=False))

    def holds(picture: Any) -> bool:
        texts = [picture.a_text, picture.b_text, *_reference_texts(references.get(picture.image_id))]
        words = {word for text in texts for word in split_words(text)}
        return all(any(word.startswith(each) for word in words) for each in wanted)

    return found[np.array([holds(picture) for picture in found.itertuples()], bool)]


def _reference_texts(texts: Any) -> list[Any]:
    return [] if texts is None or isinstance(texts, float) else list(texts)


def card(
    results: Results, setup: Setup, pair: Pair, picture: Any, against: str, longest_px: int = gallery.THUMBNAIL_PX
) -> Card:
    """A row of `compared` with its references and both captions, matched n-grams marked."""
    texts = references_of(results, setup, picture.image_id, against)
    split = [bleu.split(text) for text in texts]
    said = []
    for side, (letter, name) in enumerate((("a", pair.a), ("b", pair.b))):
        words = split_words(getattr(picture, f"{letter}_text"))[: 2 * captions.MOST_WORDS]
        score = f"BLEU {layout.number(getattr(picture, f'{letter}_bleu'))}"
        said.append(Caption(f"{letter.upper()}: {name}", score, words, bleu.matched_lengths(words, split), side))
    note = "" if math.isnan(picture.difference) else f"A − B: {picture.difference:+.3f}".replace("-", "−")
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo), longest_px)
    title = f"Picture {picture.ordinal}"
    return Card(picture.image_id, title, note, photo, title, texts, said)


def most_different(results: Results, setup: Setup, against: str, a: Setting, b: Setting) -> list[gallery.Row]:
    """A row of the pictures on which two settings' captions differ most, with both captions below each."""
    pair = pair_of(setup, a.name, b.name, setup.seeds[0])
    found = ordered(compared(results, setup, pair, against), "largest difference")[:SHOWN_DIFFERENT]
    cells = []
    for picture in found.itertuples():
        photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo))
        told = (f"{name}: “{str(text)[:80]}”" for name, text in ((a.name, picture.a_text), (b.name, picture.b_text)))
        cells.append(gallery.Cell(" · ".join(told), f"Picture {picture.ordinal}", photo))
    return [gallery.Row("", "", cells)] if cells else []


def _open(image_id: str) -> None:
    streamlit.query_params["picture"] = image_id


def _close() -> None:
    streamlit.query_params.pop("picture", None)


def show_opened(results: Results, setup: Setup, against: str, pair: Pair | None = None) -> None:
    """Show the picture that the address names, where it names one; by default of the first setting beside the hottest."""
    image_id = streamlit.query_params.get("picture")
    if image_id and len(setup.settings) > 1:
        names = setup.names
        pair = pair or pair_of(setup, names[0], default_b(setup, names[1:]), setup.seeds[0])
        _dialog(results, setup, pair, image_id, against)


@streamlit.dialog("What every setting says of one picture", width="large", on_dismiss=_close)
@layout.errors_as_messages()
def _dialog(results: Results, setup: Setup, pair: Pair, image_id: str, against: str) -> None:
    found = compared(results, setup, pair, against)
    found = found[found.image_id == image_id]
    if found.empty:
        streamlit.warning(f"This data set holds no picture {layout.plain(image_id)} with captions of both in these results.")
        return
    picture = next(found.itertuples())
    opened = card(results, setup, pair, picture, against, LARGE_PX)
    captions.show(captions.cards([opened], can_open=False), "opened_picture")
    tokens_of(results, setup, image_id, pair.seed, against, "opened_tokens")
    streamlit.caption(layout.plain(image_id, 300))
    notes.of_picture(results, image_id, rows.EXPERIMENT)
    links.copy_link(results, "copy_picture_link")
