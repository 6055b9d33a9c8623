"""Names of the user's are never taken for those of generated text, nor for builtins."""

from __future__ import annotations

import builtins
import dataclasses
import functools
import keyword
import re
import types
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.plan import text as calltext
from tracejit.plan.signature import Signature

Record = namedtuple("Record", "x scale")
STREAM = np.random.default_rng(1)
MATRIX = np.arange(12.0).reshape(4, 3)


@dataclasses.dataclass
class Parts:
    data: Any
    more: Any


def _texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are generated from now on."""
    texts: list[str] = []

    def record(text: str, *rest: Any) -> Any:
        texts.append(text)
        return compile(text, *rest)

    monkeypatch.setattr(calltext, "compile", record, raising=False)
    return texts


def _everything(a: Any, parts: Any, record: Any, pair: Any, how: str = "up", *rest: Any, k: int = 2,
                **named: Any) -> Any:  # fmt: skip
    """A function whose driver has guards and results of every kind."""
    x = a * k + parts.data + record.x * record.scale + pair[0] + MATRIX[0].sum()
    for r in rest:
        x = x + r
    for v in named.values():
        x = x + v["w"][0]
    big = np.exp(x)[:, None] * np.ones(3)
    half = (x[: a.shape[0] // 2] if how == "up" else x).astype(np.float16)
    found = x[x > 0]
    return Parts(big, [half, found, a.shape[0], x.sum(), pair, how]), Record(a.T, {"t": x.mean()})


def _call_everything(f: Callable[..., Any]) -> Any:
    a = np.linspace(-1, 1, 6)
    return f(
        a, Parts(a + 1, 2.0), Record(a, 3.0), (a, "c"), "up", a, np.float64(2), k=3,
        m={"w": [a]}, n={"w": (1.5,)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> set[str]:
    """Every name in the generated texts of functions of every kind."""
    with pytest.MonkeyPatch.context() as patch:
        texts = _texts(patch)
        for compiling in (True, False):
            with tracejit.config(compile=compiling):
                _call_everything(tracejit.function(_everything))
                tracejit.function(lambda x, r: x + r.normal(x.shape[0] * 2.0, 1.0, x.shape))(
                    np.ones(3), np.random.default_rng(3)
                )
                tracejit.function(lambda x: x[::2][::-1].reshape(-1, 1).T)(np.ones(8))
                state = tracejit.shared(np.zeros(3), name="s")
                v, i = T.dvector("v"), T.iscalar("i")
                step = tracejit.function(
                    [v, tracejit.In(i, value=1)], [v[i:], (v * state).sum()],
                    updates=[(state, state + v[:3])],
                )  # fmt: skip
                step(np.ones(3))
    assert len(texts) > 10
    return set(re.findall(r"[^\W\d]\w*", "\n".join(texts)))


def test_generated_texts_name_nothing_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = _texts(monkeypatch)
    space: dict[str, Any] = {"np": np, "users_global": np.ones(2), "Parts": Parts}
    exec(
        "def users_function(users_first, *users_rest, users_last='users_text', **users_named):\n"
        "    return users_first + users_rest[0] + users_named['users_key'] + users_global\n",
        space,
    )
    f = tracejit.function(space["users_function"])
    assert f(np.ones(2), 1.0, users_key=np.ones(2))[0] == 4.0
    x = T.dvector("users_variable")
    s = tracejit.shared(np.ones(2), name="users_state")
    g = tracejit.function([x], {"plain": x + s}, updates=[(s, s * 2)], name="users_name")
    assert g(users_variable=np.ones(2))["plain"][0] == 2.0
    for text in [*texts, f.source(np.ones(2), 1.0, users_key=np.ones(2)).split("#")[0]]:
        # What is read from the outside goes by the dict that holds it, and a quoted name.
        assert "users_" not in re.sub(r"\['users_\w+'\]", "", text)


def _names(ours: set[str]) -> list[str]:
    names = {*dir(builtins), *keyword.softkwlist, *ours}
    names |= {"self", "cls", "args", "kwargs", "call", "fn", "f", "caller", "result", "copy"}
    names |= {"_C__x", "__x", "__class__", "__debug", "_tjx_empty", "_tj_p0", "_tj_d0", "é"}
    names -= {"np", "__debug__", *keyword.kwlist}
    return sorted(n for n in names if n.isidentifier())


def _defined(text: str, name: str = "f") -> Callable[..., Any]:
    space: dict[str, Any] = {"np": np}
    exec(text, space)
    made: Callable[..., Any] = space[name]
    return made


_A = np.arange(4.0)
#: Texts of functions with a parameter NAME of each kind, and calls of them.
_KINDS: list[tuple[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]] = [
    (
        "def f(NAME, z=3, *, z0='up', z1=(1, 2)):\n"
        "    return (NAME * z if z0 == 'up' else NAME) + z1[0]\n",
        [((_A,), {}), ((), {"NAME": _A, "z": 2.5}), ((_A,), {"z0": "down"})],
    ),
    (
        "def f(x, *NAME, z=2, **rest):\n    return [x + NAME[0] * z, (NAME[1]['a'], rest)]\n",
        [((_A, 2.0, {"a": _A}), {"z": 3}), ((_A, 2.0, {"a": _A}), {})],
    ),
    (
        "def f(x, /, *, NAME='up', **z):\n"
        "    return (x + z['x'] if 'x' in z else x) if NAME == 'up' else x * NAME\n",
        [((_A,), {}), ((_A,), {"NAME": 5}), ((_A,), {"x": 5})],
    ),
    ("def f(x, **NAME): return x * NAME['p'], NAME", [((_A,), {"p": 2.0, "q": _A})]),
]


@pytest.mark.parametrize("compiling", [True, False])
def test_parameters_of_any_name(compiling: bool, ours: set[str]) -> None:
    """Each name stands once for a parameter of some kind, and is taken as a keyword."""
    with tracejit.config(compile=compiling):
        for k, name in enumerate(_names(ours)[:: 8 if compiling else 1]):
            text, calls = _KINDS[k % len(_KINDS)]
            plain = _defined(text.replace("NAME", name))
            traced = tracejit.function(plain)
            for args, kwargs in calls * 2:
                named = {name if key == "NAME" else key: v for key, v in kwargs.items()}
                got, want = traced(*args, **named), plain(*args, **named)
                assert type(got) is type(want), name
                np.testing.assert_equal(got, want, err_msg=name)
            assert traced.stats.traces <= len(calls)


@pytest.mark.parametrize("compiling", [True, False])
def test_parameters_stay_apart_whatever_they_are_called(compiling: bool, ours: set[str]) -> None:
    """Many at once, in one function: all the names of generated text, in groups."""
    names = _names(ours)
    for start in range(0, len(names), 100 if compiling else 40):
        group = names[start : start + 40]
        plain = _defined(
            f"def f({', '.join(group)}):\n    return [{', '.join(reversed(group))}, "
            f"{' + '.join(f'{n} * {k}' for k, n in enumerate(group))}]\n"
        )
        values = [np.full(2, float(k)) for k in range(len(group))]
        traced = tracejit.function(plain)
        with tracejit.config(compile=compiling):
            for _ in range(2):
                got = traced(**dict(zip(group, values, strict=True)))
                np.testing.assert_equal(got, plain(*values))
        assert traced.stats.traces == 1


def test_code_objects_with_names_that_no_source_has() -> None:
    def f(a: Any, b: Any = 2.0, *, c: Any = 1.0) -> Any:
        return a * b + c

    names = ("a b", "x[0]={}\n", "")
    f.__code__ = f.__code__.replace(co_varnames=names)
    f.__kwdefaults__ = {"": 1.0}
    g = tracejit.function(f)
    assert g(np.ones(2), **{"x[0]={}\n": 3.0, "": 4.0})[0] == 7.0
    assert g(np.ones(2))[0] == 3.0
    assert g.graph(np.ones(2)) is not None
    assert "path 1" in g.explain()


def test_binding_is_pythons() -> None:
    def f(a, b=1, /, c=2, *rest, d, e=3, **named):  # type: ignore[no-untyped-def]
        return a, b, c, rest, d, e, named

    signature = Signature(f)
    assert signature.names == ["a", "b", "c", "rest", "d", "e", "named"]
    for args, kwargs in [
        ((1,), {"d": 4}),
        ((1, 2, 3, 4, 5), {"d": 6, "e": 7, "a": 8, "b": 9}),
        ((1, 2), {"c": 3, "d": 4, "z": 5}),
    ]:
        want = f(*args, **kwargs)
        assert signature.bind(*args, **kwargs) == want
        assert signature.recall(f, *want) == want
    for args, kwargs in [((), {"d": 1}), ((1,), {}), ((), {"a": 1, "d": 2})]:
        with pytest.raises(TypeError):
            signature.bind(*args, **kwargs)


# Names outside -----------------------------------------------------------------------------------


@pytest.mark.parametrize("compiling", [True, False])
def test_globals_and_closures_of_any_name(compiling: bool, ours: set[str]) -> None:
    names = [n for n in _names(ours) if n not in ("__builtins__", "__name__", "__class__", "x")]
    x = np.arange(3.0)
    with tracejit.config(compile=compiling):
        for start in range(0, len(names), 120 if compiling else 40):
            group = names[start : start + 40]
            total = " + ".join(group)
            space: dict[str, Any] = {n: np.full(3, float(k)) for k, n in enumerate(group)}
            exec(f"def zz_function(x): return x + {total}", space)
            cells: dict[str, Any] = {}
            exec(f"def make({', '.join(group)}): return lambda x: x - ({total})", cells)
            inner = cells["make"](*[space[n] for n in group])
            for plain in (space["zz_function"], inner):
                traced = tracejit.function(plain)
                np.testing.assert_equal(traced(x), plain(x))
                for n in group[:3]:
                    space[n][0] = 9.0  # read at each call
                np.testing.assert_equal(traced(x), plain(x))
                assert traced.stats.traces == 1


def test_attributes_of_modules_of_any_name() -> None:
    module = types.ModuleType(f"{__name__}.part", "its text")
    names = ["_capture", "_module", "_of", "__getattr__x", "__slots__", "__init__", "a{b}", "\n"]
    for k, name in enumerate(names):
        setattr(module, name, np.full(2, float(k)))
    for name in names:
        f = tracejit.function(lambda x, name=name: (x + getattr(module, name), module.__doc__))
        with tracejit.config(compile=False):
            got, text = f(np.ones(2))
        np.testing.assert_equal(got, 1 + getattr(module, name))
        assert text == "its text"


def test_fields_of_any_name(ours: set[str]) -> None:
    names = [n for n in _names(ours) if not n.startswith("__")]
    cls = dataclasses.make_dataclass("Many", [n for n in names if n.isascii()][:120])
    record = namedtuple("Many2", [n for n in names if not n.startswith("_") and n.isascii()][:120])
    with tracejit.config(compile=False):
        for kind, fields in ((cls, [*cls.__dataclass_fields__]), (record, record._fields)):
            f = tracejit.function(lambda v, first=fields[0]: (v, getattr(v, first) * 2))
            value = kind(*(np.full(2, float(k)) for k in range(len(fields))))
            got, doubled = f(value)
            assert type(got) is kind
            assert all(getattr(got, n) is getattr(value, n) or getattr(got, n)[0] == k
                       for k, n in enumerate(fields))  # fmt: skip
            np.testing.assert_equal(doubled, getattr(value, fields[0]) * 2)


def test_fields_that_python_would_write_differently() -> None:
    cls = dataclasses.make_dataclass("Odd", ["data"])
    cls.__dataclass_fields__["ﬁ"] = cls.__dataclass_fields__["data"]
    value = cls(np.ones(2))
    odd = "ﬁ"
    setattr(value, odd, np.full(2, 5.0))
    value.fi = np.full(2, 7.0)  # what the other is taken for in text
    for compiling in (True, False):
        with tracejit.config(compile=compiling):
            f = tracejit.function(lambda v: getattr(v, odd) + v.data)
            assert f(value)[0] == f(value)[0] == 6.0


ODD = ["a{b}", "{o[0]}", "'\"", "\n", "\\", "{", "}}", "", "a b", "None", "ﬁ", "\ud800", "%s", "#"]


@pytest.mark.parametrize("compiling", [True, False])
def test_keys_of_any_form(compiling: bool) -> None:
    x = np.arange(3.0)
    with tracejit.config(compile=compiling):
        keys: list[Any] = [*ODD, 1, 2.5, (1, "{}"), None, b"{}", frozenset({1})]
        value = {k: x + n for n, k in enumerate(keys)}
        f = tracejit.function(lambda d, k: ({**d, "{new}": d[k] * 2}, d))
        for key in ("a{b}", "\n", (1, "{}")):
            got, same = f(value, key)
            assert list(got) == [*keys, "{new}"]
            assert list(same) == keys
            np.testing.assert_equal(got, {**value, "{new}": value[key] * 2})
        g = tracejit.function(lambda **named: sum(named.values()) * 1.0)
        np.testing.assert_equal(g(**{k: x for k in ODD}), x * len(ODD))
        h = tracejit.function(functools.partial(_named, x).func)
        np.testing.assert_equal(h(x, **{"{o[0]}": x}), [x, x])
        p = functools.partial(_named, **{k: x for k in ODD})
        np.testing.assert_equal(tracejit.function(lambda x: p(x))(x), p(x))
        with pytest.raises(tracejit.UnsupportedError, match="made inside"):
            tracejit.function(lambda x: p)(x)


def _named(x: Any, **named: Any) -> Any:
    return [x, *named.values()]


def test_keys_that_are_equal_and_of_other_types() -> None:
    f = tracejit.function(lambda d: {k: v * k for k, v in d.items()})
    x = np.arange(3)
    for key in (1, True, 1.0, np.True_, 1):
        got = f({key: x})
        [(k, v)] = got.items()
        assert type(k) is type(key)
        assert v.dtype == (x * key).dtype
    g = tracejit.function(lambda d, x: d["a"] * x)
    assert g({"a": 2.0}, 3.0) == g({"".join(["a"]): 2.0}, 3.0) == 6.0
    assert g.stats.traces == 1


# Symbolic functions ------------------------------------------------------------------------------


def test_symbolic_names_of_any_form(ours: set[str]) -> None:
    with tracejit.config(compile=False):
        for name in [*ODD, *sorted(ours)[::7], "p0", "_c0", "_absent", "MISS"]:
            x, y = T.dvector(name), T.dscalar(f"{name}2")
            s = tracejit.shared(np.ones(2), name=name)
            f = tracejit.function(
                [x, tracejit.In(y, value=2.0)],
                {name: x * y + s},
                updates=[(s, s + x[:2])],
                name=name,
            )
            assert f(np.ones(2))[name][0] == 3.0
            if name:
                assert f(**{name: np.ones(2), f"{name}2": 5.0})[name][0] == 7.0


def test_symbolic_names_in_compiled_functions() -> None:
    for name in ("{o[0]}", "_tjx_empty", "len", "²"):
        x, n = T.dvector(name), T.lscalar(name)
        f = tracejit.function([x, n], {name: x[n * 2 :], "}": x[::n]}, name=name)
        got = f(np.arange(5.0), 1)
        assert set(got) == {name, "}"}
        np.testing.assert_equal(got[name], [2.0, 3.0, 4.0])
        np.testing.assert_equal(got["}"], np.arange(5.0))


# Messages ----------------------------------------------------------------------------------------


def test_messages_with_names_of_any_form() -> None:
    @tracejit.function(on_unsupported="error")
    def f(d: Any) -> Any:
        return d["{x}"] + d["%s\n"]

    with pytest.raises(ValueError, match="broadcast") as caught:
        f({"{x}": np.ones(2), "%s\n": np.ones(3)})
    assert len(str(caught.value).splitlines()) <= 12
    with pytest.raises(tracejit.UnsupportedError, match=r"\['\{x\}'\]"):
        f({"{x}": np.array(["text"]), "%s\n": np.ones(3)})


def test_derivatives_of_functions_with_any_names() -> None:
    f = _defined("def f(copy, *, f=2.0, args=1.0, argnums=3.0): return (copy**2).sum() * f * args")
    x = np.arange(3.0)
    np.testing.assert_equal(tracejit.grad(f)(x, f=3.0, args=2.0), 12.0 * x)
    value, slope = tracejit.value_and_grad(f)(x, args=0.5, argnums=1.0)
    assert value == 5.0
    np.testing.assert_equal(slope, 2.0 * x)
    g = _defined("def f(x, *, copy): return x * copy")
    np.testing.assert_equal(tracejit.jacobian(g)(x, copy=2.0), np.diag([2.0] * 3))
