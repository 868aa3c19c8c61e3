"""A drawing of two encoders, stage by stage and layer by layer, made from their rows.

It is an SVG that grows with the page: places and widths are percentages of its width, heights and letters are pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element

from dashboard.components.markup import add
from dashboard.views.architecture_comparison import DIFFERENT, ENCODERS, TOPICS, UNSEEN, Layer, Pair, Part, short, topic_of

CENTERS = (27.0, 73.0)  # of the two encoders, in percent, as all that follows up to the pixels
WIDEST = 24.0  # the map with the highest resolution
BESIDE = 1.2  # between main path and shortcut
BEFORE_NUMBER = 3.2  # from the edge of what it numbers
SHORTCUT_SHARE = 1 / 3  # of the width that a map of its size has in the main path
HEADING_PX, PADDING_PX, LOWEST_STAGE_PX, BLOCK_GAP_PX, LAYER_GAP_PX, LINE_PX = 60, 9, 34, 5, 2, 16
MOST_CHANNELS, LARGEST_SIDE = 16384, 4096  # a foreign row that says more is drawn no larger


@dataclass(frozen=True)
class Block:
    """A residual block, or all of a stage that has none: its pairs, and where each begins."""

    top: float
    end: float
    places: tuple[tuple[float, Pair], ...]

    def layers(self, encoder: int, shortcut: bool) -> list[Layer]:
        """Layers of one encoder in the main path or in the shortcut."""
        return [layer for _, pair in self.places for layer in _of(pair, encoder) if layer.is_shortcut == shortcut]


def drawing(stages: Sequence[Part]) -> Element:
    """Both encoders from top to bottom: every layer that convolves, pools or weighs, alike ones at the same height.

    A map is a bar, as wide as its resolution and as thick as its channels, a vector a disc; what the other encoder has as well
    is faded. Layers that differ carry the number that their topic has in TOPICS, counted from 1.
    """
    svg = Element("svg", {"width": "100%", "role": "img", "aria-label": _words(stages)})
    _headings(svg)
    highest = max((_shape(layer)[1] for stage in stages for pair in stage.pairs for layer in pair.layers), default=1)
    top = float(HEADING_PX)
    for stage in stages:
        blocks, end = _laid_out(stage, top)
        _line(svg, "border", 0, 100, top, top)
        for center in CENTERS:
            _line(svg, "path", center, center, top, end)
        _texts(svg, stage, top)
        for encoder in (0, 1):
            _tower(svg, stage, blocks, encoder, WIDEST / highest)
        top = end
    svg.set("height", f"{top:.0f}")
    return svg


def _words(stages: Sequence[Part]) -> str:
    """The drawing for who cannot see it."""
    parts = [
        f"{stage.name}: {' and '.join(dict.fromkeys(stage.outputs()))}, "
        f"{stage.same} layers alike of {' and '.join(map(str, stage.layer_counts))}"
        for stage in stages
    ]
    return f"{' beside '.join(ENCODERS.values())}, from input to output. {'; '.join(parts)}."


def _laid_out(stage: Part, top: float) -> tuple[list[Block], float]:
    """A stage's blocks below each other, each with its shortcut beside the main path; and where the stage ends."""
    by_block: dict[str, list[Pair]] = {}
    for pair in stage.pairs:
        if pair.layers[0].kind not in UNSEEN:
            by_block.setdefault(pair.layers[0].block, []).append(pair)
    blocks, y = [], top + PADDING_PX
    for pairs in by_block.values():
        places: list[tuple[float, Pair]] = []
        ends = {False: y, True: y + BLOCK_GAP_PX / 2}  # of main path and shortcut, which grow side by side
        for pair in pairs:
            is_shortcut = pair.layers[0].is_shortcut
            places.append((ends[is_shortcut], pair))
            ends[is_shortcut] += max(map(_height, pair.layers)) + LAYER_GAP_PX
        end = max(ends.values())
        blocks.append(Block(y, end, tuple(places)))
        y = end + BLOCK_GAP_PX
    return blocks, max(y - BLOCK_GAP_PX, top + PADDING_PX + LOWEST_STAGE_PX) + PADDING_PX


def _headings(svg: Element) -> None:
    for encoder, name in enumerate(ENCODERS.values()):
        add(svg, "text", name, class_="name", x=f"{CENTERS[encoder]}%", y=16)
        for row, text in enumerate(("multiply-adds", "parameters")):
            add(svg, "text", text, class_=f"side-{encoder} faint", x=f"{100 * encoder}%", y=36 + LINE_PX * row)


def _texts(svg: Element, stage: Part, top: float) -> None:
    """Name and output of a stage between the encoders, its figures at their sides."""
    first_line, second_line = top + 20, top + 20 + LINE_PX
    add(svg, "text", stage.name, class_="name", x="50%", y=f"{first_line:.1f}")
    outputs = " | ".join(dict.fromkeys(output.replace("x", "×") for output in stage.outputs()))
    add(svg, "text", outputs, class_="faint", x="50%", y=f"{second_line:.1f}")
    for encoder in (0, 1):
        side, x = f"side-{encoder}", f"{100 * encoder}%"
        add(svg, "text", short(stage.multiply_adds[encoder]), class_=side, x=x, y=f"{first_line:.1f}")
        add(svg, "text", short(stage.parameters[encoder]), class_=f"{side} faint", x=x, y=f"{second_line:.1f}")


def _tower(svg: Element, stage: Part, blocks: Sequence[Block], encoder: int, scale: float) -> None:
    """One encoder's layers of a stage; shortcuts are on the outer side, numbers beside the second encoder."""
    center, outwards = CENTERS[encoder], (-1, 1)[encoder]
    numbered: set[str] = set()
    for block in blocks:
        half = max((_width(layer, scale) for layer in block.layers(encoder, False)), default=0.0) / 2
        branch = block.layers(encoder, True)
        branch_half = SHORTCUT_SHARE * max((_width(layer, scale) for layer in branch), default=0.0) / 2
        beside = center + outwards * (half + BESIDE + branch_half)
        if branch:
            _around(svg, center, beside, block)
        for y, pair in block.places:
            for layer in _of(pair, encoder):
                x, share = (beside, SHORTCUT_SHARE) if layer.is_shortcut else (center, 1.0)
                _layer(svg, layer, f"layer encoder-{encoder} {pair.status}", x, y, share * _width(layer, scale))
            topic = topic_of(stage.name, pair)
            if encoder == 1 and pair.status == DIFFERENT and topic not in numbered:
                numbered.add(topic)
                at = beside + branch_half if pair.layers[0].is_shortcut else center - max(half, 1)
                number_x = at + BEFORE_NUMBER * (1 if pair.layers[0].is_shortcut else -1)
                _number(svg, TOPICS.index(topic) + 1, number_x, y + max(map(_height, pair.layers)) / 2)


def _around(svg: Element, center: float, beside: float, block: Block) -> None:
    """The way around a block, from before its first layer to behind its last one."""
    top, end = block.top - BLOCK_GAP_PX / 2, block.end + (BLOCK_GAP_PX - LAYER_GAP_PX) / 2
    for (x1, y1), (x2, y2) in pairwise(((center, top), (beside, top), (beside, end), (center, end))):
        _line(svg, "path", x1, x2, y1, y2)


def _layer(svg: Element, layer: Layer, classes: str, x: float, y: float, width: float) -> None:
    height = _height(layer)
    if _shape(layer)[1] == 1:
        shape = add(svg, "circle", class_=classes, cx=f"{x:.2f}%", cy=f"{y + height / 2:.1f}", r=f"{height / 2:.1f}")
    else:
        size = {"width": f"{width:.2f}%", "height": f"{height:.1f}"}
        shape = add(svg, "rect", class_=classes, x=f"{x - width / 2:.2f}%", y=f"{y:.1f}", **size)
    words = f"{layer.kind} {layer.detail}".strip()
    add(shape, "title", f"{layer.name}: {words}; gives {layer.output_shape}")


def _number(svg: Element, number: int, x: float, y: float) -> None:
    add(svg, "circle", class_="badge", cx=f"{x:.2f}%", cy=f"{y:.1f}", r=8)
    add(svg, "text", number, class_="badge-text", x=f"{x:.2f}%", y=f"{y + 4:.1f}")


def _line(svg: Element, classes: str, x1: float, x2: float, y1: float, y2: float) -> None:
    add(svg, "line", class_=classes, x1=f"{x1:.2f}%", x2=f"{x2:.2f}%", y1=f"{y1:.1f}", y2=f"{y2:.1f}")


def _of(pair: Pair, encoder: int) -> Iterator[Layer]:
    layer = (pair.first, pair.second)[encoder]
    if layer:
        yield layer


def _shape(layer: Layer) -> tuple[int, int]:
    """Channels and height of the output, within reason; a single value where the row's text is no shape."""
    channels, side = layer.shape or (1, 1)
    return min(channels, MOST_CHANNELS), min(max(side, 1), LARGEST_SIDE)


def _width(layer: Layer, scale: float) -> float:
    return scale * _shape(layer)[1]


def _height(layer: Layer) -> float:
    return max(2.5, math.sqrt(_shape(layer)[0]) / 3.4)
