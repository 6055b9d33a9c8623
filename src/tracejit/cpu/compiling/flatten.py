"""From emitted source to what Numba compiles: loops, subscripts and assignments become calls.

    for i0 in range(v0):                 i0 = loop_range(v0)
        v1 = x0[i0]                      v1 = load_1_0(x0, i0)
        v2 = radd(v2, v1)        →       update_radd(v2, v1)
        b0[i0] = v1                      store_1_1(b0, v1, i0)
                                         loop_end()

A name that is assigned more than once is a place (see `structure`). Branches stay branches: Numba's
blocks may begin and end inside of a loop that it does not see.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tracejit.cpu.compiling.body import grouped, reads
from tracejit.intrinsics import structure

#: Statements from which on LLVM is told how to vectorise a loop.
LARGE = 150
_LOOPS = {
    "range": structure.loop_range,
    "span": structure.loop_span,
    "blocks": structure.loop_blocks,
    "again": structure.loop_again,
    "block": structure.loop_block,
    "lines": structure.loop_lines,
    "line": structure.loop_line,
}


def execute(text: str, file: str, namespace: dict[str, Any]) -> None:
    """Execute a source text in `namespace`, with its function, the last statement, flattened."""
    module = ast.parse(text, file)
    function = module.body.pop()
    assert isinstance(function, ast.FunctionDef)
    exec(compile(module, file, "exec"), namespace)
    _Flattener(function, namespace).run()
    function.body = grouped(function.body, reads(function), namespace, [0])
    module = ast.fix_missing_locations(ast.Module([function], []))
    exec(compile(module, file, "exec"), namespace)


@dataclass
class _Scope:
    """A list of statements, inside of `depth` loops, and the names that it must keep alive."""

    depth: int
    kept: dict[str, None] = field(default_factory=dict)


class _Flattener(ast.NodeTransformer):
    """Rewrites one function, whose `namespace` gets the intrinsics that it then uses.

    Numba drops a name after its last use: it gives back an array's reference, and clears a
    variable that several of its blocks share. In a loop that it does not see, that would happen
    at every iteration, so such names are used again where their own list of statements ends.
    """

    def __init__(self, function: ast.FunctionDef, namespace: dict[str, Any]) -> None:
        self.function = function
        self.namespace = namespace
        self.arrays = {argument.arg for argument in function.args.args}
        self.base: dict[str, str] = {}
        #: Arrays that are tested, at entry, for rows without gaps.
        self.rows: set[str] = set()
        assigned: Counter[str] = Counter()
        written: dict[str, None] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assigned[node.id] += 1
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                written[_name(node.value)] = None
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._note_array(_name(node.targets[0]), node.value)
            elif isinstance(node, ast.Call) and _name(node.func) == "rows":
                self.rows.add(_name(node.args[0]))
        self.places = {name for name, count in assigned.items() if count > 1}
        memory = dict.fromkeys(self.base.get(name, name) for name in written)
        self.memory_scopes = {name: k for k, name in enumerate(memory, 1)}
        self.branches = 0
        self.scopes = [_Scope(0)]
        #: Where each name is defined: its scope, and the number of branches before.
        self.defined = {name: (self.scopes[0], 0) for name in self.arrays}

    def run(self) -> None:
        """Rewrite the function."""
        self.function.body = self._statements(self.function.body, self.scopes[0])

    def _note_array(self, target: str, call: ast.Call) -> None:
        """Take note of a local array: new memory, a block's, or a flat view of another."""
        made = ast.unparse(call.func)
        if made in ("np.empty", "flat") or made.startswith(("new_array_", "memory_")):
            self.arrays.add(target)
        if made == "flat":
            self.base[target] = _name(call.args[0])

    def _call(self, name: str, intrinsic: Any, arguments: Iterable[ast.expr]) -> ast.Call:
        """A call of an intrinsic, which the function finds under `name`."""
        self.namespace[name] = intrinsic
        return ast.Call(_load(name), list(arguments), [])

    # Statements ------------------------------------------------------------------------------

    def _statements(self, statements: list[ast.stmt], scope: _Scope) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        self.scopes.append(scope)
        for statement in statements:
            made = self.visit(statement)
            result.extend(made if isinstance(made, list) else [made])
        self.scopes.pop()
        end = len(result) - isinstance(result[-1], ast.Return)
        names = list(scope.kept)
        for k in range(0, len(names), structure.MOST_KEPT):
            group = names[k : k + structure.MOST_KEPT]
            keep = self._call(f"keep_{len(group)}", structure.keep(len(group)), map(_load, group))
            result.insert(end, ast.Expr(keep))
        return result

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        assert isinstance(node.iter, ast.Call)
        kind = _name(node.iter.func)
        extents = [self.visit(argument) for argument in node.iter.args]
        begin = ast.Assign([node.target], self._call(f"loop_{kind}", _LOOPS[kind], extents))
        scope = _Scope(self.scopes[-1].depth + 1)
        self.defined[_name(node.target)] = (scope, self.branches)
        body = self._statements(node.body, scope)
        end = "loop_end_large" if len(body) > LARGE else "loop_end"
        return [begin, *body, ast.Expr(self._call(end, getattr(structure, end), []))]

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.BoolOp:
        self.generic_visit(node)
        self.branches += 1
        return node

    def visit_If(self, node: ast.If) -> ast.If:
        test = self.visit(node.test)
        self.branches += 1
        body = self._statements(node.body, _Scope(self.scopes[-1].depth))
        self.branches += 1
        return ast.If(test, body, [])

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        (target,) = node.targets
        if isinstance(target, ast.Subscript) and not _slices(target):
            return ast.Expr(self._access(target, "store", structure.store, [node.value]))
        if isinstance(target, ast.Subscript):
            self._use(_name(target.value))
            target.slice = self.visit(target.slice)
            return ast.Assign(node.targets, self.visit(node.value))
        name = _name(target)
        if name not in self.places:
            self.defined[name] = (self.scopes[-1], self.branches)
            return ast.Assign(node.targets, self.visit(node.value))
        if name not in self.defined:
            self.defined[name] = (self.scopes[-1], self.branches)
            new = self._call("place", structure.place, [self.visit(node.value)])
            return ast.Assign(node.targets, new)
        return ast.Expr(self._put(name, node.value))

    def _put(self, name: str, value: ast.expr) -> ast.Call:
        if isinstance(value, ast.Call) and value.args and _name(value.args[0]) == name:
            called = _name(value.func)
            update = structure.updating(self.namespace[called])
            rest = [self.visit(argument) for argument in value.args[1:]]
            return self._call(f"update_{called}", update, [self._use(name), *rest])
        return self._call("put", structure.put, [self._use(name), self.visit(value)])

    # Expressions -----------------------------------------------------------------------------

    def _use(self, name: str) -> ast.expr:
        """A name that is read; one of an outer scope may have to be kept."""
        if name in self.defined:
            scope, branches = self.defined[name]
            deeper = self.scopes[-1].depth > scope.depth
            if deeper and (name in self.arrays or branches != self.branches):
                scope.kept[name] = None
        return _load(name)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Store):
            return node
        name = self._use(node.id)
        if node.id in self.places:
            return self._call("get", structure.get, [name])
        return name

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.value, ast.Name) and not _slices(node):
            return self._access(node, "load", structure.load, [])
        if isinstance(node.value, ast.Attribute) and isinstance(node.slice, ast.Constant):
            axis = int(ast.literal_eval(node.slice))  # of array.shape
            length = structure.length(axis)
            return self._call(f"length_{axis}", length, [self._use(_name(node.value.value))])
        self.generic_visit(node)
        return node

    def _access(self, node: ast.Subscript, kind: str, make: Any, value: list[ast.expr]) -> ast.Call:
        """A load or a store of one element."""
        array, index = _name(node.value), _index(node)
        scope = self.memory_scopes.get(self.base.get(array, array), structure.READ_ONLY)
        known = scope if scope < structure.SCOPES else None
        operands = [self._use(array), *(self.visit(operand) for operand in (*value, *index))]
        rows = array in self.rows
        name = f"{kind}_{len(index)}_{known}" + ("_rows" if rows else "")
        return self._call(name, make(len(index), known, rows), operands)


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _index(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _slices(node: ast.Subscript) -> bool:
    return any(isinstance(i, ast.Slice) for i in _index(node))
