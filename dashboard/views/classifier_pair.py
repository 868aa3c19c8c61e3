"""Which two classifiers a page sets side by side, what people call them, and their colors."""

from dataclasses import dataclass

import pandas
import streamlit

from dashboard import layout
from dashboard.views.contest import COLORS, NAMES

FIRST_CHOICE = ("rn50", "clip_80_templates")


@dataclass(frozen=True)
class Pair:
    """Two runs on one data set, the same one twice where only one classifier ran."""

    dataset: str
    profile: str
    label: str
    run_a: str
    run_b: str
    name_a: str
    name_b: str
    evidence_run: str | None  # the run whose image features say how alike pictures are

    @property
    def sides(self) -> list[tuple[str, str, str, str]]:
        """Letter, name, run and color of each classifier."""
        both = [("a", self.name_a, self.run_a, COLORS[0]), ("b", self.name_b, self.run_b, COLORS[1])]
        return both[:1] if self.run_a == self.run_b else both

    @property
    def run_ids(self) -> list[str]:
        """The runs, each once."""
        return [run for _, _, run, _ in self.sides]


def pair_of(row: pandas.Series, label: str, a: str | None = None, b: str | None = None) -> Pair:
    """Two of a data set's classifiers by their names; by default ImageNet RN50 and CLIP RN50, or what else there is."""
    runs = dict(zip(row.variants, row.run_ids, strict=True))
    names = {NAMES.get(variant, variant): variant for variant in _in_order(runs)}
    first, second = names.get(a or ""), names.get(b or "")
    first = first or next(iter(names.values()))
    second = second or next((variant for variant in names.values() if variant != first), first)
    return Pair(
        str(row.dataset),
        str(row.profile),
        label,
        runs[first],
        runs[second],
        NAMES.get(first, first),
        NAMES.get(second, second),
        runs.get("clip_80_templates"),
    )


def choose_pair(row: pandas.Series, label: str) -> Pair:
    """Let a person pick two of a data set's classifiers; the choice is in the address."""
    default = pair_of(row, label)
    names = [NAMES.get(variant, variant) for variant in _in_order(dict.fromkeys(row.variants))]
    if len(names) < 2:
        return default
    with streamlit.popover("Classifiers", icon=":material/compare_arrows:"):
        a = layout.choose_button("First", names, "a")
        others = [name for name in names if name != a]
        b = layout.choose_button("Second", others, "b")
    return pair_of(row, label, a, b)


def _in_order(variants: dict[str, object]) -> list[str]:
    """Variants as they are offered: the two that the question is about, then the rest."""
    return sorted(variants, key=lambda name: (FIRST_CHOICE.index(name) if name in FIRST_CHOICE else 2, name))


def choose_data(found: pandas.DataFrame) -> tuple[pandas.Series, str]:
    """A row of data and classifiers that a person picks, and its label."""
    row = layout.choose_data(found)
    return row, layout.dataset_labels(found)[found.index.get_loc(row.name)]
