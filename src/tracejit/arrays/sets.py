"""Sets of numbers: what is unique, and what is in another set."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tracejit.arrays.common import axis_index, call, has_elements, join, strong
from tracejit.arrays.indexing import getitem
from tracejit.arrays.searching import lexsort
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, sequences
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64
from tracejit.trace.tables import creates, implements
from tracejit.trace.tracer import Tracer, as_array, solver_value

_impl: Any = sys.modules["numpy.lib._arraysetops_impl"]
#: NumPy, whose functions take traced values.
_np: Any = np
#: Columns of rows that are compared one after the other.
_COLUMNS = 16


def _neighbours(x: Node) -> tuple[Node, Node]:
    """Each element but the first, and the one before it."""
    count = dims.sub(x.shape[0], 1)
    rest = tuple((0, 1, k) for k in range(1, x.ndim))
    shape = (count, *x.shape[1:])
    return build.view(x, shape, ((1, 1, 0), *rest)), build.view(x, shape, ((0, 1, 0), *rest))


def _begins(x: Node, equal_nan: bool) -> Node:
    """Where something new begins, in order."""
    new = call("not_equal", *_neighbours(x))
    if equal_nan and x.dtype.kind in "fc":
        both = call("logical_and", *(call("isnan", n) for n in _neighbours(x)))
        new = call("logical_and", new, call("logical_not", both))
    if new.ndim > 1:
        new = build.reduce("any", new, tuple(range(1, new.ndim)))
    return build.concatenate([build.full((1,), build.constant(True, BOOL)), new], 0)


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """``np.unique``: always in order, which NumPy promises where it is `sorted`."""
    x = as_array(ar).node
    rows = axis is not None and x.ndim > 1
    shape = x.shape
    if axis is not None:
        k = axis_index(axis, x.ndim)
        x = build.transpose(x, [k, *(j for j in range(x.ndim) if j != k)])
    flat = x if rows else build.reshape(x, (build.size(x),))
    needed = return_index or return_inverse
    if not has_elements(flat.shape):
        if rows:
            raise NotTraceable("the unique rows of nothing are not compiled")
        none = Tracer(build.full((0,), build.constant(0, INT64)))
        back = none if axis is not None else Tracer(build.reshape(none.node, shape))
        asked = ((return_index, none), (return_inverse, back), (return_counts, none))
        found = (Tracer(flat), *(array for wanted, array in asked if wanted))
        return found if len(found) > 1 else found[0]
    order: Node | None = None
    if rows:
        order = _order_of_rows(flat)
    elif needed:
        order = build.sort(flat, 0, "stable" if return_index else "quicksort", positions=True)
    line = build.sort(flat, 0) if order is None else getitem(Tracer(flat), Tracer(order)).node
    new = Tracer(_begins(line, equal_nan and not rows))
    values = Tracer(line)[new]
    if rows:
        values = _np.moveaxis(values, 0, k)
    result = [values]
    if return_index:
        assert order is not None
        result.append(Tracer(order)[new])
    if return_inverse:
        assert order is not None
        group = call("subtract", _np.cumsum(new).node, 1)
        inverse = build.scatter(
            build.full(order.shape, build.constant(0, INT64)), group, [order], [False], "set"
        )
        result.append(Tracer(inverse if axis is not None else build.reshape(inverse, shape)))
    if return_counts:
        ends = build.full((1,), build.cast(dims.as_node(flat.shape[0]), INT64))
        result.append(_np.diff(_np.concatenate((_np.flatnonzero(new), Tracer(ends)))))
    return tuple(result) if len(result) > 1 else result[0]


def _order_of_rows(x: Node) -> Node:
    """The order of rows, by their first elements, and then by the next ones."""
    count = solver_value(dims.product(x.shape[1:]))
    if not 0 < count <= _COLUMNS:
        raise NotTraceable("unique rows of so many elements are not compiled")
    flat = build.reshape(x, (x.shape[0], count))
    keys = [Tracer(build.view(flat, x.shape[:1], ((0, 1, 0), (k, 0, None)))) for k in range(count)]
    return lexsort(keys[::-1]).node


@implements(np.isin)
def isin(
    element: Any,
    test_elements: Any,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: Any = None,
) -> Tracer:
    """``np.isin``: a search in what is in order."""
    if kind not in (None, "sort", "table"):
        raise ValueError(f"Invalid kind: '{kind}'. Please use None, 'sort' or 'table'.")
    x, tests = as_array(element).node, as_array(test_elements).node
    if kind == "table" and not all(n.dtype.kind in "biu" for n in (x, tests)):
        raise ValueError(
            "The 'table' method is only supported for boolean or integer arrays. Please select "
            "'sort' or None for kind."
        )
    flat = build.reshape(tests, (build.size(tests),))
    if not has_elements(flat.shape):
        found = build.full(x.shape, build.constant(False, BOOL))
    else:
        found = _found(*join(Tracer(x), Tracer(flat)))
    return Tracer(call("logical_not", found) if invert else found)


def _found(x: Node, tests: Node) -> Node:
    line = build.sort(tests, 0)
    at = sequences.search(line, x, "left")
    at = call("minimum", at, build.cast(dims.as_node(dims.sub(tests.shape[0], 1)), INT64))
    return call("equal", build.gather(line, x.shape, (("index", 0),), at), x)


def _in1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Tracer:
    """``np.in1d``, which NumPy's functions of sets call."""
    x = strong(ar1)
    flat = Tracer(build.reshape(x, (build.size(x),)))
    return isin(flat, ar2, assume_unique, invert, kind=kind)


# It has another name in each version of NumPy, and is public before 2.4.
for _name in ("_in1d", "_isin"):
    if hasattr(_impl, _name):
        creates(getattr(_impl, _name))(_in1d)
if hasattr(np, "in1d"):
    implements(np.in1d)(_in1d)
