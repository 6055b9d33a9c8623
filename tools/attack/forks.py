"""Forks while other threads trace, compile and compute: the child must compute, and end."""

from __future__ import annotations

import random

from tools.attack.programs import head

BODY = """
import multiprocessing

warnings.simplefilter("ignore")
done = []


def work(k):
    mine = random.Random(k)
    while not done:
        mine.choice(BUSY)()


def children(depth=0):
    '''Fork, and look at what the child says.'''
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.alarm(40)
            done.append(1)
            for use in rng.sample(USES, {uses}):
                use()
            before = total.get_value()
            bump()
            assert total.get_value() == before + 1
            if not depth and {nested}:
                children(1)
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, "the child ends with %d" % code


def in_pool(k):
    f, g = make()
    check(f(x), g(x))
    use_known()
    use_rows()
    return k


def pool():
    with multiprocessing.get_context("fork").Pool(2) as workers:
        assert workers.map_async(in_pool, range(4)).get(50) == [0, 1, 2, 3]


BUSY = {busy}
if {warm}:
    use_known()
    use_rows()
    use_rows()
threads = [threading.Thread(target=work, args=(k,)) for k in range({threads})]
for thread in threads:
    thread.start()
for k in range({forks}):
    time.sleep(rng.random() * {delay})
    how = rng.random()
    if how < 0.2:
        pool()
    elif how < 0.4:
        failed = []
        def apart():
            try:
                children()
            except BaseException as error:
                failed.append(error)
        thread = threading.Thread(target=apart)
        thread.start()
        thread.join(60)
        assert not thread.is_alive() and not failed, failed
    else:
        children()
done.append(1)
for thread in threads:
    thread.join(60)
    assert not thread.is_alive(), "hangs"
use_new()
use_rows()
"""


def script(rng: random.Random) -> str:
    """A program."""
    busy = rng.sample(
        "use_new use_rows use_known make_symbolic use_gradient bump gc.collect".split(),
        rng.randint(1, 4),
    )
    return head(rng) + BODY.format(
        busy=f"[{', '.join(busy)}]", uses=rng.randint(1, 4), nested=rng.random() < 0.3,
        warm=rng.random() < 0.6, threads=rng.randint(0, 3), forks=rng.randint(1, 3),
        delay=rng.choice([0.0, 0.01, 0.3]),
    )  # fmt: skip
