"""tracejit compiles NumPy programs: plain functions by a decorator, symbolic graphs as Theano did.

``function``  the decorator, and the compiler of symbolic variables
``tensor``    symbolic arrays; ``shared`` variables keep their values between calls
``config``    settings, for a while (``with tracejit.config(debug=1):``) or from the environment
"""

from __future__ import annotations

from typing import Any

# First: after much else, NumPy's import takes twice as long (a block of CPython's memory is given
# back and taken again, time after time).
import numpy as _numpy  # noqa: F401

from tracejit.api import Function, function
from tracejit.config import config
from tracejit.errors import (
    AxisError,
    CompileError,
    DeviceError,
    DTypeError,
    ShapeError,
    TracejitError,
    UnsupportedError,
    UnsupportedWarning,
)
from tracejit.native.apart import imported
from tracejit.theano.flags import change_flags
from tracejit.theano.names import absent, name_modules

__version__ = "0.1.0"

#: What the symbolic front end adds, imported when it is first asked for.
_SYMBOLIC = {
    "In": "symbolic.io",
    "MRG_RandomStreams": "sandbox.rng_mrg",
    "MissingInputError": "symbolic.state",
    "OrderedUpdates": "updates",
    "Out": "symbolic.io",
    "Param": "symbolic.io",
    "CURAND_RandomStreams": "tensor.philox_randomstreams",
    "PhiloxRandomStreams": "tensor.philox_randomstreams",
    "RandomStreams": "tensor.shared_randomstreams",
    "SharedVariable": "symbolic.shared",
    "SymbolicFunction": "symbolic.function",
    "UnusedInputError": "symbolic.function",
    "Lop": "gradient",
    "Rop": "gradient",
    "clone": "symbolic.replacing",
    "custom_gradient": "gradient",
    "dot": "tensor",
    "grad": "gradient",
    "hessian": "gradient",
    "jacobian": "gradient",
    "jvp": "gradient",
    "value_and_grad": "gradient",
    "vjp": "gradient",
    "install_as_theano": "theano.names",
    "Variable": "tensor",
    "foldl": "scan_module",
    "foldr": "scan_module",
    "map": "scan_module",
    "reduce": "scan_module",
    "scan": "scan_module",
    "scan_checkpoints": "scan_module",
    "auto": "script.auto",
    "pp": "printing",
    "pure": "transform.pure",
    "Apply": "symbolic.graph",
    "Constant": "symbolic.graph",
    "Container": "symbolic.shared",
    "FunctionGraph": "symbolic.fgraph",
    "Generic": "gof.type",
    "Mode": "compile",
    "Op": "symbolic.op",
    "OpFromGraph": "compile",
    "ProfileMode": "compile",
    "Type": "gof.type",
    "_asarray": "compat",
    "as_op": "symbolic.op",
    "function_dump": "compile",
    "generic": "symbolic.type",
    "get_scalar_constant_value": "tensor",
    "map_variables": "symbolic.replacing",
    "object2": "gof",
    "pprint": "printing",
    "sparse_grad": "gradient",
    "subgraph_grad": "gradient",
    "load": "symbolic.saving",
    "save": "symbolic.saving",
    "shared": "symbolic.shared",
}
#: What is for GPUs.
_DEVICE = ("device_info", "synchronize", "to_device")
_MODULES = (
    "compat", "compile", "gof", "gradient", "ifelse", "printing", "sandbox", "scalar",
    "scan_module", "sparse", "tensor", "testing", "typed_list", "updates",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _SYMBOLIC:
        imported("tracejit.tensor")  # which gives variables their operators
        value = getattr(imported(f"tracejit.{_SYMBOLIC[name]}"), name)
        globals()[name] = value
        return value
    if name in _DEVICE:
        return getattr(imported("tracejit.cuda"), name)
    if name in _MODULES:
        return imported(f"tracejit.{name}")
    return absent("tracejit", name)


name_modules("tracejit")

__all__ = [
    "AxisError",
    "CURAND_RandomStreams",
    "CompileError",
    "DTypeError",
    "DeviceError",
    "Function",
    "In",
    "MRG_RandomStreams",
    "MissingInputError",
    "OrderedUpdates",
    "Out",
    "Param",
    "PhiloxRandomStreams",
    "RandomStreams",
    "ShapeError",
    "SharedVariable",
    "SymbolicFunction",
    "TracejitError",
    "UnsupportedError",
    "UnsupportedWarning",
    "UnusedInputError",
    "change_flags",
    "clone",
    "config",
    "custom_gradient",
    "device_info",
    "foldl",
    "foldr",
    "function",
    "grad",
    "hessian",
    "install_as_theano",
    "jacobian",
    "jvp",
    "load",
    "pure",
    "save",
    "scan",
    "shared",
    "synchronize",
    "to_device",
    "value_and_grad",
    "vjp",
]
