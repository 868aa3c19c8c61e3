"""One pass of an encoder over many pictures: read in threads while the network works, kept in shards, resumed from them."""

import hashlib
import itertools
import json
import os
import shutil
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compute.data.class_images import Picture
from compute.data.decode import read_rgb, read_tensor
from compute.data.errors import DataError
from compute.models.preprocessing import Preprocessing, recognized
from compute.unfinished import unfinished_path

SHARD_PICTURES = 2048
BATCH_PICTURES = {"cpu": 8, "cuda": 256}
BATCHES_AHEAD = 3
SAME_OUTPUTS = 1e-3  # of the largest output: what a resumed pass may differ by from its shards
QUICK_ERROR = 1e-4  # of the largest output: what a frozen network may differ by from the plain one
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class Pass:
    """All that it takes to compute any shard of a pass, elsewhere as well."""

    pictures: Sequence[Picture]
    preprocess: Callable[[Any], Tensor]
    function: Callable[[Tensor], Tensor]
    device: torch.device
    shards: Path
    shard_pictures: int

    @property
    def starts(self) -> range:
        """The place of each shard's first picture."""
        return range(0, len(self.pictures), self.shard_pictures)

    def path(self, start: int) -> Path:
        """Where the shard lies that begins with picture `start`."""
        return self.shards / f"{start:08d}.npy"


HelpWith = Callable[[Pass], AbstractContextManager[None]]  # while the context lasts, others may write shards of the pass


def without_help(_: Pass) -> AbstractContextManager[None]:
    """What computes all shards by itself."""
    return nullcontext()


def outputs(
    pictures: Sequence[Picture],
    preprocess: Callable[[Any], Tensor],
    function: Callable[[Tensor], Tensor],
    device: torch.device,
    shards: Path,
    report: Report,
    help_with: HelpWith = without_help,
) -> np.ndarray:
    """What `function` (B, 3, H, W) -> (B, D) gives for each picture, in their order: (N, D) float32.

    Every SHARD_PICTURES are kept in the folder `shards` when they are done, and not computed again; shards whose first output
    differs from what the function gives now are not used. Shards that others write meanwhile are. Raises DataError where
    outputs are not finite numbers of that shape.
    """
    whole = Pass(pictures, recognized(preprocess), function, device, shards, SHARD_PICTURES)
    function, first = _warmed_up(whole)
    _forget_foreign_shards(shards, first)
    clock, computed, parts = time.perf_counter(), 0, []
    with help_with(whole) if len(whole.starts) > 1 else nullcontext():
        for start in whole.starts:
            wanted = pictures[start : start + SHARD_PICTURES]
            part = _read_shard(whole.path(start), (len(wanted), first.shape[1]))
            if part is None:
                batches = []
                for values in _computed(function, wanted, whole):
                    batches.append(values)
                    computed += len(values)
                    done = start + sum(map(len, batches))
                    report(done, len(pictures), f"{computed / (time.perf_counter() - clock):.0f} images/s")
                part = np.concatenate(batches)
                _write_shard(whole.path(start), part)
            parts.append(part)
    return np.concatenate(parts)


def compute_shards(whole: Pass, starts: Sequence[int]) -> None:
    """Compute those shards of a pass that begin with the pictures `starts`, in their order, and that are not there yet."""
    function, _ = _warmed_up(whole)
    for start in starts:
        if not whole.path(start).exists():
            wanted = whole.pictures[start : start + whole.shard_pictures]
            _write_shard(whole.path(start), np.concatenate(list(_computed(function, wanted, whole))))


def _warmed_up(whole: Pass) -> tuple[Callable[[Tensor], Tensor], np.ndarray]:
    """The pass's function made quick, and what it gives for the first picture: (1, D) float32."""
    sample = read_batch([whole.pictures[0]], whole.preprocess, whole.device)
    function = quick(whole.function, sample)
    return function, _run(function, sample)


def _computed(function: Callable[[Tensor], Tensor], wanted: Sequence[Picture], whole: Pass) -> Iterator[np.ndarray]:
    """What a function gives for each batch of pictures: (B, D) float32."""
    for inputs in _inputs(wanted, whole.preprocess, BATCH_PICTURES[whole.device.type], whole.device):
        yield _run(function, inputs)


def shards_folder(cache: Path, *identity: object) -> Path:
    """Where a pass keeps its shards: all that decides its outputs goes into `identity`."""
    digest = hashlib.sha256(json.dumps([str(part) for part in identity]).encode()).hexdigest()
    return cache / f"outputs-{digest[:16]}"


def quick(function: Callable[[Tensor], Tensor], sample: Tensor) -> Callable[[Tensor], Tensor]:
    """The same function, as a frozen graph where it is a network on a CPU that gives the same outputs so; else as it is."""
    if not isinstance(function, nn.Module) or isinstance(function, torch.jit.ScriptModule):
        return function
    function.eval()
    if sample.device.type != "cpu":
        return function.to(memory_format=torch.channels_last)
    pair = torch.cat([sample, sample.flip(-1)]).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing, whose outcome is checked below
        try:
            plain = [function(inputs) for inputs in (pair, -pair)]  # so unlike that few branches on values are the same
            frozen = torch.jit.freeze(
                torch.jit.trace(function.to(memory_format=torch.channels_last), sample, check_trace=False)
            )
            differences = [(frozen(inputs) - values).abs().max() for inputs, values in zip((pair, -pair), plain, strict=True)]
        except Exception:  # whatever a foreign network may do that cannot be traced
            return function
    same = all(difference <= QUICK_ERROR * values.abs().max() for difference, values in zip(differences, plain, strict=True))
    return frozen if same else function


def _inputs(
    pictures: Sequence[Picture], preprocess: Callable[[Any], Tensor], batch_size: int, device: torch.device
) -> Iterator[Tensor]:
    """Batches of inputs in order, read ahead in threads."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting: deque[Future[Tensor]] = deque()
        rest = iter(pictures)
        for picture in itertools.islice(rest, batch_size * BATCHES_AHEAD):
            waiting.append(pool.submit(_read, picture, preprocess))
        while waiting:
            batch = [waiting.popleft().result() for _ in range(min(batch_size, len(waiting)))]
            for picture in itertools.islice(rest, len(batch)):
                waiting.append(pool.submit(_read, picture, preprocess))
            yield _stacked(batch, device)


def read_batch(pictures: Sequence[Picture], preprocess: Callable[[Any], Tensor], device: torch.device) -> Tensor:
    """Inputs of a few pictures, in their order: (B, 3, H, W) float32 on `device`."""
    return _stacked([_read(picture, preprocess) for picture in pictures], device)


def _stacked(images: list[Tensor], device: torch.device) -> Tensor:
    batch = torch.stack(images).contiguous(memory_format=torch.channels_last)
    return batch.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else batch


def _read(picture: Picture, preprocess: Callable[[Any], Tensor]) -> Tensor:
    if isinstance(preprocess, Preprocessing):
        return preprocess.from_pixels(read_tensor(picture.path))
    return preprocess(read_rgb(picture.path))


@torch.inference_mode()
def _run(function: Callable[[Tensor], Tensor], inputs: Tensor) -> np.ndarray:
    values = function(inputs)
    if not isinstance(values, Tensor) or values.ndim != 2 or len(values) != len(inputs):
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise DataError(f"A classifier's outputs for {tuple(inputs.shape)} must be ({len(inputs)}, classes), not {shape}.")
    if not torch.isfinite(values).all():
        raise DataError(
            "A classifier's outputs are not all finite numbers: its weights are spoilt, or half precision overflows."
        )
    return values.float().cpu().numpy()


def _forget_foreign_shards(shards: Path, first: np.ndarray) -> None:
    """Drop what was kept where its first row is not what the function gives now."""
    try:
        kept = np.load(shards / f"{0:08d}.npy", mmap_mode="r")[:1]
        if kept.shape == first.shape and np.abs(kept - first).max() <= SAME_OUTPUTS * np.abs(first).max():
            return
    except (OSError, ValueError, EOFError):
        pass
    shutil.rmtree(shards, ignore_errors=True)


def _read_shard(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        part = np.load(path)
    except (OSError, ValueError, EOFError):  # not there, or cut short
        return None
    return part if part.shape == shape else None


def _write_shard(path: Path, part: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_path(path)
    np.save(unfinished, part)
    os.replace(unfinished, path)
