"""How many cores torch computes on, where what it is left to itself to choose is slow."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

MOST_WORKERS = 8


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute on one core: where operations are small, to wait for a second core, and a busy one, costs more."""
    with _threads(1):
        yield


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def worker_count(device: torch.device) -> int:
    """As many as torch's threads, but at most MOST_WORKERS, for each needs memory of its own; on a GPU one."""
    return min(torch.get_num_threads(), MOST_WORKERS) if device.type == "cpu" else 1


@contextmanager
def workers(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Threads for independent pieces of work, `worker_count` of them, among which torch's threads are divided.

    So cores wait for one another at the end alone, and not after each operation: on a busy machine that is several times as
    fast.
    """
    count = worker_count(device)
    each = max(1, torch.get_num_threads() // count) if device.type == "cpu" else 1
    with _threads(each), ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(each,)) as pool:
        yield pool
