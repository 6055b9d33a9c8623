"""Statements that draw from all of NumPy's namespace, by the examples that `tools` has of it.

What an example gives is told by running it over samples of its operands' shapes: arrays of known
lengths are names like others afterwards, all else is a value that the program may return.
"""

from __future__ import annotations

import ast
import functools
import warnings
from typing import Any

import numpy as np

from programs import expressions as e
from programs.scope import Array, Length, Shape, Writer
from tools.op_examples import EXAMPLES, FFT, LINALG, WRITES

#: What is no function of values, or sets what others read.
_OTHERS = set(
    "asarray_chkfinite asmatrix bmat busday_count busday_offset datetime_as_string datetime_data "
    "empty empty_like errstate from_dlpack frombuffer fromfile fromiter fromregex fromstring "
    "frompyfunc genfromtxt get_include get_printoptions getbufsize geterr geterrcall info "
    "is_busday load loadtxt nested_iters ndarray printoptions save savetxt savez savez_compressed "
    "set_printoptions setbufsize seterr seterrcall show_config show_runtime test".split()
)
#: Calls with options, and methods.
_OPTIONS = (
    "np.sum(x, axis=(0, 1), keepdims=True)", "np.max(x, axis=1, keepdims=True)",
    "np.sum(x, axis=0, where=m)", "np.prod(x, axis=1, initial=2)",
    "np.min(x, initial=0, where=m)", "np.mean(x, axis=0, dtype=np.float32)",
    "np.std(x, axis=1, ddof=1)", "np.var(x, keepdims=True)", "np.add(x, v, dtype=np.float64)",
    "np.add(x, y, out=np.zeros_like(x))", "np.sqrt(x, where=m, out=np.ones_like(x))",
    "np.add.reduce(x, axis=1)", "np.add.outer(v, h)", "np.multiply.accumulate(x, axis=0)",
    "np.add.reduceat(x, [0, 2, 1], axis=1)", "np.maximum.reduce(x, axis=None)",
    "np.subtract.at(x, i, y)", "x.argsort(axis=0)", "x.astype(np.float32)", "x.round(1)",
    "x.std()", "x.var(axis=0)", "x.nonzero()", "x.tolist()", "x.item(0)", "x.dot(v)",
    "x.cumprod(axis=1)", "x.trace()", "x.diagonal(1)", "x.ravel('F')", "x.repeat(2, axis=1)",
    "x.take(i, axis=0)", "x.compress([True, False], axis=0)", "x.copy('F')", "x.swapaxes(0, 1)",
    "x.flatten('F')", "x.max(axis=0, initial=1)", "x.any(axis=1)", "x.all()", "x.argmax(axis=1)",
    "x.mean(axis=1, keepdims=True)", "x.clip(v, None)", "x.clip(max=1)", "x.conj()",
    "np.sort(x[0]).searchsorted(v)", "np.sort(v).searchsorted(w)", "x.choose([x, y])",
    "x.sum(axis=-1)", "x.view()",
    "x.squeeze()", "x.T @ h", "x @ v", "s @ s", "x.real", "x.imag", "x.flat[1:5]", "x[m]", "x[i]",
    "x[i, i]", "x[:, None, ::2]", "x[..., -1]", "x[[True, False] * 1]", "x[m[:, 0]]",
    "x[i][:, ::-1]", "x[np.ix_([0, 1], [1, 0])]", "v[None] < h[:, None]", "x ** 2", "x // y",
    "x % y", "-x", "~m", "m & (y > 0)", "m | (y > 0)", "x == y", "abs(x)", "divmod(x, y)",
    "x ** y", "np.where(m)", "np.pad(x, ((1, 0), (0, 2)), 'edge')",
    "np.pad(v, 2, constant_values=3)", "np.pad(x, 1, 'reflect')", "np.pad(v, 1, 'linear_ramp')",
    "np.roll(x, (1, -1), (0, 1))", "np.flip(x, axis=1)", "np.rot90(x, 2)", "np.diff(x, 2)",
    "np.diff(x, axis=0, prepend=0)", "np.cumsum(x, axis=None)",
    "np.unique(x, return_counts=True)", "np.unique(v, axis=0)",
    "np.unique(x, return_inverse=True, return_index=True)", "np.argsort(x, kind='stable')",
    "np.sort(x, axis=0)", "np.median(x, axis=0)", "np.quantile(v, [0.25, 0.5])",
    "np.percentile(v, 40, method='nearest')", "np.average(x, axis=1, weights=v)",
    "np.gradient(x, axis=0)", "np.gradient(v, 2.0)", "np.histogram(v, bins=[-1, 0, 1])",
    "np.bincount(i, weights=h)", "np.interp(v, [0.0, 1.0], [2.0, 3.0], left=-1)",
    "np.searchsorted(np.sort(v), w, side='right')", "np.digitize(v, [0.0, 1.0], right=True)",
    "np.einsum('ii', s)", "np.einsum('ij->j', x)", "np.einsum('ij,ij->i', x, y)",
    "np.tensordot(x, y, ((0, 1), (0, 1)))", "np.linalg.norm(x, axis=1)",
    "np.linalg.norm(v, np.inf)", "np.linalg.norm(x, 1)", "np.convolve(v, [1.0, 2.0], 'same')",
    "np.trapezoid(x, axis=0)", "np.insert(v, [1, 2], 9)", "np.delete(v, [0, -1])",
    "np.append(v, h)", "np.tril(x, -1)", "np.isin(i, [0, 2])",
    "np.select([x > 1, x < 0], [x, y], 5)", "np.nan_to_num(x / 0)", "np.stack([v, w], axis=1)",
    "np.concatenate([x, y], axis=None)", "np.repeat(v, [1] * len(v))",
    "np.linspace(0, 1, len(v))", "np.arange(0, len(v), 0.5)", "np.full((2, len(v)), w)",
    "np.lexsort((w, v))", "np.count_nonzero(x, axis=0)", "np.ptp(x, axis=0)",
    "np.vstack([v, w, v])", "np.broadcast_to(v, (3, len(v)))", "np.round(x, -1)",
    "np.argpartition(v, 1)[:1]", "np.apply_along_axis(lambda r: r.max() - r, 1, x)",
    "np.vectorize(lambda a, b: a + 2 * b)(x, y)", "[r.sum() for r in x]",
    "{'a': x + 1, 'b': [v, w]}", "np.array([[1, v[0]], [w[1], 2]])", "sorted(v)",
    "list(map(float, v))", "sum(v)", "max(v, key=abs)", "[*zip(v, w)]", "dict(enumerate(v))",
)  # fmt: skip
#: Operands of other dtypes: the text, and what the sample becomes.
_CASTS = (
    "np.clip(np.nan_to_num({}), -9, 9).astype(np.int32)", "({} > 0)", "({} * 1j)",
    "np.clip({}, -9, 9).astype(np.float16)", "np.clip(np.nan_to_num({}), 0, 9).astype(np.uint8)",
    "{}.astype(np.float32)", "np.asfortranarray({})", "{}[::-1]", "({} + 0.5)", "{}[:0]",
    "{}[:1]",
)  # fmt: skip
#: Lengths of axes in samples, of the two sizes of calls.
_SIZES = {"n": (6, 7), "m": (4, 5)}


@functools.cache
def calls() -> list[str]:
    """The examples: most functions of the namespace are there once."""
    # Of what is not in order, NumPy's searches give anything.
    ordered = {
        "interp": "np.interp(w, np.sort(v), w)",
        "searchsorted": "np.searchsorted(np.sort(v), x)",
    }
    texts = [*(EXAMPLES | ordered).values(), *LINALG.values(), *FFT.values(), *_OPTIONS]
    for name in sorted(set(np.__all__) - _OTHERS - EXAMPLES.keys()):
        f = getattr(np, name)
        if isinstance(f, np.ufunc):
            texts.append(f"np.{name}({', '.join('xy'[: f.nin])})")
        elif callable(f) and not isinstance(f, type):
            texts.append(f"np.{name}(x)")
    return [text for text in texts if "np.empty" not in text and "np.ndarray" not in text]


# Operands -----------------------------------------------------------------------------------------


def operands(w: Writer, text: str) -> tuple[dict[str, str], dict[str, tuple[Shape, str]]]:
    """What the letters of an example stand for: texts, and shapes with casts."""
    matrices = w.arrays(lambda a: len(a.shape) == 2)
    whole = w.pick(matrices if matrices and not w.one_in(4) else w.arrays())
    shape = whole.shape
    row, column = shape[-1:], shape[:1]
    texts = {"x": whole.name, "y": e.operand(w, shape, 0)}
    shapes = {"x": shape, "y": shape}
    for letter, wanted in {"v": row, "w": row, "h": column}.items():
        texts[letter] = e.operand(w, wanted, 0)
        shapes[letter] = wanted
    square = w.arrays(lambda a: len(a.shape) == 2 and a.shape[0] == a.shape[1])
    if square:
        texts["s"], shapes["s"] = (s := w.pick(square)).name, s.shape
    else:
        texts["s"], shapes["s"] = f"np.outer({texts['h']}, {texts['h']})", column * 2
    texts["m"], shapes["m"] = f"({texts['x']} > {e.number(w, 0)})", shape
    texts["i"], shapes["i"] = f"np.argsort({texts['h']})", column
    texts["k"], shapes["k"] = f"np.argsort({texts['x']}, axis=-1)", shape
    texts["dtype"] = w.pick(["float", "np.float32", "np.int64", f"{texts['x']}.dtype"])
    described = {letter: (shapes[letter], "{}") for letter in shapes}
    if w.one_in(3):
        cast = w.pick(_CASTS)
        for letter in "xyvwhs" if w.one_in(2) else w.pick("xyvwhs"):
            texts[letter] = cast.format(texts[letter])
            described[letter] = described[letter][0], cast
    used = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
    return texts, {letter: d for letter, d in described.items() if letter in used}


class _Put(ast.NodeTransformer):
    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        text = self.texts.get(node.id)
        return node if text is None else ast.parse(text, mode="eval").body


def put(text: str, texts: dict[str, str]) -> str:
    """An example with its operands."""
    return ast.unparse(_Put(texts).visit(ast.parse(text)))


# What they give -----------------------------------------------------------------------------------


@functools.cache
def told(text: str, described: tuple[tuple[str, tuple[Shape, str]], ...]) -> list[Any] | None:
    """What an example gives: results for two sizes, each of two values; None where it raises."""
    code = compile(text, "<example>", "eval" if _is_expression(text) else "exec")
    found = []
    for size in (0, 1):
        for seed in (1, 2):
            rng = np.random.default_rng(seed)
            names: dict[str, Any] = {"np": np, "dtype": float}
            for letter, (shape, cast) in described:
                lengths = [_SIZES.get(base, (4, 5))[size] + more for base, more in shape]
                sample = rng.integers(-8, 9, lengths) / 4
                if letter == "m":
                    sample = sample > 0
                elif letter in "ik":
                    sample = np.argsort(sample, axis=-1)
                names[letter] = eval(cast.format("a"), {"np": np, "a": sample})
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found.append(eval(code, names))
                except Exception:
                    return None
    return found


def _is_expression(text: str) -> bool:
    return isinstance(ast.parse(text).body[0], ast.Expr)


def lengths_of(results: list[Any], axes: list[Length], name: str) -> Shape | None:
    """The shape of an array, in terms of lengths that are known; None where values tell it."""
    shapes = [r.shape for r in results]
    if shapes[0] != shapes[1] or shapes[2] != shapes[3] or len(shapes[0]) != len(shapes[2]):
        return None
    shape = []
    for k, pair in enumerate(zip(shapes[0], shapes[2], strict=True)):
        if min(pair) < 2:
            return None
        same = [(b, more) for b, more in axes if b in _SIZES
                and all(_SIZES[b][c] + more == pair[c] for c in (0, 1))]  # fmt: skip
        shape.append(same[0] if same else (f"{name}_{k}", 0))
    return tuple(shape)


def is_exact(result: Any) -> bool:
    """Whether a result is made of numbers that no order of additions changes."""
    if isinstance(result, (tuple, list)):
        return all(map(is_exact, result))
    if isinstance(result, dict):
        return all(map(is_exact, result.values()))
    if not isinstance(result, (np.ndarray, np.generic, float, complex)):
        return True
    a = np.asarray(result)
    if a.dtype.kind == "c":
        return is_exact(a.real) and is_exact(a.imag)
    if a.dtype.kind != "f":
        return True
    with np.errstate(all="ignore"):
        return bool(np.all(np.floor(a * 64) == a * 64))


def kept(w: Writer, text: str, results: list[Any], axes: list[Length]) -> None:
    """Bind a name to an example, and what kind of name that is."""
    first = results[0]
    w.summed |= not is_exact(results)
    if isinstance(first, np.ndarray) and first.dtype in (float, int) and first.ndim in (1, 2):
        name = w.fresh("a")
        shape = lengths_of(results, axes, name)
        if shape is not None:
            rounded = text if is_exact(results) else f"np.round({text}, 2) + 0.0"
            same = w.arrays(lambda a: a.shape == shape and not a.integer)
            if same and w.one_in(4):
                w.line(f"{w.pick(same).name}[...] = {rounded}", "call of NumPy's, written")
                return
            w.line(f"{name} = {rounded}", "call of NumPy's")
            w.scope.arrays.append(Array(name, shape, first.dtype.kind == "i", own=True))
            return
    if type(first) in (float, int, np.float64, np.int64) and not w.one_in(4):
        name = w.fresh("s")
        text = text if is_exact(results) else f"round({text}, 2)"
        w.line(f"{name} = {text}", "number of NumPy's")
        w.scope.numbers.append(name)
        return
    if isinstance(first, tuple) and 1 < len(first) < 4 and w.one_in(2):
        names = [w.fresh("r") for _ in first]
        w.line(f"{', '.join(names)} = {text}", "results of NumPy's")
        w.scope.values += names
        return
    name = w.fresh("r")
    w.line(f"{name} = {text}", "value of NumPy's")
    w.scope.values.append(name)


# Statements ---------------------------------------------------------------------------------------


def drawn(w: Writer, texts: Any) -> tuple[str, list[Any], list[Length]] | None:
    """An example over what is in sight, which mostly does not raise."""
    for _ in range(4):
        example = w.pick(texts)
        letters, described = operands(w, example)
        results = told(example, tuple(sorted(described.items())))
        if results is not None or w.one_in(12):
            axes = [axis for shape, _ in described.values() for axis in shape]
            return put(example, letters), results or [None] * 4, axes
    return None


def call(w: Writer) -> None:
    """A name for what a function of NumPy's gives."""
    found = drawn(w, calls())
    if found is not None and len(found[0]) < 300:
        kept(w, *found)
    else:
        shorten(w)


def write(w: Writer) -> None:
    """A statement that writes into an array in sight."""
    found = drawn(w, WRITES)
    if found is not None and is_written(w, found[0]):
        w.line(found[0], "write of the namespace")
    else:
        shorten(w)


def is_written(w: Writer, text: str) -> bool:
    """Whether a statement assigns what may be assigned."""
    try:
        statement = ast.parse(text).body[0]
    except SyntaxError:
        return False
    target = getattr(statement, "target", None)
    known = {a.name for a in w.bindable("arrays")}
    return not isinstance(target, ast.Name) or target.id in known


def shorten(w: Writer) -> None:
    """What a value that is no array of known lengths is asked for."""
    name, r = w.fresh("s"), w.pick(w.seen("values") or [w.pick(w.arrays()).name])
    forms = ["np.size({})", "np.ndim({})", "len(np.shape({}))", "np.all(np.isfinite({}))"]
    if w.one_in(5):
        forms = ["{}[0]", "{}.shape[0]", "sum({})", "len({})", "np.max({})", "{}.dtype.itemsize"]
    w.line(f"{name} = {w.pick(forms).format(r)}", "number of a value")
    w.scope.numbers.append(name)


STATEMENTS = {call: 40, write: 8, shorten: 4}
