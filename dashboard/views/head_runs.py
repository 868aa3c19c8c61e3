"""Which runs of decoder heads are compared, and what each head is called."""

from dataclasses import dataclass

import pandas

from dashboard import layout, queries
from dashboard import queries_heads as rows
from dashboard.connection import Results
from dashboard.kept import kept

# What a variant is called, in the order in which heads are always shown.
HEADS = {
    "linear": "linear",
    "convolutional": "convolutional",
    "transformer": "transformer",
    "transformer_shared": "transformer, shared query and key",
}
PHRASES = {
    "linear": "the linear head",
    "convolutional": "the convolutional head",
    "transformer": "the transformer",
    "transformer_shared": "the transformer with shared query and key",
}
MOST_HEADS = 6
LONGEST_NAME = 40


@dataclass(frozen=True)
class Head:
    """One head's runs, one for each of the setup's seeds."""

    variant: str
    name: str
    run_ids: tuple[str, ...]
    parameters: int | None

    @property
    def short(self) -> str:
        """The name where there is little room."""
        return "transformer, shared" if self.variant == "transformer_shared" else self.name

    @property
    def phrase(self) -> str:
        """The head in a sentence, in Markdown."""
        return PHRASES.get(self.variant, f"the head “{layout.plain(self.name)}”")


@dataclass(frozen=True)
class Setup:
    """The heads that learned from the same pictures with the same settings and the same seeds."""

    dataset: str
    profile: str
    dataset_name: str
    train_images: int
    image_count: int
    class_count: int
    image_size_px: int
    epochs: int
    encoder: str
    measured_on: str
    seeds: tuple[int, ...]
    heads: tuple[Head, ...]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs, head by head."""
        return tuple(run_id for head in self.heads for run_id in head.run_ids)

    @property
    def names(self) -> list[str]:
        """The heads' names in their order."""
        return [head.name for head in self.heads]

    @property
    def labels(self) -> pandas.DataFrame:
        """Head and seed of each run: run_id, head, seed."""
        return pandas.DataFrame(
            [(run_id, head.name, seed) for head in self.heads for run_id, seed in zip(head.run_ids, self.seeds, strict=True)],
            columns=["run_id", "head", "seed"],
        )

    def head(self, name: str) -> Head:
        """The head of this name."""
        return self.heads[self.names.index(name)]

    def run_of(self, name: str, seed: int) -> str:
        """The run of a head with a seed."""
        return self.head(name).run_ids[self.seeds.index(seed)]


@kept
def choices(results: Results) -> pandas.DataFrame:
    """What to choose data from: a row for each data set and profile on which any head ran, the newest first."""
    return rows.head_runs(results).drop_duplicates(["dataset", "profile"]).reset_index(drop=True)


@kept
def setup_of(results: Results, choice: pandas.Series) -> Setup:
    """The heads of one of `choices`: of the settings with which most heads ran, and of these the newest.

    Only seeds that all heads have are compared; where there is none, the heads that share the most common one.
    """
    found = rows.head_runs(results)
    here = found[(found.dataset == choice.dataset) & (found.profile == choice.profile)]
    by_settings = [group for _, group in here.groupby("settings_text", sort=False)]
    here = max(by_settings, key=lambda group: (group.variant.nunique(), group.started_at.max()))
    here = here[here.variant.isin(_shown_variants(here.variant))]
    seeds_of = here.groupby("variant").seed.agg(set)
    seeds = set.intersection(*seeds_of) or {int(here.seed.mode().iloc[0])}
    here = here[here.seed.isin(seeds)].sort_values("seed", kind="stable")
    first = here.iloc[0]
    places = here.device.map(lambda device: layout.plain(device, 60)) + ", " + here.threads.astype(str) + " threads"
    return Setup(
        dataset=first.dataset,
        profile=first.profile,
        dataset_name=first.dataset_name,
        train_images=int(first.train_images),
        image_count=int(first.val_images),
        class_count=int((~queries.classes(results, first.dataset).ignored).sum()),
        image_size_px=_whole(first.image_size_px),
        epochs=_whole(here.epochs.max()),
        encoder=first.encoder,
        measured_on=" and ".join(dict.fromkeys(places)),
        seeds=tuple(sorted(seeds)),
        heads=_heads(here),
    )


def _heads(here: pandas.DataFrame) -> tuple[Head, ...]:
    """A head for each variant of some runs, each under a name of its own."""
    heads: list[Head] = []
    for number, variant in enumerate(_shown_variants(here.variant), start=1):
        own = here[here.variant == variant]
        name = HEADS.get(variant, variant if len(variant) <= LONGEST_NAME else f"{variant[: LONGEST_NAME - 1]}…")
        name = f"{name} ({number})" if name in {head.name for head in heads} else name
        known = own.parameters.dropna()
        heads.append(Head(variant, name, tuple(own.run_id), int(known.iloc[0]) if len(known) else None))
    return tuple(heads)


def _shown_variants(found: pandas.Series) -> list[str]:
    """Variants, each once, those of HEADS first in their order; of others no more than fit."""
    names = set(found)
    return [*(name for name in HEADS if name in names), *sorted(names - set(HEADS))][:MOST_HEADS]


def _whole(value: float) -> int:
    return 0 if pandas.isna(value) else int(value)


def choose_seed(setup: Setup) -> int:
    """Let a person pick one of the seeds, where there are several; the choice is in the address."""
    if len(setup.seeds) == 1:
        return setup.seeds[0]
    seeds = list(map(str, setup.seeds))
    chosen = layout.choose_button("Seed", seeds, "seed")
    return int(chosen)
