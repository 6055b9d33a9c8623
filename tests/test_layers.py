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

#: Folders and modules of the root, lowest first: each may import those before it, and itself. Those
#: on one line do not know each other. What is not here is not a layer yet: give it a place.
LAYERS = """
errors theano
config
native rng
ir
plan
trace
arrays lower
capture intrinsics
cpu
call
cuda
symbolic transform
tensor testing
updates ifelse
gof gradient sandbox api scalar compat
scan_module
printing
compile sparse typed_list script
__init__
demo
__main__
"""
_LINES = [line.split() for line in LAYERS.split("\n") if line]
RANK = {name: k for k, line in enumerate(_LINES) for name in line}
# Packages that a layer must not name anywhere, not even inside a function.
HEAVY = {"numba", "llvmlite", "rich", "sklearn"}
MAY_NAME = {"call", "native", "rng", "lower", "intrinsics", "cpu", "cuda", "demo", "__main__"}


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
    assert layer in RANK, f"{layer} has no place in LAYERS"
    for line, name in imports(path):
        target = layer_of_name(name)
        below = target is None or RANK[target] < RANK[layer] or target == layer
        assert below, f"{path}:{line}: {layer} imports {name}"
        top = name.partition(".")[0]
        assert layer in MAY_NAME or top not in HEAVY, f"{path}:{line}: {layer} imports {name}"


def test_who_names_a_target() -> None:
    """The package's own front door does, so that there is one; nobody else."""
    naming = [
        str(path.relative_to(SOURCE))
        for path in FILES
        if layer_of(path) != "cpu" and "tracejit.cpu" in path.read_text(encoding="utf-8")
    ]
    assert naming == ["api.py"]


def test_no_circles() -> None:
    """No files import each other, in functions and for types included."""
    names = {dotted(path): path for path in FILES}
    graph = {}
    for name, path in names.items():
        found = set()
        for _, target in imports(path):
            while target and target not in names:
                target = target.rpartition(".")[0]
            found.add(target)
        graph[name] = found - {name, ""}
    circles = [sorted(group) for group in strongly_connected(graph) if len(group) > 1]
    assert not circles


def dotted(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of nodes that reach each other (Kosaraju 1978)."""
    order: list[str] = []
    seen: set[str] = set()

    def walk(start: str, edges: dict[str, set[str]], found: list[str]) -> None:
        stack = [(start, iter(sorted(edges[start])))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            following = next((n for n in rest if n not in seen), None)
            if following is None:
                found.append(node)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(sorted(edges[following]))))

    for node in sorted(graph):
        if node not in seen:
            walk(node, graph, order)
    back: dict[str, set[str]] = {node: set() for node in graph}
    for node, targets in graph.items():
        for target in targets:
            back[target].add(node)
    seen.clear()
    groups = []
    for node in reversed(order):
        if node not in seen:
            group: list[str] = []
            walk(node, back, group)
            groups.append(set(group))
    return groups


def test_circles_are_found() -> None:
    """The finder itself: two nodes that reach each other, one that reaches them."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
    assert {frozenset(g) for g in strongly_connected(graph)} == {
        frozenset("a"),
        frozenset("bc"),
        frozenset("d"),
    }


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
