"""Theano's module names, and which of ours they lead to."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tracejit.theano.standins import NamesModule, StandInModule, found_or_absent, text_of

#: Theano's module → those of ours that have its names. One that is not here leads to our module of
#: the same name, if there is one.
MODULES: dict[str, str] = {
    "theano.compile.builders": "tracejit.compile.builders",
    "theano.compile.debugmode": "tracejit.compile.mode",
    "theano.compile.function": "tracejit.compile",
    "theano.compile.function_module": "tracejit.symbolic.function tracejit.compile",
    "theano.compile.io": "tracejit.symbolic.io",
    "theano.compile.monitormode": "tracejit.compile.mode",
    "theano.compile.nanguardmode": "tracejit.compile.mode",
    "theano.compile.ops": "tracejit.compile.ops tracejit.compile",
    "theano.compile.pfunc": "tracejit.compile",
    "theano.compile.profilemode": "tracejit.compile.mode",
    "theano.compile.profiling": "tracejit.compile.profiling",
    "theano.compile.sharedvalue": "tracejit.symbolic.shared",
    "theano.configdefaults": "tracejit.compat.configuration",
    "theano.configparser": "tracejit.compat.configuration",
    "theano.d3viz": "tracejit.printing",
    "theano.gof.cc": "tracejit.gof",
    "theano.gof.fg": "tracejit.gof.fg tracejit.gof",
    "theano.gof.link": "tracejit.gof.link",
    "theano.gof.null_type": "tracejit.gradient",
    "theano.gof.optdb": "tracejit.gof.optdb",
    "theano.gof.toolbox": "tracejit.gof.toolbox",
    "theano.gof.type": "tracejit.gof.type",
    "theano.gof.unify": "tracejit.gof.opt",
    "theano.gof.utils": "tracejit.gof.utils",
    "theano.gof.vm": "tracejit.gof.link",
    "theano.misc": "tracejit.compat",
    "theano.misc.frozendict": "tracejit.compat.containers",
    "theano.misc.ordered_set": "tracejit.compat.containers",
    "theano.misc.pkl_utils": "tracejit.compat.pickles",
    "theano.misc.safe_asarray": "tracejit.compat",
    "theano.compat.python2x": "tracejit.compat",
    "theano.raise_op": "tracejit.tensor.assertions",
    "theano.scalar.basic": "tracejit.scalar",
    "theano.scalar.basic_scipy": "tracejit.scalar",
    "theano.scalar.sharedvar": "tracejit.symbolic.shared",
    "theano.scan_module.scan": "tracejit.scan_module",
    "theano.sparse.basic": "tracejit.sparse",
    "theano.sparse.sandbox": "tracejit.sparse",
    "theano.sparse.sandbox.sp": "tracejit.sparse",
    "theano.sparse.sandbox.sp2": "tracejit.sparse",
    "theano.sparse.sharedvar": "tracejit.sparse",
    "theano.sparse.type": "tracejit.sparse",
    "theano.sandbox.cuda": "tracejit.sandbox.cuda",
    "theano.sandbox.cuda.basic_ops": "tracejit.sandbox.cuda",
    "theano.sandbox.cuda.type": "tracejit.sandbox.cuda",
    "theano.sandbox.cuda.var": "tracejit.sandbox.cuda",
    "theano.gpuarray": "tracejit.sandbox.cuda",
    "theano.gpuarray.basic_ops": "tracejit.sandbox.cuda",
    "theano.gpuarray.dnn": "tracejit.sandbox.cuda.dnn",
    "theano.gpuarray.type": "tracejit.sandbox.cuda",
    "theano.sandbox.gpuarray": "tracejit.sandbox.cuda",
    "theano.sandbox.gpuarray.basic_ops": "tracejit.sandbox.cuda",
    "theano.sandbox.linalg": "tracejit.tensor.nlinalg tracejit.tensor.slinalg",
    "theano.sandbox.linalg.ops": "tracejit.tensor.nlinalg tracejit.tensor.slinalg",
    "theano.sandbox.neighbours": "tracejit.tensor.nnet.neighbours",
    "theano.sandbox.softsign": "tracejit.tensor.nnet",
    "theano.tensor.basic": "tracejit.tensor",
    "theano.tensor.blas": "tracejit.tensor.opviews tracejit.tensor",
    "theano.tensor.elemwise": "tracejit.tensor.opviews tracejit.tensor",
    "theano.tensor.io": "tracejit.tensor",
    "theano.tensor.nnet.nnet": "tracejit.tensor.nnet",
    "theano.tensor.nnet.sigm": "tracejit.tensor.nnet",
    "theano.tensor.opt": "tracejit.gof.rewrites tracejit.tensor.assertions",
    "theano.tensor.sharedvar": "tracejit.symbolic.shared",
    "theano.tensor.sort": "tracejit.tensor.sorting",
    "theano.tensor.type": "tracejit.symbolic.type",
    "theano.tensor.type_other": "tracejit.tensor.conversions tracejit.tensor",
    "theano.tensor.utils": "tracejit.tensor.conversions",
    "theano.tensor.var": "tracejit.symbolic.variables tracejit.symbolic.convert",
    "theano.tests": "tracejit.compat",
    "theano.tests.breakpoint": "tracejit.printing.values",
    "theano.tests.unittest_tools": "tracejit.compat.unittest_tools",
    "theano.version": "tracejit.compat.version",
}
#: The version of Theano whose behaviour this is.
VERSION = "1.0.5"
#: Packages and modules of ours that have Theano's names themselves.
SAME = frozenset(
    "compile gof gradient ifelse printing sandbox scan_module tensor updates sparse scalar "
    "typed_list compat".split()
)


absent = found_or_absent


def _ours(name: str) -> tuple[str, ...]:
    """The modules of ours for one of Theano's, whose name is without the package."""
    return tuple(MODULES.get(f"theano.{name}", f"tracejit.{name}").split())


def modules_of(name: str) -> tuple[str, ...]:
    """Those of our modules that are there for one of Theano's, with its full name."""
    rest = name.partition(".")[2]
    if not rest:
        return ("tracejit",)
    return _ours(rest) if _known(rest) else ()


def _exists(name: str) -> bool:
    """Whether there is a file for a module of ours, whose name is without the package."""
    base = os.path.join(os.path.dirname(os.path.dirname(__file__)), *name.split("."))
    return os.path.isdir(base) or os.path.exists(f"{base}.py")


def _known(name: str) -> bool:
    if f"theano.{name}" in MODULES:
        return _exists(_ours(name)[0].removeprefix("tracejit."))
    return name.partition(".")[0] in SAME and _exists(name)


def name_modules(package: str) -> None:
    """Make the modules of the table importable under `package`, where it has none of that name."""
    for key in MODULES:
        name = key.partition(".")[2]
        full = f"{package}.{name}"
        if not name or full in sys.modules or not _known(name):
            continue
        if package != "tracejit" or not _exists(name):
            sys.modules[full] = NamesModule(full, _ours(name))


class _Finder:
    """Finds what is not in the table: modules of ours with the same name, and stand-ins."""

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "theano" or not name:
            return None
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        name = spec.name.partition(".")[2]
        if _known(name):
            module = importlib.import_module(_ours(name)[0])
            self._specs[spec.name] = module.__spec__
            return module
        texts = (text_of("", part) for part in reversed(spec.name.split(".")))
        what = next(filter(None, texts), f"Theano's {spec.name} is not available")
        return StandInModule(spec.name, what)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None
        if spec.name in self._specs:
            module.__spec__ = self._specs.pop(spec.name)


def install_as_theano() -> None:
    """Let ``import theano`` and the imports of its modules give tracejit's in this process.

    A module of Theano's that is not here can be imported; what is in it says that it is missing
    when it is used. RuntimeError where another ``theano`` has been imported already.

    >>> import tracejit
    >>> tracejit.install_as_theano()
    >>> import theano, theano.tensor as T
    >>> theano.function([], T.constant(2) * 3)()
    array(6, dtype=int8)
    """
    present = sys.modules.get("theano")
    if present is not None and not isinstance(present, NamesModule):
        raise RuntimeError("another module theano has been imported: install before it is")
    if present is None:
        theano = sys.modules["theano"] = NamesModule("theano", ("tracejit",))
        theano.__version__ = VERSION  # type: ignore[attr-defined]
    if not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for name in sorted(SAME):
        if _exists(name):
            sys.modules[f"theano.{name}"] = importlib.import_module(f"tracejit.{name}")
    name_modules("theano")


def run_script(path: str, arguments: Sequence[str]) -> None:
    """Run a Theano script as it is, as ``__main__``, with these command line arguments."""
    import runpy

    install_as_theano()
    sys.argv = [path, *arguments]
    runpy.run_path(path, run_name="__main__")


__all__ = ["MODULES", "absent", "install_as_theano", "modules_of", "name_modules", "run_script"]
