"""Damaged directories of compiled programs: values stay right, and nothing crashes."""

from __future__ import annotations

import random

SCRIPT = """\
import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path

rng = random.Random({seed})
home = Path(os.environ["ATTACK_DIR"])
place = home / "tracejit"
PROGRAM = '''
import sys
import warnings
warnings.filterwarnings("ignore", "tracejit keeps no compiled code")
import numpy as np
import tracejit
x = np.linspace(0.25, 1.0, 7)
for f in (lambda x: x * 2 + 1, lambda x: np.exp(x) / x, lambda x: (x.sum(), x.max())):
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(3):
        np.testing.assert_allclose(g(x), f(x), rtol=1e-14)
print("right")
'''


def start():
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={{**os.environ, "XDG_CACHE_HOME": str(home), "TRACEJIT_CACHE_SIZE": "{size}"}},
    )


def end(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and out == "right\\n" and not err, (process.returncode, out, err)


def files():
    return sorted(p for p in place.iterdir() if p.is_file() and not p.is_symlink())


def programs():
    return [p for p in files() if p.suffix == ".nbc"] or files()


def flip(path):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 8, 1000])):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(path):
    data = path.read_bytes()
    path.write_bytes(data[: rng.choice([0, 1, 31, 32, 33, len(data) // 2, len(data) - 1])])


def more(path):
    path.write_bytes(path.read_bytes() + os.urandom(rng.choice([1, 100])))


def swap(path):
    other = rng.choice(programs())
    a, b = path.read_bytes(), other.read_bytes()
    path.write_bytes(b)
    other.write_bytes(a)


def nonsense(path):
    path.write_bytes(os.urandom(rng.choice([0, 10, 32, 64, 5000])))


def emptied(path):
    path.write_bytes(path.read_bytes()[:32])


def delete(path):
    path.unlink()


def directory(path):
    path.unlink()
    path.mkdir()
    (path / "x").write_text("x")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def link(path):
    path.unlink()
    path.symlink_to(rng.choice(["/dev/null", "/dev/zero", "/etc/passwd", str(path), "nowhere"]))


def door(path):
    path.unlink()
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(path.parent)
        try:
            s.bind(path.name)
        finally:
            os.chdir(here)


def no_rights(path):
    path.chmod(rng.choice([0, 0o200, 0o400, 0o666, 0o777]))


def foreign(path):
    name = rng.choice(["x", "é.nbc", "1-x.tmp", "99999999999-y.tmp", ".hidden", "tracejit_.nbc",
                       "tracejit_zz.nbc", "a" * 200, "-1-.tmp", "٣-x.tmp"])
    (path.parent / name).write_bytes(os.urandom(50))


def old(path):
    os.utime(path, (0, 0) if rng.random() < 0.5 else (2**33, 2**33))


def whole(path):
    shutil.rmtree(place)
    rng.choice([place.mkdir, lambda: place.write_text("x"), lambda: place.symlink_to(home),
                lambda: None])()


def closed(path):
    place.chmod(rng.choice([0o500, 0o300, 0o777, 0o000, 0o700]))


DAMAGE = [flip, flip, flip, cut, cut, more, swap, nonsense, emptied, delete, directory, pipe, link,
          door, no_rights, foreign, foreign, old, whole, closed]


def damage():
    if not place.is_dir():
        return
    how = rng.choice(DAMAGE)
    found = programs() if rng.random() < 0.8 else files()
    if found:
        try:
            how(rng.choice(found))
        except (OSError, IndexError):
            pass


def sane():
    for path in [place, *(place.iterdir() if place.is_dir() else ())]:
        if not path.is_symlink() and path.exists():
            path.chmod(0o700 if path.is_dir() else 0o600)
    if place.is_symlink() or place.is_file():
        place.unlink()


end(start())
for _ in range({rounds}):
    for _ in range(rng.choice([1, 1, 2, 5])):
        damage()
    processes = [start() for _ in range(rng.choice([1, 1, 2]))]
    if rng.random() < 0.3:
        for _ in range(10):
            damage()
    for process in processes:
        end(process)
    sane()
end(start())
"""


def script(rng: random.Random) -> str:
    """A program."""
    return SCRIPT.format(
        seed=rng.randrange(1 << 30), rounds=rng.randint(2, 4), size=rng.choice([128, 128, 0, 1])
    )
