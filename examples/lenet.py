"""LeNet, a convolutional network, written for Theano: it learns to tell handwritten digits apart.

The program is Theano's, but for one line: `tracejit.install_as_theano()`. Digits are drawn here,
from strokes, so that nothing need be downloaded.

    python examples/lenet.py [epochs]
"""

import sys
import time
from typing import Any

import numpy as np

import tracejit

tracejit.install_as_theano()

import theano  # noqa: E402
import theano.tensor as T  # noqa: E402
from theano.tensor.nnet import conv2d  # noqa: E402
from theano.tensor.signal import pool  # noqa: E402

FLOATX = theano.config.floatX
SIZE, BATCH = 28, 50
#: The segments of a seven-segment display that make each digit, and where these are.
DIGITS = ["012456", "25", "02346", "02356", "1235", "01356", "013456", "025", "0123456", "012356"]
SEGMENTS = [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 1)), ((1, 0), (1, 1)),
            ((1, 0), (2, 0)), ((1, 1), (2, 1)), ((2, 0), (2, 1))]  # fmt: skip


def digits(count: Any, rng: Any) -> Any:
    """Images (count, SIZE * SIZE) of slanted, shifted digits in noise, and which they are."""
    labels = rng.randint(0, 10, count)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = np.zeros((count, SIZE, SIZE))
    for k, label in enumerate(labels):
        top, left = rng.randint(4, 8), rng.randint(7, 11)
        height, width, slant = rng.randint(7, 9), rng.randint(8, 11), rng.uniform(-0.3, 0.3)
        for name in DIGITS[label]:
            (r0, c0), (r1, c1) = SEGMENTS[int(name)]
            for t in np.linspace(0, 1, 12):
                r = top + height * (r0 + t * (r1 - r0))
                c = left + width * (c0 + t * (c1 - c0)) - slant * (r - SIZE / 2)
                images[k] += np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 1.5)
    images = np.minimum(images, 1) + 0.1 * rng.standard_normal(images.shape)
    return images.reshape(count, -1).astype(FLOATX), labels.astype("int32")


class ConvPoolLayer:
    """A convolution, pooling by 2 x 2, and a hyperbolic tangent."""

    def __init__(
        self, rng: Any, input: Any, filter_shape: Any, image_shape: Any, poolsize: Any = (2, 2)
    ) -> None:
        fan_in = np.prod(filter_shape[1:])
        fan_out = filter_shape[0] * np.prod(filter_shape[2:]) // np.prod(poolsize)
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        self.W = theano.shared(rng.uniform(-bound, bound, filter_shape).astype(FLOATX), borrow=True)
        self.b = theano.shared(np.zeros(filter_shape[0], FLOATX), borrow=True)
        out = conv2d(input, self.W, filter_shape=filter_shape, input_shape=image_shape)
        pooled = pool.pool_2d(out, poolsize, ignore_border=True)
        self.output = T.tanh(pooled + self.b.dimshuffle("x", 0, "x", "x"))
        self.params = [self.W, self.b]


class HiddenLayer:
    """A dense layer."""

    def __init__(
        self, rng: Any, input: Any, n_in: Any, n_out: Any, activation: Any = T.tanh
    ) -> None:
        bound = np.sqrt(6.0 / (n_in + n_out))
        self.W = theano.shared(rng.uniform(-bound, bound, (n_in, n_out)).astype(FLOATX))
        self.b = theano.shared(np.zeros(n_out, FLOATX))
        self.output = activation(T.dot(input, self.W) + self.b)
        self.params = [self.W, self.b]


def build(
    train: Any, test: Any, learning_rate: Any = 0.1, filters: Any = (20, 50), seed: Any = 23455
) -> Any:
    """The functions that train on a batch, by its number, and that give a batch's errors."""
    rng = np.random.RandomState(seed)
    shared = [
        (theano.shared(x, borrow=True), theano.shared(y, borrow=True)) for x, y in (train, test)
    ]
    index = T.lscalar("index")
    x, y = T.matrix("x"), T.ivector("y")
    images = x.reshape((BATCH, 1, SIZE, SIZE))
    first = ConvPoolLayer(rng, images, (filters[0], 1, 5, 5), (BATCH, 1, SIZE, SIZE))
    second = ConvPoolLayer(
        rng, first.output, (filters[1], filters[0], 5, 5), (BATCH, filters[0], 12, 12)
    )
    hidden = HiddenLayer(rng, second.output.flatten(2), filters[1] * 16, 500)
    last = HiddenLayer(rng, hidden.output, 500, 10, T.nnet.softmax)
    cost = -T.mean(T.log(last.output)[T.arange(y.shape[0]), y])
    errors = T.mean(T.neq(T.argmax(last.output, axis=1), y))
    params = first.params + second.params + hidden.params + last.params
    updates = [
        (p, p - learning_rate * g) for p, g in zip(params, T.grad(cost, params), strict=True)
    ]

    def batch(x_y: Any) -> Any:
        part = slice(index * BATCH, (index + 1) * BATCH)
        return {x: x_y[0][part], y: x_y[1][part]}

    train_model = theano.function([index], cost, updates=updates, givens=batch(shared[0]))
    test_model = theano.function([index], errors, givens=batch(shared[1]))
    return train_model, test_model


def main(epochs: Any = 1, count: Any = 1000) -> Any:
    """Train, and print how many digits are told wrongly."""
    rng = np.random.RandomState(1)
    train_model, test_model = build(digits(count, rng), digits(500, rng))
    for epoch in range(epochs):
        start = time.perf_counter()
        cost = np.mean([train_model(k) for k in range(count // BATCH)])
        seconds = time.perf_counter() - start
        wrong = np.mean([test_model(k) for k in range(500 // BATCH)])
        print(f"epoch {epoch}: cost {cost:.3f}, {wrong:.1%} wrong, {seconds:.2f} s")
    return wrong


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
