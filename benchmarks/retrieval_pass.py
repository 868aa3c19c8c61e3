"""How fast images and captions are ranked here, beside CLIP_benchmark's recall from a dense matrix.

Command: python -m benchmarks.retrieval_pass [--images N] [--turns N]

Both get the same unit features of images with five captions each, and give recall at 1, 5 and 10 both ways; ours gives every
pair's rank with it. CLIP_benchmark's way is LAION's clip_benchmark 1.6.2, metrics/zeroshot_retrieval.py (MIT license),
rewritten here as it computes on the CPU with the 64 images of a batch that are its default: all similarities at once, then for
each k the first k of each batch as one-hot vectors. They take turns. Exit code 1 where ours is less than GOAL times as fast, or
where a recall differs by more than LARGEST_DIFFERENCE queries: single precision may turn round two nearly equal ones.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from compute.measure import peaks
from compute.ranks import FIRST, PairRanks, pair_ranks

IMAGE_COUNT, CAPTIONS_OF_IMAGE, WIDTH, TURNS = 5000, 5, 512, 3
SIGNAL = 0.12  # of a caption's own image, beside noise of length 1
BATCH_SIZE = 64
DIRECTIONS = ("text to image", "image to text")
GOAL, LARGEST_DIFFERENCE = 3.0, 2
DENSE, OURS = "CLIP_benchmark's way, a dense matrix", "ours, in blocks, with all ranks"
REACHED, MISSED = "[green]reached[/]", "[red]missed[/]"
Recalls = dict[str, float]


def generated_features(image_count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Unit features of images (N, 512) and captions (5 N, 512) that lie a little nearer to their own, and each one's image."""
    generator = torch.Generator().manual_seed(0)
    images = functional.normalize(torch.randn(image_count, WIDTH, generator=generator), dim=-1)
    owner = torch.arange(image_count * CAPTIONS_OF_IMAGE) // CAPTIONS_OF_IMAGE
    noise = functional.normalize(torch.randn(len(owner), WIDTH, generator=generator), dim=-1)
    return images, functional.normalize(SIGNAL * images[owner] + noise, dim=-1), owner


def dense_recalls(images: Tensor, captions: Tensor, owner: Tensor) -> Recalls:
    """Share of the queries that find one of theirs among the first k, as CLIP_benchmark computes it."""
    scores = captions @ images.t()
    positive_pairs = torch.zeros_like(scores, dtype=torch.bool)
    positive_pairs[torch.arange(len(scores)), owner] = True
    recalls = {}
    for k in FIRST:
        recalls[f"text to image R@{k}"] = (batched_recall(scores, positive_pairs, k) > 0).float().mean().item()
        recalls[f"image to text R@{k}"] = (batched_recall(scores.T, positive_pairs.T, k) > 0).float().mean().item()
    return recalls


def batched_recall(scores: Tensor, positive_pairs: Tensor, k: int) -> Tensor:
    """Share of each query's positives that are among its first k: (Q, C) twice -> (Q,)."""
    parts = []
    for start in range(0, len(scores), BATCH_SIZE):
        batch, positive = scores[start : start + BATCH_SIZE], positive_pairs[start : start + BATCH_SIZE]
        first = torch.topk(batch, k, dim=1)[1]
        one_hot = functional.one_hot(first, num_classes=batch.shape[1])  # (B, k, C)
        found = (one_hot * positive.view(len(batch), 1, batch.shape[1])).sum(dim=(1, 2))
        parts.append(found / positive.sum(dim=1))
    return torch.cat(parts)


def ranked_recalls(images: Tensor, captions: Tensor, owner: Tensor) -> Recalls:
    """The same, as the experiment computes it."""
    return recalls_of(pair_ranks(images, captions, owner))


def recalls_of(found: PairRanks) -> Recalls:
    """Recall at 1, 5 and 10 both ways."""
    ways = zip(DIRECTIONS, (found.text_to_image, found.images), strict=True)
    return {f"{way} R@{k}": places.hits(k) / len(places.above) for way, places in ways for k in FIRST}


CONTESTANTS: dict[str, Callable[[Tensor, Tensor, Tensor], Recalls]] = {DENSE: dense_recalls, OURS: ranked_recalls}


def measure(image_count: int, turns: int) -> tuple[dict[str, float], dict[str, Recalls], dict[str, float]]:
    """Median seconds of each contestant, recalls, and MiB at the highest beyond the features. A first run does not count."""
    features = generated_features(image_count)
    recalls: dict[str, Recalls] = {}
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    highest_mib = {}
    for name, contestant in CONTESTANTS.items():
        told = peaks(lambda contestant=contestant: contestant(*features), torch.device("cpu"))  # type: ignore[misc]
        highest_mib[name] = told["process peak"] - told["process before"] if told else float("nan")
    for _ in range(turns):
        for name, contestant in CONTESTANTS.items():
            clock = time.perf_counter()
            recalls[name] = contestant(*features)
            seconds[name].append(time.perf_counter() - clock)
    return {name: statistics.median(taken) for name, taken in seconds.items()}, recalls, highest_mib


def differing_queries(recalls: dict[str, Recalls], image_count: int) -> float:
    """By how many queries the contestants' recalls differ at most."""
    queries = dict(zip(DIRECTIONS, (image_count * CAPTIONS_OF_IMAGE, image_count), strict=True))
    dense, ours = recalls[DENSE], recalls[OURS]
    return max(abs(dense[name] - ours[name]) * queries[name.partition(" R@")[0]] for name in dense)


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGE_COUNT)
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    seconds, recalls, highest_mib = measure(arguments.images, arguments.turns)
    ratio, differing = seconds[DENSE] / seconds[OURS], differing_queries(recalls, arguments.images)
    recall_columns = (f"{way}\nR@1, 5, 10 (%)" for way in DIRECTIONS)
    table = Table("", "Median (s)", "Peak (MiB)", *recall_columns, "Ours is faster", "Goal", "")
    table.title = (
        f"{arguments.images:,} images x {arguments.images * CAPTIONS_OF_IMAGE:,} captions, {WIDTH} dimensions, "
        f"{torch.get_num_threads()} threads"
    )
    verdict = (f"{ratio:.1f}x", f"{GOAL:.0f}x", REACHED if ratio >= GOAL else MISSED)
    for name in CONTESTANTS:
        figures = (", ".join(f"{100 * recalls[name][f'{way} R@{k}']:.2f}" for k in FIRST) for way in DIRECTIONS)
        judged = verdict if name == DENSE else ("", "", "")
        table.add_row(name, f"{seconds[name]:.2f}", f"{highest_mib[name]:,.0f}", *figures, *judged)
    table.caption = (
        f"Medians of {arguments.turns} turns; memory beyond the features. Recalls differ by {differing:.1f} queries, of "
        f"{LARGEST_DIFFERENCE} allowed. Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    return 1 if ratio < GOAL or differing > LARGEST_DIFFERENCE else 0


if __name__ == "__main__":
    sys.exit(main())
