"""Random draws of plain Python values."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Choice = TypeVar("Choice")


class Dice:
    """A random generator, determined by its seeds, that gives plain Python values; `generator` gives arrays."""

    def __init__(self, *seeds: int) -> None:
        self.generator = np.random.default_rng(seeds)

    def uniform(self, low: float, high: float) -> float:
        """A number from `low` up to `high`."""
        return float(self.generator.uniform(low, high))

    def integer(self, low: int, end: int) -> int:
        """An integer from `low` up to, not including, `end`."""
        return int(self.generator.integers(low, end))

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of `choices`, each as likely."""
        return choices[self.integer(0, len(choices))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform(0, 1) < probability
