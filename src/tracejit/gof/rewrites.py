"""Where rewrites are registered, under the names of ``theano.tensor.opt``."""

from __future__ import annotations

from tracejit.symbolic.optdb import (
    optdb,
    register_canonicalize,
    register_specialize,
    register_specialize_device,
    register_stabilize,
    register_uncanonicalize,
)
from tracejit.symbolic.rewriting import (
    LocalOptGroup,
    LocalOptimizer,
    Optimizer,
    PatternSub,
    TopoOptimizer,
    in2out,
    local_optimizer,
    out2in,
)

__all__ = [
    "LocalOptGroup",
    "LocalOptimizer",
    "Optimizer",
    "PatternSub",
    "TopoOptimizer",
    "in2out",
    "local_optimizer",
    "optdb",
    "out2in",
    "register_canonicalize",
    "register_specialize",
    "register_specialize_device",
    "register_stabilize",
    "register_uncanonicalize",
]
