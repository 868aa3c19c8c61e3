"""On how many cores torch computes for a while."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from compute.threads import MOST_WORKERS, one_thread, workers

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_one_thread_is_used_for_a_while_even_if_it_fails() -> None:
    with suppress(ValueError), one_thread():
        within = torch.get_num_threads()
        raise ValueError
    assert (within, torch.get_num_threads()) == (1, 3)


def test_workers_are_as_many_as_torchs_threads_and_compute_on_one_core_each() -> None:
    with workers(CPU) as pool:
        assert pool._max_workers == 3
        assert list(pool.map(lambda _: torch.get_num_threads(), range(6))) == [1] * 6
    assert torch.get_num_threads() == 3


def test_there_are_never_too_many_workers_who_then_share_all_cores_and_one_for_a_gpu() -> None:
    torch.set_num_threads(3 * MOST_WORKERS)
    with workers(CPU) as pool:
        assert pool._max_workers == MOST_WORKERS
        assert list(pool.map(lambda _: torch.get_num_threads(), range(6))) == [3] * 6  # so that no core stands idle
    with workers(torch.device("cuda")) as pool:
        assert pool._max_workers == 1
