"""The three op tables. One row declares an op; everything else is derived from it.

ELEMENTWISE   one row a ufunc: its reference, what a CPU kernel emits for a scalar, its cost.
REDUCTIONS    built on an elementwise combine.
STRUCTURAL    data movement, each with an index map where it has one.

To add an op, add a row: here, or by `add` from outside. An elementwise one without ``cpu`` calls
the ufunc's own compiled loop for an element, which is right by construction for every dtype that
it has.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tracejit.ir.rows import Elementwise, Op, Reduction
from tracejit.rng.table import DISTRIBUTIONS, SAMPLED, Distribution

CHEAP, DIVISION, TRANSCENDENTAL = 1, 5, 20


def _rows(*rows: Any) -> dict[str, Any]:
    table = {row.name: row for row in rows}
    assert len(table) == len(rows)
    return table


def _arith(name: str, sign: str, **columns: Any) -> Elementwise:
    return Elementwise(
        name=name,
        cpu=f"{name}({{0}}, {{1}})",
        wide=f"{{0}} {sign} {{1}}",
        cpu_kinds="biufc",
        **columns,
    )


def _compare(name: str, short: str, sign: str) -> Elementwise:
    return Elementwise(
        name=name, cpu=f"{short}({{0}}, {{1}})", wide=f"{{0}} {sign} {{1}}", cpu_kinds="biufc"
    )


def _call(name: str, nin: int, cost: int = CHEAP, kinds: str = "biuf", **more: Any) -> Elementwise:
    operands = ", ".join(f"{{{i}}}" for i in range(nin))
    function = more.pop("function", name)
    return Elementwise(
        name=name, nin=nin, cpu=f"{function}({operands})", cpu_kinds=kinds, cost=cost, **more
    )


def _guarded(name: str, far: str, cost: int, kinds: str = "f", **more: Any) -> Elementwise:
    """A function of one number whose vector code holds where `far` does not."""
    return _call(name, 1, cost, kinds, near=f"near_{name}({{0}})", far=f"{far}({{0}})", **more)


def _loop(name: str, nin: int, **more: Any) -> Elementwise:
    return Elementwise(name=name, nin=nin, cost=more.pop("cost", TRANSCENDENTAL), **more)


ELEMENTWISE: dict[str, Elementwise] = _rows(
    # Arithmetic
    _arith("add", "+"),
    _arith("subtract", "-"),
    _arith("multiply", "*"),
    _call("divide", 2, DIVISION, "fc", wide="{0} / {1}"),
    _call("floor_divide", 2, DIVISION),
    _call("remainder", 2, DIVISION),
    _call("fmod", 2, DIVISION),
    Elementwise(
        name="power",
        cpu="power({0}, {1})",
        cpu_kinds="iuf",
        cost=TRANSCENDENTAL,
        trap="{1} < 0",
        trap_kinds="i",
    ),
    _loop("float_power", 2),
    _call("negative", 1, kinds="iufc"),
    _call("positive", 1, kinds="iufc"),
    _call("absolute", 1, kinds="biufc"),
    _call("fabs", 1, kinds="f"),
    _call("sign", 1),
    _call("square", 1, kinds="iufc"),
    _call("reciprocal", 1, DIVISION, "f"),
    _call("sqrt", 1, DIVISION, "f"),
    _call("conjugate", 1, kinds="biufc", function="conj"),
    _call("copysign", 2, kinds="f"),
    _call("heaviside", 2, kinds="f"),
    _loop("nextafter", 2),
    _loop("spacing", 1),
    _loop("gcd", 2),
    _loop("lcm", 2),
    _loop("ldexp", 2),
    _call("modf_fraction", 1, kinds="f", reference_name="modf"),
    _call("modf_integer", 1, kinds="f", reference_name="modf", output=1),
    _call("frexp_mantissa", 1, kinds="f", reference_name="frexp"),
    _call("frexp_exponent", 1, kinds="f", reference_name="frexp", output=1),
    # Rounding
    _call("floor", 1),
    _call("ceil", 1),
    _call("trunc", 1),
    _call("rint", 1, kinds="f"),
    # Comparison and choice
    _compare("equal", "eq", "=="),
    _compare("not_equal", "ne", "!="),
    _compare("less", "lt", "<"),
    _compare("less_equal", "le", "<="),
    _compare("greater", "gt", ">"),
    _compare("greater_equal", "ge", ">="),
    _call("maximum", 2, kinds="biufc"),
    _call("minimum", 2, kinds="biufc"),
    _call("fmax", 2, kinds="biufc"),
    _call("fmin", 2, kinds="biufc"),
    _call("isnan", 1, kinds="biufc"),
    _call("isinf", 1, kinds="biufc"),
    _call("isfinite", 1, kinds="biufc"),
    _call("signbit", 1, kinds="f"),
    # Logic and bits
    _call("logical_and", 2, kinds="biufc"),
    _call("logical_or", 2, kinds="biufc"),
    _call("logical_xor", 2, kinds="biufc"),
    _call("logical_not", 1, kinds="biufc"),
    _call("bitwise_and", 2, kinds="biu", function="bit_and"),
    _call("bitwise_or", 2, kinds="biu", function="bit_or"),
    _call("bitwise_xor", 2, kinds="biu", function="bit_xor"),
    _call("invert", 1, kinds="biu"),
    _call("left_shift", 2, kinds="iu"),
    _call("right_shift", 2, kinds="iu"),
    _loop("bitwise_count", 1),
    # Exponentials and logarithms
    _guarded("exp", "far_phase", TRANSCENDENTAL, kinds="fc", near_kinds="c"),
    _call("exp2", 1, TRANSCENDENTAL, "f"),
    _call("expm1", 1, TRANSCENDENTAL, "f"),
    _call("log", 1, TRANSCENDENTAL, "f"),
    _call("log2", 1, TRANSCENDENTAL, "f"),
    _call("log10", 1, TRANSCENDENTAL, "f"),
    _call("log1p", 1, TRANSCENDENTAL, "f"),
    _call("logaddexp", 2, TRANSCENDENTAL, "f"),
    _loop("logaddexp2", 2),
    _call("cbrt", 1, TRANSCENDENTAL, "f"),
    _call("hypot", 2, DIVISION, "f"),
    # Trigonometry
    _guarded("sin", "far_angle", TRANSCENDENTAL),
    _guarded("cos", "far_angle", TRANSCENDENTAL),
    _guarded("tan", "far_angle", TRANSCENDENTAL),
    _call("arcsin", 1, TRANSCENDENTAL, "f"),
    _call("arccos", 1, TRANSCENDENTAL, "f"),
    _call("arctan", 1, TRANSCENDENTAL, "f"),
    _call("arctan2", 2, TRANSCENDENTAL, "f"),
    _call("sinh", 1, TRANSCENDENTAL, "f"),
    _call("cosh", 1, TRANSCENDENTAL, "f"),
    _call("tanh", 1, TRANSCENDENTAL, "f"),
    _call("arcsinh", 1, TRANSCENDENTAL, "f"),
    _call("arccosh", 1, TRANSCENDENTAL, "f"),
    _call("arctanh", 1, TRANSCENDENTAL, "f"),
    _call("degrees", 1, kinds="f", function="rad2deg"),
    _call("rad2deg", 1, kinds="f"),
    _call("radians", 1, kinds="f", function="deg2rad"),
    _call("deg2rad", 1, kinds="f"),
    # SciPy's special functions; those without an expression are added as they are met
    _call("erf", 1, TRANSCENDENTAL, "f", module="scipy.special"),
    _call("erfc", 1, TRANSCENDENTAL, "f", module="scipy.special"),
    _call("expit", 1, TRANSCENDENTAL, "f", module="scipy.special"),
    _guarded("gammaln", "not_positive", 2 * TRANSCENDENTAL, module="scipy.special"),
    # Beyond ufuncs
    Elementwise(name="cast", nin=1, cpu="{0}", cpu_kinds="biufc", doc="attr: the dtype"),
    Elementwise(name="where", nin=3, cpu="select({0}, {1}, {2})", cpu_kinds="biufc"),
    Elementwise(name="real", nin=1, cpu="real({0})", cpu_kinds="c"),
    Elementwise(name="imag", nin=1, cpu="imag({0})", cpu_kinds="c"),
)

CAST, WHERE = ELEMENTWISE["cast"], ELEMENTWISE["where"]
REAL, IMAG = ELEMENTWISE["real"], ELEMENTWISE["imag"]


def _drawn(name: str, parameters: int = 0) -> Elementwise:
    operands = ", ".join(f"{{{k}}}" for k in range(3 + parameters))
    return Elementwise(
        name=f"philox_{name}",
        module="tracejit.rng.philox_reference",
        nin=3 + parameters,
        cpu=f"philox_{name}({operands})",
        cpu_kinds="iuf",
        cost=2 * TRANSCENDENTAL,
        plain=True,
    )


def _checked(row: Distribution) -> Elementwise:
    """A parameter, whether all parameters are in the domain, and all of them."""
    return Elementwise(
        name=f"checked_{row.name}",
        module="tracejit.rng.philox_reference",
        nin=2 + len(row.parameters),
        cpu="checked({0}, {1})",
        cpu_kinds="biuf",
        trap="logical_not({1})",
        trap_kinds="iuf",
        plain=True,
    )


def _ordered(order: str) -> Elementwise:
    return Elementwise(
        name=f"order_{order.lower()}",
        module="tracejit.ir.memory_order",
        nin=1,
        cpu="{0}",
        cpu_kinds="biufc",
        plain=True,
        doc="the operand; where it is stored, in this memory order",
    )


#: The comparisons, as Python writes them.
COMPARISONS = {
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}

#: What is stored in a memory order that does not depend on its operands', by that order.
ORDERED: dict[str, Elementwise] = {order: _ordered(order) for order in ("C", "F")}

#: The operand itself, with a mark for derivatives; attr in brackets. ``mark`` is what one is taken
#: with respect to (its number); a cotangent ends at ``stop_gradient``, is multiplied at
#: ``scale_gradient`` (the factor) and limited at ``clip_gradient`` (the bounds).
MARKS: dict[str, Elementwise] = _rows(
    *(
        Elementwise(
            name=name, module="tracejit.ir.marks", nin=1, cpu="{0}", cpu_kinds="biufc", plain=True
        )
        for name in ("mark", "stop_gradient", "scale_gradient", "clip_gradient")
    )
)

#: An element of a random draw: of a key, the draw's number, the element's place, and parameters.
PHILOX: dict[str, Elementwise] = _rows(
    _drawn("word"),
    _drawn("normal"),
    *(_drawn(name, len(DISTRIBUTIONS[name].parameters)) for name in SAMPLED),
    *(_checked(row) for row in DISTRIBUTIONS.values() if row.domain),
)

REDUCTIONS: dict[str, Reduction] = _rows(
    Reduction(name="sum", combine="add", identity=0, cpu="radd({0}, {1})", cpu_kinds="iufc"),
    Reduction(name="prod", combine="multiply", identity=1, cpu="rmul({0}, {1})"),
    Reduction(name="max", combine="maximum", identity="min", cpu="rmax({0}, {1})"),
    Reduction(name="min", combine="minimum", identity="max", cpu="rmin({0}, {1})"),
    Reduction(name="fmax_reduce", combine="fmax", identity="nan"),
    Reduction(name="fmin_reduce", combine="fmin", identity="nan"),
    Reduction(name="any", combine="logical_or", identity=0),
    Reduction(name="all", combine="logical_and", identity=1),
    Reduction(name="or_reduce", combine="bitwise_or", identity=0),
    Reduction(name="and_reduce", combine="bitwise_and", identity=-1),
    Reduction(name="xor_reduce", combine="bitwise_xor", identity=0),
    Reduction(name="argmax", combine="greater", identity="min", doc="first index of the maximum"),
    Reduction(name="argmin", combine="less", identity="max", doc="first index of the minimum"),
)
ARG_REDUCTIONS = (REDUCTIONS["argmax"], REDUCTIONS["argmin"])

STRUCTURAL: dict[str, Op] = _rows(
    Op(name="input", dims_in_attr=True, doc="attr: (name, shape, trace)"),
    Op(name="const", doc="a scalar; attr: its bytes"),
    Op(name="dim", doc="length of an input's axis; attr: (name, axis, trace)"),
    Op(name="poly", doc="sum of products of scalar integers; attr: ((operand indices), factor)…"),
    Op(name="iota", dims_in_attr=True, doc="0, 1, 2 … as int64; attr: length"),
    Op(
        name="view",
        dims_in_attr=True,
        doc="affine index map; attr: (shape, one (start, step, axis or None) an operand axis)",
    ),
    Op(name="reshape", dims_in_attr=True, doc="same elements in C order; attr: shape"),
    Op(
        name="gather",
        dims_in_attr=True,
        doc="x[…] by integer arrays; attr: (shape, an operand axis ('index', which) | ('axis', k))",
    ),
    Op(
        name="scatter",
        doc="x with y put (set) or added (add) at int64 positions, one an axis of x, in y's order; "
        "attr: (mode, which positions count from the end where negative, and are checked)",
    ),
    Op(name="nonzero", dims_in_attr=True, doc="(count, ndim) int64 positions; attr: count"),
    Op(name="count", doc="how many elements of a mask are true, int64"),
    Op(name="positions", dims_in_attr=True, doc="of the true elements of a 1-D mask; attr: count"),
    Op(
        name="compress",
        dims_in_attr=True,
        doc="of a mask over leading axes, and x: the elements where it is true; attr: shape",
    ),
    Op(
        name="place",
        doc="of a mask over leading axes, x and y: x with the elements of y, in order, where it is "
        "true; all or none of the last ones where y has too few, unless they come again; attr: "
        "that, or None",
    ),
    Op(
        name="assign",
        doc="what takes an input's place in the caller's memory; attr: whether all else is first",
    ),
    Op(name="concatenate", dims_in_attr=True, doc="attr: (axis, shape)"),
    Op(
        name="custom",
        doc="the first operand; its cotangent goes to the others by a rule; attr: number or name",
    ),
    Op(name="accumulate", doc="running reduction; attr: (elementwise name, axis)"),
    Op(name="sort", doc="in order along the last axis; attr: quicksort or stable"),
    Op(
        name="middle",
        doc="the two middle elements along the last axis, or those at two places in order, or NaN "
        "where there is one; attr: whether NaN is left out first",
    ),
    Op(name="argsort", doc="int64 positions that sort along the last axis; attr: as for sort"),
    Op(name="search", doc="places of elements in a sorted array, int64; attr: left or right"),
    Op(
        name="correlate",
        dims_in_attr=True,
        doc="sums of products of one vector with parts of another; attr: (where the first one is "
        "less than a whole, how many)",
    ),
    Op(
        name="convolution",
        dims_in_attr=True,
        doc="sums of products of filters with windows; attr: (shape, steps of windows, of elements "
        "in them, which axis is long): see `ir.convolutions`",
    ),
    Op(
        name="draw",
        dims_in_attr=True,
        doc="random numbers: of a state and parameters; attr: (distribution, shape)",
    ),
    Op(name="advance", doc="the state after a draw, its operand"),
    Op(name="matmul", doc="product of two matrices, or of stacks of them"),
    Op(name="gufunc", dims_in_attr=True, doc="a result of a row of `ir/gufuncs.py`; attr: there"),
    Op(
        name="host",
        doc="a call of a Python function with arrays: int64, where the call was, and the lengths "
        "of all results; attr: the `native.hostcalls.Callee`",
    ),
    Op(
        name="hosted",
        dims_in_attr=True,
        doc="a result of a call, the first operand, whose derivative would be by the others; attr: "
        "(which, dtype, shape)",
    ),
    Op(name="tuple", doc="several values as one"),
    Op(name="item", doc="one of several values; attr: which"),
    # attr: (regions, how many operands are carried, or are sequences; shapes of the results)
    Op(name="cond", regions=("then", "else"), dims_in_attr=True, doc="one region or the other"),
    Op(name="while", regions=("while", "do"), dims_in_attr=True, doc="one while the other holds"),
    Op(name="scan", regions=("do",), dims_in_attr=True, doc="a number of steps over sequences"),
)
_op = STRUCTURAL.__getitem__
INPUT, CONST, DIM, POLY, IOTA, VIEW = map(_op, "input const dim poly iota view".split())
RESHAPE, GATHER, NONZERO, CONCATENATE = map(_op, "reshape gather nonzero concatenate".split())
COUNT, POSITIONS, COMPRESS, PLACE = map(_op, "count positions compress place".split())
ASSIGN, ACCUMULATE, SCATTER = map(_op, ("assign", "accumulate", "scatter"))
MATMUL, GUFUNC, DRAW, ADVANCE = map(_op, "matmul gufunc draw advance".split())
SORT, ARGSORT, MIDDLE = map(_op, ("sort", "argsort", "middle"))
SEARCH, CORRELATE, CONVOLUTION = map(_op, ("search", "correlate", "convolution"))
HOST, HOSTED = map(_op, ("host", "hosted"))
TUPLE, ITEM, COND, WHILE, SCAN = map(_op, "tuple item cond while scan".split())
#: The number of a "custom" node whose second operand is another form of the first, for derivatives.
EXACT = -1

#: Rows by the ufuncs that they are of, and reductions by those that they combine by.
UFUNCS: dict[np.ufunc, Elementwise] = {
    getattr(np, row.reference_name or row.name): row
    for row in ELEMENTWISE.values()
    if row.module == "numpy" and row.output == 0 and row.cpu_kinds != "c"
    if isinstance(getattr(np, row.reference_name or row.name, None), np.ufunc)
}
REDUCED: dict[np.ufunc, Reduction] = {
    ELEMENTWISE[row.combine].ufunc: row for row in REDUCTIONS.values() if row not in ARG_REDUCTIONS
}


def add(row: Op) -> None:
    """Add a row to its table, and to what is found by ufuncs."""
    if isinstance(row, Elementwise):
        ELEMENTWISE[row.name] = row
        if not row.plain:
            UFUNCS[row.ufunc] = row
    elif isinstance(row, Reduction):
        REDUCTIONS[row.name] = row
        REDUCED[ELEMENTWISE[row.combine].ufunc] = row
    else:
        STRUCTURAL[row.name] = row


def row_of(ufunc: np.ufunc) -> Elementwise | None:
    """The elementwise row whose reference is `ufunc`, or None.

    A ufunc of ``scipy.special`` with one output that has no row gets one: its own loop is called.
    """
    row = UFUNCS.get(ufunc)
    if row is None and ufunc.nout == 1 and ufunc.signature is None:
        name = ufunc.__name__
        if (module := _special_module(ufunc)) is None:
            return None
        row = ELEMENTWISE.get(name)
        if row is None or row.module == "numpy":
            name = name if row is None else f"special_{name}"
            row = _loop(name, ufunc.nin, module=module, reference_name=ufunc.__name__)
            ELEMENTWISE[name] = row
        UFUNCS[ufunc] = row
    return row


def rows_of(ufunc: np.ufunc) -> tuple[Elementwise, ...] | None:
    """The rows of a ufunc of ``scipy.special`` with several outputs, one each; None of others."""
    if ufunc.nout == 1 or ufunc.signature is not None:
        return None
    module = _special_module(ufunc)
    if module is None:
        return None
    found = []
    for k in range(ufunc.nout):
        name = f"{ufunc.__name__}_{k}"
        if name not in ELEMENTWISE:
            more = {"module": module, "reference_name": ufunc.__name__, "output": k}
            ELEMENTWISE[name] = _loop(name, ufunc.nin, **more)
        found.append(ELEMENTWISE[name])
    return tuple(found)


def _special_module(ufunc: np.ufunc) -> str | None:
    """Where in SciPy `ufunc` lives; looked up only when the caller has imported SciPy."""
    for module in ("scipy.special", "scipy.special._ufuncs"):
        if module in sys.modules and getattr(sys.modules[module], ufunc.__name__, None) is ufunc:
            return module
    return None


def identity(name: str, dtype: np.dtype[Any]) -> Any:
    """The identity of reduction `name` as a scalar of `dtype`."""
    value: Any = REDUCTIONS[name].identity
    if value == "nan":
        value = float("nan") if dtype.kind in "fc" else ("min" if "max" in name else "max")
    if isinstance(value, str):
        low = value == "min"
        if dtype.kind == "b":
            value = not low
        elif dtype.kind in "iu":
            value = np.iinfo(dtype).min if low else np.iinfo(dtype).max
        else:
            value = -np.inf if low else np.inf
            if dtype.kind == "c":  # complex numbers are ordered by their real parts first
                value = complex(value, value)
    elif value == -1 and dtype.kind in "ub":
        value = True if dtype.kind == "b" else np.iinfo(dtype).max
    return dtype.type(value)
