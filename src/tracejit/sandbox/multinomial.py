"""Draws of classes from uniform numbers, under the names of ``theano.sandbox.multinomial``."""

from __future__ import annotations

from typing import Any

import tracejit.tensor as T
from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.tensor import basic


def _dtype(odtype: str, pvals: Any) -> str:
    return str(pvals.dtype) if odtype == "auto" else odtype


class MultinomialFromUniform:
    """``MultinomialFromUniform("auto")(pvals, unis, n)``: how many of `n` trials end in each class.

    `pvals` has a row of chances for each row of the result; `unis` has `n` numbers between 0 and 1
    a row, those of a trial one after the other.

    >>> import tracejit.tensor as T
    >>> p, u = T.dmatrix(), T.dvector()
    >>> MultinomialFromUniform("auto")(p, u).eval({p: [[0.2, 0.8], [0.9, 0.1]], u: [0.1, 0.95]})
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, odtype: str) -> None:
        self.odtype = odtype

    def __call__(self, pvals: Any, unis: Any, n: Any = 1) -> Any:
        """The counts."""
        pvals, unis = as_tensor_variable(pvals), as_tensor_variable(unis)
        if pvals.ndim != 2:
            raise NotImplementedError("pvals ndim should be 2", pvals.ndim)
        if unis.ndim != 1:
            raise NotImplementedError("unis ndim should be 1", unis.ndim)
        return cast(counts(pvals, unis, as_tensor_variable(n)), _dtype(self.odtype, pvals))


def counts(pvals: Any, unis: Any, n: Any) -> Any:
    """How many of `n` trials a row end in each class: trial c of row k has number c * rows + k."""
    rows = basic.shape_i(pvals, 0)
    numbers = T.reshape(unis, (n, rows))
    below = T.cumsum(pvals, axis=1)
    first = basic.dimshuffle(numbers, [0, 1, "x"]) < basic.dimshuffle(below, ["x", 0, 1])
    earlier = T.concatenate([T.zeros_like(first[:, :, :1]), first[:, :, :-1]], 2)
    chosen = T.and_(first, T.invert(earlier))
    return T.sum(cast(chosen, "int64"), axis=0)


class ChoiceFromUniform:
    """``ChoiceFromUniform("int64")(pvals, unis, n)``: `n` different classes for each row."""

    def __init__(self, odtype: str, replace: bool = False) -> None:
        if replace:
            raise NotImplementedError("ChoiceFromUniform draws without replacement")
        self.odtype = odtype

    def __call__(self, pvals: Any, unis: Any, n: Any = 1) -> Any:
        """The classes, one row for each row of chances."""
        pvals, unis = as_tensor_variable(pvals), as_tensor_variable(unis)
        odtype = "int64" if self.odtype == "auto" else self.odtype
        return cast(distinct(pvals, unis, n), odtype)


def distinct(p: Any, unis: Any, n: Any) -> Any:
    """`n` different classes a row: one that is drawn has no chance from then on."""
    rows = basic.shape_i(p, 0)
    count = int(T.get_scalar_constant_value(as_tensor_variable(n)))
    numbers = T.reshape(unis, (count, rows))
    classes = T.arange(basic.shape_i(p, 1))
    picked = []
    for k in range(count):
        below = T.cumsum(p, axis=1)
        late = cast(below <= basic.dimshuffle(numbers[k], [0, "x"]), "int64")
        place = T.sum(late, axis=1)
        picked.append(place)
        taken = T.eq(basic.dimshuffle(classes, ["x", 0]), basic.dimshuffle(place, [0, "x"]))
        p = T.switch(taken, T.constant(0.0, dtype=p.dtype), p)
        p = p / T.sum(p, axis=1, keepdims=True)
    return T.stack(picked, axis=1)


MultinomialWOReplacementFromUniform = ChoiceFromUniform

__all__ = [
    "ChoiceFromUniform",
    "MultinomialFromUniform",
    "MultinomialWOReplacementFromUniform",
    "counts",
    "distinct",
]
