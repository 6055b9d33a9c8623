"""``scan_checkpoints``: a loop in segments, whose gradient keeps what each begins with alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tracejit.scan_module.scan import scan
from tracejit.symbolic.convert import as_tensor_variable, cast, join
from tracejit.tensor import basic, creation, elementwise


def scan_checkpoints(
    fn: Callable[..., Any], sequences: Any = (), outputs_info: Any = None, non_sequences: Any = (),
    name: str = "checkpointscan_fn", n_steps: Any = None, save_every_N: int = 10,
    padding: bool = True,
) -> Any:  # fmt: skip
    """`scan`, of whose outputs each `save_every_N`-th and the last row are kept.

    For a gradient the steps between are done once more, so that it takes as much less memory.
    Without `padding` the number of steps must be a multiple of `save_every_N`.

    Raises RuntimeError for taps.

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> sums, _ = scan_checkpoints(lambda v, h: h + v, [x], [np.float64(0)], save_every_N=4)
    >>> tracejit.function([x], sums)(np.ones(10))
    array([ 4.,  8., 10.])
    """
    rows = [as_tensor_variable(s) for s in _listed(sequences)]
    infos, others = _listed(outputs_info), _listed(non_sequences)
    if any(isinstance(v, Mapping) and "taps" in v for v in [*_listed(sequences), *infos]):
        raise RuntimeError("scan_checkpoints doesn't work with taps.")
    infos = [v["initial"] if isinstance(v, Mapping) else v for v in infos]
    every = int(save_every_N)
    if n_steps is None and not rows:
        raise ValueError("the number of steps is not known: give n_steps, or a sequence")
    count = cast(basic.shape_i(rows[0], 0) if n_steps is None else n_steps, "int64")
    segments = (count + (every - 1)) // every
    given = creation.arange(segments) * every
    lengths = elementwise.minimum(count - given, every)
    wide = [_padded(s[:count], segments * every) if padding else s[:count] for s in rows]
    parts = [
        s.reshape((segments, every, *(basic.shape_i(s, k) for k in range(1, s.ndim))))
        for s in wide
    ]  # fmt: skip
    fed = sum(v is not None for v in infos)

    def segment(*args: Any) -> Any:
        own, length = list(args[: len(parts)]), args[len(parts)]
        before = iter(args[len(parts) + 1 : len(parts) + 1 + fed])
        inner = [None if v is None else next(before) for v in infos]
        found, updates = scan(
            fn, own, inner, list(args[len(parts) + 1 + fed :]), length, name=f"{name}_inner",
            return_list=True,
        )  # fmt: skip
        return [v[-1] for v in found], updates

    return scan(segment, [*parts, lengths], infos, others, name=f"{name}_outer")


def _listed(x: Any) -> list[Any]:
    if x is None:
        return []
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _padded(x: Any, length: Any) -> Any:
    """`x` with zeros behind it."""
    rest = [basic.shape_i(x, k) for k in range(1, x.ndim)]
    zeros = creation.zeros((length - basic.shape_i(x, 0), *rest), x.dtype)
    return join(0, x, basic.unbroadcast(zeros, 0) if zeros.broadcastable[0] else zeros)


__all__ = ["scan_checkpoints"]
