"""Pictures by how far their probabilities moved, and one opened, with both precisions' whole answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas
import streamlit

from dashboard import layout, links
from dashboard import queries_precision as queries
from dashboard import queries_predictions as predictions
from dashboard.components import answers, gallery
from dashboard.components.answers import Answers, Card, Fact, Section
from dashboard.connection import Results
from dashboard.views import answer_cards, notes, picture_filters
from dashboard.views.contest import Contest, Model
from dashboard.views.hierarchy import Hierarchy, hierarchy_of
from dashboard.views.picture_dialog import LARGE_PX, SHOWN_ANSWERS, follow, open_picture, probabilities, whole_answers
from dashboard.views.precision_runs import Setup, arithmetic_words, small

PAGE_PICTURES = 9
DIGITS = 5  # of a probability: fewer would hide most drift
ORDERS = {"largest change": "change", "KL divergence": "divergence", "smallest margin": "margin", "number": "number"}
SHOWN = ("all", "flips only")


@streamlit.fragment
@layout.errors_as_messages()
def drifted_pictures(results: Results, setup: Setup, pictures: str, pages: layout.Pages) -> None:
    """Draw the list; a fragment, so that sorting and paging redraw it alone."""
    if setup.pair is None:
        return
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        order = layout.choose_button("Order", list(ORDERS), "sort")
        shown = layout.choose_button("Show", SHOWN, "show")
    flips_only = shown == SHOWN[1]
    summary = queries.drift_summary(results, *setup.pair, pictures)
    count = int(summary.flips if flips_only else summary.images)
    if not count:
        streamlit.info("No first answer changes on these pictures.")
    else:
        of = f"{order} {shown} {pictures} {setup.pair}"
        number = picture_filters.page_number("page", -(-count // PAGE_PICTURES), of)
        ordinals = queries.drifted_pictures(
            results, *setup.pair, pictures, flips_only, ORDERS[order], PAGE_PICTURES, PAGE_PICTURES * (number - 1)
        )
        cards = drift_cards(results, setup, ordinals)
        followed = answers.show([Section(cards)], ("fp32", setup.lower), "drifted_pictures", on_open=open_picture)
        streamlit.caption(
            f"Below each picture the five first answers in fp32 (blue) and {layout.plain(setup.lower)} (orange) with their "
            "probabilities; ✓ marks the true class."
        )
        follow(followed, pages)
    show_opened(results, setup, pages)


def drift_cards(results: Results, setup: Setup, ordinals: Sequence[int]) -> list[Card]:
    """Cards of some pictures, in their order, with both precisions' five first answers and what moved."""
    tree, contest = hierarchy_of(results), _contest(setup)
    drift = _drift_of(results, setup, ordinals)
    cards = answer_cards.cards(results, contest, ordinals, {}, badges=False)
    pictures = predictions.pictures(results, contest.dataset, ordinals)
    moved = {picture.image_id: drift.get(picture.ordinal) for picture in pictures.itertuples()}
    return [
        replace(
            card,
            models=[_precise(each) for each in card.models],
            badge=_badge(moved[card.key]),
            side=1 if getattr(moved[card.key], "top1_flip", False) else None,
            facts=_facts(tree, moved[card.key]),
        )
        for card in cards
    ]


def show_opened(results: Results, setup: Setup, pages: layout.Pages) -> None:
    """Show the picture that the address names, where it names one."""
    if setup.pair and (image_id := streamlit.query_params.get("image")):
        _dialog(results, setup, image_id, pages)


def _close() -> None:
    streamlit.query_params.pop("image", None)


@streamlit.dialog("One picture", width="large", on_dismiss=_close)
@layout.errors_as_messages()
def _dialog(results: Results, setup: Setup, image_id: str, pages: layout.Pages) -> None:
    contest = _contest(setup)
    ordinal = predictions.picture_number(results, contest.dataset, image_id)
    if ordinal is None:
        streamlit.warning(f"This data set holds no picture {layout.plain(image_id)} in these results.")
        return
    tree = hierarchy_of(results)
    [card] = drift_cards(results, setup, [ordinal])
    [picture] = predictions.pictures(results, contest.dataset, [ordinal]).itertuples()
    models = []
    for model in (contest.a, contest.b):
        row = next(predictions.answers(results, model.run_id, [ordinal]).itertuples(), None)
        models.append(_precise(whole_answers(results, tree, model, picture, row)))
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.path), LARGE_PX)
    opened = replace(card, title=f"{card.title} · picture {ordinal}", photo=photo, models=models)
    followed = answers.show([Section([opened])], ("fp32", setup.lower), "opened_picture", "single")
    table = answer_table(results, setup, image_id, tree)
    if len(table):
        _table(table, setup.lower)
    streamlit.caption(
        f"Probabilities are the softmax of all outputs as they were stored. {arithmetic_words(setup)} "
        f"{layout.plain(image_id, 300)}"
    )
    if "wordnet_synsets" in pages and picture.wnid in tree:
        streamlit.page_link(
            pages["wordnet_synsets"],
            label=f"{layout.plain(tree.name(picture.wnid))} in WordNet",
            icon=":material/account_tree:",
            query_params={"synset": picture.wnid},
        )
    notes.of_picture(results, image_id, queries.EXPERIMENT)
    links.copy_link(results, "copy_picture_link")
    follow(followed, pages)


def answer_table(results: Results, setup: Setup, image_id: str, tree: Hierarchy) -> pandas.DataFrame:
    """The surest classes of either: class, fp32, lower, change, rank_fp32, rank_lower; empty without whole outputs."""
    shares = [probabilities(predictions.outputs(results, run_id, image_id)) for run_id in setup.pair or ()]
    if len(shares) < 2 or shares[0].empty or not shares[0].index.equals(shares[1].index) or not shares[0].index.is_unique:
        return pandas.DataFrame()
    both = pandas.DataFrame({"fp32": shares[0], "lower": shares[1]})
    ranks = (-both).rank(method="first").astype(int)  # of equal ones the earlier position is first
    both = both.assign(change=both.lower - both.fp32, rank_fp32=ranks.fp32, rank_lower=ranks.lower)
    both = both[(both.rank_fp32 <= SHOWN_ANSWERS) | (both.rank_lower <= SHOWN_ANSWERS)].sort_values("rank_fp32")
    both.insert(0, "class", [tree.name(wnid) for wnid in both.index])
    return both.reset_index(drop=True)


def _table(table: pandas.DataFrame, lower: str) -> None:
    # The same words twice would be one column: a results file may call a precision anything.
    lower = lower if lower not in ("class", "fp32", "change") else f"{lower} (lower)"
    shown = table.rename(columns={"lower": lower, "rank_fp32": "rank, fp32", "rank_lower": f"rank, {lower}"})
    formats = {"fp32": "{:.6f}", lower: "{:.6f}", "change": "{:+.1e}"}
    layout.table(shown, "answers_of_both", formats)


def _contest(setup: Setup) -> Contest:
    """Both precisions as the two that cards show."""
    fp32_run, lower_run = setup.pair or ("", "")
    models = Model(fp32_run, "fp32"), Model(lower_run, setup.lower)
    return Contest(setup.dataset or "", setup.profile, setup.pictures, *models, 5, None)


def _drift_of(results: Results, setup: Setup, ordinals: Sequence[int]) -> dict[int, Any]:
    if setup.pair is None:
        return {}
    rows = queries.picture_drift(results, *setup.pair, list(ordinals))
    return {row.Index: row for row in rows.itertuples()}


def _precise(shown: Answers) -> Answers:
    return replace(shown, bars=[replace(bar, digits=DIGITS) for bar in shown.bars])


def _badge(row: Any) -> str:
    if row is None:
        return ""
    if row.top1_flip:
        return "another first answer"
    if row.top5_left:
        return f"{int(row.top5_left)} of the five replaced"
    return f"{int(row.top5_changes)} of the five at another rank" if row.top5_changes else ""


def _facts(tree: Hierarchy, row: Any) -> list[Fact]:
    if row is None:
        return []
    of_class = tree.index_name(int(row.changed_class))
    facts = [
        Fact("largest change", f"{small(row.largest_change)}, of “{of_class}”"),
        Fact("by the image encoder alone", small(row.encoder_change)),
        Fact("fp32’s margin", small(row.margin)),
        Fact("KL divergence", f"{small(row.kl_divergence)} nats"),
    ]
    if not pandas.isna(row.label_change):
        sign = "+" if row.label_change > 0 else "−" if row.label_change < 0 else ""
        facts.append(Fact("true class", f"{sign}{small(abs(row.label_change))}"))
    return facts
