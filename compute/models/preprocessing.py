"""From a picture to an encoder's input: shorter side resized, center cropped, normalized.

The same steps can be taken with Pillow, as torchvision's and CLIP's own transforms do, or on a decoded tensor, which is quicker
and differs by rounding alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor
from torchvision.transforms._presets import ImageClassification
from torchvision.transforms.v2 import functional

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side to `resize_px`, crop the middle `crop_px`, and normalize each channel by `mean` and `std`."""

    resize_px: int
    crop_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: InterpolationMode = InterpolationMode.BICUBIC

    def __call__(self, image: Image.Image) -> Tensor:
        """A Pillow picture -> (3, crop, crop) float32."""
        resized = functional.resize(image.convert("RGB"), [self.resize_px], self.interpolation)
        return self.normalized(functional.pil_to_tensor(functional.center_crop(resized, [self.crop_px])))

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Decoded pixels (3, H, W) uint8 -> (3, crop, crop) float32."""
        resized = functional.resize(pixels, [self.resize_px], self.interpolation, antialias=True)
        return self.normalized(functional.center_crop(resized, [self.crop_px]))

    def normalized(self, pixels: Tensor) -> Tensor:
        """(..., 3, H, W) uint8 -> float32."""
        return functional.normalize(functional.to_dtype(pixels, torch.float32, scale=True), list(self.mean), list(self.std))


def recognized(preprocess: Any) -> Any:
    """`preprocess` as Preprocessing where it takes just those steps, such as clip's and torchvision's own; else as it is."""
    if isinstance(preprocess, ImageClassification):
        [resize_px], [crop_px] = preprocess.resize_size, preprocess.crop_size
        return Preprocessing(
            resize_px, crop_px, tuple(preprocess.mean), tuple(preprocess.std), InterpolationMode(preprocess.interpolation)
        )
    if not isinstance(preprocess, Compose):
        return preprocess
    # clip puts its own conversion to RGB between the others; what it does, reading a picture has done already.
    steps = [step for step in preprocess.transforms if getattr(step, "__name__", "") != "_convert_image_to_rgb"]
    if [type(step) for step in steps] != [Resize, CenterCrop, ToTensor, Normalize]:
        return preprocess
    resize, crop, _, normalize = steps
    if not isinstance(resize.size, int) or resize.max_size is not None or crop.size[0] != crop.size[1]:
        return preprocess
    return Preprocessing(resize.size, crop.size[0], tuple(normalize.mean), tuple(normalize.std), resize.interpolation)
