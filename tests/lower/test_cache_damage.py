"""Whatever happens to the files of the cache: a miss, no crash, and nothing of others is loaded."""

from __future__ import annotations

import os
import pickle
import random
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracejit
from tracejit.lower import cache

CONTENT = bytes(range(256)) * 20
NAME = "tracejit_" + "0" * 32


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache._Size, "known", None)
    cache.cache_dir.cache_clear()
    yield tmp_path / "tracejit"
    cache.cache_dir.cache_clear()


def file(place: Path, name: str = NAME) -> Path:
    return place / f"{name}.nbc"


def test_what_is_saved_is_loaded(place: Path) -> None:
    assert cache.load(NAME) is None
    cache.save(NAME, CONTENT, "")
    assert cache.load(NAME) == CONTENT
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(file(place).stat().st_mode) == 0o600
    assert {p.name for p in place.iterdir()} == {f"{NAME}.nbc", f"{NAME}.py"}


def test_any_damage_is_a_miss_and_removed(place: Path) -> None:
    cache.save(NAME, CONTENT, "")
    good = file(place).read_bytes()
    dice = random.Random(1)

    def flipped() -> bytes:
        bad = bytearray(good)
        for _ in range(dice.randrange(1, 6)):
            bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
        return bytes(bad)

    damages = [flipped() for _ in range(200)]
    damages += [good[: dice.randrange(len(good))] for _ in range(50)]
    damages += [b"", b"\xff\xfe" * 99, good + b"\0", pickle.dumps(("another", {"thing": 3}))]
    for damage in damages:
        if damage == good:
            continue
        file(place).write_bytes(damage)
        assert cache.load(NAME) is None
        assert not file(place).exists()
    cache.save(NAME, CONTENT, "")
    assert cache.load(NAME) == CONTENT


def test_another_programs_file_is_a_miss(place: Path) -> None:
    other = NAME[:-1] + "1"
    cache.save(other, CONTENT, "")
    os.replace(file(place, other), file(place))
    assert cache.load(NAME) is None


def test_what_is_no_file_is_a_miss(place: Path, tmp_path: Path) -> None:
    cache.save(NAME, CONTENT, "")
    elsewhere = tmp_path / "elsewhere"
    os.replace(file(place), elsewhere)
    file(place).symlink_to(elsewhere)
    assert cache.load(NAME) is None
    assert elsewhere.exists()
    file(place).unlink(missing_ok=True)
    file(place).mkdir()
    assert cache.load(NAME) is None
    cache.save(NAME, CONTENT, "")
    assert cache.load(NAME) == CONTENT
    file(place).chmod(0o620)  # others may have written it
    assert cache.load(NAME) is None


@pytest.mark.parametrize("what", ["mode", "file", "link"])
def test_a_directory_of_others_is_refused_and_left(what: str, place: Path, tmp_path: Path) -> None:
    if what == "link":
        real = tmp_path / "real"
        real.mkdir(mode=0o700)
        place.symlink_to(real)
    else:
        place.mkdir(mode=0o700)
    if what == "mode":
        place.chmod(0o777)
    if what == "file":
        (place / "planted").touch()
        if os.getuid() == 0:
            os.chown(place / "planted", 12345, 12345)
        else:
            (place / "planted").chmod(0o666)
    before = place.lstat()
    with pytest.warns(RuntimeWarning, match="keeps no compiled code"):
        cache.save(NAME, CONTENT, "")
    assert cache.load(NAME) is None
    assert not file(place).exists()
    assert place.lstat().st_mode == before.st_mode


def test_the_least_recently_used_make_room(place: Path) -> None:
    names = [f"tracejit_{k:032x}" for k in range(12)]
    megabyte = bytes(1 << 20)
    with tracejit.config(cache_size=8):
        for k, name in enumerate(names[:8]):
            cache.save(name, megabyte[: -(1 << 10)], "")
            os.utime(file(place, name), (k, k))
        assert cache.load(names[0]) is not None  # and so it is the last one used
        for name in names[8:]:
            cache.save(name, megabyte, "")
    kept = {p.stem for p in place.iterdir()}
    assert sum(p.stat().st_size for p in place.iterdir()) <= 8 << 20
    assert names[0] in kept and names[-1] in kept
    assert names[1] not in kept


def test_what_killed_writers_left_goes(place: Path) -> None:
    cache.save(NAME, CONTENT, "")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = ["abc.tmp", f"{gone.pid}-abc.tmp", f"{os.getpid()}-old.tmp", f"{os.getpid()}-new.tmp"]
    for name in names:
        (place / name).write_bytes(b"half")
    os.utime(place / names[2], (time.time() - 7200,) * 2)
    cache.cache_dir.cache_clear()
    assert cache.load(NAME) == CONTENT
    assert {p.name for p in place.glob("*.tmp")} == {names[3]}


def test_an_interrupted_write_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.save(NAME, CONTENT, "")
    assert not list(place.iterdir())


@pytest.mark.parametrize("suffix", ["nbc", "py"])
def test_what_is_in_the_place_of_a_file_goes(suffix: str, place: Path) -> None:
    cache.save(NAME, CONTENT, "")
    path = place / f"{NAME}.{suffix}"
    path.unlink()
    (path / "inside").mkdir(parents=True)
    cache.save(NAME, CONTENT, "x = 1")
    assert path.is_file()
    assert cache.load(NAME) == CONTENT
    path.unlink()
    os.mkfifo(path, 0o600)
    assert cache.load(NAME) == (CONTENT if suffix == "py" else None)
    cache.save(NAME, CONTENT, "x = 1")
    assert path.is_file()


def test_the_source_is_not_loaded(place: Path) -> None:
    cache.save(NAME, CONTENT, "x = 1")
    assert (place / f"{NAME}.py").read_text() == "x = 1"
    (place / f"{NAME}.py").write_bytes(b"\xff\xfe" * 99)
    assert cache.load(NAME) == CONTENT


def test_where_everybody_may_replace_it_nothing_is_kept(place: Path, tmp_path: Path) -> None:
    cache.save(NAME, CONTENT, "")
    tmp_path.chmod(0o777)
    cache.cache_dir.cache_clear()
    with pytest.warns(RuntimeWarning, match="put another in its place"):
        assert cache.load(NAME) is None
    tmp_path.chmod(0o1777)
    cache.cache_dir.cache_clear()
    assert cache.load(NAME) == CONTENT


def test_a_full_or_read_only_disk_keeps_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save(NAME, CONTENT, "")

    def fail(*args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    other = NAME[:-1] + "1"
    cache.save(other, CONTENT, "")
    assert cache.load(other) is None
    assert {p.name for p in place.iterdir()} == {f"{NAME}.nbc", f"{NAME}.py"}


def test_writers_at_once(place: Path) -> None:
    def write(k: int) -> None:
        for _ in range(30):
            cache.save(NAME, CONTENT, "")
            assert cache.load(NAME) in (CONTENT, None)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.load(NAME) == CONTENT


PROGRAM = """
import numpy as np, tracejit
f = tracejit.function(
    lambda x: (np.exp(x) * np.sin(x), np.sort(x)[::-1].cumsum(), np.where(x > 0, x, 1).prod()),
    on_unsupported="error",
)
r = f(np.zeros(3))
assert r[0][0] == 0.0 and r[2] == 1.0
"""


def test_damaged_machine_code_is_compiled_anew(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}

    def run() -> int:
        return subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], env=env).returncode

    assert run() == 0
    (entry,) = (tmp_path / "tracejit").glob("*.nbc")
    good = entry.read_bytes()
    for position in (40, len(good) // 2, len(good) - 9):
        entry.write_bytes(good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :])
        assert run() == 0
        assert len(entry.read_bytes()) == len(good)
