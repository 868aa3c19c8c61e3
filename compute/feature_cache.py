"""A frozen encoder's features, computed once and kept in half precision in a file that is mapped into memory."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from compute.data.errors import DataError
from compute.unfinished import whole_file

BATCH_IMAGES = 32
DIGEST_BYTES = hashlib.sha256().digest_size
READ_BYTES = 2**24
Report = Callable[[int, int, str], None]


class Photos(Protocol):
    """Photos, of which a slice is an array (B, H, W, 3) uint8."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> np.ndarray: ...


def cached_features(
    photos: Photos, encode: Callable[[np.ndarray], Tensor], cache: Path, identity: tuple[object, ...], report: Report
) -> np.ndarray:
    """What `encode` (B, H, W, 3) uint8 -> (B, ...) gives for each of `photos`: (N, ...) float16, read-only.

    All that decides the features goes into `identity`: weights, data, sizes. A file that is cut short, or whose contents are
    not those that were written, is not used but computed again. Raises DataError where half precision cannot hold the features.
    """
    shape = (len(photos), *_encoded(encode, photos[:1]).shape[1:])
    key = hashlib.sha256(json.dumps([str(part) for part in (*identity, shape)]).encode()).hexdigest()
    path = cache / f"features-{key[:16]}.f16"
    if not is_whole(path, shape):
        _compute(photos, encode, path, shape, report)
    return np.memmap(path, dtype=np.float16, mode="c", shape=shape)  # never written to; torch warns of read-only arrays


def is_whole(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether `path` holds just so many values in half precision, and after them their own SHA-256."""
    value_bytes = 2 * math.prod(shape)
    digest = hashlib.sha256()
    try:
        if path.stat().st_size != value_bytes + DIGEST_BYTES:
            return False
        with path.open("rb") as file:
            left = value_bytes
            while left:
                block = file.read(min(left, READ_BYTES))
                digest.update(block)
                left -= len(block)
            return file.read() == digest.digest()
    except OSError:
        return False


def _compute(
    photos: Photos, encode: Callable[[np.ndarray], Tensor], path: Path, shape: tuple[int, ...], report: Report
) -> None:
    digest = hashlib.sha256()
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        for start in range(0, len(photos), BATCH_IMAGES):
            values = _encoded(encode, photos[start : start + BATCH_IMAGES]).tobytes()
            digest.update(values)
            file.write(values)
            report(min(start + BATCH_IMAGES, len(photos)), len(photos), "computes features")
        file.write(digest.digest())


@torch.inference_mode()
def _encoded(encode: Callable[[np.ndarray], Tensor], photos: np.ndarray) -> np.ndarray:
    values = encode(photos).to(torch.float16)
    if not torch.isfinite(values).all():
        raise DataError("The encoder's features are not all finite numbers in half precision: its weights are spoilt.")
    return values.cpu().contiguous().numpy()
