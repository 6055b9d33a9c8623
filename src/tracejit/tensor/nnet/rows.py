"""Ops of matrices' rows by the names of their classes: what a class makes is called with arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.tensor import basic, creation, elementwise, gradient, joining, reductions
from tracejit.tensor.nnet import nnet


class Softmax:
    """``Softmax()(x)``: see `softmax`."""

    __props__ = ()

    def __call__(self, x: Any) -> Any:
        return nnet.softmax(x)


class LogSoftmax:
    """``LogSoftmax()(x)``: see `logsoftmax`."""

    __props__ = ()

    def __call__(self, x: Any) -> Any:
        return nnet.logsoftmax(x)


class SoftmaxWithBias:
    """``SoftmaxWithBias()(x, b)``: see `softmax_with_bias`."""

    __props__ = ()

    def __call__(self, x: Any, b: Any) -> Any:
        return nnet.softmax_with_bias(x, b)


class SoftmaxGrad:
    """``SoftmaxGrad()(dy, sm)``: the derivative by `x` where ``softmax(x)``, `sm`, has `dy`."""

    __props__ = ()

    def __call__(self, dy: Any, sm: Any) -> Any:
        dy, sm = as_tensor_variable(dy), as_tensor_variable(sm)
        if dy.ndim not in (1, 2) or sm.ndim not in (1, 2):
            raise ValueError("dy and sm must be matrices or vectors of floats")
        dy, sm = (basic.shape_padleft(v) if v.ndim == 1 else v for v in (dy, sm))
        both = elementwise.mul(dy, sm)
        return elementwise.sub(both, reductions.sum(both, axis=1, keepdims=True) * sm)


class CrossentropySoftmaxArgmax1HotWithBias:
    """Called with `x`, `b`, `y_idx`: see `crossentropy_softmax_argmax_1hot_with_bias`."""

    __props__ = ()

    def __call__(self, x: Any, b: Any, y_idx: Any) -> list[Any]:
        return nnet.crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)


class CrossentropySoftmax1HotWithBiasDx:
    """Called with `dy`, `sm`, `y_idx`: the derivative by the scores of costs with the one `dy`."""

    __props__ = ()

    def __call__(self, dy: Any, sm: Any, y_idx: Any) -> Any:
        dy, sm, labels = map(as_tensor_variable, (dy, sm, y_idx))
        if dy.ndim > 1:
            raise ValueError(f"dy must be {{0,1}}-d tensor of floats. Got {dy.type}")
        if sm.ndim != 2:
            raise ValueError(f"sm must be 2-d tensor of floats. Got {sm.type}")
        if labels.ndim != 1 or np.dtype(labels.dtype).kind not in "iu":
            raise ValueError(f"y_idx must be 1-d tensor of [u]ints. Got {labels.type}")
        each = basic.dimshuffle(dy, (0, "x")) if dy.ndim else dy
        return elementwise.mul(each, elementwise.sub(sm, _one_hot(labels, sm)))


def _one_hot(labels: Any, like: Any) -> Any:
    """Ones at labels of the rows, else zeros."""
    columns = basic.dimshuffle(creation.arange(basic.shape_i(like, 1)), ("x", 0))
    return cast(elementwise.eq(basic.dimshuffle(labels, (0, "x")), columns), like.dtype)


class CrossentropyCategorical1Hot:
    """Called with `coding_dist`, `true_one_of_n`: see `crossentropy_categorical_1hot`."""

    __props__ = ()

    def __call__(self, coding_dist: Any, true_one_of_n: Any) -> Any:
        return nnet.crossentropy_categorical_1hot(coding_dist, true_one_of_n)


class CrossentropyCategorical1HotGrad:
    """Called with `g_y`, `coding_dist`, `true_one_of_n`: the derivative by the distributions."""

    __props__ = ()

    def __call__(self, g_y: Any, coding_dist: Any, true_one_of_n: Any) -> Any:
        coding = as_tensor_variable(coding_dist)
        cost = nnet.crossentropy_categorical_1hot(coding, true_one_of_n)
        return gradient.Lop(cost, coding, as_tensor_variable(g_y))


class Prepend_scalar_constant_to_each_row:
    """``Prepend_scalar_constant_to_each_row(val)(mat)``: see `prepend_scalar_to_each_row`."""

    __props__ = ("val",)

    def __init__(self, val: Any = 0) -> None:
        if isinstance(val, float):
            val = constant(val)
        self.val = val

    def __call__(self, mat: Any) -> Any:
        return prepend_scalar_to_each_row(self.val, mat)


class Prepend_scalar_to_each_row:
    """``Prepend_scalar_to_each_row()(val, mat)``: see `prepend_scalar_to_each_row`."""

    __props__ = ()

    def __call__(self, val: Any, mat: Any) -> Any:
        return prepend_scalar_to_each_row(val, mat)


def prepend_scalar_to_each_row(val: Any, mat: Any) -> Any:
    """A matrix with one more column before the others, of the scalar `val` in its dtype."""
    value, x = as_tensor_variable(val), as_tensor_variable(mat)
    if x.ndim != 2:
        raise TypeError("Expected a matrix as input")
    if value.ndim != 0:
        raise TypeError("Expected a scalar as the value to put before each row")
    column = creation.alloc(cast(value, x.dtype), basic.shape_i(x, 0), 1)
    column = basic.patternbroadcast(column, (x.broadcastable[0], True))
    return joining.concatenate([column, x], axis=1)


def prepend_0_to_each_row(mat: Any) -> Any:
    """A matrix with a column of zeros before the others."""
    return prepend_scalar_to_each_row(0, mat)


def prepend_1_to_each_row(mat: Any) -> Any:
    """A matrix with a column of ones before the others."""
    return prepend_scalar_to_each_row(1, mat)


def softmax_graph(c: Any) -> Any:
    """The softmax along the last axis as a formula: ``exp(c) / exp(c).sum(axis=-1)``."""
    powers = elementwise.exp(as_tensor_variable(c))
    return elementwise.true_div(powers, reductions.sum(powers, axis=-1, keepdims=True))


softmax_op, logsoftmax_op, softmax_grad = Softmax(), LogSoftmax(), SoftmaxGrad()
crossentropy_softmax_1hot_with_bias_dx = CrossentropySoftmax1HotWithBiasDx()
crossentropy_categorical_1hot_grad = CrossentropyCategorical1HotGrad()

__all__ = [
    "CrossentropyCategorical1Hot",
    "CrossentropyCategorical1HotGrad",
    "CrossentropySoftmax1HotWithBiasDx",
    "CrossentropySoftmaxArgmax1HotWithBias",
    "LogSoftmax",
    "Prepend_scalar_constant_to_each_row",
    "Prepend_scalar_to_each_row",
    "Softmax",
    "SoftmaxGrad",
    "SoftmaxWithBias",
    "crossentropy_categorical_1hot_grad",
    "crossentropy_softmax_1hot_with_bias_dx",
    "logsoftmax_op",
    "prepend_0_to_each_row",
    "prepend_1_to_each_row",
    "prepend_scalar_to_each_row",
    "softmax_grad",
    "softmax_graph",
    "softmax_op",
]
