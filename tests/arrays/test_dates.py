"""Dates and durations against NumPy: dtypes, what is no date, units, memory, exceptions."""

from __future__ import annotations

import itertools
import linecache
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from programs.compare import differences, outcome

import tracejit

pytestmark = pytest.mark.cpu

NAT = -(2**63)
#: What calls name: dates of two arrays, durations in seconds and hours, numbers, a mask.
ARRAYS: dict[str, np.ndarray] = {
    "d": np.array(["2020-01-05", "NaT", "1969-12-30", "2021-02-01"], "M8[D]"),
    "e": np.array(["2020-01-05", "2020-01-01", "NaT", "2019-01-01"], "M8[D]"),
    "t": np.array([5, -7, NAT, 3], "m8[s]"), "u": np.array([2, 2, 3, NAT], "m8[s]"),
    "h": np.array([5, -30, NAT, 7], "m8[h]"), "i": np.array([2, -3, 0, 1]),
    "f": np.array([0.5, -1.5, np.nan, 1e300]), "m": np.array([True, False, True, False]),
    "b": np.array([1, 2, 3, 4], "i1"),
}  # fmt: skip
#: What is compiled.
CALLS = """
d+t; d+h; d-e; d-5; d+1; 5+d; d+i; i+d; d+b; d-t; t+u; t-h; h+t
t*2; 2*t; t*i; i*t; t*f; f*t; t*2.5; t*b; t*1e300; t*2**62; t*np.float32(0.5)
t/u; t/2; t/i; t/f; t/2.5; t/0; t//u; t//2; t//i; t//0; t%u; t%t; t/np.timedelta64(1, 'm')
np.timedelta64(1, 'm')/t; t//np.timedelta64(0, 's'); -t; +t; abs(t); np.negative(t)
d==e; d!=e; d<e; d<=e; d>e; d>=e; d==d; t==5; t>h; h==t; np.less(d, e); np.add(d, 1)
d<np.datetime64('2020-01-05'); d==np.datetime64('NaT'); np.datetime64('2020-01-05')-d
d-np.datetime64('2020-01-05T05'); d+np.timedelta64(36, 'h'); np.timedelta64(1, 'D')+d
np.maximum(d, e); np.minimum(d, e); np.fmax(d, e); np.fmin(d, e); np.maximum(h, t)
np.isnat(d); np.isnan(t); np.isfinite(d); d[0]==np.datetime64('2020-01-05')
d.min(); d[:1].min(); np.max(d[[0, 3]]); d.max(axis=0, keepdims=True); d[:0].max()
np.stack([d, e]).max(axis=1); np.stack([d, e]).argmin(axis=0); np.argmax(d); d.argmin()
np.argmax(d[[0, 3]]); np.sort(d); np.argsort(d); d[np.argsort(d)]; np.sort(d[:0])
np.sort(np.stack([d, e]), axis=0); np.sort(np.stack([d, e]), axis=None)
np.diff(d); np.diff(t); np.diff(d, 2); np.diff(d.reshape(2, 2), axis=0); np.diff(d[:0])
np.sum(t); np.sum(t[[0, 1]]); np.stack([t, u]).sum(axis=0); t.cumsum()
np.cumsum(np.stack([t, u]), axis=1); np.cumsum(np.stack([t, u])); np.diff(d)/np.timedelta64(1, 'D')
np.unique(d); np.unique(np.concatenate([d, d, e])); np.searchsorted(np.sort(d), e)
np.searchsorted(np.sort(e), np.datetime64('2019-06-01'))
np.searchsorted(np.sort(e), d, side='right')
d.astype('M8[s]'); d.astype('M8[h]').astype('M8[W]'); t.astype('m8[m]'); t.astype('m8[ms]')
t.astype('m8[25s]'); d.astype('M8[us]'); d.astype(int); d.astype('i4'); t.astype(float)
t.view('i8'); d.view(np.int64); d.astype('M8[D]'); t.astype('u8'); d.astype('M8[s]')+t
(d.view('i8')*2**40).astype(int); (d+2**40).astype('M8[ns]'); (d-d[0]).astype(float).sum()
d[0]; d[1:]; d[::-1]; d[m]; d[i]; d[-1]-d[0]; (d[3]-d[0])/np.timedelta64(1, 'D'); d[...]; d[5]
d[None, :]-e[:, None]; d[d>e]; d[np.isnat(d)]; d[d>e].min(); [x for x in d]; [x+1 for x in d]
np.where(m, d, e); np.where(m, d, np.datetime64('NaT')); np.where(m, h, t); np.concatenate([d, e])
np.concatenate([d, e.astype('M8[s]')]); np.stack([d, e]); np.hstack([d, d]).reshape(2, 4)
d.reshape(2, 2).T; np.roll(d, 1); np.repeat(d, 2); np.tile(d, 2); np.flip(d); d.take([0, 1])
d; d.copy(); d[:]; (d, d, d[1:]); {'a': d, 'b': d+1}; len(d), d.shape, d.ndim, d.size, d.nbytes
d.dtype; type(d); type(d[0]); isinstance(d[0], np.datetime64); isinstance(d, np.ndarray)
np.isscalar(d[0]); np.isscalar(d); hasattr(d, 'sort'); getattr(d, 'none', 3); d is None; d.none
np.mean(t[[0, 1]]); t.mean(); np.stack([t, u]).mean(axis=1); np.stack([t[:2], u[:2]]).mean(axis=0)
t[:0].mean(); np.zeros_like(d); np.empty_like(d).shape; np.ones_like(t); np.full_like(d, e[0])
np.asarray(d); np.asarray(d) is d; np.array(d); np.delete(d, [0, 2])
d+d; d*2; d/2; d+f; d<5; ~d; np.sin(d); np.concatenate([d, t]); d+np.datetime64('2020-01-01'); d()
max(d[0], e[1]); sum(t); [a-b for a, b in zip(d, e)]; d[0] if d[0]>e[1] else e[0]
x=d.copy(); x[0]=np.datetime64('2000-01-01'); return x
x=d.copy(); x[0]='NaT'; return x
x=d.copy(); x[m]=e[m]; return x
x=d.copy(); x+=1; return x
x=t.copy(); x*=2; return x
x=t.copy(); x[1:]=7; return x
x=d.copy(); x.sort(); return x
x=d+1; return x, x, x[1:]
d[0]=e[1]; return d
d[1:]=d[:-1].copy(); return d
d+=np.timedelta64(1, 'D'); return d, d[1:]
d[np.isnat(d)]=np.datetime64('2000-01-01'); return d
d[0]=np.datetime64('2020-01-01T05'); return d
x=d.copy(); y=x[1:]; y[0]=x[0]; return x, y
d.sort(); return None
"""
#: Loops and branches.
LOOPS = r"""
x=d\n for k in range(60): x=x+np.timedelta64(1,'D')\n return x, d
x=d[0]\n for k in range(len(i)*20): x=x+t[k%2]\n return x
x=d\n for k in range(len(i)*20): x=x+np.timedelta64(1,'D')\n return x
x=d\n for k in range(len(i)*20):\n  if f[k%4]>0: x=e\n return x+1
x=d[0]\n for v in d:\n  if v>x: x=v\n return x
x=d[0]; y=e[0]\n for k in range(len(i)*20): x,y=y,x+1\n return x, y
n=0\n for k in range(len(i)*20):\n  if d[k%4]>e[0]: n+=1\n return n
for k in range(len(d)):\n  if d[k]>e[1]: d[k]=e[k]\n return d, e
for k in range(len(i)*20): d[k%4]=d[(k-1)%4]+np.timedelta64(k,'D')\n return d
x=d[1:]\n for k in range(len(i)*20): d[k%4]=e[(k-1)%4]; x[0]=x[1]\n return d, x
x=d.copy(); y=x\n for k in range(len(i)*20): y[k%4]=e[(k-1)%4]+1\n return x, y
x=d.copy(); y=x\n for k in range(len(i)*20): x=x+1; y[0]=e[0]\n return x, y
x=d.copy(); y=x\n for k in range(len(i)*20): x+=1\n return x, y
x=e[3]\n while x<e[3]+np.timedelta64(900,'D'): x=x+np.timedelta64(1,'D')\n return x
if f[0]>0: x=d\n else: x=e\n return x+1
if f[0]>0: x=d[0]\n else: x=t[0]\n return x
if f[0]>0: x=d[0]\n else: x=None\n return x
l=[]\n for k in range(len(i)*20): l.append(d[k%4]+k)\n return l[3], len(l)
l={'x': d}\n for k in range(len(i)*20): l['x']=l['x']+1\n return l
x=[d, e]\n for k in range(len(i)*20): x[0],x[1]=x[1],x[0]\n return x
x=f*0\n for k in range(len(d)*20): x[k%4]=(d[k%4]-e[0])/np.timedelta64(1,'h')\n return x
x=f.copy()\n for k in range(len(d)*20):\n  if not np.isnat(d[k%4]): x[k%4]+=1\n return x
try: x=d[9]\n except IndexError: x=d[0]\n return x
"""
#: What host calls do.
HOSTED = """
np.busday_count(d[[0, 3]], e[[0, 1]]); np.is_busday(d[[0, 3]]); np.datetime_as_string(d); d.tolist()
d.astype('M8[M]'); d.astype('M8[Y]'); d.astype(str); str(d[0]); f"{d[0]}"; d==5
np.array(d, object); np.array(d) is d
np.median(t); np.zeros_like(d, dtype=float); np.isin(d, e); np.clip(d, e[0], e[0]); d is d
np.timedelta64(i[0], 'D')+d; np.zeros(4, d.dtype); i.astype('m8[D]'); np.array([d[0], d[1]])
d==None; d.sum()
np.arange('2020-01-01', '2020-01-05', dtype='M8[D]')-d; np.add.reduce(t); bool(t[0]); float(t[0])
x=d+1; s=np.busday_count(x[[0, 3]], e[[0, 1]]); y=x-d; return y, s
x=d.copy(); x+=h; return x
d[0]=5; return d
x=i.copy(); x*=t; return x
x=f.copy(); x+=t; return x
x=i.copy(); x[0]=t[0]; return x
d.shape=(2, 2); return d
"""
_count = itertools.count()


def texts(calls: str) -> list[str]:
    """Expressions, several a line, and lines of statements."""
    found: list[str] = []
    for line in calls.strip("\n").splitlines():
        found += [line] if "return" in line else line.split("; ")
    return found


def function(text: str) -> tuple[Callable[..., Any], list[str]]:
    """The function of a call, and the names of its arguments."""
    names = [name for name in ARRAYS if re.search(rf"\b{name}\b", text)]
    body = text.replace("\\n", "\n") if "return" in text else f"return {text}"
    source = f"def f({', '.join(names)}):\n {body}\n"
    file = f"<dates {next(_count)}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    scope: dict[str, Any] = {"np": np}
    exec(compile(source, file, "exec"), scope)
    return scope["f"], names


def check(text: str, on_unsupported: str = "error", calls: int = 2, **changes: Any) -> Any:
    """What a call gives, and leaves in its arguments, is what NumPy gives and leaves."""
    f, names = function(text)
    g = tracejit.function(f, on_unsupported=on_unsupported)
    arrays = {**ARRAYS, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(calls):
            want = outcome(f, tuple(arrays[name].copy("K") for name in names))
            got = outcome(g, tuple(arrays[name].copy("K") for name in names))
            assert not differences(want, got, 1e-12), text
    assert on_unsupported == "warn" or want.error is not None or not g.stats.fallbacks
    return g


@pytest.mark.parametrize("part", range(8))
def test_interpreted(part: int) -> None:
    with tracejit.config(compile=False):
        for text in texts(CALLS)[part::8]:
            check(text)


@pytest.mark.parametrize("text", texts(CALLS)[::14])
def test_compiled(text: str) -> None:
    check(text)


@pytest.mark.parametrize("text", texts(LOOPS))
def test_loops(text: str) -> None:
    with tracejit.config(compile=False, check=True):
        check(text)


@pytest.mark.parametrize("text", texts(HOSTED))
def test_what_host_calls_do(text: str) -> None:
    with tracejit.config(compile=False):
        check(text, "warn")


@pytest.mark.parametrize("unit", ["W", "h", "m", "ms", "us", "ns", "ps", "fs", "25s", "M", "Y"])
def test_units(unit: str) -> None:
    """Of a calendar's units, what needs no other one."""
    ticks = np.array([5, -7, NAT, 2**40])
    e, u = ticks[::-1].copy().view(f"M8[{unit}]"), ticks[::-1].copy().view(f"m8[{unit}]")
    same = "d+u; d-e; d<e; u*2; u/u; d.min(); np.sort(d); np.diff(d); d+1; d.astype(int); e[::2]"
    other = "d+h; u+t; u<h; d.astype('M8[s]'); u.astype('m8[D]'); np.concatenate([u, t])"
    with tracejit.config(compile=False):
        for text in same.split("; "):
            check(text, d=ticks.view(f"M8[{unit}]"), e=e, u=u)
        for text in other.split("; "):
            how = "warn" if unit in "MYfs" else "error"
            check(text, how, d=ticks.view(f"M8[{unit}]"), u=u)


@pytest.mark.parametrize("layout", ["F", "strided", "reversed", "empty", "one"])
def test_layouts(layout: str) -> None:
    d, e = (np.stack([ARRAYS[n]] * 3) for n in "de")
    change = {
        "F": np.asfortranarray, "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        "reversed": lambda x: x[::-1, ::-1], "empty": lambda x: x[:, :0],
        "one": lambda x: x[:1, :1],
    }[layout]  # fmt: skip
    with tracejit.config(compile=False):
        for text in ("d-e; d<e; d.T; np.sort(d, axis=0); d+1; d.ravel(); d[0]; d.reshape(-1)[:1]; "
                     "np.maximum(d, e); d.max(initial=None); np.concatenate([d, e]); d[:, ::-1]; "
                     "np.diff(d, axis=0); d.astype('M8[h]')").split("; "):  # fmt: skip
            check(text, "warn" if "initial" in text else "error", d=change(d), e=change(e))


def test_a_path_is_for_one_unit() -> None:
    def f(x: Any, y: Any) -> Any:
        return x - y, x[1:]

    g = tracejit.function(f)
    ticks = np.arange(4)
    with tracejit.config(compile=False):
        for dtype in ("M8[D]", "M8[s]", "m8[s]", "i8", "M8[D]"):
            x, y = ticks.view(dtype), ticks[::-1].copy().view(dtype)
            want, got = f(x, y), g(x, y)
            for a, b in zip(got, want, strict=True):
                assert a.dtype == b.dtype and (a.view("i8") == b.view("i8")).all()
            assert np.shares_memory(got[1], x)
    assert g.stats.traces == 4
    with pytest.raises(np._core._exceptions.UFuncTypeError):
        g(ticks.view("M8[D]"), 2.5)


def test_arguments_hold_dates() -> None:
    def f(box: Any, when: Any) -> Any:
        box["d"][0] = when
        box["late"] = box["d"] > when
        return box["d"], when + 1, box

    g = tracejit.function(f)
    with tracejit.config(compile=False):
        for when in (np.datetime64("2020-02-03"), np.datetime64("2021-02-03")):
            mine, plain = ({"d": ARRAYS["d"].copy()} for _ in range(2))
            want, got = outcome(f, (plain, when)), outcome(g, (mine, when))
            assert not differences(want, got, 0)
            assert got.values["result[0]"] is mine["d"]
    assert g.stats.traces == 1


DAY = np.timedelta64(1, "D")
HOLIDAYS = np.array(["2020-01-06", "2021-02-02"], "M8[D]")


class Calendar:
    def __init__(self) -> None:
        self.days = ARRAYS["d"].copy()
        self.step = np.timedelta64(2, "D")

    def next(self, e: Any) -> Any:
        self.days = np.maximum(self.days + self.step, e)
        self.days[0] = HOLIDAYS[1]
        self.step += DAY
        return self.days


def test_captured_dates_and_attributes() -> None:
    """Of which others may be there at the next call."""

    def f(calendar: Any, d: Any, step: Any = DAY) -> Any:
        late = calendar.next(d)
        HOLIDAYS[0] += step
        return late - HOLIDAYS[0], late, d == HOLIDAYS[1]

    g = tracejit.function(f)
    mine, plain = Calendar(), Calendar()
    with tracejit.config(compile=False):
        for _ in range(3):
            before = HOLIDAYS.copy()
            want, first = f(plain, ARRAYS["d"]), HOLIDAYS.copy()
            HOLIDAYS[:] = before
            got = g(mine, ARRAYS["d"])
            assert [(a.dtype, str(a)) for a in got] == [(a.dtype, str(a)) for a in want]
            assert got[1] is mine.days
            assert (mine.days.view("i8") == plain.days.view("i8")).all()
            assert (first == HOLIDAYS).all() and mine.step == plain.step
    assert g.stats.traces == 1


def test_other_arrays_of_dates_are_host_calls() -> None:
    swapped = ARRAYS["d"].astype(">M8[D]")
    generic = np.array([1, 2], "m8")
    g = tracejit.function(lambda x: x + 1, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
        for x in (swapped, generic):
            assert str(g(x)) == str(x + 1)
    assert not g.stats.traces


def test_an_object_with_a_dtype_of_its_own_is_no_date() -> None:
    class Held:
        dtype: object = 1.5

    held = Held()
    f = tracejit.function(lambda x: held.dtype * x)
    assert f(np.ones(2)).tolist() == [1.5, 1.5]
    assert tracejit.function(lambda h, x: h.dtype * x)(held, np.ones(2)).tolist() == [1.5, 1.5]
