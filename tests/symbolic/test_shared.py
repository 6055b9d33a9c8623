"""Shared variables: their values, whose memory is whose, and that calls change all or nothing."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from devices import on_cpu

import tracejit
import tracejit.tensor as T
from tracejit import In, function, shared
from tracejit.symbolic.shared import SharedVariable, TensorSharedVariable, shared_constructor

MODES = ["FAST_RUN", "FAST_COMPILE"]


# Values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, dtype",
    [
        (0, "int64"),
        (0.0, "float64"),
        (1j, "complex128"),
        (True, "bool"),
        (np.float32(1), "float32"),
        (np.int8(1), "int8"),
        (np.zeros((1, 2), "int16"), "int16"),
    ],
    ids=repr,
)
def test_types_are_those_of_numpy(value, dtype):
    with tracejit.change_flags(floatX="float32"):
        s = shared(value, "s")
    assert isinstance(s, TensorSharedVariable) and s.name == "s" and s.dtype == dtype
    assert s.type == T.TensorType(dtype, (False,) * np.ndim(value))
    assert s.ndim == np.ndim(value) and s.broadcastable == (False,) * s.ndim
    found = s.get_value()
    assert type(found) is np.ndarray and found.dtype == dtype and np.array_equal(found, value)


def test_broadcastable():
    s = shared(np.zeros((1, 2)), broadcastable=(True, False))
    assert s.broadcastable == (True, False)
    assert (s + T.dmatrix()).broadcastable == (False, False)
    with pytest.raises(TypeError, match="Non-unit value on shape on a broadcastable dimension"):
        s.set_value(np.zeros((2, 2)))
    with pytest.raises(TypeError):
        shared(np.zeros((2, 2)), broadcastable=(True, False))


def test_other_values_are_kept():
    for value in ([1, 2], "text", None, {"a": 1}):
        s = shared(value)
        assert type(s) is SharedVariable and s.get_value() == value
        s.set_value("other")
        assert s.get_value() == "other"
    with pytest.raises(TypeError, match="holds a list and cannot be indexed: make it an array"):
        shared([1, 2])[0]
    inner = [[1]]
    s = shared(inner)
    inner[0][0] = 2
    assert s.get_value() == [[1]] and s.get_value() is not s.get_value()
    assert shared(inner, borrow=True).get_value(borrow=True) is inner


def test_refusals():
    with pytest.raises(TypeError, match="numeric values and not symbolic variables"):
        shared(T.dscalar())
    with pytest.raises(TypeError, match=r"No suitable SharedVariable constructor .* all kwargs"):
        shared(0, colour="red")
    with pytest.raises(TypeError, match="No suitable"):
        shared(np.zeros(2), target="gpu")
    with pytest.raises(AttributeError, match=r"use get_value\(\) and set_value\(\)"):
        shared(0).value  # noqa: B018


def test_constructors_are_asked_newest_first():
    class Own(SharedVariable):
        pass

    def constructor(value, name=None, strict=False, allow_downcast=None):
        if value != "own":
            raise TypeError()
        return Own(shared(None).type, value, name, strict, allow_downcast)

    assert shared_constructor(constructor) is constructor
    try:
        assert type(shared("own")) is Own and type(shared("other")) is SharedVariable
    finally:
        shared_constructor(constructor, remove=True)
    assert type(shared("own")) is SharedVariable


def test_memory_errors_have_a_hint():
    def constructor(value, **kwargs):
        raise MemoryError("no room")

    shared_constructor(constructor)
    try:
        with pytest.raises(MemoryError) as caught:
            shared(0)
    finally:
        shared_constructor(constructor, remove=True)
    assert "no room" in caught.value.args and "borrow=True" in str(caught.value)


@pytest.mark.cpu
def test_copies_and_borrowing():
    a = np.zeros(2)
    assert not np.shares_memory(shared(a).get_value(borrow=True), a)
    s = shared(a, borrow=True)
    assert (
        s.get_value(borrow=True) is a and s.get_value(borrow=True, return_internal_type=True) is a
    )
    assert s.container.storage[0] is a and s.container.data is a
    assert not np.shares_memory(s.get_value(), a)
    b = np.ones(3)
    s.set_value(b)
    assert not np.shares_memory(s.get_value(borrow=True), b) and s.get_value().shape == (3,)
    s.set_value(b, borrow=True)
    assert s.get_value(borrow=True) is b
    s.zero()
    assert b.tolist() == [1, 1, 1] and s.get_value().tolist() == [0, 0, 0]
    s.set_value(b, borrow=True)
    s.zero(borrow=True)
    assert b.tolist() == [0, 0, 0]
    s.container.storage[0] = np.array([5.0])
    assert s.get_value().tolist() == [5]
    with pytest.raises(IndexError):
        s.container.storage[1] = b
    with pytest.raises(TypeError):
        s.container.data = 1.0


def test_what_set_value_takes():
    s = shared(np.zeros(2))
    s.set_value([1, 2])
    s.set_value(np.arange(3))
    assert s.get_value().dtype == "float64"
    for bad in (np.zeros((2, 2)), 1.0, 1j, np.array([1j]), "ab", None):
        with pytest.raises(TypeError):
            s.set_value(bad)
    strict = shared(np.zeros(2), strict=True)
    with pytest.raises(TypeError, match="strict"):
        strict.set_value([1, 2])
    loose = shared(np.zeros(2, "int8"), allow_downcast=True)
    loose.set_value([1.5, 2.5])
    assert loose.get_value().tolist() == [1, 2]
    with pytest.raises(TypeError, match="accurately"):
        shared(np.zeros(2, "int8")).set_value([1.5])
    # A refused value leaves the old one.
    assert s.get_value().tolist() == [0, 1, 2]


def test_a_clone_shares_the_container():
    s = shared(0.0, "s")
    s.tag.note = 1
    c = s.clone()
    assert c is not s and c.container is s.container and c.name == "s" and c.tag.note == 1
    function([], None, updates=[(c, c + 1)], mode="FAST_COMPILE")()
    assert s.get_value() == 1


# Types -------------------------------------------------------------------------------------------


def test_filter_gives_back_what_fits(tmp_path):
    kind = T.TensorType("float64", (False,))
    a = np.zeros(3)
    assert kind.filter(a) is a and kind.filter(a, strict=True) is a
    assert kind.filter(a[::2]).base is a
    mapped = np.memmap(tmp_path / "m", "float64", "w+", shape=(3,))
    for strict in (False, True):
        found = kind.filter(mapped, strict)
        assert type(found) is np.ndarray and np.shares_memory(found, mapped)
    masked = np.ma.masked_array([1.0, 2.0], [0, 1])
    assert type(kind.filter(masked)) is np.ndarray
    swapped = np.arange(3).astype(">f8")
    assert kind.filter(swapped).tolist() == [0, 1, 2] and kind.filter(swapped).dtype.isnative
    for other in (masked, swapped, [1.0], np.zeros(3, "float32")):
        with pytest.raises(TypeError, match="strict"):
            kind.filter(other, strict=True)
    with pytest.raises(TypeError, match="not aligned"):
        kind.filter(np.zeros(17, "int8")[1:].view("float64"))
    with pytest.raises(TypeError, match="found a Variable"):
        kind.filter(kind())


def test_filter_keeps_values():
    int8, f32 = T.TensorType("int8", (False,)), T.TensorType("float32", (False,))
    f64, z = T.TensorType("float64", (False,)), T.TensorType("complex64", (False,))
    assert (
        f64.filter(np.arange(2)).dtype == "float64" and f32.filter(np.int16([1])).dtype == "float32"
    )
    for kind, bad in (
        (int8, np.arange(2)), (f32, np.zeros(2)), (f32, np.int32([1])), (z, np.zeros(2)),
        (f64, np.array([1j])), (f64, np.array(["a"])), (int8, np.array([None])),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="without risking loss of precision"):
            kind.filter(bad)
        if bad.dtype.kind in "iuf":
            assert kind.filter(bad, allow_downcast=True).dtype == kind.dtype
    assert int8.filter([1, 2.0, True]).tolist() == [1, 2, 1]
    assert (
        f32.filter([0.5, np.nan, np.inf]).tolist()[0] == 0.5 and z.filter([1j]).dtype == "complex64"
    )
    assert f64.filter([1 + 0j]).tolist() == [1]
    for kind, bad in (
        (int8, [300]), (int8, [0.5]), (int8, [float("nan")]), (f32, [0.1]), (f32, [1e300]),
        (f64, [2**53 + 1]), (f64, [1j]), (f64, ["a"]), (f64, [[1], [1, 2]]), (f64, [None]),
        (T.TensorType("int64", (False,)), [2**63]), (int8, {}),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"cannot store|Wrong number"):
            kind.filter(bad)
    with pytest.raises(TypeError, match="cannot store"):
        f64.filter([[1], [1, 2]], allow_downcast=True)


def test_types_are_values():
    a, b = T.TensorType("float64", (False,)), T.TensorType(np.float64, [0], "other")
    assert a == b and hash(a) == hash(b) and a != T.TensorType("float64", (True,)) and a != 3
    assert a.clone(dtype="int8").dtype == "int8" and a.clone(
        broadcastable=(True,)
    ).broadcastable == (True,)
    with pytest.raises(TypeError, match="name is a string"):
        a(3)


# Aliasing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_results_have_their_own_memory(mode):
    x, s = T.dvector("x"), shared(np.arange(3.0), "s")
    constant = T.constant(np.arange(3.0))
    outputs = [x, s, constant, x[1:], s[1:], x + s, x, s, constant, s + x]
    f = function([x], outputs, updates=[(s, s + x)], mode=mode)
    a = np.ones(3)
    for _ in range(3):
        results = f(a)
        others = [a, s.get_value(borrow=True), constant.data]
        for k, r in enumerate(results):
            assert not any(np.shares_memory(r, o) for o in [*results[:k], *others])
            r[...] = -1
        assert a.tolist() == [1, 1, 1] and constant.data.tolist() == [0, 1, 2]
    assert s.get_value().tolist() == [3, 4, 5]


@pytest.mark.parametrize("mode", MODES)
def test_two_states_never_share_memory(mode):
    a, b, c = shared(np.zeros(2)), shared(np.zeros(2)), shared(np.ones(2))
    new = c * 2
    f = function([], new, updates=[(a, new), (b, new), (c, c)], mode=mode)
    for _ in range(3):
        arrays = [f(), *(v.get_value(borrow=True) for v in (a, b, c))]
        assert not any(np.shares_memory(p, q) for k, p in enumerate(arrays) for q in arrays[:k])


@pytest.mark.parametrize("mode", MODES)
def test_what_is_referred_to_is_not_overwritten(mode):
    s = shared(np.arange(4.0))
    f = function([], None, updates=[(s, s + 1)], mode=mode)
    kept = []
    for k in range(6):
        value = s.get_value(borrow=True)
        kept.append((value if k % 2 else value[1:], value.copy()))
        del value
        f()
    for array, before in kept:
        assert array.tolist() == before[-len(array) :].tolist()
    assert s.get_value().tolist() == [6, 7, 8, 9]


@pytest.mark.parametrize("mode", MODES)
def test_borrowed_memory_is_not_written_to(mode, tmp_path):
    whole = np.zeros((2, 4))
    mapped = np.memmap(tmp_path / "m", "float64", "w+", shape=(4,))
    readonly = np.zeros(4)
    readonly.flags.writeable = False
    for value in (whole[0], mapped, readonly, np.frombuffer(bytearray(32))):
        s = shared(np.zeros(4))
        f = function([], None, updates=[(s, s + 1)], mode=mode)
        f()
        s.set_value(value, borrow=True)
        del value
        for _ in range(4):
            f()
        assert s.get_value().tolist() == [4] * 4
    assert not whole.any() and not mapped.any() and not readonly.any()


@pytest.mark.parametrize("mode", MODES)
def test_states_of_any_layout(mode):
    base = np.arange(12.0).reshape(3, 4)
    for value in (np.asfortranarray(base), base[::-1], np.repeat(base, 2, 1)[:, ::2]):
        s = shared(value, borrow=True)
        f = function([], s, updates=[(s, s + 1)], mode=mode)
        del value
        results = [f() for _ in range(4)]
        assert np.array_equal(results[3], results[0] + 3) and results[0].shape == (3, 4)


def test_mutable_inputs_are_left_alone():
    x, y = T.dvectors("x", "y")
    f = function([In(x, mutable=True), In(y, mutable=True)], [x + y, x * 2], mode="FAST_RUN")
    a = np.ones(3)
    assert [r.tolist() for r in f(a, a)] == [[2] * 3] * 2 and a.tolist() == [1] * 3


@pytest.mark.cpu
def test_states_of_a_training_loop_use_two_buffers():
    n = 20_000
    w, x = shared(np.zeros(n), "w"), T.dvector("x")
    velocity = shared(np.zeros(n), "velocity")
    step = velocity * 0.9 - 0.01 * (w - x)
    train = function([x], ((w - x) ** 2).sum(), updates=[(velocity, step), (w, w + step)])
    target, seen = np.ones(n), {w: set(), velocity: set()}
    for _ in range(3):
        train(target)
    tracemalloc.start()
    try:
        for _ in range(10_000):
            train(target)
            for s, places in seen.items():
                places.add(s.container.value.ctypes.data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n * 8 and all(len(places) <= 2 for places in seen.values())
    assert np.allclose(w.get_value(), 1)


def test_free_lets_go_of_the_second_buffer():
    s = shared(np.zeros(1000))
    f = function([], None, updates=[(s, s + 1)], mode="FAST_COMPILE")
    f()
    spare = weakref.ref(s.container.spare)
    assert spare() is not None
    f.free()
    gc.collect()
    assert spare() is None


# All or nothing ----------------------------------------------------------------------------------


def two_states(mode):
    """A function of a vector and an index that updates two states, and a reader of these."""
    x, i = T.dvector("x"), T.lscalar("i")
    a, b = shared(np.arange(3.0), "a"), shared(np.zeros(3), "b")
    updates = [(b, b + 1), (a, T.set_subtensor(a[i], 7.0) + x)]
    return function([x, i], a + b, updates=updates, mode=mode), a, b


@pytest.mark.parametrize("mode", [*MODES, "DebugMode", "NanGuardMode"])
def test_failures_change_nothing(mode):
    f, a, b = two_states(mode)
    zeros = np.zeros(3)
    f(zeros, 0)
    before = a.get_value(borrow=True), b.get_value(borrow=True)
    bad = [(np.zeros(2), 0, ValueError), (zeros, 3, IndexError), (zeros, -4, IndexError)]
    bad += [(np.zeros((2, 2)), 0, TypeError), (zeros, "x", TypeError)]
    for x, i, error in bad:
        for _ in range(2):
            with pytest.raises(error):
                f(x, i)
            now = a.get_value(borrow=True), b.get_value(borrow=True)
            assert all(x.tolist() == y.tolist() for x, y in zip(now, before, strict=True))
            assert not on_cpu() or (now[0] is before[0] and now[1] is before[1])
    f(zeros, -1)
    assert (a.get_value().tolist(), b.get_value().tolist()) == ([7, 1, 7], [2, 2, 2])
    assert len(f.program.paths) <= 2  # the failures have left none; a negative index has its own


@pytest.mark.cpu
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_an_exception_in_the_program_changes_nothing(mode, error, monkeypatch):
    from tracejit.symbolic import call as symbolic_call

    real = symbolic_call.executable_of

    def failing(*args, **kwargs):
        executable = real(*args, **kwargs)
        name = "_run" if mode == "FAST_COMPILE" else "entry"
        entry = getattr(executable, name)

        def call(*arguments):
            result = entry(*arguments)
            if fail:
                raise error("in the middle")
            return result

        setattr(executable, name, call)
        return executable

    monkeypatch.setattr(symbolic_call, "executable_of", failing)
    f, a, b = two_states(mode)
    fail, zeros = False, np.zeros(3)
    f(zeros, 0)
    before = a.get_value(), b.get_value()
    fail = True
    for _ in range(2):
        with pytest.raises(error, match="in the middle"):
            f(zeros, 1)
        assert np.array_equal(a.get_value(), before[0]) and np.array_equal(b.get_value(), before[1])
    fail = False
    f(zeros, 1)  # no lock is held
    done = threading.Thread(target=f, args=(zeros, 1))
    done.start()
    done.join(10)
    assert not done.is_alive() and b.get_value().tolist() == [3, 3, 3]


def test_plain_numpy_changes_all_or_nothing():
    """What cannot be compiled: a value that is no array beside two states."""
    thing = shared([1, 2], "thing")
    i = T.lscalar("i")
    a, b = shared(np.arange(3.0), "a"), shared(0.0, "b")
    updates = [(b, b + 1), (a, T.set_subtensor(a[i], 7.0))]
    with tracejit.config(on_unsupported="warn"):
        f = function([i], thing, updates=updates)
        with pytest.warns(tracejit.UnsupportedWarning, match="no array"):
            assert f(1) == [1, 2]
        assert (a.get_value().tolist(), b.get_value()) == ([0, 7, 2], 1)
        with pytest.raises(IndexError):
            f(3)
        assert (a.get_value().tolist(), b.get_value()) == ([0, 7, 2], 1)


@pytest.mark.parametrize("mode", MODES)
def test_interrupts_leave_states_whole(mode):
    states = [shared(np.zeros(50)) for _ in range(5)]
    f = function([], None, updates=[(s, s + 1) for s in states], mode=mode)
    f()
    before = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    interrupts = 0
    try:
        while interrupts < 40:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003 + 0.0001 * (interrupts % 7))
                while True:
                    f()
            except KeyboardInterrupt:
                interrupts += 1
            values = [s.get_value(borrow=True) for s in states]
            assert len({float(v[k]) for v in values for k in (0, 49)}) == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    done = threading.Thread(target=f)
    done.start()
    done.join(10)
    assert not done.is_alive()


# Threads -----------------------------------------------------------------------------------------


@pytest.fixture
def restless():
    """Threads change often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(count, work):
    errors = []

    def run(k):
        try:
            work(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors[0]


def test_no_increment_is_lost(restless):
    total, amount = shared(0), T.lscalar("amount")
    add = function([amount], total, updates=[(total, total + amount)])
    seen = set()

    def work(k):
        for _ in range(2_000):
            seen.add(int(add(1)))

    in_threads(8, work)
    assert total.get_value() == 16_000 and seen == set(range(16_000))


def test_no_increment_is_lost_between_functions(restless):
    total, other, amount = shared(0), shared(0), T.lscalar("amount")
    both = [(total, total + amount), (other, other - amount)]
    functions = [
        function([amount], None, updates=updates, mode=mode)
        for updates in (both, both[::-1])
        for mode in MODES
    ]
    functions += [function([amount], None, updates=both).copy() for _ in range(2)]

    def work(k):
        for j in range(300):
            functions[(k + j) % len(functions)](1) if j % 2 else functions[k % 6](amount=1)

    in_threads(8, work)
    assert total.get_value() == 2_400 and other.get_value() == -2_400


@pytest.mark.parametrize("mode", MODES)
def test_states_are_never_seen_half_updated(restless, mode):
    a, b = shared(np.zeros(8)), shared(np.zeros(8))
    step = function([], None, updates=[(a, a + 1), (b, b - 1)], mode=mode)
    look = function([], a + b, mode=mode)
    step(), look()
    stop = threading.Event()

    def work(k):
        if k < 2:
            for _ in range(1_500):
                step()
            stop.set()
        else:
            while not stop.is_set():
                assert not look().any()

    in_threads(5, work)
    assert a.get_value()[0] == 3_001


def test_a_function_without_states_is_right_in_threads(restless):
    x, y = T.dvectors("x", "y")
    f = function([x, y], (x * y).sum())

    def work(k):
        for n in range(1, 300):
            assert f(np.full(n % 17 + 1, k + 1.0), np.full(n % 17 + 1, 2.0)) == 2 * (k + 1) * (
                n % 17 + 1
            )

    in_threads(8, work)
