"""What every image classifier looks like here: ours, and one that anyone adds from a file of their own."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from compute.data import imagenet
from compute.data.errors import DataError

ATTRIBUTES = ("name", "wnids", "preprocess", "logits")
SHAPE = (
    "FUNCTION(device) returns an object with name, wnids (one per output), preprocess(PIL image) -> (3, H, W) and "
    "logits((B, 3, H, W)) -> (B, len(wnids))."
)


@dataclass(frozen=True)
class Classifier:
    """An image classifier whose outputs are ImageNet classes.

    `preprocess` takes a Pillow picture to (3, H, W) float32, `logits` takes (B, 3, H, W) to (B, len(wnids)).
    """

    name: str
    wnids: tuple[str, ...]
    preprocess: Callable[[Image.Image], Tensor]
    logits: Callable[[Tensor], Tensor]


def split_reference(reference: str) -> tuple[Path, str]:
    """The file and the function of `FILE.py:FUNCTION`; raises DataError where it is not of that form or no such file."""
    file, colon, function = reference.rpartition(":")
    if not colon or not function.isidentifier() or not file.endswith(".py"):
        raise DataError(f"--classifier {reference}: is not of the form FILE.py:FUNCTION. {SHAPE}")
    if not Path(file).is_file():
        raise DataError(f"--classifier {reference}: there is no file {file}.")
    return Path(file), function


def load_classifier(reference: str, device: torch.device) -> Classifier:
    """Run the function that `FILE.py:FUNCTION` names, and check what it returns; raises DataError where that cannot be used."""
    file, function = split_reference(reference)
    spec = importlib.util.spec_from_file_location(f"contrast_classifier_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)  # so that it finds what lies beside it
    sys.modules[spec.name] = module  # where dataclasses look up their annotations
    try:
        spec.loader.exec_module(module)
        if not callable(getattr(module, function, None)):
            raise DataError(f"{file}: has no function {function}. {SHAPE}")
        found = getattr(module, function)(device)
    except DataError:
        raise
    except (Exception, SystemExit) as error:  # anything may go wrong in code that is not ours
        raise DataError(f"{file}: {function} failed with {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    return _checked(found, f"{file}:{function}")


def _checked(found: Any, origin: str) -> Classifier:
    if missing := [name for name in ATTRIBUTES if not hasattr(found, name)]:
        raise DataError(f"{origin}: what it returns lacks {', '.join(missing)}. {SHAPE}")
    if not callable(found.preprocess) or not callable(found.logits):
        raise DataError(f"{origin}: its preprocess and logits must be functions. {SHAPE}")
    try:
        wnids = tuple(found.wnids)
    except TypeError:
        raise DataError(f"{origin}: its wnids are no sequence, but {type(found.wnids).__name__}. {SHAPE}") from None
    if unknown := sorted(set(map(str, wnids)) - set(imagenet.by_wnid())):
        raise DataError(f"{origin}: {len(unknown)} of its wnids are none of ImageNet's 1000 classes, such as {unknown[0]!r}.")
    if not wnids or len(set(wnids)) < len(wnids):
        raise DataError(f"{origin}: its {len(wnids)} wnids must be at least one, and all different.")
    return Classifier(str(found.name), wnids, found.preprocess, found.logits)
