"""The layers: who may import whom, what an import may bring along, and how long a file may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "tracejit"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 500

_BASE = {"apart", "config", "errors", "flags", "floatmodes", "calltext", "native", "locks"}
_VALUES = _BASE | {"ir", "memory", "variable", "arrays"}
_TRACE = (
    _VALUES
    | {
        "stateful",
        "structure",
        "explain",
        "requirements",
        "trace",
        "namespace",
        "dispatch",
        "capture",
    }
    | {"untraceable", "standin", "classes", "usermodule", "generators"}
)
_CALL = _TRACE | {
    "arguments",
    "fallback",
    "shortcut",
    "retrace",
    "sharing",
    "traced",
    "call",
    "function",
}
_CALL |= {"caller", "reentry"}
_SYMBOLIC = _CALL | {
    "tensor",
    "sharedvalue",
    "state",
    "io",
    "replacing",
    "symbolic",
    "symbolic_call",
}
# Each top-level module or package, and those it may import. What is not here is not a layer yet:
# give a new one a line.
MAY_IMPORT: dict[str, set[str]] = {
    "flags": set(),
    "calltext": set(),
    "locks": set(),
    "apart": {"locks", "config"},
    "native": {"apart"},
    "caller": _BASE,
    "config": _BASE,
    "floatmodes": _BASE,
    "requirements": _BASE | {"ir"},
    "errors": _BASE,
    "ir": _BASE | {"rng"},
    "structure": _BASE,
    "explain": _BASE | {"ir"},
    "memory": _BASE | {"ir"},
    "variable": _VALUES,
    "arrays": _VALUES,
    "trace": _VALUES | {"explain", "requirements"},
    "standin": set(),
    "classes": _BASE | {"standin", "structure", "untraceable", "capture"},
    "usermodule": _BASE | {"namespace", "standin", "untraceable"},
    "namespace": _VALUES | {"trace", "standin", "untraceable"},
    "dispatch": _BASE | {"ir", "structure"},
    "capture": _TRACE,
    "generators": _VALUES | {"trace"},
    "untraceable": set(),
    "arguments": _TRACE,
    "rng": set(),
    "sandbox": _BASE | {"tensor", "rng", "sharedvalue"},
    "saving": {"sharedvalue"},
    "lower": _BASE | {"ir", "rng"},
    "cpu": _BASE | {"ir", "lower", "rng"},
    "shortcut": _CALL,
    "retrace": _CALL,
    "reentry": _TRACE | {"locks"},
    "fallback": _CALL,
    "sharing": _VALUES,
    "traced": _CALL,
    "call": _CALL | {"lower", "cpu"},
    "function": _CALL | {"symbolic"},
    "tensor": _TRACE
    | {"tensor", "symbolic", "symbolic_call", "state", "sharedvalue", "theano_names", "autodiff"}
    | {"rng", "fallback"},
    "sharedvalue": {"tensor", "locks"},
    "state": {"tensor", "sharedvalue"},
    "io": {"tensor", "sharedvalue"},
    "replacing": {"tensor", "sharedvalue"},
    "symbolic_call": _SYMBOLIC | {"lower", "cpu", "debugmode"},
    "symbolic": _SYMBOLIC | {"symbolic_copy"},
    "symbolic_copy": _SYMBOLIC,
    "debugmode": _SYMBOLIC,
    "autodiff": _BASE | {"ir"},
    "transform": _CALL | {"autodiff"},
    "gradient": {"tensor", "transform"},
    "testing": _CALL | {"transform"},
    "compile": _SYMBOLIC | {"debugmode"},
    "gof": {"state", "tensor", "theano_names"},
    "printing": _TRACE | {"tensor"},
    "stateful": _VALUES,
    "theano_names": set(),
    "__init__": _BASE | {"function", "tensor", "theano_names"},
    "demo": {"__init__"},
    "__main__": {"__init__", "demo", "lower", "theano_names"},
}
# Packages that a layer must not name anywhere, not even inside a function.
MUST_NOT_NAME: dict[str, set[str]] = {
    layer: {"numba", "llvmlite", "rich", "sklearn"}
    for layer in (_SYMBOLIC | {"__init__"}) - {"call", "native"}
}


def layer_of(path: Path) -> str:
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, absolute dotted name) of everything that a file imports, at any level."""
    package = ("tracejit", *path.relative_to(SOURCE).parent.parts)
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            # "from tracejit import x" may name a module: x counts as part of the name.
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


def layer_of_name(name: str) -> str | None:
    """The layer of tracejit that a dotted name lies in; None for another package."""
    top, _, rest = name.partition(".")
    if top != "tracejit":
        return None
    first = rest.partition(".")[0]
    if first and ((SOURCE / first).is_dir() or (SOURCE / f"{first}.py").exists()):
        return first
    return "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path: Path) -> None:
    layer = layer_of(path)
    assert layer in MAY_IMPORT, f"{layer} is no known layer: add it to MAY_IMPORT"
    allowed = MAY_IMPORT[layer] | {layer}
    for line, name in imports(path):
        target = layer_of_name(name)
        assert target is None or target in allowed, f"{path}:{line}: {layer} imports {name}"
        top = name.partition(".")[0]
        assert top not in MUST_NOT_NAME.get(layer, set()), f"{path}:{line}: {layer} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{path} has {lines} lines"


@pytest.mark.parametrize("module", ["tracejit", "tracejit.ir"])
def test_import_is_light(module: str) -> None:
    heavy = ("numba", "llvmlite", "scipy", "rich", "sklearn")
    program = f"import sys, {module}\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_relative_imports_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of imports itself, on a made-up package."""
    (tmp_path / "ir").mkdir()
    (tmp_path / "errors.py").touch()
    file = tmp_path / "ir" / "node.py"
    file.write_text(
        "from . import types\nfrom .. import errors\nfrom ..errors import E\nimport numba.core\n"
        "def f():\n    from ..function import Function\n"
    )
    monkeypatch.setitem(globals(), "SOURCE", tmp_path)
    names = [name for _, name in imports(file)]
    assert names == [
        "tracejit.ir.types",
        "tracejit.errors",
        "tracejit.errors.E",
        "numba.core",
        "tracejit.function.Function",
    ]
    assert [layer_of_name(name) for name in names[:3]] == ["ir", "errors", "errors"]
