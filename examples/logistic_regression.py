"""Logistic regression by gradient descent on real data, written both ways.

The breast-cancer measurements of scikit-learn (569 x 30, two classes) and its digits (1,797 images
of 8 x 8 pixels, ten classes), a fifth of each held back for the test. Once as a plain NumPy cost
that `tracejit.value_and_grad` differentiates, and once as Theano's tutorial writes it. Both costs
are written naively, with logarithms of what can round to 0, and train without a nan: they are
rewritten to stable forms. The accuracy is that of scikit-learn with the same penalty.

Run: python examples/logistic_regression.py (needs scikit-learn, rich and matplotlib)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression

import tracejit
import tracejit.tensor as T

Array = np.ndarray[Any, np.dtype[Any]]
#: Of the squared weights; the step of the descent; how often the loss is kept for the curve.
PENALTY, RATE, EVERY = 0.01, 0.3, 10


@dataclass(frozen=True)
class Data:
    """Standardised columns, and one column of labels a class (only one where there are two)."""

    name: str
    x: Array
    y: Array
    x_test: Array
    labels: Array
    labels_test: Array


@dataclass(frozen=True)
class Result:
    """Losses of every tenth step, accuracies of both parts, and seconds for a step."""

    data: Data
    front_end: str
    losses: list[float]
    trained: float
    tested: float
    reference: float
    step: float

    @property
    def agrees(self) -> bool:
        """No nan on the way, and scikit-learn's accuracy to two points."""
        return bool(np.isfinite(self.losses).all()) and abs(self.tested - self.reference) <= 0.02


def split(name: str, x: Array, labels: Array) -> Data:
    """A fifth is for the test, by a fixed shuffle."""
    order = np.random.default_rng(0).permutation(len(x))
    test, train = np.split(order, [len(x) // 5])
    mean, deviation = x[train].mean(axis=0), x[train].std(axis=0)
    x = (x - mean) / np.where(deviation > 0, deviation, 1.0)
    classes = np.unique(labels)
    columns = classes[1:] if len(classes) == 2 else classes
    y = (labels[:, None] == columns) * 1.0
    return Data(name, x[train], y[train], x[test], labels[train], labels[test])


def datasets() -> list[Data]:
    """Both, split and standardised."""
    return [
        split("breast cancer", *load_breast_cancer(return_X_y=True)),
        split("digits", *load_digits(return_X_y=True)),
    ]


# In NumPy ---------------------------------------------------------------------------------------


def two_classes(w: Array, b: Array, x: Array, y: Array) -> Any:
    """Mean cross-entropy of a sigmoid, with a penalty."""
    p = 1 / (1 + np.exp(-(x @ w + b)))
    entropy = -y * np.log(p) - (1 - y) * np.log(1 - p)
    return entropy.mean() + PENALTY * (w**2).sum()


def many_classes(w: Array, b: Array, x: Array, y: Array) -> Any:
    """Mean cross-entropy of a softmax, with a penalty."""
    scores = np.exp(x @ w + b)
    p = scores / scores.sum(axis=1, keepdims=True)
    return -(y * np.log(p)).sum(axis=1).mean() + PENALTY * (w**2).sum()


def trainer_in_numpy(data: Data) -> tuple[Callable[[Array, Array], Any], Any, Any]:
    """The function that makes a step and gives the loss; weights and biases, which it moves."""
    features, classes = data.x.shape[1], data.y.shape[1]
    w = tracejit.shared(np.zeros((features, classes)), name="w")
    b = tracejit.shared(np.zeros(classes), name="b")
    cost = two_classes if classes == 1 else many_classes

    @tracejit.function(on_unsupported="error")
    def step(x: Array, y: Array) -> Any:
        loss, (slope_w, slope_b) = tracejit.value_and_grad(cost, argnums=(0, 1))(w, b, x, y)
        w.set_value(w - RATE * slope_w)
        b.set_value(b - RATE * slope_b)
        return loss

    return step, w, b


# As Theano's tutorial writes it -----------------------------------------------------------------


def trainer_in_theano(data: Data) -> tuple[Callable[[Array, Array], Any], Any, Any]:
    """As `trainer_in_numpy`."""
    features, classes = data.x.shape[1], data.y.shape[1]
    x, y = T.dmatrices("x", "y")
    w = tracejit.shared(np.zeros((features, classes)), name="w")
    b = tracejit.shared(np.zeros(classes), name="b")
    if classes == 1:
        p = 1 / (1 + T.exp(-(T.dot(x, w) + b)))
        entropy = -y * T.log(p) - (1 - y) * T.log(1 - p)
    else:
        p = T.nnet.softmax(T.dot(x, w) + b)
        entropy = -(y * T.log(p)).sum(axis=1)
    cost = entropy.mean() + PENALTY * (w**2).sum()
    gw, gb = T.grad(cost, [w, b])
    step = tracejit.function(
        inputs=[x, y], outputs=cost, updates=((w, w - RATE * gw), (b, b - RATE * gb))
    )
    return step, w, b


# Both -------------------------------------------------------------------------------------------

FRONT_ENDS = {"NumPy": trainer_in_numpy, "Theano": trainer_in_theano}


def predicted(x: Array, w: Array, b: Array) -> Array:
    """The class of each row, by its number."""
    scores = x @ w + b
    return (scores[:, 0] > 0) * 1 if scores.shape[1] == 1 else scores.argmax(axis=1)


def reference_accuracy(data: Data) -> float:
    """Of scikit-learn's model of the same cost: it weighs the sum of losses by `C`."""
    model = LogisticRegression(C=1 / (2 * len(data.x) * PENALTY), max_iter=1_000, tol=1e-8)
    return float(model.fit(data.x, data.labels).score(data.x_test, data.labels_test))


def train(data: Data, front_end: str, steps: Iterable[int]) -> Result:
    """Make the steps, one call each; its first call has compiled the program."""
    step, w, b = FRONT_ENDS[front_end](data)
    losses = [float(step(data.x, data.y))]
    count, start = 0, time.perf_counter()
    for count in steps:
        loss = step(data.x, data.y)
        if count % EVERY == 0:
            losses.append(float(loss))
    seconds = time.perf_counter() - start
    weights = w.get_value(), b.get_value()
    trained = float((predicted(data.x, *weights) == data.labels).mean())
    tested = float((predicted(data.x_test, *weights) == data.labels_test).mean())
    return Result(
        data, front_end, losses, trained, tested, reference_accuracy(data), seconds / (count + 1)
    )


def plot(results: list[Result], path: Path) -> None:
    """The losses as curves, one a data set and front end, into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log")
    for result, style in zip(results, ["-", "--"] * len(results), strict=False):
        steps = EVERY * np.arange(len(result.losses))
        label = f"{result.data.name}, {result.front_end}"
        axes.plot(steps, result.losses, style, linewidth=3 - 2 * (style == "--"), label=label)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def run(steps: int, path: Path) -> list[Result]:
    """Train on each data set in each way, with a progress bar, and plot the losses."""
    from rich.progress import track

    results = [
        train(data, way, track(range(steps), f"{data.name}, {way}", transient=True))
        for data in datasets()
        for way in FRONT_ENDS
    ]
    plot(results, path)
    return results


def main() -> None:
    path = Path("loss_curve.png")
    for r in run(1_500, path):
        print(
            f"{r.data.name:<13} {r.front_end:<6} loss {r.losses[0]:.3f} → {r.losses[-1]:.3f}, "
            f"accuracy {r.trained:.1%} in training, {r.tested:.1%} in the test "
            f"(scikit-learn {r.reference:.1%}), {r.step * 1e6:.0f} µs a step"
        )
        assert r.agrees
    print(f"losses: {path}")


if __name__ == "__main__":
    main()
