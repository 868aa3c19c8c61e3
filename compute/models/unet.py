"""U-Net with the skip connections switched on or off, as in the course notebook."""

import torch
from torch import Tensor, nn

DEPTH = 4  # times that the encoder halves the resolution


def convolution_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two rounds of 3x3 convolution, ReLU and batch norm (in the notebook's order); (B, in, H, W) -> (B, out, H, W)."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [nn.Conv2d(channels, out_channels, kernel_size=3, padding=1), nn.ReLU(), nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) in the notebook's version: padded convolutions and 3x3 transposed convolutions.

    `base_channels` is the width of the first block, doubled at each of four halvings: 64 gives 64-128-256-512-1024.
    With `use_skips=False` the encoder's features are not handed to the decoder, whose blocks take half as many channels in.

    forward: images (B, 3, H, W) float32, H and W multiples of 16 -> logits (B, class_count, H, W).
    Raises ValueError where H or W is no multiple of 16.
    """

    def __init__(self, class_count: int, base_channels: int = 64, use_skips: bool = True) -> None:
        super().__init__()
        self.use_skips = use_skips
        widths = [base_channels * 2**level for level in range(DEPTH + 1)]
        self.encoder = nn.ModuleList(
            convolution_block(before, after) for before, after in zip([3, *widths], widths[:-1], strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = convolution_block(widths[-2], widths[-1])
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(2 * width, width, kernel_size=3, stride=2, padding=1, output_padding=1)
            for width in reversed(widths[:-1])
        )
        self.decoder = nn.ModuleList(
            convolution_block(2 * width if use_skips else width, width) for width in reversed(widths[:-1])
        )
        self.classify = nn.Conv2d(base_channels, class_count, kernel_size=3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> logits (B, class_count, H, W)."""
        if images.shape[-2] % 2**DEPTH or images.shape[-1] % 2**DEPTH:
            height, width = images.shape[-2:]
            raise ValueError(f"U-Net halves its input {DEPTH} times: {height}x{width} is no multiple of {2**DEPTH}")
        features = images
        skipped = []
        for block in self.encoder:
            features = block(features)  # (B, base * 2**level, H / 2**level, W / 2**level)
            skipped.append(features)
            features = self.pool(features)
        features = self.bottleneck(features)  # (B, base * 16, H / 16, W / 16)
        for upsample, block in zip(self.upsample, self.decoder, strict=True):
            features = upsample(features)
            if self.use_skips:
                features = torch.cat([features, skipped.pop()], dim=1)
            features = block(features)
        return self.classify(features)


def parameter_count(model: nn.Module) -> int:
    """Number of trainable values in `model`."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
