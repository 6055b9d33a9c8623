"""Numbers that change at every call: a value that was kept from an earlier call would be seen."""

from __future__ import annotations

import random

HEAD = """\
import cmath
import enum
import math
import operator
from decimal import Decimal
from fractions import Fraction

import numpy as np

from tools.attack.oracle import agree


class Level(enum.IntEnum):
    LOW = 2
    HIGH = 3


class Colour(enum.Enum):
    RED = 1


class Metres(float):
    pass


class Whole(int):
    pass


class Doubling(float):
    def __mul__(self, other):
        return float(self) * other * 2

    __rmul__ = __mul__


class Array(np.ndarray):
    pass


X = np.array([-1.5, -0.0, 0.0, 1.0, 2.0, 7.25])
"""

#: Values by class; a case draws most from one or two of these.
VALUES: dict[str, list[str]] = {
    "small": "0 1 2 3 4 5 -1 -2 -3 7 10 12".split(),
    "int": "0 1 -1 127 128 -128 -129 255 256 32767 65536 2**31-1 2**31 -2**31 2**32 2**53 2**53+1 "
    "2**62 -2**62 2**63-1 -2**63 2**63 2**64-1 2**64 2**70 -2**70 10**30".split(),
    "float": "0.0 -0.0 1.0 -1.0 0.5 1.5 2.0 2.5 -2.5 3.0 0.1 1e-320 1e300 -1e300 1e16 2.0**53 "
    "2.0**63 float('inf') -float('inf') float('nan') -float('nan') 5e-324 1.7976931348623157e308 "
    "np.frombuffer(b'\\1\\0\\0\\0\\0\\0\\xf8\\x7f')[0].item()".split(),
    "complex": "0j complex(-0.0,0.0) complex(0.0,-0.0) complex(-0.0,-0.0) 1j 1+2j -1.5-0.5j "
    "complex('nan') complex(float('inf'),float('nan')) 2+0j".split(),
    "bool": "True False np.True_ np.False_".split(),
    "scalar": "np.float64(0.1) np.float64(-0.0) np.float64('nan') np.float32(0.1) np.float32(2) "
    "np.float16(0.1) np.int8(-3) np.int8(127) np.uint8(200) np.int64(3) np.int64(2**62) "
    "np.uint64(2**63) np.uint64(3) np.int32(2) np.complex128(1j) np.complex64(1+1j) np.int16(7) "
    "np.longdouble('0.1') np.clongdouble(1j) np.longlong(4) np.ulonglong(4)".split(),
    "array": "np.array(2.0) np.array(-0.0) np.array(3) np.array(True) np.array(1j) "
    "np.array([1.0]) np.array([2,3]) np.array(2.0,'>f8') np.array(1.5).view(Array) "
    "np.array([]) np.array(2,'u1') np.array(2,dtype=object)".split(),
    "other": "None 'a' '1' b'a' () [] [1] [True] [1.0] {} {1:2} {1.0:2} Level.LOW Level.HIGH "
    "Colour.RED Metres(0.5) Metres(2) Whole(3) Doubling(2.5) Fraction(1,2) Decimal('0.5') "
    "np.datetime64('2001-01-01') np.timedelta64(1,'D') np.str_('a') float int np.float32 "
    "slice(1,2) slice(0,None) slice(-0.0,None) range(2) Ellipsis frozenset([0.0]) "
    "frozenset([-0.0]) (0.0,) (-0.0,) (1,) (True,) (1.0,) [0.0] [-0.0] math.sqrt".split(),
}

_BINARY = "+ - * + - * // % / ** < <= > >= == != & | ^ << >>".split()
_UNARY = (
    "-{a} +{a} ~{a} abs({a}) bool(not({a})) int({a}) float({a}) complex({a}) bool({a}) round({a}) "
    "round({a},1) math.floor({a}) math.ceil({a}) math.trunc({a}) math.isnan({a}) math.isinf({a}) "
    "math.copysign(1,{a}) np.sign({a}) np.abs({a}) np.negative({a}) np.square({a}) np.floor({a}) "
    "np.rint({a}) np.isnan({a}) np.signbit({a}) np.isfinite({a}) {a}.real {a}.imag "
    "{a}.conjugate() {a}.bit_length() {a}.is_integer() type({a}) repr({a}) str({a}) "
    "isinstance({a},int) isinstance({a},float) isinstance({a},bool) isinstance({a},np.generic) "
    "np.asarray({a}) np.array([{a},1]) np.float32({a}) np.int64({a}) np.float64({a}) np.bool_({a}) "
    "np.complex64({a}) math.fabs({a}) np.isscalar({a}) np.ndim({a}) np.shape({a}) np.size({a}) "
    "callable({a}) len({a}) {a}is({a}) math.sqrt({a}) np.sqrt({a}) "
    "np.zeros({a}) np.ones(({a},2)) np.arange({a}) np.eye({a}) list(range({a})) [*{a}] "
    "np.int8({a}) np.uint8({a}) {a}.dtype {a}.item() operator.index({a}) format({a}) "
    "format({a},'+.3g') '%g'%{a} {a}.as_integer_ratio() np.iscomplexobj({a}) cmath.phase({a}) "
    "id({a})==id({a}) ({a},{a})[0] {{{a}:1}} {{'k':{a}}} {a}or(1) {a}and(2) np.full(2,{a})"
).split()
_WITH_ARRAY = (
    "X*{a} X+{a} {a}-X X/{a} X//{a} X%{a} X<{a} X=={a} np.where(X>{a},X,{a}) X[:{a}] X[{a}:] "
    "X[::{a}] X[{a}] np.full(3,{a}) np.full_like(X,{a}) np.maximum(X,{a}) np.fmin(X,{a}) "
    "np.clip(X,{a},None) np.copysign(X,{a}) np.roll(X,{a}) np.repeat(X,{a}) np.tile(X,{a}) "
    "X.reshape({a},-1) X.reshape(-1,{a}) np.take(X,{a}) X.astype('f4')*{a} X.astype('i1')+{a} "
    "X.astype('i8')*{a} X.astype('?')+{a} X.astype('u1')-{a} X.astype('F')*{a} X**{a} {a}**X "
    "np.append(X,{a}) X.sum(axis={a}) X.reshape(2,3).max(axis={a}) np.expand_dims(X,{a}) "
    "np.linspace({a},2,3) np.arange({a},5) np.arange(0,{a},2) X.max(initial={a}) "
    "np.diff(X,{a}) X[:,None][:,{a}] X.round({a}) np.partition(X,{a}) X.take([{a}]) "
    "np.broadcast_to({a},(2,)) np.concatenate([X,[{a}]]) np.divmod(X,{a}) X@(X*{a}) "
    "np.split(X,{a}) np.eye(3,k={a}) np.tri(3,k={a}) np.ldexp(X,{a}) "
    "np.array([{a}])*X np.stack([X,X*{a}],axis={a}) X.clip(max={a}) np.nan_to_num(X,nan={a}) "
    "np.isclose(X,{a}) np.equal(X,{a}).any() (X=={a}).sum() np.pad(X,{a}) np.ones(X.shape[0]-{a}) "
    "x[{a}:].sum()"
).split()


#: What takes time or memory without end for large integers.
_ENDLESS = "zeros ones arange eye tri range( repeat tile full pad diff ** << pow [{a},1]*".split()


def _pick(rng: random.Random, choices: list[str], large: bool) -> str:
    while True:
        text = rng.choice(choices)
        if not large or not any(word in text for word in _ENDLESS):
            return text


def expression(rng: random.Random, names: list[str], large: bool, depth: int = 0) -> str:
    """A random expression over numbers, some of which may be `large`."""
    kind = rng.random()
    if depth > 2 or kind < 0.15:
        return rng.choice([*names, *names, "2", "0.5", "1", "X.shape[0]", "-0.0", "3"])
    inner = expression(rng, names, large, depth + 1)
    if kind < 0.45:
        other = expression(rng, names, large, depth + 1)
        sign = _pick(rng, _BINARY, large or depth > 0)
        if sign == "%" and ("format(" in inner or "'%" in inner):
            sign = "+"  # a text takes what has items for a mapping: no trace sees that
        return f"({inner} {sign} {other})"
    if kind < 0.7:
        return "(" + _pick(rng, _UNARY, large).format(a=f"({inner})") + ")"
    if kind < 0.75:
        other = expression(rng, names, large, depth + 1)
        calls = "min max divmod pow math.fmod np.power math.hypot math.atan2".split()
        call = _pick(rng, calls, large or depth > 0)
        return f"{call}({inner}, {other})"
    if kind < 0.8:
        test = expression(rng, names, large, depth + 1)
        return f"({inner} if {test} else {rng.choice(names)})"
    return "(" + _pick(rng, _WITH_ARRAY, large).format(a=f"({inner})") + ")"


def script(rng: random.Random) -> str:
    """A program."""
    names = ["a", "b"][: rng.randint(1, 2)]
    kinds = rng.sample(list(VALUES), 2)
    large = rng.random() < 0.5
    results = [expression(rng, names, large) for _ in range(rng.randint(1, 3))]
    drawn = []
    for _ in range(rng.randint(6, 16)):
        row = []
        for name in names:
            kind = kinds[names.index(name)]
            if rng.random() < 0.15:
                kind = rng.choice(list(VALUES))
            kind = kind if large or kind not in ("int", "float", "scalar") else "small"
            row.append(rng.choice(VALUES[kind]))
        drawn.append(row)
    calls = "".join(f"    lambda: [X.copy(), {', '.join(row)}],\n" for row in drawn)
    compiling = rng.random() < 0.04
    body = "".join(f"    r{k} = {text}\n" for k, text in enumerate(results))
    return (
        f"{HEAD}\n\ndef f(X, {', '.join(names)}):\n{body}"
        f"    return [{', '.join(f'r{k}' for k in range(len(results)))}]\n\n\n"
        f"CALLS = [\n{calls}]\n"
        f"agree(f, CALLS, compile={compiling}, ulps=4.0)\n"
    )
