"""Functions of every construct, each with calls, and how many of its constructs become calls."""

import contextlib
import linecache
import types

import numpy as np


def inside_loops(log, rows):
    found = None
    for row in rows:
        for value in row:
            log(value)
            if value == 0:
                continue
            if value < 0:
                break
            if value > 100:
                return value
            if value > 10:
                found = value
                break
            log("small")
        else:
            log("whole")
            continue
        log("broken")
    else:
        log("end")
        found = found or "none"
    return found


def while_else(log, n, stop):
    k = 0
    while k < n:
        k += 1
        if k == stop:
            break
        elif k == 2:
            continue
        log(k)
    else:
        return "else", k
    while True:
        k -= 1
        if k < 0:
            return k
        log(k)


def order(log, a, b, c):
    def say(value):
        log(value)
        return value

    x = (say(a) and say(b)) or say(c)
    y = say(a) < say(b) < say(c) < say(9)
    z = say(1) if not say(a) else say(2)
    return x, y, z, (say(b) or say(c)) and not say(a), say(a) == say(b) != say(c)


def left_in_finally(log, n):
    for k in range(n):
        try:
            if k == 1:
                continue
            if k == 2:
                break
            if k == 5:
                return "never"
            log(k)
        except ValueError:
            log("error")
        else:
            log("else")
        finally:
            log("finally")
    try:
        return log("result") or n
    finally:
        log("last")
        n = 9


def raised_on_the_way(log, n):
    for k in range(n):
        try:
            try:
                if k:
                    return k
                break
            finally:
                if k < 2:
                    raise ValueError(k)
        except ValueError as problem:
            log(str(problem))
    return "end"


def returned_or_caught(log, x, k):
    try:
        if k < 9:
            return x[k]
        log("no index")
    except IndexError as problem:
        log(type(problem))
        if k == 7:
            raise
        if k == 8:
            raise KeyError(k) from problem
    log("after")
    return None


def else_after_exit(log, n):
    for k in range(n):
        try:
            if k == 1:
                break
        except ValueError:
            pass
        else:
            log(k)
            if k == 3:
                return 3
    return "end"


def managed(log, n):
    @contextlib.contextmanager
    def context(name):
        log(name)
        try:
            yield name
        finally:
            log(f"end of {name}")

    for k in range(n):
        with context(k) as name, np.errstate(all="ignore"):
            log(name)
        with context("b"):
            if k == 2:
                return k
            if k == 1:
                continue
        log("end of step")
    with contextlib.suppress(ValueError):
        if n == 0:
            raise ValueError
        log("not raised")
    return n


def unbound_after_branch(log, n):
    if n:
        x = n
    else:
        log("none")
    if n < 5:
        log("small")
        n = x
    return n


def unbound_in_loop(log, n):
    for k in range(n):
        if k:
            log(y)  # noqa: F821
        if k > 1:
            y = k  # noqa: F841
    return k


def unbound_in_place(log, n):
    while n:
        n -= 1
        total += n  # noqa: F821
    return total


def deleted_exception(log, n):
    while n:
        try:
            raise ValueError(n)
        except ValueError as problem:
            log(str(problem))
        n -= 1
    return problem  # noqa: F821


def asserted(log, x, y):
    assert x, log("message") or "first"
    for k in range(2):
        assert y > k
    return "held"


def raises_in_test(log, x):
    while log("test") or x.nothing:
        pass


def raises_in_iterable(log, x):
    for _ in x:
        log("never")


def generator_passed(log, items):
    for item in items:
        log(item)
        if item == 3:
            break
    return list(items)


def mutable_default(log, x, seen=[]):  # noqa: B006
    if x not in seen:
        seen.append(x)
    return list(seen)


def late_binding(log, n):
    functions = []
    for k in range(n):
        if k % 2 == 0:
            functions.append(lambda: (k, later))  # noqa: B023
    later = "later" if n else None
    return [f() for f in functions], [g for g in (k for _ in range(n))]


def bound_later(log, v):
    first = [w for w in v for x in v if x > w]
    second = [w for x in v for w in v if w > x for x in (w, x)]
    third = [w for w in v if w > 1 for w in (w, 2 * w)]
    log((first, second, third))
    return [w for w in v for v in v if w > v]


def inner_state(log, n):
    count = 0

    def step(by=1):
        nonlocal count
        if by > 0:
            count += by
        return count

    while step() < n:
        log(count)
        if count == 3:
            count = 10
    return count, step(0)


def recursive(log, n):
    def depth(n):
        if n == 0:
            return 0
        return depth(n - 1) + 1

    log(depth(n))
    if n > 1:
        return recursive(log, n - 1) + n
    return 1


def unpacking(log, rows):
    out = [None, None]
    for out[0], (first, *rest) in rows:  # noqa: B007
        if rest:
            log(list(rest))
    return out, first


def binding_forms(log, n):
    for k in range(n):
        import math as maths
        from operator import add

        class Local:
            value = add(k, 1)

        def get() -> int:
            return Local.value + k  # noqa: B023

        total: float = maths.floor(get() / 2)
        unset: int  # noqa: F842
        if (double := 2 * k) > 2:
            log(double)
        pairs = [(last := j, double) for j in range(k)]
    return Local.__qualname__, get.__qualname__, get(), total, double, pairs, last


def star_arguments(log, a, /, b=2, *rest, c=3, **others):
    if rest:
        a = (a, *rest)
    for key in others:
        c = (c, key)
    return a, b, c


def global_read(log, n):
    global LIMIT
    for k in range(n):
        if k == LIMIT:
            return k
    return None


LIMIT = 3


def generator_inside(log, n):
    def numbers():
        for k in range(n):
            if k != 1:
                yield k

    for k in numbers():
        log(k)
    return [k if k else n for k in range(n) if k != 2 and n]


def walrus_in_part(log, n):
    if n > 1 and (half := n // 2) > 1:
        return half
    return n if n < 5 else (n := 4)


def else_of_try(log, x, y):
    try:
        if x:
            return "body"
    except ValueError:
        log("never")
    else:
        if y:
            return "else"
        log("end")


def handler_reads(log, n):
    last = None
    for k in range(n):
        try:
            if k:
                last = k
            if k == 2:
                raise ValueError
        except ValueError:
            log(last)
    return n


def finally_reads(log, n):
    x = 0
    try:
        try:
            if n:
                x = n
            if n > 1:
                raise ValueError
            x = 5
        finally:
            log(x)
    except ValueError:
        log("caught")


def declared_in_blocks(log, n):
    count = 0

    def step(by):
        if by:
            nonlocal count
            count += by
        if by == 3:
            unset: int
            log(unset)  # noqa: F821
        return count

    for k in range(n):
        log(step(k))
    return count


def unbound_by_handler(log, n):
    problem = other = "none"

    def unbind():
        nonlocal other
        try:
            raise ValueError
        except ValueError:
            return n

    for _ in range(n):
        if unbind() > 2:
            log(other)
        if n > 1:
            log(str(problem))
        try:
            raise ValueError(n)
        except ValueError as problem:
            if n:
                log(str(problem))
    return n


def suppressed(log, n):
    with contextlib.suppress(ValueError):
        if n:
            x = 1
        if n > 1:
            raise ValueError
        x = 2
    return x


def unbound_after_handler(log, n):
    try:
        x = [5][n]
    except IndexError:
        log("none")
    if n < 9:
        log(x)
    return n


CASES = [
    (inside_loops, [([[1, 0, 2], [3, -1, 4]],), ([[11, 1]],), ([[5], [101, 2]],), ([],), ([[0]],)]),
    (while_else, [(0, 0), (3, 9), (4, 2), (5, 4)]),
    (order, [(0, 1, 2), (1, 2, 3), (2, 1, 0), (1, 0, 5), (1, 1, 1)]),
    (left_in_finally, [(0,), (1,), (2,), (5,)]),
    (raised_on_the_way, [(0,), (1,), (2,), (4,)]),
    (returned_or_caught, [([1], 0), ([1], 5), ([1], 7), ([1], 8), ([1], 9), (None, 1)]),
    (else_after_exit, [(0,), (1,), (2,), (9,)]),
    (managed, [(0,), (1,), (2,), (3,)]),
    (unbound_after_branch, [(0,), (3,), (7,)]),
    (unbound_in_loop, [(0,), (1,), (2,), (4,)]),
    (unbound_in_place, [(0,), (2,)]),
    (deleted_exception, [(0,), (2,)]),
    (asserted, [(0, 5), (1, 0), (1, 1), (1, 2)]),
    (raises_in_test, [(None,)]),
    (raises_in_iterable, [(5,), ([],)]),
    (mutable_default, [(1,), (2,), (1,)]),
    (late_binding, [(0,), (4,)]),
    (bound_later, [([],), ([1, 2, 3],)]),
    (inner_state, [(0,), (2,), (5,)]),
    (recursive, [(1,), (6,)]),
    (unpacking, [([(1, "ab"), (2, "c")],), ([],), ([(1, "")],)]),
    (binding_forms, [(0,), (1,), (4,)]),
    (star_arguments, [(1,), (1, 5), (1, 5, 6, 7)]),
    (global_read, [(2,), (9,)]),
    (generator_inside, [(0,), (4,)]),
    (else_of_try, [(0, 0), (0, 1), (1, 0)]),
    (handler_reads, [(0,), (2,), (4,)]),
    (finally_reads, [(0,), (1,), (2,)]),
    (declared_in_blocks, [(0,), (3,), (4,)]),
    (unbound_by_handler, [(0,), (1,), (2,), (3,)]),
    (suppressed, [(0,), (1,), (2,)]),
    (unbound_after_handler, [(0,), (1,), (9,)]),
    (walrus_in_part, [(0,), (2,), (9,)]),
]
COUNTS = {
    "inside_loops": 7, "while_else": 5, "order": 9, "left_in_finally": 5, "raised_on_the_way": 3,
    "returned_or_caught": 3, "else_after_exit": 3, "managed": 4, "unbound_after_branch": 2,
    "unbound_in_loop": 3, "unbound_in_place": 1, "deleted_exception": 1, "asserted": 4,
    "raises_in_test": 2, "raises_in_iterable": 1, "mutable_default": 1, "late_binding": 5,
    "bound_later": 1, "inner_state": 3, "recursive": 2, "unpacking": 2, "binding_forms": 2,
    "star_arguments": 2, "global_read": 2, "generator_inside": 4, "walrus_in_part": 1,
    "else_of_try": 2,
    "handler_reads": 3, "finally_reads": 2, "suppressed": 2, "unbound_after_handler": 1,
    "declared_in_blocks": 3, "unbound_by_handler": 4,
}  # fmt: skip


def module_of(source, name):
    """A module whose source only `linecache` has, as that of a notebook's cell."""
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    module = types.ModuleType("cell")
    exec(compile(source, name, "exec"), module.__dict__)
    return module
