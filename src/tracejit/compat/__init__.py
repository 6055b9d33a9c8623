"""What programs took from ``theano.compat`` and ``theano.misc``."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from functools import cmp_to_key, partial
from itertools import product
from operator import truediv as operator_div
from typing import Any

import numpy as np

from tracejit.compat.containers import DefaultOrderedDict, OrderedSet, frozendict

izip, imap, ifilter = zip, map, filter
python_all, python_any = all, any
PY3 = True


def cmp(a: Any, b: Any) -> int:
    """-1, 0 or 1, as `a` is less than, equal to or greater than `b`."""
    return (a > b) - (a < b)


def get_unbound_function(function: Any) -> Any:
    """The function of a method; any other function is itself."""
    return getattr(function, "__func__", function)


def exc_message(error: BaseException) -> Any:
    """The first argument of an exception."""
    return error.args[0] if error.args else ""


def decode(text: Any) -> str:
    """Bytes as text."""
    return text.decode("utf-8") if isinstance(text, bytes) else text


decode_with = decode


def decode_iter(lines: Any) -> Any:
    """Lines of bytes as text."""
    return map(decode, lines)


def _asarray(a: Any, dtype: Any = None, order: Any = None) -> np.ndarray:
    """``np.asarray``, whose dtype may be "floatX"."""
    from tracejit.config import config

    if isinstance(dtype, str) and dtype == "floatX":
        dtype = config.floatX
    return np.asarray(a, dtype, order)


__all__ = [
    "PY3",
    "Callable",
    "Counter",
    "DefaultOrderedDict",
    "OrderedDict",
    "OrderedSet",
    "cmp",
    "cmp_to_key",
    "decode",
    "decode_iter",
    "decode_with",
    "defaultdict",
    "exc_message",
    "frozendict",
    "get_unbound_function",
    "ifilter",
    "imap",
    "izip",
    "operator_div",
    "partial",
    "product",
    "python_all",
    "python_any",
]
