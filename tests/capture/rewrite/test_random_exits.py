"""Random nests of loops, branches, handlers and contexts, with ways out in all of them."""

import contextlib
import random
import traceback
from collections import Counter

import pytest
from functions import module_of
from hypothesis import settings
from runtimes import Counting, Forgetful

from tracejit.capture.rewrite.function import rewrite, rewritten

PROGRAMS = 10 * settings().max_examples
HEAD = "def f(log, ask, context):\n"


class Writer:
    """Writes a function; every name may have no value where it is read."""

    def __init__(self, rng):
        self.rng = rng
        self.lines = []
        self.left = 4 + rng.randrange(25)
        self.marks = 0

    def line(self, depth, text):
        self.lines.append("    " * depth + text)

    def block(self, depth, loop, exits=True):
        for _ in range(1 + self.rng.randrange(3)):
            self.statement(depth, loop, exits)

    def statement(self, depth, loop, exits):
        self.left -= 1
        self.marks += 1
        kinds = "log log log bind read add choose".split()
        if exits:
            kinds += "return leave leave leave raise".split()
        if self.left > 0 and depth < 7:
            kinds += "if if if for while try try with with define".split()
        getattr(self, self.rng.choice(kinds) + "_")(depth, loop, exits)

    def name(self):
        return self.rng.choice("abc")

    def log_(self, depth, loop, exits):
        self.line(depth, f"log({self.marks})")

    def bind_(self, depth, loop, exits):
        self.line(depth, f"{self.name()} = {self.marks}")

    def read_(self, depth, loop, exits):
        self.line(depth, f"log({self.name()})")

    def add_(self, depth, loop, exits):
        self.line(depth, f"{self.name()} += {self.marks}")

    def choose_(self, depth, loop, exits):
        a, b, c = self.name(), self.name(), self.name()
        forms = [
            f"{a} if ask() else {b}", f"ask() and {a} or not {b}", f"0 < {a} < {b} < {c}",
            f"[{a} for {b} in range(2) if {b}]", f"(lambda v: v or {a})(ask())",
        ]  # fmt: skip
        self.line(depth, f"log({self.rng.choice(forms)})")

    def return_(self, depth, loop, exits):
        self.line(depth, f"return {self.rng.choice([self.name(), str(self.marks)])}")

    def leave_(self, depth, loop, exits):
        self.line(depth, self.rng.choice(["break", "continue"]) if loop else "log('leave')")

    def raise_(self, depth, loop, exits):
        self.line(depth, f"raise {self.rng.choice(['ValueError', 'KeyError'])}({self.marks})")

    def if_(self, depth, loop, exits):
        self.line(depth, "if ask():")
        self.block(depth + 1, loop, exits)
        if self.rng.randrange(3) == 0:
            self.line(depth, "elif ask():")
            self.block(depth + 1, loop, exits)
        if self.rng.randrange(2):
            self.line(depth, "else:")
            self.block(depth + 1, loop, exits)

    def loop(self, depth, loop, exits, header):
        self.line(depth, header)
        # What leaves a `finally` early may leave a loop in it.
        self.block(depth + 1, True, exits)
        if self.rng.randrange(3) == 0:
            self.line(depth, "else:")
            self.block(depth + 1, loop, exits)

    def for_(self, depth, loop, exits):
        self.loop(depth, loop, exits, f"for {self.name()} in range({self.rng.randrange(4)}):")

    def while_(self, depth, loop, exits):
        self.loop(depth, loop, exits, "while ask():")

    def try_(self, depth, loop, exits):
        self.line(depth, "try:")
        self.block(depth + 1, loop, exits)
        caught = self.rng.randrange(3)
        if caught:
            self.line(depth, f"except ValueError as {self.name()}:")
            self.block(depth + 1, loop, exits)
            if self.rng.randrange(2):
                self.line(depth, "else:")
                self.block(depth + 1, loop, exits)
        if not caught or self.rng.randrange(2):
            self.line(depth, "finally:")
            self.block(depth + 1, False, False)

    def with_(self, depth, loop, exits):
        self.line(depth, f"with context({self.marks}) as {self.name()}:")
        self.block(depth + 1, loop, exits)

    def define_(self, depth, loop, exits):
        name, function = self.name(), f"g{self.marks}"
        self.line(depth, f"def {function}():")
        self.line(depth + 1, f"nonlocal {name}")
        self.block(depth + 1, False)
        self.line(depth, f"log({function}())")


def write(seed):
    writer = Writer(random.Random(seed))
    if seed % 3:
        writer.line(1, "a = b = c = ask()")
    while writer.left > 0:
        writer.block(1, False)
    writer.line(1, "a = b = c = 0")
    return HEAD + "\n".join(writer.lines) + "\n"


class TooLong(Exception):
    pass


def outcome(f, seed):
    """What a call gives or raises, the lines of the function that raised, and what it logged."""
    rng, log, asked = random.Random(seed), [], []

    def ask():
        asked.append(0)
        if len(asked) > 200:
            raise TooLong
        return rng.random() < 0.5

    @contextlib.contextmanager
    def context(mark):
        log.append(f"enter {mark}")
        try:
            yield mark
        except ValueError:
            if mark % 2:
                raise
        finally:
            log.append(f"leave {mark}")
            if mark % 7 == 0 and ask():
                raise ValueError(mark)

    try:
        result = f(lambda value: log.append(repr(value)), ask, context)
    except Exception as problem:
        frames = traceback.extract_tb(problem.__traceback__)
        last = [frame.lineno for frame in frames if frame.filename == f.__code__.co_filename][-1:]
        # CPython 3.11 gives the line before, once it has joined the two instructions.
        unbound = isinstance(problem, UnboundLocalError)
        result = type(problem), str(problem), [] if unbound else last
    return repr(result), log


def compare_all(seeds, control):
    constructs = Counter()
    for seed in seeds:
        source = write(seed)
        f = module_of(source, f"<exits {seed}>").f
        found = rewritten(f.__code__)
        constructs.update(kind for kind, _ in found.constructs)
        constructs["left: " + found.reason.text if found.reason else "rewritten"] += 1
        g = rewrite(f, control)
        for call in range(4):
            assert outcome(g, call) == outcome(f, call), f"seed {seed}, call {call}\n{source}"
    return constructs


@pytest.mark.parametrize("control", [Counting, Forgetful])
def test_random_exits(control):
    control = control()
    constructs = compare_all(range(PROGRAMS), control)
    assert constructs["rewritten"] > 0.9 * PROGRAMS, constructs
    assert all(control.calls[kind] > PROGRAMS / 2 for kind in ("if", "for", "while")), control.calls


@pytest.mark.slow
@pytest.mark.parametrize("control", [Counting, Forgetful])
def test_many_random_exits(control):
    constructs = compare_all(range(50_000, 60_000), control())
    assert constructs["rewritten"] > 0.9 * 10_000, constructs
