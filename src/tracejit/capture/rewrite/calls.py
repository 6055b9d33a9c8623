"""Control flow becomes calls of the runtime; its blocks become functions inside.

Comprehensions stay Python's, but for what they go over first; so do conditional expressions,
``and``, ``or`` and chained comparisons that bind a name by ``:=`` in a part that may not run.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from tracejit.capture.rewrite.comprehensions import Comprehensions, Record
from tracejit.capture.rewrite.exits import RESULT, Exits, For, While
from tracejit.capture.rewrite.flow import (
    NONE,
    Liveness,
    Set,
    bound_after,
    read_first,
    step_of,
)
from tracejit.capture.rewrite.nodes import at, define, load, parameters
from tracejit.capture.rewrite.refusal import Reason, Refused, refusal
from tracejit.capture.rewrite.scope import (
    arguments,
    assigned,
    captured,
    changed_inside,
    declared,
    local,
    own,
    read,
    unbound,
)

#: The runtime's name. No user has one with a dot.
CONTROL = ".control"
E = TypeVar("E", bound=ast.AST)


def rewritten_tree(function: E, record: Record) -> E:
    """A function's node, or a lambda's, with calls for its control flow; raises `Refused`."""
    if isinstance(function, ast.Lambda):
        lambda_ = copy.copy(function)
        lambda_.body = _Calls(function, [], record).expression(function.body)
        return lambda_
    assert isinstance(function, ast.FunctionDef)
    documented = ast.get_docstring(function, clean=False) is not None
    head, body = function.body[:documented], function.body[documented:]
    for statement in (ast.Global, ast.Nonlocal):
        names = sorted(declared(body, statement))
        head += [at(function, statement(names))] if names else []
    body = [new for s in body if (new := _Undeclared().visit(copy.deepcopy(s))) is not None]
    lowered = Exits().function(body)
    calls = _Calls(function, lowered, record)
    done = calls.block(lowered, calls.bound)
    missing = calls.variables - assigned(done).keys() - calls.bound
    # An annotation makes a name a variable, and does nothing.
    named = [n for n in (*local(function), *assigned(lowered)) if n in missing]
    none = ast.Constant(None)
    head += [
        at(function, ast.AnnAssign(ast.Name(n, ast.Store()), none, None, 1))
        for n in dict.fromkeys(named)
    ]
    new = copy.copy(function)
    new.body = [*head, *done] or [at(function, ast.Pass())]
    return new


def truth(test: ast.expr) -> ast.expr:
    """A test, of whose value only the truth counts, and so of operands of ``and`` and ``or``."""
    if not isinstance(test, ast.BoolOp):
        return test
    new = copy.copy(test)
    new.values = [_asked(value) for value in test.values]
    return new


def _asked(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.BoolOp):
        return truth(value)
    is_flag = isinstance(value, ast.Name) and value.id.startswith(".")
    if is_flag or isinstance(value, (ast.Compare, ast.UnaryOp, ast.Constant, ast.NamedExpr)):
        return value
    function = at(value, ast.Attribute(load(CONTROL), "true_", ast.Load()))
    return at(value, ast.Call(function, [value], []))


def _raises(block: Sequence[ast.stmt]) -> bool:
    """Whether a block ends with an exception, however it goes."""
    leaves = (ast.Return, ast.Break, ast.Continue)
    last = block[-1] if block else None
    return isinstance(last, ast.Raise) and not any(isinstance(n, leaves) for n in own(*block))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _none(test: ast.expr) -> str:
    """The variable that a test says is None; "" for another test."""
    if not (isinstance(test, ast.Compare) and isinstance(test.left, ast.Name)):
        return ""
    is_none = isinstance(test.ops[0], ast.Is) and [*map(_is_none, test.comparators)] == [True]
    return test.left.id if is_none else ""


def _are_names(targets: Iterable[ast.expr]) -> bool:
    """Whether these are variables of the user's."""
    return all(isinstance(target, ast.Name) and target.id[0] != "." for target in targets)


class _Undeclared(ast.NodeTransformer):
    """Leaves out what is said again at the head of the function, and annotations of variables."""

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        return None

    visit_Nonlocal = visit_Global

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if not isinstance(node.target, ast.Name):
            return node
        return at(node, ast.Assign([node.target], node.value)) if node.value else None

    def visit_FunctionDef(self, node: ast.stmt) -> ast.stmt:
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef

    def generic_visit(self, node: ast.AST) -> ast.AST:
        before = {field for field in ("body", "finalbody") if getattr(node, field, None)}
        super().generic_visit(node)
        for field in before:
            if not getattr(node, field):
                setattr(node, field, [at(node, ast.Pass())])
        return node


class _Calls(Comprehensions):
    """The calls of one function; `body` are its statements without exits."""

    def __init__(self, function: ast.AST, body: list[ast.stmt], record: Record) -> None:
        assert isinstance(function, (ast.FunctionDef, ast.Lambda))
        self.record = record
        whole = [function.body] if isinstance(function, ast.Lambda) else function.body
        outer = declared(whole, ast.Nonlocal)
        #: The function's own variables, and those by which it leaves.
        self.variables = frozenset(local(function)) | assigned(body).keys() - outer
        self.variables -= declared(whole, ast.Global)
        self.changeable = self.variables | outer
        self.changed_inside = changed_inside(whole) & self.changeable
        self.always = (captured(whole) & self.variables) | outer
        self.liveness = Liveness(self.always)
        self.liveness.block(body, frozenset(self.always))
        positional = [*function.args.posonlyargs, *function.args.args]
        self.first = positional[0].arg if positional else ""
        #: The variables that keep a value that they have.
        self.certain = self.variables - unbound(whole)
        #: The variables that have a value; whether this is a block, a function of its own.
        self.bound: Set = frozenset(a.arg for a in arguments(function.args))
        self.inside = False

    # Statements

    def block(self, body: Sequence[ast.stmt], bound: Set) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        before = self.bound
        self.bound = bound & self.certain
        for statement in body:
            new = self.visit(statement)
            done += new if isinstance(new, list) else [new]
            self.bound = bound_after([statement], self.bound, self.certain) & self.certain
        self.bound = before
        return done

    def function(
        self, name: str, body: list[ast.stmt], place: ast.AST, bound: Set, names: Iterable[str]
    ) -> ast.stmt:
        """The function that a block becomes, which assigns `names`."""
        with self.closure():
            done = self.block(body, bound)
        names = list(names)
        head: list[ast.stmt] = [ast.Nonlocal(names)] if names else []
        return at(place, define(name, parameters(), [*head, *done]))

    def visit_If(self, node: ast.If) -> list[ast.stmt]:
        self.note("if", node)
        sides = [node.body, node.orelse]
        returns = any(isinstance(n, ast.Return) for side in sides for n in own(*side))
        names = self.of(node, sides)
        done: list[ast.stmt] = []
        parts: list[ast.expr] = []
        for name, body in zip((".then", ".otherwise"), sides, strict=True):
            if body:
                done.append(self.function(name, body, node, self.bound, self.names(body)))
            parts.append(load(name) if body else ast.Constant(None))
        if isinstance(parts[1], ast.Constant):
            parts.pop()
        call = self.call("if_", node, self.expression(truth(node.test)), *parts, names=names)
        raising = tuple(map(_raises, sides))
        if any(raising):
            call.keywords.append(
                ast.keyword("raising", ast.Tuple([*map(ast.Constant, raising)], ast.Load()))
            )
        done.append(at(node, ast.Return(call) if returns else ast.Expr(call)))
        name = _none(node.test)
        if raising == (True, False) and name in self.variables and not self.inside:
            known = self.call("some", node.test, load(name))
            done.append(at(node, ast.Assign([ast.Name(name, ast.Store())], known)))
        return done

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        assert isinstance(node, While)
        self.note("while", node)
        names = self.of(node, [step_of(node)])
        body = self.function(".body", node.body, node, self.bound, self.names(node.body))
        done = [body]
        if assigned([node.test]):
            value = at(node.test, ast.Return(node.test))
            changed = self.names([node.test])
            done.append(self.function(".test", [value], node.test, self.bound, changed))
            test = load(".test")
        else:
            test = self.lazy(truth(node.test))
        call = self.call("while_", node, test, load(".body"), self.leave(node), names=names)
        return [*done, at(node, ast.Expr(call))]

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        assert isinstance(node, For)
        self.note("for", node)
        step = step_of(node)
        names = self.of(node, [step])
        bound = self.bound | assigned([node.target]).keys()
        body = self.function(".body", node.body, node, bound, self.names(step))
        assert isinstance(body, ast.FunctionDef)
        with self.closure():
            target = self.visit(node.target)
        first = at(node.target, ast.Assign([target], load(".item")))
        head = isinstance(body.body[0], ast.Nonlocal)
        body.body.insert(head, first)
        body.args = parameters(".item")
        iterable = self.expression(node.iter)
        call = self.call("for_", node, iterable, load(".body"), self.leave(node), names=names)
        return [at(node, body), at(node, ast.Expr(call))]

    def leave(self, node: While | For) -> ast.expr:
        if not node.leave:
            return ast.Constant(None)
        names: list[ast.expr] = [load(flag) for flag in node.leave]
        either = names[0] if len(names) == 1 else ast.BoolOp(ast.Or(), names)
        return self.lazy(at(node, either))

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        self.note("assert", node)
        test = self.call("assert_", node.test, self.expression(truth(node.test)))
        return at(node, ast.Assert(test, node.msg and self.expression(node.msg)))

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        new = self.generic_visit(node)
        assert isinstance(new, ast.Assign)
        live = self.liveness.after[id(node)]
        if self.inside and isinstance(node.value, ast.Name) and _are_names(node.targets):
            new.value = self.last(node.value, live)
        elif self.inside and isinstance(node.value, ast.Tuple) and isinstance(new.value, ast.Tuple):
            [target, *others], values = node.targets, node.value.elts
            named = isinstance(target, ast.Tuple) and _are_names(target.elts) and not others
            names = [v.id for v in values if isinstance(v, ast.Name)]
            if named and _are_names(values) and len({*names}) == len(names):
                new.value.elts = [self.last(value, live) for value in values]
        return new

    def last(self, node: ast.expr, live: Set) -> ast.expr:
        """A name, of which it is said that it is not read any more, if it is not."""
        if not isinstance(node, ast.Name) or node.id not in self.variables or node.id in live:
            return self.expression(node)
        return self.call("last", node, self.lazy(node))

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == RESULT:
            return at(node, ast.Expr(self.call("left", node.value, self.lazy(node.value))))
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == RESULT:
            return at(node, ast.Return(self.call("given", node.value, node.value)))
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> ast.stmt:
        body = self.block(node.body, self.bound)
        handlers = []
        for handler in node.handlers:
            kind = handler.type and self.expression(handler.type)
            caught = self.block(handler.body, self.bound)
            handlers.append(at(handler, ast.ExceptHandler(kind, handler.name, caught)))
        through = bound_after(node.body, self.bound, self.certain)
        orelse = self.block(node.orelse, through)
        return at(node, ast.Try(body, handlers, orelse, self.block(node.finalbody, self.bound)))

    def visit_With(self, node: ast.With) -> ast.stmt:
        items = [self.visit(item) for item in node.items]
        bound = self.bound | assigned(node.items).keys()
        return at(node, ast.With(items, self.block(node.body, bound)))

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        new = [self.generic_visit(node)]
        if isinstance(node.target, ast.Name) and self.unsure(node.target.id):
            check = self.visit(at(node.target, load(node.target.id)))
            new.insert(0, at(node, ast.Expr(check)))
        return new  # type: ignore[return-value]

    # Functions inside

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
        inner = copy.copy(node)
        inner.args = self.visit(node.args)
        inner.decorator_list = [self.expression(d) for d in node.decorator_list]
        reason = refusal(node)
        try:
            if reason is None:
                return rewritten_tree(inner, self.record)
        except Refused as refused:
            reason = refused.reason
        self.record.kept.append(reason._replace(text=f"{node.name}() {reason.text}"))
        return inner

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        if refusal(node):
            return node
        inner = copy.copy(node)
        inner.args = self.visit(node.args)
        return rewritten_tree(inner, self.record)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.record.kept.append(Reason(f"the class {node.name} is defined inside", node.lineno))
        return node

    # Expressions

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if not (isinstance(node.ctx, ast.Load) and self.unsure(node.id)):
            return node
        return self.call(
            "bound", node, self.text(node.id), at(node, ast.Lambda(parameters(), node))
        )

    def unsure(self, name: str) -> bool:
        """Whether Python would say that `name` has no value where it looks outside of a block."""
        own = name in self.variables and not name.startswith(".")
        return self.inside and own and name not in self.bound and not self.free

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        kind = "and" if isinstance(node.op, ast.And) else "or"
        first, *others = node.values
        if self.binds(kind, others):
            return self.python(node)
        self.note(kind, node)
        parts = [self.expression(first), *map(self.lazy, others)]
        return self.call(f"{kind}_", node, *parts)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        if self.binds("conditional expression", [node.body, node.orelse]):
            return self.python(node)
        self.note("conditional expression", node)
        sides = map(self.lazy, (node.body, node.orelse))
        return self.call("if_", node, self.expression(truth(node.test)), *sides)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if not isinstance(node.op, ast.Not):
            return self.python(node)
        self.note("not", node)
        return self.call("not_", node, self.expression(truth(node.operand)))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if len(node.ops) == 1:
            return self.identity(node) or self.python(node)
        if self.binds("chained comparison", node.comparators[1:]):
            return self.python(node)
        self.note("chained comparison", node)
        return self.chain(node, self.expression(node.left), node.ops, node.comparators)

    def identity(self, node: ast.Compare) -> ast.expr | None:
        """``x is None``, ``x is y``; None for another comparison."""
        [sign], [other] = node.ops, node.comparators
        if not isinstance(sign, ast.Is | ast.IsNot):
            return None
        if _is_none(other):
            found = self.call("is_none", node, self.expression(node.left))
        elif isinstance(other, ast.Constant):
            return None
        else:
            self.note("identity", node)
            sides = map(self.expression, (node.left, other))
            found = self.call("is_", node, *sides)
        return found if isinstance(sign, ast.Is) else self.call("not_", node, found)

    def chain(
        self, node: ast.AST, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]
    ) -> ast.expr:
        """``left < other < …``, each operand computed once."""
        other = self.expression(others[0])
        if len(ops) == 1:
            return at(node, ast.Compare(left, ops, [other]))
        with self.closure():
            rest = self.chain(node, load(".right"), ops[1:], others[1:])
        compared = ast.Compare(load(".left"), ops[:1], [load(".right")])
        both = self.call("and_", node, compared, ast.Lambda(parameters(), rest))
        lambda_ = ast.Lambda(parameters(".left", ".right"), both)
        return at(node, ast.Call(lambda_, [left, other], []))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if self.reduces(node):
            return self.reduction(node)
        plain = isinstance(node.func, ast.Name) and node.func.id == "super"
        new = self.python(node)
        if plain and self.inside and not node.args and self.first and "super" not in self.variables:
            # A block is not the method that it is a part of.
            new.args = [at(node, load("__class__")), at(node, load(self.first))]
        return new

    def lazy(self, node: ast.expr) -> ast.expr:
        """The function that computes `node`."""
        with self.closure():
            body = self.expression(node)
        return at(node, ast.Lambda(parameters(), body))

    @contextmanager
    def closure(self) -> Iterator[None]:
        before, self.inside = self.inside, True
        yield
        self.inside = before

    # Records

    def binds(self, kind: str, parts: list[ast.expr]) -> bool:
        """Whether parts that may not run bind a name, which a function inside could not."""
        names = assigned(parts)
        if names:
            text = f"a part of `{kind}` binds {next(iter(names))} by `:=`"
            self.record.kept.append(Reason(text, parts[0].lineno))
        return bool(names)

    def note(self, construct: str, node: ast.expr | ast.stmt) -> None:
        names = read([node.test] if isinstance(node, ast.If) else [node])
        if not names or not all(name.startswith(".") for name in names):  # not a test of flags
            self.record.constructs.append((construct, node.lineno))

    def names(self, body: Iterable[ast.AST]) -> list[str]:
        """The names that a block may assign, and must declare."""
        names = [name for name in assigned(body) if name in self.changeable]
        return list(dict.fromkeys([*names, *sorted(self.changed_inside)]))

    def of(self, node: ast.stmt, bodies: list[list[ast.stmt]]) -> list[ast.expr]:
        """`assigned`, `read` and `live` of a block."""
        names = self.names(statement for body in bodies for statement in body)
        after = self.liveness.after[id(node)]
        # What a step does not assign is what it was before the loop.
        kept = after if isinstance(node, (For, While)) else NONE
        first = read_first(bodies, self.always, kept)
        sets = (names, [n for n in names if n in first], [n for n in names if n in after])
        return [ast.Tuple([self.text(n) for n in part], ast.Load()) for part in sets]

    def text(self, name: str) -> ast.expr:
        """A name as Python knows it."""
        private = name.startswith("__") and not name.endswith("__") and self.record.owner
        return ast.Constant(f"_{self.record.owner}{name}" if private else name)

    def call(
        self, method: str, place: ast.AST, *parts: ast.expr, names: Sequence[ast.expr] = ()
    ) -> ast.Call:
        function = at(place, ast.Attribute(load(CONTROL), method, ast.Load()))
        # Python says that a method is called where its name ends.
        function.end_lineno, function.end_col_offset = function.lineno, function.col_offset
        keywords = [
            ast.keyword(key, value)
            for key, value in zip(("assigned", "read", "live"), names, strict=False)
        ]
        return at(place, ast.Call(function, list(parts), keywords))
