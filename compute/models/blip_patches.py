"""The first layers of the small BLIP: convolutions make the patches, and know what each of them shows."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from compute.models.blip_scenes import LABEL_COUNT

KNOWN = 1 + LABEL_COUNT + 3  # channels: a label's probabilities or logits, and a color
KNOWN_SCALE = 2.0  # of what is known beside the features, at the start: words for things are then learnt within few steps


class ConvolutionalPatches(nn.Module):
    """Convolutions in place of BLIP's projection of patches: (B, 3, S, S) -> (B, D, S / 16, S / 16)."""

    def __init__(self, stem: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for number, width in enumerate(stem):
            for stride in (2,) if number < 2 else (2, 1):  # the coarser half of the stages has a second convolution each
                layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
        self.layers = nn.Sequential(*layers)
        self.known = nn.Conv2d(channels, KNOWN, 3, padding=1)
        self.project = nn.Conv2d(channels + KNOWN, channels, 1, bias=False)
        with torch.no_grad():  # features as they are, and beside them what is known
            nn.init.normal_(self.project.weight, std=KNOWN_SCALE)
            self.project.weight[:, :channels, 0, 0] = torch.eye(channels)

    @property
    def weight(self) -> Tensor:
        """What BLIP reads off which precision its pictures must have."""
        return self.project.weight

    def seen(self, photos: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each patch its features (B, D, g, g), the logits of its label (B, 21, g, g) and its color (B, 3, g, g)."""
        features = self.layers(photos)
        known = self.known(features)
        return features, known[:, :-3], known[:, -3:]

    def unprojected(self, photos: Tensor) -> Tensor:
        """Features, probabilities of labels, and color of each patch, which later training leaves alone."""
        features, labels, colors = self.seen(photos)
        return torch.cat([features, labels.softmax(dim=1), colors], dim=1)

    def forward(self, photos: Tensor) -> Tensor:
        """What BLIP's vision goes on from."""
        return self.project(self.unprojected(photos))
