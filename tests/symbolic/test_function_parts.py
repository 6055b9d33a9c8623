"""What programs read of functions, modes with options, memory, pickles that Theano wrote."""

from __future__ import annotations

import io
import pickle
import pickletools
import sys
import types
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.compat import pickles
from tracejit.compile import Mode, function_dump, get_mode, register_mode
from tracejit.compile.mode import (
    DebugMode,
    InvalidValueError,
    MonitorMode,
    NanGuardMode,
    ProfileMode,
    detect_nan,
)


def test_what_a_function_was_made_of() -> None:
    x, y = T.dvectors("x", "y")
    s = tracejit.shared(np.zeros(2), "s")
    f = tracejit.function([x, tracejit.In(y, value=np.ones(2))], x * y, updates=[(s, s + x)])
    maker = f.maker
    assert [str(i.variable) for i in maker.inputs] == ["x", "y", "s"]
    assert maker.inputs[2].shared and maker.inputs[2].mutable and maker.inputs[2].update is not None
    assert maker.outputs.variable is f.outputs[0] and maker.unpack_single
    assert maker.fgraph.inputs == [x, y, s] and maker.fgraph.update_mapping == {1: 2}
    assert maker.mode.linker is None and get_mode("FAST_RUN") is maker.mode
    assert maker.create()([2.0, 3.0]).tolist() == [2, 3]
    g = tracejit.function([x], {"b": x, "a": x + 1})
    assert g.maker.output_keys == ["a", "b"] and tracejit.function([], None).maker.outputs is None


def test_calls_by_storage() -> None:
    x, y = T.dvectors("x", "y")
    s = tracejit.shared(np.zeros(2), "s")
    f = tracejit.function([x, tracejit.In(y, value=np.ones(2))], [x * y, s], updates=[(s, s + x)])
    a, b, c = f.input_storage
    a.data, a.storage[0] = None, np.array([1.0, 2.0])
    first, state = f.fn()
    np.testing.assert_array_equal(first, [1, 2])
    np.testing.assert_array_equal(state, [0, 0])
    np.testing.assert_array_equal(c.data, [1, 2])
    b.data = np.array([3.0, 4.0])
    f.fn()
    np.testing.assert_array_equal(f.output_storage[0].data, [3, 8])
    assert f.fn.storage_map[s] is s.container and [n.op for n in f.fn.nodes]
    a.data = None
    with pytest.raises(TypeError, match="Missing required input"):
        f.fn()


# Modes -------------------------------------------------------------------------------------------


def test_modes_with_options() -> None:
    x = T.dvector("x")
    y = T.log(x) * 2
    nan = tracejit.function([x], y, mode=NanGuardMode(nan_is_error=True, inf_is_error=False))
    assert nan([0.0])[0] == -np.inf
    with pytest.raises(AssertionError, match="holds nan"):
        nan([-1.0])
    big = tracejit.function([x], x * 2, mode=NanGuardMode(True, True, big_is_error=False))
    assert big([1e20]) == [2e20]
    with tracejit.change_flags({"NanGuardMode.big_is_error": False}):
        assert tracejit.function([x], x * 2, mode="NanGuardMode")([1e20]) == [2e20]
    with (
        tracejit.change_flags({"NanGuardMode.action": "warn"}),
        pytest.warns(UserWarning, match="holds infinity"),
    ):
        tracejit.function([x], y, mode="NanGuardMode")([0.0])
    debug = tracejit.function([x], y, mode=DebugMode(check_isfinite=True))
    np.testing.assert_allclose(debug([1.0, np.e]), [0, 2])
    with pytest.raises(InvalidValueError):
        debug([0.0])
    assert tracejit.function([x], y, mode=DebugMode())([0.0])[0] == -np.inf


def test_a_gradient_is_watched() -> None:
    x = T.dscalar("x")
    f = tracejit.function([x], T.grad(T.sqrt(x), x), mode=NanGuardMode())
    assert f(4.0) == 0.25
    with pytest.raises(AssertionError, match="holds infinity"):
        f(0.0)


def test_monitor_mode(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Any] = []
    mode = MonitorMode(
        pre_func=lambda i, node, fn: seen.append((i, fn.inputs[0][0].item())),
        post_func=lambda i, node, fn: seen.append(
            (str(node.op.scalar_op), fn.outputs[0][0].item())
        ),
    )
    x = T.dscalar("x")
    s = tracejit.shared(1.0)
    f = tracejit.function([x], T.exp(x) + s, updates=[(s, s * 2)], mode=mode)
    assert f(0.0) == 2 and s.get_value() == 2
    assert seen[:4] == [(0, 0.0), ("exp", 1.0), (1, 1.0), ("add", 2.0)]
    tracejit.function([x], T.log(x), mode=MonitorMode(post_func=detect_nan))(-1.0)
    assert "NaN detected" in capsys.readouterr().out
    g = f.copy()
    assert len(seen) == 6 and g(0.0) == [3] and len(seen) == 12


def test_profile_mode_and_named_modes() -> None:
    x = T.dscalar("x")
    mode = ProfileMode()
    f, g = (tracejit.function([x], x + k, mode=mode) for k in range(2))
    f(1.0), g(1.0)
    assert mode.profile.fct_callcount == 2 and "2 calls" in mode.profile.summary()
    if "mine" not in tracejit.compile.predefined_modes:
        register_mode("mine", Mode("py"))
    h = tracejit.function([x], x + 1, mode="mine")
    assert h(1.0) == 2 and h.stats.compiles == 0
    with pytest.raises(ValueError, match="already"):
        register_mode("mine", Mode())
    with tracejit.change_flags(linker="py"):
        k = tracejit.function([x], x + 1)
        assert k(1.0) == 2 and k.stats.compiles == 0
    assert "Mode(linker='vm'" in repr(Mode("vm"))
    with tracejit.change_flags(profile=True):
        assert tracejit.function([x], x).profile.fct_callcount == 0


# Memory ------------------------------------------------------------------------------------------


def test_results_share_no_memory_with_what_may_change() -> None:
    x = T.dvector("x")
    s = tracejit.shared(np.zeros(3))
    a = np.ones(3)
    f = tracejit.function([x], [x, x, s, x[::-1]])
    results = f(a)
    for k, r in enumerate(results):
        assert not np.shares_memory(r, a) and not np.shares_memory(r, s.get_value(borrow=True))
        assert not any(np.shares_memory(r, other) for other in results[k + 1 :])
    kept = tracejit.function([tracejit.In(x, mutable=True)], x * 2)
    kept(a)
    changed = tracejit.function([tracejit.In(x, borrow=True)], tracejit.Out(x + 1, borrow=True))
    assert changed(a).tolist() == [2, 2, 2] and a.tolist() == [1, 1, 1]
    with pytest.raises(TypeError, match="strict"):
        tracejit.function([tracejit.In(x, strict=True)], x)([1.0])
    with pytest.raises(AssertionError):
        tracejit.In(x, mutable=True, borrow=False)


def test_copies_may_share_memory() -> None:
    x, y = T.dscalars("x", "y")
    f = tracejit.function([tracejit.In(x, value=1.0, update=x + y), y], x)
    apart, together = f.copy(), f.copy(share_memory=True)
    assert f(y=2.0) == 1 and apart(y=5.0) == [1] and together(y=1.0) == [3] and f(y=0.0) == 4


# Files -------------------------------------------------------------------------------------------


def test_dumps_of_functions_and_zips(tmp_path: Any) -> None:
    x = T.dvector("x")
    w = tracejit.shared(np.array([1.0, 2.0]), "w")
    function_dump(str(tmp_path / "f"), [x], x * w, updates=[(w, w + x)], name="f")
    asked = pickle.loads((tmp_path / "f").read_bytes())
    f = tracejit.function(**asked)
    np.testing.assert_array_equal(f([1.0, 1.0]), [1, 2])
    path = tmp_path / "model.zip"
    with path.open("wb") as file:
        pickles.dump({"w": w, "again": w, "n": 3}, file)
    np.testing.assert_array_equal(np.load(path)["w"], [1, 2])
    with path.open("rb") as file:
        model = pickles.load(file)
    assert model["w"] is model["again"] and model["n"] == 3
    np.testing.assert_array_equal(model["w"].get_value(), [1, 2])
    x.tag.test_value = np.ones(2)
    data = io.BytesIO()
    pickles.StripPickler(data, -1).dump(x)
    assert not hasattr(pickle.loads(data.getvalue()).tag, "test_value")


def test_what_theano_pickled() -> None:
    """A pickle as Theano writes it: instances by their classes' names, and dicts of attributes."""
    names = {
        "theano.tensor.type": "TensorType", "theano.gof.link": "Container",
        "theano.gof.utils": "scratchpad", "theano.tensor.sharedvar": "TensorSharedVariable",
        "theano.tensor.var": "TensorVariable",
    }  # fmt: skip
    classes = {}
    packages = ("theano", "theano.tensor", "theano.gof")
    before = {name: sys.modules.get(name) for name in (*packages, *names)}
    try:
        for name in packages:
            sys.modules[name] = types.ModuleType(name)
        for module, name in names.items():
            sys.modules[module] = types.ModuleType(module)
            classes[name] = type(name, (), {"__module__": module})
            setattr(sys.modules[module], name, classes[name])

        def instance(cls: str, **attributes: Any) -> Any:
            made = classes[cls]()
            made.__dict__.update(attributes)
            return made

        kind = instance("TensorType", dtype="float32", broadcastable=(False,), name=None,
                        numpy_dtype=np.dtype("float32"), sparse_grad=False)  # fmt: skip
        value = np.arange(3, dtype="float32")
        container = instance("Container", storage=[value], readonly=False, strict=False,
                             allow_downcast=None, name="w", type=kind)  # fmt: skip
        tag = instance("scratchpad", trace=[])
        shared = instance("TensorSharedVariable", type=kind, name="w", tag=tag, owner=None,
                          index=None, auto_name="auto_1", container=container)  # fmt: skip
        leaf = instance("TensorVariable", type=kind, name="x", tag=tag, owner=None, index=None)
        data = pickle.dumps([shared, leaf, kind], protocol=2)
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    pickletools.dis(data, io.StringIO())
    w, x, kind = pickles.CompatUnpickler(io.BytesIO(data)).load()
    assert isinstance(w, tracejit.SharedVariable) and kind == T.fvector and x.type == kind
    f = tracejit.function([x], (x * w).sum(), updates=[(w, w + x)])
    assert f(np.ones(3, "float32")) == 3
    np.testing.assert_array_equal(w.get_value(), [1, 2, 3])
    with pytest.raises(AttributeError, match="is not here"):
        pickles.CompatUnpickler(io.BytesIO(b"ctheano.nothing\nAtAll\n.")).load()
