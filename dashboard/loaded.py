"""The memory of the server's process: what is loaded once stays."""

import atexit
import functools
import gc


@functools.cache
def leave_alone() -> None:
    """Take all objects that there are out of the search for garbage, once for the process.

    Streamlit searches all objects after every run of a page. Most of them are Altair's and pandas' definitions: 70 ms after
    each click, for nothing.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # the end of the process looks through everything once more
