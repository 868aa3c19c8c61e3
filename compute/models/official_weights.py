"""The published weights of both RN50 encoders and of DINO's ViT: cached, downloaded with a checksum, or from a given file."""

import hashlib
import urllib.error
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from zipfile import BadZipFile

import torch
import torchvision
from clip.clip import _MODELS as CLIP_ADDRESSES
from clip.model import build_model
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.models.vision_transformer import VisionTransformer

from compute.data.errors import DataError
from compute.data.files import open_file
from compute.models.preprocessing import recognized
from compute.models.vision_transformer import from_dino

RN50_ADDRESS = ResNet50_Weights.IMAGENET1K_V1.url
CLIP_ADDRESS = CLIP_ADDRESSES["RN50"]
VIT_ADDRESS = "https://dl.fbaipublicfiles.com/dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth"
RESNET_PREPROCESSING = recognized(ResNet50_Weights.IMAGENET1K_V1.transforms())
LARGEST_SLACK_BYTES = 10_000_000  # that an archive may unpack to beyond twice its size
# What torch and clip raise on a file that holds something else than they expect.
UNUSABLE = (
    OSError,  # torch, of an archive that is cut short
    RuntimeError, UnpicklingError, EOFError, BadZipFile, ValueError, LookupError, AttributeError, TypeError, AssertionError,
    OverflowError, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where an official file lies once it is downloaded, from which address, and how its SHA-256 starts."""

    path: Path
    address: str
    sha256: str


def resnet_place() -> Place:
    """Of torchvision's RN50, in torch's cache; the name ends with the start of the checksum."""
    name = RN50_ADDRESS.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    return Place(path, RN50_ADDRESS, path.stem.rpartition("-")[2])


def clip_place() -> Place:
    """Of OpenAI's CLIP RN50, in clip's cache; the address holds the checksum."""
    *_, sha256, name = CLIP_ADDRESS.split("/")
    return Place(Path.home() / ".cache" / "clip" / name, CLIP_ADDRESS, sha256)


def vit_place() -> Place:
    """Of DINO's ViT-S/16, in torch's cache; nobody publishes its checksum."""
    return Place(Path(torch.hub.get_dir()) / "checkpoints" / VIT_ADDRESS.rpartition("/")[2], VIT_ADDRESS, "")


def load_resnet(file: Path | None = None) -> tuple[nn.Module, str]:
    """Torchvision's RN50 in single precision with the weights IMAGENET1K_V1, or those of `file`, and their SHA-256.

    Raises DataError where they are missing and cannot be downloaded, are damaged, or belong to another network.
    """
    path = file or _fetched(resnet_place())
    digest = file_digest(path)
    try:
        check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNUSABLE as error:
        raise DataError(_damaged(path, RN50_ADDRESS)) from error
    model = torchvision.models.resnet50()
    try:
        model.load_state_dict(state)
    except UNUSABLE as error:
        raise DataError(
            f"{path}: holds no weights of torchvision's resnet50 ({first_line(error)}). {_how(RN50_ADDRESS)}"
        ) from error
    check_finite(model, path, _how(RN50_ADDRESS))
    return model.eval(), digest


def load_clip(file: Path | None = None) -> tuple[nn.Module, str]:
    """OpenAI's CLIP RN50 in single precision, or the CLIP of `file` (JIT archive or state dict), and the weights' SHA-256.

    Raises DataError where they are missing and cannot be downloaded, are damaged, or belong to another network.
    """
    path = file or _fetched(clip_place())
    digest = file_digest(path)
    try:
        state = _clip_state(path)
        model = build_model(state).float()
        model.load_state_dict(state)  # once more, as build_model rounds weights to half precision before it takes them
    except UNUSABLE as error:
        raise DataError(f"{path}: cannot be loaded as CLIP's weights ({first_line(error)}). {_how(CLIP_ADDRESS)}") from error
    if not hasattr(model.visual, "attnpool"):
        raise DataError(f"{path}: holds a CLIP whose image encoder is no ResNet. {_how(CLIP_ADDRESS)}")
    check_finite(model, path, _how(CLIP_ADDRESS))
    return model.eval(), digest


def load_vit(image_size_px: int, file: Path | None = None) -> tuple[VisionTransformer, str]:
    """DINO's ViT-S/16 for square images of a size, or the ViT of `file` in DINO's format, and the weights' SHA-256.

    Raises DataError where they are missing and cannot be downloaded, are damaged, or belong to another network.
    """
    path = file or _fetched(vit_place())
    digest = file_digest(path)
    try:
        check_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNUSABLE as error:
        raise DataError(_damaged(path, VIT_ADDRESS)) from error
    try:
        model = from_dino(state, image_size_px)
    except UNUSABLE as error:
        raise DataError(f"{path}: holds no ViT in DINO's format ({first_line(error)}). {_how(VIT_ADDRESS)}") from error
    check_finite(model, path, _how(VIT_ADDRESS))
    return model, digest


def _clip_state(path: Path) -> dict[str, Tensor]:
    """The state dict of either format, as clip.load reads it, but without running code that a pickle may hold."""
    check_archive(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(b"__setstate__" in archive.read(name) for name in archive.namelist() if "/code/" in name):
                raise RuntimeError("it has code that would run as it is loaded")  # CLIP's own has none
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.jit.load, on a file that is no archive of its own
        try:
            return torch.jit.load(path, map_location="cpu").state_dict()
        except RuntimeError:
            return torch.load(path, map_location="cpu", weights_only=True)


def _fetched(place: Place) -> Path:
    """The path of an official file, which is downloaded where it is not there yet and held to its checksum."""
    path = place.path
    if path.exists():
        if not path.is_file() or not file_digest(path).startswith(place.sha256):
            raise DataError(_damaged(path, place.address))
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(place.address, str(path), hash_prefix=place.sha256, progress=True)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise DataError(
            f"{path}: is missing, and cannot be downloaded ({first_line(error)}). {_how(place.address, path)}"
        ) from error
    return path


def _damaged(path: Path, address: str) -> str:
    found = "is truncated or another file, for its checksum or its format is wrong"
    return f"{path}: {found}. Delete it, and run again. {_how(address)}"


def _how(address: str, path: Path | None = None) -> str:
    return f"The official file is {address}{f'; put it at {path}' if path else ''}."


def check_archive(path: Path) -> None:
    """Raise RuntimeError where an archive of weights unpacks to far more than it holds; torch's own are not packed at all."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
        if unpacked_bytes > 2 * path.stat().st_size + LARGEST_SLACK_BYTES:
            raise RuntimeError(f"it unpacks to {unpacked_bytes:,} bytes, far more than it has")


def check_finite(model: nn.Module, path: Path, how: str) -> None:
    """Raise DataError where a weight is no number or infinite, as then every figure would be."""
    for name, values in model.state_dict().items():
        if not torch.isfinite(values).all():
            raise DataError(f"{path}: its weights {name} hold values that are no finite numbers. {how}")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's contents; raises DataError where it cannot be read."""
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def first_line(error: Exception | None) -> str:
    """The first line of what an error says, in at most 200 characters, or its kind where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
