"""Measures what a pass costs by wall clock and CUDA events, how fast a device copies and multiplies, and peaks of memory."""

import ctypes
import gc
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from compute import awake

Clock = Callable[[], float]
MEBIBYTE = 2**20
COPY_BYTES = {"cpu": 2**26, "cuda": 2**30}  # several times what a processor's caches hold
LEAST_MATRIX, LARGEST_MATRIX = 256, 16384  # rows
PROBES = 3
LEAST_MATRIX_MS = 5.0  # a product that takes so long hides what a call costs besides
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_HIGH_WATER = "5"  # man 5 proc_pid_clear_refs


@dataclass(frozen=True)
class Timing:
    """One repetition of a pass; passes that ran side by side have the same number, counted from 1."""

    name: str
    repetition: int
    clock: str  # 'wall', or 'cuda' for the device's own events
    milliseconds: float


@torch.inference_mode()
def interleaved(
    passes: Mapping[str, Callable[[], object]],
    repetitions: Mapping[str, int] | int,
    warm_up: int,
    device: torch.device,
    clock: Clock = time.perf_counter,
    arithmetic: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> list[Timing]:
    """Time several passes in turns, so that what slows the machine down for a while slows all of them.

    Each of as many rounds as the most frequent pass has repetitions runs every pass once, in an order that rotates; a pass with
    fewer repetitions sits out rounds evenly. Before that, each runs `warm_up` times, untimed. A pass runs within
    `arithmetic(name)`, entered before its clocks start, under inference mode and without garbage collection. On CUDA the device
    has finished all work before and after, and its own events are a second clock. `clock` tells seconds.
    """
    names = list(passes)
    wanted = {name: repetitions if isinstance(repetitions, int) else repetitions[name] for name in names}
    rounds = max(wanted.values(), default=0)
    timings = []
    with _no_garbage_collection():
        for name in names:
            with arithmetic(name):
                for _ in range(warm_up):
                    passes[name]()
        for number in range(rounds):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                if (number + 1) * wanted[name] // rounds > number * wanted[name] // rounds:
                    with arithmetic(name):
                        measured = _timed_awake(passes[name], device, clock)
                    timings += [Timing(name, number + 1, which, milliseconds) for which, milliseconds in measured.items()]
    return timings


def _timed_awake(function: Callable[[], object], device: torch.device, clock: Clock) -> dict[str, float]:
    """As `_timed`, of a call during which this process was not stopped."""
    while True:
        before = awake.stops()
        measured = _timed(function, device, clock)
        if awake.stops() == before:
            return measured


def _timed(function: Callable[[], object], device: torch.device, clock: Clock) -> dict[str, float]:
    """Milliseconds of one call by each clock."""
    if device.type != "cuda":
        start = clock()
        function()
        return {"wall": (clock() - start) * 1e3}
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)
    torch.cuda.synchronize(device)
    start = clock()
    before.record(stream)
    function()
    after.record(stream)
    torch.cuda.synchronize(device)
    return {"wall": (clock() - start) * 1e3, "cuda": before.elapsed_time(after)}


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def full_precision() -> AbstractContextManager[None]:
    """A context in which CUDA multiplies float32 as IEEE 754 has it; by default, cuDNN's convolutions use TF32."""
    return _float32_arithmetic("ieee")


def tf32() -> AbstractContextManager[None]:
    """A context in which CUDA rounds float32 factors to TF32, of 10 bits after the point, in convolutions and products."""
    return _float32_arithmetic("tf32")


@contextmanager
def _float32_arithmetic(kind: str) -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn  # makes its `conv` where no type checker sees it
    backends: list[Any] = [torch.backends.cuda.matmul, cudnn.conv]
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend in backends:
            backend.fp32_precision = kind
        yield
    finally:
        for backend, kind_before in zip(backends, before, strict=True):
            backend.fp32_precision = kind_before


def copy_rate(dtype: torch.dtype, device: torch.device, repetitions: int = 10, clock: Clock = time.perf_counter) -> list[float]:
    """Bytes that the device reads and writes in a second while it copies, once for each repetition."""
    source = torch.zeros(COPY_BYTES[device.type] // dtype.itemsize, dtype=dtype, device=device)
    target = torch.zeros_like(source)  # zeros, not empty: the system hands memory out only when it is written to
    return _rates(lambda: target.copy_(source), 2 * source.nbytes, device, repetitions, clock)


def matrix_rate(
    dtype: torch.dtype, device: torch.device, repetitions: int = 10, clock: Clock = time.perf_counter
) -> list[float]:
    """Operations that the device does in a second in a matrix product, two for each multiply-add, once for each repetition.

    The product is taken as a linear layer or, on a CPU, as a 1x1 convolution, if that is faster: two libraries do them there.
    Matrices are square, and as large as a product needs that takes LEAST_MATRIX_MS.
    """
    size = LEAST_MATRIX
    while True:
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        ways = {"linear": lambda left=left, right=right: functional.linear(left, right)}
        if device.type == "cpu":
            image, kernels = left[None, :, :, None], right[:, :, None, None]
            ways["convolution"] = lambda image=image, kernels=kernels: functional.conv2d(image, kernels)
        operations = 2 * size**3
        # The best of a few: on a busy machine, one small product alone may wait for as long as a large one takes.
        best = {way: max(_rates(function, operations, device, PROBES, clock)) for way, function in ways.items()}
        way = max(best, key=best.__getitem__)
        if operations / best[way] * 1e3 >= LEAST_MATRIX_MS or size >= LARGEST_MATRIX:
            return _rates(ways[way], operations, device, repetitions, clock)
        size *= 2


def _rates(function: Callable[[], object], amount: int, device: torch.device, repetitions: int, clock: Clock) -> list[float]:
    """How much of `amount` is done in a second, by the device's own clock where it has one."""
    timings = interleaved({"": function}, repetitions, 1, device, clock)
    wanted = "cuda" if device.type == "cuda" else "wall"
    return [amount / timing.milliseconds * 1e3 for timing in timings if timing.clock == wanted]


def peaks(function: Callable[[], object], device: torch.device) -> dict[str, float]:
    """MiB at the highest while `function` runs, of each measure that this device and system have.

    CUDA: 'allocated peak' and 'reserved peak' of torch's allocator, and 'device in use' by all processes, as nvidia-smi shows
    it. Linux, on the CPU: resident memory of the whole process, 'process before' and 'process peak'. Elsewhere nothing.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        function()
        torch.cuda.synchronize(device)
        free, total = torch.cuda.mem_get_info(device)
        measured = {
            "allocated peak": torch.cuda.max_memory_allocated(device),
            "reserved peak": torch.cuda.max_memory_reserved(device),
            "device in use": total - free,
        }
        return {measure: count / MEBIBYTE for measure, count in measured.items()}
    try:
        _give_free_memory_back()
        _CLEAR_REFS.write_text(_RESET_HIGH_WATER, encoding="ascii")
        before = _resident_mib("VmRSS")
    except OSError:  # no Linux, or not allowed
        return {}
    function()
    return {"process before": before, "process peak": _resident_mib("VmHWM")}


def _give_free_memory_back() -> None:
    """Have the C library return to the system what it keeps for later, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident_mib(field: str) -> float:
    match = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    assert match is not None  # Linux has both fields
    return int(match[1]) / 1024
