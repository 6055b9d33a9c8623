"""Softmax, rectifiers and cross-entropies, by Theano's rules."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.graph import Constant
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.tensor import basic, creation, elementwise, extra_ops, joining, products, reductions
from tracejit.tensor.nnet.sigm import as_float, softplus

# Softmax ---------------------------------------------------------------------------------------


@opcode("softmax", types=lambda attr, inputs: [inputs[0].type])
def _softmax(attr: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        powers = np.exp(x - np.max(x, axis=1, keepdims=True))
        return powers / np.sum(powers, axis=1, keepdims=True)


@opcode("log_softmax", types=lambda attr, inputs: [inputs[0].type])
def _log_softmax(attr: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        shifted = x - np.max(x, axis=1, keepdims=True)
        return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))


def _by_rows(op: str, x: Any) -> Any:
    x = as_tensor_variable(x)
    if x.ndim not in (1, 2) or not x.dtype.startswith("float"):
        raise ValueError(f"x must be 1-d or 2-d tensor of floats. Got {x.type}")
    if x.ndim == 1:
        warnings.warn(
            "softmax of a vector gives a matrix of one row: pad it yourself, x.dimshuffle('x', 0)",
            DeprecationWarning,
            stacklevel=3,
        )
        x = basic.shape_padleft(x)
    if x.dtype == "float16":  # the sum of a row may be none
        return cast(apply(op, [cast(x, "float32")])[0], "float16")
    return apply(op, [x])[0]


def softmax(c: Any) -> Any:
    """The softmax of each row of a matrix of floats.

    A vector gives a matrix of one row, with a DeprecationWarning. ValueError for anything else.
    """
    return _by_rows("softmax", c)


def logsoftmax(c: Any) -> Any:
    """The logarithm of `softmax`, without overflow; the same rules."""
    return _by_rows("log_softmax", c)


def softmax_with_bias(x: Any, b: Any) -> Any:
    """``softmax(x + b)`` of a matrix and a vector. ValueError for other ranks and for integers."""
    return softmax(_biased(x, b))


def _biased(x: Any, b: Any) -> Any:
    x, b = as_tensor_variable(x), as_tensor_variable(b)
    if x.ndim != 2 or not x.dtype.startswith("float"):
        raise ValueError(f"x must be 2-d tensor of floats. Got {x.type}")
    if b.ndim != 1 or not b.dtype.startswith("float"):
        raise ValueError(f"b must be 1-d tensor of floats. Got {b.type}")
    return elementwise.add(x, b)


def h_softmax(
    x: Any, batch_size: Any, n_outputs: Any, n_classes: Any, n_outputs_per_class: Any,
    W1: Any, b1: Any, W2: Any, b2: Any, target: Any = None,
) -> Any:  # fmt: skip
    """The two-level softmax of rows `x`: ``(x, W1, b1)`` is that of the classes, and

    ``(x, W2[k], b2[k])`` that of the outputs within class `k`. A matrix of the probabilities of all
    outputs; or a vector of those that `target` names, one a row.
    """
    x, W2, b2 = map(as_tensor_variable, (x, W2, b2))
    classes = softmax(elementwise.add(products.dot(x, W1), b1))
    if target is None:
        scores = elementwise.add(products.tensordot(x, W2, (1, 1)), b2)
        within = softmax(basic.reshape(scores, (-1, n_outputs_per_class)))
        within = basic.reshape(within, (batch_size, n_classes, -1))
        each = elementwise.mul(basic.shape_padright(classes), within)
        return basic.reshape(each, (batch_size, -1))[:, :n_outputs]
    target = basic.flatten(target)
    of, place = elementwise.int_div(target, n_outputs_per_class), target % n_outputs_per_class
    within = softmax(elementwise.add(products.batched_dot(x, W2[of]), b2[of]))
    rows = creation.arange(batch_size)
    return elementwise.mul(classes[rows, of], within[rows, place])


# Activations -----------------------------------------------------------------------------------


def relu(x: Any, alpha: Any = 0) -> Any:
    """``0.5 * (x + abs(x))``: `x` where it is positive, and 0; or ``alpha * x`` where it is not.

    The derivative at 0 is the mean of both slopes.
    """
    x, slope = as_tensor_variable(x), as_tensor_variable(alpha)
    if isinstance(slope, Constant) and slope.data.ndim == 0 and slope.data == 0:
        return 0.5 * (x + abs(x))
    return 0.5 * (1 + slope) * x + 0.5 * (1 - slope) * abs(x)


def elu(x: Any, alpha: Any = 1) -> Any:
    """`x` where it is positive, else ``alpha * (exp(x) - 1)``."""
    x = as_tensor_variable(x)
    # The other branch is computed for positive x too, and must not overflow.
    curve = elementwise.expm1(elementwise.minimum(x, 0))
    return elementwise.switch(elementwise.gt(x, 0), x, elementwise.mul(alpha, curve))


def selu(x: Any) -> Any:
    """`elu` scaled to keep a mean of 0 and a variance of 1."""
    x = as_tensor_variable(x)
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def softsign(x: Any) -> Any:
    """``x / (1 + abs(x))``."""
    x = as_float(x)
    return elementwise.true_div(x, 1 + elementwise.abs_(x))


# Costs -----------------------------------------------------------------------------------------


def binary_crossentropy(output: Any, target: Any) -> Any:
    """``-(target * log(output) + (1 - target) * log(1 - output))``, elementwise."""
    output, target = as_tensor_variable(output), as_tensor_variable(target)
    yes = target * elementwise.log(output)
    return elementwise.neg(yes + (1.0 - target) * elementwise.log(1.0 - output))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    """``binary_crossentropy(sigmoid(output), target)``, without overflow."""
    output, target = as_tensor_variable(output), as_tensor_variable(target)
    return target * softplus(elementwise.neg(output)) + (1.0 - target) * softplus(output)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """The cross-entropy of each row of `coding_dist` with `true_dist`, a vector.

    `true_dist` has distributions too, or a vector of the integer labels of the true categories.
    TypeError for other ranks.
    """
    coding, true = as_tensor_variable(coding_dist), as_tensor_variable(true_dist)
    if true.ndim == coding.ndim:
        total = reductions.sum(true * elementwise.log(coding), axis=coding.ndim - 1)
        return elementwise.neg(total)
    if true.ndim == coding.ndim - 1:
        return crossentropy_categorical_1hot(coding, true)
    raise TypeError("rank mismatch between coding and true distributions")


def crossentropy_categorical_1hot(coding_dist: Any, true_one_of_n: Any) -> Any:
    """``-log(coding_dist[k, true_one_of_n[k]])`` for each row. TypeError for other types."""
    coding, true = as_tensor_variable(coding_dist), as_tensor_variable(true_one_of_n)
    if coding.ndim != 2:
        raise TypeError("matrix required for argument: coding_dist")
    _check_labels(true, TypeError)
    return elementwise.neg(elementwise.log(_picked(coding, true)))


def _check_labels(labels: Any, error: type[Exception]) -> None:
    if labels.ndim != 1 or np.dtype(labels.dtype).kind not in "iu":
        raise error(f"integer vector required for argument: labels. Got {labels.type}")


def _picked(x: Any, labels: Any) -> Any:
    return x[creation.arange(basic.shape_i(x, 0)), labels]


def crossentropy_softmax_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> list[Any]:
    """``[cost, p, argmax]``: `p` is ``softmax(x + b)``, `cost` the `categorical_crossentropy` of it

    with the labels `y_idx`, and `argmax` the most probable labels, in the dtype of `y_idx`.
    ValueError for other types.
    """
    return _costs(_biased(x, b), y_idx)


def _costs(scores: Any, y_idx: Any) -> list[Any]:
    labels = as_tensor_variable(y_idx)
    _check_labels(labels, ValueError)
    cost = elementwise.neg(_picked(logsoftmax(scores), labels))
    return [cost, softmax(scores), cast(reductions.argmax(scores, axis=1), labels.dtype)]


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> list[Any]:
    """Cost and probabilities of `crossentropy_softmax_argmax_1hot_with_bias`."""
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx)[:2]


def crossentropy_softmax_1hot(x: Any, y_idx: Any) -> list[Any]:
    """`crossentropy_softmax_1hot_with_bias` without a bias."""
    return _costs(as_tensor_variable(x), y_idx)[:2]


def crossentropy_softmax_max_and_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any) -> list[Any]:
    """``[cost, p, largest, argmax]``: with the probability of the most probable label."""
    return _with_max(_costs(_biased(x, b), y_idx))


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any) -> list[Any]:
    """`crossentropy_softmax_max_and_argmax_1hot_with_bias` without a bias."""
    return _with_max(_costs(as_tensor_variable(x), y_idx))


def _with_max(costs: list[Any]) -> list[Any]:
    cost, p, most = costs
    return [cost, p, reductions.max(p, axis=1), most]


def confusion_matrix(actual: Any, pred: Any) -> list[Any]:
    """``[matrix, order]``: how often each actual label is predicted as which, labels in `order`.

    ValueError for operands that are no vectors.
    """
    actual, pred = as_tensor_variable(actual), as_tensor_variable(pred)
    if actual.ndim != 1:
        raise ValueError("actual must be 1-d tensor variable")
    if pred.ndim != 1:
        raise ValueError("pred must be 1-d tensor variable")
    order = extra_ops.Unique()(joining.concatenate([actual, pred]))
    one_hot = [
        cast(elementwise.eq(basic.shape_padright(v), order), "int64") for v in (actual, pred)
    ]
    return [products.dot(basic.transpose(one_hot[0]), one_hot[1]), order]


__all__ = [
    "binary_crossentropy",
    "categorical_crossentropy",
    "confusion_matrix",
    "crossentropy_categorical_1hot",
    "crossentropy_softmax_1hot",
    "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot",
    "crossentropy_softmax_max_and_argmax_1hot_with_bias",
    "elu",
    "h_softmax",
    "logsoftmax",
    "relu",
    "selu",
    "sigmoid_binary_crossentropy",
    "softmax",
    "softmax_with_bias",
    "softsign",
]
