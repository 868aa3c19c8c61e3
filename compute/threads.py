"""How many cores torch computes on, where what it is left to itself to choose is slow."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

MOST_WORKERS = 8


@contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute on one core: where operations are small, to wait for a second core, and a busy one, costs more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def workers(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Threads for independent pieces of work, each of which torch computes on one core; on a GPU one thread.

    So cores wait for one another at the end alone, and not after each operation: on a busy machine that is several times as
    fast. There are as many as torch's threads, but at most MOST_WORKERS, for each needs memory of its own.
    """
    count = min(torch.get_num_threads(), MOST_WORKERS) if device.type == "cpu" else 1
    with one_thread(), ThreadPoolExecutor(count) as pool:
        yield pool
