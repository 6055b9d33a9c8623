"""A user's function, rewritten once: its code object, and functions of it."""

from __future__ import annotations

import ast
import inspect
import types
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tracejit.capture.rewrite.calls import CONTROL, rewritten_tree
from tracejit.capture.rewrite.comprehensions import Record
from tracejit.capture.rewrite.control import PYTHON, Control
from tracejit.capture.rewrite.refusal import Reason, Refused, refusal
from tracejit.capture.rewrite.source import class_around, compiled, source_of


@dataclass(frozen=True)
class Rewritten:
    """`code` reads the runtime from a variable `CONTROL` of around.

    Where the function stays as it is, the code is its own: it has a `reason`, or no control flow.
    `constructs` are calls now, each with its line; `kept` says what inside stays, and why. `text`
    is what the function would be as source.
    """

    code: types.CodeType
    reason: Reason | None
    constructs: tuple[tuple[str, int], ...] = ()
    kept: tuple[Reason, ...] = ()
    text: str = ""


_known: WeakKeyDictionary[types.CodeType, Rewritten] = WeakKeyDictionary()


def rewritten(code: types.CodeType) -> Rewritten:
    """What the source of `code` becomes."""
    known = _known.get(code)
    # Code objects of two files may be equal.
    if known is None or known.code.co_filename != code.co_filename:
        known = _known[code] = _rewritten(code)
    return known


def _rewritten(code: types.CodeType) -> Rewritten:
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        reason = Reason("is a generator or asynchronous function", code.co_firstlineno)
        return Rewritten(code, reason)
    source = source_of(code)
    if source is None:
        text = "has no source that it was compiled from"
        return Rewritten(code, Reason(text, code.co_firstlineno))
    node = source.node
    reason_ = refusal(node)
    if reason_ is not None or isinstance(node, ast.AsyncFunctionDef):
        return Rewritten(code, reason_)
    record = Record(class_around(code))
    try:
        tree = rewritten_tree(node, record)
        new = compiled(source, tree, [CONTROL]) if record.constructs else code
    except Refused as refused:
        return Rewritten(code, refused.reason)
    except RecursionError:
        return Rewritten(code, Reason("is nested too deeply", code.co_firstlineno))
    constructs, kept = tuple(record.constructs), tuple(record.kept)
    return Rewritten(new, None, constructs, kept, ast.unparse(tree))


def rewrite(f: types.FunctionType, control: Control = PYTHON) -> types.FunctionType:
    """A function that does what `f` does, whose control flow is that of `control`.

    It has the globals, cells, defaults and attributes of `f`; it is `f` itself where that stays as
    it is.
    """
    code = rewritten(f.__code__).code
    if code is f.__code__:
        return f
    cells = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
    cells[CONTROL] = types.CellType(control)
    closure = tuple(cells[name] for name in code.co_freevars)
    new = types.FunctionType(code, f.__globals__, f.__name__, f.__defaults__, closure)
    new.__kwdefaults__ = f.__kwdefaults__
    new.__qualname__, new.__module__, new.__doc__ = f.__qualname__, f.__module__, f.__doc__
    new.__annotations__ = f.__annotations__
    new.__dict__.update(f.__dict__)
    return new
