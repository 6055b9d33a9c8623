"""A program run plainly and decorated: results, arguments, globals and exceptions compared."""

from __future__ import annotations

import contextlib
import io
import itertools
import linecache
import re
import sys
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from devices import on_cpu

import tracejit
from programs.overlap import apart
from programs.write import Program

#: Which arguments each call is given: the second call finds a path, the third one other lengths.
CALLS = (0, 0, 1)
#: By how much a value may be off, relatively, where a floating sum may be reordered.
OFF = 1e-12
_modules = itertools.count()


@dataclass
class Outcome:
    """What there is after a call: its result, or its exception, the arguments and the globals."""

    values: dict[str, Any]
    error: Exception | None = None


@dataclass
class Instance:
    """An object of a program's class; what it holds is told apart."""

    value: Any

    def __eq__(self, other: object) -> bool:
        values = [x.value for x in (self, other) if isinstance(x, Instance)]
        return len({type(x).__name__ for x in values}) == 1 and len(values) == 2


@dataclass
class Report:
    """`difference` is empty where all is as in NumPy; `how` a program ran, and why so."""

    program: Program
    how: str
    reason: str = ""
    difference: str = ""
    reached: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.program.source}\n{self.difference}\nran: {self.how} {self.reason}"


def check(program: Program, decorate: Callable[..., Any] = tracejit.function) -> Report:
    """Run a program plainly and decorated, and compare after each call."""
    report = compared(program, program.source, decorate)
    if report.difference:
        as_documented = compared(program, apart(program.source), decorate)
        if not as_documented.difference:
            return as_documented
    return report


def compared(program: Program, source: str, decorate: Callable[..., Any]) -> Report:
    """What differs between ``source``, run plainly, and the program, decorated."""
    plain, traced = load(source), load(program.source)
    f = decorate(traced.program, on_unsupported="warn")
    lines: set[int] = set()
    difference, errors = "", 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call, k in enumerate(CALLS):
            with watched(plain.program.__code__.co_filename, lines):
                want = outcome(plain.program, plain.arguments(k), **globals_of(plain))
            got = outcome(f, traced.arguments(k), **globals_of(traced))
            errors += want.error is not None
            difference = differences(want, got, 0 if program.exact else OFF)
            if difference:
                difference = f"call {call}, arguments({k}): {difference}"
                break
    how, reason = how_it_ran(f, errors)
    reached = set().union(*(c for line, c in program.constructs.items() if line in lines))
    return Report(program, how, reason, difference, reached)


def check_changed(source: str, change: Callable[[types.FunctionType], Callable[..., Any]]) -> str:
    """How a program differs whose functions are what ``change`` makes of them, or nothing.

    Nothing may be off, and exceptions have the same text.
    """
    plain, other = load(source), load(source)
    for name, f in vars(other).copy().items():
        if isinstance(f, types.FunctionType):
            setattr(other, name, change(f))
    for k in (0, 1):
        want = outcome(plain.program, plain.arguments(k), **globals_of(plain))
        got = outcome(other.program, other.arguments(k), **globals_of(other))
        found = differences(want, got, 0)
        if found:
            return f"{source}\narguments({k}): {found}"
    return ""


def globals_of(module: types.ModuleType) -> dict[str, Any]:
    """The arrays and lists that a program may change besides its arguments."""
    found = vars(module).items()
    return {name: value for name, value in found if isinstance(value, (np.ndarray, list))}


def how_it_ran(f: Any, errors: int) -> tuple[str, str]:
    """Whether all calls were compiled, and why not."""
    if errors == len(CALLS):
        return "raises", ""
    if f.stats.traces and not f.stats.fallbacks:
        return "compiled", ""
    found = re.search(r"falls back at line \d+: (.*)", f.explain())
    return "NumPy", found.group(1) if found else ""


def load(source: str) -> types.ModuleType:
    """A module of this source, whose functions `inspect` finds it for."""
    name = f"<program {next(_modules)}>"
    module = types.ModuleType("program")
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    exec(compile(source, name, "exec"), module.__dict__)
    return module


class watched:
    """Notes the lines of a file that are executed; under a debugger or coverage, all."""

    def __init__(self, file: str, lines: set[int]) -> None:
        self.file, self.lines = file, lines

    def __enter__(self) -> None:
        self.before = sys.gettrace()
        if self.before is None:
            sys.settrace(self._enter)

    def __exit__(self, *_exception: object) -> None:
        sys.settrace(self.before)

    def _enter(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        return self._step if frame.f_code.co_filename == self.file else None

    def _step(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        self.lines.add(frame.f_lineno)
        return self._step


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...], **others: Any) -> Outcome:
    """Call `function`; `others` are values that it may change besides.

    What it prints is compared, too, and NumPy's global random numbers, which begin anew.
    """
    result, error = None, None
    np.random.seed(1)
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            result = function(*arguments)
        except Exception as problem:
            error = problem
    others |= {"arguments": arguments, "result": result, "np.random": np.random.get_state()}
    values: dict[str, Any] = {"printed": printed.getvalue()}
    for name, value in others.items():
        values |= leaves(value, name)
    return Outcome(values, error)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What containers and objects hold, a word for each, and the states of generators."""
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, (tuple, list, dict)):
        yield f"{path} holds", f"{type(value).__name__} of {len(value)}"
        items = value.items() if isinstance(value, dict) else enumerate(value)
    elif isinstance(value, np.random.Generator):
        items = [("state", value.bit_generator.state)]
    elif isinstance(value, np.random.RandomState):
        items = [("state", value.get_state())]
    elif type(value).__module__ == "program":  # where `load` puts its classes
        yield f"{path} is", Instance(value)
        items = vars(value).items()
    else:
        yield path, value
    for key, item in items:
        yield from leaves(item, f"{path}[{key!r}]")


def differences(want: Outcome, got: Outcome, off: float) -> str:
    """How a decorated call differs from the plain one, as text; empty where it does not."""
    if not isinstance(got.error, type(want.error)):
        return f"exception: plain {want.error!r}, decorated {got.error!r}"
    if off == 0 and not str(got.error).startswith(str(want.error)):  # more may follow
        return f"message: plain {want.error!r}, decorated {got.error!r}"
    if want.values.keys() != got.values.keys():
        return f"structure: plain {sorted(want.values)}, decorated {sorted(got.values)}"
    for path, a in want.values.items():
        b = got.values[path]
        if not same(a, b, off):
            return f"{path}: plain {described(a)}, decorated {described(b)}"
    if not on_cpu():
        return ""  # what is downloaded shares no memory
    arrays = [p for p, a in want.values.items() if isinstance(a, (np.ndarray, Instance))]
    for one, other in itertools.combinations(arrays, 2):
        a, b = relation(want, one, other), relation(got, one, other)
        if a != b:
            return f"{one} and {other}: plain {a}, decorated {b}"
    return ""


def same(a: Any, b: Any, off: float) -> bool:
    """Whether two values have the same type, dtype, shape and bits, or nearly so."""
    if type(a) is not type(b):
        return False
    if not isinstance(a, (np.ndarray, np.generic, int, float, complex)):
        return bool(a == b)
    x, y = np.asarray(a), np.asarray(b)
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    if x.dtype.kind in "mM":  # what is no date is equal to nothing
        x, y = x.view(np.int64), y.view(np.int64)
    if x.dtype.kind != "f":
        return np.array_equal(x, y)
    with np.errstate(all="ignore"):
        scale = np.abs(x[np.isfinite(x)]).max(initial=1.0)
        if off:
            equal = (x == y) | (np.abs(x - y) <= off * scale)
        else:
            equal = (x == y) & (np.signbit(x) == np.signbit(y))
        return bool((equal | np.isnan(x) & np.isnan(y)).all())


def relation(outcome: Outcome, one: str, other: str) -> str:
    """How two arrays are related."""
    a, b = outcome.values[one], outcome.values[other]
    if a is b or (isinstance(a, Instance) and isinstance(b, Instance) and a.value is b.value):
        return "one object"
    if isinstance(a, Instance) or isinstance(b, Instance):
        return "apart"
    return "share memory" if np.shares_memory(a, b) else "apart"


def described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)} {np.array2string(value, threshold=50)}"
    return f"{type(value).__name__} {value!r}"


@dataclass
class Tally:
    """Counts over many programs."""

    how: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    compiled: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        self.how[report.how] += 1
        self.reached.update(report.reached)
        if report.how == "compiled":
            self.compiled.update(report.reached)
        elif report.how == "NumPy":
            self.reasons[re.sub(r"[a-z]+\d+|\d+", "…", report.reason)] += 1

    @property
    def share(self) -> float:
        """The share of compiled programs among those that do not raise at every call."""
        return self.how["compiled"] / max(1, self.how["compiled"] + self.how["NumPy"])

    def __str__(self) -> str:
        total = sum(self.how.values())
        lines = [f"{total} programs: " + ", ".join(f"{n} {how}" for how, n in self.how.items())]
        lines += [f"compiled of those that do not raise: {self.share:.3f}", ""]
        lines.append(f"{'construct':34} {'reached by':>10} {'compiled':>9}")
        for name, n in self.reached.most_common():
            lines.append(f"{name:34} {n:10} {self.compiled[name]:9}")
        lines += ["", "in NumPy because"]
        lines += [f"{n:6}  {reason}" for reason, n in self.reasons.most_common(25)]
        return "\n".join(lines)
