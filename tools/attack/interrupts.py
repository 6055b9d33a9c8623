"""Calls that are interrupted at any moment, by signals, exceptions, finalisers and callbacks."""

from __future__ import annotations

import random

from tools.attack.programs import head

BODY = """
import ctypes

warnings.simplefilter("ignore")
main = threading.get_ident()


class Stop(BaseException):
    pass


lost = []
sys.unraisablehook = lambda seen: lost.append((seen.exc_type, repr(seen.object)[:200]))
reached = [0]


def handler(number, frame):
    '''What a user's may do: raise, or call.'''
    reached[0] += 1
    if {calling}:
        # Signals may come while this runs.
        rng.choice([use_known, use_symbolic, use_gradient])()
    else:
        raise rng.choice([KeyboardInterrupt, Stop])


signal.signal(signal.SIGALRM, handler)


def by_signal(use, delay):
    signal.setitimer(signal.ITIMER_REAL, delay)
    try:
        use()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def by_exception(use, delay):
    def fire():
        # A thread that is just starting has its starter's number still, and would get it.
        sys.setswitchinterval(1.0)
        if not threading._limbo:
            raised(ctypes.c_ulong(main), ctypes.py_object(Stop))
        sys.setswitchinterval(0.005)

    raised = ctypes.pythonapi.PyThreadState_SetAsyncExc
    timer = threading.Timer(delay, fire)
    timer.start()
    try:
        use()
        timer.cancel()
        timer.join()
    except Stop:
        timer.cancel()
        raise
    for _ in range(100):  # where one comes late
        pass


class Finalised:
    def __del__(self):
        if sys.is_finalizing():
            return
        rng.choice([use_known, use_symbolic])()


def callback(phase, info):
    if phase == "stop" and rng.random() < 0.2:
        use_known()


def by_finaliser(use, delay):
    cycle = Finalised()
    cycle.self = cycle
    del cycle
    gc.callbacks.append(callback)
    try:
        use()
    finally:
        gc.callbacks.remove(callback)


def interrupted(use):
    way = rng.choice(WAYS)
    delay = 10 ** rng.uniform(-5, {longest})
    try:
        way(use, delay)
    except (KeyboardInterrupt, Stop):
        return True
    return False


def update():
    bump()


def write():
    writes(x)


WAYS = {ways}
counted = bounds = 0
for use in USES[: {warm}]:
    use()
for _ in range({steps}):
    use = rng.choice([*USES, update, write])
    stopped = interrupted(use)
    if use in (update, write):
        counted += not stopped
        bounds += stopped
    found = total.get_value()
    assert counted <= found <= counted + bounds, (counted, found, bounds)
    assert (other.get_value() == found).all()
    counted, bounds = found, 0
    if rng.random() < 0.5:
        rng.choice(USES)()
    if rng.random() < 0.2:
        thread = threading.Thread(target=use_new)
        thread.start()
        thread.join(60)
        assert not thread.is_alive(), "a lock was not let go"
for use in [*USES, update, write]:
    use()
# One whose start was interrupted is never alive, but stays in the list.
while any("compiler" in t.name and t.is_alive() for t in threading.enumerate()):
    time.sleep(0.01)
assert gc.isenabled()
from tracejit.native import locks
from tracejit.ir import build
assert not locks.busy()
assert build.solver() is build.IDLE
parts = "tracejit", "llvmlite", "numba"
bad = [seen for seen in lost if any(part in seen[1] for part in parts)]
assert not bad, bad
f, g = make()
check(f(x), g(x))
assert f.stats.fallbacks == 0, f.explain()
"""


def script(rng: random.Random) -> str:
    """A program."""
    ways = rng.sample(["by_signal", "by_signal", "by_exception", "by_finaliser"], rng.randint(1, 3))
    return head(rng) + BODY.format(
        calling=rng.random() < 0.3, longest=rng.choice(["-4", "-2", "-0.7"]),
        ways=f"[{', '.join(ways)}]", warm=rng.choice([0, 2, 9]), steps=rng.choice([10, 25]),
    )  # fmt: skip
