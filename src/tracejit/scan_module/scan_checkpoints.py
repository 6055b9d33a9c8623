"""``scan_checkpoints``: a loop in segments, whose gradient keeps what each begins with alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tracejit.scan_module.scan import scan
from tracejit.symbolic.convert import as_tensor_variable, cast, shape_padaxis
from tracejit.tensor import basic, creation, elementwise


def scan_checkpoints(
    fn: Callable[..., Any], sequences: Any = (), outputs_info: Any = None, non_sequences: Any = (),
    name: str = "checkpointscan_fn", n_steps: Any = None, save_every_N: int = 10,
    padding: bool = True,
) -> Any:  # fmt: skip
    """`scan`, of whose outputs each `save_every_N`-th and the last row are kept.

    For a gradient the steps between are done once more, so that it takes as much less memory.
    Sequences need no `padding`, which is accepted.

    Raises RuntimeError for taps.

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> sums, _ = scan_checkpoints(lambda v, h: h + v, [x], [np.float64(0)], save_every_N=4)
    >>> tracejit.function([x], sums)(np.ones(10))
    array([ 4.,  8., 10.])
    """
    given = _listed(sequences)
    infos, others = _listed(outputs_info), _listed(non_sequences)
    if any(isinstance(v, Mapping) and "taps" in v for v in [*given, *infos]):
        raise RuntimeError("scan_checkpoints doesn't work with taps.")
    rows = [as_tensor_variable(v["input"] if isinstance(v, Mapping) else v) for v in given]
    infos = [v["initial"] if isinstance(v, Mapping) else v for v in infos]
    every = int(save_every_N)
    if n_steps is None and not rows:
        raise ValueError("the number of steps is not known: give n_steps, or a sequence")
    count = cast(basic.shape_i(rows[0], 0) if n_steps is None else n_steps, "int64")
    segments = (count + (every - 1)) // every
    first = creation.arange(segments) * every
    lengths = elementwise.minimum(count - first, every)
    # The last segment may be shorter: its steps are fewer, whatever its rows are.
    at = shape_padaxis(first, 1) + shape_padaxis(creation.arange(every), 0)
    parts = [s[elementwise.minimum(at, count - 1)] for s in rows]
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


__all__ = ["scan_checkpoints"]
