"""Functions that cannot be rewritten to do exactly what they do, and what they are told."""

import numpy as np
import pytest
from functions import binding_forms, generator_inside, module_of, walrus_in_part

from tracejit.capture.rewrite.function import rewrite, rewritten


def generator(x):
    yield x or 1


async def coroutine(x):
    return x or 1


def matching(x):
    match x:
        case 1:
            return x or 1


LIMIT = 3


def writes_global(x):
    global LIMIT
    LIMIT = x or LIMIT


def deletes(x):
    y = x or 1
    del y


def looks(x):
    return x or locals()


def looks_too(x):
    return x or vars()


def executes(x):
    exec("x = 1")
    return x or 1


def leaves_finally(x):
    try:
        x = 1
    finally:
        return x or 1  # noqa: B012


def leaves_two(x):
    for _ in x:
        with np.errstate(), np.errstate():
            break


def leaves_with_and_finally(x):
    for _ in x:
        with np.errstate():
            try:
                break
            finally:
                x = 1


def exception_group(x):
    try:
        return x or 1
    except* ValueError:
        pass


REASONS = {
    generator: "is a generator or asynchronous function",
    coroutine: "is a generator or asynchronous function",
    matching: "has a `match` statement",
    writes_global: "assigns the global variable LIMIT",
    deletes: "deletes the variable y",
    looks: "calls locals(), which looks at local variables",
    looks_too: "calls vars(), which looks at local variables",
    executes: "calls exec(), which looks at local variables",
    leaves_finally: "leaves a `finally` before its end",
    leaves_two: "leaves several `with` or `finally` at once",
    leaves_with_and_finally: "leaves several `with` or `finally` at once",
    exception_group: "has an `except*`",
    eval("lambda x: x or 1"): "has no source that it was compiled from",
}


@pytest.mark.parametrize("f", REASONS, ids=lambda f: f.__name__)
def test_left_as_it_is(f):
    found = rewritten(f.__code__)
    assert found.reason.text == REASONS[f] and found.reason.line >= f.__code__.co_firstlineno
    assert found.code is f.__code__ and rewrite(f) is f and not found.constructs


def test_what_inside_stays_is_told():
    kept = rewritten(generator_inside.__code__).kept
    assert [(r.text, r.line - generator_inside.__code__.co_firstlineno) for r in kept] == [
        ("numbers() is a generator or asynchronous function", 4),
    ]
    kept = rewritten(binding_forms.__code__).kept
    assert [r.text for r in kept] == [
        "the class Local is defined inside",
        "a comprehension stays Python's",
    ]
    kept = rewritten(walrus_in_part.__code__).kept
    assert {r.text for r in kept} == {
        "a part of `and` binds half by `:=`",
        "a part of `conditional expression` binds n by `:=`",
    }


def test_many_exits():
    """Each branch that leaves holds the rest of the function."""
    lines = "".join(f"    if x == {k}:\n        return {k + 1}\n" for k in range(40))
    f = module_of(f"def f(x):\n{lines}    return x\n", "<exits>").f
    assert len(rewritten(f.__code__).constructs) == 40
    assert [rewrite(f)(k) for k in (0, 39, 40)] == [1, 40, 40]
    lines = "".join(f"    if x == {k}:\n        return {k + 1}\n" for k in range(2000))
    f = module_of(f"def f(x):\n{lines}    return x\n", "<many exits>").f
    assert rewritten(f.__code__).reason.text == "is nested too deeply"
