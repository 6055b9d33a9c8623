"""Running in plain NumPy what cannot be compiled, and telling the user why."""

from __future__ import annotations

import contextlib
import re
import sys
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.call.compiled import Compiled
from tracejit.call.overlaps import outside
from tracejit.call.paths import Paths
from tracejit.call.segments import Segments, leave
from tracejit.capture.divide.places import Place, place_in
from tracejit.capture.namespace import is_library_file
from tracejit.capture.objects import is_object
from tracejit.capture.outer import Namespace
from tracejit.config import config, device
from tracejit.errors import (
    AxisError,
    DTypeError,
    NotTraceable,
    ShapeError,
    TracejitError,
    UnsupportedError,
    UnsupportedWarning,
    take_refusal,
)
from tracejit.ir import interpret
from tracejit.ir.node import Node, Origin
from tracejit.lower.devices import residence_of, run_plainly
from tracejit.native import floatmodes
from tracejit.plan.structure import is_dataclass
from tracejit.trace.explain import log, message, source_line
from tracejit.trace.origin import is_internal
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer

#: What to do about an error: by a part of NumPy's text, then by class.
_HINTS_BY_TEXT = (
    ("reshape", "the lengths of a shape multiply to the array's size; -1 stands for what is left"),
    ("duplicate", "name each axis once"),
    ("repeated axis", "name each axis once"),
    ("zero-size", "give the reduction an initial= value, or test the size before"),
    (
        "core dimension",
        "the first operand's last axis is as long as the second's last but one",
    ),
    ("concatenation axis", "only the joined axis may differ: reshape or slice the parts"),
    ("broadcast", "make the lengths agree, or give an array an axis of length 1 with x[:, None]"),
    ("too many indices", "give at most one index for each axis"),
    ("out of bounds for axis", "an index lies between -n and n - 1 on an axis of length n"),
    ("Python integer", "cast the array to a dtype that holds the number"),
    ("negative integer powers", "make the base or the exponent a float"),
    ("Cast ", "cast an operand with .astype(...), or write y = y + x for a new array"),
    ("did not contain a loop", "cast an operand with .astype(...)"),
    ("not supported for the input types", "cast an operand with .astype(...)"),
)
_HINTS_BY_CLASS: dict[type, str] = {
    AxisError: "an array of n dimensions has the axes 0 … n - 1, or -n … -1",
    DTypeError: "cast an operand with .astype(...)",
    ShapeError: "compare the shapes of the operands",
}
COMPILER_FAILED = "the compiler refuses the program; with TRACEJIT_DEBUG=1 it says why"
MAX_REFUSED = 256
#: So many refusals of calls whose objects' attributes differ are one of all such calls.
MOST_ALIKE = 8
#: So deep are parts in parts: each is a few calls of Python's, which has a limit of them.
MOST_PARTS = 20
_DEFAULT_HINT = "do this outside the compiled function"


def hint_for(error: BaseException) -> str:
    """What to do about an error; empty where nothing is known."""
    if isinstance(error, TracejitError) and error.hint:
        return error.hint
    text = str(error).replace("Cannot cast", "Cast ")
    by_text = next((hint for part, hint in _HINTS_BY_TEXT if part in text), "")
    return by_text or next((h for cls, h in _HINTS_BY_CLASS.items() if isinstance(error, cls)), "")


class Refusal:
    """Why a call is not compiled: `problem` was met at `origin` with `operands`."""

    def __init__(
        self,
        problem: BaseException | None,
        function: types.FunctionType,
        trace: Trace | None = None,
        compiling: bool = False,
    ) -> None:
        self.problem = problem
        #: The budget that compiling was beyond.
        self.budget: float | None = getattr(problem, "budget", None)
        self.error = problem is not None and not isinstance(problem, NotTraceable)
        #: Whether NumPy may raise what was met, or what the program gives up for.
        self.may_be_raised = problem is None or (self.error and not compiling)
        self.may_be_raised = self.may_be_raised or getattr(problem, "may_raise", False)
        self.hint = ""
        #: A test of arguments that are refused for the same reason, once it has been made.
        self.fits: Callable[..., Any] | None = None
        #: Of one that has read attributes of objects: whether arguments have them alike; and how
        #: often others were refused before.
        self.alike: Callable[..., Any] | None = None
        self.others = 0
        #: Whether it tests no arguments.
        self.whatever = False
        #: Why NumPy cannot run the function, if it cannot.
        self.bound = getattr(problem, "bound", "")
        capture = None if trace is None else trace.capture
        if getattr(capture, "states", ()):
            self.bound = "uses shared variables"
        self.bound = bound_to(function) or self.bound
        if self.bound and self.error and trace is not None:
            assert problem is not None
            _give_values(problem, trace)
        if problem is None:
            self.reason = "the compiled program does not take the arguments it was made for"
        elif isinstance(problem, NotTraceable):
            self.reason, self.hint = problem.reason, problem.hint or _DEFAULT_HINT
        elif compiling:
            self.reason = COMPILER_FAILED
        else:
            self.reason = f"{_short(problem)} while it was traced, though NumPy runs it"
        frame = None if problem is None else _user_frame(problem)
        place = getattr(problem, "place", None)
        #: Raised by an operation, and not by a statement of the user's.
        self.inside = problem is not None and (place is not None or _raised_inside(problem))
        if place is not None:
            self.origin, frame = Origin(*place), None
        elif frame is None:
            code = function.__code__
            self.origin = Origin(code.co_filename, code.co_firstlineno, code.co_name)
        else:
            code = frame[0].f_code
            self.origin = Origin(code.co_filename, frame[1], code.co_name)
        calls = getattr(problem, "calls", None) or _calls_of(problem)
        #: The variables that it is for.
        self.variables: set[str] = getattr(problem, "variables", set())
        self.divides = False
        stated = place is not None or frame is not None
        #: Where in the function itself; None where that is not known, or is not what matters.
        self.spot = None
        if not (compiling or self.budget):
            self.spot = self._spot_in(function.__code__, calls, stated)
        self.operands = "" if frame is None else _operands(self.origin, frame[0], trace)
        if problem is not None:
            if config.debug >= 1:
                log(f"not compiled: {_short(problem)}")
            # Tracebacks hold the arguments.
            problem.__traceback__ = problem.__context__ = problem.__cause__ = None

    def _spot_in(self, code: types.CodeType, calls: Any, stated: bool) -> Place | None:
        line = self.origin.line
        here = self.origin[:1] + self.origin[2:] == (code.co_filename, code.co_name)
        return place_in(code, calls) or (Place(line, -1, line, -1) if stated and here else None)

    def holds(self, *args: Any, **kwargs: Any) -> bool:
        """Whether it is one under the settings in force, for these arguments."""
        now = config.budget
        if self.alike is not None and not self.alike(*args, **kwargs):
            return False
        return self.budget is None or bool(self.budget and 0 < now <= self.budget)

    def text(self, name: str) -> str:
        """The message: at most 12 lines."""
        if self.bound:
            return message(
                f"{name}() {self.bound} and cannot be compiled",
                self.origin, self.reason, self.operands, self.hint,
            )  # fmt: skip
        title = f"{name}() runs in plain NumPy"
        if self.divides:
            title += " here; what is around it is compiled"
        return message(title, self.origin, self.reason, self.operands, self.hint)

    def located(self, plain: Exception, inner: bool = False) -> Exception:
        """NumPy's error `plain` with the user's line, operands and a suggestion.

        An error that tracing itself found keeps its class, which is a subclass of NumPy's; to
        others the text is added as a note, as to what an `inner` function's caller may catch.
        """
        found = self.inside and isinstance(plain, type(self.problem))
        if isinstance(self.problem, TracejitError) and isinstance(self.problem, type(plain)):
            if not inner:
                title, hint = str(plain).strip("\n"), hint_for(self.problem) or hint_for(plain)
                text = message(title, self.origin, "", self.operands, hint)
                return type(self.problem)(text).with_traceback(plain.__traceback__)
            found = True
        if found:
            plain.add_note(message("", self.origin, "", self.operands, hint_for(plain)).strip("\n"))
        return plain


def bound_to(function: types.FunctionType) -> str:
    """Why NumPy cannot run a function; empty where it can."""
    if "__tracejit_transform__" in function.__dict__:
        return "is a derivative"
    return "uses shared variables" if _names_a_state(function) else ""


def _give_values(problem: BaseException, trace: Trace) -> None:
    """Put values in place of the traced ones that an exception holds, which is to be raised."""

    def valued(x: Any) -> Any:
        if not isinstance(x, Tracer):
            return x
        value = interpret.evaluate([x.node], trace.values)[0]
        return np.asarray(value).item() if x.kind == "number" else value

    with contextlib.suppress(Exception):
        problem.args = tuple(map(valued, problem.args))
        for name, value in list(vars(problem).items()):
            if isinstance(value, Tracer):
                setattr(problem, name, valued(value))


def _names_a_state(function: types.FunctionType) -> bool:
    """Whether a function names a shared variable, or a function of the user's that does."""
    seen: set[int] = set()
    stack: list[Any] = [function]
    while stack:
        f = stack.pop()
        if id(f) in seen or is_internal(f.__code__.co_filename):
            continue
        seen.add(id(f))
        codes = [f.__code__]
        for code in codes:
            codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
        found = [f.__globals__.get(n) for code in codes for n in code.co_names]
        for cell in f.__closure__ or ():
            with contextlib.suppress(ValueError):  # not assigned yet
                found.append(cell.cell_contents)
        held = ("__tracejit_state__", "__tracejit_draws__")
        if any(hasattr(type(v), name) for v in found for name in held):
            return True
        stack += [
            v for v in found
            if isinstance(v, types.FunctionType) and not is_library_file(v.__code__.co_filename)
        ]  # fmt: skip
    return False


def _calls_of(problem: BaseException | None) -> list[tuple[types.CodeType, int]]:
    """The calls in the traceback of `problem`, innermost first, with their last instructions."""
    found = []
    step = problem and problem.__traceback__
    while step:
        if isinstance(step.tb_frame.f_globals, Namespace):
            found.append((step.tb_frame.f_code, step.tb_lasti))
        step = step.tb_next
    return found[::-1]


def divide(fn: Compiled, refusal: Refusal) -> None:
    """Make what stopped a trace a host call, so that what is around it is compiled."""
    if refusal.bound or residence_of(device_of(fn)) is not None or fn.depth == MOST_PARTS:
        return
    if getattr(refusal.problem, "by_layout", False):  # what segments give may lie otherwise
        leave(None if hasattr(refusal.problem, "here") else fn._within)
        return
    if fn._segments is None:
        fn._segments = Segments(fn)
    plain = None
    if refusal.variables:
        plain = fn._segments.add_variables(refusal.variables)
    elif refusal.spot is not None:
        plain = fn._segments.add(refusal.spot, refusal.reason)
        if plain is not None and fn._within is not None:
            fn._within.tell(refusal.spot, refusal.reason, fn._segments)
    if plain is not None:
        fn._plain = plain
        refusal.divides = True


def _innermost(problem: BaseException) -> types.FrameType | None:
    """The frame that raised `problem`."""
    step = problem.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return None if step is None else step.tb_frame


def _raised_inside(problem: BaseException) -> bool:
    frame = _innermost(problem)
    return frame is not None and is_internal(frame.f_code.co_filename)


def raised_by_copy(problem: BaseException) -> bool:
    """Whether a traced function's own statement raised `problem`: no Ctrl-C, no exit of others."""
    frame = _innermost(problem)
    return frame is not None and isinstance(frame.f_globals, Namespace)


def raised(outputs: Sequence[Node], values: Mapping[str, Any]) -> Exception | None:
    """What NumPy raises where it computes `outputs`, with the user's line; None if it does not."""
    try:
        interpret.evaluate(outputs, values)
    except Exception as error:
        error.place = error.__tracejit_node__.origin  # type: ignore[attr-defined]
        return error
    return None


def _short(problem: BaseException) -> str:
    try:
        first = str(problem).strip().split("\n")[0][:200]
    except Exception:  # it holds traced values, or its class has a text of its own
        take_refusal()
        first = ""
    return f"{type(problem).__name__}: {first}" if first else type(problem).__name__


def _user_frame(problem: BaseException) -> tuple[types.FrameType, int] | None:
    """The innermost frame of the user's in the traceback of `problem`, and its line."""
    found = None
    step = problem.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        own = isinstance(step.tb_frame.f_globals, Namespace)
        if not is_internal(file) and (own or not is_library_file(file)):
            found = step.tb_frame, step.tb_lineno
        step = step.tb_next
    return found


def _operands(origin: Origin, frame: types.FrameType, trace: Trace | None) -> str:
    """The traced variables that the user's line names, with dtype and shape."""
    if trace is None:
        return ""
    found = []
    for name in dict.fromkeys(re.findall(r"[^\W\d]\w*", source_line(origin))):
        value = frame.f_locals.get(name, dict.get(frame.f_globals, name))
        if isinstance(value, Tracer) and value.kind != "number":
            found.append(f"{name} {value.node.dtype}{_shape_text(value.node, trace)}")
    return ", ".join(found[:6])


def _shape_text(node: Node, trace: Trace) -> str:
    lengths = [trace.value(d) for d in node.shape]
    return f"[{', '.join('?' if n is None else str(n) for n in lengths)}]"


def tell(paths: Paths[Any], text: str, place: Origin | None, mode: str) -> None:
    """Count a call in plain NumPy, and warn once a line of the user's; raise, if `mode` is "error".

    `text` says why the function of the `paths` runs so.
    """
    if mode == "error":
        raise UnsupportedError(text) from None
    paths.stats.fallbacks += 1
    line = place and (place.file, place.line)
    if line not in paths.told:
        paths.told.add(line)
        warnings.warn(text, UnsupportedWarning, stacklevel=stack_level())


def refuse(
    fn: Compiled, refusal: Refusal, mode: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run in plain NumPy and `tell` so."""
    _tell(fn, refusal, mode)
    return run_plainly(fn._plain, device_of(fn), args, kwargs)


def device_of(fn: Compiled) -> str:
    """The name of the device that `fn` runs on."""
    return fn.device or device()


def _tell(fn: Compiled, refusal: Refusal, mode: str) -> None:
    mode = "error" if refusal.bound else mode
    tell(fn._paths, refusal.text(fn.__name__), refusal.origin, mode)


def interpreted(fn: Compiled, problem: Exception, trace: Trace) -> bool:
    """Whether a traced program that the compiler refuses runs node by node, which is told.

    So runs what NumPy cannot run from its source: derivatives, and what uses shared variables.
    """
    mode = fn.on_unsupported or config.on_unsupported
    if residence_of(device_of(fn)) is not None:
        return False  # nothing interprets there
    bound = bool(bound_to(fn.__wrapped__) or trace.capture.states)
    if mode == "error" or not bound:
        return False  # to be raised as it is: a refusal keeps no traceback
    refusal = Refusal(problem, fn.__wrapped__, trace, compiling=True)
    refusal.bound = ""
    _tell(fn, refusal, mode)
    return True


def run_plain(
    fn: Compiled,
    refusal: Refusal,
    mode: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: Any,
) -> Any:
    """`refuse`, but for what may be an error of the user's: then NumPy raises it.

    Otherwise the refusal is remembered for calls of this `key`. Where it is raised, the arrays are
    as they were.
    """
    if refusal.bound:
        if refusal.error:
            assert isinstance(refusal.problem, Exception)
            raise refusal.located(refusal.problem) from None
        return refuse(fn, refusal, mode, args, kwargs)
    if not refusal.may_be_raised:
        remember(fn, key, refusal)
        if mode != "error":
            divide(fn, refusal)
        return refuse(fn, refusal, mode, args, kwargs)
    saved = _saved(fn.__wrapped__, (args, kwargs)) if mode == "error" else []
    try:
        result = run_plainly(fn.__wrapped__, device_of(fn), args, kwargs, mode != "error")
    except Exception as error:
        located = refusal.located(error, fn.inner)
        if located is error:
            raise
        raise located from None
    remember(fn, key, refusal)
    if mode != "error":
        divide(fn, refusal)
    for x, before in saved:
        _put_back(x, before)
    _tell(fn, refusal, mode)
    return result


def _saved(function: types.FunctionType, arguments: Any) -> list[tuple[Any, Any]]:
    """What a call may change, arguments and what is captured, with copies: arrays, and objects.

    Of objects these are their attributes, as of lists and dicts the elements.
    """
    found: list[tuple[Any, Any]] = []
    stack: list[Any] = [arguments, *(value for _, value in outside(function))]
    seen: set[int] = set()
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            found += [(value, value.copy())] if value.flags.writeable else []
        elif is_object(value) or is_dataclass(value):
            stack += [getattr(value, "__dict__", None)]
        elif type(value) in (list, dict):
            found.append((value, value.copy()))
            stack += value.values() if type(value) is dict else value
        elif isinstance(value, (list, tuple)):
            stack += value
    return found


def _put_back(value: Any, before: Any) -> None:
    if isinstance(value, dict):
        value.clear()
        value.update(before)
    elif isinstance(value, list):
        value[:] = before
    else:
        np.copyto(value, before)


def remember(fn: Compiled, key: Any, refusal: Refusal) -> None:
    """Keep why calls of this `key` are not compiled."""
    if len(fn._refused) >= MAX_REFUSED:
        del fn._refused[next(iter(fn._refused))]
    before: Refusal | None = fn._refused.get(key)
    if before is not None and before is not refusal and refusal.alike is not None:
        refusal.others = before.others + 1
        if refusal.others == MOST_ALIKE:  # objects of this class are not compiled
            refusal.alike = None
    fn._refused[key] = refusal


def refused_under(fn: Compiled, modes: str) -> Refusal:
    """Why no call of `fn` is compiled under NumPy's floating-point error modes `modes`."""
    known: Refusal | None = fn._refused.get(modes)
    if known is None:
        (problem := floatmodes.refusal(modes)).forget()
        known = Refusal(problem, fn.__wrapped__)
        remember(fn, modes, known)
    return known


def stack_level() -> int:
    """How many frames above its caller the user's is, for a warning."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and is_internal(frame.f_code.co_filename):
        level, frame = level + 1, frame.f_back
    return level
