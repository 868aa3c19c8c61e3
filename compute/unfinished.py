"""Under which name a file is written before it is whole."""

import os
import platform
from pathlib import Path


def unfinished_path(target: Path) -> Path:
    """A name beside `target`, with its ending, that no other process uses, on this machine or on one that shares the folder."""
    return target.with_name(f".{target.stem}.{platform.node()}.{os.getpid()}{target.suffix}")
