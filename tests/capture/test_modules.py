"""Attributes of modules are read at each call, however the module was made or installed."""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
import sysconfig
import types

import numpy as np
import pytest
from test_function import V
from test_stand_ins import agrees, refuses, same

import tracejit

SOURCE = """
import numpy as np
k = 2.0
w = np.arange(3.0)
flag = "add"
kind = np.float32

def helper(x):
    return x * k + w
"""


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def _by_path(directory, name, monkeypatch):
    (directory / "loaded.py").write_text(SOURCE)
    spec = importlib.util.spec_from_file_location(name, directory / "loaded.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _by_hand(directory, name, monkeypatch):
    module = types.ModuleType(name)
    exec(SOURCE, vars(module))
    return module


def _imported(directory, name, monkeypatch):
    (directory / f"{name}.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(directory))
    return importlib.import_module(name)


def _namespace(directory, name, monkeypatch):
    (directory / name / "inner").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(directory))
    module = importlib.import_module(f"{name}.inner")
    exec(SOURCE, vars(module))
    return module


def _submodule(directory, name, monkeypatch):
    (directory / name).mkdir()
    (directory / name / "__init__.py").write_text("")
    (directory / name / "part.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(directory))
    return importlib.import_module(f"{name}.part")


def _installed(directory, name, monkeypatch):
    """One whose functions seem to lie among the installed packages."""
    module = types.ModuleType(name)
    module.__file__ = f"{sysconfig.get_paths()['purelib']}/{name}.py"
    exec(compile(SOURCE, module.__file__, "exec"), vars(module))
    monkeypatch.setitem(sys.modules, name, module)
    return module


def _own_class(directory, name, monkeypatch):
    class Lazy(types.ModuleType):
        pass

    module = Lazy(name)
    exec(SOURCE, vars(module))
    return module


MAKERS = (_by_path, _by_hand, _imported, _namespace, _submodule, _installed, _own_class)


@pytest.fixture(params=MAKERS, ids=lambda f: f.__name__[1:])
def module(request, tmp_path, monkeypatch):
    name = f"tj_module{request.param.__name__}"
    yield request.param(tmp_path, name, monkeypatch)
    for known in [m for m in sys.modules if m.startswith(name)]:
        del sys.modules[known]


def test_what_a_module_holds_is_read_at_each_call(module):
    outer = types.ModuleType("outer")
    outer.inner = module

    def f(x):
        y = x * module.k + outer.inner.w + module.helper(x)
        return y if module.flag == "add" else -y, module.kind(x), module.kind is np.float32

    g = agrees(f, V)
    changes = {
        "k": [3.0, 4], "w": [np.ones(3), np.float32(2)], "flag": ["subtract"], "kind": [np.float64],
        "helper": [lambda x: x - 1],
    }  # fmt: skip
    for name, values in changes.items():
        for value in values:
            setattr(module, name, value)
            same(g(V), f(V))
    outer.inner = types.SimpleNamespace  # another module in its place
    outer.inner = types.ModuleType("other")
    outer.inner.w = 7.0
    same(g(V), f(V))
    del module.k
    with pytest.raises(AttributeError, match="k"), pytest.warns(tracejit.UnsupportedWarning):
        tracejit.function(f, on_unsupported="warn")(V)


def test_a_module_answers_as_the_real_one(module):
    outer = types.ModuleType("outer")
    outer.inner = module

    def f(x):
        return (
            module.__name__, module.__doc__, repr(module), isinstance(module, types.ModuleType),
            outer.inner == module, hash(module),
            {module: 1}.get(outer.inner), module in (outer, module), hasattr(module, "k"),
            module.k, module, [outer], x,
        )  # fmt: skip

    agrees(f, V)


def test_what_is_not_there_is_refused(module):
    refuses("could change unseen", lambda x: x * getattr(module, "nothing", 2.0), V)
    refuses("could change unseen", lambda x: x if hasattr(module, "nothing") else -x, V)
    refuses("the function sets", lambda x: _set(module, x), V)


def _set(module, x):
    module.k = 2.0
    return x


def test_a_module_that_computes_its_attributes(monkeypatch):
    module = types.ModuleType("computed")
    module.values = {"depth": 2}
    exec("def __getattr__(name): return values[name]", vars(module))
    g = agrees(lambda x: x * module.depth, V)
    module.values["depth"] = 3
    same(g(V), V * 3)


def test_libraries_answer_as_themselves():
    def f(x):
        return np is np, np.linalg is np.linalg, np.__name__, np.pi, np.newaxis, np, repr(np)

    agrees(f, V)
    agrees(lambda x: (sys.maxsize, sys.version_info >= (3, 9), x), V)
    for f in (
        lambda x: x * len(sys.argv),
        lambda x: x * sys.modules["math"].pi,
        lambda x: x * importlib.import_module("math").pi,
    ):
        refuses("could change unseen|another answer", f, V)


@pytest.mark.parametrize("library", [np, np.linalg, math], ids=lambda m: m.__name__)
def test_what_others_put_into_libraries_is_read_at_each_call(library, monkeypatch):
    monkeypatch.setattr(library, "our_scale", 2.0, raising=False)
    monkeypatch.setattr(library, "our_table", [V, 2.0], raising=False)
    monkeypatch.setattr(library, "our_function", lambda x: x + 1, raising=False)

    def f(x):
        y = library.our_function(x) * library.our_scale
        return y + library.our_table[0], library.our_table[1], np.pi, math.pi

    g = agrees(f, V)
    for name, value in {
        "our_scale": 3.0,
        "our_table": [V + 1, 5.0],
        "our_function": lambda x: x - library.our_scale,
    }.items():
        monkeypatch.setattr(library, name, value)
        same(g(V), f(V))
        same(tracejit.function(f)(V), f(V))
