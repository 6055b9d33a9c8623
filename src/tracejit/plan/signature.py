"""How a function takes its arguments, and functions that take theirs alike."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from tracejit.plan.text import Parameters, make_function


class Signature:
    """How a function takes its arguments: `bind` gives their values in the order of `names`.

    `parameters` are those of functions that are generated for it, which know them by the names
    `locals` and find defaults under the names in `defaults`.
    """

    def __init__(self, function: types.FunctionType) -> None:
        code = function.__code__
        self._made_for = code, function.__defaults__, function.__kwdefaults__
        self._positional = code.co_argcount
        plain = self._positional + code.co_kwonlyargcount
        self._has_rest, self._has_named = bool(code.co_flags & 0x04), bool(code.co_flags & 0x08)
        users = code.co_varnames[: plain + self._has_rest + self._has_named]
        ours = [f"_tj_p{k}" for k in range(len(users))]
        given = dict(function.__kwdefaults__ or {})
        values = function.__defaults__ or ()
        positional = users[: self._positional]
        given.update(zip(positional[len(positional) - len(values) :], values, strict=True))
        self.defaults = {f"_tj_d{k}": given[n] for k, n in enumerate(users[:plain]) if n in given}

        def parameter(k: int) -> str:
            return f"{ours[k]}=_tj_d{k}" if f"_tj_d{k}" in self.defaults else ours[k]

        parts = [parameter(k) for k in range(self._positional)]
        if code.co_posonlyargcount:
            parts.insert(code.co_posonlyargcount, "/")
        rest = [plain] if self._has_rest else []
        if rest or plain > self._positional:
            parts.append(f"*{ours[plain]}" if rest else "*")
        parts += [parameter(k) for k in range(self._positional, plain)]
        if self._has_named:
            parts.append(f"**{ours[-1]}")
        self.parameters = Parameters(", ".join(parts), users)
        order = [*range(self._positional), *rest, *range(self._positional, plain)]
        order += [len(users) - 1] if self._has_named else []
        self.names, self.locals = [users[k] for k in order], [ours[k] for k in order]
        self._keywords = users[self._positional : plain]
        every = "".join(f"{name}, " for name in self.locals)
        self.bind = make_function(self.parameters, [f"return ({every})"], dict(self.defaults))

    def recall(self, f: Callable[..., Any], *values: Any) -> Any:
        """Call `f` with values so bound."""
        start = self._positional
        given, named = values[:start], {}
        if self._has_rest:
            given, start = (*given, *values[start]), start + 1
        if self._has_named:
            named, values = values[-1], values[:-1]
        return f(*given, **dict(zip(self._keywords, values[start:], strict=True)), **named)

    def is_of(self, function: types.FunctionType) -> bool:
        """Whether `function` still takes its arguments so."""
        now = function.__code__, function.__defaults__, function.__kwdefaults__
        return all(a is b for a, b in zip(self._made_for, now, strict=True))
