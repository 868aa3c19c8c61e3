"""What was worked out once for some results and choices is kept: a file's state never changes, and many ask for the same."""

import functools
import pickle
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

import pandas

MOST_KEPT = 64  # answers of each function
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Call:
    """What to work out where no answer is kept under the same `key`."""

    key: Hashable
    work_out: Callable[[], Any] = field(compare=False)


def kept(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
    """Keep the last MOST_KEPT answers of a function of what can be hashed or, as frames and lists can, pickled.

    A frame is given as a copy, which costs nothing; whatever else it gives no caller may change. Errors are not kept.
    """

    @functools.lru_cache(maxsize=MOST_KEPT)
    def answer(call: Call) -> Any:
        return call.work_out()

    @functools.wraps(function)
    def asked(*given: Asked.args, **named: Asked.kwargs) -> Answer:
        key = tuple(map(_hashable, given)), tuple((name, _hashable(value)) for name, value in named.items())
        found = answer(Call(key, partial(function, *given, **named)))
        return found.copy(deep=False) if isinstance(found, pandas.DataFrame | pandas.Series) else found

    return asked


def _hashable(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return pickle.dumps(value)
    return value
