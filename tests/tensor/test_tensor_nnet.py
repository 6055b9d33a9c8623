"""``tracejit.tensor.nnet`` against formulas in NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special
from test_tensor_functions import array, check, variables_of

import tracejit
import tracejit.tensor as T
from tracejit.tensor import nnet

#: Numbers of every size, and those that have no size.
X = np.array(
    [-np.inf, -1e3, -20, -3.5, -1, -1e-9, 0, 1e-9, 0.3, 2, 3.3, 6.5, 40, 1e3, np.inf, np.nan]
)


def ultra_fast(x: Any) -> Any:
    half = np.abs(0.5 * x)
    linear = 0.935409070603099 + 0.0458812946797165 * (half - 1.7)
    size = np.where(
        half < 1.7, 1.5 * half / (1 + half), np.where(half < 3, linear, 0.99505475368673)
    )
    return 0.5 * (np.sign(x) * size + 1)


ACTIVATIONS: Any = {
    "sigmoid": scipy.special.expit,
    "ultra_fast_sigmoid": ultra_fast,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "softplus": lambda x: np.logaddexp(0, x),
    "relu": lambda x: 0.5 * (x + np.abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    function, reference = getattr(nnet, name), ACTIVATIONS[name]
    x = X[:-1] if name == "ultra_fast_sigmoid" else X
    check(function, reference, x)
    check(function, lambda a: reference(a.astype("f8")), x.astype("f4"), dtype="float32")
    for dtype in ("int8", "int64"):
        found = check(
            function, lambda a: reference(a.astype("f8")), array(dtype, 4),
            dtype="float32" if dtype == "int8" else "float64",
        )  # fmt: skip
        assert found.ndim == 1


def test_relu_with_a_slope() -> None:
    check(lambda x: nnet.relu(x, 0.5), lambda x: np.where(x > 0, x, x / 2), X[1:-2])
    check(
        lambda x, a: nnet.relu(x, a), lambda x, a: np.where(x > 0, x, a * x), X[1:-2], np.float64(3)
    )
    assert nnet.relu(T.fvector(), np.float32(0.1)).dtype == "float32"
    assert nnet.relu(T.fvector(), 0.5).dtype == nnet.relu(T.fvector()).dtype == "float32"


def test_elu_and_selu() -> None:
    check(lambda x: nnet.elu(x, 2), lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0))), X)
    a, scale = 1.6732632423543772, 1.0507009873554805
    want = lambda x: scale * np.where(x > 0, x, a * np.expm1(np.minimum(x, 0)))  # noqa: E731
    check(nnet.selu, want, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax(dtype: str) -> None:
    x, b = (array(dtype, 3, 4) - 0.5) * 200, array(dtype, 4)
    check(nnet.softmax, lambda a: scipy.special.softmax(a, 1), x)
    check(nnet.logsoftmax, lambda a: scipy.special.log_softmax(a, 1), x)
    check(nnet.softmax_with_bias, lambda a, b: scipy.special.softmax(a + b, 1), x, b)
    for function in (nnet.softmax, nnet.logsoftmax):
        assert function(T.row()).broadcastable == (True, False)
        for wrong in (T.tensor3(), T.scalar(), T.imatrix(), T.zmatrix()):
            with pytest.raises(ValueError, match="1-d or 2-d tensor of floats"):
                function(wrong)
    for wrong in ((T.vector(), T.vector()), (T.matrix(), T.matrix()), (T.imatrix(), T.vector())):
        with pytest.raises(ValueError):
            nnet.softmax_with_bias(*wrong)


def test_softmax_of_a_vector_is_a_matrix() -> None:
    x = array("float64", 4)
    for function, reference in (
        (nnet.softmax, scipy.special.softmax),
        (nnet.logsoftmax, scipy.special.log_softmax),
    ):
        with pytest.warns(DeprecationWarning, match="matrix"):
            y = function(v := T.dvector())
        assert y.broadcastable == (True, False)
        got = tracejit.function([v], y, mode="FAST_COMPILE")(x)
        np.testing.assert_allclose(got, reference(x)[None], rtol=1e-12)


def test_cross_entropies() -> None:
    p = scipy.special.softmax(array("float64", 3, 4), 1)
    q = scipy.special.softmax(array("float64", 3, 4), 1)
    labels = np.array([1, 3, 0], "int32")
    check(nnet.categorical_crossentropy, lambda a, b: -(b * np.log(a)).sum(1), p, q)
    for function in (nnet.categorical_crossentropy, nnet.crossentropy_categorical_1hot):
        check(function, lambda a, k: -np.log(a[np.arange(3), k]), p, labels)
    check(nnet.binary_crossentropy, lambda a, b: -(b * np.log(a) + (1 - b) * np.log(1 - a)), p, q)
    with pytest.raises(TypeError, match="rank mismatch"):
        nnet.categorical_crossentropy(T.matrix(), T.scalar())
    with pytest.raises(TypeError):
        nnet.categorical_crossentropy(T.matrix(), T.vector())
    with pytest.raises(TypeError):
        nnet.crossentropy_categorical_1hot(T.vector(), T.ivector())
    f = tracejit.function(
        v := variables_of([p, labels]), nnet.categorical_crossentropy(*v), mode="FAST_COMPILE"
    )
    with pytest.raises(IndexError):
        f(p, labels + 1)


def test_sigmoid_binary_crossentropy_does_not_overflow() -> None:
    x = np.array([-800.0, -20, -1, 0, 1, 20, 800])
    for t in (0.0, 0.25, 1.0):
        want = t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)
        check(lambda v, t=t: nnet.sigmoid_binary_crossentropy(v, t), want, x)
    check(
        nnet.sigmoid_binary_crossentropy,
        lambda v, t: np.where(t, np.logaddexp(0, -v), np.logaddexp(0, v)),
        x,
        x > 0,
    )


def test_crossentropies_of_scores() -> None:
    x, b = array("float64", 3, 4) * 50, array("float64", 4)
    labels = np.array([1, 3, 0], "int8")

    def want(x: Any, y: Any, b: Any = 0) -> list[Any]:
        p = scipy.special.softmax(x + b, 1)
        cost = -scipy.special.log_softmax(x + b, 1)[np.arange(3), y]
        return [cost, p, p.max(1), p.argmax(1).astype("int8")]

    both = lambda x, b, y: want(x, y, b)  # noqa: E731
    check(nnet.crossentropy_softmax_1hot, lambda *a: want(*a)[:2], x, labels)
    check(nnet.crossentropy_softmax_1hot_with_bias, lambda *a: both(*a)[:2], x, b, labels)
    check(nnet.crossentropy_softmax_max_and_argmax_1hot, want, x, labels)
    check(nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias, both, x, b, labels)
    argmax = nnet.crossentropy_softmax_argmax_1hot_with_bias
    check(argmax, lambda *a: [both(*a)[k] for k in (0, 1, 3)], x, b, labels)
    for wrong in ((T.matrix(), T.matrix(), T.ivector()), (T.matrix(), T.vector(), T.vector())):
        with pytest.raises(ValueError):
            argmax(*wrong)


def test_confusion_matrix() -> None:
    true, found = np.array([2, 0, 2, 2, 0, 1]), np.array([0, 0, 2, 2, 0, 2])
    want = [np.array([[2, 0, 0], [0, 0, 1], [1, 0, 2]]), np.array([0, 1, 2])]
    check(nnet.confusion_matrix, want, true, found)
    with pytest.raises(ValueError):
        nnet.confusion_matrix(T.matrix(), T.vector())


def test_h_softmax() -> None:
    rows, features, classes, each = 5, 3, 4, 2
    x, W1, b1 = (
        array("float64", rows, features),
        array("float64", features, classes),
        array("float64", classes),
    )
    W2, b2 = array("float64", classes, features, each), array("float64", classes, each)
    target = np.array([0, 3, 6, 5, 1])

    def every(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        outer = scipy.special.softmax(x @ W1 + b1, 1)
        inner = scipy.special.softmax(np.tensordot(x, W2, (1, 1)) + b2, 2)
        return (outer[:, :, None] * inner).reshape(rows, -1)[:, :7]

    def build(*args: Any) -> Any:
        x, W1, b1, W2, b2, *target = args
        return nnet.h_softmax(x, rows, 7, classes, each, W1, b1, W2, b2, *target)

    weights = (x, W1, b1, W2, b2)
    check(build, every, *weights)
    check(build, every(*weights)[np.arange(rows), target], *weights, target)


def test_batch_normalization() -> None:
    x = array("float64", 5, 3)
    g, b, m, s = (array("float64", 3) for _ in range(4))
    for mode in ("low_mem", "high_mem"):
        check(
            lambda *a, mode=mode: nnet.bn.batch_normalization(*a, mode=mode),
            lambda x, g, b, m, s: (x - m) * (g / s) + b,
            x, g, b, m, s,
        )  # fmt: skip
    with pytest.raises(ValueError):
        nnet.batch_normalization(x, g, b, m, s, mode="fast")


@pytest.mark.parametrize("axes", ["per-activation", "spatial", (0, 1, 2)])
def test_batch_normalization_while_training(axes: Any) -> None:
    x = array("float64", 5, 3, 4)
    over = {"per-activation": (0,), "spatial": (0, 2)}.get(axes, axes)
    kept = [1 if k in over else n for k, n in enumerate(x.shape)]
    wide = [array("float64", *kept) for _ in range(4)]
    short = [p.reshape([n for k, n in enumerate(kept) if k not in over]) for p in wide]

    def want(x: Any, g: Any, b: Any, rm: Any, rv: Any) -> list[Any]:
        mean, var = x.mean(over, keepdims=True), x.var(over, keepdims=True)
        inverse = 1 / np.sqrt(var + 1e-4)
        n = x.size / mean.size
        out = (x - mean) * g * inverse + b
        return [out, mean, inverse, rm * 0.9 + mean * 0.1, rv * 0.9 + n / (n - 1) * var * 0.1]

    def build(x: Any, g: Any, b: Any, *running: Any) -> Any:
        means = dict(zip(("running_mean", "running_var"), running, strict=False))
        return nnet.bn.batch_normalization_train(x, g, b, axes, **means)

    expected = want(x, *wide)
    check(build, expected, x, *wide)
    check(build, expected[:3], x, *wide[:2])
    small = [r.reshape(short[0].shape) for r in expected[1:]]
    check(build, [expected[0], *small], x, *short)
    check(
        lambda *a: nnet.bn.batch_normalization_test(*a, axes=axes),
        lambda x, g, b, m, v: (x - m) * g / np.sqrt(v + 1e-4) + b,
        x,
        *wide,
    )
    single = build(T.ftensor3(), *(T.TensorType("float32", (False,) * 3)() for _ in range(4)))
    assert [v.dtype for v in single[:3]] == ["float32"] * 3


def test_refusals_of_batch_normalization() -> None:
    train = nnet.bn.batch_normalization_train
    x, g = T.matrix(), T.vector()
    for options in (
        {"axes": ()}, {"axes": (2,)}, {"axes": "all"}, {"epsilon": 1e-6}, {"running_mean": g},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            train(x, g, g, **options)
    with pytest.raises(ValueError):
        train(x, g, T.scalar())


def test_compiled() -> None:
    x, labels = array("float64", 6, 4), np.array([0, 1, 2, 3, 0, 1])

    def build(x: Any, y: Any) -> list[Any]:
        p = nnet.softmax(x)
        costs = nnet.categorical_crossentropy(p, y)
        return [costs.mean(), nnet.softplus(x), nnet.sigmoid(x) + nnet.relu(x), nnet.logsoftmax(x)]

    def want(x: Any, y: Any) -> list[Any]:
        logs = scipy.special.log_softmax(x, 1)
        sigmoid = scipy.special.expit(x)
        return [-logs[np.arange(6), y].mean(), np.logaddexp(0, x), sigmoid + x, logs]

    check(build, want, x, labels, mode="FAST_RUN")
