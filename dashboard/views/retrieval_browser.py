"""One query after the other with its ranked answers: a caption and the images, or an image and the captions."""

import math
import re
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import address, layout
from dashboard import queries_retrieval as rows
from dashboard.components import gallery, ranking, search_field
from dashboard.components.ranking import Answer, Query
from dashboard.connection import Results
from dashboard.views.picture_filters import page_number
from dashboard.views.retrieval_runs import QUERY_WORDS, Setup, choose_direction, choose_run

PAGE_QUERIES = {"image to text": 12, "text to image": 8}
SEARCH = "search"
MOST_WORDS, LONGEST_WORD = 12, 40
WORD = re.compile(r"\w+")
TARGET = re.compile(r"(image|caption) (-?\d{1,9})")
LARGE_PX = 400
HOW = (
    "This page runs no model. Typing searches the captions that are stored; their answers were computed with the run, and the "
    "ten most similar are kept. Pick any answer to ask the other way round."
)


@streamlit.fragment
@layout.errors_as_messages()
def browser(results: Results, setup: Setup) -> None:
    """Draw the tab; a fragment, so that what is picked in it redraws it alone."""
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        direction = choose_direction()
        run_id = setup.runs[choose_run("Run", "run", list(setup.runs))]
    left, wide = streamlit.columns([5, 9], gap="large")
    with left:
        first = _queries(results, run_id, direction)
    with wide:
        number = _opened(results, run_id, direction, first)
        if number is None:
            streamlit.caption(HOW)
        else:
            _answers(results, setup, run_id, direction, number)


def open_query(target: str) -> None:
    """Show the query “image 3” or “caption 17”, numbers being image.ordinal and image_caption.position."""
    found = TARGET.fullmatch(target)
    if found:
        kind, number = found.groups()
        streamlit.session_state["direction"] = _direction_of(kind)
        streamlit.query_params[kind] = number


def open_in_browser(run: str, target: str) -> None:
    """Show a query with a run's answers, from another tab of the page."""
    streamlit.session_state["view"] = "browser"
    streamlit.session_state["run"] = run
    address.keep(SEARCH, "")
    open_query(target)


def _direction_of(kind: str) -> str:
    return rows.DIRECTIONS[0] if kind == "image" else rows.DIRECTIONS[1]


def _kind(direction: str) -> str:
    return QUERY_WORDS[direction][0]


def words_of(text: str) -> list[str]:
    """The words of what a person types, in lower case, each once, no more than can be searched."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for word in WORD.findall(text.lower().replace("_", " "))))[:MOST_WORDS]


def _queries(results: Results, run_id: str, direction: str) -> int | None:
    """Draw search and list; gives the number of the first query, None where there is none."""
    kind = _kind(direction)

    def typed() -> None:
        streamlit.query_params.pop(kind, None)  # so that what is found first is shown

    words = words_of(search_field.show(SEARCH, "Words of a caption", "red bus, cow grass …", 120, on_typed=typed))
    order = layout.choose_button("Order", list(rows.ORDERS), "sort")
    size = PAGE_QUERIES[direction]
    found = rows.ranked_queries(results, run_id, direction, order, 1, 0, words)
    if found.empty:
        told = "No stored caption has any of these words." if words else "These results hold no query of this direction."
        streamlit.info(told)
        return None
    total, exact = int(found.total.iloc[0]), int(found.exact_total.iloc[0])
    title = _found_words(direction, words, total, exact)
    total = exact if words and exact else total
    number = page_number("page", -(-total // size), f"{run_id} {direction} {order} {' '.join(words)}")
    found = rows.ranked_queries(results, run_id, direction, order, size, size * (number - 1), words)
    found = found[found.exact] if words and exact else found
    current = streamlit.query_params.get(kind, "")
    first = int(found.number.iloc[0]) if len(found) else None
    shown = current if re.fullmatch(r"-?\d{1,9}", current) else f"{first}"
    listed = ranking.query_list(_query_rows(results, run_id, direction, found), f"{kind} {shown}", title)
    ranking.show(listed, "queries", on_open=open_query)
    return first


def _found_words(direction: str, words: Sequence[str], total: int, exact: int) -> str:
    one, many = QUERY_WORDS[direction]
    if words and not exact:
        return f"No stored caption has all of these words. The nearest, by the words they share, of {total:,}:"
    if words:
        return f"{exact:,} {one if exact == 1 else many} with {'this word' if len(words) == 1 else 'all these words'}"
    return f"{total:,} {many}, each with the rank of its right answer"


def _query_rows(results: Results, run_id: str, direction: str, found: pandas.DataFrame) -> list[Query]:
    """What is drawn of a page of queries, in their order."""
    if direction == "text to image":
        texts = rows.captions(results, run_id, positions=found.number.tolist()).drop_duplicates("position")
        shown = dict(zip(texts.position, texts.text, strict=True))
        photos: dict[Any, str | None] = {}
    else:
        shown = {number: f"image {number}" for number in found.number}
        pictures = rows.pictures(results, run_id, image_ids=found.image_id.tolist())
        photos = {picture.ordinal: _photo(results, picture) for picture in pictures.itertuples()}
    return [
        Query(
            target=f"{_kind(direction)} {query.number}",
            text=str(shown.get(query.number, "")) or "(no words)",
            rank=f"rank {rank_text(query.rank)}",
            is_first=query.rank == 1,
            photo=photos.get(query.number, gallery.MISSING) if direction == "image to text" else None,
        )
        for query in found.itertuples()
    ]


def _photo(results: Results, picture: Any, longest_px: int = gallery.THUMBNAIL_PX) -> str:
    return gallery.photo_url(gallery.find_picture(results.images, picture.path), longest_px)


def rank_text(rank: float) -> str:
    """A rank, whole or with its half: 1, 2.5, 1,204."""
    return "–" if rank is None or not math.isfinite(rank) else f"{rank:,.1f}".removesuffix(".0")


def _opened(results: Results, run_id: str, direction: str, first: int | None) -> int | None:
    """The query that the address names, or else the first of the list."""
    asked = streamlit.query_params.get(_kind(direction))
    if not asked:
        return first
    number = int(asked) if re.fullmatch(r"-?\d{1,9}", asked) else None
    if number is not None and len(rows.found_query(results, run_id, direction, number)):
        return number
    streamlit.warning(f"This run has no {_kind(direction)} numbered {layout.plain(asked, 40)}; here is the first of the list.")
    return first


def _answers(results: Results, setup: Setup, run_id: str, direction: str, number: int) -> None:
    query = next(rows.found_query(results, run_id, direction, number).itertuples())
    found = rows.answers(results, run_id, direction, number)
    drawn = _images_of_caption if direction == "text to image" else _captions_of_image
    ranking.show(drawn(results, setup, run_id, query, found), "answers", on_open=open_query)
    if found.empty:
        streamlit.info("The ranked answers to this query are not stored; its rank is.")


def _images_of_caption(results: Results, setup: Setup, run_id: str, query: Any, found: pandas.DataFrame) -> Element:
    [own] = rows.captions(results, run_id, positions=[query.number]).drop_duplicates("position").itertuples()
    pictures = rows.pictures(results, run_id, ordinals=found.answer.dropna().astype(int).tolist(), image_ids=[query.image_id])
    by_ordinal = {picture.ordinal: picture for picture in pictures.itertuples()}
    right = next((picture for picture in by_ordinal.values() if picture.image_id == query.image_id), None)
    verdict = verdict_text("its image", query.rank, query.tied, setup.images)
    quoted = f"“{own.text}”" if own.text.strip() else "(no words)"
    question = ranking.question(None, quoted, [f"caption {query.number}"], verdict, query.rank == 1)
    answers = [
        _answer(f"image {answer.answer}", f"{answer.place}", f"image {answer.answer}", answer.similarity,
                getattr(by_ordinal[answer.answer], "image_id", "") == query.image_id,
                _photo(results, by_ordinal[answer.answer]))
        for answer in found.itertuples()
        if answer.answer in by_ordinal
    ]  # fmt: skip
    extra = []
    if right is not None and not any(answer.is_right for answer in answers):
        text = f"image {right.ordinal}"
        extra = [_answer(text, rank_text(query.rank), text, own.similarity, True, _photo(results, right))]
    title = f"The right image is not among these; it comes at rank {rank_text(query.rank)} of {setup.images:,}"
    return ranking.answered(question, ranking.answer_list(answers, extra, title if answers else "The right image"), HOW)


def _captions_of_image(results: Results, setup: Setup, run_id: str, query: Any, found: pandas.DataFrame) -> Element:
    positions = found.answer.dropna().astype(int).tolist()
    texts = rows.captions(results, run_id, positions=positions, image_ids=[query.image_id])
    by_position = {caption.position: caption for caption in texts.itertuples()}
    picture = next(rows.pictures(results, run_id, image_ids=[query.image_id]).itertuples(), None)
    photo = gallery.MISSING if picture is None else _photo(results, picture, LARGE_PX)
    own = [caption for caption in by_position.values() if caption.image_id == query.image_id]
    verdict = verdict_text("its best caption", query.rank, query.tied, setup.captions)
    lines = [f"{len(own)} {'caption' if len(own) == 1 else 'captions'} of its own"]
    question = ranking.question(photo, f"Image {query.number}", lines, verdict, query.rank == 1)
    answers = [
        _answer(f"caption {answer.answer}", f"{answer.place}", by_position[answer.answer].text, answer.similarity,
                by_position[answer.answer].image_id == query.image_id)
        for answer in found.itertuples()
        if answer.answer in by_position
    ]  # fmt: skip
    listed = {answer.target for answer in answers}
    extra = [
        _answer(f"caption {caption.position}", rank_text(caption.text_rank), caption.text, caption.similarity, True)
        for caption in sorted(own, key=lambda caption: caption.text_rank)
        if f"caption {caption.position}" not in listed
    ]
    title = "Its own captions that are not among these, each with its rank among all but the image’s others"
    return ranking.answered(question, ranking.answer_list(answers, extra, title if answers else "Its own captions"), HOW)


def _answer(target: str, place: str, text: str, similarity: float, is_right: bool, photo: str | None = None) -> Answer:
    known = similarity is not None and math.isfinite(similarity)
    shown = f"{similarity:.3f}".replace("-", "−") if known else "–"
    return Answer(target, place, text if text.strip() else "(no words)", shown, similarity if known else 0.0, is_right, photo)


def verdict_text(what: str, rank: float, tied: float, candidates: int) -> str:
    """Where a query's right answer comes: its image comes first of 60."""
    what = what[:1].upper() + what[1:]
    if tied > 0:
        first, last = rank - tied / 2, rank + tied / 2
        return f"{what} shares places {first:,.0f} to {last:,.0f} of {candidates:,} with answers that are just as similar"
    if rank == 1:
        return f"{what} comes first of {candidates:,}"
    return f"{what} comes at rank {rank_text(rank)} of {candidates:,}"
