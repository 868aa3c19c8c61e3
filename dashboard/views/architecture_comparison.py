"""Two encoders side by side: their layers from the rows, aligned stage by stage, and what differs."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

import pandas

from dashboard.connection import Results
from dashboard.kept import kept
from dashboard.queries_architectures import STAGES, encoder_layers, encoder_runs

ENCODERS = {"torchvision_rn50": "torchvision RN50", "clip_rn50": "CLIP RN50"}
MANIFOLD = 10  # from here on a figure is so many times another, not so many percent more
SAME, RESIZED, DIFFERENT = "same", "resized", "different"
TOPICS = ("stem", "blocks", "shortcuts", "head")  # blocks: their main path alone
UNSEEN = ("batch norm", "ReLU")  # they follow their convolution, and go without saying in a summary
SHAPE = re.compile(r"(\d{1,6})(?:x(\d{1,6})x(\d{1,6}))?")
CHANNELS = re.compile(r"(, )?\d+→\d+")


@dataclass(frozen=True)
class Layer:
    """One layer as its row tells it."""

    stage: str
    name: str
    kind: str
    detail: str
    output_shape: str
    parameters: int
    multiply_adds: int

    @property
    def definition(self) -> tuple[str, str]:
        """What makes two layers the same, wherever they stand."""
        return self.kind, self.detail

    @property
    def is_shortcut(self) -> bool:
        """Whether it stands in the branch around a block's convolutions; both packages call that branch so."""
        return ".downsample" in self.name

    @property
    def block(self) -> str:
        """The residual block that it belongs to, such as layer2.0; empty outside of blocks."""
        parts = self.name.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 else ""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Channels and height of the output, the latter 1 for a vector; None where the row's text is no shape."""
        found = SHAPE.fullmatch(self.output_shape)
        return (int(found[1]), int(found[2] or 1)) if found else None


@dataclass(frozen=True)
class Pair:
    """What stands at one place of the two encoders: two layers, or one where the other has none."""

    first: Layer | None
    second: Layer | None

    @property
    def layers(self) -> list[Layer]:
        """The one or two layers that there are."""
        return [layer for layer in (self.first, self.second) if layer]

    @property
    def status(self) -> str:
        """SAME; RESIZED where the same layer puts out another shape; or DIFFERENT."""
        if not self.first or not self.second or self.first.definition != self.second.definition:
            return DIFFERENT
        return SAME if self.first.output_shape == self.second.output_shape else RESIZED


@dataclass(frozen=True)
class Part:
    """Some of the pairs, with what they add up to; each figure is of the first and of the second encoder."""

    name: str
    pairs: tuple[Pair, ...]

    def of(self, encoder: int) -> list[Layer]:
        """The layers of encoder 0 or 1."""
        chosen = ((pair.first, pair.second)[encoder] for pair in self.pairs)
        return [layer for layer in chosen if layer]

    @property
    def parameters(self) -> tuple[int, int]:
        """Parameters."""
        return self._both(lambda layers: sum(layer.parameters for layer in layers))

    @property
    def multiply_adds(self) -> tuple[int, int]:
        """Multiply-adds for one picture."""
        return self._both(lambda layers: sum(layer.multiply_adds for layer in layers))

    @property
    def layer_counts(self) -> tuple[int, int]:
        """Layers."""
        return self._both(len)

    @property
    def same(self) -> int:
        """Layers that both have, whatever their output's size."""
        return sum(pair.status != DIFFERENT for pair in self.pairs)

    def outputs(self) -> tuple[str, str]:
        """Shape of what the last layer puts out; empty where there is no layer."""
        first, second = ([layer.output_shape for layer in self.of(encoder)][-1:] for encoder in (0, 1))
        return "".join(first), "".join(second)

    def _both(self, count: Callable[[list[Layer]], int]) -> tuple[int, int]:
        return count(self.of(0)), count(self.of(1))


@kept
def encoder_stages(results: Results, profile: str | None = None) -> tuple[Part, ...] | None:
    """Both encoders in a profile, or in any, stage by stage; None where one of them has not run."""
    runs = encoder_runs(results, profile)
    if not set(ENCODERS) <= set(runs.variant):
        return None
    run_ids = dict(zip(runs.variant, runs.run_id, strict=True))
    first, second = (encoder_layers(results, run_ids[variant]) for variant in ENCODERS)
    return compare(first, second)


def compare(first: pandas.DataFrame, second: pandas.DataFrame) -> tuple[Part, ...]:
    """The stages of two encoders, aligned, from the rows of `queries_architectures.encoder_layers`."""
    sides = [[Layer(*row) for row in rows[list(Layer.__annotations__)].itertuples(index=False)] for rows in (first, second)]
    return tuple(
        Part(stage, tuple(align(*([layer for layer in side if layer.stage == stage] for side in sides)))) for stage in STAGES
    )


def whole(stages: Iterable[Part]) -> Part:
    """All stages as one."""
    return Part("all", tuple(pair for stage in stages for pair in stage.pairs))


def align(first: Sequence[Layer], second: Sequence[Layer]) -> list[Pair]:
    """Pair layers of the same definition in order; between those, layers of the same kind, then whatever is left in a place."""
    return [
        pair
        for firsts, seconds in _aligned(first, second, lambda layer: layer.definition)
        for pair in ([Pair(firsts[0], seconds[0])] if _match(firsts, seconds) else _by_kind(firsts, seconds))
    ]


def _match(first: Sequence[Layer], second: Sequence[Layer]) -> bool:
    return len(first) == len(second) == 1 and first[0].definition == second[0].definition


def _by_kind(first: Sequence[Layer], second: Sequence[Layer]) -> list[Pair]:
    gaps = _aligned(first, second, lambda layer: layer.kind)
    return [Pair(*pair) for firsts, seconds in gaps for pair in zip_longest(firsts, seconds)]


def _aligned(
    first: Sequence[Layer], second: Sequence[Layer], key: Callable[[Layer], object]
) -> list[tuple[Sequence[Layer], Sequence[Layer]]]:
    """Both sequences in pieces that belong together: one layer of each where the keys agree, whole gaps where they do not."""
    matcher = SequenceMatcher(None, [key(layer) for layer in first], [key(layer) for layer in second], autojunk=False)
    pieces: list[tuple[Sequence[Layer], Sequence[Layer]]] = []
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            pieces += [
                (first[start + i : start + i + 1], second[other_start + i : other_start + i + 1]) for i in range(end - start)
            ]
        else:
            pieces.append((first[start:end], second[other_start:other_end]))
    return pieces


def topic_of(stage: str, pair: Pair) -> str:
    """Which of TOPICS a place of a stage belongs to."""
    if stage in (STAGES[0], STAGES[-1]):
        return stage
    return "shortcuts" if pair.layers[0].is_shortcut else "blocks"


def topics(stages: Sequence[Part]) -> list[Part]:
    """All pairs by what they are there for, in the order of TOPICS."""
    return [
        Part(topic, tuple(pair for stage in stages for pair in stage.pairs if topic_of(stage.name, pair) == topic))
        for topic in TOPICS
    ]


def described(part: Part, encoder: int) -> list[str]:
    """The layers of one encoder that the other lacks or has otherwise, without channels, equal ones counted."""
    layers = ((pair.first, pair.second)[encoder] for pair in part.pairs if pair.status == DIFFERENT)
    texts = Counter(
        f"{layer.kind} {CHANNELS.sub('', layer.detail).strip(', ')}".strip()
        for layer in layers
        if layer and layer.kind not in UNSEEN
    )
    return [text if count == 1 else f"{count} × {text}" for text, count in texts.items()]


def count_of(layers: Iterable[Layer], kind: str, strided: bool = False) -> int:
    """How many layers are of a kind, or of those, how many have a stride."""
    return sum(layer.kind == kind and (not strided or "stride" in layer.detail) for layer in layers)


def changes(stages: Sequence[Part]) -> list[str]:
    """What is otherwise in the second encoder, each in a few words, as far as the rows show it."""
    stem, *_, head = stages
    before, after = (count_of(stem.of(encoder), "convolution") for encoder in (0, 1))
    found = [f"{after} convolutions instead of {before} as its stem"] if before != after else []
    body = Part("body", tuple(pair for stage in stages[1:-1] for pair in stage.pairs))
    strides, pools = count_of(body.of(0), "convolution", strided=True), count_of(body.of(1), "average pooling", strided=True)
    if strides and pools and not count_of(body.of(1), "convolution", strided=True):
        found.append("average pooling in place of strides")
    if count_of(head.of(1), "attention pooling") and not count_of(head.of(0), "attention pooling"):
        found.append("attention pooling as its head")
    return found


def note(pair: Pair) -> str:
    """A few words on what differs at one place; empty where nothing does."""
    first, second = pair.first, pair.second
    if pair.status == SAME:
        return ""
    if first and second:
        if pair.status == RESIZED:
            return f"the same layer on {_size(second)} instead of {_size(first)}"
        if "stride" in first.detail and "stride" not in second.detail:
            return f"no stride: a pooling {'before' if second.is_shortcut else 'after'} it halves the size instead"
        if (first.kind, second.kind) == ("max pooling", "average pooling"):
            return "the mean of each window instead of its largest value"
        if second.kind == "attention pooling":
            return "weighs the positions by what is there, and projects, in one layer"
        return "another kernel, other channels" if first.kind == second.kind else "another kind of layer"
    if second and second.kind == "average pooling":
        if second.detail == "1x1":
            return "a window of one pixel: changes nothing"
        return "halves the size in the stride’s place"
    if second and second.stage == STAGES[0]:
        return "a further convolution" if second.kind == "convolution" else "goes with a further convolution"
    return f"only in {ENCODERS['clip_rn50' if second else 'torchvision_rn50']}"


def _size(layer: Layer) -> str:
    return layer.output_shape.partition("x")[2] or layer.output_shape


def share(change: tuple[int, int]) -> str:
    """By how much the second figure exceeds the first, or how often it holds it; empty where that is 0."""
    before, after = change
    if before and after / before >= MANIFOLD:
        return f"{after / before:.0f} times"
    return f"{(after - before) / before:+.1%}".replace("%", "\N{NO-BREAK SPACE}%") if before else ""


def short(count: float) -> str:
    """A count in three digits with its thousands, millions or billions: 9.54 k, 25.6 M, 4.09 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(count) >= 0.9995 * size:
            value = count / size
            return f"{value:.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f} {unit}"
    return f"{count:.0f}"
