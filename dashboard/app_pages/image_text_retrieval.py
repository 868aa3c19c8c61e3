"""How well do images find their captions, and captions their images?"""

import streamlit

from dashboard import layout, links, queries
from dashboard import queries_retrieval as rows
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views.retrieval_browser import browser, rank_text
from dashboard.views.retrieval_ranks import ranks
from dashboard.views.retrieval_runs import Setup, choices, setup_of
from dashboard.views.retrieval_scores import (
    Score,
    basis,
    best_random,
    chance,
    further,
    interval_text,
    percent,
    points_text,
    scores,
    sentence,
)
from dashboard.views.retrieval_shifts import shifts
from dashboard.views.retrieval_sweep import sweep
from dashboard.views.retrieval_tables import tables

EXPERIMENT = rows.EXPERIMENT
TITLE = "Image-text retrieval"
QUESTION = "How well do images find their captions, and captions their images?"
COST = "about a minute"  # of the miniature on two cores: 2 s, after a minute for the captioner that it shares
REPORTED = "R@1 in percent"
VIEWS = ("scores", "ranks", "browser", "sweep", "shifts")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "One frozen model of images and texts, and on its features two projections into a common space: as they were trained, "
        "fine-tuned, and trained from a random start with several settings. A query counts by the rank of its right answer.",
    )
    found = choices(results)
    if found.empty:
        layout.not_run_yet(EXPERIMENT)
        return
    choice = layout.choose_data(found)
    setup = setup_of(results, choice)
    if setup is None:
        streamlit.info("Runs are stored here, but no ranks that could be shown. Compute them again:")
        streamlit.code(f"python -m compute run {EXPERIMENT} --profile mini", language="bash")
        return
    _answer(results, setup)
    links.open_view(
        VIEWS,
        lambda: tables(results, setup),
        lambda: ranks(results, setup),
        lambda: browser(results, setup),
        lambda: sweep(results, setup),
        lambda: shifts(results, setup),
    )
    _conclusion()
    layout.provenance(queries.runs(results), setup.run_ids, pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile, the latest first."""
    found = choices(results)
    answers = []
    for label, (_, choice) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        if setup := setup_of(results, choice):
            answers.append(
                Finding(
                    sentence(results, setup),
                    label,
                    basis(setup),
                    _most_wrong(results, setup),
                    view={"data": label, "view": VIEWS[0]},
                    detail=further(results, setup),
                    report=_reported(results),
                )
            )
    return answers


def _reported(results: Results) -> str:
    """The report's recall at 1 of evaluation, both ways."""
    found = rows.reported_results(results)
    known: list[tuple[str, float]] = []
    for direction in rows.DIRECTIONS:
        own = found[(found.variant == "evaluation") & (found.metric == f"{direction} {REPORTED}")]
        known += [(direction, float(own.value.iloc[0]))] if len(own) else []
    return layout.report_text(known, f"{REPORTED}, of other pictures", found.source[found.variant == "evaluation"])


def _answer(results: Results, setup: Setup) -> None:
    streamlit.markdown(f"## {sentence(results, setup)}")
    if more := further(results, setup):
        streamlit.markdown(more)
    pairs = [*zip(*(scores(results, setup, direction) for direction in rows.DIRECTIONS), strict=True)]
    lead = next((pair for pair in pairs if pair[0].variant == setup.evaluation), pairs[0])
    told = [
        (f"{direction.capitalize()}, R@1", percent(score.recalls[1].value), _beside_chance(results, setup, score))
        for direction, score in zip(rows.DIRECTIONS, lead, strict=True)
    ]
    told += [_tuned_figure(pair) for pair in pairs if pair[0].variant.variant == "fine_tuned" and pair[0].changes]
    random = [pair for pair in pairs if pair[0].variant.is_random]
    told += [_random_figure(best_random(random))] if random else []
    figures.show(told, "answer")
    for variant in setup.left_out:
        streamlit.warning(
            f"Left out: runs of “{layout.plain(variant, 60)}”, whose ranks are missing, are no ranks, or are of other captions "
            "than those of most runs here."
        )
    streamlit.caption(f"{basis(setup)} {layout.profile_note(setup.profile)}")


def _beside_chance(results: Results, setup: Setup, score: Score) -> str:
    guess = percent(chance(results, setup, score.direction).recalls[1])
    return f"{interval_text(score.recalls[1])} · chance {guess}".removeprefix(" · ")


def _tuned_figure(pair: tuple[Score, Score]) -> tuple[str, str, str]:
    changes = [score.changes[1] for score in pair if score.changes]
    values, spans = zip(*(points_text(change).partition(" ")[::2] for change in changes), strict=True)
    return "Fine-tuning, points of R@1", " / ".join(values), " · ".join(filter(None, spans)) or "both ways"


def _random_figure(pair: tuple[Score, Score]) -> tuple[str, str, str]:
    values = " / ".join(f"{100 * score.recalls[1].value:.1f}" for score in pair)
    return "Best random start, R@1", f"{values} %", " · ".join(interval_text(score.recalls[1]) for score in pair)


def _most_wrong(results: Results, setup: Setup) -> list[gallery.Row]:
    """The caption whose image comes last, with that image and the one that comes first."""
    run_id = setup.run_ids[0]
    worst = rows.ranked_queries(results, run_id, "text to image", "wrong first", 1, 0)
    if worst.empty or not worst["rank"].iloc[0] > 1:
        return []
    query = next(worst.itertuples())
    found = rows.answers(results, run_id, "text to image", int(query.number))
    pictures = rows.pictures(results, run_id, found.answer.dropna().astype(int).tolist()[:1], [query.image_id])
    [text] = rows.captions(results, run_id, positions=[query.number]).text[:1]
    cells = []
    for picture in sorted(pictures.itertuples(), key=lambda picture: picture.image_id != query.image_id):
        is_right = picture.image_id == query.image_id
        words = f"its image: rank {rank_text(query.rank)}" if is_right else "the image that came first"
        url = gallery.photo_url(gallery.find_picture(results.images, picture.path))
        cells.append(gallery.Cell(words, f"image {picture.ordinal}, {words}", url))
    return [gallery.Row("", f"“{_shortened(text)}”", cells)] if cells else []


def _shortened(text: str, longest: int = 90) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- **Few candidates make recall high.** Among 60 images a guess comes first once in 60 times and among the first ten once in
  six; among 5,000 images once in 5,000 and once in 500. Compare recall only over the same candidates, and beside chance.
- **The two directions are not the same question.** An image has several captions and counts with its best one, so that image
  to text is easier by that alone; a caption has one image. Captions of one image are not independent, which is why intervals
  draw images.
- **Other captions may be true as well.** “A cow on grass” fits every picture of a cow on grass, but counts as wrong for all
  but its own. Look into the browser before calling an answer an error.
- **Ties are counted by halves, not by luck.** Captions of the same words are exactly as similar, so that they share places; a
  hit counts with the part of those places that is among the first k. Whoever breaks ties by order of rows gets more or less.
- **The intervals tell of images, not of training**: the candidates stay the same while queries are drawn. With one seed a
  small difference between two trainings stays open.
- **A training sees its batch only.** The contrast is with the other captions of a batch of few; a larger batch, more epochs
  or another temperature could help a random start, and only the settings shown were tried. The encoders stay frozen.
- **In the miniature** images and captions come from one small grammar. Its figures say whether the method works and how the
  trainings compare, not how well the published model retrieves.
"""
    )
