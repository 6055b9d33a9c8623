"""The part of ``six.moves`` that programs took from ``theano.compat.six.moves``."""

from __future__ import annotations

import builtins
import configparser
import pickle as cPickle
import queue
from functools import reduce
from io import StringIO
from itertools import filterfalse, zip_longest
from urllib import request as urllib_request

filter, input, map, range, zip = (
    builtins.filter, builtins.input, builtins.map, builtins.range, builtins.zip
)  # fmt: skip
xrange = range

__all__ = [
    "StringIO",
    "cPickle",
    "configparser",
    "filter",
    "filterfalse",
    "input",
    "map",
    "queue",
    "range",
    "reduce",
    "urllib_request",
    "xrange",
    "zip",
    "zip_longest",
]
