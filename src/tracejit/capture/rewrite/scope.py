"""Names of a function's own scope: what it assigns, what it reads, what inner functions keep."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

#: Names in the order in which they are met.
Names = dict[str, None]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES = (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)
#: Scopes that may run after the statement that they are part of.
LASTING = (*FUNCTIONS, ast.GeneratorExp, ast.ClassDef)
_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.cmpop)


def own(*nodes: ast.AST) -> Iterator[ast.AST]:
    """`nodes` and all below them that runs in their scope; an inner scope is one node."""
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _LEAVES):
            below = _around(node) if isinstance(node, SCOPES) else ast.iter_child_nodes(node)
            stack += reversed(list(below))


def _around(scope: ast.AST) -> Iterator[ast.AST]:
    """What an inner scope evaluates in the scope around it."""
    if isinstance(scope, COMPREHENSIONS):
        yield scope.generators[0].iter
    elif isinstance(scope, ast.ClassDef):
        yield from [*scope.decorator_list, *scope.bases, *scope.keywords]
    elif isinstance(scope, FUNCTIONS):
        yield from scope.args.defaults
        yield from (default for default in scope.args.kw_defaults if default)
        yield from (a.annotation for a in arguments(scope.args) if a.annotation)
        if not isinstance(scope, ast.Lambda):
            yield from scope.decorator_list
            yield from [scope.returns] if scope.returns else []


def _inside(scope: ast.AST) -> list[ast.AST]:
    """What an inner scope evaluates in itself."""
    if isinstance(scope, COMPREHENSIONS):
        first, *others = scope.generators
        return [
            *([scope.key, scope.value] if isinstance(scope, ast.DictComp) else [scope.elt]),
            *[first.target, *first.ifs, *others],
        ]
    assert isinstance(scope, (*FUNCTIONS, ast.ClassDef))
    return [scope.body] if isinstance(scope, ast.Lambda) else list(scope.body)


def arguments(args: ast.arguments) -> list[ast.arg]:
    found = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    return [a for a in found if a]


def assigned(nodes: Iterable[ast.AST]) -> Names:
    """The names that are bound in the scope of `nodes`."""
    found: list[str] = []
    for node in own(*nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.append(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, ast.alias):
            found.append(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.append(node.name)
        elif isinstance(node, COMPREHENSIONS):
            found += _bound_through(node)
    return dict.fromkeys(found)


def _bound_through(comprehension: ast.AST) -> Iterator[str]:
    """The names that ``:=`` in a comprehension binds around it."""
    for node in own(*_inside(comprehension)):
        if isinstance(node, ast.NamedExpr):
            yield node.target.id
        elif isinstance(node, COMPREHENSIONS):
            yield from _bound_through(node)


def read(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that are read in the scope of `nodes`, or in scopes inside."""
    found: set[str] = set()
    for node in own(*nodes):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, SCOPES):
            found |= free(node)
    return found


def free(scope: ast.AST) -> set[str]:
    """The names that an inner scope takes from around it."""
    inside = _inside(scope)
    found = read(inside) | declared(inside, ast.Nonlocal)
    if isinstance(scope, FUNCTIONS):
        return found - local(scope).keys()
    if isinstance(scope, COMPREHENSIONS):
        return found - assigned([part.target for part in scope.generators]).keys()
    return found


def local(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Names:
    """The local variables of a function."""
    inside = _inside(function)
    outer = declared(inside, ast.Nonlocal) | declared(inside, ast.Global)
    names = [a.arg for a in arguments(function.args)] + list(assigned(inside))
    return dict.fromkeys(name for name in names if name not in outer)


def declared(
    nodes: Iterable[ast.AST], statement: type[ast.Nonlocal] | type[ast.Global]
) -> set[str]:
    """The names that the scope of `nodes` declares."""
    return {name for node in own(*nodes) if isinstance(node, statement) for name in node.names}


def captured(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that a function inside may read whenever it is called."""
    return {name for n in own(*nodes) if isinstance(n, LASTING) for name in free(n)}


def changed_inside(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that a function inside may assign whenever it is called."""
    inner = [n for n in own(*nodes) if isinstance(n, LASTING)]
    return {
        name
        for scope in inner
        for node in ast.walk(scope)
        if isinstance(node, ast.Nonlocal)
        for name in node.names
    } & {name for scope in inner for name in free(scope)}


def unbound(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that lose their value: where a handler ends, and in functions inside."""
    below = [n for node in nodes for n in ast.walk(node)]
    deleted = {n.id for n in below if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)}
    return deleted | {n.name for n in below if isinstance(n, ast.ExceptHandler) and n.name}
