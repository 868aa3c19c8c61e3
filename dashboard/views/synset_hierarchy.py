"""WordNet's synsets in memory, as the explorer walks through them: names, ways up and down, and what a search finds."""

import functools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas

from dashboard import queries_synsets as rows
from dashboard.connection import Results
from dashboard.kept import kept

MOST_WAYS = 12
LONGEST_WAY = 40  # twice WordNet's, so that a foreign file's circle has an end
Names = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SynsetHierarchy:
    """All synsets by wnid, each with those right above, right below, and ImageNet's classes below."""

    synsets: dict[str, Any]  # rows of queries_synsets.synsets
    parents: dict[str, Names]
    children: dict[str, Names]
    leaves: dict[str, Names]
    by_index: dict[int, str]
    identity: str  # of the results that it is of

    keeps_answers: ClassVar[bool] = True  # see `kept`
    answers: dict[Any, Any] = field(default_factory=dict, repr=False)

    def name(self, wnid: str) -> str:
        """What a person calls a synset: OpenAI's name of a class, else the first lemma."""
        found = self.synsets.get(wnid)
        if found is None:
            return wnid if isinstance(wnid, str) else "unknown"  # a foreign file may name no class
        return found.openai_name or (found.lemmas[0] if len(found.lemmas) else found.name)

    def is_class(self, wnid: str) -> bool:
        """Whether a synset is one of ImageNet's classes."""
        found = self.synsets.get(wnid)
        return found is not None and not pandas.isna(found.imagenet_index)

    @functools.cached_property
    def root(self) -> str:
        """The synset with nothing above it that most classes are below."""
        tops = [wnid for wnid in self.synsets if not self.parents.get(wnid)]
        return max(tops or list(self.synsets), key=lambda wnid: (len(self.leaves.get(wnid, ())), wnid), default="")

    def ways_up(self, wnid: str) -> list[Names]:
        """Ways from the top down to a synset, the longest first, no more than MOST_WAYS."""
        found: list[Names] = []
        waiting: list[Names] = [(wnid,)]
        while waiting and len(found) < MOST_WAYS:
            way = waiting.pop()
            above = [parent for parent in self.parents.get(way[0], ()) if parent not in way and parent in self.synsets]
            if above and len(way) < LONGEST_WAY:
                waiting.extend((parent, *way) for parent in above)
            else:
                found.append(way)
        return sorted(found, key=lambda way: (-len(way), way))

    def siblings(self, wnid: str) -> list[str]:
        """Other synsets right below a parent of this one."""
        found = {child for parent in self.parents.get(wnid, ()) for child in self.children.get(parent, ())}
        return self.by_name(found - {wnid})

    def by_name(self, wnids: set[str]) -> list[str]:
        """Wnids in the order of their names."""
        return sorted(wnids, key=lambda wnid: (self.name(wnid).lower(), wnid))

    def search(self, text: str) -> list[str]:
        """Synsets by word or wnid: the word itself first, then what begins with it, then what holds it.

        Of equally good ones, those with most of ImageNet's classes below come first.
        """
        wanted = " ".join(text.lower().replace("_", " ").split())
        if not wanted:
            return []
        ranked = [
            (rank, -len(self.leaves.get(wnid, ())), self.name(wnid).lower(), wnid)
            for wnid, words in self._words.items()
            if (rank := _match(wanted, wnid, words)) is not None
        ]
        return [wnid for *_, wnid in sorted(ranked)]

    @functools.cached_property
    def _words(self) -> dict[str, list[str]]:
        return {
            wnid: [str(word).lower() for word in (*found.lemmas, found.name, found.openai_name, found.torchvision_name) if word]
            for wnid, found in self.synsets.items()
        }

    @functools.cached_property
    def common_depth(self) -> tuple[list[str], np.ndarray]:
        """ImageNet's classes, and the depth of the nearest common ancestor of each two: (classes, classes) int64."""
        classes = sorted(self.by_index.values())
        position = {wnid: number for number, wnid in enumerate(classes)}
        depths = np.zeros((len(classes), len(classes)), np.int64)
        for found in sorted(self.synsets.values(), key=lambda found: found.depth):  # deeper ones write over
            below = [position[leaf] for leaf in self.leaves.get(found.wnid, ()) if leaf in position]
            depths[np.ix_(below, below)] = found.depth
        return classes, depths


def _match(wanted: str, wnid: str, words: list[str]) -> int | None:
    """How well a synset fits what was typed, 0 being best; None where it does not."""
    if wanted in (wnid, *words):
        return 0
    if any(word.startswith(wanted) for word in words) or (len(wanted) > 2 and wnid.startswith(wanted)):
        return 1
    if any(f" {wanted}" in word for word in words):
        return 2
    return 3 if any(wanted in word for word in words) else None


@kept
def hierarchy_of(results: Results) -> SynsetHierarchy:
    """All synsets of these results."""
    synsets = {found.wnid: found for found in rows.synsets(results).itertuples(index=False)}
    edges, leaves = rows.edges(results), rows.leaves(results)
    return SynsetHierarchy(
        synsets,
        _gathered(edges.wnid, edges.parent_wnid),
        _gathered(edges.parent_wnid, edges.wnid),
        _gathered(leaves.wnid, leaves.leaf_wnid),
        {int(found.imagenet_index): wnid for wnid, found in synsets.items() if not pandas.isna(found.imagenet_index)},
        results.identity,
    )


def _gathered(keys: pandas.Series, values: pandas.Series) -> dict[str, Names]:
    lists: dict[str, list[str]] = defaultdict(list)
    for key, value in zip(keys, values, strict=True):
        lists[key].append(value)
    return {key: tuple(members) for key, members in lists.items()}
