"""What each layer of a network is and costs, taken from the modules themselves while they run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from clip.model import AttentionPool2d
from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One call of one layer: `parameters` are those of the module, or 0 where an earlier call has counted them."""

    name: str
    kind: str
    detail: str
    output_shape: tuple[int, ...]  # without the batch
    parameters: int
    multiply_adds: int


@torch.inference_mode()
def layers_of(model: nn.Module, image: Tensor) -> list[Layer]:
    """The leaf modules of `model` in the order in which they run on `image` (1, C, H, W), which may be on the meta device.

    A module that is called several times has a row for each call. What is no module, such as the sum of a residual block,
    has none, and neither has nn.Identity, which does nothing. Attention pooling is one layer: it hands the weights of its
    projections to a function, so that they never run as modules. Multiply-adds are those of convolutions, linear layers and
    attention; all else, biases included, counts 0. Raises TypeError for a kind of module that is not described here.
    """
    layers: list[Layer] = []
    counted: set[nn.Module] = set()

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            parameters = 0 if module in counted else sum(parameter.numel() for parameter in module.parameters())
            counted.add(module)
            layers.append(
                Layer(name, *_description(module), tuple(output.shape[1:]), parameters, _multiply_adds(module, output))
            )

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in _leaves(model)]
    try:
        model(image)
    finally:
        for handle in handles:
            handle.remove()
    return layers


def _leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules that run as one layer, each with its dotted name."""
    leaves: list[tuple[str, nn.Module]] = []
    inside = "no such name"
    for name, module in model.named_modules():  # parents come before their children
        if isinstance(module, AttentionPool2d):
            inside = f"{name}."
            leaves.append((name, module))
        elif next(module.children(), None) is None and not isinstance(module, nn.Identity) and not name.startswith(inside):
            leaves.append((name, module))
    return leaves


def _description(module: nn.Module) -> tuple[str, str]:
    """Kind and detail of a layer, in words; a stride of 1 goes without saying."""
    match module:
        case nn.Conv2d():
            channels = f"{module.in_channels}→{module.out_channels}"
            return "convolution", f"{_size(module.kernel_size)}, {channels}{_stride(module.stride)}"
        case nn.BatchNorm2d():
            return "batch norm", f"{module.num_features} channels"
        case nn.ReLU():
            return "ReLU", ""
        case nn.MaxPool2d():
            return "max pooling", f"{_size(module.kernel_size)}{_stride(module.stride)}"
        case nn.AvgPool2d():
            return "average pooling", f"{_size(module.kernel_size)}{_stride(module.stride)}"
        case nn.AdaptiveAvgPool2d():
            return "average pooling", f"all to {_size(module.output_size)}"
        case nn.Linear():
            return "linear", f"{module.in_features}→{module.out_features}"
        case AttentionPool2d():
            tokens, width = module.positional_embedding.shape
            return "attention pooling", f"{tokens} tokens, {module.num_heads} heads, {width}→{module.c_proj.out_features}"
    raise TypeError(f"{type(module).__name__} is no kind of layer that compute/models/layer_table.py can describe.")


def _multiply_adds(module: nn.Module, output: Tensor) -> int:
    """Multiplications, each with its addition, of one call for one image.

    A convolution applies each weight once at each output position, a linear layer once. Attention pooling (clip/model.py) has
    T tokens of width D, of which the first, their mean, is the only query, whatever the number of heads: D² to project the
    query, T·D² each for keys and values, T·D for the products of query and keys, T·D for the weighted sum of the values, and D
    times the output's width for the last projection.
    """
    match module:
        case nn.Conv2d():
            return module.weight.numel() * output.shape[-2] * output.shape[-1]
        case nn.Linear():
            return module.weight.numel()
        case AttentionPool2d():
            tokens, width = module.positional_embedding.shape
            return width * width * (1 + 2 * tokens) + 2 * tokens * width + module.c_proj.weight.numel()
    return 0


def _pair(size: Any) -> Sequence[int]:
    return (size, size) if isinstance(size, int) else size


def _size(size: Any) -> str:
    return "x".join(map(str, _pair(size)))


def _stride(stride: Any) -> str:
    high, wide = _pair(stride)
    if high == wide:
        return f", stride {high}" if high > 1 else ""
    return f", stride {high}x{wide}"
