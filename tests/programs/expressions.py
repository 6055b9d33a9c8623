"""Random expressions: numbers, indices, conditions and arrays of a given shape, as text."""

from __future__ import annotations

from programs.scope import SHORTEST, Array, Helper, Length, Shape, Writer

OPERATORS = ["+", "-", "*"]
COMPARISONS = ["<", ">", "<=", ">=", "==", "!="]
CONSTANTS = ["0", "1", "2", "0.5", "-1.5", "3", "0.0", "True"]
FACTORS = ["0.5", "2", "-1", "0.25", "1.5"]


# Lengths and indices ------------------------------------------------------------------------------


def length(w: Writer, wanted: Length) -> str:
    """An expression for a length."""
    for array in reversed(w.arrays()):
        for axis, (base, more) in enumerate(array.shape):
            if base == wanted[0]:
                one = len(array.shape) == 1 and w.one_in(2)
                text = f"len({array.name})" if one else f"{array.name}.shape[{axis}]"
                off = wanted[1] - more
                return text if not off else f"({text} {'+' if off > 0 else '-'} {abs(off)})"
    raise AssertionError(f"no array has an axis {wanted[0]}")


def index(w: Writer, axis: Length) -> str:
    """An expression for an index into an axis, now and then out of bounds."""
    base, more = axis
    found = ["0", "1", "-1", "-2"]
    for i in w.seen("indices"):
        if i.base == base:
            near = [i.name, i.name, f"-{i.name} - 1"] if i.room <= more else []
            near += [f"{i.name} - 1"] if i.room <= more + 1 else []
            near += [f"{i.name} + 1"] if i.room < more or w.one_in(6) else []
            found = near * 3 + found if near else found
    found += [f"{k} % 2" for k in w.seen("integers")]
    if w.one_in(4):
        w.note("computed index")
        found = [f"int({p.name}[{constant_index(w)}])" for p in vectors(w, True)]
        found += [k for k in w.seen("integers") if w.one_in(2)] + ["K % 2"]
    return w.pick(found)


def constant_index(w: Writer) -> str:
    return w.pick(["0", "1", "-1"])


def vectors(w: Writer, integer: bool = False) -> list[Array]:
    return w.arrays(lambda a: len(a.shape) == 1 and a.integer == integer)


def element(w: Writer, integer: bool = False) -> str:
    """An element of an array."""
    array = w.pick(w.arrays(lambda a: a.integer == integer) or w.arrays())
    w.note("element")
    return f"{array.name}[{', '.join(index(w, axis) for axis in array.shape)}]"


# Numbers ------------------------------------------------------------------------------------------


def number(w: Writer, depth: int = 2) -> str:
    """An expression for a number of any type."""
    text: str = w.weighted(NUMBERS if depth > 0 else LEAVES)(w, depth - 1)
    return text


def known_number(w: Writer, depth: int) -> str:
    names = w.seen("numbers") + w.seen("integers") + [i.name for i in w.seen("indices")]
    return w.pick(names or CONSTANTS)


def constant(w: Writer, depth: int) -> str:
    return w.pick(CONSTANTS)


def any_element(w: Writer, depth: int) -> str:
    return element(w, w.one_in(5))


def a_length(w: Writer, depth: int) -> str:
    w.note("length")
    return length(w, w.pick(w.pick(w.arrays()).shape))


def arithmetic(w: Writer, depth: int) -> str:
    return f"({number(w, depth)} {w.pick(['+', '-'])} {number(w, depth)})"


def scaled(w: Writer, depth: int) -> str:
    return f"({number(w, depth)} * {w.pick(FACTORS)})"


def quotient(w: Writer, depth: int) -> str:
    w.note("division of scalars")
    operator = w.pick(["/", "//", "%"])
    by = number(w, 0) if w.one_in(6) else w.pick(["2", "3", "-3", "2.0"])
    return f"({number(w, depth)} {operator} {by})"


def function_of_one(w: Writer, depth: int) -> str:
    name = w.pick(["abs", "float", "np.float64", "np.abs", "round", "bool", "np.sign"])
    w.note("function of a scalar")
    return f"{name}({number(w, depth)})"


def extreme(w: Writer, depth: int) -> str:
    w.note("min or max")
    return f"{w.pick(['min', 'max'])}({number(w, depth)}, {number(w, depth)})"


def conditional(w: Writer, depth: int) -> str:
    w.note("conditional expression")
    return f"({number(w, depth)} if {condition(w, depth)} else {number(w, depth)})"


def reduction(w: Writer, depth: int) -> str:
    """A reduction of an array to a number; sums only where they may be reordered."""
    a = w.pick(w.arrays()).name
    w.note("reduction")
    exact = [f"{a}.max()", f"{a}.min()", f"np.max({a})", f"int({a}.argmax())", f"({a} > 0).sum()"]
    if not w.sums or not w.one_in(3):
        return w.pick(exact)
    w.summed = True
    return w.pick([f"{a}.sum()", f"np.sum({a})", f"{a}.mean()", f"({a} * {a}).sum()"])


def change(w: Writer, depth: int) -> str:
    """The largest difference of two arrays: a test of convergence."""
    a = w.pick(w.arrays(lambda a: not a.integer))
    return f"np.abs({a.name} - {array(w, a.shape, depth)}).max()"


def part(w: Writer) -> str:
    """A slice whose bounds are values."""
    bounds = [i.name for i in w.seen("indices")] + [f"{k} % 4" for k in w.seen("integers")]
    bounds += [f"{p.name}[{constant_index(w)}]" for p in vectors(w, True)]
    w.note("slice by values")
    low, high = w.pick(bounds or ["K"]), w.pick(bounds or ["K"])
    return w.pick([f":{high}", f"{low}:", f":{high} + 1", f"{low} + 1:", f"{low}:{high}"])


def of_part(w: Writer, depth: int) -> str:
    """A reduction of a slice whose length is a value's, which may be empty."""
    x, y, at = w.pick(vectors(w)).name, w.pick(vectors(w)).name, part(w)
    exact = [f"{x}[{at}].max(initial=0.0)", f"len({x}[{at}])", f"({x}[{at}] > 0).any()"]
    if not w.sums or not w.one_in(2):
        return w.pick(exact)
    w.summed = True
    return w.pick([f"{x}[{at}].sum()", f"{x}[{at}] @ {x}[{at}]", f"np.dot({y}[{at}], {y}[{at}])"])


def sized(w: Writer, depth: int) -> str:
    """What depends on an array as long as a value says."""
    w.note("size by a value")
    n = f"int(abs({number(w, 0)})) % 4"
    return w.pick([f"np.arange({n}).sum()", f"np.ones({n}).size", f"np.zeros({n}).max(initial=-1)"])


def generator(w: Writer, depth: int) -> str:
    w.note("generator expression")
    v = w.pick(vectors(w)).name
    return w.pick(
        [f"sum(v * 0.5 for v in {v})", f"max(abs(v) for v in {v})", f"sum(v > 1 for v in {v})",
         f"any(v > 1 for v in {v})", f"all(v < 9 for v in {v})",
         f"sum(j * {v}[j] for j in range(len({v})))",
         f"sum(v for v in {v} if v > 0)", f"any(v > 1 for v in {v} if v != 2)",
         f"max([v for v in {v} if v > 0], default=0)", f"len([v for v in {v} if v < 1])"]
    )  # fmt: skip


def of_list(w: Writer, depth: int) -> str:
    return list_size(w, depth) if w.seen("lists") else known_number(w, depth)


def list_size(w: Writer, depth: int) -> str:
    """A number that a list gives."""
    w.note("list")
    forms = [
        "len({0})", "sum({0})", "max({0}, default=0)", "({0}[-1] if {0} else 0.5)",
        "np.array({0}).sum()", "sum(v * 2 for v in {0})", "{0}[len({0}) // 2]", "sum({0}[:2])",
    ]  # fmt: skip
    return w.pick(forms).format(w.pick(w.seen("lists")))


def call(w: Writer, depth: int) -> str:
    helpers = [h for h in w.seen("helpers") if h.gives == "number"]
    if not helpers or not w.one_in(2):
        return known_number(w, depth)
    return call_of(w, w.pick(helpers), None)


def call_of(w: Writer, helper: Helper, vector: str | None) -> str:
    """A call of a helper or of a nested function."""
    w.note(f"call of a {'helper' if helper.name.startswith('h') else 'closure'}")
    vector = vector or w.pick(vectors(w)).name
    return f"{helper.name}({helper.arguments.format(v=vector, s=number(w, 0))})"


# Conditions ---------------------------------------------------------------------------------------


def condition(w: Writer, depth: int = 1) -> str:
    text: str = w.weighted(CONDITIONS)(w, depth - 1)
    return text


def comparison(w: Writer, depth: int) -> str:
    return f"{number(w, max(depth, 0))} {w.pick(COMPARISONS)} {number(w, 0)}"


def chained(w: Writer, depth: int) -> str:
    w.note("chained comparison")
    return f"{w.pick(['-1', '0'])} {w.pick(['<', '<='])} {number(w, 0)} < {w.pick(['1', '3'])}"


def parity(w: Writer, depth: int) -> str:
    names = w.seen("integers") + [i.name for i in w.seen("indices")]
    return f"{w.pick(names or ['K'])} % {w.pick(['2', '3'])} == {w.pick(['0', '1'])}"


def size_test(w: Writer, depth: int) -> str:
    return f"{a_length(w, 0)} {w.pick(['<', '>'])} {w.pick(['3', '6'])}"


def both(w: Writer, depth: int) -> str:
    w.note("and, or, not")
    if depth < 0:
        return f"not {comparison(w, 0)}"
    return f"{condition(w, depth)} {w.pick(['and', 'or'])} {comparison(w, 0)}"


def all_or_any(w: Writer, depth: int) -> str:
    a = w.pick(w.arrays())
    test = w.pick(["({} > 0).any()", "np.all({} < 9)", "({} == 0).all()", "np.any({} < -1)"])
    w.note("test of an array")
    return test.format(a.name)


# Arrays -------------------------------------------------------------------------------------------


def fit(w: Writer, shape: Shape) -> str | None:
    """An array in sight, or a part of one, that has this shape; None where there is none."""
    found = []
    for a in w.arrays():
        parts = fitting_slices(w, a.shape, shape)
        if parts is not None:
            whole = all(p == ":" for p in parts)
            found.append(a.name if whole else f"{a.name}[{', '.join(parts)}]")
        if len(a.shape) == 2 and len(shape) == 1:
            for k in (0, 1):
                rest = fitting_slices(w, a.shape[1 - k : 2 - k], shape)
                if rest is not None:
                    at = index(w, a.shape[k])
                    parts = [at, rest[0]] if k == 0 else [rest[0], at]
                    found.append(f"{a.name}[{', '.join(parts)}]")
    return w.pick(found) if found else None


def fitting_slices(w: Writer, have: Shape, wanted: Shape) -> list[str] | None:
    if len(have) != len(wanted):
        return None
    parts = []
    for (base, more), (other, less) in zip(have, wanted, strict=True):
        over = more - less
        if base != other or over < 0:
            return None
        low = w.rng.randrange(over + 1)
        high = over - low
        parts.append(f"{low or ''}:{f'-{high}' if high else ''}")
    return parts


def array(w: Writer, shape: Shape, depth: int = 1) -> str:
    """An expression for an array of this shape, or a number that stands for one."""
    text: str = w.weighted(ARRAYS if depth > 0 else ARRAY_LEAVES)(w, shape, depth - 1)
    return text


def operand(w: Writer, shape: Shape, depth: int) -> str:
    return fit(w, shape) or filled(w, shape, depth)


def filled(w: Writer, shape: Shape, depth: int) -> str:
    w.note("creation")
    sizes = ", ".join(length(w, axis) for axis in shape)
    return f"np.full(({sizes},), {number(w, 0)})"


def binary(w: Writer, shape: Shape, depth: int) -> str:
    return f"({array(w, shape, depth)} {w.pick(OPERATORS)} {array(w, shape, depth)})"


def with_number(w: Writer, shape: Shape, depth: int) -> str:
    return f"({operand(w, shape, 0)} {w.pick(OPERATORS)} {number(w, max(depth, 0))})"


def divided(w: Writer, shape: Shape, depth: int) -> str:
    return f"({array(w, shape, depth)} / {w.pick(['2', '4.0', number(w, 0)])})"


def elementwise(w: Writer, shape: Shape, depth: int) -> str:
    w.note("ufunc")
    x, y = array(w, shape, depth), array(w, shape, 0)
    return w.pick(
        [f"np.abs({x})", f"np.minimum({x}, {y})", f"np.maximum({x}, {number(w, 0)})",
         f"np.sqrt(np.abs({x}))", f"-{operand(w, shape, 0)}", f"np.floor({x})",
         f"np.clip({operand(w, shape, 0)}, -1, 1)"]
    )  # fmt: skip


def chosen(w: Writer, shape: Shape, depth: int) -> str:
    w.note("np.where")
    test = f"{operand(w, shape, 0)} {w.pick(['<', '>'])} {number(w, 0)}"
    return f"np.where({test}, {array(w, shape, depth)}, {array(w, shape, 0)})"


def rearranged(w: Writer, shape: Shape, depth: int) -> str:
    w.note("rearranged")
    x = operand(w, shape, 0)
    return w.pick([f"{x}[::-1]", f"np.roll({x}, 1)", f"{x}.copy()", f"np.sort({x})"])


def gathered(w: Writer, shape: Shape, depth: int) -> str:
    """Elements by an array of indices."""
    found = [p for p in vectors(w, True) if p.shape == shape[:1]]
    fits = w.arrays(lambda a: len(a.shape) == len(shape) and a.shape[1:] == shape[1:])
    if not found or not fits:
        return operand(w, shape, depth)
    w.note("gather")
    return f"{w.pick(fits).name}[{w.pick(found).name}]"


def reduced(w: Writer, shape: Shape, depth: int) -> str:
    """A vector, from a matrix."""
    fits = [(a, k) for a in w.arrays(lambda a: len(a.shape) == 2) for k in (0, 1)
            if a.shape[1 - k : 2 - k] == shape]  # fmt: skip
    if len(shape) != 1 or not fits:
        return operand(w, shape, depth)
    a, k = w.pick(fits)
    w.note("reduction of an axis")
    w.summed |= w.sums
    return f"{a.name}.{w.pick(['max', 'sum'] if w.sums else ['max', 'min'])}(axis={k})"


def comprehension(w: Writer, shape: Shape, depth: int) -> str:
    if len(shape) != 1 or w.runs > 10:
        return operand(w, shape, depth)
    w.note("comprehension")
    v = w.fresh("j")
    return f"np.array([{v} * {number(w, 0)} for {v} in range({length(w, shape[0])})])"


def array_call(w: Writer, shape: Shape, depth: int) -> str:
    helpers = [h for h in w.seen("helpers") if h.gives == "array"]
    vector = fit(w, shape)
    if len(shape) != 1 or not helpers or vector is None:
        return operand(w, shape, depth)
    return call_of(w, w.pick(helpers), vector)


LEAVES = {known_number: 5, constant: 3, any_element: 4}
NUMBERS = {
    **LEAVES, arithmetic: 4, scaled: 3, quotient: 2, function_of_one: 2, extreme: 1, reduction: 3,
    conditional: 1, change: 1, a_length: 1, generator: 1, of_list: 2, call: 4,
    of_part: 2, sized: 1,
}  # fmt: skip
CONDITIONS = {comparison: 5, parity: 2, size_test: 1, chained: 2, both: 2, all_or_any: 2}
ARRAY_LEAVES = {operand: 1}
ARRAYS = {
    operand: 4, with_number: 4, binary: 4, divided: 2, elementwise: 2, chosen: 1, rearranged: 1,
    gathered: 1, reduced: 2, comprehension: 1, array_call: 3, filled: 1,
}  # fmt: skip


def may_shrink(axis: Length) -> bool:
    """Whether an element can be cut off an axis, and two are left."""
    return axis[1] > SHORTEST.get(axis[0], 0)


#: What asks for values of arrays: a program without it knows which way it goes by its sizes.
BY_VALUE = {
    comparison, chained, both, all_or_any, quotient, extreme, function_of_one, generator, sized,
    of_list, of_part,
}  # fmt: skip
