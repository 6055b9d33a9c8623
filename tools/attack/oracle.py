"""What a call does, as NumPy and as tracejit do it: all that a program could tell apart."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tracejit

#: Compiled code gives no floating-point warnings; that something is not compiled may be said.
_UNSEEN = (RuntimeWarning, tracejit.UnsupportedWarning)

#: How many calls were compared, and how many of these were compiled.
counts = {"calls": 0, "compiled": 0}


class Disagreement(AssertionError):
    """tracejit does not do as NumPy does."""


@dataclasses.dataclass
class Outcome:
    """What a call did: `leaves` are of the arguments first, then of the result."""

    error: BaseException | None
    warned: list[tuple[type, str]]
    leaves: list[tuple[str, Any]]


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What is in a nested structure, and the structure itself."""
    if isinstance(value, (tuple, list)):
        yield path, f"{type(value)} of {len(value)}"
        for k, item in enumerate(value):
            yield from leaves(item, f"{path}[{k}]")
    elif isinstance(value, dict):
        yield path, f"{type(value)} of {list(value)!r} {list(map(type, value))}"
        for key, item in value.items():
            yield from leaves(item, f"{path}[{key!r}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield path, f"{type(value)}"
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    else:
        yield path, value


def outcome(f: Callable[..., Any], args: Sequence[Any], spread: bool = False) -> Outcome:
    """What ``f(*args)`` does; or, to `spread`, ``f(*args[0], **args[1])``."""
    error, result = None, None
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            result = f(*args[0], **args[1]) if spread else f(*args)
        except Exception as raised:
            error = raised
    warned = [(w.category, str(w.message)) for w in caught if not issubclass(w.category, _UNSEEN)]
    found = [*leaves(list(args), "argument"), *leaves(result, "result")]
    return Outcome(error, warned, found)


def _same_numbers(a: np.ndarray, b: np.ndarray, ulps: float) -> bool:
    if a.dtype.kind not in "fc":
        return (a.dtype.kind == "O" and repr(a) == repr(b)) or bool(np.all((a == b) | (a != a)))
    if a.dtype.kind == "c":
        return _same_numbers(a.real, b.real, ulps) and _same_numbers(a.imag, b.imag, ulps)
    nan = np.isnan(a)
    if not np.array_equal(nan, np.isnan(b)):
        return False
    a, b = a[~nan], b[~nan]
    if ulps:
        with np.errstate(all="ignore"):
            # What underflows, or is lost by cancellation, is no more exact than what it is made of.
            near = (a == b) | (np.abs(a - b) <= ulps * np.spacing(np.abs(a)))
        return bool(near.all())
    return bool(np.all((a == b) & (np.signbit(a) == np.signbit(b))))


def _difference(a: Any, b: Any, ulps: float) -> str:
    """How `b` is not what NumPy's `a` is; empty where it is."""
    if type(a) is not type(b):
        return f"{type(b)} {b!r} in place of {type(a)} {a!r}"
    if isinstance(a, (np.ndarray, np.generic)):
        if a.dtype != b.dtype or a.dtype.byteorder != b.dtype.byteorder:
            return f"dtype {b.dtype!r} in place of {a.dtype!r}"
        if a.shape != b.shape:
            return f"shape {b.shape} in place of {a.shape}"
        same = _same_numbers(np.asarray(a), np.asarray(b), ulps)
        return "" if same else f"{b!r} in place of {a!r}"
    with contextlib.suppress(RecursionError):
        if a is b or repr(a) == repr(b):
            return ""
    if ulps and isinstance(a, (float, complex)):
        kind = np.complex128 if isinstance(a, complex) else np.float64
        return _difference(kind(a), kind(b), ulps)
    return f"{b!r} in place of {a!r}"


def _arrays(found: Outcome) -> list[tuple[str, np.ndarray]]:
    return [(path, x) for path, x in found.leaves if isinstance(x, np.ndarray)]


def _shares(a: np.ndarray, b: np.ndarray) -> bool:
    try:
        return np.shares_memory(a, b, max_work=10_000)
    except np.exceptions.TooHardError:
        return np.may_share_memory(a, b)


def _relation(a: np.ndarray, b: np.ndarray) -> tuple[Any, ...]:
    """What two arrays have in common."""
    if not _shares(a, b):
        return (a is b, False)
    steps = [s for n, s in zip(b.shape, b.strides, strict=True) if n > 1]
    return (a is b, True, b.ctypes.data - a.ctypes.data, steps)


def difference(want: Outcome, got: Outcome, ulps: float = 0.0, first: bool = True) -> str:
    """How `got` differs from `want`, in words; empty where it does not."""
    if want.error is not None or got.error is not None:
        if type(want.error) is not type(got.error) and not (
            isinstance(got.error, tracejit.errors.TracejitError)
            and want.error is not None
            and isinstance(got.error, type(want.error))
        ):
            return f"error {got.error!r} in place of {want.error!r}"
        if str(want.error).strip() not in str(got.error):
            return f"text {str(got.error)!r} in place of {str(want.error)!r}"
    # A trace that ends in a plain run warns twice; what is compiled warned when it was traced.
    if not set(got.warned) <= set(want.warned) or (first and set(got.warned) != set(want.warned)):
        return f"warnings {got.warned} in place of {want.warned}"
    if [p for p, _ in want.leaves] != [p for p, _ in got.leaves]:
        return f"structure {got.leaves} in place of {want.leaves}"
    for (path, a), (_, b) in zip(want.leaves, got.leaves, strict=True):
        text = _difference(a, b, ulps)
        if text:
            return f"{path}: {text}"
    mine, theirs = _arrays(got), _arrays(want)
    for (path, a), (_, b) in zip(theirs, mine, strict=True):
        if a.flags.writeable != b.flags.writeable:
            return f"{path}: writeable {b.flags.writeable} in place of {a.flags.writeable}"
    pairs = itertools.combinations(range(len(mine)), 2)
    for i, j in pairs:
        if mine[j][0].startswith("argument"):
            continue
        want_relation = _relation(theirs[i][1], theirs[j][1])
        relation = _relation(mine[i][1], mine[j][1])
        if relation != want_relation:
            return f"{mine[i][0]}, {mine[j][0]}: {relation} in place of {want_relation}"
    return ""


def agree(
    f: Callable[..., Any],
    calls: Sequence[Callable[[], Sequence[Any]]],
    twin: Callable[..., Any] | None = None,
    ulps: float = 0.0,
    spread: bool = False,
    once: bool = False,
    **options: Any,
) -> None:
    """Disagreement where a compiled `f` differs from the plain one (or from its `twin`) in a call.

    Each of `calls` makes the arguments, anew for both unless `once`. `options` are settings.
    """
    with tracejit.config(**options):
        compiled = tracejit.function(f, on_unsupported="warn")
        for k, make in enumerate(calls):
            args = make()
            want = outcome(twin or f, args, spread)
            before = compiled.stats.fallbacks
            got = outcome(compiled, args if once else make(), spread)
            counts["calls"] += 1
            counts["compiled"] += compiled.stats.fallbacks == before
            text = difference(want, got, ulps, not k)
            if text:
                raise Disagreement(f"call {k}: {text}\n{compiled.explain()}")
