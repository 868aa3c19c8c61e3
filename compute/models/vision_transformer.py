"""Torchvision's Vision Transformer as an encoder of patches, with DINO's published weights or without any.

Source: Dosovitskiy et al. 2021; for DINO's weights, and how they are fitted to another size, Caron et al. 2021.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer
from torchvision.transforms.v2 import functional as pictures

from compute.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD

PATCH_PX = 16
MLP_RATIO = 4
DINO_HEAD_WIDTH = 64  # in all of DINO's networks
# What DINO calls a part, and what torchvision calls it: of the whole network, and of each block.
PARTS = {"patch_embed.proj": "conv_proj", "norm": "encoder.ln"}
BLOCK_PARTS = {
    "norm1": "ln_1",
    "attn.qkv": "self_attention.in_proj",
    "attn.proj": "self_attention.out_proj",
    "norm2": "ln_2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
}


def make_encoder(image_size_px: int, width: int, depth: int, heads: int, stem: Sequence[int] = ()) -> VisionTransformer:
    """A Vision Transformer with patches of 16 pixels and layer norms of epsilon 1e-6, without weights and a classifier.

    ViT-S/16 has width 384, depth 12 and 6 heads, and projects its patches at once. With `stem`, the channels of four 3x3
    convolutions that each halve the resolution make patches instead, as Xiao et al. 2021 found easier to train. Raises
    ValueError where the size is no multiple of 16, or the stem has another number of layers.
    """
    if image_size_px % PATCH_PX:
        raise ValueError(f"patches are {PATCH_PX} pixels wide: {image_size_px} is no multiple of it")
    if len(stem) not in (0, 4):
        raise ValueError(f"a stem has four convolutions, or there is none: {tuple(stem)}")
    convolutions = [ConvStemConfig(channels, kernel_size=3, stride=2) for channels in stem] or None
    encoder = VisionTransformer(image_size_px, PATCH_PX, depth, heads, width, MLP_RATIO * width, conv_stem_configs=convolutions)
    encoder.heads = nn.Sequential()  # its output is read off before any classifier
    return encoder


def patch_features(encoder: VisionTransformer, images: Tensor) -> Tensor:
    """The encoder's tokens after its last norm, without the class token, as a map.

    images: (B, 3, S, S) float32, normalized, S the encoder's size -> (B, D, S / 16, S / 16). Raises ValueError at another size.
    """
    if images.shape[-2:] != (encoder.image_size, encoder.image_size):
        height, width = images.shape[-2:]
        raise ValueError(f"the encoder's images are {encoder.image_size} pixels square, not {height}x{width}")
    grid = encoder.conv_proj(images)  # (B, D, h, w)
    class_token = encoder.class_token.expand(len(images), -1, -1)
    tokens = encoder.encoder(torch.cat([class_token, grid.flatten(2).mT], dim=1))  # (B, 1 + h * w, D)
    return tokens[:, 1:].mT.reshape(grid.shape)


def encoder_inputs(photos: np.ndarray | Tensor, size_px: int) -> Tensor:
    """Photos (N, H, W, 3) uint8, or (N, 3, H, W) as a tensor -> (N, 3, size, size) float32 in ImageNet's normalization."""
    pixels = torch.from_numpy(photos).permute(0, 3, 1, 2) if isinstance(photos, np.ndarray) else photos
    resized = pictures.resize(pixels, [size_px, size_px], antialias=True)
    return pictures.normalize(pictures.to_dtype(resized, torch.float32, scale=True), list(IMAGENET_MEAN), list(IMAGENET_STD))


def from_dino(state: Mapping[str, Tensor], image_size_px: int) -> VisionTransformer:
    """The encoder of a state dict in DINO's names, in eval mode; its position embedding is interpolated where sizes differ.

    Width, depth and patch size are the weights' own. Raises KeyError, ValueError or RuntimeError where it holds something else.
    """
    patches = state["patch_embed.proj.weight"].shape[-1]
    if patches != PATCH_PX:
        raise ValueError(f"its patches are {patches} pixels wide instead of {PATCH_PX}")
    width = state["pos_embed"].shape[-1]
    depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
    encoder = make_encoder(image_size_px, width, depth, max(1, width // DINO_HEAD_WIDTH))
    names = dict(PARTS)
    for block in range(depth):
        names |= {
            f"blocks.{block}.{ours}": f"encoder.layers.encoder_layer_{block}.{name}" for ours, name in BLOCK_PARTS.items()
        }
    renamed = {"class_token": state["cls_token"]}
    renamed["encoder.pos_embedding"] = _fitted_positions(state["pos_embed"], image_size_px // PATCH_PX)
    for given, name in names.items():
        joint = "_" if name.endswith("in_proj") else "."  # torchvision keeps queries, keys and values in one bare parameter
        for kind in ("weight", "bias"):
            renamed[f"{name}{joint}{kind}"] = state[f"{given}.{kind}"]
    encoder.load_state_dict(renamed)
    return encoder.eval()


def _fitted_positions(positions: Tensor, side: int) -> Tensor:
    """DINO's interpolate_pos_encoding: (1, 1 + n * n, D) -> (1, 1 + side * side, D), the class token's as it is."""
    trained = math.isqrt(positions.shape[1] - 1)
    if trained == side:
        return positions
    grid = positions[:, 1:].reshape(1, trained, trained, -1).permute(0, 3, 1, 2)
    scale = (side + 0.1) / trained  # the tenth keeps rounding from losing a row, and moves the grid a little: weights expect it
    fitted = functional.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([positions[:, :1], fitted.flatten(2).mT], dim=1)
