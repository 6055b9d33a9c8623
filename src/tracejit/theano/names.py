"""Running Theano's programs as they are: its module names lead to tracejit's modules."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import runpy
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

#: Theano's module → ours.
MODULES = {
    "theano": "tracejit",
    "theano.compile": "tracejit.compile",
    "theano.compile.function": "tracejit.compile",
    "theano.compile.function_module": "tracejit.symbolic.function",
    "theano.compile.io": "tracejit.symbolic.io",
    "theano.compile.mode": "tracejit.compile",
    "theano.compile.pfunc": "tracejit.compile",
    "theano.compile.sharedvalue": "tracejit.symbolic.shared",
    "theano.gof": "tracejit.gof",
    "theano.gradient": "tracejit.gradient",
    "theano.gof.graph": "tracejit.gof",
    "theano.ifelse": "tracejit.ifelse",
    "theano.printing": "tracejit.printing",
    "theano.sandbox": "tracejit.sandbox",
    "theano.sandbox.cuda": "tracejit.sandbox.cuda",
    "theano.sandbox.cuda.rng_curand": "tracejit.sandbox.cuda.rng_curand",
    "theano.sandbox.rng_mrg": "tracejit.sandbox.rng_mrg",
    "theano.scan_module": "tracejit.scan_module",
    "theano.scan_module.scan": "tracejit.scan_module.scan",
    "theano.scan_module.scan_checkpoints": "tracejit.scan_module.scan_checkpoints",
    "theano.scan_module.scan_op": "tracejit.scan_module.scan_op",
    "theano.scan_module.scan_utils": "tracejit.scan_module.scan_utils",
    "theano.scan_module.scan_views": "tracejit.scan_module.scan_views",
    "theano.tensor": "tracejit.tensor",
    "theano.tensor.basic": "tracejit.tensor",
    "theano.tensor.extra_ops": "tracejit.tensor.extra_ops",
    "theano.tensor.nnet": "tracejit.tensor.nnet",
    "theano.tensor.nnet.nnet": "tracejit.tensor.nnet",
    "theano.tensor.nnet.sigm": "tracejit.tensor.nnet",
    "theano.tensor.raw_random": "tracejit.tensor.raw_random",
    "theano.tensor.shared_randomstreams": "tracejit.tensor.shared_randomstreams",
    "theano.tensor.sharedvar": "tracejit.symbolic.shared",
    "theano.tensor.sort": "tracejit.tensor.products",
    "theano.tensor.subtensor": "tracejit.tensor.subtensor",
    "theano.tensor.type": "tracejit.symbolic.type",
    "theano.tensor.var": "tracejit.symbolic.variables",
    "theano.updates": "tracejit.updates",
}

_CONV = "scipy.signal computes convolutions outside of the graph"
#: Names of Theano's that are not there: what they are, and what to use.
MISSING = {
    "signal": ("pooling and convolution", _CONV),
    "conv": ("convolutions", _CONV),
    "conv2d": ("a convolution", _CONV),
    "abstract_conv": ("convolutions", _CONV),
    "Op": ("a user's own operation", "functions of NumPy, which take symbolic variables"),
    "gpuarray": ("the GPU back end", "config.device = 'cpu'"),
    "sparse": ("sparse matrices", "dense arrays, or scipy.sparse outside of the graph"),
    "nlinalg": ("linear algebra", "numpy.linalg outside of the graph"),
    "slinalg": ("linear algebra", "scipy.linalg outside of the graph"),
    "fft": ("Fourier transforms", "numpy.fft outside of the graph"),
}


def missing(module: str, name: str) -> AttributeError:
    """What is raised for an attribute that is not there: it says what it is, and what to use."""
    text = f"module {module!r} has no attribute {name!r}"
    if name in MISSING:
        what, use = MISSING[name]
        text += f": Theano's {name} is {what}, which is not available; use {use}"
    return AttributeError(text)


class _Finder(importlib.abc.MetaPathFinder):
    """Says of Theano's modules that are not there what they are."""

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != "theano" or fullname in MODULES:
            return None
        last = next((p for p in fullname.split(".") if p in MISSING), "")
        text = f"No module named {fullname!r} here"
        if last:
            what, use = MISSING[last]
            text += f": it holds {what}, which is not available; use {use}"
        raise ModuleNotFoundError(text, name=fullname)


def install_as_theano() -> None:
    """Let ``import theano`` and the imports of its modules give tracejit's in this process.

    RuntimeError where another ``theano`` has been imported already.

    >>> import tracejit
    >>> tracejit.install_as_theano()
    >>> import theano, theano.tensor as T
    >>> theano.function([], T.constant(2) * 3)()
    array(6, dtype=int8)
    """
    present = sys.modules.get("theano")
    if present is not None and present is not sys.modules["tracejit"]:
        raise RuntimeError("another module theano has been imported: install before it is")
    for name, ours in MODULES.items():
        sys.modules[name] = importlib.import_module(ours)
    if not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def run_script(path: str, arguments: Sequence[str]) -> None:
    """Run a Theano script as it is, as ``__main__``, with these command line arguments."""
    install_as_theano()
    sys.argv = [path, *arguments]
    runpy.run_path(path, run_name="__main__")
