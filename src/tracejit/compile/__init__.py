"""Names that Theano's programs import from ``theano.compile``."""

from __future__ import annotations

from typing import Any

import tracejit.tensor  # noqa: F401 — which gives variables their operators
from tracejit.api import function
from tracejit.compile import builders, mode, ops, profiling
from tracejit.compile.builders import OpFromGraph
from tracejit.compile.dumping import function_dump
from tracejit.compile.mode import (
    FAST_COMPILE,
    FAST_RUN,
    BadOptimization,
    DebugMode,
    InvalidValueError,
    Mode,
    MonitorMode,
    NanGuardMode,
    ProfileMode,
    get_default_mode,
    get_mode,
    optdb,
    predefined_linkers,
    predefined_modes,
    predefined_optimizers,
    register_mode,
    register_optimizer,
)
from tracejit.compile.ops import (
    DeepCopyOp,
    FromFunctionOp,
    Rebroadcast,
    Shape,
    Shape_i,
    SpecifyShape,
    ViewOp,
    as_op,
    deep_copy_op,
    view_op,
)
from tracejit.compile.profiling import ProfileStats
from tracejit.symbolic.fgraph import FunctionGraph
from tracejit.symbolic.function import AliasedMemoryError, SymbolicFunction, UnusedInputError
from tracejit.symbolic.io import In, Out, Param, SymbolicInput, SymbolicOutput
from tracejit.symbolic.shared import SharedVariable, shared, shared_constructor

Function = SymbolicFunction
pfunc = orig_function = function


def std_fgraph(input_specs: Any, output_specs: Any, accept_inplace: bool = False) -> Any:
    """The graph between `In` and `Out`, and what describes further outputs."""
    updates = [spec.update for spec in input_specs if spec.update is not None]
    outputs = [spec.variable for spec in output_specs]
    return FunctionGraph([spec.variable for spec in input_specs], outputs + updates), []


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.compile", name)


__all__ = [
    "FAST_COMPILE",
    "FAST_RUN",
    "AliasedMemoryError",
    "BadOptimization",
    "DebugMode",
    "DeepCopyOp",
    "FromFunctionOp",
    "Function",
    "In",
    "InvalidValueError",
    "Mode",
    "MonitorMode",
    "NanGuardMode",
    "OpFromGraph",
    "Out",
    "Param",
    "ProfileMode",
    "ProfileStats",
    "Rebroadcast",
    "Shape",
    "Shape_i",
    "SharedVariable",
    "SpecifyShape",
    "SymbolicInput",
    "SymbolicOutput",
    "UnusedInputError",
    "ViewOp",
    "as_op",
    "builders",
    "deep_copy_op",
    "function",
    "function_dump",
    "get_default_mode",
    "get_mode",
    "mode",
    "ops",
    "optdb",
    "orig_function",
    "pfunc",
    "predefined_linkers",
    "predefined_modes",
    "predefined_optimizers",
    "profiling",
    "register_mode",
    "register_optimizer",
    "shared",
    "shared_constructor",
    "std_fgraph",
    "view_op",
]
