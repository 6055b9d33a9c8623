"""Philox as a source of bits: each element of a draw has a sequence of numbers of its own.

A sampler that rejects takes as many numbers as it needs, and no other element is concerned.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from tracejit.rng import legacy, source
from tracejit.rng.philox import GAP, prepare, rounds
from tracejit.rng.source import cosine, double, jit, log
from tracejit.rng.table import DISTRIBUTIONS

#: What a cursor holds: key, number of the draw, next block, a second word, whether there is one.
_KEY, _DRAW, _BLOCK, _SECOND, _WAITS, _FIELDS = range(6)
_LOW, _32, _11 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(11)
_ONE, _ZERO = np.uint64(1), np.uint64(0)
_rounds = jit(rounds)


class Cursor(types.Type):
    """A place in a sequence of numbers, in the memory of the function that made it."""


cursor_type = Cursor("PhiloxCursor")


@register_model(Cursor)
class _CursorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, ty: Cursor) -> None:
        super().__init__(manager, ty, ir.ArrayType(ir.IntType(64), _FIELDS).as_pointer())


def _address(b: ir.IRBuilder, cursor: ir.Value, field: int) -> ir.Value:
    return b.gep(cursor, [ir.IntType(32)(0), ir.IntType(32)(field)], inbounds=True)


def _new_cursor(typingctx: Any, key: Any, draw: Any) -> Any:
    """A cursor for draw number `draw` of a key."""

    def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
        with b.goto_entry_block():
            cursor = b.alloca(ir.ArrayType(ir.IntType(64), _FIELDS))
        zero = ir.IntType(64)(0)
        for field, value in enumerate((*args, zero, zero, zero)):
            b.store(value, _address(b, cursor, field))
        return cursor

    return cursor_type(types.uint64, types.uint64), codegen


new_cursor: Any = intrinsic(_new_cursor)


def _reader(field: int) -> Any:
    @intrinsic
    def read(typingctx: Any, cursor: Any) -> Any:
        def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
            return b.load(_address(b, args[0], field))

        return types.uint64(cursor_type), codegen

    return read


def _writer(field: int) -> Any:
    @intrinsic
    def write(typingctx: Any, cursor: Any, value: Any) -> Any:
        def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
            b.store(args[1], _address(b, args[0], field))
            return context.get_dummy_value()

        return types.void(cursor_type, types.uint64), codegen

    return write


_key, _draw, _block, _second, _waits = map(_reader, range(_FIELDS))
_set_block, _set_second, _set_waits = map(_writer, (_BLOCK, _SECOND, _WAITS))


def _begin(state, new):  # type: ignore[no-untyped-def]
    new[0], new[1] = state[0], state[1] + _ONE
    return new_cursor(state[0], state[1])


@jit
def _move(s, place):  # type: ignore[no-untyped-def]
    _set_block(s, np.uint64(place) * np.uint64(GAP))
    _set_waits(s, _ZERO)


@jit
def _bits(key, draw, block):  # type: ignore[no-untyped-def]
    counter = block & _LOW, block >> _32, draw & _LOW, draw >> _32
    a, b, c, d = _rounds(*counter, key & _LOW, key >> _32)
    return (a << _32) | b, (c << _32) | d


@jit
def _next(s):  # type: ignore[no-untyped-def]
    """The next 64 bits."""
    if _waits(s) != _ZERO:
        _set_waits(s, _ZERO)
        return _second(s)
    block = _block(s)
    first, second = _bits(_key(s), _draw(s), block)
    _set_block(s, block + _ONE)
    _set_second(s, second)
    _set_waits(s, _ONE)
    return first


@jit
def _double(s):  # type: ignore[no-untyped-def]
    return np.float64(np.int64(_next(s) >> _11)) * 2.0**-53


@jit
def _word(s):  # type: ignore[no-untyped-def]
    return np.uint32(_next(s) >> _32)


@jit
def _normal(s):  # type: ignore[no-untyped-def]
    """By Box and Muller, the first of two."""
    radius = math.sqrt(-2.0 * log(s, 1.0 - double(s)))
    return radius * cosine(s, 2.0 * math.pi * double(s))


def is_cursor(ty: Any) -> bool:
    return isinstance(ty, Cursor)


source.provide(is_cursor, move=_move, word=_word, double=_double, standard_normal=_normal)
source.provide(lambda ty: isinstance(ty, types.Array) and ty.dtype == types.uint64, begin=_begin)


# Numbers of one place ----------------------------------------------------------------------------


def _of_one(sample: Any) -> Any:
    @jit
    def number(key, draw, place, a):  # type: ignore[no-untyped-def]
        s = new_cursor(key, draw)
        _move(s, place)
        return sample(s, a)

    return number


def _of_two(sample: Any) -> Any:
    @jit
    def number(key, draw, place, a, b):  # type: ignore[no-untyped-def]
        s = new_cursor(key, draw)
        _move(s, place)
        return sample(s, a, b)

    return number


@functools.cache
def sampler(name: str) -> Any:
    """The compiled function of a key, the number of a draw, a place, and parameters."""
    prepare()
    count = len(DISTRIBUTIONS[name].parameters)
    return (_of_one if count == 1 else _of_two)(getattr(legacy, name))
