"""Runtimes that do what Python does, and show that what they are told is enough."""

from __future__ import annotations

from collections import Counter

from tracejit.capture.rewrite.control import UNBOUND, PythonControl, State


class Counting(PythonControl):
    """Counts what it is asked."""

    def __init__(self):
        self.calls = Counter()

    def if_(self, *args, **names):
        self.calls["if"] += 1
        return super().if_(*args, **names)

    def for_(self, *args, **names):
        self.calls["for"] += 1
        return super().for_(*args, **names)

    def while_(self, *args, **names):
        self.calls["while"] += 1
        return super().while_(*args, **names)

    def and_(self, *args):
        self.calls["and"] += 1
        return super().and_(*args)

    def or_(self, *args):
        self.calls["or"] += 1
        return super().or_(*args)

    def not_(self, value):
        self.calls["not"] += 1
        return super().not_(value)

    def assert_(self, condition):
        self.calls["assert"] += 1
        return super().assert_(condition)


class Forgetful(Counting):
    """Takes the values from variables that a block would not need, before it and after it."""

    def forget(self, functions, assigned, keep):
        state = State([name for name in assigned if name not in keep], *functions)
        self.calls["forgotten"] += sum(value is not UNBOUND for value in state.get())
        state.set([UNBOUND] * len(state.cells))

    def if_(self, condition, then, otherwise=None, assigned=(), read=(), live=(), raising=(0, 0)):
        taken = bool(condition)
        self.forget([then, otherwise], assigned, {*read, *live})
        result = super().if_(taken, then, otherwise)
        assert not raising[not taken], "it has not raised"
        self.forget([then, otherwise], assigned, live)
        return result

    def for_(self, iterable, body, leave, assigned, read, live):
        iterator = iter(iterable)
        self.forget([body], assigned, {*read, *live})
        super().for_(iterator, body, leave, assigned=assigned, read=read, live=live)
        self.forget([body], assigned, live)

    def while_(self, test, body, leave, assigned, read, live):
        self.forget([test, body], assigned, {*read, *live})
        super().while_(test, body, leave, assigned=assigned, read=read, live=live)
        self.forget([test, body], assigned, live)

    def last(self, value):
        found = value()
        self.forget([value], value.__code__.co_freevars, ())
        return found


class BothSides(Counting):
    """Runs the other side of a branch first, and then puts the variables back."""

    def if_(self, condition, then, otherwise=None, assigned=(), read=(), live=(), raising=(0, 0)):
        taken = bool(condition)
        other = otherwise if taken else then
        state = State(assigned, then, otherwise)
        before = state.get()
        if other is not None:
            try:
                other()
            except Exception:
                self.calls["other side raised"] += 1
            self.calls["other side"] += 1
        state.set(before)
        return super().if_(taken, then, otherwise)
