"""Programs over arguments that are views of each other: values, mutation, whose memory it is."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np

DTYPES = "? b h i l B H I L e f d F D f d d d d l l".split()
ODD_DTYPES = ["'>f8'", "'>i4'", "'g'", "'U3'", "'M8[D]'", "object", "'>c8'", "'<f4'", "'=i2'"]

NUMBERS = (
    "0 1 -1 2 3 300 -129 2**31 2**40 2**63 2**70 True False 0.0 -0.0 0.5 -2.5 1e300 "
    "float('nan') float('inf') 1j (2-0.0j) complex('nan') np.float32(0.1) np.int8(-3) "
    "np.bool_(True) np.uint64(2**63) np.float64(2.5) np.complex64(1j) np.float16(0.1) "
    "np.longdouble(1.5)"
).split()
OTHERS = (
    "None 'text' Fraction(1,3) Decimal('0.5') Level.LOW Metres(0.5) Ellipsis [1,2] (0,) {'a':1}"
)

HEAD = """\
import enum
from decimal import Decimal
from fractions import Fraction

import numpy as np

from tools.attack.oracle import agree


class Level(enum.IntEnum):
    LOW = 2


class Metres(float):
    pass

"""

UNARY = (
    "negative absolute sign floor ceil trunc rint isnan isfinite signbit logical_not invert square "
    "positive conjugate sqrt"
).split()
BINARY = (
    "add subtract multiply maximum minimum fmax fmin floor_divide remainder equal not_equal less "
    "greater_equal logical_and logical_or bitwise_and bitwise_xor copysign fmod divide"
).split()


def index(rng: random.Random, ndim: int) -> str:
    """A basic index for an array of `ndim` axes."""
    parts = []
    for _ in range(rng.randint(0, ndim + rng.choice([0, 0, 0, 0, 1]))):
        parts.append(
            rng.choice(
                ": ::-1 ::2 1: :-1 1:3 ::-2 -2: 0 -1 1 2:2 0:1 None 3::-1 -1:0:-1 1:100".split()
            )
        )
    if rng.random() < 0.2 or not parts:
        parts.insert(rng.randint(0, len(parts)), "...")
    return ", ".join(parts)


def view(rng: random.Random, name: str, ndim: int) -> str:
    """A view of an array, most of the time."""
    choices = [
        f"{name}[{index(rng, ndim)}]", f"{name}[{index(rng, ndim)}]", f"{name}.T",
        f"{name}.reshape(-1)", f"{name}.ravel()", f"{name}[::-1]", f"{name}[None]",
        f"np.asarray({name})", f"{name}.real", f"{name}.imag", f"np.flip({name})",
        f"np.swapaxes({name}, 0, -1)", f"{name}.squeeze()", f"np.atleast_2d({name})",
        f"np.broadcast_to({name}, (2, *{name}.shape))", f"np.diagonal({name})",
        f"{name}.reshape(2, -1)", f"np.moveaxis({name}, 0, -1)", f"np.expand_dims({name}, -1)",
        f"np.rot90({name})", f"{name}.view()", f"{name}.reshape({name}.shape[::-1])",
        f"np.split({name}, 2)[1]", f"{name}.astype({name}.dtype, copy=False)",
        f"np.ascontiguousarray({name})", f"{name}.flatten()", f"{name}.transpose()",
        f"np.lib.stride_tricks.sliding_window_view({name}, 2)", f"np.squeeze({name}[:1])",
        f"np.array({name}, copy=None)", f"np.ravel({name}, 'F')", f"np.real({name})",
    ]  # fmt: skip
    return rng.choice(choices)


def _base(rng: random.Random, name: str) -> list[str]:
    dtype = rng.choice(DTYPES)
    text = f"'{dtype}'"
    if rng.random() < 0.12:
        text = rng.choice(ODD_DTYPES)
    lines = [f"{name} = (np.arange(size) % 13 - 4).astype({text})"]
    if dtype in "efdFD" and text == f"'{dtype}'":
        lines[0] = f"{name} = ((np.arange(size) % 13 - 4) / 4).astype({text})"
        if rng.random() < 0.3:
            special = rng.choice(["np.nan", "-0.0", "np.inf", "-np.inf"])
            lines.append(f"{name}[{rng.randrange(10)}] = {special}")
    if rng.random() < 0.5:
        shape = rng.choice(["(-1, 6)", "(-1, 6)", "(2, 3, -1)", "(6, -1)", "(1, -1)"])
        lines.append(f"{name} = {name}.reshape({shape})")
    if rng.random() < 0.2:
        lines.append(f"{name} = np.asfortranarray({name})")
    return lines


def _arguments(rng: random.Random) -> tuple[list[str], list[str]]:
    """Statements that make arguments, and these."""
    lines, bases, names = [], [], []
    for k in range(rng.choice([1, 1, 1, 2])):
        lines += _base(rng, f"b{k}")
        bases.append(f"b{k}")
    for k in range(rng.randint(1, 4)):
        name, base = f"x{k}", rng.choice(bases)
        how = rng.random()
        if how < 0.25:
            lines.append(f"{name} = {base}")
        elif how < 0.8:
            lines.append(f"{name} = {view(rng, base, 2)}")
        elif how < 0.87:
            lines.append(f"{name} = {base}.reshape(-1)[3:4].reshape(())")
        elif how < 0.92:
            lines.append(f"{name} = np.ndarray((5,), 'f8', bytearray(range(64)), 1)")
        else:
            steps = f"({base}.itemsize,) * 2"
            lines.append(f"{name} = np.lib.stride_tricks.as_strided({base}, (3, 3), {steps})")
        if rng.random() < 0.12:
            lines += [f"{name} = {name}.view()", f"{name}.flags.writeable = False"]
        names.append(name)
    for k in range(rng.choice([0, 0, 1, 1, 2])):
        text = rng.choice(NUMBERS) if rng.random() < 0.85 else rng.choice(OTHERS.split())
        lines.append(f"s{k} = {text}")
        names.append(f"s{k}")
    return lines, names


def statement(rng: random.Random, values: dict[str, Any], new: str) -> str:
    """A statement over `values`, which may define `new`."""
    arrays = [n for n, v in values.items() if isinstance(v, np.ndarray)] or list(values)
    a, b, c = (rng.choice(arrays) for _ in range(3))
    any_name = rng.choice(list(values))
    operand = rng.choice([b, b, any_name, rng.choice(NUMBERS[:16])])
    ndim = getattr(values[a], "ndim", 1)
    at = index(rng, ndim)
    op = rng.choice("+ - * + - * // % / < >= == & |".split())
    unary, binary = rng.choice(UNARY), rng.choice(BINARY)
    mask = f"{a} > 0"
    writes = [
        f"{a}[{at}] = {operand}", f"{a}[{at}] {op}= {operand}" if op not in ("<", ">=", "==")
        else f"{a}[{at}] += {operand}", f"{a} += {operand}", f"{a} *= {operand}",
        f"{a} -= {b}", f"{a}[{mask}] = {operand}", f"{a}[{mask}] += 1", f"{a}[[0, -1]] = {operand}",
        f"{a}[[1, 1]] += {operand}", f"np.{binary}({a}, {b}, out={c})",
        f"np.{unary}({a}, out={c})", f"np.{binary}({a}, {b}, out={c}, where={mask})",
        f"{new} = np.{binary}({a}, {operand}, out={a})", f"{a}.fill({operand})",
        f"np.copyto({a}, {operand})", f"{a}.sort()", f"np.add.at({a}, [0, 0], {operand})",
        f"{new} = np.clip({a}, -1, 1, out={c})", f"{a}[...] = {b}", f"{a}[:] = {a}[::-1]",
        f"{a}[1:] += {a}[:-1]", f"{a}[1:] = {a}[:-1]", f"{a}.T[...] = {b}",
        f"{new} = {a}.sum(axis=0, out={c})", f"{new} = np.cumsum({a}, out={c}[None][0])",
        f"np.putmask({a}, {mask}, {operand})", f"{a}.flat[1:3] = {operand}",
        f"np.fill_diagonal({a}, {operand})", f"{a}.real = {operand}", f"{a}.imag[...] = 2",
        f"np.put({a}, [0, 1], {operand})", f"np.place({a}, {mask}, [1, 2])",
        f"{new} = {a}; {new} += 1", f"{new} = {a}[{at}]; {new} += {operand}",
        f"{new} = np.take({a}, [0, 1], out={c}, mode='clip')", f"{a}[{at}], {b} = {b}, {a}",
        f"{a}.shape = (-1,)", f"{a}.setflags(write=False)",
        f"{new} = np.where({mask}, {a}, {operand}); {new}[...] = {b}", f"del {a}",
        f"np.minimum({a}, {operand}, {c})", f"{new} = {a}.copy(); {new}[{at}] = {operand}",
        f"{a}[np.arange(2), np.arange(2)] = {operand}", f"np.random.default_rng(3).shuffle({a})",
    ]  # fmt: skip
    makes = [
        f"{new} = {view(rng, a, ndim)}", f"{new} = {view(rng, a, ndim)}",
        f"{new} = {a}.copy()", f"{new} = {a} {op} {operand}", f"{new} = {operand} {op} {a}",
        f"{new} = np.{unary}({a})", f"{new} = np.{binary}({a}, {operand})",
        f"{new} = np.where({mask}, {a}, {operand})", f"{new} = {a}[{at}]",
        f"{new} = {a}.max()", f"{new} = np.concatenate([{a}, {b}])",
        f"{new} = np.stack([{a}, {b}])",
        f"{new} = {a}.astype('{rng.choice('fdlD')}')", f"{new} = {a}.shape[0]",
        f"{new} = len({a}) + 1", f"{new} = np.empty_like({a}); {new}[...] = {operand}",
        f"{new} = np.zeros({a}.shape)", f"{new} = np.full_like({a}, {operand})",
        f"{new} = {a}[::-1] + {a}", f"{new} = np.argsort({a}, axis=None, kind='stable')",
        f"{new} = {a}.any()", f"{new} = np.diff({a})", f"{new} = np.roll({a}, 1)",
        f"{new} = {a}.item(0)", f"{new} = [{a}, {b}]", f"{new} = ({a}, {a}.T, {any_name})",
        f"{new} = {{'a': {a}, 'b': {any_name}}}", f"{new} = {a} if {a}.shape[0] > 3 else {b}",
        f"{new} = {a}[[0, -1, 0]]", f"{new} = {a}[{mask}]", f"{new} = {a}.argmax()",
        f"{new} = {a}.tolist()", f"{new} = np.shares_memory({a}, {b})", f"{new} = {a} is {b}",
        f"{new} = np.repeat({a}, 2)", f"{new} = np.broadcast_arrays({a}, {b})[1]",
        f"{new} = np.may_share_memory({a}, {b})", f"{new} = {a}.base is {b}",
        f"{new} = {a}.flags.writeable", f"{new} = {a}.strides", f"{new} = np.copy({a})",
    ]  # fmt: skip
    # NumPy itself crashes where results of objects go to an operand's memory.
    odd = any(getattr(v, "dtype", np.dtype(int)).kind in "OUM" for v in values.values())
    return rng.choice(writes if rng.random() < 0.5 and not odd else makes)


def _run(lines: list[str], space: dict[str, Any]) -> str:
    """What a run of statements raises, if anything; "cast" for what C leaves undefined."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        try:
            for line in lines:
                exec(line, space)
        except Exception as error:
            return type(error).__name__
    return "cast" if any("cast" in str(w.message) for w in caught) else ""


def _content(space: dict[str, Any], names: list[str]) -> list[bytes]:
    return [v.tobytes() for n in names if isinstance(v := space.get(n), np.ndarray)]


def script(rng: random.Random) -> str:
    """A program."""
    start: dict[str, Any] = {}
    exec(HEAD, start)
    for _ in range(100):
        making, names = _arguments(rng)
        if not _run(["size = 24", *making], dict(start)):
            break
    lines: list[str] = []
    wanted, tries = rng.randint(1, 8), 0
    may_raise = rng.random() < 0.25
    pure = rng.random() < 0.7  # what writes into arguments runs in NumPy
    known = list(names)
    while len(lines) < wanted and tries < 60:
        tries += 1
        space = dict(start)
        _run(["size = 24", *making, *lines], space)
        values = {n: space[n] for n in known if n in space}
        if not values:
            break
        line = statement(rng, values, f"v{len(lines)}")
        before = _content(space, names)
        error = _run([line], space)
        if pure and _content(space, names) != before:
            continue
        if error == "cast" or (error and not (may_raise and rng.random() < 0.1)):
            continue
        lines.append(line)
        if error:
            break
        known.append(f"v{len(lines) - 1}")
        known = [n for n in known if n in space]
    results = rng.sample(known, min(len(known), rng.randint(1, 4)))
    results = [rng.choice([r, r, r, f"{r}", view(rng, r, 2)]) for r in results]
    results = [r for r in results if not _run([*making, *lines, r], {**start, "size": 24})]
    compiling = rng.random() < 0.12
    return (
        f"{HEAD}\ndef make(size):\n"
        + "".join(f"    {line}\n" for line in making)
        + f"    return [{', '.join(names)}]\n\n\ndef f({', '.join(names)}):\n"
        + "".join(f"    {line}\n" for line in lines)
        + f"    return [{', '.join(results)}]\n\n\n"
        + f"agree(f, [lambda n=n: make(n) for n in (24, 24, 24, 36)], compile={compiling}, "
        + "budget=20.0)\n"
    )
