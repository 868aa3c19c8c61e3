"""One picture opened: large, with the surest answers from both classifiers' whole outputs, and the evidence."""

from typing import Any

import numpy as np
import pandas
import streamlit

from dashboard import layout, links
from dashboard import queries_predictions as queries
from dashboard.components import answers, gallery
from dashboard.components.answers import Answers, Bar, Card, Section
from dashboard.connection import Results
from dashboard.views import answer_cards, notes
from dashboard.views.contest import Contest, Model
from dashboard.views.hierarchy import Hierarchy, hierarchy_of

SHOWN_ANSWERS = 10
LARGE_PX = 640


def open_picture(image_id: str) -> None:
    """Have the picture of this name shown when the page, or the part of it that was clicked, is drawn next."""
    streamlit.query_params["image"] = image_id


def show_opened(results: Results, contest: Contest, pages: layout.Pages) -> None:
    """Show the picture that the address names, where it names one."""
    if image_id := streamlit.query_params.get("image"):
        _dialog(results, contest, image_id, pages)


def follow(wnid: str | None, pages: layout.Pages) -> None:
    """Go to a synset on its own page, where there is one to go to."""
    if wnid and "wordnet_synsets" in pages:
        streamlit.switch_page(pages["wordnet_synsets"], query_params={"synset": wnid})


def probabilities(outputs: pandas.Series) -> pandas.Series:
    """Softmax of a classifier's whole output; empty where that is."""
    exponentials = np.exp(outputs - outputs.max())
    return exponentials / exponentials.sum()


def _close() -> None:
    streamlit.query_params.pop("image", None)


@streamlit.dialog("One picture", width="large", on_dismiss=_close)
@layout.errors_as_messages()
def _dialog(results: Results, contest: Contest, image_id: str, pages: layout.Pages) -> None:
    ordinal = queries.picture_number(results, contest.dataset, image_id)
    if ordinal is None:
        streamlit.warning(f"This data set holds no picture {layout.plain(image_id)} in these results.")
        return
    tree = hierarchy_of(results)
    [picture] = queries.pictures(results, contest.dataset, [ordinal]).itertuples()
    models = (contest.a, contest.b)
    rows = [next(queries.answers(results, model.run_id, [ordinal]).itertuples(), None) for model in models]
    side, told = answer_cards.outcome(contest, rows)
    proof = answer_cards.Evidence(results, contest, pandas.DataFrame([picture]))
    size = f"{picture.width} × {picture.height} px"
    style = f" · {picture.style}" if isinstance(picture.style, str) else ""
    card = Card(
        key=image_id,
        title=f"{tree.name(picture.wnid)} · picture {ordinal}{style} · {size}",
        photo=gallery.photo_url(gallery.find_picture(results.images, picture.path), LARGE_PX),
        alt=f"picture {ordinal}, {tree.name(picture.wnid)}",
        models=[whole_answers(results, tree, model, picture, row) for model, row in zip(models, rows, strict=True)],
        badge=told,
        side=side,
        facts=[
            *answer_cards.wrong_answer_facts(tree, contest, picture.wnid, rows),
            *answer_cards.margin_fact(contest, rows),
            *proof.facts(image_id, picture.wnid),
        ],
        credit=answer_cards.credit(picture),
    )
    followed = answers.show([Section([card])], (contest.a.name, contest.b.name), "opened_picture", "single")
    streamlit.caption(f"Probabilities are the softmax of all outputs as they were stored. {layout.plain(image_id, 300)}")
    _links(results, tree, picture.wnid, pages)
    notes.of_picture(results, image_id, queries.EXPERIMENT)
    links.copy_link(results, "copy_picture_link")
    follow(followed, pages)


def whole_answers(results: Results, tree: Hierarchy, model: Model, picture: Any, row: Any) -> Answers:
    """The ten surest answers, and where the true class came, from the whole output, or from the five where none is kept."""
    shares = probabilities(queries.outputs(results, model.run_id, picture.image_id))
    if shares.empty:
        if row is None:
            return Answers([], "no answer", False)
        indices = map(int, row.top5)
        best = list(zip((tree.wnid_of_index.get(index, "") for index in indices), row.top5_probability, strict=True))
    else:
        best = list(shares.sort_values(ascending=False, kind="stable")[:SHOWN_ANSWERS].items())
    bars = [Bar(tree.name(wnid), share, wnid == picture.wnid) for wnid, share in best]
    known = row is not None and not pandas.isna(row.label_rank)
    if known and not any(bar.is_label for bar in bars):
        bars.append(Bar(tree.name(picture.wnid), float(row.label_probability), True))
    verdict = answer_cards.verdict(row.label_rank, row.label_probability) if row is not None else "no answer"
    return Answers(bars, verdict, known and bool(row.label_rank == 1))


def _links(results: Results, tree: Hierarchy, wnid: Any, pages: layout.Pages) -> None:
    if not isinstance(wnid, str):
        return
    name = layout.plain(tree.name(wnid))
    with streamlit.container(horizontal=True, gap="medium"):
        if "wordnet_synsets" in pages and wnid in tree:
            streamlit.page_link(
                pages["wordnet_synsets"],
                label=f"{name} in WordNet",
                icon=":material/account_tree:",
                query_params={"synset": wnid},
            )
        if wnid in tree:
            kept = {
                key: value
                for key, value in streamlit.query_params.items()
                if key not in ("image", "page", "cell", links.RESULTS)
            }
            streamlit.page_link(
                pages[queries.EXPERIMENT],
                label=f"All pictures of {name}",
                icon=":material/photo_library:",
                query_params=links.to(results, **{**kept, "node": wnid, "view": "all pictures"}),
            )
