"""ImageNet's 1000 classes with both models' names for them, and OpenAI's prompt templates.

Classes are keyed by index or wnid, never by name: two pairs of OpenAI's names are the same. The sources of names and templates
stand in `assets/imagenet/README.md`.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from compute.data.errors import DataError

ASSET = Path(__file__).parent / "assets" / "imagenet" / "classes.json"
CLASS_COUNT = 1000


@dataclass(frozen=True)
class ImageNetClass:
    """One of the classes of ILSVRC 2012; the index is its position among the sorted wnids, 0 to 999."""

    index: int
    wnid: str  # WordNet 3.0's noun offset: n and eight digits
    torchvision_name: str
    openai_name: str


def classes(asset: Path = ASSET) -> tuple[ImageNetClass, ...]:
    """The 1000 classes in the order of their indices; raises DataError where the asset is missing or damaged."""
    return _read(asset)[0]


def templates(asset: Path = ASSET) -> tuple[str, ...]:
    """OpenAI's 80 prompt templates, each with one `{}` for the class's name; raises DataError as `classes` does."""
    return _read(asset)[1]


@functools.cache
def by_wnid() -> dict[str, ImageNetClass]:
    """The classes by wnid, in the order of their indices."""
    return {entry.wnid: entry for entry in classes()}


@functools.cache
def _read(asset: Path) -> tuple[tuple[ImageNetClass, ...], tuple[str, ...]]:
    remedy = "It comes with this program; restore it from there."
    try:
        content = json.loads(asset.read_text(encoding="utf-8"))
        entries = tuple(ImageNetClass(**entry) for entry in content["classes"])
        prompts = tuple(content["templates"])
    except OSError as error:
        raise DataError(f"{asset}: ImageNet's classes cannot be read ({error.strerror}). {remedy}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{asset}: is no list of ImageNet's classes ({error}). {remedy}") from error
    wnids = [entry.wnid for entry in entries]
    if [entry.index for entry in entries] != list(range(CLASS_COUNT)) or wnids != sorted(set(wnids)):
        raise DataError(f"{asset}: must list {CLASS_COUNT} classes with indices from 0 in the order of their wnids. {remedy}")
    if odd := [prompt for prompt in prompts if prompt.count("{}") != 1]:
        raise DataError(f"{asset}: a template needs {{}} once, for the class's name; '{odd[0]}' has not. {remedy}")
    return entries, prompts
