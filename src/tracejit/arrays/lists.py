"""NumPy's functions of lists that are in arrays: of what a loop has appended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.common import axis_index, condition, decided, dtype_argument
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64
from tracejit.trace.elements import Number, Numbers, Row, Tuples
from tracejit.trace.lists import TracedList
from tracejit.trace.mixed import Constant
from tracejit.trace.tables import method
from tracejit.trace.tracer import Tracer, supported


def arrays_of(x: TracedList) -> list[Tracer]:
    """The parts of a list's elements, side by side."""
    assert x.store is not None
    return [Tracer(_cut(cell.node, x.length)) for cell in x.store.cells]


def _cut(node: Node, count: Dim) -> Node:
    if node.shape[0] is count or node.shape[0] == count:
        return node
    shape = (count, *node.shape[1:])
    return build.view(node, shape, tuple((0, 1, k) for k in range(node.ndim)))


def stacked(x: TracedList, dtype: Any = None) -> Tracer:
    """``np.array`` of a list."""
    assert x.store is not None
    target = None if dtype is None else dtype_argument(dtype)
    found = _joined(x.store.form, [a.node for a in arrays_of(x)], x.length, target)
    return Tracer(found)


def require_some(count: Dim) -> None:
    """Ask whether a list holds anything: where it does not, its array has another type."""
    some = condition("greater", count, 0)
    known = decided("greater", count, 0)
    if known is None:
        build.solver().require(some, some, some)
    elif not known:
        raise NotTraceable("an array is made of an empty list of arrays, or of whole numbers")


def _joined(form: Any, parts: list[Node], count: Dim, target: np.dtype[Any] | None) -> Node:
    if isinstance(form, Tuples):
        require_some(count)
        if len({type(f) for f in form.likes}) > 1 or isinstance(form.likes[0], (Row, Tuples)):
            raise NotTraceable("an array is made of tuples of arrays")
        rest, columns = list(parts), list[Node]()
        for one in form.likes:
            cells = [rest.pop(0) for _ in one.leaves()]
            columns.append(_joined(one, cells, count, target))
        dtype = target or supported(np.result_type(*[c.dtype for c in columns]))
        return build.concatenate(
            [build.expand_dims(build.cast(c, dtype), (1,)) for c in columns], 1
        )
    if isinstance(form, Numbers):
        return _of_classes(form, parts, count, target)
    [part] = parts
    own = target or part.dtype
    if isinstance(form, Row) or (own != FLOAT64 and target is None):
        require_some(count)
    if own != part.dtype and isinstance(form, Number) and own.kind not in "fc":
        raise NotTraceable("numbers of a list become an array of another dtype")
    return build.cast(part, own)


def _of_classes(form: Numbers, parts: list[Node], count: Dim, target: Any) -> Node:
    """Numbers of two classes, whose array is of a dtype that both have."""
    *values, is_first = parts
    first, second = form.classes
    if isinstance(first, Constant) or isinstance(second, Constant):
        raise NotTraceable("an array is made of a list with what may be no number")
    own = target or supported(np.result_type(first.dtype, second.dtype))
    if target is not None and own.kind not in "fc":
        raise NotTraceable("numbers of a list become an array of another dtype")
    if target is None and first.dtype != second.dtype:
        if own not in (first.dtype, second.dtype):
            raise NotTraceable("an array of a list of numbers has a dtype that none of them has")
        is_own = is_first if own == first.dtype else build.elementwise("logical_not", is_first)
        some = build.reduce("any", is_own, (0,))
        build.solver().require(some, some, some)
    if own != FLOAT64 and target is None:
        require_some(count)
    a, b = (build.cast(values[form.classes.dtypes.index(c.dtype)], own) for c in (first, second))
    return a if a is b else build.where(is_first, a, b)


# Functions that go over a list ------------------------------------------------------------------


def _rows(arrays: TracedList) -> Node:
    """The arrays of a list, along a new first axis."""
    require_some(arrays.length)
    assert arrays.store is not None
    if not isinstance(arrays.store.form, Row) or not arrays.store.form.shape:
        raise NotTraceable("what a list holds is joined as arrays", "use np.array")
    return stacked(arrays).node


def _stack(arrays: TracedList, axis: Any = 0) -> Tracer:
    rows = _rows(arrays)
    to = axis_index(axis, rows.ndim)
    rest = list(range(1, rows.ndim))
    return Tracer(build.transpose(rows, [*rest[:to], 0, *rest[to:]]))


def _concatenate(arrays: TracedList, axis: Any = 0) -> Tracer:
    rows = _rows(arrays)
    to = axis_index(axis, rows.ndim - 1)
    order = [*range(1, to + 1), 0, *range(to + 1, rows.ndim)]
    moved = build.transpose(rows, order)
    shape = [*moved.shape[:to], dims.mul(moved.shape[to], moved.shape[to + 1])]
    return Tracer(build.reshape(moved, (*shape, *moved.shape[to + 2 :])))


def _vstack(arrays: TracedList) -> Tracer:
    return _stack(arrays) if _rows(arrays).ndim == 2 else _concatenate(arrays)


def _hstack(arrays: TracedList) -> Tracer:
    return _concatenate(arrays, 0 if _rows(arrays).ndim == 2 else 1)


def _column_stack(arrays: TracedList) -> Tracer:
    return _stack(arrays, 1) if _rows(arrays).ndim == 2 else _concatenate(arrays, 1)


#: Functions of NumPy's that take lists that are in arrays.
OF_LISTS: dict[Any, Callable[..., Tracer]] = {
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.vstack: _vstack,
    np.hstack: _hstack,
    np.column_stack: _column_stack,
}


@method("of_list")
def of_list(function: Any, args: Any, kwargs: Any) -> Any:
    """A function of NumPy's, of arrays in the place of lists that are in arrays."""

    def seen(value: Any) -> Any:
        if type(value) in (tuple, list):
            return type(value)(map(seen, value))
        if not isinstance(value, TracedList):
            return value
        return list(value) if value.store is None else stacked(value)

    return function(*map(seen, args), **{name: seen(v) for name, v in kwargs.items()})
