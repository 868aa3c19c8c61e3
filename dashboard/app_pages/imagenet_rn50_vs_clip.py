"""Where does each pre-training win: ImageNet's labels, or CLIP's captions?"""

import pandas
import streamlit

from dashboard import intervals, layout, links, queries
from dashboard import queries_predictions as rows
from dashboard.components import figures, gallery
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views.confusion_views import confusions
from dashboard.views.contest import (
    MEASURES,
    Contest,
    Model,
    Tally,
    choices,
    contest_of,
    default_contest,
    models_of,
    preferred,
    sentence,
    style_sentence,
    tally,
)
from dashboard.views.hierarchy import hierarchy_of
from dashboard.views.picture_dialog import show_opened
from dashboard.views.prediction_views import all_pictures, who_wins_where
from dashboard.views.score_views import by_style_and_class
from dashboard.views.zero_shot_views import zero_shot

EXPERIMENT = rows.EXPERIMENT
TITLE = "RN50 vs CLIP"
QUESTION = "Where does each pre-training win: ImageNet’s labels, or CLIP’s captions?"
COST = "about a minute and a half"  # of the miniature on two cores: 85 s, most of it training
VIEWS = ("who wins where", "all pictures", "by style and class", "confusions", "zero-shot")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "Two ResNet-50s on the same pictures. One learned ImageNet’s classes from labels; CLIP’s learned to match pictures "
        "with captions, and is only told the classes’ names.",
    )
    runs = rows.classifier_runs(results)
    found = choices(runs)
    if found.empty:
        if len(runs):
            streamlit.info("Only one classifier has run on each data set so far; a comparison needs two.")
        layout.not_run_yet(EXPERIMENT)
        return
    choice, a, b = _controls(results, found)
    _compared(results, choice, a, b, pages)
    _conclusion()
    layout.provenance(queries.runs(results), (a.run_id, b.run_id), pages)


def findings(results: Results) -> list[Finding]:
    """What was found on each data set and profile on which both encoders ran, the latest first."""
    found = choices(rows.classifier_runs(results))
    answers = []
    for label, (_, choice) in zip(layout.dataset_labels(found), found.iterrows(), strict=True):
        contest = default_contest(results, choice)
        if contest is None:
            continue
        counted = tally(contest.counts(results).iloc[0])
        told = sentence(contest, counted, layout.plain)
        by_style = style_sentence(contest, contest.counts(results, by="style"), layout.plain)
        view = {"data": label, "view": VIEWS[2] if by_style else VIEWS[0]}
        answers.append(Finding(told, label, _basis(contest, counted), _clearest(results, contest), view, by_style))
    return answers


def _controls(results: Results, found: pandas.DataFrame) -> tuple[pandas.Series, Model, Model]:
    """The data and the two models that a person compares."""
    with streamlit.container(horizontal=True, gap="medium"):
        choice = layout.choose_data(found)
        models = models_of(rows.classifier_runs(results), choice.dataset, choice.profile)
        with streamlit.container(width="content"):
            a = _choose_model("Model A", list(models), "rn50", "a")
            b = _choose_model("Model B", [name for name in models if name != a], "clip_80_templates", "b")
    return choice, models[a], models[b]


@streamlit.fragment
@layout.errors_as_messages()
def _compared(results: Results, choice: pandas.Series, a: Model, b: Model, pages: Pages) -> None:
    """The answer and the views; a fragment, so that what right means draws nothing else anew."""
    measure = layout.choose_button("Right means", list(MEASURES), "right")
    contest = contest_of(results, choice, a, b, MEASURES[measure])
    _answer(results, contest)
    opened = links.open_view(
        VIEWS,
        lambda: who_wins_where(results, contest, pages),
        lambda: all_pictures(results, contest, pages),
        lambda: by_style_and_class(results, contest),
        lambda: confusions(results, contest, pages),
        lambda: zero_shot(results, contest, choice),
    )
    if opened in ("by style and class", "zero-shot"):  # the others open pictures themselves
        show_opened(results, contest, pages)


def _choose_model(label: str, names: list[str], variant: str, key: str) -> str:
    if streamlit.session_state.get(key) not in names:
        streamlit.session_state.pop(key, None)  # what the other data or the other model does not leave to choose from
    return layout.choose_button(label, names, key, default=preferred(names, variant))


def _answer(results: Results, contest: Contest) -> None:
    counted = tally(contest.counts(results).iloc[0])
    by_style = style_sentence(contest, contest.counts(results, by="style"), layout.plain)
    streamlit.markdown(f"## {sentence(contest, counted, layout.plain)}\n\n{by_style}")
    if counted.images:
        shares = ((contest.a.name, counted.a, False), (contest.b.name, counted.b, False))
        three = [
            (label, f"{estimate.value:{'+' if signed else ''}.3f}", intervals.interval_text(estimate, signed))
            for label, estimate, signed in (*shares, ("B minus A, on the same pictures", counted.lead_of_b, True))
        ]
        figures.show(three, "answer")
    streamlit.caption(f"{_basis(contest, counted)} {layout.profile_note(contest.profile)}")


def _basis(contest: Contest, counted: Tally) -> str:
    total = counted.images + counted.not_compared
    known = f"all {total:,} pictures"
    if counted.not_compared:
        known = f"the {counted.images:,} of {total:,} pictures whose class both know"
    return (
        f"On {known}, one seed of each: {counted.both:,} both right, {counted.only_a:,} only {layout.plain(contest.a.name)}, "
        f"{counted.only_b:,} only {layout.plain(contest.b.name)}, {counted.neither:,} neither; in brackets 95 % "
        f"intervals, that of the difference paired."
    )


def _clearest(results: Results, contest: Contest) -> list[gallery.Row]:
    """The clearest picture that each model alone got right."""
    tree, cells = hierarchy_of(results), []
    for outcome, model in (("only_b", contest.b), ("only_a", contest.a)):
        ordinals = rows.picture_numbers(
            results, contest.a.run_id, contest.b.run_id, contest.top, rows.Filter(outcome), "difference", 1, 0
        )
        for picture in rows.pictures(results, contest.dataset, ordinals).itertuples():
            url = gallery.photo_url(gallery.find_picture(results.images, picture.path))
            name = tree.name(picture.wnid)
            cells.append(gallery.Cell(f"{name}: only {model.name}", f"{name}, that only {model.name} gets right", url))
    return [gallery.Row("", "", cells)] if cells else []


def _conclusion() -> None:
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        """
- **Not the data alone.** The two encoders differ in architecture, too (see “RN50 architectures”), and CLIP has a text encoder.
  What one does better cannot be put down to labels or captions alone.
- **The models here are those of the profile.** In a miniature both are small and trained on drawings within a minute; which one
  wins on which style shows how the method works, not what the published models would do.
- **Right in the top five** forgives near misses among similar classes, of which ImageNet has many; the first answer does not.
- **The interval** is of the paired difference on these pictures. It does not tell how another training would turn out.
- **Picks are picked.** The clearest pictures show what a difference looks like, not how frequent it is; the counts do that.
- **Probabilities** of the two are not on one scale: CLIP’s hang on its learned temperature, RN50’s on its training. Margins
  rank pictures; they do not measure certainty across models.
"""
    )
