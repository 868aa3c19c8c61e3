"""Are the two RN50 encoders the same?

Method: torchvision's resnet50 and CLIP's RN50 image encoder are built at their real size on the meta device, which knows shapes
and no values; one 224x224 picture passes through, and every layer that runs is written down with its output's shape, its
parameters and its multiply-adds. No weights are needed, and no chance is involved.
Source: He et al. 2016 as torchvision.models.resnet50 defines it, with its classifier; Radford et al. 2021, section 2.4, as
clip.model.ModifiedResNet defines it, without the text encoder. Multiply-adds are those of convolutions, linear layers and
attention pooling, exactly; batch norm, ReLU, pooling, biases and residual sums count 0.
Command: python -m compute run rn50_architectures
Time: a second, on a CPU.
Tables: model_layer.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import ModuleType

import clip.model
import pandas
import torch
import torchvision.models.resnet
from torch import nn

from compute.models.layer_table import Layer, layers_of
from compute.trials import FixedData, Trial, TrialRows, Workbench

NAME = "rn50_architectures"
QUESTION = "Are the two RN50 encoders the same?"
VERSION = 1


@dataclass(frozen=True)
class Settings:
    """What the layers depend on besides the definitions; the same in all profiles."""

    image_size_px: int = 224


def torchvision_rn50(image_size_px: int) -> nn.Module:
    """(B, 3, H, W) -> (B, 1000) class scores; takes pictures of any size."""
    return torchvision.models.resnet.resnet50(weights=None)


def clip_rn50(image_size_px: int) -> nn.Module:
    """(B, 3, size, size) -> (B, 1024) image features, with the sizes that OpenAI's RN50 weights have."""
    return clip.model.ModifiedResNet(
        layers=(3, 4, 6, 3), output_dim=1024, heads=32, input_resolution=image_size_px, width=64
    )  # fmt: skip


@dataclass(frozen=True)
class Encoder:
    """A network under the name that people know it by, and the module that defines it."""

    model: str
    build: Callable[[int], nn.Module]
    defined_in: ModuleType


ENCODERS = {
    "torchvision_rn50": Encoder("torchvision RN50", torchvision_rn50, torchvision.models.resnet),
    "clip_rn50": Encoder("CLIP RN50", clip_rn50, clip.model),
}


def trials(profile: str, seed: int) -> list[Trial]:
    """One trial for each encoder, the same for every seed; it runs again where the installed definition is another."""
    return [
        Trial(NAME, variant, profile, 0, VERSION, Settings(), _definition(encoder.defined_in), run_trial)
        for variant, encoder in ENCODERS.items()
    ]


def _definition(module: ModuleType) -> FixedData:
    return FixedData(module.__name__, hashlib.sha256(inspect.getsource(module).encode()).hexdigest())


def stages_of(layers: Sequence[Layer]) -> list[str]:
    """The stage of each layer: 'stage 1' to 'stage 4' by the name, 'stem' before those and 'head' after them."""
    stages, stage = [], "stem"
    for layer in layers:
        group = layer.name.partition(".")[0]
        if group.startswith("layer"):
            stage = f"stage {group.removeprefix('layer')}"
        elif stage != "stem":
            stage = "head"
        stages.append(stage)
    return stages


def run_trial(trial: Trial, bench: Workbench) -> TrialRows:
    """Build one encoder and write down its layers."""
    encoder, size_px = ENCODERS[trial.variant], trial.settings.image_size_px
    with torch.device("meta"):
        model = encoder.build(size_px).eval()
        layers = layers_of(model, torch.empty(1, 3, size_px, size_px))
    rows = pandas.DataFrame([asdict(layer) for layer in layers]).assign(
        run_id=bench.run_id,
        model=encoder.model,
        ordinal=range(1, len(layers) + 1),
        stage=stages_of(layers),
        output_shape=["x".join(map(str, layer.output_shape)) for layer in layers],
    )
    parameters = int(rows.parameters.sum())
    bench.report(1, 1, f"{parameters / 1e6:.1f} M parameters")
    return TrialRows({"model_layer": rows}, weights="none: the architecture alone", parameters=parameters)
