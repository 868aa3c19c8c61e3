"""Heads that turn a frozen encoder's patch features into a segmentation: linear, convolutional, and two of transformers.

Source: the course report on decoder heads; for the transformers Strudel et al. 2021 (Segmenter), section 3.2.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD_WIDTH = 64  # channels of an attention head
MLP_RATIO = 4


def linear_head(width: int, class_count: int) -> nn.Module:
    """A 1x1 convolution: (B, D, h, w) -> logits (B, class_count, h, w)."""
    return nn.Conv2d(width, class_count, kernel_size=1)


def convolutional_head(width: int, class_count: int) -> nn.Module:
    """Three blocks of two transposed convolutions, D -> 2D -> D -> classes: (B, D, h, w) -> logits (B, class_count, 8h, 8w).

    Each block first doubles the resolution and changes the channels (2x2, stride 2), and then refines (3x3). A ReLU follows
    each transposed convolution but the very last, whose outputs are the logits. Weights start as He et al. 2015 have it:
    torch's own start takes a transposed convolution's outputs for its inputs, and six of them leave next to nothing.
    """
    layers: list[nn.Module] = []
    for before, after in ((width, 2 * width), (2 * width, width), (width, class_count)):
        layers += [nn.ConvTranspose2d(before, after, kernel_size=2, stride=2), nn.ReLU()]
        layers += [nn.ConvTranspose2d(after, after, kernel_size=3, padding=1), nn.ReLU()]
    head = nn.Sequential(*layers[:-1])
    for layer in head:
        if isinstance(layer, nn.ConvTranspose2d):
            overlapping = 1 if layer.stride == layer.kernel_size else math.prod(layer.kernel_size)  # that write to one output
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (layer.in_channels * overlapping)))
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return head


class TransformerHead(nn.Module):
    """Segmenter's mask transformer in one layer: learnable class tokens attend to the patches, and masks are their products.

    Patch and class tokens together pass a layer norm and self-attention, added to them. Then an MLP for the patches and
    another for the classes; a mask is the product of a patch and a class, both of length 1, and a layer norm over the classes
    makes it a logit. With `share_query_key` one projection makes queries and keys.

    Without `heads` there is one attention head for every 64 channels, as in Segmenter. Raises ValueError where D is no multiple
    of them. forward: features (B, D, h, w) -> logits (B, class_count, h, w).
    """

    def __init__(self, width: int, class_count: int, share_query_key: bool = False, heads: int | None = None) -> None:
        super().__init__()
        self.heads = heads or max(1, width // HEAD_WIDTH)
        if width % self.heads:
            raise ValueError(f"a width of {width} is no multiple of {self.heads} attention heads")
        self.class_tokens = nn.Parameter(torch.randn(1, class_count, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = self.query if share_query_key else nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.patch_mlp, self.class_mlp = _mlp(width), _mlp(width)
        self.mask_norm = nn.LayerNorm(class_count)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, D, h, w) -> logits (B, class_count, h, w)."""
        tokens = self._tokens(features)
        queries, keys, values = self._projected(self.norm(tokens))
        attended = functional.scaled_dot_product_attention(queries, keys, values)  # (B, heads, h * w + classes, D / heads)
        tokens = tokens + self.output(attended.transpose(1, 2).flatten(2))
        patches, classes = tokens.split([features.shape[-2] * features.shape[-1], self.class_tokens.shape[1]], dim=1)
        patches = functional.normalize(self.patch_mlp(patches), dim=-1)
        classes = functional.normalize(self.class_mlp(classes), dim=-1)
        masks = self.mask_norm(patches @ classes.mT)  # (B, h * w, classes)
        return masks.mT.reshape(len(features), -1, *features.shape[-2:])

    def class_attention(self, features: Tensor) -> Tensor:
        """How each class token looks at the patches: (B, D, h, w) -> (B, class_count, h, w), each map adding up to 1.

        The mean over the attention heads; what a class token gives to other class tokens is left out.
        """
        queries, keys, _ = self._projected(self.norm(self._tokens(features)))
        places = features.shape[-2] * features.shape[-1]
        scores = queries[:, :, places:] @ keys.mT * queries.shape[-1] ** -0.5  # (B, heads, classes, h * w + classes)
        weights = scores.softmax(dim=-1)[..., :places].mean(dim=1)
        return (weights / weights.sum(dim=-1, keepdim=True)).reshape(len(features), -1, *features.shape[-2:])

    def _tokens(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, h * w + classes, D), the class tokens last."""
        return torch.cat([features.flatten(2).mT, self.class_tokens.expand(len(features), -1, -1)], dim=1)

    def _projected(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values: (B, T, D) -> three (B, heads, T, D / heads)."""
        projections = (self.query, self.key, self.value)
        first, second, third = (each(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in projections)
        return first, second, third


def _mlp(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, MLP_RATIO * width), nn.GELU(), nn.Linear(MLP_RATIO * width, width))
