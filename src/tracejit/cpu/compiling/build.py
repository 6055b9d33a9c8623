"""The instructions of a kernel, statement by statement, each call by its own intrinsic.

A kernel is straight-line code in which every operation is one of our intrinsics, whose typing rule
and instructions are asked for in order. Numba's own way from a function to instructions (bytecode,
SSA, type inference, lowering, counting of references) takes a millisecond a statement, and half of
what a small program takes to compile.

    for i0 in range(v0):                 loop_range(v0) opens a loop, whose index is i0
        v1 = x0[i0]                      load(x0, i0)
        v2 = radd(v2, v1)                v2 is a place (see `structure`): update(v2, v1)
        b0[i0] = v1                      store(b0, v1, i0)
                                         loop_end()

A name that is assigned more than once is a place. What is called may also be one of Numba's
compiled functions: samplers are.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.cpu import runtime
from tracejit.intrinsics import elements, memory, structure
from tracejit.intrinsics.temporary import release

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
_OPERATORS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.LShift: "left_shift", ast.RShift: "right_shift", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
    ast.Not: "logical_not", ast.USub: "negative",
    ast.And: "logical_and", ast.Or: "logical_or",
}  # fmt: skip
_CONSTANTS: dict[type, Any] = {
    bool: types.boolean, int: types.int64, float: types.float64, complex: types.complex128,
}  # fmt: skip
#: A value of a kernel: its Numba type, and what LLVM calls it.
Value = tuple[Any, ir.Value]


class Builder:
    """Builds one function; `namespace` has what its statements call, `arguments` their values."""

    def __init__(
        self,
        context: Any,
        typingctx: Any,
        b: ir.IRBuilder,
        function: ast.FunctionDef,
        namespace: Mapping[str, Any],
        arguments: Sequence[Value],
    ) -> None:
        self.context, self.typingctx, self.b = context, typingctx, b
        self.function, self.namespace = function, namespace
        names = [argument.arg for argument in function.args.args]
        self.env: dict[str, Value] = dict(zip(names, arguments, strict=True))
        #: Arrays that are tested, at entry, for rows without gaps.
        self.rows: set[str] = set()
        #: Of flat views, and of parts, what they are views of.
        self.base: dict[str, str] = {}
        assigned: Counter[str] = Counter()
        written: dict[str, None] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                assigned[node.id] += 1
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                written[_name(node.value)] = None
            elif isinstance(node, ast.Assign) and (whole := _whole(node.value)):
                self.base[_name(node.targets[0])] = whole
            elif isinstance(node, ast.Call) and _name(node.func) == "rows":
                self.rows.add(_name(node.args[0]))
        self.places = {name for name, count in assigned.items() if count > 1}
        memory_of = dict.fromkeys(map(self._memory, written))
        self.scopes = {name: k for k, name in enumerate(memory_of, 1)}

    def _memory(self, name: str) -> str:
        """The array that another one is a view of."""
        while name in self.base:
            name = self.base[name]
        return name

    def build(self) -> None:
        """Build the whole function, from where the builder is."""
        self._statements(self.function.body)

    # Statements ------------------------------------------------------------------------------

    def _statements(self, statements: Iterable[ast.stmt]) -> None:
        for s in statements:
            _STATEMENTS[type(s)](self, s)

    def _for(self, s: ast.For) -> None:
        assert isinstance(s.iter, ast.Call)
        kind = _name(s.iter.func)
        self.env[_name(s.target)] = self._call(_LOOPS[kind], map(self._value, s.iter.args))
        self._statements(s.body)
        large = _length(s.body) > LARGE
        self._call(structure.loop_end_large if large else structure.loop_end, [])

    def _while(self, s: ast.While) -> None:
        """A loop that goes on for ever, but for a ``break``."""
        assert isinstance(s.test, ast.Constant) and s.test.value is True
        self._call(structure.loop_forever, [])
        self._statements(s.body)
        self._call(structure.loop_again_forever, [])

    def _break(self, s: ast.Break) -> None:
        self._call(structure.loop_leave, [])

    def _if(self, s: ast.If) -> None:
        condition = self._value(s.test)[1]
        if not s.orelse:
            with self.b.if_then(condition):
                self._statements(s.body)
            return
        with self.b.if_else(condition) as (then, otherwise):
            with then:
                self._statements(s.body)
            with otherwise:
                self._statements(s.orelse)

    def _return(self, s: ast.Return) -> None:
        assert s.value is not None
        _, code = self._value(s.value)
        release(self.b)
        self.context.call_conv.return_value(self.b, code)

    def _assign(self, s: ast.Assign) -> None:
        (target,) = s.targets
        if isinstance(target, ast.Subscript):
            self._access(target, elements.store, [self._value(s.value)])
            return
        name = _name(target)
        if name not in self.places:
            self.env[name] = self._value(s.value)
        elif name not in self.env:
            self.env[name] = self._call(structure.place, [self._value(s.value)])
        else:
            self._put(name, s.value)

    def _put(self, name: str, value: ast.expr) -> None:
        """Assign a place anew."""
        if isinstance(value, ast.Call) and value.args and _name(value.args[0]) == name:
            update = structure.updating(self.namespace[_name(value.func)])
            self._call(update, [self.env[name], *map(self._value, value.args[1:])])
        else:
            self._call(structure.put, [self.env[name], self._value(value)])

    def _expression(self, s: ast.Expr) -> None:
        self._value(s.value)

    # Expressions -----------------------------------------------------------------------------

    def _value(self, node: ast.expr) -> Value:
        """Type and value of an expression."""
        if isinstance(node, ast.Name) and node.id in self.env:
            value = self.env[node.id]
            return self._call(structure.get, [value]) if node.id in self.places else value
        constant = self._constant(node)
        if constant is not None:
            return self._literal(*constant)
        return _EXPRESSIONS[type(node)](self, node)

    def _literal(self, kind: Any, value: Any) -> Value:
        return kind, self.context.get_constant_generic(self.b, kind, value)

    def _call(self, f: Any, operands: Iterable[Value]) -> Value:
        """What an intrinsic, or a function that Numba has compiled, gives for some operands."""
        values = list(operands)
        kinds = [types.unliteral(kind) for kind, _ in values]
        given = [value for _, value in values]
        if not hasattr(f, "_defn"):
            return self._compiled(f, kinds, given)
        found = f._defn(self.typingctx, *kinds)
        if found is None:
            raise TypeError(f"{f._name} is not defined for {kinds}")
        signature, emit = found
        return signature.return_type, emit(self.context, self.b, signature, given)

    def _compiled(self, f: Any, kinds: list[Any], values: list[ir.Value]) -> Value:
        kind = self.typingctx.resolve_value_type(f)
        signature = kind.get_call_type(self.typingctx, kinds, {})
        self.context.refresh()
        return signature.return_type, self.context.get_function(kind, signature)(self.b, values)

    def _called(self, node: ast.Call) -> Value:
        return self._call(self.namespace[_name(node.func)], map(self._value, node.args))

    def _binary(self, node: ast.BinOp) -> Value:
        return self._operator(node.op, [node.left, node.right])

    def _unary(self, node: ast.UnaryOp) -> Value:
        return self._operator(node.op, [node.operand])

    def _compare(self, node: ast.Compare) -> Value:
        return self._operator(node.ops[0], [node.left, *node.comparators])

    def _both(self, node: ast.BoolOp) -> Value:
        result, *others = map(self._value, node.values)
        for other in others:
            result = self._call(_intrinsic(node.op), [result, other])
        return result

    def _operator(self, op: ast.AST, nodes: Sequence[ast.expr]) -> Value:
        """An operator, whose operands are of one type: a plain number takes the other one's."""
        values = [self._value(node) for node in nodes]
        if len(nodes) == 2 and values[0][0] != values[1][0]:
            plain = [not isinstance(n, ast.Call) and self._constant(n) is not None for n in nodes]
            for k in (0, 1):
                if plain[k] and not plain[1 - k]:
                    values[k] = self._literal(values[1 - k][0], self._number(nodes[k]))
                    break
        return self._call(_intrinsic(op), values)

    def _subscript(self, node: ast.Subscript) -> Value:
        if isinstance(node.value, ast.Attribute):  # array.shape
            axis = int(ast.literal_eval(node.slice))
            return self._call(elements.length(axis), [self._value(node.value.value)])
        if isinstance(node.value, ast.Call):  # one of several results
            kind, several = self._value(node.value)
            k = int(ast.literal_eval(node.slice))
            return kind[k], self.b.extract_value(several, k)
        if any(isinstance(i, ast.Slice) for i in _index(node)):  # the part at an index
            outer = [self._value(i) for i in _index(node) if not isinstance(i, ast.Slice)]
            part = memory.part(len(outer), len(_index(node)) - len(outer))
            return self._call(part, [self._value(node.value), *outer])
        return self._access(node, elements.load, [])

    def _attribute(self, node: ast.Attribute) -> Value:
        assert node.attr == "T"
        return self._call(memory.transposed, [self._value(node.value)])

    def _access(
        self, node: ast.Subscript, make: Callable[..., Any], value: Sequence[Value]
    ) -> Value:
        """A load or a store of one element."""
        name, index = _name(node.value), _index(node)
        scope = self.scopes.get(self._memory(name), elements.READ_ONLY)
        known = scope if scope < elements.SCOPES else None
        intrinsic = make(len(index), known, name in self.rows)
        return self._call(intrinsic, [self.env[name], *value, *map(self._value, index)])

    # Constants -------------------------------------------------------------------------------

    def _constant(self, node: ast.expr) -> tuple[Any, Any] | None:
        """Type and value of a constant expression; None for another."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            kind = self.namespace.get(node.func.id)
            if isinstance(kind, types.Type):
                return kind, self._number(node.args[0])
        value = self._number(node)
        return None if value is None else (_CONSTANTS[type(value)], value)

    def _number(self, node: ast.expr) -> Any:
        """The value of a constant expression, or None."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            value = self.namespace.get(node.id)
            return value if isinstance(value, float) else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._number(node.operand)
            return None if value is None else -value
        if isinstance(node, ast.Call) and _name(node.func) == "complex":
            return complex(*(self._number(a) for a in node.args))
        return None


_STATEMENTS: dict[type, Callable[[Builder, Any], None]] = {
    ast.For: Builder._for,
    ast.If: Builder._if,
    ast.While: Builder._while,
    ast.Break: Builder._break,
    ast.Return: Builder._return,
    ast.Assign: Builder._assign,
    ast.Expr: Builder._expression,
}
_EXPRESSIONS: dict[type, Callable[[Builder, Any], Value]] = {
    ast.Call: Builder._called,
    ast.BinOp: Builder._binary,
    ast.UnaryOp: Builder._unary,
    ast.Compare: Builder._compare,
    ast.BoolOp: Builder._both,
    ast.Subscript: Builder._subscript,
    ast.Attribute: Builder._attribute,
}


def _intrinsic(op: ast.AST) -> Any:
    return getattr(runtime, _OPERATORS[type(op)])


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _whole(value: ast.expr) -> str:
    """The array that an expression is a view of; nothing where it is another."""
    if isinstance(value, ast.Call) and _name(value.func).startswith(("flat", "shaped_")):
        return _name(value.args[0])
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
        return value.value.id if any(isinstance(i, ast.Slice) for i in _index(value)) else ""
    return ""


def _index(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _length(statements: Iterable[ast.stmt]) -> int:
    """How many statements there are, those inside of loops included."""
    return sum(2 + _length(s.body) if isinstance(s, ast.For) else 1 for s in statements)
