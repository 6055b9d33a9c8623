"""``x.flat``: the elements in C order, read as they are then, and written by position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from tracejit.arrays.common import strong
from tracejit.arrays.indexing import getitem
from tracejit.arrays.masking import put
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.trace.tables import method
from tracejit.trace.tracer import ELEMENTS, Tracer, solver_value


class Flat:
    """What ``x.flat`` gives: it is indexed and gone through; NumPy's functions do not take it."""

    __slots__ = ("base",)

    def __init__(self, base: Tracer) -> None:
        self.base = base

    def __len__(self) -> int:
        return solver_value(build.size(self.base.node))

    def __iter__(self) -> Iterator[Tracer]:
        length = len(self)
        build.solver().unroll(length)
        if length > ELEMENTS:
            raise NotTraceable(
                f"a Python loop over the {length} elements of x.flat is not compiled",
                "go through x.reshape(-1)",
            )
        return (self[k] for k in range(length))

    def __getitem__(self, key: Any) -> Tracer:
        node = self.base.node
        return getitem(Tracer(build.reshape(node, (build.size(node),))), key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, Tracer) and key.node.ndim and key.node.dtype.kind in "iu":
            put(self.base, key, value)
            return
        places = getitem(Tracer(build.iota(build.size(self.base.node))), key)
        if not places.node.ndim and (isinstance(value, (list, tuple)) or strong(value).ndim):
            raise NotTraceable("an array is written into one element of x.flat", "index it first")
        put(self.base, places, value)

    def _elements(self) -> Tracer:
        node = self.base.node
        return Tracer(build.reshape(node, (build.size(node),)))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*map(_read, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*map(_read, args), **{k: _read(v) for k, v in kwargs.items()})

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotTraceable("x.flat is an operand", "use x.reshape(-1)")

    __array__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse

    def __getattr__(self, name: str) -> Any:
        raise NotTraceable(f"x.flat.{name} is not compiled", "use x.reshape(-1)")


def _read(x: Any) -> Any:
    """An operand, whose elements are those of an array where it is one's ``flat``."""
    if isinstance(x, (list, tuple)):
        return type(x)(map(_read, x))
    return x._elements() if isinstance(x, Flat) else x


@method("flat")
def flat(x: Tracer) -> Flat:
    """``x.flat``."""
    if x.kind != "array":
        raise NotTraceable("flat of a scalar is not compiled")
    return Flat(x)
