"""CLIP's image encoder in several number formats: natively, or emulated where a device has no arithmetic for them.

What is converted is decided by CLIP's own `convert_weights`: weights of convolutions, linear layers and attention, but neither
batch norms nor layer norms nor position embeddings. Emulated means that weights, and every layer's output, are rounded to the
format while all is computed in fp32; sums inside a layer are then more exact than a device's may be.
Source: openai/CLIP, clip/model.py.
"""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from clip.model import CLIP, AttentionPool2d, ModifiedResNet, convert_weights
from torch import Tensor, nn
from torch.nn import functional

DATA_TYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
Stage = tuple[str, Callable[[Tensor], Tensor]]


@dataclass(frozen=True)
class KeptTensor:
    """A parameter or buffer of a network, and the format that it is kept in; `kind` is its module's class.

    `rounded` of its `elements` become other numbers in that format.
    """

    name: str
    kind: str
    data_type: str
    elements: int
    rounded: int


def converted(model: nn.Module, data_type: torch.dtype) -> Any:
    """A copy of CLIP, or of a part of it, in which what CLIP's own rule converts is kept in `data_type`."""
    half = copy.deepcopy(model)
    if data_type == torch.float32:
        return half
    convert_weights(half)
    originals = dict(model.named_parameters())
    for name, parameter in half.named_parameters():
        if parameter.dtype == torch.float16:
            parameter.data = originals[name].data.to(data_type)
    return half


def emulated(visual: ModifiedResNet, data_type: torch.dtype) -> ModifiedResNet:
    """A copy of an image encoder that computes in fp32 and rounds its input, weights and layers' outputs to `data_type`."""
    rounding = converted(visual, data_type).float()

    def round_inputs(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(_rounded(each, data_type) for each in inputs)

    rounding.register_forward_pre_hook(round_inputs)
    for name, module in rounding.named_modules():
        if isinstance(module, AttentionPool2d):
            module.forward = functools.partial(_rounded_pooling, module, data_type)
        elif next(module.children(), None) is None and not name.startswith("attnpool."):
            module.register_forward_hook(lambda _module, _inputs, output: _rounded(output, data_type))
    return rounding


def _rounded_pooling(pool: AttentionPool2d, data_type: torch.dtype, values: Tensor) -> Tensor:
    """What CLIP's attention pooling computes, (B, C, H, W) -> (B, D), with each step's outcome rounded."""

    def step(outcome: Tensor) -> Tensor:
        return _rounded(outcome, data_type)

    def heads(tokens: Tensor) -> Tensor:  # (B, T, C) -> (B, heads, T, C / heads)
        return tokens.unflatten(-1, (pool.num_heads, -1)).transpose(1, 2)

    tokens = values.flatten(start_dim=2).transpose(1, 2)  # (B, H * W, C)
    tokens = torch.cat([step(tokens.mean(dim=1, keepdim=True)), tokens], dim=1)
    tokens = step(tokens + step(pool.positional_embedding))
    query, key, value = (heads(step(layer(tokens))) for layer in (pool.q_proj, pool.k_proj, pool.v_proj))
    attended = step(functional.scaled_dot_product_attention(query[:, :, :1], key, value))
    return step(pool.c_proj(attended.transpose(1, 2).flatten(start_dim=2)))[:, 0]


def stages(visual: ModifiedResNet) -> list[Stage]:
    """The encoder's steps, one after the other as its `forward` takes them: stem, each bottleneck, attention pooling.

    The first takes pictures (B, 3, H, W) float32, the last gives features (B, D).
    """

    def stem(pictures: Tensor) -> Tensor:
        values = pictures.type(visual.conv1.weight.dtype)
        for number in ("1", "2", "3"):
            convolution, norm, relu = (getattr(visual, f"{kind}{number}") for kind in ("conv", "bn", "relu"))
            values = relu(norm(convolution(values)))
        return visual.avgpool(values)

    bottlenecks = [
        (f"{layer}.{number}", block)
        for layer in ("layer1", "layer2", "layer3", "layer4")
        for number, block in enumerate(getattr(visual, layer))
    ]
    return [("stem", stem), *bottlenecks, ("attnpool", visual.attnpool)]


def similarity(features: Tensor, text: Tensor, scale: Tensor, data_type: torch.dtype) -> Tensor:
    """CLIP's logits in a format, as `CLIP.forward` computes them: (N, D), (K, D) -> (N, K) of type `data_type`.

    features are as the encoder gives them; text are unit vectors; scale is the factor of the cosines, in fp32.
    """
    image = features.to(data_type)
    image = image / image.norm(dim=1, keepdim=True)
    return scale * image @ text.to(data_type).T


def kept_tensors(model: CLIP, data_type: torch.dtype) -> list[KeptTensor]:
    """Every parameter and buffer of CLIP with the format that it has after its conversion to `data_type`."""
    half, originals = converted(model, data_type), model.state_dict()
    kept = []
    for name, values in half.state_dict().items():
        if values.is_floating_point():  # batch norms count their batches, too
            kind = type(half.get_submodule(name.rpartition(".")[0])).__name__
            rounded = int((values.float() != originals[name]).sum())
            kept.append(KeptTensor(name, kind, str(values.dtype).removeprefix("torch."), values.numel(), rounded))
    return kept


def _rounded(values: Tensor, data_type: torch.dtype) -> Tensor:
    return values.to(data_type).float()
