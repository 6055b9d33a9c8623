"""A draw of Philox in a graph: numbers that are computed where they are used.

Element i of a draw is a function of the variable's key, the number of the draw, and i. So a draw
fuses into the loop that reads it, needs no memory, and has the same numbers in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tracejit.tensor as T
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node
from tracejit.rng import philox, philox_reference
from tracejit.rng.table import DISTRIBUTIONS, KINDS, SAMPLED, Distribution
from tracejit.symbolic.convert import cast, constant
from tracejit.symbolic.graph import Constant
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import node_of, opcode
from tracejit.symbolic.type import TensorType
from tracejit.tensor.draws import shape as shape_of
from tracejit.tensor.draws import spread
from tracejit.tensor.gradient_marks import fixed_parameter
from tracejit.trace.tracer import Tracer

_U64, _I64, _F64 = (np.dtype(d) for d in (np.uint64, np.int64, np.float64))
#: Each row of a draw begins at a multiple of this many places.
_ALIGN = 2 * philox.HALF


def _functions() -> None:
    """Give the samplers their elementary functions, which brings Numba along."""
    from tracejit.intrinsics import philox_functions  # noqa: F401


philox.FUNCTIONS.append(_functions)


@dataclass(frozen=True)
class Recipe:
    """How a distribution is made: ``formula(x, *parameters)`` of x, which is of kind `what`.

    That is "unit" (uniform in [0, 1)) or "normal".
    """

    what: str
    formula: Callable[..., Any]


def _laplace(u: Any, m: Any, s: Any) -> Any:
    side = _open(u) - 0.5
    return m - s * T.sgn(side) * T.log(1 - 2 * abs(side))


def _logistic(u: Any, m: Any, s: Any) -> Any:
    inner = _open(u)
    return m + s * (T.log(inner) - T.log(1 - inner))


def _open(u: Any) -> Any:
    """`u` without 0: its least value becomes half a step."""
    return T.maximum(u, constant(2.0**-54 if u.dtype == "float64" else 2.0**-25, dtype=u.dtype))


RECIPES: dict[str, Recipe] = {
    "random_sample": Recipe("unit", lambda u: u),
    "uniform": Recipe("unit", lambda u, a, b: a + (b - a) * u),
    "standard_normal": Recipe("normal", lambda x: x),
    "normal": Recipe("normal", lambda x, m, s: m + s * x),
    "lognormal": Recipe("normal", lambda x, m, s: T.exp(m + s * x)),
    "exponential": Recipe("unit", lambda u, s: -s * T.log(1 - u)),
    "weibull": Recipe("unit", lambda u, a: T.switch(T.eq(a, 0), 0, (-T.log(1 - u)) ** (1 / a))),
    "gumbel": Recipe("unit", lambda u, m, s: m - s * T.log(-T.log(_open(u)))),
    "laplace": Recipe("unit", _laplace),
    "logistic": Recipe("unit", _logistic),
    "geometric": Recipe("unit", lambda u, p: T.maximum(T.ceil(T.log(1 - u) / T.log1p(-p)), 1.0)),
}
_BERNOULLI = Recipe("unit", lambda u, n, p: T.lt(u, p))


def fuses(name: str, state: Any) -> bool:
    """Whether `state` is one of Philox, and the distribution has numbers that stand alone."""
    counted = state.type.dtype == "uint64"
    return counted and (name in RECIPES or name in SAMPLED)


def draw(
    name: str, state: Any, entries: list[Any] | None, parameters: Sequence[Any], numbers: TensorType
) -> tuple[Any, Any]:
    """The state after a draw, and its numbers, which are of type `numbers`.

    `entries` are the lengths of the draw; None for those of its parameters.
    """
    recipe = RECIPES.get(name)
    if (
        name == "binomial"
        and isinstance(parameters[0], Constant)
        and np.all(parameters[0].data == 1)
    ):
        recipe = _BERNOULLI
    given = [fixed_parameter(p) for p in parameters]
    drawn = numbers
    if recipe is not None:
        unit = numbers.dtype if numbers.dtype in ("float32", "float64") else "float64"
        given = [cast(p, unit) for p in given]
        drawn = TensorType(unit, numbers.broadcastable)
    what = recipe.what if recipe else name
    attr = what, name, drawn.dtype, None if entries is None else len(entries)
    patterns = [numbers.broadcastable if p.ndim else () for p in given]
    checked_types = [TensorType(p.dtype, b) for p, b in zip(given, patterns, strict=True)]
    types = [state.type, drawn, *checked_types]
    after, values, *checked = apply("philox", [state, *(entries or ()), *given], attr, types)
    if recipe is not None:
        values = cast(recipe.formula(values, *checked), numbers.dtype)
    return after, values


@opcode("philox")
def _philox(attr: Any, state: Any, *operands: Any) -> Any:
    """attr: (what to draw, distribution, dtype, number of lengths, or None for no size).

    Operands: the state (key and number of the draw), the lengths, the parameters. Results: the
    state after the draw, the numbers, and the parameters once they are known to be in the domain,
    in the shape of the draw where they are not scalars.
    """
    what, name, dtype, count = attr
    row = DISTRIBUTIONS[name]
    lengths, given = operands[: count or 0], operands[count or 0 :]
    if not isinstance(state, Tracer):
        shape = shape_of(lengths, count, row.shapes([*map(np.asarray, given)]), np.broadcast_shapes)
        return _in_numpy(what, row, np.dtype(dtype), np.asarray(state), shape, given)
    node = node_of(state)
    parameters = [
        build.cast(node_of(p), KINDS[k] if what in SAMPLED else node_of(p).dtype)
        for p, k in row.pairs(given)
    ]
    shapes = row.shapes(parameters)
    shape = shape_of(lengths, count, shapes, lambda *s: build.broadcast_shapes(s))
    parameters = [spread(p, shape, name) for p in in_domain(row, parameters)]
    where = [build.view(node, (), ((k, 0, None),)) for k in (0, 1)]
    numbers = _numbers(what, [*where, _places(shape)], parameters, np.dtype(dtype))
    second = build.cast(build.elementwise("equal", build.iota(2), build.constant(1, _I64)), _U64)
    second = build.view(second, node.shape, ((0, 1, 0),))
    return (
        Tracer(build.elementwise("add", node, second)),
        Tracer(numbers, "array" if shape else "scalar"),
        *(Tracer(p, "array" if p.ndim else "scalar") for p in parameters),
    )


def in_domain(row: Distribution, parameters: Sequence[Node]) -> list[Node]:
    """Parameters of a distribution; a program whose call has others stops, and NumPy raises."""
    if row.domain is None:
        return list(parameters)
    good = eval(f"lambda {row.domain}")(*map(Tracer, parameters))
    op = ops.PHILOX[f"checked_{row.name}"]
    return [build.apply(op, (p, good.node, *parameters), p.dtype) for p in parameters]


def _places(shape: tuple[Any, ...]) -> Node:
    """The place of each element of a draw."""
    if not shape:
        return build.constant(0, _U64)
    index = build.view(build.iota(shape[0]), shape, ((0, 1, 0),))
    for axis, n in enumerate(shape[1:], 1):
        length = build.cast(dims.as_node(n), _I64)
        if axis == len(shape) - 1:
            length = build.elementwise("add", length, build.constant(_ALIGN - 1, _I64))
            length = build.elementwise("bitwise_and", length, build.constant(-_ALIGN, _I64))
        along = build.view(build.iota(n), shape, ((0, 1, axis),))
        index = build.elementwise("add", build.elementwise("multiply", index, length), along)
    return build.cast(index, _U64)


def _places_in_numpy(shape: tuple[int, ...]) -> np.ndarray:
    places = np.zeros(shape, np.uint64)
    for axis, along in enumerate(np.indices(shape, np.uint64, sparse=True)):
        n = shape[axis]
        wide = n if axis < len(shape) - 1 else (n + _ALIGN - 1) // _ALIGN * _ALIGN
        places = places * np.uint64(wide) + along
    return places


def _numbers(what: str, where: list[Node], parameters: list[Node], dtype: Any) -> Node:
    if what == "normal":
        return build.cast(build.apply(ops.PHILOX["philox_normal"], where, _F64), dtype)
    if what == "unit":
        return _unit(build.apply(ops.PHILOX["philox_word"], where, _U64), dtype)
    result = KINDS[DISTRIBUTIONS[what].result]
    numbers = build.apply(ops.PHILOX[f"philox_{what}"], (*where, *parameters), result)
    return build.cast(numbers, dtype)


def _unit(word: Node, dtype: np.dtype[Any]) -> Node:
    """The first bits of a word as a number in [0, 1)."""
    bits, scale = (40, 2.0**-24) if dtype.char == "f" else (11, 2.0**-53)
    few = build.elementwise("right_shift", word, build.constant(bits, np.uint64))
    whole = build.cast(build.cast(few, _I64), dtype)
    return build.elementwise("multiply", whole, build.constant(scale, dtype))


def _in_numpy(
    what: str, row: Any, dtype: np.dtype[Any], state: Any, shape: Any, parameters: Any
) -> Any:
    given = [np.asarray(p, KINDS[k])[()] for p, k in row.pairs(parameters)]
    row.refuse(*given)
    places = _places_in_numpy(shape)
    key, draw = state
    if what == "normal":
        numbers = philox_reference.philox_normal(key, draw, places)
    elif what == "unit":
        bits, scale = (40, 2.0**-24) if dtype.char == "f" else (11, 2.0**-53)
        few = philox_reference.philox_word(key, draw, places) >> np.uint64(bits)
        numbers = few.astype(dtype) * dtype.type(scale)
    else:
        numbers = philox_reference.sampled(what)(key, draw, places, *given)
    wide = [np.broadcast_to(p, shape) if np.ndim(p) else p for p in parameters]
    return state + np.array([0, 1], np.uint64), numbers.astype(dtype), *wide
