"""What each construct becomes, as text."""

import numpy as np
import pytest

from tracejit.capture.rewrite.function import rewritten


def branch(x, n):
    if n > 2:
        y = x + 1
    elif n:
        y = x
    else:
        x = 2 * x
        y = x
    return y


def loop(x):
    total = 0
    for i, v in enumerate(x):  # noqa: B007
        total += v
    return total, i


def loop_with_break(x):
    for v in x:
        if v < 0:
            break
        x = x + v
    else:
        x = None
    return x


def loop_with_continue(x):
    kept = []
    for v in x:
        if v > 0:
            if v > 9:
                continue
            v = v + 1
        kept.append(v)
    return kept


def while_loop(n):
    steps = 0
    while n != 1 and steps < 100:
        n, steps = n // 2 if n % 2 == 0 else 3 * n + 1, steps + 1
    return steps


def while_with_return(u, tol):
    it = 0
    while True:
        error = abs(u)
        u = u / 2
        it += 1
        if error < tol or it == 100:
            return it, error


def while_that_binds(read):
    total = 0
    while (value := read()) is not None:
        total += value
    return total


def early_return(n):
    if n == 0:
        return 1
    for k in range(n):
        if k * k == n:
            return k
    return -1


def boolean(a, b, c):
    return (a and b) or not c


def chained(a, b, c, d):
    return a < b <= c != d


def asserted(x):
    assert x > 0 and x < 9, f"{x} lies outside"
    return x


def caught(x, k):
    try:
        if k:
            return x[k]
        x = None
    except IndexError as problem:
        if k > 9:
            raise
        x = problem
    finally:
        if not k:
            k = 1
    return x, k


def managed(x):
    with np.errstate(all="ignore"):
        if x > 0:
            return 1 / x
    return x


def handled(x):
    y = 0
    try:
        if x:
            y = 1
            return x[5]
    except IndexError:
        return y
    return None


def maybe_unbound(n):
    if n:
        y = 1
    for k in range(n):
        y += k
    return y


def nested(x):
    def power(n):
        nonlocal count
        while n:
            count += 1
            n -= 1
        return lambda y: y if y > n else -y

    count = 0
    for k in range(3):
        x = power(k)(x)
    return x, count


def reduced(x, n):
    return any(v > n for v in x), sum(a * b for a, b in zip(x, x, strict=True))


def comprehension(x, n):
    if n:
        x = [v if v else n for v in (x or [1]) if v < 3 and v]
    return x


class Base:
    def value(self, n):
        return n


class Derived(Base):
    def value(self, n):
        if n > 1:
            return super().value(self.__twice(n))
        return super().value(n)

    def __twice(self, n):
        return 2 * n


ROWS = {
    f.__name__: (f, count)
    for f, count in [
        (branch, 2), (loop, 1), (loop_with_break, 2), (loop_with_continue, 3), (while_loop, 3),
        (while_with_return, 3), (while_that_binds, 3), (early_return, 3), (boolean, 3),
        (chained, 1), (asserted, 2), (caught, 4), (managed, 1), (handled, 1),
        (maybe_unbound, 2), (nested, 3), (comprehension, 5), (reduced, 2),
    ]
}  # fmt: skip
ROWS["method"] = Derived.value, 1


@pytest.mark.parametrize("name", ROWS)
def test_text(name, golden):
    f, count = ROWS[name]
    found = rewritten(f.__code__)
    assert found.reason is None and len(found.constructs) == count, found.constructs
    golden(f"rewrite/{name}.txt", found.text)
