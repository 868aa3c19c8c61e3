"""Which runs of image-text retrieval are compared, and what each is called."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas
import streamlit

from dashboard import layout, links
from dashboard import queries_retrieval as rows
from dashboard.connection import Results
from dashboard.kept import kept

# What a variant is called, in the order in which variants are always shown; those of the sweep follow by their settings.
NAMES = {"evaluation": "evaluation", "fine_tuned": "fine-tuned"}
RANDOM = "random"
MOST_VARIANTS = 10
LONGEST_NAME = 60
CUTOFFS = (1, 5, 10)
# The settings that differ from training to training: column, and what it is called in a name.
SETTINGS = {"learning_rate": "rate", "weight_decay": "decay", "temperature": "temperature"}
QUERY_WORDS = {"image to text": ("image", "images"), "text to image": ("caption", "captions")}


@dataclass(frozen=True)
class Variant:
    """One way to come to the projections, with a run for each of its seeds."""

    variant: str
    name: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...]
    start: str
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    weight_decay: float | None
    temperature: float | None

    @property
    def is_training(self) -> bool:
        """Whether anything was trained."""
        return bool(self.epochs) or self.variant not in NAMES

    @property
    def is_random(self) -> bool:
        """Whether its training began at random."""
        return self.start == RANDOM


@dataclass(frozen=True)
class Setup:
    """The variants that ranked the same captions and images; `left_out` are runs that did not, or whose ranks are none."""

    dataset: str
    profile: str
    dataset_name: str
    images: int
    captions: int
    variants: tuple[Variant, ...]
    left_out: tuple[str, ...]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs, variant by variant."""
        return tuple(run_id for variant in self.variants for run_id in variant.run_ids)

    @property
    def names(self) -> list[str]:
        """The variants' names in their order."""
        return [variant.name for variant in self.variants]

    @property
    def evaluation(self) -> Variant | None:
        """The heads as they came, with which all others are compared."""
        return next((variant for variant in self.variants if variant.variant == "evaluation"), None)

    @property
    def runs(self) -> dict[str, str]:
        """Every run by what a person picks: the variant's name, with the seed where there are several."""
        return {
            f"{variant.name}, seed {seed}" if len(variant.seeds) > 1 else variant.name: run_id
            for variant in self.variants
            for seed, run_id in zip(variant.seeds, variant.run_ids, strict=True)
        }

    @property
    def labels(self) -> pandas.DataFrame:
        """Variant and seed of each run: run_id, variant (its name), seed."""
        return pandas.DataFrame(
            [
                (run_id, variant.name, seed)
                for variant in self.variants
                for seed, run_id in zip(variant.seeds, variant.run_ids, strict=True)
            ],
            columns=["run_id", "variant", "seed"],
        )

    def candidates(self, direction: str) -> int:
        """Among how many a query's answers are sought."""
        return self.captions if direction == "image to text" else self.images


@kept
def choices(results: Results) -> pandas.DataFrame:
    """What to choose data from: a row for each data set and profile on which any variant ran, the newest first."""
    return rows.retrieval_runs(results).drop_duplicates(["dataset", "profile"]).reset_index(drop=True)


@kept
def setup_of(results: Results, choice: pandas.Series) -> Setup | None:
    """The variants of one of `choices`, each with all seeds of its newest settings; None where no run has ranks.

    Only runs over the same captions are compared: those over which most runs are, of these the newest.
    """
    found = rows.retrieval_runs(results)
    here = found[(found.dataset == choice.dataset) & (found.profile == choice.profile)]
    newest = here.drop_duplicates("variant").set_index("variant").settings_text
    here = here[here.settings_text == here.variant.map(newest)]
    ranked = rows.rank_signatures(results, tuple(here.run_id)).set_index("run_id")
    good = [run_id for run_id in here.run_id if run_id in ranked.index and ranked.invalid[run_id] == 0]
    if not good:
        return None
    [(signature, _)] = Counter(ranked.signature[good]).most_common(1)
    kept = here[here.run_id.isin([run_id for run_id in good if ranked.signature[run_id] == signature])]
    kept = kept[kept.variant.isin(_in_order(kept.variant)[:MOST_VARIANTS])]
    first = ranked.loc[kept.run_id.iloc[0]]
    return Setup(
        dataset=choice.dataset,
        profile=choice.profile,
        dataset_name=choice.dataset_name,
        images=int(first.images),
        captions=int(first.captions),
        variants=_variants(kept),
        left_out=tuple(sorted(set(here.variant[~here.run_id.isin(kept.run_id)]))),
    )


def _in_order(found: pandas.Series) -> list[str]:
    """Variants, each once, those of NAMES first."""
    names = set(found)
    return [*(name for name in NAMES if name in names), *sorted(names - set(NAMES))]


def _variants(kept: pandas.DataFrame) -> tuple[Variant, ...]:
    firsts = kept.drop_duplicates("variant").set_index("variant")
    order = sorted(_in_order(kept.variant), key=lambda name: _place(firsts.loc[name], name))
    names = variant_names(firsts.loc[order])
    variants = []
    for variant in order:
        own = kept[kept.variant == variant].sort_values("seed", kind="stable")
        first = firsts.loc[variant]
        variants.append(
            Variant(
                variant=variant,
                name=names[variant],
                run_ids=tuple(own.run_id),
                seeds=tuple(int(seed) for seed in own.seed),
                start=str(first.start),
                epochs=_whole(first.epochs),
                batch_size=_whole(first.batch_size),
                learning_rate=_finite(first.learning_rate),
                weight_decay=_finite(first.weight_decay),
                temperature=_finite(first.temperature),
            )
        )
    return tuple(variants)


def _place(settings: pandas.Series, variant: str) -> tuple[object, ...]:
    """Known ones first, then by settings from the largest rate down."""
    known = list(NAMES).index(variant) if variant in NAMES else len(NAMES)
    values = [_finite(settings[column]) for column in SETTINGS]
    return (known, -(values[0] or 0.0), values[1] or 0.0, values[2] or 0.0, variant)


def variant_names(settings: pandas.DataFrame) -> dict[str, str]:
    """A name of its own for each variant, from rows by variant with the columns of SETTINGS and `start`.

    A random start is called by those of its settings that are not the ones of most random starts.
    """
    random = settings[(settings.start == RANDOM) & ~settings.index.isin(NAMES)]
    usual = {column: _usual(random[column]) for column in SETTINGS}
    names: dict[str, str] = {}
    for number, variant in enumerate(settings.index, start=1):
        name = NAMES.get(variant, str(variant))
        if variant in random.index:
            values = {column: _finite(random.loc[variant, column]) for column in SETTINGS}
            told = [
                f"{word} {setting_text(values[column])}"
                for column, word in SETTINGS.items()
                if values[column] is not None and values[column] != usual[column]
            ]
            name = ", ".join(["random start", *told])
        name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        names[variant] = f"{name} ({number})" if name in names.values() else name
    return names


def _usual(values: pandas.Series) -> float | None:
    """The value that more than half have; None where none is so common."""
    counts = values.value_counts(dropna=False)
    return float(counts.index[0]) if len(values) and counts.iloc[0] * 2 > len(values) else None


def setting_text(value: float | None) -> str:
    """A setting in as few digits as it has: 0.1, 1e-4; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:g}"
    mantissa, _, power = f"{value:.3e}".partition("e")
    return f"{float(mantissa):g}e{int(power)}"


def _finite(value: float) -> float | None:
    return None if pandas.isna(value) or not math.isfinite(value) else float(value)


def _whole(value: float) -> int | None:
    return None if pandas.isna(value) else int(value)


def choose_direction() -> str:
    """Let a person pick what is asked for what; the choice is in the address."""
    return layout.choose_button("Direction", rows.DIRECTIONS, "direction", default=rows.DIRECTIONS[1])


def choose_run(label: str, key: str, runs: Sequence[str]) -> str:
    """Let a person pick one of some runs by its name; the choice is in the address."""
    if streamlit.session_state.get(key) not in runs:
        streamlit.session_state.pop(key, None)  # what another choice does not leave to choose from
    links.by_name(key, runs)
    if len(runs) <= layout.MOST_BUTTONS:
        return layout.choose_button(label, runs, key, shown=layout.as_label)
    return layout.choose_folded(label, runs, key, runs[0])
