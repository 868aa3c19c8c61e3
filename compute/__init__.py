"""Batch computation of every experiment; `python -m compute`."""

import ctypes
import os
import platform
import warnings

# Threads that wait for each other sleep instead of spinning: alone on a machine that costs a few percent, beside one other busy
# process it is two to three times as fast. It must be set before torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# clip imports setuptools' pkg_resources, which warns of that; nobody who runs an experiment can do anything about it.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)


def _keep_freed_memory() -> None:
    """Have glibc keep large buffers for the next layer, instead of returning each to the system and faulting it in again.

    On a CPU that makes inference up to twice as fast (`python -m benchmarks.prediction_pass`).
    """
    if platform.libc_ver()[0] == "glibc":
        allocator = ctypes.CDLL(None)
        for option in (-1, -2, -3):  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD of malloc.h
            allocator.mallopt(option, 2**26 if option == -2 else 2**30)


_keep_freed_memory()
