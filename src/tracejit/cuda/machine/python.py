"""A sampler of Philox as instructions, made of the Python that Numba compiles for the CPU.

The language is that of `rng.legacy`: scalars, branches, loops, calls of each other. Types are what
Numba makes of them: an integer is an int64, which becomes a float64 where it meets one, and a name
keeps the type of what it is assigned first. The source of bits, `s`, is a place in a draw of
Philox; how many of its words have been used is a variable, as every name is.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types

from tracejit.intrinsics.cast import to_int64
from tracejit.intrinsics.philox import block_of
from tracejit.intrinsics.vecmath.builder import BINARY64, Real
from tracejit.intrinsics.vecmath.exp import exp
from tracejit.intrinsics.vecmath.log import log
from tracejit.intrinsics.vecmath.lookup import Lookup
from tracejit.intrinsics.vecmath.pow import power
from tracejit.intrinsics.vecmath.trig import cos
from tracejit.rng import philox_source, source
from tracejit.rng.philox import GAP

INT, FLOAT, TRUTH = ir.IntType(64), BINARY64.float_type, ir.IntType(1)
_COMPARED = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FLOATS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul"}
_INTEGERS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}


class Source(NamedTuple):
    """A place in a draw of a key, and where it is noted how many words have been used."""

    key: ir.Value
    draw: ir.Value
    block: ir.Value
    used: ir.Value


@functools.cache
def _parsed(function: Any) -> ast.FunctionDef:
    """What a function of Python's is."""
    [found] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(found, ast.FunctionDef)
    return found


def call(b: ir.IRBuilder, function: Any, arguments: Sequence[Any]) -> ir.Value:
    """What a function of Python's gives, by instructions of its own at this place."""
    return _Call(b, getattr(function, "py_func", function), arguments).result()


class _Call:
    """One call: its names are places in memory, which LLVM makes registers."""

    def __init__(self, b: ir.IRBuilder, function: Any, arguments: Sequence[Any]) -> None:
        self.b, self.globals = b, function.__globals__
        tree = _parsed(function)
        self.sources: dict[str, Source] = {}
        self.places: dict[str, ir.Value] = {}
        for parameter, value in zip(tree.args.args, arguments, strict=True):
            if isinstance(value, Source):
                self.sources[parameter.arg] = value
            else:
                self._assign(parameter.arg, value)
        self.after = b.append_basic_block()
        self.found: ir.Value | None = None
        #: Where `break` and `continue` go, of the open loops.
        self.loops: list[tuple[ir.Block, ir.Block]] = []
        self._block(tree.body)

    def result(self) -> ir.Value:
        """What is returned, behind the call."""
        assert self.found is not None
        if not self.b.block.is_terminated:
            self.b.unreachable()  # every way returns
        self.b.position_at_end(self.after)
        return self.b.load(self.found)

    # Statements ------------------------------------------------------------------------------

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for s in body:
            if self.b.block.is_terminated:
                return
            self._statement(s)

    def _statement(self, s: ast.stmt) -> None:
        match s:
            case ast.Expr(ast.Constant(str())):
                pass
            case ast.Assign([ast.Name(name)], value):
                self._assign(name, self._value(value))
            case ast.Assign([ast.Tuple(names)], ast.Tuple(several)):
                values = [self._value(v) for v in several]
                for target, value in zip(names, values, strict=True):
                    assert isinstance(target, ast.Name)
                    self._assign(target.id, value)
            case ast.AugAssign(ast.Name(name) as target, sign, more):
                read = ast.Name(target.id, ast.Load())
                self._assign(name, self._value(ast.BinOp(read, sign, more)))
            case ast.If(test, then, otherwise):
                self._if(test, lambda: self._block(then), lambda: self._block(otherwise))
            case ast.While(test, body):
                self._while(test, body)
            case ast.For(ast.Name(name), ast.Call(ast.Name("range"), bounds), body):
                self._for(name, [self._value(v) for v in bounds], body)
            case ast.Return(ast.expr() as value):
                self._return(self._value(value))
            case ast.Break() | ast.Continue():
                self.b.branch(self.loops[-1][isinstance(s, ast.Continue)])
            case _:
                raise SyntaxError(f"no part of a sampler: {ast.unparse(s)}")

    def _place(self, kind: ir.Type) -> ir.Value:
        with self.b.goto_entry_block():
            return self.b.alloca(kind)

    def _assign(self, name: str, value: ir.Value) -> None:
        place = self.places.get(name)
        if place is None:
            place = self.places[name] = self._place(value.type)
        self.b.store(self._as(value, place.type.pointee), place)

    def _return(self, value: ir.Value) -> None:
        if self.found is None:
            self.found = self._place(value.type)
        self.b.store(self._as(value, self.found.type.pointee), self.found)
        self.b.branch(self.after)

    def _if(self, test: ast.expr, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
        b = self.b
        yes, no, after = (b.append_basic_block() for _ in range(3))
        b.cbranch(self._truth(test), yes, no)
        for block, do in ((yes, then), (no, otherwise)):
            b.position_at_end(block)
            do()
            if not b.block.is_terminated:
                b.branch(after)
        b.position_at_end(after)

    @contextmanager
    def _loop(self) -> Iterator[tuple[ir.Block, ir.Block]]:
        """A loop's body and the block behind it: where a step begins is `continue`'s."""
        test, body, after = (self.b.append_basic_block() for _ in range(3))
        self.b.branch(test)
        self.b.position_at_end(test)
        self.loops.append((after, test))
        yield body, after
        if not self.b.block.is_terminated:
            self.b.branch(test)
        self.loops.pop()
        self.b.position_at_end(after)

    def _while(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        with self._loop() as (inside, after):
            self.b.cbranch(self._truth(test), inside, after)
            self.b.position_at_end(inside)
            self._block(body)

    def _for(self, name: str, bounds: list[ir.Value], body: Sequence[ast.stmt]) -> None:
        """The index is counted before the body, which may go on with the next one."""
        b = self.b
        first, end = (INT(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) > 2 else INT(1)
        assert isinstance(step, ir.Constant)
        at = self._place(INT)
        b.store(first, at)
        with self._loop() as (inside, after):
            index = b.load(at)
            b.cbranch(b.icmp_signed("<" if step.constant > 0 else ">", index, end), inside, after)
            b.position_at_end(inside)
            self._assign(name, index)
            b.store(b.add(index, step), at)
            self._block(body)

    # Expressions -----------------------------------------------------------------------------

    def _as(self, value: ir.Value, kind: ir.Type) -> ir.Value:
        if value.type == kind:
            return value
        if kind == FLOAT:
            return self.b.sitofp(self._as(value, INT), FLOAT)
        assert (value.type, kind) == (TRUTH, INT), f"{value.type} to {kind}"
        return self.b.zext(value, INT)

    def _truth(self, e: ast.expr) -> ir.Value:
        value = self._value(e)
        assert value.type == TRUTH, ast.unparse(e)
        return value

    def _value(self, e: ast.expr) -> ir.Value:
        match e:
            case ast.Name(name):
                if name in self.places:
                    return self.b.load(self.places[name])
                return self._number(self.globals[name])
            case ast.Constant(value):
                return self._number(value)
            case ast.BinOp(left, sign, right):
                return self._binary(sign, self._value(left), self._value(right))
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
                return self._number(-value)
            case ast.UnaryOp(ast.USub(), operand):
                value = self._value(operand)
                return self.b.fneg(value) if value.type == FLOAT else self.b.neg(value)
            case ast.UnaryOp(ast.Not(), operand):
                return self.b.not_(self._truth(operand))
            case ast.BoolOp(sign, values):
                join = self.b.and_ if isinstance(sign, ast.And) else self.b.or_
                return functools.reduce(join, map(self._truth, values))
            case ast.Compare(left, [sign], [right]):
                return self._compare(sign, self._value(left), self._value(right))
            case ast.IfExp(test, then, otherwise):
                return self._either(test, then, otherwise)
            case ast.Subscript(ast.Name(name), index):
                several = [BINARY64.bits(v) for v in self.globals[name]]
                table = Lookup(self.b, f"tracejit_{name}", several)
                return table.real(Real(self.b, BINARY64, self._value(index)).bits()).value
            case ast.Attribute(ast.Name("math"), name):
                return self._number(getattr(math, name))
            case ast.Call(ast.Attribute(ast.Name("math" | "np"), name), operands):
                return _FUNCTIONS[name](self, *map(self._value, operands))
            case ast.Call(ast.Name("abs" | "min" | "max" as name), operands):
                return _FUNCTIONS[name](self, *map(self._value, operands))
            case ast.Call(ast.Name(name), operands):
                return self._called(self.globals[name], operands)
        raise SyntaxError(f"no part of a sampler: {ast.unparse(e)}")

    def _number(self, value: Any) -> ir.Value:
        if isinstance(value, bool):
            return TRUTH(value)
        return INT(value) if isinstance(value, int) else FLOAT(float(value))

    def _binary(self, sign: ast.operator, left: ir.Value, right: ir.Value) -> ir.Value:
        floating = FLOAT in (left.type, right.type) or isinstance(sign, ast.Div)
        kind = FLOAT if floating else INT
        left, right = self._as(left, kind), self._as(right, kind)
        if isinstance(sign, ast.Div):
            return self.b.fdiv(left, right)
        name = (_FLOATS if floating else _INTEGERS)[type(sign)]
        found: ir.Value = getattr(self.b, name)(left, right)
        return found

    def _compare(self, sign: ast.cmpop, left: ir.Value, right: ir.Value) -> ir.Value:
        text = _COMPARED[type(sign)]
        if FLOAT not in (left.type, right.type):
            return self.b.icmp_signed(text, self._as(left, INT), self._as(right, INT))
        left, right = self._as(left, FLOAT), self._as(right, FLOAT)
        test = self.b.fcmp_unordered if text == "!=" else self.b.fcmp_ordered
        return test(text, left, right)

    def _either(self, test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ir.Value:
        """Only one of both is computed: it may use words."""
        name = f"either {len(self.places)}"
        self._if(
            test,
            lambda: self._assign(name, self._value(then)),
            lambda: self._assign(name, self._value(otherwise)),
        )
        return self.b.load(self.places[name])

    def _called(self, function: Any, operands: Sequence[ast.expr]) -> ir.Value:
        if function is np.float64 or function is np.int64:
            return _FUNCTIONS[function.__name__](self, self._value(operands[0]))
        given = [
            self.sources[e.id]
            if isinstance(e, ast.Name) and e.id in self.sources
            else self._value(e)
            for e in operands
        ]
        own = _OF_SOURCE.get(function)
        return own(self.b, *given) if own else call(self.b, function, given)


def _intrinsic(name: str) -> Callable[[_Call, ir.Value], ir.Value]:
    def emit(c: _Call, x: ir.Value) -> ir.Value:
        return Real(c.b, BINARY64, c._as(x, FLOAT))._intrinsic(f"llvm.{name}").value

    return emit


def _integer(c: _Call, x: ir.Value) -> ir.Value:
    if x.type == INT:
        return x
    _, emit = to_int64._defn(None, types.float64)
    found: ir.Value = emit(None, c.b, types.int64(types.float64), (x,))
    return found


def _rounded(name: str) -> Callable[[_Call, ir.Value], ir.Value]:
    return lambda c, x: _integer(c, _intrinsic(name)(c, x))


def _absolute(c: _Call, x: ir.Value) -> ir.Value:
    if x.type == FLOAT:
        return _intrinsic("fabs")(c, x)
    return c.b.select(c.b.icmp_signed("<", x, INT(0)), c.b.neg(x), x)


def _extreme(sign: str) -> Callable[[_Call, ir.Value, ir.Value], ir.Value]:
    def emit(c: _Call, x: ir.Value, y: ir.Value) -> ir.Value:
        x, y = c._as(x, FLOAT), c._as(y, FLOAT)
        return c.b.select(c.b.fcmp_ordered(sign, y, x), y, x)

    return emit


_FUNCTIONS: dict[str, Callable[..., ir.Value]] = {
    "abs": _absolute,
    "ceil": _rounded("ceil"),
    "fabs": _intrinsic("fabs"),
    "float64": lambda c, x: c._as(x, FLOAT),
    "floor": _rounded("floor"),
    "int64": _integer,
    "max": _extreme(">"),
    "min": _extreme("<"),
    "sqrt": _intrinsic("sqrt"),
}


def _double(b: ir.IRBuilder, s: Source) -> ir.Value:
    """The next number in [0, 1): one word of two that a block has."""
    at = b.load(s.used)
    first, second = block_of(b, s.key, s.draw, b.add(s.block, b.lshr(at, INT(1))))
    word = b.select(b.trunc(at, TRUTH), second, first)
    b.store(b.add(at, INT(1)), s.used)
    return b.fmul(b.uitofp(b.lshr(word, INT(11)), FLOAT), FLOAT(2.0**-53))


def _elementary(define: Callable[..., Real]) -> Callable[..., ir.Value]:
    def emit(b: ir.IRBuilder, s: Source, *operands: ir.Value) -> ir.Value:
        return define(*(Real(b, BINARY64, x) for x in operands)).value

    return emit


#: What a source provides. Other functions are made of their own Python.
_OF_SOURCE: dict[Any, Callable[..., ir.Value]] = {
    source.double: _double,
    source.log: _elementary(log),
    source.exp: _elementary(exp),
    source.cosine: _elementary(cos),
    source.power: _elementary(power),
    source.standard_normal: lambda b, s: call(b, philox_source._normal, (s,)),
}


def sampled(
    b: ir.IRBuilder,
    function: Any,
    key: ir.Value,
    draw: ir.Value,
    place: ir.Value,
    *parameters: ir.Value,
) -> ir.Value:
    """The number of a place in a draw, by a sampler of `rng.legacy`."""
    with b.goto_entry_block():
        used = b.alloca(INT)
    b.store(INT(0), used)
    s = Source(key, draw, b.mul(place, INT(GAP)), used)
    return call(b, function, (s, *parameters))
