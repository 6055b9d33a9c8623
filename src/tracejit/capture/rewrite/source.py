"""The source of a code object as a tree, and the code object that a tree in its place becomes."""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import inspect
import itertools
import types
from collections.abc import Iterable, Iterator

from tracejit.capture.rewrite.scope import arguments

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUTURE = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag,
    __future__.all_feature_names,
    0,
)
_GENERATED = "."


def function_of(code: types.CodeType) -> Function | None:
    """The node that `code` was compiled from; None where there is none that is its own."""
    try:
        lines, _ = inspect.findsource(code)
        functions = _functions("".join(lines))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    for node in functions.get((code.co_firstlineno, code.co_name), ()):
        if [a.arg for a in arguments(node.args)] == _parameters(code) and _is_of(node, code):
            return copy.deepcopy(node)
    return None


@functools.lru_cache(maxsize=8)
def _functions(text: str) -> dict[tuple[int, str], list[Function]]:
    """The functions of a file, by the first line and the name of their code."""
    found: dict[tuple[int, str], list[Function]] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found.setdefault((first, node.name), []).append(node)
    return found


def _parameters(code: types.CodeType) -> list[str]:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars])


def _is_of(node: Function, code: types.CodeType) -> bool:
    """Whether `code` is that of `node`: a file may have changed, a line holds several lambdas."""
    try:
        own = compiled(node, code)
    except (SyntaxError, ValueError, RecursionError):
        return False
    if any(isinstance(n, ast.Assert) for n in ast.walk(node)):
        # A test runner makes more of it.
        return own.co_freevars == code.co_freevars and set(own.co_names) <= set(code.co_names)
    return _same(own, code)


def _same(a: types.CodeType, b: types.CodeType) -> bool:
    parts = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars")
    if any(getattr(a, part) != getattr(b, part) for part in parts):
        return False
    return len(a.co_consts) == len(b.co_consts) and all(
        _same(x, y)
        if isinstance(x, types.CodeType) and isinstance(y, types.CodeType)
        else type(x) is type(y) and repr(x) == repr(y)
        for x, y in zip(a.co_consts, b.co_consts, strict=True)
    )


def compiled(node: Function, code: types.CodeType, free: Iterable[str] = ()) -> types.CodeType:
    """The code of `node` where that of `code` lies; `free` are variables of around besides."""
    inner = copy.copy(node)
    args = inner.args = copy.copy(node.args)
    args.defaults, args.kw_defaults = [], [None for _ in args.kw_defaults]
    for kind in ("posonlyargs", "args", "kwonlyargs"):
        setattr(args, kind, [ast.arg(a.arg) for a in getattr(args, kind)])
    args.vararg, args.kwarg = (a and ast.arg(a.arg) for a in (args.vararg, args.kwarg))
    if isinstance(inner, ast.Lambda):
        statement: ast.stmt = ast.Return(inner)
    else:
        inner.returns = None
        statement = inner
    around = [*code.co_freevars, *free]
    owner = _class_around(code.co_qualname)
    if owner:  # for names that begin with __, and for super()
        around = [name for name in around if name != "__class__"]
        if isinstance(inner, ast.Lambda):
            statement = ast.Expr(inner)
        statement = ast.ClassDef(owner, [], [], [statement], [])
    parameters = ast.arguments([], [ast.arg(name) for name in around], None, [], [], None, [])
    factory = ast.FunctionDef(".factory", parameters, [statement], [], None, None)
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(factory, node)], []))
    flags = code.co_flags & _FUTURE
    whole = compile(module, code.co_filename, "exec", flags, dont_inherit=True)
    found = next(_codes(whole, 2 + bool(owner), code.co_name))
    return _named(found, code.co_name, code.co_qualname)


def _class_around(qualname: str) -> str:
    """The innermost class that a function lies in."""
    parts = qualname.split(".")
    classes = [a for a, b in itertools.pairwise(parts) if "<locals>" not in (a, b)]
    return classes[-1] if classes else ""


def _codes(code: types.CodeType, depth: int, name: str) -> Iterator[types.CodeType]:
    """The functions of a name at a depth inside of `code`."""
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            if depth > 1:
                yield from _codes(c, depth - 1, name)
            elif c.co_name == name:
                yield c


def _named(code: types.CodeType, name: str, qualname: str) -> types.CodeType:
    """`code` by the names that its functions have in the source: a block has its function's."""
    separator = ".<locals>." if code.co_flags & inspect.CO_OPTIMIZED else "."
    constants = []
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            if c.co_name.startswith(_GENERATED):
                c = _named(c, name, qualname)
            else:
                c = _named(c, c.co_name, qualname + separator + c.co_name)
        # That of a class is a constant of its body.
        constants.append(qualname if c == code.co_qualname else c)
    return code.replace(co_name=name, co_qualname=qualname, co_consts=tuple(constants))
