"""Host calls become statements of their own: what is evaluated before one is named before it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set

from tracejit.capture.divide.places import Place, node_at
from tracejit.capture.rewrite.flow import binds
from tracejit.capture.rewrite.nodes import at, load
from tracejit.capture.rewrite.scope import SCOPES, free, own

#: What a host statement calls is asked of this function; no user has a name with a dot.
HOST = ".host"
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try)
#: Expressions all of whose operands are evaluated, from left to right.
_EAGER = (
    ast.BinOp, ast.UnaryOp, ast.Call, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List,
    ast.Set, ast.Starred, ast.keyword,
)  # fmt: skip
#: Expressions that are worth to be compiled.
WORK = (ast.BinOp, ast.Call, ast.Compare, ast.Subscript, ast.UnaryOp)
_PARTS = (ast.Starred, ast.keyword, ast.Slice)


class Hoist:
    """The statements of a function whose host calls are statements of their own.

    They are at `places`, and where the variables `foreign` are read. `hosts` has the identities of
    the statements that stay Python's.
    """

    def __init__(
        self,
        body: list[ast.stmt],
        places: Iterable[Place],
        foreign: Set[str],
        names: Iterable[str],
    ) -> None:
        self.hosts: set[int] = set()
        names = self._names = frozenset(names)
        self._expressions: set[int] = set()
        #: A part of a function may have some already, and not the first ones.
        self._temporaries = last_of(".t", names)
        for place in places:
            node = node_at(place, body)
            if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", None), ast.Store):
                node = [s for s in own(*body) if isinstance(s, ast.stmt) and _has(s, node)][-1]
            if isinstance(node, ast.Expr):
                node = node.value  # a statement that is a call
            if node is not None:
                node = _call_of(node, body)
                for host in (node, *_alike(node, body)):
                    (self.hosts if isinstance(host, ast.stmt) else self._expressions).add(id(host))
        for name in foreign:
            for statement in _until_bound(name, body):
                for node in _uses(statement, {name}):
                    (self.hosts if isinstance(node, ast.stmt) else self._expressions).add(id(node))
        self.body = self.block(body)

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [new for statement in body for new in self.statement(statement)]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, COMPOUND):
            for suite in suites(node):
                suite[:] = self.block(suite)
            if any(self._is_host(part) for part in heads(node)):
                self.hosts.add(id(node))
            return [node]
        if id(node) in self.hosts or not self._is_host(node):
            return [node]
        before: list[ast.stmt] = []
        while (way := self._way(node)) is not None:
            parents, host = way[:-1], way[-1]
            if not all(map(_is_eager, parents, way[1:])):
                self.hosts.add(id(node))
                break
            for parent, child in zip(parents, way[1:], strict=True):
                for earlier in _children(parent):
                    if earlier is child:
                        break
                    self._name(parent, earlier, before)
            self._expressions.discard(id(host))
            if isinstance(host, ast.Call):
                self._name_arguments(host, before)
            if len(parents) == 1 and not isinstance(node, ast.AugAssign) and _is_plain(node):
                self.hosts.add(id(node))
                break
            assert isinstance(host, ast.expr)
            _replace(parents[-1], host, self._host(host, before))
        return [*before, node]

    def _host(self, node: ast.expr, before: list[ast.stmt]) -> ast.expr:
        """The name of what Python evaluates before a statement."""
        name = self._temporary()
        call = at(node, ast.Assign([ast.Name(name, ast.Store())], node))
        self.hosts.add(id(call))
        before.append(call)
        return at(node, load(name))

    def _is_host(self, node: ast.AST) -> bool:
        return any(id(n) in self._expressions for n in own(node))

    def _way(self, node: ast.AST) -> list[ast.AST] | None:
        """From a statement to the host call in it that is evaluated first; None without one."""
        if id(node) in self._expressions and not any(
            id(n) in self._expressions for n in own(node) if n is not node
        ):
            return [node]
        for child in _children(node):
            way = self._way(child)
            if way is not None:
                return [node, *way]
        return None

    def _name(self, parent: ast.AST, node: ast.AST, before: list[ast.stmt]) -> None:
        """Give what is evaluated earlier a name, unless it is one or a constant."""
        if isinstance(node, _PARTS):
            for child in _children(node):
                self._name(node, child, before)
            return
        stays = isinstance(node, ast.Constant) or self._is_local(node)
        if not stays and not _is_callee(parent, node):
            assert isinstance(node, ast.expr)
            name = self._temporary()
            named = at(node, ast.Assign([ast.Name(name, ast.Store())], node))
            if isinstance(parent, ast.Call) and parent.func is node:
                self.hosts.add(id(named))  # a method is of the object itself
            before.append(named)
            _replace(parent, node, at(node, load(name)))

    def _is_local(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and (node.id in self._names or node.id[0] == ".")

    def _name_arguments(self, call: ast.Call, before: list[ast.stmt]) -> None:
        if not _is_dotted(call.func):
            return
        callee = call.func
        if isinstance(callee, ast.Attribute) and any(
            isinstance(n, ast.Call) for n in own(*call.args, *call.keywords)
        ):
            # What it is called with may bind its owner's attributes anew.
            call.func = self._host(callee, before)
        for argument in [*call.args, *call.keywords]:
            parent: ast.AST = call
            if isinstance(argument, (ast.Starred, ast.keyword)):
                parent, argument = argument, argument.value
            below = list(own(argument))
            if isinstance(argument, WORK) and not any(isinstance(n, SCOPES) for n in below):
                self._name(parent, argument, before)
        call.func = at(call.func, ast.Call(load(HOST), [call.func], []))

    def _temporary(self) -> str:
        self._temporaries += 1
        return f".t{self._temporaries}"


def last_of(prefix: str, names: Iterable[str]) -> int:
    """The greatest number that a name of ours has after a prefix; 0 for none."""
    return max((int(n.removeprefix(prefix)) for n in names if n.startswith(prefix)), default=0)


def _call_of(node: ast.AST, body: Iterable[ast.stmt]) -> ast.AST:
    """The call of a function that is found at a node, or of its attribute; else the node."""
    for call in own(*body):
        named = isinstance(call, ast.Call) and _is_dotted(call.func)
        if named and any(n is node for n in ast.walk(call.func)):  # type: ignore[attr-defined]
            return call
    return node


def _alike(call: ast.AST, body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """The other calls of what is called for its effect: they are host calls as it is."""
    effects = [n.value for n in own(*body) if isinstance(n, ast.Expr)]
    if isinstance(call, ast.Call) and any(n is call for n in effects):
        name = ast.dump(call.func)
        for other in effects:
            if isinstance(other, ast.Call) and ast.dump(other.func) == name:
                yield other


def _until_bound(name: str, body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of a function that may see the first value of a parameter."""
    for statement in body:
        yield from own(statement)
        if name in binds(statement):
            return


def _uses(statement: ast.AST, names: Set[str]) -> Iterator[ast.AST]:
    """What a statement does with variables: their methods, attributes, items, or what takes them.

    It is the statement itself where that does something with one.
    """
    if not isinstance(statement, ast.stmt):
        return
    stack: list[tuple[ast.AST, ast.AST]] = [(statement, n) for n in heads(statement)]
    while stack:
        parent, node = stack.pop()
        if isinstance(node, ast.Name):
            seen = not isinstance(node.ctx, ast.Store) or isinstance(statement, ast.AugAssign)
            if node.id in names and seen:
                yield parent
        elif isinstance(node, SCOPES) and names & free(node):
            yield statement
        elif _is_part_of(node, names):
            called = isinstance(parent, ast.Call) and parent.func is node
            yield parent if called else node
        else:
            inside = isinstance(node, _PARTS) and isinstance(parent, ast.expr)
            stack += [(parent if inside else node, child) for child in _children(node)]


def _is_part_of(node: ast.AST, names: Set[str]) -> bool:
    """Whether a node is an attribute, or an item, of one of these variables."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
        if isinstance(node, ast.Name):
            return node.id in names
    return False


def suites(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement."""
    for field in ("body", "orelse", "finalbody"):
        if getattr(node, field, None):
            yield getattr(node, field)
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def heads(node: ast.stmt) -> list[ast.AST]:
    """What a statement evaluates itself."""
    if isinstance(node, (ast.If, ast.While)):
        return [node.test]
    if isinstance(node, ast.For):
        return [node.target, node.iter]
    if isinstance(node, ast.With):
        return list(node.items)
    if isinstance(node, ast.Try):
        return [h.type for h in node.handlers if h.type]
    return _children(node)


def _children(node: ast.AST) -> list[ast.AST]:
    """What a node evaluates, in order; a statement, too."""
    if isinstance(node, ast.Assign):
        return [node.value, *node.targets]
    if isinstance(node, ast.AugAssign):
        return [node.target, node.value]
    if isinstance(node, SCOPES):
        return []
    others = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)
    return [child for child in ast.iter_child_nodes(node) if not isinstance(child, others)]


def _is_eager(parent: ast.AST, child: ast.AST) -> bool:
    """Whether a child is evaluated whenever its parent is."""
    if isinstance(parent, ast.AugAssign):
        return isinstance(parent.target, ast.Name)
    if isinstance(parent, ast.Assign):
        return parent.value is child
    if isinstance(parent, (ast.Compare, ast.BoolOp, ast.IfExp)):
        return _children(parent)[0] is child and not isinstance(parent, ast.IfExp)
    return isinstance(parent, (*_EAGER, ast.AnnAssign, ast.Expr, ast.Return))


def _is_plain(node: ast.stmt) -> bool:
    """Whether a statement does nothing but to name, return or drop a value."""
    if isinstance(node, ast.Assign):
        plain = (ast.Name, ast.Tuple, ast.List, ast.Starred, ast.expr_context)
        return all(isinstance(n, plain) for target in node.targets for n in ast.walk(target))
    return isinstance(node, (ast.Return, ast.Expr))


def _is_dotted(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_callee(parent: ast.AST, node: ast.AST) -> bool:
    """Whether a node is what its parent calls, or has an attribute of, by its name."""
    called = isinstance(parent, ast.Call) and parent.func is node
    return (called or isinstance(parent, ast.Attribute)) and _is_dotted(node)


def _has(statement: ast.stmt, node: ast.AST) -> bool:
    return any(n is node for n in ast.walk(statement))


def _replace(parent: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for field, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, field, new)
        elif isinstance(value, list):
            value[:] = [new if v is old else v for v in value]
