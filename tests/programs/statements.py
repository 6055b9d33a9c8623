"""Random statements: what they write into a program, and how often each is drawn."""

from __future__ import annotations

from programs import expressions as e
from programs.scope import MOST_RUNS, SHORTEST, Array, Helper, Index, Shape, Writer

IN_PLACE = ["+=", "-=", "*="]


def body(w: Writer, most: int) -> None:
    """Up to `most` statements."""
    for _ in range(1 + w.rng.randrange(most)):
        w.left -= 1
        w.weighted({**STATEMENTS, **w.more} if w.left > 0 else SIMPLE)(w)


# Names --------------------------------------------------------------------------------------------


def assign_number(w: Writer) -> None:
    value = e.number(w)
    known = w.bindable("numbers")
    if known and not w.one_in(3):
        w.line(f"{w.pick(known)} = {value}", "assignment of a scalar")
        return
    name = w.fresh("s")
    w.line(f"{name} = {value}", "assignment of a scalar")
    w.scope.numbers.append(name)


def add_to_number(w: Writer) -> None:
    known = w.bindable("numbers")
    if not known:
        return assign_number(w)
    w.line(f"{w.pick(known)} {w.pick(['+=', '-='])} {e.number(w)}", "scalar in place")


def assign_integer(w: Writer) -> None:
    known = w.bindable("integers")
    if not known or w.one_in(4):
        name = w.fresh("k")
        w.line(f"{name} = {w.pick(['0', '1', '2'])}")
        w.scope.integers.append(name)
        return
    k = w.pick(known)
    steps = [f"{k} += 1", f"{k} = ({k} * 3 + 1) % 5", f"{k} = int({e.element(w)}) % 3", f"{k} -= 1"]
    w.line(w.pick(steps), "integer state")


def assign_array(w: Writer) -> None:
    """An array under a new name, or a known one, which it need not share memory with."""
    known = [a for a in w.bindable("arrays") if a.own and not a.integer]
    old = w.pick(known) if known and w.one_in(3) else None
    shape = (old or w.pick(w.arrays())).shape
    value = e.array(w, shape, 2)
    if old is not None:
        w.line(f"{old.name} = {value}", "array bound anew")
        return
    name = w.fresh("a")
    w.line(f"{name} = {value}", "assignment of an array")
    w.scope.arrays.append(Array(name, shape, own=True))


def new_array(w: Writer) -> None:
    like = w.pick(w.arrays())
    sizes = ", ".join(e.length(w, axis) for axis in like.shape)
    text, integer = w.pick(
        [(f"np.zeros(({sizes},))", False), (f"np.zeros_like({like.name})", like.integer),
         (f"np.ones(({sizes},))", False), (f"{like.name}.copy()", like.integer)]
    )  # fmt: skip
    name = w.fresh("a")
    w.line(f"{name} = {text}", "creation")
    w.scope.arrays.append(Array(name, like.shape, integer, own=True))


def new_indices(w: Writer) -> None:
    like = w.pick(e.vectors(w))
    name = w.fresh("p")
    w.line(f"{name} = np.argsort({like.name}) % 2", "array of indices")
    w.scope.arrays.append(Array(name, like.shape, True))


def swap(w: Writer) -> None:
    known = [a for a in w.bindable("arrays") if a.own]
    pairs = [(a, b) for a in known for b in known if a != b and a.shape == b.shape
             and a.integer == b.integer]  # fmt: skip
    if not pairs:
        return assign_number(w)
    a, b = w.pick(pairs)
    w.line(f"{a.name}, {b.name} = {b.name}, {a.name}", "swap of names")


def rename(w: Writer) -> None:
    """A name for an array that has one, as a branch goes."""
    known = [a for a in w.bindable("arrays") if a.own]
    pairs = [(a, b) for a in known for b in w.arrays() if a != b and a.shape == b.shape
             and a.integer == b.integer]  # fmt: skip
    if not pairs:
        return assign_array(w)
    a, b = w.pick(pairs)
    if w.one_in(4):
        return w.line(f"{a.name} = {b.name}", "another name")
    s = w.pick(w.bindable("numbers") or [None])
    with w.block(f"if {e.condition(w)}:", "another name in a branch"):
        both = f"{a.name}, {s} = {b.name}, {e.number(w, 1)}" if s and w.one_in(2) else ""
        w.line(both or f"{a.name} = {b.name}")
        if w.one_in(2):
            body(w, 1)
    if w.one_in(3):
        with w.block("else:", "else"):
            w.line(f"{a.name} = {w.pick([f'{a.name} + 1', f'{b.name} * 2', f'{b.name}.copy()'])}")


def view(w: Writer) -> None:
    """A name for a part of an array, or for another order of it."""
    views = w.arrays(lambda a: a.name.startswith("v"))
    a = w.pick(views if views and w.one_in(2) else w.arrays())
    name = w.fresh("v")
    forms: list[tuple[str, Shape]] = [(a.name, a.shape), (f"{a.name}[::-1]", a.shape)]
    first, *rest = a.shape
    base, more = first
    if e.may_shrink(first):
        less = ((base, more - 1), *rest)
        forms += [(f"{a.name}[1:]", less), (f"{a.name}[:-1]", less)]
    if base in SHORTEST:
        forms.append((f"{a.name}[::2]", ((name, 0), *rest)))
    if len(a.shape) == 1:
        forms += [(f"{a.name}.reshape(-1, 1)[:, 0]", a.shape), (f"{a.name}[:]", a.shape)]
    else:
        other = a.shape[1]
        forms += [(f"{a.name}.T", (other, first)), (f"{a.name}[{e.index(w, first)}]", (other,)),
                  (f"{a.name}[:, {e.index(w, other)}]", (first,)),
                  (f"{a.name}.ravel()", ((name, 0),)), (f"{a.name}.reshape(-1)", ((name, 0),)),
                  (f"np.diagonal({a.name})", ((name, 0),))]  # fmt: skip
        if e.may_shrink(other):
            forms.append((f"{a.name}[:, 1:]", (first, (other[0], other[1] - 1))))
    text, shape = w.pick(forms)
    w.line(f"{name} = {text}", "view of a view" if a.name.startswith("v") else "view")
    w.scope.arrays.append(Array(name, shape, a.integer, own=True))


def flatten(w: Writer) -> None:
    """A flat copy of a matrix, in whatever order its elements lie, some of which may be written."""
    matrices = w.arrays(lambda a: len(a.shape) == 2)
    if not matrices:
        return view(w)
    a, name = w.pick(matrices), w.fresh("b")
    if not a.integer and w.one_in(2):
        w.line(f"{a.name}[{e.index(w, a.shape[0])}] {w.pick(['=', *IN_PLACE])} {e.number(w, 1)}")
    forms = ["{}.flatten()", "{}.reshape(-1) * 2", "np.ravel({}) + 1", "{}.ravel()[::-1].copy()",
             "np.repeat({}, 2)", "np.sort({}, axis=None)", "np.concatenate([{0}.ravel(), {0}[0]])",
             "{}.flatten('F')", "np.maximum.accumulate({}.reshape(-1))"]  # fmt: skip
    w.line(f"{name} = {w.pick(forms).format(a.name)}", "flat form of a matrix")
    w.scope.arrays.append(Array(name, ((name, 0),), a.integer, own=True))


# Writes -------------------------------------------------------------------------------------------


def target(w: Writer) -> tuple[str, Shape, bool]:
    """A part of an array, its shape, and whether it holds indices."""
    a = w.pick(w.arrays(lambda a: not a.integer or w.one_in(8)))
    parts, shape = [], []
    for axis in a.shape:
        kind = w.rng.randrange(4)
        if kind == 1 and len(a.shape) > 1:
            parts.append(e.index(w, axis))
            continue
        if kind == 2 and e.may_shrink(axis):
            parts.append(w.pick(["1:", ":-1"]))
            axis = (axis[0], axis[1] - 1)
        else:
            parts.append(w.pick([":", ":", "::-1"]))
        shape.append(axis)
    return f"{a.name}[{', '.join(parts)}]", tuple(shape), a.integer


def write_slice(w: Writer) -> None:
    text, shape, integer = target(w)
    if not shape:
        value = e.number(w)
    else:
        value = e.array(w, shape, 2) if not w.one_in(4) else e.number(w, 1)
    if integer:
        value = f"{text} + 1" if w.one_in(3) else f"{text} * -1"
    w.line(f"{text} {'=' if w.one_in(2) else w.pick(IN_PLACE)} {value}", "write into a slice")


def write_element(w: Writer) -> None:
    text = e.element(w)
    value = e.number(w)
    w.line(f"{text} {w.pick(['=', *IN_PLACE])} {value}", "write into an element")


def write_part(w: Writer) -> None:
    x = w.pick(e.vectors(w)).name
    at = e.part(w)
    value = w.pick([e.number(w, 1), f"{x}[{at}] * 0.5", f"{x}[0]", f"{x}[{at}][::-1]"])
    w.line(f"{x}[{at}] {w.pick(['=', *IN_PLACE])} {value}")


def write_whole(w: Writer) -> None:
    a = w.pick(w.arrays(lambda a: not a.integer))
    mine = any(a is b for b in w.bindable("arrays")) or "[" in a.name
    left = w.pick([f"{a.name}[:]", f"{a.name}[...]", *([a.name] if mine else [])])
    sign = w.pick(IN_PLACE) if left == a.name else w.pick(["=", *IN_PLACE])
    w.line(f"{left} {sign} {e.array(w, a.shape, 2)}", "array in place")


def write_mask(w: Writer) -> None:
    a = w.pick(w.arrays(lambda a: not a.integer))
    other = e.fit(w, a.shape) or a.name
    test = f"{w.pick([a.name, other])} {w.pick(['<', '>'])} {e.number(w, 0)}"
    w.note("write by a mask")
    if w.one_in(3):
        name = w.fresh("mask")
        w.line(f"{name} = {test}")
        w.line(f"{a.name}[{name}] = {other}[{name}]")
    else:
        w.line(f"{a.name}[{test}] {w.pick(['=', *IN_PLACE])} {e.number(w, 1)}")


def write_indices(w: Writer) -> None:
    indices = w.pick(e.vectors(w, True) or [Array("np.array([0, -1, 0])", ())])
    a = w.pick(w.arrays(lambda a: not a.integer))
    value = e.number(w, 1)
    if len(a.shape) == 1 and indices.shape:
        value = w.pick([value, e.array(w, indices.shape)])
    w.line(f"{a.name}[{indices.name}] {w.pick(['=', *IN_PLACE])} {value}", "write by indices")


def write_call(w: Writer) -> None:
    """A function or method of NumPy's that writes."""
    a = w.pick(w.arrays(lambda a: not a.integer))
    s, other = e.number(w, 1), e.array(w, a.shape)
    x = e.operand(w, a.shape, 0)
    w.line(
        w.pick(
            [f"{a.name}.fill({s})", f"np.copyto({a.name}, {other})", f"{a.name}.sort()",
             f"np.add({x}, {other}, out={a.name})", f"np.multiply({x}, {s}, out={a.name})",
             f"np.add.at({a.name}, [0, 1, 0], {s})", f"np.put({a.name}, [0, -1], {s})",
             f"np.putmask({a.name}, {x} > 0, {s})", f"np.place({a.name}, {a.name} > 1, [{s}])",
             f"np.copyto({a.name}, {s}, where={x} > 0)", f"np.minimum({x}, {s}, {a.name})",
             f"np.subtract({x}, {other}, out={a.name}, where={x} < 1)"]
        ),
        "function that writes",
    )  # fmt: skip


# Blocks -------------------------------------------------------------------------------------------


def branch(w: Writer) -> None:
    with w.block(f"if {e.condition(w)}:", "if"):
        body(w, 3)
    if w.one_in(4):
        with w.block(f"elif {e.condition(w)}:", "elif"):
            body(w, 2)
    if w.one_in(2):
        with w.block("else:"):
            w.note("else")
            body(w, 2)


def too_often(w: Writer, runs: int) -> bool:
    return w.runs * runs > MOST_RUNS


def loop_range(w: Writer) -> None:
    """A loop over the indices of an axis."""
    axis = w.pick(w.pick(w.arrays()).shape)
    base, more = axis
    if too_often(w, 6):
        return loop_short(w)
    n, i = e.length(w, axis), w.fresh("i")
    first = w.pick(["", "", "1, "])
    header = w.pick([f"range({first}{n})", f"range({first}{n} - 1)"])
    if w.one_in(4):
        header = w.pick([f"reversed(range({n}))", f"range({n} - 1, -1, -1)", f"range(0, {n}, 2)"])
        w.note("loop backwards or by steps")
    room = more - 1 if header.endswith("- 1)") else more
    note = "nested loop" if w.loops else "for over range"
    with w.loop(f"for {i} in {header}:", 6, note) as scope:
        scope.indices.append(Index(i, base, room))
        body(w, 3)
    otherwise(w)


def loop_short(w: Writer) -> None:
    """A loop of a few iterations, as many as an argument says, or a value."""
    i = w.fresh("i")
    many = ["3", "2", "K", *[f"{k} % 4" for k in w.seen("integers")]]
    if e.sized not in w.avoided:
        many.append(f"min(abs(int({e.number(w, 0)})), 3)")
    with w.loop(f"for {i} in range({w.pick(many)}):", 3, "for over a computed range") as scope:
        scope.integers.append(i)
        body(w, 3)
    otherwise(w)


def loop_items(w: Writer) -> None:
    """A loop over elements, rows, or several at once."""
    if too_often(w, 6):
        return loop_short(w)
    a, b, i, x, y = w.pick(w.arrays()), w.pick(e.vectors(w)), *map(w.fresh, "ixy")
    row = a.shape[1:]
    form = w.pick(["items", "enumerate", "zip"])
    header = {
        "items": f"for {x} in {a.name}:",
        "enumerate": f"for {i}, {x} in enumerate({a.name}):",
        "zip": f"for {x}, {y} in zip({a.name}, {b.name}):",
    }[form]
    with w.loop(header, 6, f"for over {form}") as scope:
        if row:
            scope.arrays.append(Array(x, row, a.integer, own=True))
        else:
            scope.numbers.append(x)
        if form == "enumerate":
            scope.indices.append(Index(i, *a.shape[0]))
        elif form == "zip":
            scope.numbers.append(y)
        body(w, 3)
    otherwise(w)


def loop_while(w: Writer) -> None:
    """A loop by a condition, with a counter."""
    if too_often(w, 5):
        return loop_short(w)
    k = w.fresh("count")
    w.line(f"{k} = 0")
    if w.one_in(3):
        with w.loop("while True:", 4, "while True"):
            w.line(f"{k} += 1")
            with w.block(f"if {k} > 4 or {e.condition(w)}:"):
                w.line("break", "break")
            body(w, 3)
        return
    with w.loop(f"while {k} < 5 and ({e.condition(w)}):", 5, "while"):
        w.line(f"{k} += 1")
        body(w, 3)
    otherwise(w)


def otherwise(w: Writer) -> None:
    """Now and then, what a loop does that was not broken off."""
    if w.one_in(8):
        with w.block("else:"):
            w.note("else of a loop")
            body(w, 1)


def leave(w: Writer) -> None:
    """``break`` or ``continue``, mostly under a condition."""
    if not w.loops:
        return add_to_number(w)
    word = w.pick(["break", "continue"])
    with w.block(f"if {e.condition(w)}:"):
        w.line(word, word)


def leave_function(w: Writer) -> None:
    with w.block(f"if {e.condition(w)}:"):
        give(w, "early return")


def give(w: Writer, note: str = "") -> None:
    """A ``return`` of what the function gives."""
    gives = next(scope.function for scope in reversed(w.scopes) if scope.function)
    if gives == "number":
        text = e.number(w)
    elif gives == "array":
        text = e.array(w, (("v", 0),))
    else:
        text = results(w)
    w.line(f"return {text}", note)


def results(w: Writer) -> str:
    """Some of what is in sight, arrays as they are: views stay views."""
    names = [a.name for a in w.arrays()] + w.seen("numbers") + w.seen("integers") + w.seen("lists")
    names += w.seen("values")
    some = [w.pick(names) for _ in range(1 + w.rng.randrange(4))]
    if w.one_in(3):
        some.append(e.number(w, 1))
    return ", ".join(some)


def assertion(w: Writer) -> None:
    test = e.condition(w)
    if w.one_in(3):
        w.line(f"assert {test}", "assert")
    else:
        a = w.pick(w.arrays())
        w.line(f"assert {a.name}.shape[0] > 1, 'two at least'", "assert")


def failure(w: Writer) -> None:
    """An exception, under a condition."""
    with w.block(f"if {e.condition(w, 0)}:"):
        texts = ["'no further'", f"f\"\"\"no further than {{{e.number(w, 1)}}}\"\"\"",
                 f"'at %g' % ({e.number(w, 0)})"]  # fmt: skip
        w.line(f"raise ValueError({w.pick(texts)})", "raise")


def guarded(w: Writer) -> None:
    """``try`` with a handler, or with what is done in any case."""
    if w.one_in(2):
        with w.block("try:", "try, finally"):
            body(w, 2)
        with w.block("finally:"):
            write_element(w)
        return
    with w.block("try:", "try, except"):
        body(w, 2)
    with w.block("except (IndexError, ValueError):"):
        add_to_number(w)


def with_block(w: Writer) -> None:
    with w.block('with np.errstate(divide="ignore"):', "with"):
        body(w, 2)


# Functions and lists ------------------------------------------------------------------------------


def call_helper(w: Writer) -> None:
    """A call for what it writes."""
    helpers = w.seen("helpers")
    if not helpers:
        return write_element(w)
    w.line(e.call_of(w, w.pick(helpers), None))


def closure(w: Writer) -> None:
    """A nested function, which reads and writes what is around it."""
    if len([s for s in w.scopes if s.function]) > 1 or w.loops:
        return call_helper(w)
    name, t = w.fresh("f"), w.fresh("t")
    if w.one_in(3):
        w.line(f"{name} = lambda {t}: {t} * {e.number(w, 1)}", "lambda")
        helper = w.pick([Helper(name, "{s}", "number"), Helper(name, "{v}", "array")])
    else:
        shared = [name for name in w.bindable("numbers") if name.isidentifier()]
        with w.block(f"def {name}({t}):", "nested function", "number") as scope:
            scope.numbers.append(t)
            if shared and w.one_in(2):
                s = w.pick(shared)
                w.line(f"nonlocal {s}")
                w.line(f"{s} += {e.number(w, 1)}", "nonlocal")
                scope.numbers.append(s)
            body(w, 2)
            give(w)
        helper = Helper(name, "{s}", "number")
    w.scope.helpers.append(helper)
    if helper.gives == "number":
        s = w.fresh("s")
        w.line(f"{s} = {e.call_of(w, helper, None)}")
        w.scope.numbers.append(s)


def new_list(w: Writer) -> None:
    name = w.fresh("items")
    x, y = w.pick(e.vectors(w)).name, w.pick(e.vectors(w)).name
    forms = [
        "[]", f"[{e.number(w, 1)}]", f"[v * 2 for v in {x} if v > 0]",
        f"[v for v, u in zip({x}, {y}) if v * u < {e.number(w, 0)}]",
        f"[j for j in range(len({x})) if {x}[j] > {e.number(w, 0)}]",
        f"[u * v for u in {x} for v in {y} if u > v]",
    ]  # fmt: skip
    w.line(f"{name} = {w.pick(forms)}", "list")
    w.scope.lists.append(name)


def append(w: Writer) -> None:
    known = w.seen("lists")
    if not known:
        return new_list(w)
    w.line(f"{w.pick(known)}.append({e.number(w)})", "append")


def grow(w: Writer) -> None:
    """A list that a loop makes longer, and what is made of it."""
    if too_often(w, 6):
        return append(w)
    name, a, i, x = w.fresh("items"), w.pick(w.arrays()), *map(w.fresh, "ix")
    w.line(f"{name} = {w.pick(['[]', '[]', f'[{e.number(w, 0)}]'])}", "list that grows")
    w.scope.lists.append(name)
    with w.loop(f"for {i}, {x} in enumerate({a.name}):", 6, "for over enumerate") as scope:
        scope.indices.append(Index(i, *a.shape[0]))
        if len(a.shape) > 1:
            scope.arrays.append(Array(x, a.shape[1:], a.integer))
        else:
            scope.numbers.append(x)
        forms = [f"{name}.append({e.number(w)})", f"{name}.append({i})", f"{name} += [{i}, {x}]"]
        if len(a.shape) > 1:
            forms = [f"{name}.append({x}.sum())", f"{name}.append({i})"]
        if w.one_in(2):
            with w.block(f"if {e.condition(w)}:"):
                w.line(w.pick(forms), "append")
        else:
            w.line(w.pick(forms), "append")
        body(w, 2)
    s = w.fresh("s")
    w.line(f"{s} = {e.list_size(w, 0)}")
    w.scope.numbers.append(s)


#: Statements without a block, for the end of the budget.
SIMPLE = {
    assign_number: 4, write_element: 4, add_to_number: 5, write_slice: 5, write_whole: 3,
    write_mask: 2,
}  # fmt: skip
STATEMENTS = {
    **SIMPLE, assign_array: 4, rename: 3, view: 5, flatten: 3, new_array: 2, assign_integer: 3,
    new_indices: 1, write_indices: 2, write_call: 3, swap: 1, branch: 5, loop_range: 7,
    loop_short: 2, loop_items: 3, loop_while: 3, leave: 5, leave_function: 1, assertion: 1,
    failure: 1, guarded: 1, with_block: 1, call_helper: 2, closure: 2, new_list: 1, append: 3,
    write_part: 2, grow: 2,
}  # fmt: skip

#: As those of expressions that ask for values.
BY_VALUE = {*e.BY_VALUE, write_part, assign_integer, loop_items, guarded, new_list, append, grow}
