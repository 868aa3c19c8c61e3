"""Tables of two encoders as HTML: what differs and why, the stages in figures, a stage's layers beside each other."""

from collections.abc import Sequence
from itertools import groupby
from xml.etree.ElementTree import Element

from dashboard.components.markup import add
from dashboard.views.architecture_comparison import (
    DIFFERENT,
    ENCODERS,
    SAME,
    Layer,
    Pair,
    Part,
    described,
    note,
    share,
    short,
    topics,
    whole,
)

REASONS = {
    "stem": (
        "Stem",
        "Three small convolutions reach further than the large one and put two more non-linearities between (ResNet-C in "
        "He et al. 2019). The mean of a window moves smoothly when the picture moves; its largest value jumps.",
    ),
    "blocks": (
        "Halving in the blocks",
        "A stride computes one position and skips the next, so that a picture moved by a pixel can give other features. "
        "Averaging before positions are dropped is steadier (Zhang 2019, filter rect-2), but now the "
        "convolution runs at every position.",
    ),
    "shortcuts": (
        "Halving in the shortcuts",
        "A 1x1 convolution with a stride never looks at three positions of four; an average uses them all (ResNet-D in He et "
        "al. 2019). The convolution still runs on the halved map, so that this costs next to nothing.",
    ),
    "head": (
        "Head",
        "The plain mean counts every position alike. With attention pooling the mean asks, each position answers by what it "
        "shows, and a last projection leads into the space that pictures share with texts (Radford et al. 2021, section 2.4).",
    ),
}
OUTPUT_REASON = (
    "Output",
    "torchvision’s are scores of ImageNet’s classes. CLIP’s are features that are compared with those of a text, so that any "
    "text can be a class.",
)
FEWEST_FOLDED = 4  # layers in a row that are the same


def differences(stages: Sequence[Part]) -> Element:
    """What differs, topic by topic with the numbers of the drawing: both encoders' layers, what that costs, what it is for."""
    root = Element("div", {"class": "topics"})
    for number, topic in enumerate(topics(stages), 1):
        if any(pair.status == DIFFERENT for pair in topic.pairs):
            title, reason = REASONS[topic.name]
            entry = _topic(root, str(number), title, [described(topic, encoder) for encoder in (0, 1)])
            costs = [_change(topic.multiply_adds, "multiply-adds"), _change(topic.parameters, "parameters")]
            add(entry, "p", " · ".join(costs), class_="costs")
            add(entry, "p", reason, class_="reason")
    outputs = stages[-1].outputs()
    if outputs[0] != outputs[1]:
        title, reason = OUTPUT_REASON
        entry = _topic(root, "", title, [[f"{output} values"] for output in outputs])
        add(entry, "p", reason, class_="reason")
    return root


def _topic(root: Element, number: str, title: str, sides: Sequence[list[str]]) -> Element:
    entry = add(root, "section", class_="topic")
    heading = add(entry, "h4")
    if number:
        add(heading, "span", number, class_="badge")
    add(heading, "span", title)
    for encoder, texts in enumerate(sides):
        side = add(entry, "p", class_="side")
        add(side, "i", class_=f"swatch swatch-{encoder}", title=list(ENCODERS.values())[encoder])
        add(side, "span", ", ".join(texts) or "none of these")
    return entry


def _change(counts: tuple[int, int], unit: str) -> str:
    change = counts[1] - counts[0]
    return f"{'+' if change > 0 else '−'}{short(abs(change))} {unit}" if change else f"same {unit}"


def stage_table(stages: Sequence[Part]) -> Element:
    """Parameters, multiply-adds and output of each stage for both encoders, with the difference, and of all together."""
    root = Element("div", {"class": "stages"})
    table = add(root, "table")
    head = add(table, "thead")
    groups, names = add(head, "tr"), add(head, "tr")
    add(groups, "th", rowspan=2)
    for group in ("multiply-adds", "parameters", "output"):
        add(groups, "th", group, colspan=3, class_="group")
        for encoder, name in enumerate(ENCODERS.values()):
            cell = add(names, "th", class_=_figure(encoder))
            add(cell, "i", class_=f"swatch swatch-{encoder}")
            add(cell, "span", name.removesuffix(" RN50"))
        add(names, "th", "change", class_="figure")
    body = add(table, "tbody")
    for part in (*stages, whole(stages)):
        _stage_row(body, part)
    return root


def _stage_row(body: Element, part: Part) -> None:
    row = add(body, "tr", class_="total" if part.name == "all" else "stage")
    name = add(row, "th", scope="row")
    add(name, "span", part.name)
    add(name, "small", f"{part.same} alike of {' and '.join(map(str, dict.fromkeys(part.layer_counts)))} layers")
    for label, counts in (("multiply-adds", part.multiply_adds), ("parameters", part.parameters)):
        add(row, "td", label, class_="label")
        for encoder, count in enumerate(counts):
            add(row, "td", short(count), class_=_figure(encoder), title=f"{count:,}")
        changed = counts[0] != counts[1]
        add(row, "td", share(counts) if changed else "same", class_=f"figure {'changed' if changed else 'faint'}")
    add(row, "td", "output", class_="label")
    outputs = part.outputs()
    for encoder, output in enumerate(outputs):
        add(row, "td", output.replace("x", "×") or "–", class_=_figure(encoder))
    changed = outputs[0] != outputs[1]
    add(row, "td", "other" if changed else "same", class_=f"figure {'changed' if changed else 'faint'}")


def _figure(encoder: int) -> str:
    """Classes of a figure's cell; the first encoder's opens a group of columns."""
    return "figure" if encoder else "figure opens"


def layer_table(stage: Part) -> Element:
    """A stage's layers beside each other, in the order in which they run; long runs of equal ones are folded."""
    root = Element("div", {"class": "layers"})
    head = add(root, "div", class_="pair head")
    for encoder, name in enumerate(ENCODERS.values()):
        cell = add(head, "div")
        add(cell, "i", class_=f"swatch swatch-{encoder}")
        add(cell, "span", name)
    for status, group in groupby(stage.pairs, lambda pair: pair.status):
        pairs = list(group)
        inside = root
        if status == SAME and len(pairs) >= FEWEST_FOLDED:
            inside = add(root, "details")
            first, last = (pairs[position].first for position in (0, -1))
            names = f": {first.name} to {last.name}" if first and last else ""
            add(inside, "summary", f"{len(pairs)} layers, the same in both{names}")
        for pair in pairs:
            _pair(inside, pair)
    return root


def _pair(root: Element, pair: Pair) -> None:
    row = add(root, "div", class_=f"pair {pair.status}")
    for encoder, layer in enumerate((pair.first, pair.second)):
        cell = add(row, "div", class_=f"cell cell-{encoder}{'' if layer else ' none'}")
        if layer is None:
            add(cell, "span", "–")
            continue
        add(cell, "b", layer.kind)
        add(cell, "span", layer.detail, class_="detail")
        facts = add(cell, "small")
        for fact in _facts(layer):
            add(facts, "span", fact)
    add(row, "div", note(pair), class_="note")


def _facts(layer: Layer) -> list[str]:
    facts = [layer.name, layer.output_shape.replace("x", "×")]
    facts += [f"{layer.parameters:,} parameters"] if layer.parameters else []
    return facts + ([f"{short(layer.multiply_adds)} multiply-adds"] if layer.multiply_adds else [])
