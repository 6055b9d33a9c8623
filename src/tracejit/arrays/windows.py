"""Windows of so many points, by NumPy's formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.applied import applied
from tracejit.arrays.common import at_least, call, length, span
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64
from tracejit.trace.tables import creates
from tracejit.trace.tracer import Tracer, wrap

#: A window over ``1 - M, 3 - M, … M - 1`` of so many points.
_Formula = Callable[..., Any]


def _window(numpys: Any, formula: _Formula) -> None:
    def window(M: Any, *others: Any, **named: Any) -> Any:
        if not isinstance(M, Tracer) and not any(
            isinstance(x, Tracer) for x in (*others, *named.values())
        ):
            return applied(numpys, M, *others, **named)
        count = length(M)
        if not at_least(count, 1):
            return Tracer(build.full((0,), build.constant(0.0, FLOAT64)))
        if not at_least(count, 2):
            return Tracer(build.full((1,), build.constant(1.0, FLOAT64)))
        first = dims.sub(1, count)
        places = Tracer(build.cast(span(count, first, 2), FLOAT64))
        return formula(places, _less_one(count), *others, **named)

    window.__name__ = numpys.__name__
    creates(numpys)(window)


def _less_one(count: Dim) -> Tracer:
    node: Node = build.cast(dims.as_node(dims.sub(count, 1)), FLOAT64)
    return Tracer(node, "scalar")


def _bartlett(n: Tracer, m: Tracer) -> Any:
    return np.where(np.less_equal(n, 0), 1 + n / m, 1 - n / m)


def _blackman(n: Tracer, m: Tracer) -> Any:
    return 0.42 + 0.5 * np.cos(np.pi * n / m) + 0.08 * np.cos(2.0 * np.pi * n / m)


def _hanning(n: Tracer, m: Tracer) -> Any:
    return 0.5 + 0.5 * np.cos(np.pi * n / m)


def _hamming(n: Tracer, m: Tracer) -> Any:
    return 0.54 + 0.46 * np.cos(np.pi * n / m)


def _kaiser(n: Tracer, m: Tracer, beta: Any) -> Any:
    half = m / 2.0
    beta = Tracer(build.cast(wrap(beta).node, FLOAT64), "scalar")
    places = Tracer(call("multiply", build.cast(call("add", n.node, m.node), FLOAT64), 0.5))
    ratio = (places - half) / half
    return np.i0(beta * np.sqrt(1 - ratio**2.0)) / np.i0(beta)


for _numpys, _formula in (
    (np.bartlett, _bartlett), (np.blackman, _blackman), (np.hanning, _hanning),
    (np.hamming, _hamming), (np.kaiser, _kaiser),
):  # fmt: skip
    _window(_numpys, _formula)
