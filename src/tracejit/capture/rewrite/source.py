"""The source of a code object as a tree, and the code object that a tree in its place becomes."""

from __future__ import annotations
import __future__

import ast
import copy
import functools
import inspect
import itertools
import linecache
import types
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tracejit.capture.rewrite.nodes import at, define, define_class, parameters
from tracejit.capture.rewrite.scope import arguments, own

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUTURE = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag,
    __future__.all_feature_names,
    0,
)
_GENERATED = "."


class _File(NamedTuple):
    """Functions by the first line and the name of their code; what the module itself imports."""

    functions: dict[tuple[int, str], list[Function]]
    imports: list[ast.stmt]


@dataclass(frozen=True)
class Source:
    """The `node` that `code` was compiled from."""

    node: Function
    code: types.CodeType
    imports: list[ast.stmt]


#: Functions that are parts of others, and what their modules import, by the ids of their code.
_parts: dict[int, tuple[Function, list[ast.stmt]]] = {}


def register(source: Source) -> None:
    """Remember the source of code that stands in no file by itself, as long as there is code."""
    key = id(source.code)
    _parts[key] = source.node, source.imports
    weakref.finalize(source.code, _parts.pop, key, None).atexit = False


def source_of(code: types.CodeType) -> Source | None:
    """The source of `code`; None without one, or where it has changed since."""
    part = _parts.get(id(code))
    if part is not None:
        return Source(copy.deepcopy(part[0]), code, part[1])
    try:
        file = _file("".join(_lines(code)))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    for node in file.functions.get((code.co_firstlineno, code.co_name), ()):
        source = Source(copy.deepcopy(node), code, file.imports)
        if [a.arg for a in arguments(node.args)] == _parameters(code) and _is_compiled(source):
            return source
    return None


def _lines(code: types.CodeType) -> list[str]:
    """The lines of its file."""
    linecache.checkcache(code.co_filename)
    # Else it may be in an archive: `inspect` looks at all modules for the one that it is of.
    return linecache.getlines(code.co_filename) or inspect.findsource(code)[0]


@functools.lru_cache(maxsize=8)
def _file(text: str) -> _File:
    module = ast.parse(text)
    found: dict[tuple[int, str], list[Function]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Lambda):
            found.setdefault((node.lineno, "<lambda>"), []).append(node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found.setdefault((first, node.name), []).append(node)
    imports: list[ast.stmt] = [
        node
        for node in own(*module.body)
        if isinstance(node, ast.Import)
        or (isinstance(node, ast.ImportFrom) and node.module != "__future__")
    ]
    return _File(found, imports)


def _parameters(code: types.CodeType) -> list[str]:
    stars = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + stars])


def _is_compiled(source: Source) -> bool:
    """Whether the code is that of the node: files change, and a line may hold several lambdas."""
    try:
        own_code = compiled(source, source.node)
    except (SyntaxError, ValueError, RecursionError):
        return False
    code = source.code
    if _is_instrumented(code):
        known = set(own_code.co_names) <= set(code.co_names)
        return known and own_code.co_freevars == code.co_freevars
    return _same(own_code, code)


def _is_instrumented(code: types.CodeType) -> bool:
    """Whether a test runner has made more of an ``assert``; it takes names that no user has."""
    return any(name.startswith("@") for name in (*code.co_names, *code.co_varnames)) or any(
        _is_instrumented(c) for c in code.co_consts if isinstance(c, types.CodeType)
    )


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


def compiled(source: Source, node: Function, free: Iterable[str] = ()) -> types.CodeType:
    """The code of `node` in the place of the source's; `free` are variables of around besides."""
    code = source.code
    args = _bare(node.args)
    if isinstance(node, ast.Lambda):
        name = "<lambda>"
        inner: ast.stmt = ast.Expr(at(node, ast.Lambda(args, node.body)))
    else:
        name = ".function"  # its own name may be that of a global variable
        inner = at(node, define(name, args, node.body))
        inner.decorator_list = node.decorator_list  # the first of its lines
    around = [*code.co_freevars, *free]
    owner = class_around(code)
    if owner:  # for names that begin with __, and for super()
        around = [name for name in around if name != "__class__"]
        inner = define_class(owner, [inner])
    outer: list[ast.stmt] = [ast.Global([owner])] if owner and owner not in around else []
    factory = define(".factory", parameters(*around), [*outer, inner])
    # Python calls functions of modules in another way than methods.
    module = ast.Module([*source.imports, at(node, factory)], [])
    flags = code.co_flags & _FUTURE
    whole = compile(module, code.co_filename, "exec", flags, dont_inherit=True)
    found = next(_codes(whole, 2 + bool(owner), name))
    return _named(found, code.co_name, code.co_qualname)


def _bare(args: ast.arguments) -> ast.arguments:
    """Parameters by their names alone."""
    groups = (args.posonlyargs, args.args, args.kwonlyargs)
    only, positional, keywords = ([ast.arg(a.arg) for a in group] for group in groups)
    rest, others = (a and ast.arg(a.arg) for a in (args.vararg, args.kwarg))
    return ast.arguments(only, positional, rest, keywords, [None for _ in keywords], others, [])


def class_around(code: types.CodeType) -> str:
    """The innermost class that a function lies in."""
    parts = code.co_qualname.split(".")
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
