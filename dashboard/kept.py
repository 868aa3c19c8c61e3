"""What was worked out once for some results and choices is kept: a file's state never changes, and many ask for the same.

It is kept with the state of the file that it is of, and goes when nobody looks at that any more: one that was replaced would
otherwise stay open, with its connection and all that was asked of it.
"""

import functools
import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import pandas

MOST_KEPT = 64  # answers of each function
_lacking = threading.local()  # how often something was missing, in each thread
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Answers:
    """The last answers, by what was asked: of more than `most` the one that was not asked for the longest goes."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, work_out: Callable[[], Any]) -> Any:
        """The answer that is kept under `key`, or else what `work_out` gives, to be kept unless something is `lacking`."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        before = _times_lacking()
        found = work_out()
        if _times_lacking() > before:
            return found
        with self._lock:
            self._found[key] = found
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return found


def lacking() -> None:
    """Say that a file is missing that may yet come: what is being worked out is given, and not kept."""
    _lacking.times = _times_lacking() + 1


def _times_lacking() -> int:
    return getattr(_lacking, "times", 0)


def kept(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
    """Keep the last MOST_KEPT answers of a function of what can be hashed or, as frames and lists can, pickled.

    Those of a function of `Results`, or of what else says that it `keeps_answers`, are kept with the first of these; those of
    others for as long as the process lives, so that they and what is asked must be small. A frame is given as a copy, which
    costs nothing; whatever else it gives no caller may change. Errors are not kept, nor is what something was
    `lacking` for.
    """
    of_no_results = Answers()

    @functools.wraps(function)
    def asked(*given: Asked.args, **named: Asked.kwargs) -> Answer:
        results: Any = next(filter(_keeps_answers, (*given, *named.values())), None)
        answers = of_no_results if results is None else results.answers.setdefault(function, Answers())
        key = tuple(map(_hashable, given)), tuple((name, _hashable(value)) for name, value in named.items())
        found = answers.get(key, partial(function, *given, **named))
        return found.copy(deep=False) if isinstance(found, pandas.DataFrame | pandas.Series) else found

    return asked


def _keeps_answers(value: Any) -> bool:
    return bool(getattr(type(value), "keeps_answers", False))  # of the type, as a frame may have a column of any name


def _hashable(value: Any) -> Hashable:
    if _keeps_answers(value):
        return value.identity  # and not what holds them
    try:
        hash(value)
    except TypeError:
        return hashlib.sha256(pickle.dumps(value)).digest()  # a frame's own bytes would be kept as long as the answer
    return value
