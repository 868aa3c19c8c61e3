"""Two classifiers on the pictures that both could get right: who they are, what was counted, and what it says in words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas

from dashboard import queries_predictions as queries
from dashboard.connection import Results
from dashboard.intervals import Estimate, as_text, paired_difference, proportion
from dashboard.queries_predictions import EVERYTHING, Filter

NAMES = {
    "rn50": "ImageNet RN50",
    "clip_80_templates": "CLIP RN50, 80 prompts",
    "clip_one_template": "CLIP RN50, one prompt",
    "clip_80_templates_cosine": "CLIP RN50, 80 prompts, raw cosine",
}
COLORS = ("#2a78b8", "#d97a1c")  # of A and B, always this way round
MEASURES = {"in the top five": 5, "first answer": 1}
LONGEST_NAME = 60


@dataclass(frozen=True)
class Model:
    """One classifier's run."""

    run_id: str
    variant: str

    @property
    def name(self) -> str:
        """What people call it."""
        return NAMES.get(self.variant, self.variant[:LONGEST_NAME])

    @property
    def spoken(self) -> str:
        """Its name within a sentence."""
        return self.name.replace(", ", " with ", 1) if self.variant in NAMES else self.name


@dataclass(frozen=True)
class Contest:
    """Models A and B on one data set in one profile; an answer is right within the first `top`."""

    dataset: str
    profile: str
    pictures: int
    a: Model
    b: Model
    top: int
    evidence_run: str | None  # the run that holds what CLIP's features say of a picture

    def counts(self, results: Results, chosen: Filter = EVERYTHING, by: str | None = None) -> pandas.DataFrame:
        """Pictures by outcome, as `queries_predictions.outcome_counts` gives them."""
        return queries.outcome_counts(results, self.a.run_id, self.b.run_id, self.top, chosen, by)


@dataclass(frozen=True)
class Tally:
    """Pictures by outcome, and what follows from them."""

    both: int
    only_a: int
    only_b: int
    neither: int
    not_compared: int = 0

    @property
    def images(self) -> int:
        """Pictures that both could get right."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def a(self) -> Estimate:
        """The share that A got right."""
        return proportion(self.both + self.only_a, self.images)

    @property
    def b(self) -> Estimate:
        """The share that B got right."""
        return proportion(self.both + self.only_b, self.images)

    @property
    def lead_of_b(self) -> Estimate:
        """By how much B's share exceeds A's."""
        return paired_difference(self.only_b, self.only_a, self.images)

    @property
    def lead(self) -> Estimate:
        """The difference of the better from the worse."""
        if self.only_b >= self.only_a:
            return self.lead_of_b
        return paired_difference(self.only_a, self.only_b, self.images)


def tally(row: pandas.Series) -> Tally:
    """The counts of one row of `queries_predictions.outcome_counts`."""
    return Tally(*(int(row[name]) for name in ("both", "only_a", "only_b", "neither", "not_compared")))


def choices(runs: pandas.DataFrame) -> pandas.DataFrame:
    """What to choose data from: the first row of each data set and profile on which at least two classifiers ran."""
    counted = runs.groupby(["dataset", "profile"]).variant.transform("nunique")
    return runs[counted >= 2].drop_duplicates(["dataset", "profile"]).reset_index(drop=True)


def models_of(runs: pandas.DataFrame, dataset: str, profile: str) -> dict[str, Model]:
    """The classifiers of a data set and profile by their names, the known ones first, in the order of NAMES."""
    here = runs[(runs.dataset == dataset) & (runs.profile == profile)]
    order = {variant: place for place, variant in enumerate(NAMES)}
    rows = sorted(here.itertuples(), key=lambda row: (order.get(row.variant, len(order)), row.variant))
    models: dict[str, Model] = {}
    for row in rows:
        model = Model(row.run_id, row.variant)
        name = model.name if model.name not in models else f"{model.name} · {row.run_id}"
        models[name] = model
    return models


def preferred(names: Sequence[str], variant: str) -> str:
    """The name of a variant where it is among `names`, and the first of them where not."""
    return NAMES[variant] if NAMES.get(variant) in names else names[0]


def contest_of(results: Results, choice: pandas.Series, a: Model, b: Model, top: int) -> Contest:
    """A contest on one of `choices`."""
    here = models_of(queries.classifier_runs(results), choice.dataset, choice.profile)
    evidence = [model.run_id for model in here.values() if model.variant == "clip_80_templates"]
    return Contest(choice.dataset, choice.profile, int(choice.val_images), a, b, top, evidence[0] if evidence else None)


def default_contest(results: Results, choice: pandas.Series) -> Contest | None:
    """ImageNet RN50 against CLIP RN50 by the top five, or None where one of them did not run."""
    models = models_of(queries.classifier_runs(results), choice.dataset, choice.profile)
    pair = [models.get(NAMES[variant]) for variant in ("rn50", "clip_80_templates")]
    return contest_of(results, choice, pair[0], pair[1], 5) if pair[0] and pair[1] else None


def sentence(contest: Contest, counted: Tally, plain: Callable[[object], str] = str) -> str:
    """Who finds the class more often, in Markdown, with the paired interval; that nothing was shown where it holds zero.

    `plain` makes foreign names safe for Markdown.
    """
    if not counted.images:
        return "These two cannot be compared: no picture has a label that is a class of both."
    finds = "finds the class in its top five" if contest.top == 5 else "names the class in its first answer"
    b_leads = counted.only_b >= counted.only_a
    first, second = (contest.b, contest.a) if b_leads else (contest.a, contest.b)
    shares = (counted.b.value, counted.a.value) if b_leads else (counted.a.value, counted.b.value)
    told = (
        f"{plain(first.spoken)} {finds} on {shares[0]:.3f} of {counted.images:,} pictures, "
        f"{plain(second.spoken)} on {shares[1]:.3f}"
    )
    difference = as_text(counted.lead, signed=True)
    return f"{told}: **{difference}**." if counted.lead.excludes_zero else f"No difference was shown: {told}: {difference}."


def style_sentence(contest: Contest, by_style: pandas.DataFrame, plain: Callable[[object], str] = str) -> str:
    """In which styles each one wins, in Markdown; empty where no style is known."""
    named = by_style.dropna(subset="style")
    wins: dict[Model | None, list[str]] = {}
    for _, row in named.iterrows():
        counted = tally(row)
        if not counted.images:
            continue
        winner = (contest.b if counted.only_b > counted.only_a else contest.a) if counted.lead.excludes_zero else None
        told = f"{plain(row['style'])} ({counted.lead.value:+.3f})" if winner else plain(row["style"])
        wins.setdefault(winner, []).append(told)
    parts = [f"{plain(model.spoken)} wins on {_and(wins[model])}" for model in (contest.a, contest.b) if model in wins]
    if None in wins:
        parts.append(f"no difference was shown on {_and(wins[None])}")
    told = "; ".join(parts)
    return f"{told[:1].upper()}{told[1:]}." if parts else ""


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
