"""Why a call traced again, and what `explain` prints."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Mapping
from typing import Any

from tracejit.call.arguments import Description
from tracejit.call.compiled import Compiled
from tracejit.call.fallback import Refusal
from tracejit.errors import NotTraceable
from tracejit.ir import interpret
from tracejit.ir.node import Node
from tracejit.plan.structure import Static, same
from tracejit.trace.explain import failed_check, first_failed, value_text
from tracejit.trace.trace import Trace

_GONE = object()
#: The answers to one question of Python's for which programs are compiled: any, as loops may have
#: a few lengths, and those of which each number has its own (floats, texts, hashes).
MAX_ANSWERS, MAX_FEW = 10, 2
#: The descriptions of calls that are refused for one reason before all others are.
MAX_REFUSED = 16


def _changed_captures(path: Any, description: Description) -> list[tuple[str, Any, Any]]:
    """(path, value in the trace, value now) of captured static values that are no longer so."""
    found = []
    scope = dict(path.namespace)
    scope.update(zip(description.signature.locals, description.bound, strict=True))
    for name, text in path.objects.items():
        with contextlib.suppress(Exception):  # there is none, or it has no name here
            scope[name] = eval(text, scope)
    for root in path.roots:
        if isinstance(root.spec, Static):
            try:
                now = eval(root.expression, scope)
            except NameError:
                continue
            except Exception:
                now = _GONE
            if not same(root.spec.value, now):
                found.append((root.path, root.spec.value, now))
    return found


def promote_changed_numbers(fn: Compiled, description: Description) -> None:
    """Captured numbers that changed since a path was traced become inputs of the next one."""
    for path in fn._paths[-4:]:
        for name, before, now in _changed_captures(path, description):
            if type(before) in (int, float, complex) and type(now) in (int, float, complex):
                fn._dynamic.add(name)


def count_refused(fn: Compiled, key: Any, refusal: Refusal) -> None:
    """What calls of many descriptions are refused for is a refusal of all further ones."""
    if key in fn._refused or refusal.bound or refusal.may_be_raised:
        return
    reason = refusal.reason, refusal.origin, refusal.budget
    fn._refusals[reason] = count = fn._refusals.get(reason, 0) + 1
    if count == MAX_REFUSED:
        fn._often = refusal


def asked_too_often(fn: Compiled, description: Description, trace: Trace) -> Refusal | None:
    """Why there is no further path for arguments like these: one question, many answers.

    A number that changes at each call would compile at each call, where Python must know it. What
    NumPy cannot run is compiled all the same.
    """

    def evaluate(node: Node) -> Any:
        return interpret.evaluate([node], trace.values)[0]

    asked: dict[Any, int] = {}
    for path in fn._paths.of(description.key):
        for name, _, now in _changed_captures(path, description):
            question = "value", name
            asked[question] = count = asked.get(question, 0) + 1
            if count >= MAX_ANSWERS and path.objects:
                problem = NotTraceable(
                    f"{name} is another one again, now {value_text(now)}, and {count} have been "
                    "compiled already",
                    "let what changes so often be an array or a number, or leave it outside",
                )
                problem.forget()
                return Refusal(problem, fn.__wrapped__, trace)
        check = first_failed(path.graph.checks, evaluate)
        if check is None:
            continue
        question = check.origin or check.reason
        asked[question] = count = asked.get(question, 0) + 1
        few = check.few or _is_float_value(check.condition)
        if count >= (MAX_FEW if few else MAX_ANSWERS):
            problem = NotTraceable(
                f"Python asks again, and {count} answers have been compiled already; the last was "
                f"{check.reason}",
                "compute with the number itself, or pass what is asked for as an argument",
            )
            problem.forget()
            if check.origin is not None:
                origin = check.origin
                problem.place = (origin.file, origin.line, origin.function)
            refusal = Refusal(problem, fn.__wrapped__, trace)
            return None if refusal.bound else refusal
    return None


def number_changed(fn: Compiled, key: Any, trace: Trace) -> bool:
    """Whether a path was traced for arguments of this `key` that only other whole numbers miss."""

    def evaluate(node: Node) -> Any:
        return interpret.evaluate([node], trace.values)[0]

    for path in fn._paths.of(key):
        check = first_failed(path.graph.checks, evaluate)
        if check is not None and all(a.dtype.kind == "i" for a in check.condition.args):
            return True
    return False


def _is_float_value(test: Node) -> bool:
    """Whether `test` asks whether a float is this one, and not another."""
    return test.op.name in ("equal", "isnan", "signbit") and test.args[0].dtype.kind == "f"


def cause_of(fn: Compiled, new: Any, values: Mapping[str, Any], description: Description) -> str:
    """What made `fn` trace again, with both values; empty for the first path."""
    if not fn._paths:
        return ""
    old = next((p for p in reversed(fn._paths) if p.key == new.key), fn._paths[-1])
    if old.key != new.key:
        if old.key[0] != new.key[0]:
            return f"config.compile: {old.key[0]} → {new.key[0]}"
        nothing = None, "absent"
        for path in {**new.texts, **old.texts}:
            (before, shown), (after, text) = (p.texts.get(path, nothing) for p in (old, new))
            if before != after:
                return f"{path}: {shown} → {text}"
        return "the arguments"
    for name, before, now in _changed_captures(old, description):
        shown = "deleted" if now is _GONE else value_text(now)
        return f"{name}: {value_text(before)} → {shown}"

    def evaluate(node: Node) -> Any:
        return interpret.evaluate([node], values)[0]

    return failed_check(old.graph.checks, evaluate, old.names) or "a captured value changed"


def explain(fn: Compiled) -> str:
    """The paths of `fn` as text."""
    lines = [f"{fn.__name__}: {fn.stats.traces} traces, {fn.stats.compiles} compiles"]
    for k, path in enumerate(fn._paths, 1):
        arguments = ", ".join(f"{p}: {t}" for p, (_, t) in path.texts.items())
        lines.append(f"path {k}: {arguments or 'no arguments'}")
        if path.cause:
            lines.append(f"  traced again because of {path.cause}")
        lines += [
            f"  line {n}: the {what} is {how}" for (n, what), how in sorted(path.notes.items())
        ]
        lines += [f"  {remark}" for remark in path.executable.remarks]
        lines += [
            f"  guard {check.reason}" + (f" (line {check.origin.line})" if check.origin else "")
            for check in path.graph.checks
        ]
        for root in path.roots:
            if isinstance(root.spec, Static):
                builtin = root.path.startswith("a global ")
                if builtin or isinstance(root.spec.value, types.CodeType):
                    continue  # every function's own
                lines.append(f"  guard {root.path} is {value_text(root.spec.value)}")
            else:
                lines.append(f"  reads {root.path}")
    for refusal in {id(r): r for r in fn._refused.values()}.values():
        lines.append(f"falls back at line {refusal.origin.line}: {refusal.reason}")
    if fn._segments is not None and fn._segments.lines:
        lines.append(str(fn._segments))
    return "\n".join(lines)
