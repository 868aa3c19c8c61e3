"""What every setting says of one picture, token by token, with the model's own probability of each."""

import math
import re
from typing import Any

import numpy as np
import streamlit

from dashboard import bleu, layout
from dashboard import queries_captions as rows
from dashboard.components import captions, gallery
from dashboard.components.captions import Card, Token, TokenRow
from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.views.caption_runs import Setup, choose_seed
from dashboard.views.caption_scores import ONE, caption_scores

LARGE_PX = 512
PIECE = "##"  # how a token begins that goes on with the word before it
LONGEST_CAPTION = 20_000  # characters; what is beyond is not looked at


@streamlit.fragment
@layout.errors_as_messages()
def word_by_word(results: Results, setup: Setup, against: str) -> None:
    """Draw the tab; a fragment, so that what is chosen in it redraws it alone."""
    pictures = rows.captioned_pictures(results, setup.run_ids)
    if pictures.empty:
        streamlit.info("No caption of a picture is stored.")
        return
    with streamlit.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        streamlit.markdown("Picture", width="content")
        number = streamlit.pagination(len(pictures), key="number", bind="query-params") if len(pictures) > 1 else 1
        seed = choose_seed(setup)
    picture = next(pictures[number - 1 : number].itertuples())
    captions.show(captions.cards([picture_card(results, setup, picture, against)], can_open=False), "pictured")
    tokens_of(results, setup, picture.image_id, seed, against, "word_by_word")


def tokens_of(results: Results, setup: Setup, image_id: str, seed: int, against: str, key: str) -> None:
    """Draw every setting's caption of one picture, with a seed."""
    shown = token_rows(results, setup, image_id, seed, against)
    if not shown:
        streamlit.info("No setting’s caption of this picture is stored.")
        return
    captions.show(captions.token_rows(shown), key)
    prompt = f" after the prompt “{layout.plain(setup.prompt.strip())}”" if setup.prompt.strip() else ""
    leaves = " A dashed line stands where a caption first leaves greedy’s." if setup.greedy is not None else ""
    seeds = f" Seed {seed}." if len(setup.seeds) > 1 else ""
    streamlit.caption(
        f"Below each token is the probability that the model itself gives it{prompt}, before temperature and top-k are "
        f"applied: a low one was drawn against the odds. A token: the geometric mean of all.{leaves}{seeds}"
    )


def references_of(results: Results, setup: Setup, image_id: str, against: str) -> list[str]:
    """The references that captions of a picture are compared with."""
    told = _references(results, setup.dataset).get(image_id, [])
    return told[:1] if against == ONE else told


@kept
def _references(results: Results, dataset: str) -> dict[str, list[str]]:
    """The references of each picture."""
    found = rows.references(results, dataset)
    return {
        image_id: [str(text)[:LONGEST_CAPTION] for text in texts if isinstance(text, str)]
        for image_id, texts in zip(found.image_id, found.texts, strict=True)
    }


def picture_card(results: Results, setup: Setup, picture: Any, against: str) -> Card:
    """A picture with its references, large; `picture` is a row of queries_captions.captioned_pictures."""
    photo = gallery.photo_url(gallery.find_picture(results.images, picture.photo), LARGE_PX)
    texts = references_of(results, setup, picture.image_id, against)
    title = f"Picture {picture.ordinal}"
    return Card(picture.image_id, title, "", photo, title, texts)


def token_rows(results: Results, setup: Setup, image_id: str, seed: int, against: str) -> list[TokenRow]:
    """A row for each setting that has a caption of the picture, in the setup's order."""
    runs = {setting.run_of(seed): setting for setting in setup.settings}
    found = rows.picture_captions(results, tuple(runs), image_id)
    by_run = {row.run_id: row for row in found.itertuples()}
    greedy = setup.greedy
    likeliest = _tokens(by_run.get(greedy.run_ids[0])) if greedy is not None else []
    shown = []
    for run_id, setting in runs.items():
        if run_id in by_run:
            row = by_run[run_id]
            tokens = tokens_in(row)
            leaves = None if setting.is_greedy or not likeliest else first_difference(_tokens(row), likeliest)
            is_cut_off = bool(tokens) and not tokens[-1].is_end
            alone = caption_scores(results, setup, against, setting, run_id).get(image_id, math.nan)
            note = _note(alone, tokens)
            note += " · as greedy" if not setting.is_greedy and likeliest and _tokens(row) == likeliest else ""
            shown.append(TokenRow(setting.name, note, tokens, leaves, is_cut_off))
    return shown


def tokens_in(row: Any) -> list[Token]:
    """The tokens of a row of queries_captions.picture_captions, NaN for a probability that is not there."""
    texts, shares = _tokens(row), _list(row.token_probability)
    shares = [float(share) if isinstance(share, int | float | np.floating) else math.nan for share in shares]
    shares += [math.nan] * (len(texts) - len(shares))
    return [
        Token(
            text[len(PIECE) :] if text.startswith(PIECE) and len(text) > len(PIECE) else text,
            share,
            is_joined=place > 0 and text.startswith(PIECE) and len(text) > len(PIECE),
            is_end=place == len(texts) - 1 and re.fullmatch(rows.END_TOKEN, text) is not None,
        )
        for place, (text, share) in enumerate(zip(texts, shares, strict=False))
    ]


def _tokens(row: Any) -> list[str]:
    return [] if row is None else [str(text) for text in _list(row.tokens)]


def _list(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple | np.ndarray) else []


def first_difference(tokens: list[str], others: list[str]) -> int | None:
    """The first place at which two captions have not the same token; None where the first is a beginning of the other."""
    for place, token in enumerate(tokens):
        if place >= len(others) or others[place] != token:
            return place
    return None


def mean_probability(tokens: list[Token]) -> float:
    """Geometric mean of the tokens' probabilities; NaN where one of them is not known or there is none."""
    shares = [token.probability for token in tokens]
    if not shares or any(math.isnan(share) or not 0 <= share <= 1 for share in shares):
        return math.nan
    return 0.0 if min(shares) == 0 else math.exp(sum(math.log(share) for share in shares) / len(shares))


def _note(alone: float, tokens: list[Token]) -> str:
    mean = mean_probability(tokens)
    a_token = "" if math.isnan(mean) else f" · {captions.probability_text(mean)} a token"
    return f"BLEU {layout.number(alone)}{a_token}"


def split_words(text: object) -> list[str]:
    """The words of a caption as BLEU compares them; none where there is no text."""
    return bleu.split(text[:LONGEST_CAPTION]) if isinstance(text, str) else []
