"""Clocks, told by a clock that the passes themselves move; rates by amounts known; peaks of memory of a known size."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from compute import measure
from compute.measure import MEBIBYTE, Timing, copy_rate, full_precision, interleaved, matrix_rate, peaks, tf32

CPU = torch.device("cpu")


class ByHand:
    """A clock in seconds that stands still but for `pass_of`, whose passes move it and are written down in `ran`."""

    def __init__(self) -> None:
        self.seconds, self.ran = 100.0, []

    def __call__(self) -> float:
        return self.seconds

    def pass_of(self, name: str, *milliseconds: float) -> Callable[[], None]:
        """A pass that takes so long, time after time, and as long as the last of them ever after."""
        left = list(milliseconds)

        def function() -> None:
            self.ran.append(name)
            self.seconds += (left.pop(0) if len(left) > 1 else left[0]) / 1e3

        return function


def _ticking(seconds: float) -> Callable[[], float]:
    """A clock that is later by so much whenever it is asked, so that all that lies between two looks takes as long."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += seconds
        return now

    return clock


def _in_numbers(timings: list[Timing]) -> list[tuple[str, int, float]]:
    assert {timing.clock for timing in timings} <= {"wall"}
    return [(timing.name, timing.repetition, round(timing.milliseconds, 6)) for timing in timings]


def test_passes_take_turns_and_each_time_is_its_own() -> None:
    clock = ByHand()
    passes = {"a": clock.pass_of("a", 1.0, 2.0, 3.0), "b": clock.pass_of("b", 10.0), "c": clock.pass_of("c", 0.5)}
    timings = interleaved(passes, 4, warm_up=0, device=CPU, clock=clock)
    assert _in_numbers(timings) == [
        ("a", 1, 1.0), ("b", 1, 10.0), ("c", 1, 0.5),
        ("b", 2, 10.0), ("c", 2, 0.5), ("a", 2, 2.0),
        ("c", 3, 0.5), ("a", 3, 3.0), ("b", 3, 10.0),
        ("a", 4, 3.0), ("b", 4, 10.0), ("c", 4, 0.5),
    ]  # fmt: skip


def test_warming_up_is_not_timed() -> None:
    clock = ByHand()
    passes = {"a": clock.pass_of("a", 900.0, 800.0, 1.0), "b": clock.pass_of("b", 700.0, 600.0, 2.0)}
    assert _in_numbers(interleaved(passes, 1, warm_up=2, device=CPU, clock=clock)) == [("a", 1, 1.0), ("b", 1, 2.0)]
    assert clock.ran == ["a", "a", "b", "b", "a", "b"]


@pytest.mark.parametrize(
    ("repetitions", "rounds_of_slow"),
    [(1, [6]), (2, [3, 6]), (3, [2, 4, 6]), (4, [2, 3, 5, 6]), (6, [1, 2, 3, 4, 5, 6])],
)
def test_a_pass_with_fewer_repetitions_sits_out_rounds_evenly(repetitions: int, rounds_of_slow: list[int]) -> None:
    clock = ByHand()
    passes = {"quick": clock.pass_of("quick", 1.0), "slow": clock.pass_of("slow", 9.0)}
    timings = interleaved(passes, {"quick": 6, "slow": repetitions}, warm_up=0, device=CPU, clock=clock)
    assert [timing.repetition for timing in timings if timing.name == "quick"] == [1, 2, 3, 4, 5, 6]
    assert [timing.repetition for timing in timings if timing.name == "slow"] == rounds_of_slow


def test_no_passes_or_no_repetitions_take_no_time() -> None:
    assert interleaved({}, 3, warm_up=1, device=CPU) == []
    assert interleaved({"a": lambda: None}, 0, warm_up=0, device=CPU) == []


def test_garbage_is_not_collected_meanwhile_but_afterwards() -> None:
    seen = []

    def fails() -> None:
        seen.append(gc.isenabled())
        raise RuntimeError("as a pass may")

    interleaved({"a": lambda: seen.append(gc.isenabled())}, 2, warm_up=1, device=CPU)
    assert gc.isenabled()
    with pytest.raises(RuntimeError):
        interleaved({"a": fails}, 1, warm_up=0, device=CPU)
    assert gc.isenabled()
    assert seen == [False] * 4


def test_the_arithmetic_of_a_pass_is_set_before_its_clock_starts() -> None:
    clock = ByHand()
    inside = []

    @contextmanager
    def arithmetic(name: str) -> Iterator[None]:
        clock.seconds += 5.0
        inside.append(name)
        yield
        inside.remove(name)
        clock.seconds += 5.0

    passes = {name: lambda name=name: seen.append((name, *inside)) for name in ("a", "b")}
    seen: list[tuple[str, ...]] = []
    timings = interleaved(passes, 1, warm_up=1, device=CPU, clock=clock, arithmetic=arithmetic)
    assert seen == [("a", "a"), ("b", "b")] * 2
    assert _in_numbers(timings) == [("a", 1, 0.0), ("b", 1, 0.0)]


def _kinds() -> tuple[str, str]:
    return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision


def test_arithmetic_of_float32_is_as_before_afterwards() -> None:
    before = _kinds()
    with full_precision():
        assert _kinds() == ("ieee", "ieee")
        with tf32():
            assert _kinds() == ("tf32", "tf32")
        assert _kinds() == ("ieee", "ieee")
    assert _kinds() == before
    with pytest.raises(RuntimeError), tf32():
        raise RuntimeError("as a pass may")
    assert _kinds() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_copy_rate_counts_what_is_read_and_what_is_written(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    monkeypatch.setitem(measure.COPY_BYTES, "cpu", 4096)
    assert copy_rate(dtype, CPU, 3, _ticking(0.25)) == pytest.approx([4 * 2 * 4096] * 3)


def test_matrix_rate_counts_multiplications_and_additions() -> None:
    size = measure.LEAST_MATRIX
    assert matrix_rate(torch.float32, CPU, 2, _ticking(0.5)) == pytest.approx([2 * 2 * size**3] * 2)


def test_matrices_grow_until_a_product_takes_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "LEAST_MATRIX", 8)
    monkeypatch.setattr(measure, "LARGEST_MATRIX", 32)
    too_quick = measure.LEAST_MATRIX_MS / 1e3 / 2
    assert matrix_rate(torch.bfloat16, CPU, 1, _ticking(too_quick)) == pytest.approx([2 * 32**3 / too_quick])
    long_enough = measure.LEAST_MATRIX_MS / 1e3 * 1.001
    assert matrix_rate(torch.bfloat16, CPU, 1, _ticking(long_enough)) == pytest.approx([2 * 8**3 / long_enough])


def _hold(mebibytes: int) -> None:
    torch.ones(mebibytes * MEBIBYTE, dtype=torch.uint8)


def test_process_peak_is_what_a_pass_takes_and_not_what_came_before() -> None:
    _hold(160)
    large, small = peaks(lambda: _hold(96), CPU), peaks(lambda: _hold(32), CPU)
    if not large:
        pytest.skip("this system does not let a process reset its highest resident memory")
    assert large.keys() == small.keys() == {"process before", "process peak"}
    # Within what the kernel counts only now and then, and what the interpreter takes meanwhile.
    assert large["process peak"] - large["process before"] == pytest.approx(96, abs=4)
    assert small["process peak"] - small["process before"] == pytest.approx(32, abs=4)


def test_a_system_that_does_not_tell_has_no_peaks(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(measure, "_CLEAR_REFS", tmp_path / "not there" / "clear_refs")
    assert peaks(lambda: None, CPU) == {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_a_gpu_has_a_clock_and_peaks_of_its_own() -> None:
    gpu = torch.device("cuda")
    matrix = torch.randn(2048, 2048, device=gpu)
    timings = interleaved({"a": lambda: matrix @ matrix}, 3, warm_up=2, device=gpu)
    by_clock = {clock: [t.milliseconds for t in timings if t.clock == clock] for clock in ("wall", "cuda")}
    assert [len(times) for times in by_clock.values()] == [3, 3]
    assert all(0 < cuda <= wall for wall, cuda in zip(by_clock["wall"], by_clock["cuda"], strict=True))
    measured = peaks(lambda: torch.zeros(64 * MEBIBYTE, dtype=torch.uint8, device=gpu), gpu)
    held = torch.cuda.memory_allocated(gpu) / MEBIBYTE
    assert measured["allocated peak"] == pytest.approx(held + 64, abs=0.01)
    assert measured["allocated peak"] <= measured["reserved peak"] <= measured["device in use"]
