"""WordNet's tree of ImageNet's classes, held in memory: names, ways up, nearest common ancestors, branches of equal weight."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import pandas

from dashboard import queries_hierarchy, queries_synsets
from dashboard.connection import Results
from dashboard.kept import kept

WNID = re.compile(r"n\d{8}")
MOST_BRANCHES = 12
SMALLEST_SHARE = 2.5  # a branch holds at least this part of an even share


@dataclass(frozen=True)
class Branch:
    """Classes below a node: all that count, or, as `rest`, those that no other branch holds."""

    node: str
    classes: tuple[str, ...]
    rest: bool


class Hierarchy:
    """The synsets of some results, from the frames of their queries; wnids that it lacks name themselves."""

    keeps_answers = True  # see `kept`

    def __init__(self, synsets: pandas.DataFrame, parents: pandas.DataFrame, leaves: pandas.DataFrame, identity: str) -> None:
        self.identity, self.answers = identity, dict[Any, Any]()
        self._names = dict(zip(synsets.wnid, synsets.name, strict=True))
        self._lemmas = dict(zip(synsets.wnid, synsets.lemmas, strict=True))
        self.gloss = dict(zip(synsets.wnid, synsets.gloss, strict=True))
        self.depth = dict(zip(synsets.wnid, map(int, synsets.depth), strict=True))
        classes = synsets.dropna(subset="imagenet_index")
        self.wnid_of_index = dict(zip(map(int, classes.imagenet_index), classes.wnid, strict=True))
        self.index_of_wnid = {wnid: index for index, wnid in self.wnid_of_index.items()}
        self.parents: dict[str, list[str]] = defaultdict(list)
        self.children: dict[str, list[str]] = defaultdict(list)
        for wnid, parent in parents.itertuples(index=False):
            self.parents[wnid].append(parent)
            self.children[parent].append(wnid)
        self.leaves: dict[str, set[str]] = defaultdict(set)
        self.ancestors: dict[str, set[str]] = defaultdict(set)  # of a class: all nodes above it, and itself
        for wnid, leaf in leaves.itertuples(index=False):
            self.leaves[wnid].add(leaf)
            self.ancestors[leaf].add(wnid)

    def __contains__(self, wnid: object) -> bool:
        return wnid in self._names

    def name(self, wnid: str | None) -> str:
        """What a synset is called."""
        return "no label" if not isinstance(wnid, str) else str(self._names.get(wnid) or wnid)

    def index_name(self, index: int) -> str:
        """What the class of an ImageNet index is called."""
        return self.name(self.wnid_of_index[index]) if index in self.wnid_of_index else f"class {index}"

    @property
    def root(self) -> str | None:
        """The node without parents that most classes lie below; None where there is no tree."""
        tops = [wnid for wnid in self._names if not self.parents.get(wnid)]
        return min(tops, key=lambda wnid: (-len(self.leaves.get(wnid, ())), wnid), default=None)

    def path(self, wnid: str) -> list[str]:
        """One way from the top down to a synset, the longest; of equal ones that of the smallest wnids."""
        way = [wnid]
        while (above := self.parents.get(way[0])) and len(way) < 100:
            way.insert(0, min(above, key=lambda parent: (-self.depth.get(parent, 0), parent)))
        return way

    def nearest_common_ancestor(self, wnid: str, other: str) -> str | None:
        """The deepest node above, or at, both classes; of equal ones the one with the smallest wnid."""
        common = self.ancestors.get(wnid, set()) & self.ancestors.get(other, set())
        return min(common, key=lambda node: (-self.depth.get(node, 0), node), default=None)

    def common_depth(self, wnid: str, other: str) -> int:
        """How deep the nearest common ancestor of two classes lies; 0, as if it were the root, where there is none."""
        nearest = self.nearest_common_ancestor(wnid, other)
        return self.depth.get(nearest, 0) if nearest else 0

    def branch_apart(self, wnid: str, others: Iterable[str]) -> str:
        """The highest node above a class that none of the other classes lies below."""
        shared = set().union(*(self.ancestors.get(other, set()) for other in others if other != wnid), set())
        own = self.ancestors.get(wnid, set()) - shared
        return min(own, key=lambda node: (self.depth.get(node, 0), node), default=wnid)

    def branches(self, node: str, weights: dict[str, int], most: int = MOST_BRANCHES) -> list[Branch]:
        """The classes below a node in at most about `most` parts of the tree, in its order.

        `weights` are the classes that count, each with its pictures, which may be none. Starting from the node, the heaviest
        part is replaced by its children; those too light to stand alone stay together as the rest of that part, or of the
        node.
        """
        open_parts = {node: sorted(leaf for leaf in self.leaves.get(node, ()) if leaf in weights)}
        closed: list[Branch] = []
        scattered: list[str] = []
        split: set[str] = set()  # a tree of foreign results may lead back to where it came from

        def weight(members: Iterable[str]) -> int:
            return sum(weights[leaf] for leaf in members)

        if not weight(open_parts[node]):
            return [Branch(node, tuple(open_parts[node]), False)]
        enough = weight(open_parts[node]) / (SMALLEST_SHARE * most)
        while open_parts:
            part = min(open_parts, key=lambda part: (-weight(open_parts[part]), part))
            members = open_parts.pop(part)
            smaller = {} if part in split else self._split(part, members)
            split.add(part)
            heavy = [child for child, below in smaller.items() if child != part and weight(below) >= enough]
            heavy.sort(key=lambda child: (-weight(smaller[child]), child))
            room = most - 1 - len(open_parts) - len(closed)  # one is for what is scattered
            fits = heavy if len(heavy) + (len(heavy) < len(smaller)) <= room else heavy[: max(0, room - 1)]
            rest = sorted(set(members) - {leaf for child in fits for leaf in smaller[child]})
            for child in fits:
                open_parts[child] = [*open_parts.get(child, []), *smaller[child]]
            if not fits or weight(rest) >= enough:
                closed.append(Branch(part, tuple(rest), bool(fits)))
            else:
                scattered += rest
        closed.sort(key=lambda branch: [*self.path(branch.node), *(["rest"] if branch.rest else [])])
        return [*closed, Branch(node, tuple(sorted(scattered)), True)] if scattered else closed

    def _split(self, part: str, members: Collection[str]) -> dict[str, list[str]]:
        """A part's classes by its children; of several that hold a class, by the smallest, and by itself where none does."""
        children = sorted(self.children.get(part, ()), key=lambda child: (len(self.leaves[child]), child))
        smaller: dict[str, list[str]] = {}
        for leaf in members:
            below = next((child for child in children if leaf in self.leaves[child]), part)
            smaller.setdefault(below, []).append(leaf)
        return smaller

    def search(self, text: str, among: Collection[str] | None = None, limit: int = 8) -> list[str]:
        """Synsets by wnid, name or another lemma, the best match first: whole names, then beginnings, then parts of words."""
        wanted = " ".join(text.casefold().split())
        if not wanted:
            return []
        found = []
        for wnid in self._names if among is None else among:
            names = [self.name(wnid).casefold(), *str(self._lemmas.get(wnid, "")).casefold().split(", "), wnid]
            if wanted in names:
                rank = 0
            elif any(name.startswith(wanted) for name in names):
                rank = 1
            elif any(wanted in name for name in names):
                rank = 2
            else:
                continue
            found.append((rank, -len(self.leaves.get(wnid, ())), wnid))
        return [wnid for _, _, wnid in sorted(found)[:limit]]


@kept
def hierarchy_of(results: Results) -> Hierarchy:
    """The tree that some results hold, which may be empty."""
    synsets, edges, leaves = queries_hierarchy.synsets(results), queries_synsets.edges(results), queries_synsets.leaves(results)
    return Hierarchy(synsets, edges, leaves, results.identity)
