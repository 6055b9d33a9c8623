"""``out=`` of functions that are no ufuncs: the result is computed, and written into an array.

In which dtype NumPy computes then, and what it casts, is a rule of each function's; where none is
known, ``out=`` is not compiled.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tracejit.arrays.common import check_cast, check_owned, given, shown, write
from tracejit.arrays.reductions import reduce
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build
from tracejit.trace.tables import FUNCTIONS, METHODS, UFUNC_METHODS
from tracejit.trace.tracer import Tracer, wrap


class Rule(NamedTuple):
    """How a function writes into ``out=``.

    `casting`   what its result is cast by; None: it has the dtype of the array
    `promotes`  whether it computes in the common dtype of its operand and the array
    `ufunc`     whose ``reduce`` it is, for one that takes no dtype
    `overlaps`  whether the array may be one that it reads
    `in_order`  whether the array must be in C order
    `rounded`   whether small floats are rounded more often on the way than without it
    """

    casting: str | None = None
    promotes: bool = False
    ufunc: np.ufunc | None = None
    overlaps: bool = False
    in_order: bool = False
    rounded: bool = False


_REDUCED = Rule(promotes=True, overlaps=True)
RULES: dict[Any, Rule] = {
    **dict.fromkeys((np.sum, np.prod, np.cumsum, np.cumprod), _REDUCED),
    **dict.fromkeys((np.max, np.amax), _REDUCED._replace(ufunc=np.maximum)),
    **dict.fromkeys((np.min, np.amin), _REDUCED._replace(ufunc=np.minimum)),
    **dict.fromkeys((np.any, np.all), Rule("unsafe", overlaps=True)),
    **dict.fromkeys((np.clip, np.outer), Rule("same_kind", overlaps=True)),
    **dict.fromkeys((np.mean, np.var, np.std), Rule(overlaps=True, rounded=True)),
    **dict.fromkeys((np.round, np.around), Rule(overlaps=True)),
    **dict.fromkeys((np.median, np.nanmedian, np.argmax, np.argmin, np.take, np.compress), Rule()),
    **dict.fromkeys((np.concatenate, np.stack, np.einsum), Rule()),
    **dict.fromkeys((np.ptp, np.trace, np.fix, np.choose, np.nanmax, np.nanmin), Rule()),
    **dict.fromkeys((np.nansum, np.nanprod, np.nancumsum, np.nancumprod, np.nanargmax), Rule()),
    np.nanargmin: Rule(),
    **dict.fromkeys((np.nanmean, np.nanvar, np.nanstd), Rule(rounded=True)),
    np.dot: Rule(in_order=True),
    **dict.fromkeys((np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft), Rule()),
}


def put(out: Any, result: Tracer, rule: Rule) -> Tracer:
    """Write `result` into the array `out`, which is returned."""
    target = _target(out)
    check_owned(target)
    node, old = result.node, target.node
    if rule.casting is None and node.dtype != old.dtype:
        raise NotTraceable(
            f"out= has dtype {old.dtype}, and the result {node.dtype}",
            "give an array of the result's dtype",
        )
    if rule.casting is not None:
        check_cast(node.dtype, old.dtype, rule.casting)
    equal = build.solver().equal
    if node.ndim != old.ndim or not all(map(equal, node.shape, old.shape)):
        raise ShapeError(f"out= has shape {shown(old.shape)}, and the result {shown(node.shape)}")
    write(target, build.cast(node, old.dtype))
    return target


def promoted(x: Any, out: Any) -> np.dtype[Any]:
    """In which dtype a ufunc reduces `x` into `out`: what it has so far goes through the array."""
    return np.result_type(wrap(x).node.dtype, _target(out).node.dtype)


def _target(out: Any) -> Tracer:
    if not isinstance(out, Tracer) or out.kind != "array":
        raise NotTraceable("out= is given an array that is not traced")
    return out


def _with_out(
    rule: Rule | None, implementation: Callable[..., Any], operand: str = "a"
) -> Callable[..., Any]:
    """`implementation`, which leaves ``out=`` alone, with one by a `rule`."""
    signature, of_ufunc = inspect.signature(implementation), operand == "array"

    @functools.wraps(implementation)
    def run(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        named = call.arguments
        out = named.pop("out", None)
        if of_ufunc and isinstance(out, tuple) and len(out) == 1:
            [out] = out
        if not given(out):
            return implementation(*call.args, **call.kwargs)
        if of_ufunc and out is ...:
            return Tracer(implementation(*call.args, **call.kwargs).node, "array")
        if rule is None:
            raise NotTraceable("out= of this function is not compiled", "assign the result instead")
        _check(rule, _target(out), named)
        if rule.promotes and not given(named.get("dtype")):
            dtype = promoted(named[operand], out)
            if rule.ufunc is not None:
                named.setdefault("axis", None)
                return put(out, reduce(rule.ufunc, named.pop(operand), dtype=dtype, **named), rule)
            named["dtype"] = dtype
        return put(out, implementation(*call.args, **call.kwargs), rule)

    return run


def _check(rule: Rule, out: Tracer, named: Mapping[str, Any]) -> None:
    """NotTraceable where NumPy may read what it has written, refuse the array, or round more."""
    if not rule.overlaps and any(_share(x, out) for x in _tracers(named)):
        raise NotTraceable("out= is an array that the function reads", "assign the result instead")
    if rule.in_order and not is_in_order(out):
        raise NotTraceable("out= may not be in C order", "assign the result instead")
    if rule.rounded and out.node.dtype == np.float16:
        raise NotTraceable("out= of float16 is rounded more often", "assign the result instead")


def _share(x: Tracer, y: Tracer) -> bool:
    return x is y or (x.memory is not None and x.memory is y.memory)


def _tracers(values: Any) -> Iterator[Tracer]:
    """The traced values in arguments, and in lists of these."""
    stack: list[Any] = [values]
    while stack:
        value = stack.pop()
        if isinstance(value, Tracer):
            yield value
        elif isinstance(value, (list, tuple)):
            stack += value
        elif isinstance(value, Mapping):
            stack += value.values()


def is_in_order(x: Tracer) -> bool:
    """Whether an array is known to be contiguous, in C order."""
    return x.memory is not None and not x.path and x.memory.contiguous


for _table in (FUNCTIONS, METHODS):
    for _name, _implementation in list(_table.items()):
        if "out" in inspect.signature(_implementation).parameters:
            _function = getattr(np, _name) if isinstance(_name, str) else _name
            _table[_name] = _with_out(RULES.get(_function), _implementation)
for _name in ("reduce", "accumulate"):
    UFUNC_METHODS[_name] = _with_out(_REDUCED, UFUNC_METHODS[_name], "array")
