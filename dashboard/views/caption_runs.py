"""Which runs of caption sampling are compared, and what each setting is called."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas
import streamlit

from dashboard import layout
from dashboard import queries_captions as rows
from dashboard.connection import Results
from dashboard.kept import kept

GREEDY = "greedy"
MOST_SETTINGS = 40
LONGEST_NAME = 40
SAMPLING = ("top_k", "temperature")  # what of the settings differs from variant to variant


@dataclass(frozen=True)
class Setting:
    """One way of sampling with its runs, one for each of its seeds; top_k and temperature are None where all is greedy."""

    variant: str
    name: str
    top_k: int | None
    temperature: float | None
    seeds: tuple[int, ...]
    run_ids: tuple[str, ...]

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken each time."""
        return self.variant == GREEDY

    @property
    def is_in_grid(self) -> bool:
        """Whether it has a place in the grid of k and temperature."""
        return self.top_k is not None and self.temperature is not None

    def run_of(self, seed: int) -> str:
        """The run with a seed, or the only one there is."""
        return self.run_ids[self.seeds.index(seed)] if seed in self.seeds else self.run_ids[0]


@dataclass(frozen=True)
class Setup:
    """The settings that one model captioned the same pictures with."""

    dataset: str
    profile: str
    dataset_name: str
    image_count: int
    weights: str
    prompt: str
    longest: int | None
    measured_on: str
    settings: tuple[Setting, ...]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs, setting by setting."""
        return tuple(run_id for setting in self.settings for run_id in setting.run_ids)

    @property
    def names(self) -> list[str]:
        """The settings' names in their order."""
        return [setting.name for setting in self.settings]

    @property
    def greedy(self) -> Setting | None:
        """The setting without any chance, where it has run."""
        return next((setting for setting in self.settings if setting.is_greedy), None)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that captions were sampled with."""
        return max((setting.seeds for setting in self.settings), key=len)

    @property
    def top_ks(self) -> list[int]:
        """The values of k in the grid, the smallest first."""
        return sorted({setting.top_k for setting in self.settings if setting.is_in_grid and setting.top_k is not None})

    def of_top_k(self, top_k: int) -> list[Setting]:
        """The settings of one k, the lowest temperature first."""
        return sorted((setting for setting in self.settings if setting.is_in_grid and setting.top_k == top_k), key=_place)

    def setting(self, name: str) -> Setting:
        """The setting of this name."""
        return self.settings[self.names.index(name)]


@kept
def choices(results: Results) -> pandas.DataFrame:
    """What to choose data from: a row for each data set and profile on which any setting ran, the newest first."""
    return rows.sampling_runs(results).drop_duplicates(["dataset", "profile"]).reset_index(drop=True)


@kept
def setup_of(results: Results, choice: pandas.Series) -> Setup:
    """The settings of one of `choices`: of what is set besides k and temperature, that with which most ran, then the newest.

    Of the sampled ones only seeds that all have are compared; where there is none, those that have the most common one.
    """
    found = rows.sampling_runs(results)
    here = found[(found.dataset == choice.dataset) & (found.profile == choice.profile)]
    parsed = [_parsed(text) for text in here.settings_text]
    here = here.assign(
        rest=[
            json.dumps({key: value for key, value in each.items() if key not in SAMPLING}, sort_keys=True) for each in parsed
        ],
        top_k=pandas.Series([_whole(each.get("top_k")) for each in parsed], index=here.index, dtype=object),
        temperature=pandas.Series([_positive(each.get("temperature")) for each in parsed], index=here.index, dtype=object),
    )
    alike = [group for _, group in here.groupby("rest", sort=False)]
    here = max(alike, key=lambda group: (group.variant.nunique(), group.started_at.max()))
    here = _common_seeds(here.drop_duplicates(["variant", "seed"]))
    first, rest = here.iloc[0], json.loads(here.rest.iloc[0])
    places = here.device.map(lambda device: layout.plain(device, 60)) + ", " + here.threads.astype(str) + " threads"
    return Setup(
        dataset=first.dataset,
        profile=first.profile,
        dataset_name=first.dataset_name,
        image_count=int(first.val_images),
        weights=str(first.weights),
        prompt=rest["prompt"] if isinstance(rest.get("prompt"), str) else "",
        longest=_whole(rest.get("longest")),
        measured_on=" and ".join(dict.fromkeys(places)),
        settings=_settings(here),
    )


def _common_seeds(here: pandas.DataFrame) -> pandas.DataFrame:
    """Of runs of sampled settings those with seeds that all have; of greedy, where nothing is drawn, the first seed's."""
    sampled = here[here.variant != GREEDY].sort_values("seed", kind="stable")
    greedy = here[here.variant == GREEDY].sort_values("seed", kind="stable")[:1]
    if sampled.empty:
        return greedy
    seeds = set.intersection(*sampled.groupby("variant").seed.agg(set)) or {int(sampled.seed.mode().iloc[0])}
    return pandas.concat([greedy, sampled[sampled.seed.isin(seeds)]])


def _settings(here: pandas.DataFrame) -> tuple[Setting, ...]:
    """A setting for each variant, greedy first, then by k and temperature, others last; each under a name of its own."""
    made = []
    for variant, own in here.groupby("variant", sort=False):
        top_k, temperature = (None, None) if variant == GREEDY else own[["top_k", "temperature"]].iloc[0]
        made.append(Setting(str(variant), "", top_k, temperature, tuple(own.seed.astype(int)), tuple(own.run_id)))
    named: list[Setting] = []
    for number, setting in enumerate(sorted(made, key=_place)[:MOST_SETTINGS], start=1):
        name = _name(setting)
        name = f"{name} ({number})" if name in {each.name for each in named} else name
        named.append(Setting(setting.variant, name, setting.top_k, setting.temperature, setting.seeds, setting.run_ids))
    return tuple(named)


def _place(setting: Setting) -> tuple[bool, bool, int, float, str]:
    top_k, temperature = setting.top_k or 0, setting.temperature or 0.0
    return not setting.is_greedy, not setting.is_in_grid, top_k, temperature, setting.variant


def _name(setting: Setting) -> str:
    if setting.is_in_grid:
        return f"k = {setting.top_k}, t = {setting.temperature:g}"
    return setting.variant if len(setting.variant) <= LONGEST_NAME else f"{setting.variant[: LONGEST_NAME - 1]}…"


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**6 else None


def _positive(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 10**6:
        return None
    return float(value) if math.isfinite(value) else None


def choose_seed(setup: Setup) -> int:
    """Let a person pick one of the seeds, where there are several; the choice is in the address."""
    seeds = list(map(str, setup.seeds))
    if len(seeds) == 1:
        return setup.seeds[0]
    forget_unless("seed", seeds)
    chosen = layout.choose_button("Seed", seeds, "seed")
    return int(chosen)


def forget_unless(key: str, options: Iterable[object]) -> None:
    """Forget what was chosen before, where other choices do not leave it to choose from."""
    if streamlit.session_state.get(key) not in options:
        streamlit.session_state.pop(key, None)
