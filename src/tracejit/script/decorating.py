"""Functions of a script and its modules, replaced by their names; the script stays as it is."""

from __future__ import annotations

import ast
import functools
import importlib
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_WRAP = ".tracejit"


def run_decorated(
    script: str,
    arguments: Iterable[str],
    functions: Iterable[str],
    wrap: Callable[[types.FunctionType], Any],
) -> None:
    """Run a script as Python does, with `wrap` of the `functions`.

    A function is ``name`` or ``Class.method`` of the script, or ``module:name``. LookupError for
    one that is not there.
    """
    path = Path(script)
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    own: set[str] = set()
    for function in functions:
        module, colon, name = function.rpartition(":")
        if colon and module != "__main__":
            _replace(module, name, wrap)
        else:
            own.add(name)
    tree = ast.parse(path.read_bytes(), filename=script)
    missing = own - _decorate(tree.body, own, "")
    if missing:
        raise LookupError(f"{script} has no function {', '.join(sorted(missing))}")
    main = types.ModuleType("__main__")
    main.__dict__.update({"__file__": script, "__builtins__": __builtins__, _WRAP: wrap})
    sys.modules["__main__"] = main
    exec(compile(tree, script, "exec", dont_inherit=True), main.__dict__)


def _decorate(body: Iterable[ast.stmt], names: set[str], prefix: str) -> set[str]:
    """Put a decorator to the definitions of functions with these names, which are returned."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.ClassDef):
            found |= _decorate(node.body, names, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and prefix + node.name in names:
            decorator = ast.copy_location(ast.Name(_WRAP, ast.Load()), node)
            node.decorator_list.append(decorator)
            found.add(prefix + node.name)
        else:
            blocks = (getattr(node, field, ()) for field in ("body", "orelse", "finalbody"))
            if not isinstance(node, ast.FunctionDef):
                for block in blocks:
                    found |= _decorate(block, names, prefix)
    return found


def _replace(module: str, name: str, wrap: Callable[[types.FunctionType], Any]) -> None:
    try:
        owner: Any = importlib.import_module(module)
        *way, last = name.split(".")
        owner = functools.reduce(getattr, way, owner)
        setattr(owner, last, replaced(vars(owner)[last], wrap))
    except (ImportError, AttributeError, KeyError) as problem:
        raise LookupError(f"there is no function {module}:{name}") from problem


def replaced(value: Any, wrap: Callable[[types.FunctionType], Any]) -> Any:
    """`wrap` of a function, or of that of a static or class method."""
    if isinstance(value, (staticmethod, classmethod)):
        return type(value)(replaced(value.__func__, wrap))
    return wrap(value) if isinstance(value, types.FunctionType) else value
