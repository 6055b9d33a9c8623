"""Random programs of statements: the source of a module with ``arguments`` and ``program``.

``arguments(k)`` makes the arguments of call k, and ``program`` takes them. Every program ends: its
loops go over axes, a few numbers, or have a counter. Values are small multiples of a quarter, so
most sums are exact in any order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from programs import outside, whole
from programs.scope import Array, Helper, Scope, Shape, Writer
from programs.statements import BY_VALUE, body, give

#: What is in sight of every function of a module.
HEAD = "import numpy as np\n\nK = 3\nTABLE = np.arange(4.0)\n\n"
VECTOR: Shape = (("n", 0),)
SHAPES: list[Shape] = [
    (("n", 0), ("n", 0)), (("m", 0), ("n", 0)), (("n", 0), ("m", 0)),
]  # fmt: skip
#: Another array of the same memory: an expression, and what the first axis loses.
ALIASES = [("{}", 0), ("{}[1:]", 1), ("{}[::-1]", 0), ("{}[:-1]", 1), ("{}[:]", 0)]
NUMBERS = ["0.5 + k", "1", "2.0", "-1 - k", "np.float64(1.5)", "np.int64(2)", "[1, 0.5][k]", "True"]


@dataclass(frozen=True)
class Program:
    """`exact`: no floating sum may be reordered. `constructs` are those on each line."""

    source: str
    constructs: dict[int, set[str]]
    exact: bool


def write(rng: random.Random, all_names: bool = False) -> Program:
    """A program; one of `all_names` has host calls, objects, draws, and any function of NumPy's."""
    single = rng.randrange(12) == 11
    w = Writer(rng, sums=not single)
    manner = w.weighted({"any": 4, "copies": 1, "steady": 2})
    if manner == "steady":
        w.avoided = BY_VALUE
    for line in (HEAD + outside.HEAD * all_names).splitlines():
        w.line(line)
    if all_names:
        w.more = {**whole.STATEMENTS, **outside.STATEMENTS}
    helpers = [write_helper(w) for _ in range(w.weighted({0: 3, 1: 3, 2: 1}))]
    parameters = write_arguments(w, "np.float32" if single else "float", all_names)
    names = ", ".join(p.name for p in parameters.values())
    with w.block(f"def program({names}):", function="results") as scope:
        fill(scope, parameters)
        scope.helpers += helpers
        if manner != "any":
            copy(w, parameters)
        elif w.one_in(4):
            scope.arrays.append(Array("TABLE", (("TABLE", 0),)))
        w.left = 3 + w.rng.randrange(12)
        while w.left > 0:
            body(w, 3)
        give(w)
    return Program("\n".join(w.lines) + "\n", w.constructs, not w.summed)


def copy(w: Writer, parameters: dict[str, Parameter]) -> None:
    """The arguments' arrays are left as they are."""
    arrays = [a for p in parameters.values() for a in p.arrays]
    for array in arrays:
        w.line(f"{array.name} = {array.name}.copy()", "arguments copied")


def write_helper(w: Writer) -> Helper:
    """A function of a vector and a number, which may write into the vector."""
    name, gives = w.fresh("h"), w.pick(["number", "array"])
    with w.block(f"def {name}(v, t):", function=gives) as scope:
        scope.arrays.append(Array("v", (("v", 0),), own=True))
        scope.numbers.append("t")
        w.left = w.rng.randrange(4)
        body(w, 2)
        give(w)
    w.line("")
    return Helper(name, "{v}, {s}", gives)


@dataclass(frozen=True)
class Parameter:
    """A parameter, and what the program sees of it: `element` is the place of a number in it."""

    name: str
    value: str
    arrays: tuple[Array, ...] = ()
    number: bool = False
    integer: bool = False
    construct: str = ""
    element: str = ""
    stream: bool = False
    #: Whether it is a value that the program may return.
    passed: bool = False
    dates: tuple[Array, ...] = ()


def fill(scope: Scope, parameters: dict[str, Parameter]) -> None:
    for p in parameters.values():
        scope.arrays += p.arrays
        scope.numbers += [p.name] * p.number
        scope.numbers += [p.name + p.element] if p.element else []
        scope.integers += [p.name] * p.integer
        scope.streams += [p.name] * p.stream
        scope.dates += p.dates
        scope.values += [p.name] * p.passed


def write_arguments(w: Writer, dtype: str, all_names: bool = False) -> dict[str, Parameter]:
    """The function that makes the arguments."""
    chosen = {"x": vector(w, "x", dtype, [])}
    for _ in range(1 + w.rng.randrange(4)):
        p = w.weighted({**PARAMETERS, **OUTSIDE} if all_names else PARAMETERS)
        name = w.fresh(p)
        chosen[name] = PARAMETER_KINDS[p](w, name, dtype, list(chosen.values()))
    with w.block("def arguments(k):"):
        w.line("rng = np.random.default_rng(k)")
        w.line("n, m = 6 + k, 4 + k")
        for p in chosen.values():
            w.line(f"{p.name} = {p.value}", p.construct)
        if w.one_in(20):
            arrays = [p.name for p in chosen.values() if len(p.arrays) == 1 and not p.passed]
            w.line(f"{w.pick(arrays)}.flags.writeable = False", "read-only argument")
        w.line(f"return {', '.join(chosen)},")
    w.line("")
    return chosen


def vector(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    """A vector: its own, or one that shares memory with another argument."""
    known = [a for p in others for a in p.arrays if not a.integer]
    if known and w.one_in(2):
        base = w.pick(known)
        text, less = w.pick(ALIASES)
        first, *rest = base.shape
        if len(base.shape) == 2 and w.one_in(2):
            row = (Array(name, base.shape[1:], own=True),)
            return Parameter(name, f"{base.name}[1]", row, construct="row of an argument")
        if less and first[1]:
            text, less = "{}", 0
        construct = "argument twice" if text == "{}" else "overlapping arguments"
        shape = ((first[0], first[1] - less), *rest)
        arrays = (Array(name, shape, own=True),)
        return Parameter(name, text.format(base.name), arrays, construct=construct)
    forms = ["{}", "{}", "np.repeat({}, 2)[::2]", "{}[::-1]"]
    text = w.pick(forms).format(f"(rng.integers(-8, 9, n) / 4).astype({dtype})")
    return Parameter(name, text, (Array(name, VECTOR, own=True),))


def matrix(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    shape = w.pick(SHAPES)
    sizes = ", ".join(base for base, _ in shape)
    forms = ["{}", "{}", "np.asfortranarray({})", "{}[::-1]", "np.repeat({}, 2, axis=1)[:, ::2]"]
    text = w.pick(forms).format(f"(rng.integers(-8, 9, ({sizes})) / 4).astype({dtype})")
    return Parameter(name, text, (Array(name, shape, own=True),))


def indices(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    text = "rng.integers(-2, 2, n)" if not w.one_in(10) else "rng.integers(-2, 2, n) * 4"
    return Parameter(name, text, (Array(name, VECTOR, True),))


def number(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    return Parameter(name, w.pick(NUMBERS), number=True)


def integer(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    return Parameter(name, w.pick(["k", "2", "1 + k"]), integer=True)


def container(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    """Arrays in a container."""
    first = w.pick([a for p in others for a in p.arrays if not a.integer and a.own])
    made = f"(rng.integers(-8, 9, n) / 4).astype({dtype})"
    text, names = w.pick(
        [("{{'u': {0}, 'v': {1}}}", ("['u']", "['v']")), ("[{0}, {1}]", ("[0]", "[1]"))]
    )
    value = text.format(first.name, made)
    own = w.one_in(2)  # or they are only written into
    arrays = (
        Array(name + names[0], first.shape, own=own),
        Array(name + names[1], VECTOR, own=own),
    )
    return Parameter(name, value, arrays, construct="arrays in a container")


def state(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    """Numbers in a container, which has other ones afterwards."""
    text, element = w.pick([("{{'s': {0}, 'k': 1}}", "['s']"), ("[{0}, 1]", "[0]")])
    value = text.format(w.pick(NUMBERS))
    return Parameter(name, value, element=element, construct="numbers in a container")


def thing(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    """An object, whose array another argument may be."""
    first = w.pick([a for p in others for a in p.arrays if not a.integer and a.own])
    made = w.pick([first.name, f"{first.name}.copy()"])
    arrays = (Array(f"{name}.x", first.shape, own=True),)
    value = f"Thing({made}, {w.pick(NUMBERS)})"
    return Parameter(name, value, arrays, construct="object", element=".s", passed=True)


def days(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    """Dates, one of which may be none."""
    made = "rng.integers(18000, 18030, n).astype('M8[D]')"
    text = w.pick(
        [made, f"{made}[::-1]", f"np.where(np.arange(n) == 1, np.datetime64('NaT'), {made})"]
    )
    dates = (Array(name, VECTOR, own=True),)
    return Parameter(name, text, construct="dates", passed=True, dates=dates)


def stream(w: Writer, name: str, dtype: str, others: list[Parameter]) -> Parameter:
    """A generator of random numbers."""
    text = "np.random.RandomState(k)" if name.startswith("old") else "np.random.default_rng(k)"
    return Parameter(name, text, construct="generator", stream=True)


PARAMETERS = {"y": 4, "a": 4, "s": 4, "k": 3, "p": 2, "box": 1, "state": 1}
PARAMETER_KINDS = {
    "y": vector, "a": matrix, "s": number, "k": integer, "p": indices, "box": container,
    "state": state, "o": thing, "d": days, "rng": stream, "old": stream,
}  # fmt: skip
#: Parameters of programs with all names.
OUTSIDE = {"o": 3, "rng": 3, "old": 1, "d": 2}
