"""How fast prompts become zero-shot weights here, beside CLIP's own route, which fills every prompt up to 77 tokens.

Command: python -m benchmarks.zero_shot_weights [--classes N] [--turns N]

Both encode OpenAI's 80 templates for the same ImageNet classes with a text encoder of CLIP RN50's size and random weights, in
turns, a class at a time for CLIP's own route, as its notebook does it. Exit code 1 where it is less than GOAL times as fast, or
where unit features differ by more than LARGEST_DIFFERENCE.
"""

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

warnings.filterwarnings("ignore", message="pkg_resources")  # what clip says when it is imported

import clip  # noqa: E402
from clip.model import CLIP  # noqa: E402

from compute.data import imagenet  # noqa: E402
from compute.models.clip_text import encode_prompts  # noqa: E402

CLASS_COUNT, TURNS = 10, 2
GOAL, LARGEST_DIFFERENCE = 7.0, 1e-5
PLAIN, OURS = "clip.tokenize and encode_text, 77 tokens", "ours, each beginning of prompts once"
REACHED, MISSED = "[green]reached[/]", "[red]missed[/]"


def rn50_text_encoder() -> CLIP:
    """CLIP with the text encoder of RN50, with random weights; its image encoder is tiny, as nothing asks it."""
    torch.manual_seed(0)
    model = CLIP(
        embed_dim=1024, image_resolution=32, vision_layers=(1, 1, 1, 1), vision_width=16, vision_patch_size=None,
        context_length=77, vocab_size=49408, transformer_width=512, transformer_heads=8, transformer_layers=12,
    )  # fmt: skip
    return model.eval()


def class_prompts(class_count: int) -> list[list[str]]:
    """For each of so many classes, spread over all, its name in every template."""
    classes = imagenet.classes()
    chosen = classes[:: max(1, len(classes) // class_count)][:class_count]
    return [[template.format(entry.openai_name) for template in imagenet.templates()] for entry in chosen]


@torch.inference_mode()
def encode_plainly(model: CLIP, prompts: Sequence[Sequence[str]]) -> Tensor:
    """Unit features of all prompts of each class in turn: (prompts, D)."""
    return torch.cat([functional.normalize(model.encode_text(clip.tokenize(of_class)), dim=-1) for of_class in prompts])


def encode_here(model: CLIP, prompts: Sequence[Sequence[str]]) -> Tensor:
    """The same, as the experiment does it."""
    return encode_prompts(model, [prompt for of_class in prompts for prompt in of_class], torch.device("cpu"))


CONTESTANTS: dict[str, Callable[[CLIP, Sequence[Sequence[str]]], Tensor]] = {PLAIN: encode_plainly, OURS: encode_here}


def measure(class_count: int, turns: int) -> tuple[dict[str, float], float]:
    """Median seconds of each contestant, and the largest difference of their features."""
    model, prompts = rn50_text_encoder(), class_prompts(class_count)
    features: dict[str, Tensor] = {}
    seconds: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    for contestant in CONTESTANTS.values():
        contestant(model, [prompts[0][:8]])
    for _ in range(turns):
        for name, contestant in CONTESTANTS.items():
            clock = time.perf_counter()
            features[name] = contestant(model, prompts)
            seconds[name].append(time.perf_counter() - clock)
    difference = float((features[PLAIN] - features[OURS]).abs().max())
    return {name: statistics.median(taken) for name, taken in seconds.items()}, difference


def main() -> int:
    """Measure and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=CLASS_COUNT)
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    seconds, difference = measure(arguments.classes, arguments.turns)
    ratio = seconds[PLAIN] / seconds[OURS]
    prompts = arguments.classes * len(imagenet.templates())
    table = Table("", "Median (s)", "Prompts/s", "Ours is faster", "Goal", "")
    table.title = f"{arguments.classes} classes x {len(imagenet.templates())} templates, {torch.get_num_threads()} threads"
    verdict = (f"{ratio:.1f}x", f"{GOAL:.0f}x", REACHED if ratio >= GOAL else MISSED)
    table.add_row(PLAIN, f"{seconds[PLAIN]:.1f}", f"{prompts / seconds[PLAIN]:.0f}", *verdict)
    table.add_row(OURS, f"{seconds[OURS]:.1f}", f"{prompts / seconds[OURS]:.0f}", "", "", "")
    table.caption = (
        f"{arguments.turns} turns. Unit features differ by at most {difference:.1e}, of {LARGEST_DIFFERENCE:.0e} allowed. "
        f"Load at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 1 if ratio < GOAL or difference > LARGEST_DIFFERENCE else 0


if __name__ == "__main__":
    sys.exit(main())
