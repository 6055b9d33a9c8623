"""Calls that are known to run in plain NumPy are recognised at once, and run.

A case is a test of the arguments, under the settings of the call that made it. It holds for what a
refusal was found to depend on, and for no more:

* the code and the closure of the function, where these are refused whatever the arguments are;
* the class of one argument, or of a part of it, that no call is compiled with;
* the description of all arguments, where a trace with them was refused.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tracejit.call.arguments import Description, layout
from tracejit.call.compiled import Compiled
from tracejit.call.fallback import Refusal, device_of, remember
from tracejit.capture.bytecode import scan
from tracejit.capture.generators import is_generator
from tracejit.config import Settings, settings
from tracejit.errors import MISS, PLAIN, NotTraceable
from tracejit.ir import build
from tracejit.ir.types import canonical_dtype
from tracejit.lower.devices import residence_of
from tracejit.native.caller import OTHERS
from tracejit.plan.prologue import Prologue
from tracejit.plan.structure import ARRAY, Leaf, Spec, Tree, children_of, converts, is_static
from tracejit.plan.text import make_function

MAX_CASES = 8
#: Bits of ``x.flags.num``.
_C, _F, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400


class Case(NamedTuple):
    """Under the settings `under`, arguments for which ``fits`` says PLAIN run plainly.

    `paths` are those for the same description: they are tried before.
    """

    under: Settings
    fits: Callable[..., Any]
    key: Any
    paths: tuple[Any, ...]


def run(fn: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a call that is known to run in plain NumPy, or MISS."""
    now = settings()
    asked = fn._driver if fn._settings is now else None
    for case in fn._shortcuts:
        if case.under is not now or case.fits is asked:
            continue
        try:
            if case.fits(*args, **kwargs) is not PLAIN:
                continue
        except Exception:  # arguments of another form
            continue
        for path in case.paths:
            if path.driver is asked:
                continue
            try:
                result = path.driver(*args, **kwargs)
            except OTHERS:
                continue
            if result is not MISS:
                fn.stats.fallbacks -= 1  # which the test has counted
                fn._ask(path.driver, now)
                return result
        if not fn._paths:
            fn._ask(case.fits, now)
        return fn._plain(*args, **kwargs)
    return MISS


def note_argument(
    fn: Compiled, refusal: Refusal, args: tuple[Any, ...], kwargs: dict[str, Any], mode: str
) -> None:
    """Recognise calls like this one, which could not be described, unless they are errors.

    What is downloaded for NumPy takes longer than to describe it.
    """
    if mode == "error" or refusal.bound or residence_of(device_of(fn)):
        return
    signature, known = fn._signature, fn._refused.get(refusal.reason)
    if known is not None and known.fits is not None:
        _add(fn, Case(settings(), known.fits, refusal.reason, ()))
        return
    remember(fn, refusal.reason, refusal)  # for `explain`
    for value, local in zip(signature.bind(*args, **kwargs), signature.locals, strict=True):
        steps = _steps_to_refused(value, fn.convert_arrays, ())
        if steps is not None:
            prologue = Prologue()
            at = local
            for parts, child in steps:
                at = _step(prologue, at, parts, child)
                value = parts.children[child]
            prologue.miss_if(f"type({at}) is not {prologue.symbol(type(value))}")
            if type(value) is np.ndarray:
                prologue.miss_if(f"{at}.dtype != {prologue.symbol(value.dtype)}")
            refusal.fits = _test(fn, prologue)
            _add(fn, Case(settings(), refusal.fits, refusal.reason, ()))
            return


def note(fn: Compiled, refusal: Refusal, description: Description, mode: str) -> None:
    """Recognise calls like this one, whose trace was refused, unless they are errors."""
    if mode == "error" or refusal.bound or residence_of(device_of(fn)):
        return
    if refusal.fits is None:
        refusal.fits = _refused_whatever(fn)
        refusal.whatever = refusal.fits is not None
        if refusal.fits is None and not description.converted and refusal.alike is None:
            refusal.fits = _test(fn, _described(description), not description.values)
    if refusal.fits is not None:
        key = None if refusal.whatever else description.key
        _add(fn, Case(settings(), refusal.fits, key, fn._paths.of(key)[::-1]))


def forget(fn: Compiled, key: Any) -> None:
    """There is a new path for arguments of the description `key`."""
    kept = tuple(case for case in fn._shortcuts if case.key != key)
    if len(kept) < len(fn._shortcuts):
        fn._shortcuts = kept
        fn._ask_none()


def _add(fn: Compiled, case: Case) -> None:
    if case.under.debug < 2:
        others = [c for c in fn._shortcuts if c.under is not case.under or c.key != case.key]
        fn._shortcuts, fn._shortcut = (case, *others[: MAX_CASES - 1]), run


def _test(fn: Compiled, prologue: Prologue, whatever: bool = False) -> Callable[..., Any]:
    """The function of the arguments that says PLAIN where no guard leaves."""
    f = fn.__wrapped__
    for part in ("__code__", "__defaults__", "__kwdefaults__"):
        prologue.miss_if(f"{prologue.symbol(f)}.{part} is not {prologue.symbol(getattr(f, part))}")
    if whatever:  # it could be called in a trace
        prologue.miss_if("_tj_solver() is not _tj_idle")
    prologue.flush()
    scope = {
        **prologue.namespace, **fn._signature.defaults,
        "_tj_solver": build.solver, "_tj_idle": build.IDLE, "_tj_stats": fn.stats, "PLAIN": PLAIN,
    }  # fmt: skip
    lines = [*prologue.lines, "_tj_stats.fallbacks += 1", "return PLAIN"]
    return make_function(fn._signature.parameters, lines, scope)


# The function ------------------------------------------------------------------------------------


def _refused_whatever(fn: Compiled) -> Callable[..., Any] | None:
    """A test whether `fn` is still what no call is compiled of; None where some may be."""
    f, prologue = fn.__wrapped__, Prologue()
    if scan(f.__code__).reason:
        return _test(fn, prologue, True)
    for cell in f.__closure__ or ():
        try:
            content = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if not callable(content) and _is_refused(content, False):
            held = f"{prologue.symbol(cell)}.cell_contents"
            prologue.miss_if(f"{held} is not {prologue.symbol(content)}")
            return _test(fn, prologue, True)
    return None


def _is_refused(value: Any, converting: bool) -> bool:
    """Whether a value is refused for its class, or an array for its dtype."""
    if isinstance(value, np.ndarray):
        plain = type(value) in (np.ndarray, np.memmap)
        return not plain or canonical_dtype(value.dtype) is None
    if converts(value):
        return not converting
    if isinstance(value, (np.generic, types.BuiltinFunctionType, types.MethodType, slice)):
        return False  # not for the class alone
    try:
        return children_of(value) is None and not (is_static(value) or is_generator(value))
    except NotTraceable:
        return False


# Arguments ---------------------------------------------------------------------------------------


def refused_among(fn: Compiled, values: Iterable[Any]) -> set[str]:
    """The parameters of `fn` whose `values` no call is compiled with."""
    pairs = zip(fn._signature.names, values, strict=True)
    return {n for n, v in pairs if _steps_to_refused(v, fn.convert_arrays, ()) is not None}


def _steps_to_refused(
    value: Any, converting: bool, above: tuple[int, ...]
) -> list[tuple[Tree, int]] | None:
    """The way from an argument to what is refused in it; None where nothing is found."""
    if _is_refused(value, converting):
        return []
    if isinstance(value, (np.ndarray, np.generic)) or id(value) in above or len(above) > 5:
        return None
    try:
        parts = children_of(value)
    except NotTraceable:
        return None
    for k, child in enumerate(parts.children if parts else ()):
        assert parts is not None
        steps = _steps_to_refused(child, converting, (*above, id(value)))
        if steps is not None:
            return [(parts, k), *steps]
    return None


def _step(prologue: Prologue, at: str, parts: Tree, child: int) -> str:
    """The text of a child of what the text `at` gives, which is guarded to be there."""
    local = prologue.assign(at)
    prologue.miss_if(f"type({local}) is not {prologue.symbol(parts.cls)}")
    if parts.kind in ("tuple", "list", "namedtuple"):
        prologue.miss_if(f"len({local}) <= {child}")
        return prologue.assign(f"{local}[{child}]")
    key = prologue.symbol(parts.keys[child])
    if parts.kind == "dict":
        prologue.miss_if(f"{key} not in {local}")
        return prologue.assign(f"{local}[{key}]")
    return prologue.assign(f"getattr({local}, {key})")


def _described(description: Description) -> Prologue:
    """Guards for arguments of this description."""
    prologue = Prologue()
    values, keys = iter(description.originals()), iter(description.key[2])
    for local, spec in zip(description.signature.locals, description.specs, strict=True):
        names = prologue.unpack(spec, local, values)
        for name, leaf in zip(names, _leaves(spec), strict=True):
            key = next(keys)
            if leaf == ARRAY:
                _like_array(prologue, name, *key)
    return prologue


def _leaves(spec: Spec) -> list[Leaf]:
    if isinstance(spec, Leaf):
        return [spec]
    if isinstance(spec, Tree):
        return [leaf for child in spec.children for leaf in _leaves(child)]
    return []


def _like_array(
    prologue: Prologue, name: str, dtype: Any, storage: str, writeable: bool,
    ones: tuple[bool, ...], own: bool,
) -> None:  # fmt: skip
    """Guard what of an array is in a description, which has it as its `own`."""
    assert own
    prologue.miss_if(f"{name}.dtype != {prologue.symbol(dtype)}")
    mask, wanted = _ALIGNED | _WRITEABLE | _C, _ALIGNED | (_WRITEABLE if writeable else 0)
    if storage == "C":
        wanted |= _C
    else:
        mask |= _F
        wanted |= _F if storage == "F" else 0
    prologue.miss_if(f"{name}.flags.num & {mask} != {wanted}")
    if storage in ("R", "A") and len(ones) > 1:
        prologue.miss_if(f"{prologue.symbol(layout)}({name}) != {storage!r}")
    if len(ones) == 1:
        prologue.miss_if(f"{name}.ndim != 1")
        prologue.miss_if(f"{'' if ones[0] else 'not '}len({name}) - 1")
    elif any(ones):
        prologue.miss_if(f"tuple([n == 1 for n in {name}.shape]) != {ones}")
    else:
        shape = prologue.assign(f"{name}.shape")
        prologue.miss_if(f"len({shape}) != {len(ones)} or 1 in {shape}")
