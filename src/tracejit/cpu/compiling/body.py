"""Runs of statements as one intrinsic each, so that Numba sees a call instead of thousands.

A statement costs Numba about a millisecond: bytecode, SSA, type inference, lowering. All that the
statements of a kernel need is the type and the instructions of each call in them, which intrinsics
give when they are asked. So a run of statements is typed and built here, in order, by asking.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.cpu import runtime

_OPERATORS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.LShift: "left_shift", ast.RShift: "right_shift", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
    ast.Not: "logical_not", ast.USub: "negative",
}  # fmt: skip
_CONSTANTS: dict[type, Any] = {
    bool: types.boolean, int: types.int64, float: types.float64, complex: types.complex128,
}  # fmt: skip


def grouped(
    statements: list[ast.stmt], used: Mapping[str, int], namespace: dict[str, Any], count: list[int]
) -> list[ast.stmt]:
    """`statements` with each run that can be built here replaced by a call of an intrinsic.

    `used` says how often each name is read in the whole function; the intrinsics go into
    `namespace`, numbered by `count`.
    """
    result: list[ast.stmt] = []
    run: list[ast.stmt] = []

    def close() -> None:
        if len(run) > 1:
            result.extend(_call(list(run), used, namespace, count))
        else:
            result.extend(run)
        run.clear()

    whole = _whole_loops(statements, namespace)
    for k, statement in enumerate(statements):
        if k in whole and _can_build(statement, namespace):
            run.append(statement)
            continue
        close()
        if isinstance(statement, ast.If):
            statement.body = grouped(statement.body, used, namespace, count)
        result.append(statement)
    close()
    return result


def _whole_loops(statements: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> set[int]:
    """The positions of all statements but those that open or close a loop which is not built here.

    What a run gives is known where the run ends; that must not be inside of a loop it has opened.
    """
    kept = set(range(len(statements)))
    opened: list[tuple[int, bool]] = []
    for k, statement in enumerate(statements):
        name = _called(statement)
        if name.startswith("loop_end"):
            start, built = opened.pop()
            if not built:
                kept -= {start, k}
        elif name.startswith("loop_"):
            opened.append((k, True))
        elif not _can_build(statement, namespace):
            opened = [(start, False) for start, _ in opened]
    return kept


def _called(statement: ast.stmt) -> str:
    """The name of the function whose call is a statement's value, or an empty text."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id
    return ""


def _can_build(statement: ast.stmt, namespace: Mapping[str, Any]) -> bool:
    if isinstance(statement, ast.If):
        inside = all(_can_build(s, namespace) for s in statement.body)
        return inside and _is_buildable(statement.test, namespace)
    if isinstance(statement, ast.Assign):
        return isinstance(statement.targets[0], ast.Name) and _is_buildable(
            statement.value, namespace
        )
    return isinstance(statement, ast.Expr) and _is_buildable(statement.value, namespace)


def _is_buildable(node: ast.expr, namespace: Mapping[str, Any]) -> bool:
    """Whether an expression is made of names, constants, operators and calls of intrinsics."""
    if isinstance(node, (ast.Name, ast.Constant)):
        return True
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name):
            return False
        f = namespace.get(node.func.id)
        known = hasattr(f, "_defn") or isinstance(f, types.Type) or node.func.id == "complex"
        return known and all(_is_buildable(a, namespace) for a in node.args)
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        parts = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.operand]
        return type(node.op) in _OPERATORS and all(_is_buildable(p, namespace) for p in parts)
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
        return len(parts) == 2 and all(_is_buildable(p, namespace) for p in parts)
    if isinstance(node, ast.Subscript):  # one of several results
        constant = isinstance(node.slice, ast.Constant)
        return (
            constant and isinstance(node.value, ast.Call) and _is_buildable(node.value, namespace)
        )
    return False


def _names(statements: Iterable[ast.AST], context: type) -> dict[str, int]:
    found: dict[str, int] = {}
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, context):
                found[node.id] = found.get(node.id, 0) + 1
    return found


def reads(function: ast.FunctionDef) -> dict[str, int]:
    """How often each name is read in a function."""
    return _names([function], ast.Load)


def _call(
    run: list[ast.stmt], used: Mapping[str, int], namespace: dict[str, Any], count: list[int]
) -> list[ast.stmt]:
    """The call of a new intrinsic that does what `run` does."""
    inside, assigned = _names(run, ast.Load), _names(run, ast.Store)
    parameters = [n for n in inside if n not in assigned and n not in namespace and n != "complex"]
    outputs = [n for n in assigned if used.get(n, 0) > inside.get(n, 0)]
    count[0] += 1
    name = f"body_{count[0]}"
    namespace[name] = _intrinsic(name, run, parameters, outputs, namespace)
    call = ast.Call(ast.Name(name, ast.Load()), [ast.Name(p, ast.Load()) for p in parameters], [])
    if not outputs:
        return [ast.Expr(call)]
    if len(outputs) == 1:
        return [ast.Assign([ast.Name(outputs[0], ast.Store())], call)]
    several = f"{name}_out"
    made: list[ast.stmt] = [ast.Assign([ast.Name(several, ast.Store())], call)]
    for k, output in enumerate(outputs):
        item = ast.Subscript(ast.Name(several, ast.Load()), ast.Constant(k), ast.Load())
        made.append(ast.Assign([ast.Name(output, ast.Store())], item))
    return made


def _intrinsic(
    name: str,
    run: list[ast.stmt],
    parameters: Sequence[str],
    outputs: Sequence[str],
    namespace: Mapping[str, Any],
) -> Any:
    def typer(typingctx: Any, *operands: Any) -> Any:
        typed = _Typer(typingctx, namespace, dict(zip(parameters, operands, strict=True)))
        typed.statements(run)
        kinds = [typed.env[o] for o in outputs]
        result = types.none if not kinds else kinds[0] if len(kinds) == 1 else types.Tuple(kinds)

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            env = dict(zip(parameters, args, strict=True))
            built = _Builder(context, builder, typed, env)
            built.statements(run)
            values = [built.env[o] for o in outputs]
            if not values:
                return context.get_dummy_value()
            return values[0] if len(values) == 1 else context.make_tuple(builder, result, values)

        return result(*operands), codegen

    typer.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(p, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for p in ("typingctx", *parameters)
        ]
    )
    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


class _Typer:
    """Types of the names and expressions of a run; `calls` keeps how each call is built."""

    def __init__(self, typingctx: Any, namespace: Mapping[str, Any], env: dict[str, Any]) -> None:
        self.typingctx = typingctx
        self.namespace = namespace
        self.env = env
        self.calls: dict[ast.AST, tuple[Any, Any]] = {}
        self.constants: dict[ast.AST, Any] = {}
        self.kinds: dict[ast.AST, Any] = {}

    def statements(self, run: Iterable[ast.stmt]) -> None:
        """Type all statements, in order."""
        for s in run:
            if isinstance(s, ast.If):
                self.of(s.test)
                self.statements(s.body)
            elif isinstance(s, ast.Assign):
                target = s.targets[0]
                assert isinstance(target, ast.Name)
                self.env[target.id] = self.of(s.value)
            elif isinstance(s, ast.Expr):
                self.of(s.value)

    def of(self, node: ast.expr) -> Any:
        """The type of an expression."""
        if isinstance(node, ast.Name) and node.id in self.env:
            return self.env[node.id]
        kind = self._constant(node)
        if kind is not None:
            self.kinds[node] = kind
            return kind
        if isinstance(node, ast.Subscript):
            return self.of(node.value)[ast.literal_eval(node.slice)]
        f, operands = operation(node, self.namespace)
        kinds = [self.of(o) for o in operands]
        if not isinstance(node, ast.Call):
            kinds = self._of_one_kind(operands, kinds)
        found = f._defn(self.typingctx, *kinds)
        if found is None:
            raise TypeError(f"{f._name} is not defined for {kinds}")
        self.calls[node] = found
        return found[0].return_type

    def _of_one_kind(self, operands: Sequence[ast.expr], kinds: list[Any]) -> list[Any]:
        """The kinds of an operator's operands: a plain number takes the other one's."""
        if len(kinds) == 2 and kinds[0] != kinds[1]:
            # A constant that is a call names its kind.
            plain = [o in self.constants and not isinstance(o, ast.Call) for o in operands]
            for k in (0, 1):
                if plain[k] and not plain[1 - k]:
                    self.kinds[operands[k]] = kinds[1 - k]
                    return [kinds[1 - k]] * 2
        return kinds

    def _constant(self, node: ast.expr) -> Any:
        """The type of a constant expression, whose value is kept; None for another."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            kind = self.namespace.get(node.func.id)
            if isinstance(kind, types.Type):
                self.constants[node] = self._value(node.args[0])
                return kind
            if node.func.id != "complex":
                return None
        value = self._value(node)
        if value is None:
            return None
        self.constants[node] = value
        return _CONSTANTS[type(value)]

    def _value(self, node: ast.expr) -> Any:
        """The value of a constant expression, or None."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            value = self.namespace.get(node.id)
            return value if isinstance(value, float) else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._value(node.operand)
            return None if value is None else -value
        if isinstance(node, ast.Call) and _called(ast.Expr(node)) == "complex":
            return complex(*(self._value(a) for a in node.args))
        return None


def operation(node: ast.expr, namespace: Mapping[str, Any]) -> tuple[Any, list[ast.expr]]:
    """The intrinsic that a call or an operator stands for, and its operands."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return namespace[node.func.id], list(node.args)
    if isinstance(node, ast.BinOp):
        return getattr(runtime, _OPERATORS[type(node.op)]), [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return getattr(runtime, _OPERATORS[type(node.op)]), [node.operand]
    assert isinstance(node, ast.Compare), ast.dump(node)
    return getattr(runtime, _OPERATORS[type(node.ops[0])]), [node.left, node.comparators[0]]


class _Builder:
    """The instructions of a run, each call by its own intrinsic."""

    def __init__(
        self, context: Any, builder: ir.IRBuilder, typed: _Typer, env: dict[str, ir.Value]
    ) -> None:
        self.context = context
        self.builder = builder
        self.typed = typed
        self.env = env

    def statements(self, run: Iterable[ast.stmt]) -> None:
        """Build all statements, in order."""
        for s in run:
            if isinstance(s, ast.If):
                with self.builder.if_then(self.of(s.test)):
                    self.statements(s.body)
            elif isinstance(s, ast.Assign):
                target = s.targets[0]
                assert isinstance(target, ast.Name)
                self.env[target.id] = self.of(s.value)
            elif isinstance(s, ast.Expr):
                self.of(s.value)

    def of(self, node: ast.expr) -> ir.Value:
        """The value of an expression."""
        if isinstance(node, ast.Name) and node.id in self.env:
            return self.env[node.id]
        if node in self.typed.constants:
            kind = self.typed.kinds[node]
            return self.context.get_constant_generic(self.builder, kind, self.typed.constants[node])
        if isinstance(node, ast.Subscript):
            return self.builder.extract_value(self.of(node.value), ast.literal_eval(node.slice))
        _, operands = operation(node, self.typed.namespace)
        signature, emit = self.typed.calls[node]
        values = [self.of(o) for o in operands]
        return emit(self.context, self.builder, signature, values)
