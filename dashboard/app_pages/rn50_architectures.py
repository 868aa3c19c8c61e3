"""Are the two RN50 encoders the same?"""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

import pandas
import streamlit

from dashboard import layout, queries
from dashboard import queries_architectures as rows
from dashboard.components import figures, markup
from dashboard.connection import Results
from dashboard.layout import Finding, Pages
from dashboard.views.architecture_comparison import ENCODERS, Part, changes, encoder_stages, share, short, whole
from dashboard.views.architecture_drawing import drawing
from dashboard.views.architecture_tables import differences, layer_table, stage_table

EXPERIMENT = "rn50_architectures"
TITLE = "RN50 architectures"
QUESTION = "Are the two RN50 encoders the same?"
COST = "a few seconds"  # in every profile
BASIS = (
    "Counted from the definitions at their real size: no weights, no seeds, no chance, and so no interval; the same in every "
    "profile."
)
LEGEND = (
    "A bar is a layer’s output: as wide as its resolution, as thick as its channels (their root); a disc is a vector. Faded is "
    "what both have, full color what the other lacks or has otherwise; the numbers lead to the list. Batch norm and ReLU "
    "are left out."
)

_show = markup.component("contrast_architecture", "architecture.css")


def page(results: Results, pages: Pages) -> None:
    """Draw the whole page."""
    layout.heading(
        QUESTION,
        "Both are called RN50, for ResNet-50. Here are torchvision’s, known from ImageNet, and the image encoder of OpenAI’s "
        "CLIP, layer by layer, from the modules themselves at their real size.",
    )
    profile = _choose_profile(results)
    stages = encoder_stages(results, profile)
    if stages is None:
        layout.not_run_yet(EXPERIMENT)
        return
    _answer(results, profile, stages)
    _show(_overview(stages), "overview")
    streamlit.subheader("Stage by stage")
    _show(stage_table(stages), "stages")
    _layers(results, profile, stages)
    _conclusion(stages)
    layout.provenance(queries.runs(results), rows.encoder_runs(results, profile).run_id, pages)


def findings(results: Results) -> list[Finding]:
    """What was found in each profile in which both encoders are written down, or over all profiles where none has both."""
    data = _data(results)
    answers = []
    for label, profile in zip(_labels(data), data.profile, strict=True):
        if (stages := encoder_stages(results, profile)) is not None:
            everything = whole(stages)
            alike = f"{everything.same} of {_and(everything.layer_counts)} layers are the same."
            view = {"data": label} if len(data) > 1 else {}
            answers.append(Finding(_sentence(stages), label, f"{alike} {BASIS}", [], view))
    return answers


def _data(results: Results) -> pandas.DataFrame:
    """What to choose from: what the encoders were shown in each profile; one row with no profile where none has both."""
    profiles: list[str | None] = [*rows.encoder_profiles(results)] or [None]
    shown = [_picture(results, profile) for profile in profiles]
    return pandas.DataFrame(
        {
            "dataset_name": [f"{words[:1].upper()}{words[1:]}" for words in shown],
            "profile": profiles,
            "dataset": profiles,
            "labels": None,
        }
    )


def _labels(data: pandas.DataFrame) -> list[str]:
    """The names of what there is to choose from; a profile is named where there is more than one."""
    return layout.dataset_labels(data) if len(data) > 1 else data.dataset_name.tolist()


def _choose_profile(results: Results) -> str | None:
    """Let a person pick a profile where both encoders were written down in more than one; None where in none."""
    data = _data(results)
    return data.profile.iloc[0] if len(data) == 1 else str(layout.choose_data(data).profile)


def _picture(results: Results, profile: str | None) -> str:
    """What was shown to the encoders."""
    return f"one picture of {_and(rows.encoder_runs(results, profile).image_size_px)} px"


def _and(values: Iterable[object]) -> str:
    """Two values as words, or one where they are the same."""
    return " and ".join(map(str, dict.fromkeys(values)))


def _sentence(stages: Sequence[Part]) -> str:
    everything = whole(stages)
    if everything.layer_counts == (everything.same, everything.same):
        return "Yes: layer for layer they are the same."
    found = changes(stages) or ["other layers"]
    listed = f"{', '.join(found[:-1])} and {found[-1]}" if found[1:] else found[0]
    costs = [
        f"**{share(counts)} {unit}**"
        for counts, unit in ((everything.parameters, "parameters"), (everything.multiply_adds, "multiply-adds"))
        if counts[0] != counts[1] and counts[0]
    ]
    return f"No: {ENCODERS['clip_rn50']} has {listed}{': ' if costs else ''}{', '.join(costs)}."


def _answer(results: Results, profile: str | None, stages: Sequence[Part]) -> None:
    everything = whole(stages)
    streamlit.markdown(f"## {_sentence(stages)}")
    changed = (("Parameters", everything.parameters), ("Multiply-adds", everything.multiply_adds))
    alike = "Layers that are the same", str(everything.same), f"of {_and(everything.layer_counts)}"
    others = [(label, share(counts) or "–", f"{short(counts[0])} to {short(counts[1])}") for label, counts in changed]
    figures.show([alike, *others], "answer")
    note = f" {layout.profile_note(profile)}" if profile and len(rows.encoder_profiles(results)) > 1 else ""
    streamlit.caption(f"For {layout.plain(_picture(results, profile))}. {BASIS}{note}")


def _overview(stages: Sequence[Part]) -> Element:
    """The drawing, and beside it, or below it where the page is narrow, what differs."""
    root = Element("div", {"class": "overview"})
    left = markup.add(root, "div")
    left.append(drawing(stages))
    markup.add(left, "p", LEGEND, class_="legend faint")
    root.append(differences(stages))
    return root


@streamlit.fragment
@layout.errors_as_messages()
def _layers(results: Results, profile: str | None, stages: Sequence[Part]) -> None:
    """One stage's layers; a fragment, so that another stage draws nothing else anew."""
    names = [stage.name for stage in stages]
    chosen = layout.choose_button("Layers of", names, "stage")
    _show(layer_table(stages[names.index(chosen)]), "layers")
    layout.csv_button(_all_layers(results, profile), EXPERIMENT)


def _all_layers(results: Results, profile: str | None) -> pandas.DataFrame:
    """The rows of both encoders, one below the other."""
    runs = rows.encoder_runs(results, profile)
    return pandas.concat(
        rows.encoder_layers(results, run.run_id).assign(encoder=ENCODERS.get(run.variant, run.variant))
        for run in runs.itertuples()
    )


def _conclusion(stages: Sequence[Part]) -> None:
    agree = [stage.name for stage in stages if stage.outputs()[0] == stage.outputs()[1]]
    streamlit.subheader("What to conclude, and what not")
    streamlit.markdown(
        f"""
- **The same name, two networks.** Who compares “pre-training on ImageNet” with “pre-training by CLIP” by these two compares
  architectures, too; what one does better cannot be put down to its data or its training task alone.
- {_without_heads(stages)} torchvision’s head is a classifier; CLIP’s belongs to the encoder, and the text encoder that a
  classification needs as well is not counted here.
- **Stages that put out the same shape**: {", ".join(agree) or "none"}. There, maps can be compared as they are. Weights
  cannot simply change places, as stem and head fit nowhere in the other network.
- **Only one takes pictures of any size.** CLIP’s attention pooling has learned a position for each place of its last map.
- **Multiply-adds are not time.** Batch norm, ReLU, pooling and the sums of residual blocks count nothing here, but they move as
  much memory. How fast an encoder is must be measured on the machine in question.

Sources: [He et al. 2016](https://arxiv.org/abs/1512.03385) for ResNet-50, where torchvision strides in the 3x3 convolutions
instead of the 1x1 ones; [Radford et al. 2021](https://arxiv.org/abs/2103.00020), section 2.4, for CLIP’s changes, after
[He et al. 2019](https://arxiv.org/abs/1812.01187) (ResNet-D) and [Zhang 2019](https://arxiv.org/abs/1904.11486) (rect-2 blur
pooling).
"""
    )


def _without_heads(stages: Sequence[Part]) -> str:
    body, head, everything = whole(stages[:-1]), stages[-1], whole(stages)
    shares = [
        f"{(of_head[1] - of_head[0]) / (of_all[1] - of_all[0]):.1%} of the difference in {unit}".replace("%", " %")
        for unit, of_head, of_all in (
            ("parameters", head.parameters, everything.parameters),
            ("multiply-adds", head.multiply_adds, everything.multiply_adds),
        )
        if of_all[0] != of_all[1]
    ]
    return (
        f"**Without their heads** they have {_and(map(short, body.parameters))} parameters and "
        f"{_and(map(short, body.multiply_adds))} multiply-adds: the heads make {' and '.join(shares) or 'no difference'}."
    )
