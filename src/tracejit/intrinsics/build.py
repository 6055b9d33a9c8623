"""The instructions of a kernel, statement by statement, each call by its own intrinsic.

A kernel is straight-line code in which every operation is one of our intrinsics, whose typing rule
and instructions are asked for in order. Numba's own way from a function to instructions (bytecode,
SSA, type inference, lowering, counting of references) takes a millisecond a statement, and half of
what a small program takes to compile.

    for i0 in range(v0):                 loop_range(v0) opens a loop, whose index is i0
        v1 = x0[i0]                      load(x0, i0)
        v2 = radd(v2, v1)                v2 is a place (see `structure`): update(v2, v1)
        b0[i0] = v1                      store(b0, v1, i0)
                                         loop_end()

A name that is assigned more than once is a place. What is called may also be one of Numba's
compiled functions: samplers are.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target
from numba.np.numpy_support import from_dtype

from tracejit.intrinsics import arithmetic, elements, logic, memory, places, structure
from tracejit.intrinsics.order import held, left_where_found, one_by_one, reads, stores_last, turned
from tracejit.intrinsics.partial import ORDERED, Partial, partial_numbers, set_aside
from tracejit.intrinsics.temporary import release
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    For,
    Forever,
    Group,
    If,
    Kernel,
    Leave,
    Length,
    Output,
    Part,
    Return,
    Shared,
    Statement,
    Store,
    Transposed,
    Unary,
    bare,
)
from tracejit.lower.kernel.undo import array_of, viewed
from tracejit.lower.kernel.verify import every

#: Statements from which on LLVM is told how to vectorise a loop.
LARGE = 150
#: What opens a loop, by its kind.
LOOPS: Mapping[str, Any] = {
    "range": structure.loop_range,
    "span": structure.loop_span,
    "blocks": structure.loop_blocks,
    "again": structure.loop_again,
    "block": structure.loop_block,
    "lines": structure.loop_lines,
    "line": structure.loop_line,
}
_OPERATORS = {
    "+": arithmetic.add, "-": arithmetic.subtract, "*": arithmetic.multiply,
    "/": arithmetic.divide, "//": arithmetic.floor_divide, "%": arithmetic.remainder,
    "<<": logic.left_shift, ">>": logic.right_shift,
    "==": logic.eq, "!=": logic.ne, "<": logic.lt, "<=": logic.le, ">": logic.gt, ">=": logic.ge,
    "and": logic.logical_and, "or": logic.logical_or,
}  # fmt: skip
_SIGNS = {"not": logic.logical_not, "-": arithmetic.negative}
#: A value of a kernel: its Numba type, and what LLVM calls it.
Value = tuple[Any, ir.Value]


class Builder:
    """Builds one function; `namespace` has what its statements call, `arguments` their values.

    A target may have loops of its own, another way to `leave`, and other statements or expressions.
    """

    loops = LOOPS
    #: Whether loops are vectorised.
    vectors = True
    #: What builds a statement, and an expression, by its class.
    statement_of: Mapping[type, Callable[[Any, Any], None]]
    expression_of: Mapping[type, Callable[[Any, Any], Value]]

    def __init__(
        self,
        context: Any,
        typingctx: Any,
        b: ir.IRBuilder,
        kernel: Kernel,
        namespace: Mapping[str, Any],
        arguments: Sequence[Value],
    ) -> None:
        self.context, self.typingctx, self.b = context, typingctx, b
        self.kernel, self.namespace = kernel, namespace
        self.env: dict[str, Value] = dict(zip(kernel.parameters, arguments, strict=True))
        #: Arrays that are tested, at entry, for rows without gaps.
        self.rows: set[str] = set()
        #: Of flat views, and of parts, what they are views of.
        self.base: dict[str, str] = {}
        #: How often names are assigned, and arrays that are written into.
        self.assigned: Counter[str] = Counter()
        self.written: dict[str, None] = {}
        self._look_through(kernel.body)
        self.places = {name for name, count in self.assigned.items() if count > 1}
        memory_of = dict.fromkeys(map(self._memory, self.written))
        self.scopes = {name: k for k, name in enumerate(memory_of, 1)}

    def _look_through(self, block: Block) -> None:
        for s in block.statements():
            if isinstance(s, Assign):
                self.assigned[s.name] += 1
                if whole := viewed(s.value):
                    self.base[s.name] = whole
            elif isinstance(s, Store):
                self.written[array_of(s.element.array)] = None
            elif isinstance(s, Shared):  # whose iterations have names of their own
                self._look_through(s.then)
            elif isinstance(s, Block):
                self._look_through(s)
                if isinstance(s, If) and s.otherwise is not None:
                    self._look_through(s.otherwise)

    def _memory(self, name: str) -> str:
        """The array that another one is a view of."""
        while name in self.base:
            name = self.base[name]
        return name

    @functools.cached_property
    def reads(self) -> Counter[str]:
        """How often the kernel reads names."""
        return reads(self.kernel.body.statements())

    def build(self) -> None:
        """Build the whole function, from where the builder is."""
        elements.declare_scopes(self.b.module, len(self.scopes))
        self.statements(self.kernel.body)

    def inside(self, b: ir.IRBuilder, kernel: Kernel, values: Mapping[str, Value]) -> Builder:
        """What builds statements of this kernel in another function, where names have `values`."""
        found = type(self)(
            self.context, self.typingctx, b, kernel, self.namespace, [*values.values()]
        )
        found.rows, found.scopes = self.rows, self.scopes
        found.base = self.base | found.base
        return found

    # Statements ------------------------------------------------------------------------------

    def statements(self, block: Block) -> None:
        """Build the statements of a block."""
        self.each(block.statements())

    def each(self, statements: Iterable[Statement]) -> None:
        """Build some statements."""
        for s in statements:
            self.statement_of[type(s)](self, s)

    def _for(self, s: For) -> None:
        if updated := self._updated(s):
            self._in_rounds(s, updated)
        else:
            self._loop(s, self.call(self.loops[s.kind], map(self.value, s.operands))[1])

    def _loop(self, s: For, index: ir.Value) -> None:
        """Build the iterations of the loop that is open, and close it."""
        self.env[s.index] = types.int64, index
        self.iteration(s)
        self.end(s)

    def _updated(self, s: For) -> list[Partial]:
        """What a loop adds up, or multiplies, in partial results."""
        found: dict[str, Partial] = {}
        for each in s.statements():
            if not (isinstance(each, Assign) and isinstance(each.value, Call)):
                continue
            name, operation = each.name, each.value.function
            if operation in ORDERED and each.value.operands[0] == name:
                kind, place = self.env[name]
                if partial_numbers(kind.dtype):
                    found[name] = Partial(place, operation, kind.dtype)
        return list(found.values())

    def _in_rounds(self, s: For, updated: list[Partial]) -> None:
        """A loop of sums: whole rounds of partial results, and the elements that are left."""
        b, partial = self.b, min(p.results for p in updated)
        start, count = structure.extent_of(b, s.kind, [self.value(o)[1] for o in s.operands])
        alone = s.kind == "again" or not self.vectors
        known = structure.opaque(b, count) if self.vectors else count
        whole = b.and_(known, ir.Constant(count.type, -partial))
        with b.if_then(b.icmp_signed(">", whole, ir.Constant(count.type, 0))):
            index = structure.begin_rounds(b, whole, partial, alone)
            self.env[s.index] = types.int64, b.add(start, index, flags=("nuw", "nsw"))
            self.iteration(s)
            together = structure.has_functions(b)
            self.end(s)
        rest = b.sub(count, whole)
        with b.if_then(b.icmp_signed(">", rest, ir.Constant(count.type, 0))):
            close = set_aside(b, updated) if together else None
            index = structure.begin_rest(b, rest, partial, together, alone)
            index = b.add(whole, index, flags=("nuw", "nsw"))
            self._loop(s, b.add(start, index, flags=("nuw", "nsw")))
            if close:
                close()

    def iteration(self, s: For) -> None:
        """Build what a loop does each time."""
        self.each(stores_last(list(s.statements()), self.places, self._memory))

    def end(self, s: For) -> None:
        """Close a loop."""
        large = _length(s) > LARGE
        self.call(structure.loop_end_large if large else structure.loop_end, [])

    def _forever(self, s: Forever) -> None:
        each = list(s.statements())
        count = turned(each, self.places, self.reads)
        self.call(structure.loop_forever, [])
        self.each(each[:count])
        self.call(structure.loop_body, [])
        if any(isinstance(inner, Return) for inner in every(s)):
            self._assume(held(each[:count], self.places))
        step = left_where_found(each, count, self.places)
        self.each([*step[count:], *one_by_one(each[:count], self.places)])
        self.call(structure.loop_again_forever, [])

    def _assume(self, comparisons: Iterable[Binary]) -> None:
        """Tell LLVM which comparisons of integers hold here."""
        for e in comparisons:
            if all(isinstance(self.value(o)[0], types.Integer) for o in (e.left, e.right)):
                self.b.assume(self.value(e)[1])

    def _leave(self, s: Leave) -> None:
        self.call(structure.loop_leave, [])

    def _if(self, s: If) -> None:
        condition = self.value(s.test)[1]
        if s.otherwise is None or s.otherwise.is_empty():
            leaves = isinstance(s.body[-1], Return)
            with self.b.if_then(condition, likely=False if leaves else None):
                self.statements(s)
            return
        # Else LLVM makes one condition of this one and the loop's.
        left = isinstance(s.body[-1], Leave)
        with self.b.if_else(condition, likely=False if left else None) as (then, otherwise):
            with then:
                self.statements(s)
            with otherwise:
                self.statements(s.otherwise)

    def _return(self, s: Return) -> None:
        self.leave(self.value(s.code)[1])

    def leave(self, code: ir.Value) -> None:
        """Return from the function."""
        release(self.b)
        self.context.call_conv.return_value(self.b, code)

    def _assign(self, s: Assign) -> None:
        name = s.name
        if name not in self.places:
            self.env[name] = self.value(s.value)
        elif name not in self.env:
            self.env[name] = self.call(places.place, [self.value(s.value)])
        else:
            self._put(name, s.value)

    def _put(self, name: str, value: Expr) -> None:
        """Assign a place anew."""
        if isinstance(value, Call) and value.operands and value.operands[0] == name:
            update = places.updating(self.namespace[value.function])
            self.call(update, [self.env[name], *map(self.value, value.operands[1:])])
        else:
            self.call(places.put, [self.env[name], self.value(value)])

    def _store(self, s: Store) -> None:
        self._access(s.element, elements.store, [self.value(s.value)])

    def _do(self, s: Do) -> None:
        self.value(s.call)

    # Expressions -----------------------------------------------------------------------------

    def value(self, e: Expr) -> Value:
        """Type and value of an expression."""
        if isinstance(e, str):
            value = self.env[e]
            return self.call(places.get, [value]) if e in self.places else value
        if isinstance(e, int):
            return self._literal(types.int64, e)
        return self.expression_of[type(e)](self, e)

    def _constant(self, e: Constant) -> Value:
        return self._literal(from_dtype(e.dtype), e.value)

    def _literal(self, kind: Any, value: Any) -> Value:
        return kind, self.context.get_constant_generic(self.b, kind, value)

    def call(self, f: Any, operands: Iterable[Value]) -> Value:
        """What an intrinsic, or a function that Numba has compiled, gives for some operands."""
        values = list(operands)
        kinds = [types.unliteral(kind) for kind, _ in values]
        given = [value for _, value in values]
        if not hasattr(f, "_defn"):
            return self._compiled(f, kinds, given)
        found = f._defn(self.typingctx, *kinds)
        if found is None:
            raise TypeError(f"{f._name} is not defined for {kinds}")
        signature, emit = found
        return signature.return_type, emit(self.context, self.b, signature, given)

    def _compiled(self, f: Any, kinds: list[Any], values: list[ir.Value]) -> Value:
        kind = self.typingctx.resolve_value_type(f)
        signature = kind.get_call_type(self.typingctx, kinds, {})
        cpu_target.target_context.refresh()
        return signature.return_type, self.context.get_function(kind, signature)(self.b, values)

    def _called(self, e: Call) -> Value:
        if e.function == "rows":
            self.rows.add(array_of(e.operands[0]))
        return self.call(self.namespace[e.function], map(self.value, e.operands))

    def _unary(self, e: Unary) -> Value:
        return self.call(_SIGNS[e.sign], [self.value(e.operand)])

    def _binary(self, e: Binary) -> Value:
        """An operator, whose operands are of one type: a bare number takes the other one's."""
        left, right = self.value(e.left), self.value(e.right)
        if left[0] != right[0]:
            numbers = bare(e.left), bare(e.right)
            if numbers[0] is not None and numbers[1] is None:
                left = self._literal(right[0], numbers[0])
            elif numbers[1] is not None and numbers[0] is None:
                right = self._literal(left[0], numbers[1])
        return self.call(_OPERATORS[e.sign], [left, right])

    def _group(self, e: Group) -> Value:
        return self.value(e.inner)

    def _element(self, e: Element) -> Value:
        return self._access(e, elements.load, [])

    def _length(self, e: Length) -> Value:
        return self.call(elements.length(e.axis), [self.value(e.array)])

    def _output(self, e: Output) -> Value:
        kind, several = self.value(e.call)
        return kind[e.number], self.b.extract_value(several, e.number)

    def _part(self, e: Part) -> Value:
        part = memory.part(len(e.index), e.rest)
        return self.call(part, [self.value(e.array), *map(self.value, e.index)])

    def _transposed(self, e: Transposed) -> Value:
        return self.call(memory.transposed, [self.value(e.array)])

    def scope_of(self, e: Element) -> int | None:
        """Which scope an element's memory has; None where it has none of its own."""
        scope = self.scopes.get(self._memory(array_of(e.array)), elements.READ_ONLY)
        return scope if scope < elements.SCOPES else None

    def _access(self, e: Element, make: Callable[..., Any], value: Sequence[Value]) -> Value:
        """A load or a store of one element."""
        intrinsic = make(len(e.index), self.scope_of(e), array_of(e.array) in self.rows)
        return self.call(intrinsic, [self.value(e.array), *value, *map(self.value, e.index)])


Builder.statement_of = {
    Assign: Builder._assign,
    Store: Builder._store,
    Do: Builder._do,
    For: Builder._for,
    Forever: Builder._forever,
    Leave: Builder._leave,
    If: Builder._if,
    Return: Builder._return,
}
Builder.expression_of = {
    Constant: Builder._constant,
    Call: Builder._called,
    Unary: Builder._unary,
    Binary: Builder._binary,
    Group: Builder._group,
    Element: Builder._element,
    Part: Builder._part,
    Transposed: Builder._transposed,
    Length: Builder._length,
    Output: Builder._output,
}


def _length(block: Block) -> int:
    """How many statements there are, those inside of loops included."""
    return sum(2 + _length(s) if isinstance(s, For) else 1 for s in block.statements())
