"""Which transforms are known to be resize, crop and normalize, and that both routes take the same steps."""

import os
from pathlib import Path

import clip.clip
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import EfficientNet_B0_Weights, ResNet50_Weights
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from compute.data.decode import read_rgb, read_tensor
from compute.models.preprocessing import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Preprocessing, recognized

DATA = Path(os.environ.get("CONTRAST_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
PHOTOS = DATA / "imagenet_samples"
LEVEL = 1 / 255 / min(*CLIP_STD, *IMAGENET_STD)  # what one gray level of 256 becomes, at most

KNOWN = [
    pytest.param(
        clip.clip._transform(224), Preprocessing(224, 224, CLIP_MEAN, CLIP_STD, InterpolationMode.BICUBIC), id="clip's own"
    ),
    pytest.param(
        ResNet50_Weights.IMAGENET1K_V1.transforms(),
        Preprocessing(256, 224, IMAGENET_MEAN, IMAGENET_STD, InterpolationMode.BILINEAR),
        id="torchvision's resnet50",
    ),
    pytest.param(
        EfficientNet_B0_Weights.IMAGENET1K_V1.transforms(),
        Preprocessing(256, 224, IMAGENET_MEAN, IMAGENET_STD, InterpolationMode.BICUBIC),
        id="torchvision's efficientnet_b0",
    ),
    pytest.param(
        Compose([Resize(40), CenterCrop((32, 32)), ToTensor(), Normalize([0.5] * 3, [0.25] * 3)]),
        Preprocessing(40, 32, (0.5,) * 3, (0.25,) * 3, InterpolationMode.BILINEAR),
        id="composed",
    ),
]


@pytest.mark.parametrize(("transform", "expected"), KNOWN)
def test_usual_transforms_are_recognized(transform: object, expected: Preprocessing) -> None:
    assert recognized(transform) == expected
    assert recognized(expected) is expected


@pytest.mark.parametrize(
    "transform",
    [
        lambda image: torch.zeros(3, 8, 8),
        Compose([Resize(40), CenterCrop(32), ToTensor()]),
        Compose([Resize((40, 40)), CenterCrop(32), ToTensor(), Normalize([0.5] * 3, [0.25] * 3)]),
        Compose([Resize(40, max_size=60), CenterCrop(32), ToTensor(), Normalize([0.5] * 3, [0.25] * 3)]),
        Compose([Resize(40), CenterCrop((32, 24)), ToTensor(), Normalize([0.5] * 3, [0.25] * 3)]),
        Compose([Resize(40), CenterCrop(32), transforms.Grayscale(3), ToTensor(), Normalize([0.5] * 3, [0.25] * 3)]),
        Compose([CenterCrop(32), Resize(40), ToTensor(), Normalize([0.5] * 3, [0.25] * 3)]),
    ],
)
def test_any_other_transform_is_used_as_it_is(transform: object) -> None:
    assert recognized(transform) is transform


def drawn(kind: str, width: int, height: int) -> Image.Image:
    if kind == "noise":
        return Image.fromarray(np.random.default_rng(4).integers(0, 256, (height, width, 3), dtype=np.uint8))
    ramp = np.add.outer(np.linspace(0, 120, height), np.linspace(0, 135, width))[..., None] * [1, 0.6, 0.3]
    return Image.fromarray(ramp.astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(300, 200), (50, 90), (64, 64), (333, 77)])
@pytest.mark.parametrize("kind", ["noise", "ramp"])
@pytest.mark.parametrize(
    "transform",
    [
        clip.clip._transform(64),
        Compose([Resize(73), CenterCrop(64), ToTensor(), Normalize(IMAGENET_MEAN, IMAGENET_STD)]),
    ],
    ids=["clip's own", "torchvision's"],
)
def test_both_routes_differ_from_the_original_by_rounding_alone(kind: str, width: int, height: int, transform: Compose) -> None:
    image = drawn(kind, width, height)
    plain, steps = transform(image), recognized(transform)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
    assert (steps(image) - plain).abs().max() < 1e-5
    quick = steps.from_pixels(pixels)
    assert (quick.shape, quick.dtype) == (plain.shape, torch.float32)
    assert (quick - plain).abs().max() <= 1.01 * LEVEL


def test_on_photos_the_quick_route_gives_what_the_original_gives() -> None:
    photos = sorted(PHOTOS.glob("*.jpg"))[::90]
    if not photos:
        pytest.skip(f"{PHOTOS} is not there; name its parent in CONTRAST_TEST_DATA")
    transform = ResNet50_Weights.IMAGENET1K_V1.transforms()
    for path in photos:
        difference = (recognized(transform).from_pixels(read_tensor(path)) - transform(read_rgb(path))).abs()
        assert difference.mean() < 0.5 * LEVEL, path
        assert difference.max() < 12 * LEVEL, path  # torchvision's decoder and Pillow's round a JPEG's colors differently
