"""The graph of symbolic variables and its rewrites, under the names of ``theano.gof``."""

from __future__ import annotations

from typing import Any

from tracejit.gof import fg, graph, link, op, opt, optdb, toolbox, type, utils
from tracejit.gof.graph import *  # noqa: F403
from tracejit.gof.link import Container, Linker, PerformLinker, VM_Linker
from tracejit.gof.op import COp, MethodNotDefined, Op, PureOp, get_test_value
from tracejit.gof.opt import *  # noqa: F403
from tracejit.gof.optdb import *  # noqa: F403
from tracejit.gof.toolbox import *  # noqa: F403
from tracejit.gof.type import CLinkerType, Generic, PureType, Type, generic
from tracejit.gof.utils import hash_from_code, object2
from tracejit.symbolic.fgraph import FunctionGraph, InconsistencyError
from tracejit.symbolic.graph import Apply, Constant, Variable
from tracejit.symbolic.state import MissingInputError

OpenMPOp = Op


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.gof", name)


__all__ = [
    "Apply",
    "CLinkerType",
    "COp",
    "Constant",
    "Container",
    "FunctionGraph",
    "Generic",
    "InconsistencyError",
    "Linker",
    "MethodNotDefined",
    "MissingInputError",
    "Op",
    "OpenMPOp",
    "PerformLinker",
    "PureOp",
    "PureType",
    "Type",
    "VM_Linker",
    "Variable",
    "fg",
    "generic",
    "get_test_value",
    "graph",
    "hash_from_code",
    "link",
    "object2",
    "op",
    "opt",
    "optdb",
    "toolbox",
    "type",
    "utils",
]
__all__ += graph.__all__ + opt.__all__ + optdb.__all__ + toolbox.__all__
