"""The first layers of the small BLIP: convolutions make the patches, and know what each of them shows."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from compute.models.blip_scenes import COLOR_COUNT, LABEL_COUNT

KNOWN = 2 * LABEL_COUNT + COLOR_COUNT  # probabilities: of a patch's label, of labels anywhere in the picture, of its color
KNOWN_SCALE = 1.0  # of what is known beside the features, at the start: words for things are then learnt within few steps


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
        self.known = nn.Conv2d(channels, LABEL_COUNT + COLOR_COUNT, 3, padding=1)
        self.project = nn.Conv2d(channels + KNOWN, channels, 1, bias=False)
        with torch.no_grad():  # features as they are, and beside them what is known
            nn.init.normal_(self.project.weight, std=KNOWN_SCALE)
            self.project.weight[:, :channels, 0, 0] = torch.eye(channels)

    @property
    def weight(self) -> Tensor:
        """What BLIP reads off which precision its pictures must have."""
        return self.project.weight

    def seen(self, photos: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of each patch its features (B, D, g, g), and logits of its label (B, 36, g, g) and color (B, 14, g, g)."""
        features = self.layers(photos)
        known = self.known(features)
        return features, known[:, :LABEL_COUNT], known[:, LABEL_COUNT:]

    def unprojected(self, photos: Tensor) -> Tensor:
        """Features of each patch and what is known beside them (B, D + KNOWN, g, g), which later training leaves alone."""
        features, label_logits, color_logits = self.seen(photos)
        labels = label_logits.softmax(dim=1)
        anywhere = labels.amax(dim=(2, 3), keepdim=True).expand_as(labels)
        return torch.cat([features, labels, anywhere, color_logits.softmax(dim=1)], dim=1)

    def forward(self, photos: Tensor) -> Tensor:
        """What BLIP's vision goes on from."""
        return self.project(self.unprojected(photos))
