"""Threads that call, call first, and update shared variables at once."""

from __future__ import annotations

import random

from tools.attack.programs import head

BODY = """
warnings.simplefilter("ignore")
sys.setswitchinterval({interval})
errors, counts = [], [0] * {threads}
barrier = threading.Barrier({threads})
fresh = [make() for _ in range(3)]


def update(k):
    bump()
    counts[k] += 1


def write(k):
    writes(x)
    counts[k] += 1


def first():
    f, g = rng.choice(fresh)
    check(f(x), g(x))


def look():
    values = total.get_value(), other.get_value()
    assert 0 <= values[0] <= {threads} * {steps} and np.ptp(values[1]) == 0


def settle():
    with tracejit.config(compile=rng.random() < 0.5, threads=rng.choice([0, 1, 2])):
        use_known()


def work(k):
    mine = random.Random(k + {seed})
    barrier.wait()
    for _ in range({steps}):
        try:
            step = mine.choice(CHOICES)
            step(k) if step in (update, write) else step()
        except BaseException as error:
            errors.append(error)
            raise


CHOICES = [*USES, update, update, write, first, look, settle, gc.collect]
threads = [threading.Thread(target=work, args=(k,)) for k in range({threads})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(90)
    assert not thread.is_alive(), "hangs"
assert not errors, errors
assert total.get_value() == sum(counts), (total.get_value(), counts)
assert (other.get_value() == sum(counts)).all()
"""


def script(rng: random.Random) -> str:
    """A program."""
    return head(rng) + BODY.format(
        interval=rng.choice(["1e-6", "1e-5", "1e-4", "0.005"]), threads=rng.choice([2, 3, 4, 6]),
        steps=rng.choice([6, 12, 20]), seed=rng.randrange(1 << 30),
    )  # fmt: skip
