"""An LSTM by `scan`, written for Theano: it learns whether a sentence is meant well.

The program is Theano's, but for one line: `tracejit.install_as_theano()`. Sentences are made here:
words have a mood, and "not" turns that of the word after it. They have several lengths, which a
mask tells; what the recurrent layer gives is averaged, and half of it dropped in training.

    python examples/lstm.py [epochs]
"""

import sys
import time
from collections import OrderedDict
from typing import Any

import numpy as np

import tracejit

tracejit.install_as_theano()

import theano  # noqa: E402
import theano.tensor as T  # noqa: E402
from theano.sandbox.rng_mrg import MRG_RandomStreams as RandomStreams  # noqa: E402

FLOATX = theano.config.floatX
WORDS, LONGEST, BATCH = 60, 16, 25
#: The word that turns the next one's mood; the first words are meant well, the next ones badly.
NOT, GOOD, BAD = 1, range(2, 12), range(12, 22)


def sentences(count: Any, rng: Any) -> Any:
    """Words (LONGEST, count), the mask that tells which are there, and what is meant well."""
    lengths = rng.randint(4, LONGEST + 1, count)
    words = rng.randint(22, WORDS, (LONGEST, count))
    mask = (np.arange(LONGEST)[:, None] < lengths).astype(FLOATX)
    moods = np.zeros(count)
    for k in range(count):
        while not moods[k]:
            moods[k], place = 0, 0
            while place < lengths[k] - 1:
                good = rng.rand() < 0.5
                turned = rng.rand() < 0.5
                if rng.rand() < 0.4:
                    word = rng.choice(GOOD if good else BAD)
                    words[place : place + 2, k] = (NOT, word) if turned else (word, words[place, k])
                    moods[k] += 1 if good != turned else -1
                    place += 1
                place += 1
    return words.astype("int64"), mask, (moods > 0).astype("int64")


def parameters(rng: Any, size: Any) -> Any:
    """Shared variables by name."""

    def orthogonal() -> Any:
        return np.linalg.qr(rng.standard_normal((size, size)))[0]

    values = OrderedDict(
        embedding=0.1 * rng.standard_normal((WORDS, size)),
        W=np.concatenate([orthogonal() for _ in range(4)], axis=1),
        U=np.concatenate([orthogonal() for _ in range(4)], axis=1),
        b=np.zeros(4 * size),
        out=0.1 * rng.standard_normal((size, 2)),
        c=np.zeros(2),
    )
    return OrderedDict(
        (name, theano.shared(value.astype(FLOATX), name)) for name, value in values.items()
    )


def lstm_layer(p: Any, inputs: Any, mask: Any, size: Any) -> Any:
    """What the layer gives after each word (steps, batch, size): Hochreiter, Schmidhuber 1997."""

    def part(x: Any, k: Any) -> Any:
        return x[:, k * size : (k + 1) * size]

    def step(m: Any, x: Any, h_before: Any, c_before: Any) -> Any:
        gates = T.dot(h_before, p["U"]) + x
        i, f, o = (T.nnet.sigmoid(part(gates, k)) for k in range(3))
        c = f * c_before + i * T.tanh(part(gates, 3))
        c = m[:, None] * c + (1.0 - m)[:, None] * c_before
        h = o * T.tanh(c)
        h = m[:, None] * h + (1.0 - m)[:, None] * h_before
        return h, c

    start = T.alloc(np.asarray(0.0, FLOATX), inputs.shape[1], size)
    (h, _), _ = theano.scan(
        step, sequences=[mask, T.dot(inputs, p["W"]) + p["b"]], outputs_info=[start, start]
    )
    return h


def adam(
    params: Any, gradients: Any, rate: Any = 0.02, first: Any = 0.9, second: Any = 0.999
) -> Any:
    """Updates by the rule of Kingma and Ba, 2014."""
    count = theano.shared(np.asarray(0.0, FLOATX))
    updates = [(count, count + 1)]
    scale = T.sqrt(1 - second ** (count + 1)) / (1 - first ** (count + 1))
    for p, g in zip(params, gradients, strict=True):
        mean, square = (theano.shared(p.get_value() * 0.0) for _ in range(2))
        new_mean, new_square = first * mean + (1 - first) * g, second * square + (1 - second) * g**2
        updates += [(mean, new_mean), (square, new_square)]
        updates.append((p, p - rate * scale * new_mean / (T.sqrt(new_square) + 1e-8)))
    return updates


def build(size: Any = 32, seed: Any = 123) -> Any:
    """The functions that train on a batch, and that tell what sentences are meant like."""
    rng = np.random.RandomState(seed)
    p = parameters(rng, size)
    words, mask, y = T.lmatrix("words"), T.matrix("mask"), T.lvector("y")
    training = theano.shared(np.asarray(0.0, FLOATX), "training")
    inputs = p["embedding"][words.flatten()].reshape((words.shape[0], words.shape[1], size))
    h = lstm_layer(p, inputs, mask, size)
    mean = (h * mask[:, :, None]).sum(axis=0) / mask.sum(axis=0)[:, None]
    kept = RandomStreams(seed).binomial(mean.shape, p=0.5, n=1, dtype=FLOATX)
    mean = T.switch(training, mean * kept, mean * 0.5)
    chances = T.nnet.softmax(T.dot(mean, p["out"]) + p["c"])
    cost = -T.log(chances[T.arange(y.shape[0]), y] + 1e-8).mean()
    params = list(p.values())
    train = theano.function([words, mask, y], cost, updates=adam(params, T.grad(cost, params)))
    predict = theano.function([words, mask], chances.argmax(axis=1))
    return train, predict, training


def main(epochs: Any = 3, count: Any = 1000) -> Any:
    """Train, and print how many sentences are misunderstood."""
    rng = np.random.RandomState(1)
    words, mask, y = sentences(count, rng)
    test_words, test_mask, test_y = sentences(200, rng)
    train, predict, training = build()
    for epoch in range(epochs):
        start = time.perf_counter()
        training.set_value(np.asarray(1.0, FLOATX))
        order = rng.permutation(count).reshape(-1, BATCH)
        cost = np.mean([train(words[:, k], mask[:, k], y[k]) for k in order])
        seconds = time.perf_counter() - start
        training.set_value(np.asarray(0.0, FLOATX))
        wrong = np.mean(predict(test_words, test_mask) != test_y)
        print(f"epoch {epoch}: cost {cost:.3f}, {wrong:.1%} wrong, {seconds:.2f} s")
    return wrong


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
