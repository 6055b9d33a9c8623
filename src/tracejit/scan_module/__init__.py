"""Loops over symbolic arrays, under the names of ``theano.scan_module``."""

from __future__ import annotations

from tracejit.scan_module import scan_op, scan_utils, scan_views
from tracejit.scan_module.scan import scan
from tracejit.scan_module.scan_checkpoints import scan_checkpoints
from tracejit.scan_module.scan_utils import clone, until
from tracejit.scan_module.scan_views import foldl, foldr, map, reduce

__all__ = [
    "clone",
    "foldl",
    "foldr",
    "map",
    "reduce",
    "scan",
    "scan_checkpoints",
    "scan_op",
    "scan_utils",
    "scan_views",
    "until",
]
