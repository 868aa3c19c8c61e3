"""BLEU of every setting with intervals, what temperature and k change, and what of it was shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from dashboard import bleu, intervals, layout
from dashboard import queries_captions as rows
from dashboard.connection import Results, ResultsError
from dashboard.intervals import Estimate
from dashboard.kept import kept
from dashboard.views.caption_runs import Setting, Setup

NOTHING = ", which shows nothing"
ALL, ONE = "all references", "one reference"
AGAINST = {ALL: ("all", "reference_words"), ONE: ("one", "one_reference_words")}  # columns of queries_captions.caption_counts


@dataclass(frozen=True)
class Counts:
    """N-gram counts of each setting, (seeds, images, bleu.COUNTS), on the images that every run has counts of."""

    image_ids: tuple[str, ...]
    settings: list[np.ndarray]
    left_out: int


@dataclass(frozen=True)
class Change:
    """By how much BLEU changes between two settings, on the same images."""

    start: Setting
    end: Setting
    estimate: Estimate

    @property
    def falls(self) -> bool:
        """Whether a fall was shown."""
        return bool(self.estimate.high < 0)

    @property
    def rises(self) -> bool:
        """Whether a rise was shown."""
        return bool(self.estimate.low > 0)


@dataclass(frozen=True)
class Scores:
    """BLEU of each setting, in the setup's order, averaged over its seeds, and what is asked of the differences.

    `changes` goes to every setting of the grid from greedy, or, without it, from the same k's lowest temperature; `of_k` from
    the smallest k to the largest at the highest temperature that both have.
    """

    against: str
    estimates: list[Estimate]
    seed_scores: list[list[float]]
    sums: list[np.ndarray]  # (seeds, bleu.COUNTS), of all images
    changes: list[Change]
    of_k: Change | None
    images: int
    left_out: int

    @property
    def to_hottest(self) -> list[Change]:
        """Of `changes` those to the highest temperature of each k."""
        by_k: dict[int | None, Change] = {}
        for change in self.changes:
            other = by_k.get(change.end.top_k)
            if other is None or (change.end.temperature or 0) > (other.end.temperature or 0):
                by_k[change.end.top_k] = change
        return list(by_k.values())


@kept
def counts_of(results: Results, setup: Setup, against: str) -> Counts:
    """N-gram counts against one of AGAINST; raises ResultsError where no image has counts of every run."""
    found = rows.caption_counts(results, setup.run_ids)
    name, lengths = AGAINST[against]
    orders = [f"_{order}" for order in rows.ORDERS]
    values = bleu.statistics(
        found[[f"{name}{order}" for order in orders]].to_numpy(float),
        found[[f"total{order}" for order in orders]].to_numpy(float),
        found["words"].to_numpy(float),
        found[lengths].to_numpy(float),
    )
    runs_of = found.groupby("image_id", sort=False).run_id.nunique()
    shared = runs_of.index[runs_of == len(setup.run_ids)]
    if shared.empty:
        raise ResultsError(
            f"The runs {', '.join(setup.run_ids[:3])} … hold no picture whose n-grams are counted in every one of them. "
            f"Compute them again with: python -m compute run {rows.EXPERIMENT} --force"
        )
    place = {image_id: number for number, image_id in enumerate(shared)}
    by_run = {run_id: np.zeros((len(shared), bleu.COUNTS)) for run_id in setup.run_ids}
    for run_id, image_id, counted in zip(found.run_id, found.image_id, values, strict=True):
        if image_id in place:
            by_run[run_id][place[image_id]] = counted
    stacked = [np.stack([by_run[run_id] for run_id in setting.run_ids]) for setting in setup.settings]
    captioned = len(rows.captioned_pictures(results, setup.run_ids))
    return Counts(tuple(shared), stacked, max(0, captioned - len(shared)))


@kept
def caption_scores(results: Results, setup: Setup, against: str, setting: Setting, run_id: str) -> pandas.Series:
    """BLEU of each caption of a run by itself, by image_id."""
    counts = counts_of(results, setup, against)
    own = counts.settings[setup.settings.index(setting)][setting.run_ids.index(run_id)]
    return pandas.Series(bleu.caption_bleu(own), index=[*counts.image_ids], dtype=float)


@kept
def scores_of(results: Results, setup: Setup, against: str) -> Scores:
    """BLEU of all settings and the changes between them; the same images are drawn for all."""
    counts = counts_of(results, setup, against)
    weights = intervals.image_weights(len(counts.image_ids))
    by_seed = [seed_draws(weights, own) for own in counts.settings]
    draws = [each.mean(axis=1) for each in by_seed]
    return Scores(
        against=against,
        estimates=[intervals.summarise(each) for each in draws],
        seed_scores=[each[0].tolist() for each in by_seed],
        sums=[own.sum(axis=1) for own in counts.settings],
        changes=_changes(setup, draws),
        of_k=_change_of_k(setup, draws),
        images=len(counts.image_ids),
        left_out=counts.left_out,
    )


def seed_draws(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Corpus BLEU of the drawn images: weights (draws, images), counts (seeds, images, COUNTS) -> (draws, seeds)."""
    seeds, images, columns = counts.shape
    sums = weights @ counts.transpose(1, 0, 2).reshape(images, seeds * columns)
    return bleu.corpus_bleu(sums.reshape(len(weights), seeds, columns))


def _changes(setup: Setup, draws: Sequence[np.ndarray]) -> list[Change]:
    found = []
    for top_k in setup.top_ks:
        own = setup.of_top_k(top_k)
        start = setup.greedy or own[0]
        found += [_change(setup, draws, start, end) for end in own if end is not start]
    return found


def _change_of_k(setup: Setup, draws: Sequence[np.ndarray]) -> Change | None:
    if len(setup.top_ks) < 2:
        return None
    few, many = (
        {setting.temperature: setting for setting in setup.of_top_k(top_k)} for top_k in (setup.top_ks[0], setup.top_ks[-1])
    )
    common = [temperature for temperature in few if temperature in many]
    if not common:
        return None
    hottest = max(common, key=lambda temperature: temperature or 0)
    return _change(setup, draws, few[hottest], many[hottest])


def _change(setup: Setup, draws: Sequence[np.ndarray], start: Setting, end: Setting) -> Change:
    places = {setting.name: place for place, setting in enumerate(setup.settings)}
    return Change(start, end, intervals.summarise(draws[places[end.name]] - draws[places[start.name]]))


def sentence(setup: Setup, scores: Scores) -> str:
    """Whether BLEU falls as temperature rises, and by how much at each k, in Markdown."""
    changes = scores.to_hottest
    if not changes:
        return _nothing_to_compare(setup, scores)
    start = "from the lowest temperature"
    if setup.greedy is not None:
        start = f"from greedy’s **{layout.number(scores.estimates[setup.settings.index(setup.greedy)].value)}**"
    hottest = {change.end.temperature for change in changes}
    end = f"temperature {hottest.pop():g}" if len(hottest) == 1 else "the highest temperature"
    told = f"{_verdict(changes)} {start} to {end} it {' and '.join(map(_words, changes))}."
    for verb in ("falls", "rises", "changes"):
        if all(_verb(change) == verb for change in changes):  # then it is said once
            told = told.replace(f" and {verb} by", " and by").replace(f"{NOTHING} and", " and")
    return told.replace("k = ", "k\u00a0=\u00a0")


def _nothing_to_compare(setup: Setup, scores: Scores) -> str:
    best = max(range(len(scores.estimates)), key=lambda place: np.nan_to_num(scores.estimates[place].value, nan=-1))
    score = f"BLEU **{intervals.as_text(scores.estimates[best])}**"
    name = layout.plain(setup.settings[best].name)
    if len(setup.settings) == 1:
        return f"So far only one setting has run, {name}: {score}."
    return f"So far no two temperatures have run; of {len(setup.settings)} settings {name} has the highest {score}."


def _verdict(changes: Sequence[Change]) -> str:
    falls, rises = sum(change.falls for change in changes), sum(change.rises for change in changes)
    if falls == len(changes):
        return "BLEU falls as temperature rises:"
    if falls and rises:
        return "What temperature does to BLEU depends on k:"
    if falls:
        return "BLEU falls as temperature rises, which was not shown for every k:"
    return (
        "BLEU does **not** fall as temperature rises:" if rises else "That BLEU falls as temperature rises was **not** shown:"
    )


def _words(change: Change) -> str:
    """What happens to BLEU at one k, in Markdown."""
    with_k = f"with k = {change.end.top_k}"
    if change.falls or change.rises:
        return f"{_verb(change)} by **{intervals.as_text(size(change.estimate))}** {with_k}"
    return f"changes by **{intervals.as_text(change.estimate, signed=True)}** {with_k}{NOTHING}"


def _verb(change: Change) -> str:
    return "falls" if change.falls else "rises" if change.rises else "changes"


def size(change: Estimate) -> Estimate:
    """A change without its sign."""
    return change if change.value >= 0 else Estimate(-change.value, -change.high, -change.low)


def further(setup: Setup, scores: Scores) -> list[str]:
    """From which temperature on a fall was shown for each k, and what k itself changes, in Markdown."""
    told = []
    for top_k in setup.top_ks:
        steps = [change for change in scores.changes if change.end.top_k == top_k]
        told += [_since_when(setup, top_k, steps)] if len(steps) > 1 else []
    if scores.of_k is not None:
        change = scores.of_k
        outcome = "" if change.estimate.excludes_zero else ": no effect of k was shown"
        told.append(
            f"At temperature {change.end.temperature:g}, k = {change.end.top_k} instead of {change.start.top_k} changes BLEU "
            f"by **{intervals.as_text(change.estimate, signed=True)}**{outcome}."
        )
    return told


def _since_when(setup: Setup, top_k: int, steps: Sequence[Change]) -> str:
    """From which temperature on every step has shown a fall; `steps` by rising temperature."""
    since = len(steps)
    while since and steps[since - 1].falls:
        since -= 1
    than = "greedy" if setup.greedy is not None else "the lowest temperature"
    if since == len(steps):
        return f"With k = {top_k}, the highest temperature is not shown to be below {than}."
    first = f"With k = {top_k}, BLEU is shown to be below {than} "
    if since == 0:
        return f"{first}at every temperature that was tried."
    return f"{first}from temperature {steps[since].end.temperature:g} on, and not at {steps[since - 1].end.temperature:g}."


def basis(setup: Setup, scores: Scores) -> str:
    """What the figures rest on, in Markdown."""
    seeds = len(setup.seeds)
    pooled = "1 seed" if seeds == 1 else f"{seeds} seeds for each sampled setting, whose BLEU is averaged"
    left_out = f" {_pictures(scores.left_out)} without counts of every run left out." if scores.left_out else ""
    return (
        f"Corpus BLEU as nltk counts it, 0 to 1, of {_pictures(scores.images)} against {scores.against}, {pooled}; in brackets "
        "the 95 % bootstrap interval over pictures, the same ones drawn for all settings."
        f"{left_out}"
    )


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
