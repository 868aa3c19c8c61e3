"""Where images find their captions and captions their images, from unit features: pure functions, block by block.

Two answers to a query tie where their similarities are equal numbers, and no rounding decides that: features are first rounded
to multiples of FEATURE_STEP, and of such numbers a dot product in double precision is exact, whatever the order of its
additions. So equal features always tie, and neither block sizes nor threads change a rank. The step is about that of single
precision; it moves a similarity by some 1e-8.

A place is shared by all that tie: the sought one's rank is the mean of the places they share, and among the first k it counts
with the part of those places that is not beyond k.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compute.threads import workers

FEATURE_STEP = 2.0**-26  # of unit features: sums of products stay below 2**53 squared steps, where whole numbers are exact
LONGEST = 1.001  # a unit feature in single precision may be a trifle longer than 1
CAPTIONS_AT_ONCE, IMAGES_AT_ONCE = 1024, 2048  # similarities of a block: 16 MiB in double precision
MOST_NEAR = 4096  # similarities of a block that are computed one by one
FIRST = (1, 5, 10)
ANSWERS = 10


@dataclass(frozen=True, eq=False)
class Places:
    """Where the sought one stands among the answers to each of Q queries.

    above (Q,) int64: answers that are more similar to the query; tied (Q,) int64: others that are just as similar.
    """

    above: Tensor
    tied: Tensor

    @property
    def rank(self) -> Tensor:
        """1 is the first; the mean of the places that tied ones share: (Q,) float64."""
        return 1 + self.above + self.tied.double() / 2

    def hits(self, first: int) -> float:
        """How many of the sought are among the `first` answers, to be expected where those that tie stand in any order."""
        shared = (self.tied + 1).double()
        return float(((first - self.above).clamp(min=0).minimum(shared) / shared).sum())

    def of(self, chosen: Tensor) -> "Places":
        """Those of some queries: chosen (K,) int64."""
        return Places(self.above[chosen], self.tied[chosen])


@dataclass(frozen=True, eq=False)
class PairRanks:
    """Ranks of M pairs of a caption and its image, in the captions' order; all on the CPU.

    image_to_text: of the caption among all captions but the image's other ones; text_to_image: of the image among all images;
    images: of each of N images' best caption. similarity (M,) float64, -1 to 1: the pair's cosine.
    """

    similarity: Tensor
    image_to_text: Places
    text_to_image: Places
    images: Places


@dataclass(frozen=True)
class Summary:
    """What is said of the ranks of all queries of a direction."""

    queries: int
    hits_at_1: float
    hits_at_5: float
    hits_at_10: float
    median_rank: float
    mean_rank: float


def summary(places: Places) -> Summary:
    """Expected hits among the first 1, 5 and 10, and median and mean rank; recall at k is hits over queries."""
    rank = places.rank.numpy()
    hits_at_1, hits_at_5, hits_at_10 = (places.hits(first) for first in FIRST)
    return Summary(len(rank), hits_at_1, hits_at_5, hits_at_10, float(np.median(rank)), float(rank.mean()))


def pair_ranks(
    images: Tensor,
    captions: Tensor,
    owner: Tensor,
    captions_at_once: int = CAPTIONS_AT_ONCE,
    images_at_once: int = IMAGES_AT_ONCE,
) -> PairRanks:
    """Rank every pair both ways: images (N, D), captions (M, D), both unit features; owner (M,) int64, each caption's image.

    Raises ValueError where shapes differ from that, a feature is longer than 1 or no number, or an image has no caption.
    """
    _check(images, captions, owner)
    counts = torch.bincount(owner, minlength=len(images))
    search = _search(images, captions, owner, counts)
    corners = itertools.product(range(0, len(captions), captions_at_once), range(0, len(images), images_at_once))
    blocks = [(slice(top, top + captions_at_once), slice(left, left + images_at_once)) for top, left in corners]
    by_image, by_text = torch.zeros(2, 2, len(owner), dtype=torch.int64, device=owner.device)  # above and tied of each caption
    with workers(images.device) as pool:
        for (rows, columns), (of_texts, *of_rounds) in zip(blocks, pool.map(search.count, blocks), strict=True):
            by_text[:, rows] += of_texts
            for chosen, counted in zip(search.rounds, of_rounds, strict=False):
                by_image[:, chosen[columns]] += counted
    image_to_text, text_to_image = Places(*by_image.cpu()), Places(*by_text.cpu())
    best = _best_captions(search.sought, owner, counts).cpu()
    return PairRanks(search.sought.cpu() * FEATURE_STEP**2, image_to_text, text_to_image, image_to_text.of(best))


@dataclass(frozen=True, eq=False)
class _Search:
    """What any block of similarities is counted with; its columns are the images in `order`, those of many captions first.

    column (M,) int64: of each caption's image; sought (M,) float64: each caption's similarity to it, in squared steps; rounds:
    captions in the columns' order, in each round one of every image that has any left.
    """

    images: Tensor
    captions: Tensor
    order: Tensor
    column: Tensor
    sought: Tensor
    rounds: list[Tensor]

    def count(self, block: tuple[slice, slice]) -> list[Tensor]:
        """Above and tied of a block of captions and images: of its captions (2, b), then of its images' captions by round.

        Single precision tells all but what is within its largest error of the sought one, and only that is computed exactly:
        half the work, unless it is much.
        """
        texts, images = self.captions[block[0]], self.images[self.order[block[1]]]
        if images.device.type == "cpu":  # a GPU may be set to round more than single precision does
            margin = 1.01 * (texts.shape[1] + 16) * 2.0**-24  # for sums of so many products, added in any order
            sides = self._sides(texts.float() @ images.float().T, block)
            counts = [_counts(side, sought * FEATURE_STEP**2, margin) for side, sought in sides]
            if sum(int(near.sum()) for _, near in counts) <= MOST_NEAR:
                features = [(texts, images), *[(images, texts)] * (len(sides) - 1)]
                return [_settled(*each, margin) for each in zip(sides, features, counts, strict=True)]
        return [torch.stack(_counts(*side, 0.0)) for side in self._sides(_whole(texts) @ _whole(images).T, block)]

    def _sides(self, similarities: Tensor, block: tuple[slice, slice]) -> list[tuple[Tensor, Tensor]]:
        """A block (captions, images) as queries see it, (Q, answers), and what each one seeks, (Q,): captions, then rounds."""
        rows, columns = block
        own = self.column[rows] - columns.start
        inside = ((own >= 0) & (own < similarities.shape[1])).nonzero().squeeze(1)
        similarities[inside, own[inside]] = -torch.inf  # neither is its own rival, nor are an image's captions
        rounds = [chosen[columns] for chosen in self.rounds if columns.start < len(chosen)]
        return [(similarities, self.sought[rows]), *((similarities.T[: len(chosen)], self.sought[chosen]) for chosen in rounds)]


def _counts(similarities: Tensor, sought: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """How many of each row are more than `margin` above the sought one (Q,), and how many at most so far from it: two (Q,)."""
    low, high = _bounds(similarities, sought, margin)
    above = _count(similarities > high, 1)
    return above, _count(similarities >= low, 1) - above


def _bounds(similarities: Tensor, sought: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    return ((sought - margin).to(similarities.dtype).unsqueeze(1), (sought + margin).to(similarities.dtype).unsqueeze(1))


def _settled(
    side: tuple[Tensor, Tensor], features: tuple[Tensor, Tensor], counts: tuple[Tensor, Tensor], margin: float
) -> Tensor:
    """Above and tied (2, Q), once all that is near the sought one is computed exactly, from features of queries and answers."""
    (similarities, sought), (queries, answers), (above, near) = side, features, counts
    rows = near.nonzero().squeeze(1)
    chosen = similarities[rows]
    low, high = _bounds(chosen, sought[rows] * FEATURE_STEP**2, margin)
    row, answer = ((chosen >= low) & (chosen <= high)).nonzero().unbind(1)
    query = rows[row]
    exact = (_whole(queries[query]) * _whole(answers[answer])).sum(dim=1)
    told = torch.stack([above, torch.zeros_like(above)])
    return told.index_add_(1, query, torch.stack([exact > sought[query], exact == sought[query]]).to(told.dtype))


def _search(images: Tensor, captions: Tensor, owner: Tensor, counts: Tensor) -> _Search:
    order = counts.argsort(descending=True, stable=True)
    column = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=order.device))[owner]
    sought = _own_similarities(images, captions, owner)
    return _Search(images, captions, order, column, sought, _rounds(owner, counts, column))


def first_answers(
    queries: Tensor,
    candidates: Tensor,
    count: int = ANSWERS,
    queries_at_once: int = CAPTIONS_AT_ONCE,
    candidates_at_once: int = IMAGES_AT_ONCE,
) -> tuple[Tensor, Tensor]:
    """The most similar candidates of each query, the first first, of equal ones that of the lower position.

    queries (Q, D), candidates (C, D): unit features -> positions (Q, k) int64 and similarities (Q, k) float64 on the CPU, k
    being the smaller of `count` and C.
    """
    find = functools.partial(_answers_of, candidates=candidates, count=count, candidates_at_once=candidates_at_once)
    with workers(queries.device) as pool:
        found = list(pool.map(find, queries.split(queries_at_once)))
    places, similarities = (torch.cat(parts) for parts in zip(*found, strict=True))
    return places, similarities * FEATURE_STEP**2


def _answers_of(queries: Tensor, candidates: Tensor, count: int, candidates_at_once: int) -> tuple[Tensor, Tensor]:
    rows = _whole(queries)
    values = torch.empty(len(rows), 0, dtype=torch.float64, device=rows.device)
    places = torch.empty(len(rows), 0, dtype=torch.int64, device=rows.device)
    for left in range(0, len(candidates), candidates_at_once):
        block = rows @ _whole(candidates[left : left + candidates_at_once]).T
        block_places = _largest(block, count)
        places = torch.cat([places, block_places + left], dim=1)
        values, order = torch.cat([values, block.gather(1, block_places)], dim=1).sort(dim=1, descending=True, stable=True)
        values, places = values[:, :count], places.gather(1, order[:, :count])
    return places.cpu(), values.cpu()


def _largest(block: Tensor, count: int) -> Tensor:
    """Positions of each row's largest values, the first first: (Q, C) -> (Q, k) int64."""
    values, places = block.topk(min(count, block.shape[1]), dim=1)
    last = values[:, -1:]
    crowded = _count(block == last, 1) > _count(values == last, 1)  # topk took any of those that tie for the last place
    if crowded.any():
        places[crowded] = block[crowded].sort(dim=1, descending=True, stable=True).indices[:, : places.shape[1]]
    places = places.sort(dim=1).values
    return places.gather(1, block.gather(1, places).sort(dim=1, descending=True, stable=True).indices)


def _check(images: Tensor, captions: Tensor, owner: Tensor) -> None:
    if images.ndim != 2 or captions.ndim != 2 or images.shape[1] != captions.shape[1] or owner.shape != captions.shape[:1]:
        given = f"{tuple(images.shape)}, {tuple(captions.shape)} and {tuple(owner.shape)}"
        raise ValueError(f"features must be (N, D) and (M, D) with owners (M,), given were {given}")
    if len(owner) and (int(owner.min()) < 0 or int(owner.max()) >= len(images)):
        raise ValueError(f"a caption's image is one of {len(images)}, given were {int(owner.min())} to {int(owner.max())}")
    if len(torch.unique(owner)) < len(images) or len(images) == 0:
        raise ValueError(f"each image needs a caption, but only {len(torch.unique(owner))} of {len(images)} have one")
    for features in (images, captions):
        if not bool((features.norm(dim=1) <= LONGEST).all()):  # not so either where one is no number
            raise ValueError("features must be numbers, and each row no longer than 1")


def _whole(features: Tensor) -> Tensor:
    """Features in whole FEATURE_STEPs, as float64."""
    return (features.double() / FEATURE_STEP).round_()


def _count(flags: Tensor, dim: int) -> Tensor:
    return flags.view(torch.uint8).sum(dim, dtype=torch.int32)  # torch sums these faster than booleans


def _above_and_tied(similarities: Tensor, sought: Tensor, dim: int) -> Tensor:
    return torch.stack([_count(similarities > sought, dim), _count(similarities == sought, dim)])


def _own_similarities(images: Tensor, captions: Tensor, owner: Tensor) -> Tensor:
    """Each caption's similarity to its image, in squared steps: (M,) float64."""
    pairs = zip(captions.split(CAPTIONS_AT_ONCE), owner.split(CAPTIONS_AT_ONCE), strict=True)
    return torch.cat([(_whole(texts) * _whole(images[of])).sum(dim=1) for texts, of in pairs])


def _rounds(owner: Tensor, counts: Tensor, column: Tensor) -> list[Tensor]:
    """Captions in rounds, each taking one of every image that has any left, in the columns' order."""
    by_column = column.argsort(stable=True)
    starts = counts.cumsum(0) - counts  # of each image's captions, were they sorted by image
    by_image = owner.argsort(stable=True)
    ordinal = torch.empty_like(owner)
    ordinal[by_image] = torch.arange(len(owner), device=owner.device) - starts[owner[by_image]]
    return [by_column[ordinal[by_column] == number] for number in range(int(counts.max()))]


def _best_captions(similarity: Tensor, owner: Tensor, counts: Tensor) -> Tensor:
    """The most similar caption of each image: (N,) int64."""
    falling = similarity.argsort(descending=True, stable=True)
    by_image = falling[owner[falling].argsort(stable=True)]
    return by_image[counts.cumsum(0) - counts]
