"""Arrays as slices of another one that they share memory with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tracejit.native.abi import start_of
from tracejit.plan.memory import distinct


class Part(NamedTuple):
    """A slice of one axis: so many elements left out before it and behind it, and its step."""

    before: int
    behind: int
    step: int

    def key(self) -> slice:
        """As an index."""
        if self.step > 0:
            return slice(self.before, -self.behind or None, self.step)
        return slice(-1 - self.behind, self.before - 1 if self.before else None, self.step)


class Slices(NamedTuple):
    """What of an array another one is.

    `parts` has for each axis a slice or a position, `added` axes of length 1 come behind those that
    are left, and `order` is that of the axes then.
    """

    parts: tuple[Part | int, ...]
    added: int
    order: tuple[int, ...]

    def place(self) -> tuple[Any, ...]:
        """The index that takes it."""
        parts = (p.key() if isinstance(p, Part) else p for p in self.parts)
        return (*parts, Ellipsis, *[None] * self.added)

    def take(self, x: Any) -> Any:
        """The other array: a view of `x`, an array or what stands for one."""
        view = x[self.place()]
        return view if self.order == tuple(sorted(self.order)) else view.transpose(self.order)


class Related(NamedTuple):
    """What an array is a slice of: `base`, which is called `path`."""

    base: np.ndarray
    path: str
    slices: Slices


def telling(slices: Slices, dtype: np.dtype[Any], writeable: bool) -> Callable[[Any, Any], bool]:
    """What tells whether an array is just these `slices` of another one, and as `writeable`.

    >>> base = np.zeros(5)
    >>> f = telling(slices_of(base[1:], base), base.dtype, True)
    >>> f(base[1:], base), f(base[2:], base), f(base[1:], base.copy())
    (True, False, False)
    """
    place = slices.place()
    order = None if slices.order == tuple(sorted(slices.order)) else slices.order

    def test(x: Any, base: Any) -> bool:
        if type(x) is not np.ndarray or type(base) is not np.ndarray or x.dtype != dtype:
            return False
        if base.dtype != dtype or x.flags.writeable is not writeable:
            return False
        try:
            view = base[place]
        except IndexError:
            return False
        view = view if order is None else view.transpose(order)
        if view.shape != x.shape or not distinct(base):
            return False
        if view.strides != x.strides and any(
            n > 1 and s != t for n, s, t in zip(x.shape, view.strides, x.strides, strict=True)
        ):
            return False
        return start_of(view) == start_of(x)

    return test


def slices_of(x: Any, base: Any) -> Slices | None:
    """What of `base` the array `x` is; None where it is no slice of it.

    >>> base = np.zeros((5, 7))
    >>> slices_of(base[1:, ::-2].T, base)
    Slices(parts=(Part(before=1, behind=0, step=1), Part(before=0, behind=0, step=-2)), added=0,
           order=(1, 0))
    >>> slices_of(np.zeros(3), base) is None
    True
    """
    if type(x) is not np.ndarray or type(base) is not np.ndarray or x.dtype != base.dtype:
        return None
    if not x.size or not base.size or not distinct(base):
        return None
    starts = _starts(x, base)
    if starts is None:
        return None
    parts: list[Part | int] = list(starts)
    places: dict[int, int] = {}  # of the axes of x, by those of the base
    for axis, (n, stride) in enumerate(zip(x.shape, x.strides, strict=True)):
        if n == 1:
            continue
        found = _axis(n, stride, starts, base)
        if found is None or found[0] in places:
            return None
        k, step = found
        first, last = starts[k], starts[k] + step * (n - 1)
        low, high = min(first, last), max(first, last)
        parts[k], places[k] = Part(low, base.shape[k] - 1 - high, step), axis
    ones = [axis for axis, n in enumerate(x.shape) if n == 1]
    made = [*(places[k] for k in sorted(places)), *ones]
    return Slices(tuple(parts), len(ones), tuple(made.index(axis) for axis in range(x.ndim)))


def _starts(x: np.ndarray, base: np.ndarray) -> list[int] | None:
    """The position in `base` of the first element of `x`."""
    rest = start_of(x) - start_of(base)
    axes = list(zip(base.strides, base.shape, strict=True))
    rest -= sum(s * (n - 1) for s, n in axes if s < 0)  # from the lowest address
    found = [0] * base.ndim
    for k in sorted(range(base.ndim), key=lambda k: -abs(base.strides[k])):
        stride, n = axes[k]
        if n > 1:
            place, rest = divmod(rest, abs(stride))
            if not 0 <= place < n:
                return None
            found[k] = place if stride > 0 else n - 1 - place
    return found if rest == 0 else None


def _axis(n: int, stride: int, starts: list[int], base: np.ndarray) -> tuple[int, int] | None:
    """The axis of `base` that `n` elements so far apart lie on, and how far that is there."""
    for k, (own, length) in enumerate(zip(base.strides, base.shape, strict=True)):
        if length > 1 and stride and stride % own == 0:
            step = stride // own
            if 0 <= starts[k] + step * (n - 1) < length:
                return k, step
    return None
