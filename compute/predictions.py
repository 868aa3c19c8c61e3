"""One pass of an encoder over many pictures: read in threads while the network works, kept in shards, resumed from them."""

import hashlib
import itertools
import json
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from compute.data.class_images import Picture
from compute.data.decode import read_rgb, read_tensor
from compute.data.errors import DataError
from compute.models.frozen import WithinMemory, quick
from compute.models.preprocessing import Preprocessing, recognized
from compute.threads import worker_count, workers
from compute.unfinished import whole_file

SHARD_PICTURES = 2048
BATCH_PICTURES = {"cpu": 8, "cuda": 256}
ONE_CORE_BATCH = 16  # on one core torch computes smaller batches of 1x1 convolutions a slow way
LONG_PASS_PICTURES = 2048  # from so many on, a network's layers are fused on a CPU, which pays back within a thousand
LONG_PASS_BATCH = 4  # of a fused network, whose values then stay near a core
BATCHES_AHEAD = 3
READERS = os.cpu_count() or 1
SAME_OUTPUTS = 1e-3  # of the largest output: what a resumed pass may differ by from its shards
Report = Callable[[int, int, str], None]
Value = TypeVar("Value")


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


def _warmed_up(whole: Pass) -> tuple[WithinMemory, np.ndarray]:
    """The pass's function made quick, and what it gives for the first picture: (1, D) float32."""
    sample = read_batch([whole.pictures[0]], whole.preprocess, whole.device)
    if not _is_long(whole):
        function = WithinMemory(quick(whole.function, sample))
    else:
        with workers(whole.device) as pool:  # layers are fused for as many cores as will compute them
            function = WithinMemory(pool.submit(quick, whole.function, sample, LONG_PASS_BATCH).result())
    return function, _asked(function, sample)()


def _is_long(whole: Pass) -> bool:
    return len(whole.pictures) >= LONG_PASS_PICTURES


def _is_asked_by_each_core(function: WithinMemory, whole: Pass) -> bool:
    """Whether several threads may ask at once, as the network was made a graph, which keeps nothing between calls."""
    return _is_long(whole) and function.function is not whole.function


def _batch_size(function: WithinMemory, whole: Pass) -> int:
    if _is_asked_by_each_core(function, whole):
        return LONG_PASS_BATCH
    is_on_one_core = whole.device.type == "cpu" and torch.get_num_threads() == 1
    return ONE_CORE_BATCH if is_on_one_core else BATCH_PICTURES[whole.device.type]


def _computed(function: WithinMemory, wanted: Sequence[Picture], whole: Pass) -> Iterator[np.ndarray]:
    """What a function gives for each batch of pictures: (B, D) float32."""
    return _answers(function, _inputs(wanted, whole.preprocess, _batch_size(function, whole), whole.device), whole)


def _answers(function: WithinMemory, batches: Iterable[Tensor], whole: Pass) -> Iterator[np.ndarray]:
    """What a function gives for each batch (B, 3, H, W): (B, D) float32.

    On a long pass each core asks a network about a batch of its own, so that none waits for another after every layer.
    """
    if _is_asked_by_each_core(function, whole):
        count = worker_count(whole.device)
        with workers(whole.device) as pool:
            for answer in _held_back((pool.submit(_answer, function, inputs) for inputs in batches), count):
                yield answer.result()
        return
    asked = (_asked(function, inputs) for inputs in batches)
    # A GPU is given its next batch before one waits for the outputs of the last.
    for fetched in _held_back(asked, 1 if whole.device.type == "cuda" else 0):
        yield fetched()


def _answer(function: WithinMemory, inputs: Tensor) -> np.ndarray:
    return _asked(function, inputs)()


def _held_back(values: Iterable[Value], count: int) -> Iterator[Value]:
    """The same values in the same order, each once `count` more have been made."""
    waiting: deque[Value] = deque()
    for value in values:
        waiting.append(value)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def shards_folder(cache: Path, *identity: object) -> Path:
    """Where a pass keeps its shards: all that decides its outputs goes into `identity`."""
    digest = hashlib.sha256(json.dumps([str(part) for part in identity]).encode()).hexdigest()
    return cache / f"outputs-{digest[:16]}"


def _inputs(
    pictures: Sequence[Picture], preprocess: Callable[[Any], Tensor], batch_size: int, device: torch.device
) -> Iterator[Tensor]:
    """Batches of inputs in order, read ahead in threads."""
    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[Future[Tensor]] = deque()
        rest = iter(pictures)
        for picture in itertools.islice(rest, max(batch_size * BATCHES_AHEAD, 2 * READERS)):
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
    return _copied(batch, device) if device.type == "cuda" else batch


def _copied(batch: Tensor, device: torch.device) -> Tensor:
    """A batch on a GPU, copied there while the GPU works on what it was given before."""
    computing, copying = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    with torch.cuda.stream(copying):
        copied = batch.pin_memory().to(device, non_blocking=True)
    computing.wait_stream(copying)
    copied.record_stream(computing)  # its memory is free once the network has been through
    return copied


def _read(picture: Picture, preprocess: Callable[[Any], Tensor]) -> Tensor:
    if isinstance(preprocess, Preprocessing):
        return preprocess.from_pixels(read_tensor(picture.path))
    return preprocess(read_rgb(picture.path))


@torch.inference_mode()
def _asked(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Callable[[], np.ndarray]:
    """Ask a function about (B, 3, H, W); what is returned waits for its outputs, and gives them: (B, D) float32."""
    values: Any = function(inputs)
    shape = inputs.shape  # without the inputs themselves, which would stay in memory
    if inputs.device.type != "cuda" or not isinstance(values, Tensor):
        return lambda: _checked(values, shape)
    copied, done = values.float().to("cpu", non_blocking=True), torch.cuda.Event()
    done.record()

    def fetched() -> np.ndarray:
        done.synchronize()  # with this batch, and not with the next one, which the GPU was given meanwhile
        return _checked(copied, shape)

    return fetched


@torch.inference_mode()
def _checked(values: Any, asked: Sequence[int]) -> np.ndarray:
    if not isinstance(values, Tensor) or values.ndim != 2 or len(values) != asked[0]:
        shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise DataError(f"A classifier's outputs for {tuple(asked)} must be ({asked[0]}, classes), not {shape}.")
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
    with whole_file(path) as unfinished:
        np.save(unfinished, part)
