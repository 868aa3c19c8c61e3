"""How often the right answer comes first, for every variant and both ways, with intervals, and what of it was shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard import intervals, layout, recall
from dashboard import queries_retrieval as rows
from dashboard.connection import Results
from dashboard.intervals import Estimate
from dashboard.kept import kept
from dashboard.views.retrieval_runs import CUTOFFS, Setup, Variant

NO_BREAK = "\u00a0"
SMALLEST_WORDS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Places:
    """Where a run's queries find their answers: above and tied (queries,), and of which image each is, from 0."""

    above: np.ndarray
    tied: np.ndarray
    image: np.ndarray

    @property
    def ranks(self) -> np.ndarray:
        """The mean of the places that each answer shares."""
        return recall.mean_places(self.above, self.tied)


@dataclass(frozen=True)
class Score:
    """A variant's figures in one direction, means over its seeds; `changes` are against evaluation on the same images."""

    variant: Variant
    direction: str
    queries: int
    recalls: dict[int, Estimate]
    changes: dict[int, Estimate] | None
    median_rank: float
    mean_rank: Estimate
    tied: int


@dataclass(frozen=True)
class Chance:
    """What an order by chance would give."""

    recalls: dict[int, float]
    median_rank: float
    mean_rank: float


def places(results: Results, run_id: str, direction: str) -> Places:
    """Each query's places; an image counts with its most similar caption, the one with the fewest others above."""
    found = rows.caption_places(results, run_id)
    image = found.image.to_numpy(np.int64)
    if direction == "text to image":
        return Places(found.image_above.to_numpy(float), found.image_tied.to_numpy(float), image)
    above, tied = found.text_above.to_numpy(float), found.text_tied.to_numpy(float)
    order = np.lexsort((tied, above, image))
    best = order[np.unique(image[order], return_index=True)[1]]
    return Places(above[best], tied[best], image[best])


def captions_by_image(results: Results, setup: Setup) -> np.ndarray:
    """How many captions each image has: (images,)."""
    return np.bincount(rows.caption_places(results, setup.run_ids[0]).image.to_numpy(np.int64), minlength=setup.images)


@kept
def scores(results: Results, setup: Setup, direction: str) -> list[Score]:
    """The figures of each variant, in their order, with bootstrap intervals over images, whose captions go along."""
    sums, medians, ties, counts = [], [], [], np.zeros(setup.images)
    for variant in setup.variants:
        own = [places(results, run_id, direction) for run_id in variant.run_ids]
        counts = np.bincount(own[0].image, minlength=setup.images).astype(float)
        sums.append(np.mean([_image_sums(each, setup.images) for each in own], axis=0))
        medians.append(float(np.mean([np.median(each.ranks) for each in own])))
        ties.append(round(float(np.mean([np.count_nonzero(each.tied) for each in own]))))
    weights = intervals.image_weights(setup.images)
    drawn = recall.drawn_means(weights, np.concatenate(sums, axis=1), counts)
    drawn = drawn.reshape(len(weights), len(setup.variants), len(CUTOFFS) + 1)
    names = [variant.variant for variant in setup.variants]
    base = names.index("evaluation") if "evaluation" in names else None
    found = []
    for place, variant in enumerate(setup.variants):
        own_draws = drawn[:, place]
        changes = None
        if base is not None and place != base:
            changes = {cutoff: intervals.summarise(own_draws[:, n] - drawn[:, base, n]) for n, cutoff in enumerate(CUTOFFS)}
        recalls = {cutoff: intervals.summarise(own_draws[:, n]) for n, cutoff in enumerate(CUTOFFS)}
        mean_rank = intervals.summarise(own_draws[:, -1])
        found.append(Score(variant, direction, int(counts.sum()), recalls, changes, medians[place], mean_rank, ties[place]))
    return found


def _image_sums(own: Places, images: int) -> np.ndarray:
    """Hits at each of CUTOFFS and ranks, added up over each image's queries: (images, cutoffs + 1)."""
    values = [*(recall.expected_hits(own.above, own.tied, cutoff) for cutoff in CUTOFFS), own.ranks]
    return np.stack([recall.sums_by_image(each, own.image, images) for each in values], axis=1)


@kept
def chance(results: Results, setup: Setup, direction: str) -> Chance:
    """What guessing would give with so many candidates, and with each image's captions."""
    candidates = setup.candidates(direction)
    right = captions_by_image(results, setup) if direction == "image to text" else np.ones(1)
    return Chance(
        {cutoff: recall.chance_recall(candidates, right, cutoff) for cutoff in CUTOFFS},
        recall.chance_median(candidates, right),
        recall.chance_rank(candidates, right),
    )


def percent(value: float, digits: int = 1) -> str:
    """A share in percent, which no line break parts: 83.3 %."""
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f}{NO_BREAK}%"


def percent_text(estimate: Estimate) -> str:
    """A share with its interval: 83.3 % [71.1, 93.0]."""
    return f"{percent(estimate.value)} {interval_text(estimate)}".strip()


def points_text(estimate: Estimate) -> str:
    """A difference of shares in percentage points with its interval: +1.7 [-3.3, +6.7]."""
    return f"{_signed(estimate.value)} {interval_text(estimate, signed=True)}".strip()


def interval_text(estimate: Estimate, signed: bool = False) -> str:
    """The interval alone, in percent or points; empty where there is none."""
    if math.isnan(estimate.low):
        return ""
    ends = [_signed(end) if signed else f"{100 * end:.1f}" for end in (estimate.low, estimate.high)]
    return f"[{', '.join(ends)}]"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


@kept
def sentence(results: Results, setup: Setup) -> str:
    """How well the heads retrieve, beside guessing, in Markdown."""
    to_text, to_image = (scores(results, setup, direction) for direction in rows.DIRECTIONS)
    guess = [chance(results, setup, direction).recalls[1] for direction in rows.DIRECTIONS]
    lead = _leading(setup, to_text, to_image)
    name = setup.variants[lead]
    who = "The trained heads put" if name == setup.evaluation else f"“{layout.plain(name.name)}” puts"
    recalls = to_text[lead].recalls[1], to_image[lead].recalls[1]
    better = [recall.low > by_chance for recall, by_chance in zip(recalls, guess, strict=True)]
    told = (
        f"{who} a right caption first for **{percent_text(recalls[0])}** of images and the right image for "
        f"**{percent_text(recalls[1])}** of captions"
    )
    guessed = " and ".join(dict.fromkeys(map(percent, guess)))
    if all(better):
        return f"{told} (guessing: {guessed})."
    if not any(better):
        return (
            f"No difference from guessing ({guessed}) was shown: {told[:1].lower() if told[0] == 'T' else told[:1]}{told[1:]}."
        )
    return f"{told}; only {rows.DIRECTIONS[better.index(True)]} is shown to be better than guessing ({guessed})."


@kept
def further(results: Results, setup: Setup) -> str:
    """Whether fine-tuning changes the figures, and whether a random start comes up to them, in Markdown; may be empty."""
    if not setup.evaluation:
        return ""
    both = [*zip(*(scores(results, setup, direction) for direction in rows.DIRECTIONS), strict=True)]
    tuned = [tuned_words(*pair) for pair in both if pair[0].variant.variant == "fine_tuned"]
    return " ".join(filter(None, [*tuned, random_words(both)]))


def _leading(setup: Setup, to_text: Sequence[Score], to_image: Sequence[Score]) -> int:
    """The place of evaluation, or of the variant with the most hits where that has not run."""
    if setup.evaluation:
        return setup.variants.index(setup.evaluation)
    sums = [a.recalls[1].value + b.recalls[1].value for a, b in zip(to_text, to_image, strict=True)]
    return int(np.argmax(sums))


def tuned_words(to_text: Score, to_image: Score) -> str:
    """What fine-tuning changes, from its two scores, in Markdown; empty where there is nothing to compare."""
    if to_text.changes is None or to_image.changes is None:
        return ""
    changes = to_text.changes[1], to_image.changes[1]
    told = " and ".join(points_text(change) for change in changes)
    if not any(change.excludes_zero for change in changes):
        return f"No change by fine-tuning was shown ({told} points)."
    verbs = ["**raises**" if change.value > 0 else "**lowers**" for change in changes]
    if verbs[0] == verbs[1] and all(change.excludes_zero for change in changes):
        return f"Fine-tuning {verbs[0]} both: {told} points."
    parts = [
        f"{verb} {direction} ({points_text(change)} points)"
        if change.excludes_zero
        else f"is not shown to change {direction} ({points_text(change)} points)"
        for verb, direction, change in zip(verbs, rows.DIRECTIONS, changes, strict=True)
    ]
    return f"Fine-tuning {' and '.join(parts)}."


def random_words(pairs: Sequence[tuple[Score, Score]]) -> str:
    """Whether a training from a random start comes up to evaluation, from the scores of all variants both ways; in Markdown."""
    random = [pair for pair in pairs if pair[0].variant.is_random and pair[0].changes and pair[1].changes]
    if not random:
        return ""
    best = best_random(random)
    figures = f"{percent(best[0].recalls[1].value)} and {percent(best[1].recalls[1].value)}"
    reached = [pair for pair in random if not any(_is_behind(score) for score in pair)]
    name = layout.plain(best[0].variant.name)
    if len(random) == 1:
        verb = "is not shown to be behind them" if reached else "does **not** reach them"
        return f"The training from a random start {verb}: {figures}."
    count = SMALLEST_WORDS[len(random)] if len(random) < len(SMALLEST_WORDS) else f"{len(random)}"
    if not reached:
        return f"**None** of the {count} random starts reaches them: the best, {name}, comes to {figures}."
    if len(reached) == len(random):
        return f"**None** of the {count} random starts is shown to be behind them: the best, {name}, comes to {figures}."
    return (
        f"{len(reached)} of the {count} random starts "
        f"{'is' if len(reached) == 1 else 'are'} not shown to be behind them; the best, {name}, comes to {figures}."
    )


def best_random(random: Sequence[tuple[Score, Score]]) -> tuple[Score, Score]:
    """Of pairs of scores, both ways, the pair with the most recall at 1 taken together."""
    return max(random, key=lambda pair: pair[0].recalls[1].value + pair[1].recalls[1].value)


def _is_behind(score: Score) -> bool:
    return score.changes is not None and score.changes[1].high < 0


def basis(setup: Setup) -> str:
    """What the figures rest on, in Markdown."""
    seeds = {len(variant.seeds) for variant in setup.variants}
    told = "one seed each"
    if seeds != {1}:
        counts = f"{max(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)}"
        told = f"{counts} seeds of each variant, averaged"
    return (
        f"{setup.images:,} images with {setup.captions:,} captions, {told}; in brackets 95 % bootstrap intervals over images, "
        f"whose captions go along, the candidates staying the same."
    )
