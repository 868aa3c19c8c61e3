"""The memory of the server's process: what is loaded once stays, and what was given back can be used again."""

import atexit
import ctypes
import functools
import gc
import platform

MOST_ARENAS = 2


@functools.cache
def share_memory() -> None:
    """Have all threads take their memory from few places, where that can be told: with glibc.

    By default each of the many short threads of a server has a place of its own, and keeps there what it gave back. While the
    results are replaced again and again, `python -m drills reading` counted a fifth more memory, which went on to grow.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(-8, MOST_ARENAS)  # M_ARENA_MAX of malloc.h


@functools.cache
def leave_alone() -> None:
    """Take all objects that there are out of the search for garbage, once for the process.

    Streamlit searches all objects after every run of a page. Most of them are Altair's and pandas' definitions: 70 ms after
    each click, for nothing.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # the end of the process looks through everything once more
