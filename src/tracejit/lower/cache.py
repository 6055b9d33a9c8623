"""Where compiled programs are kept: a file each, named by its content, in a private directory.

A file's name is the digest of the program's source and of all that its machine code depends on, so
a stale one is never met. In it, a digest of that name and of the rest comes first; it is compared
before anything else is done with the bytes, which are then unpickled and run. Whatever is damaged
is a miss, is removed, and compiled anew. Its source lies beside it for people to read; it is never
loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

from tracejit.config import config

_SUFFIX, _SOURCE, _TEMPORARY = ".nbc", ".py", ".tmp"
_DIGEST = 32
#: No link is followed, no pipe waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
#: Seconds after which a file that nobody has renamed is a killed writer's.
_ABANDONED = 3600.0


@cache
def cache_dir() -> Path | None:
    """The cache directory, made if it is missing; None, with one warning, if it cannot be used.

    It is `$XDG_CACHE_HOME/tracejit` (`~/.cache/tracejit`), made with mode 0700. A link, a directory
    that others may write into, and one with files of others in it are refused, and left as they
    are: what is in them could be anybody's code.
    """
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = Path(root) / "tracejit"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.lstat(place)
        if not stat.S_ISDIR(status.st_mode):
            raise OSError("it is not a directory")
        above = os.stat(root).st_mode
        replaceable = above & stat.S_IWOTH and not above & stat.S_ISVTX
        if not _is_ours(status) or replaceable:
            raise OSError("others own it, may write into it, or put another in its place")
        entries = [(p, found) for p in place.iterdir() if (found := _status(p)) is not None]
        if not all(_is_ours(found) for _, found in entries):
            raise OSError("it has files in it that others own, or may write into")
        for path, found in entries:
            if path.suffix == _TEMPORARY and not _is_being_written(path, found):
                _remove(path)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        warnings.warn(
            f"tracejit keeps no compiled code: {place}: {error}; set XDG_CACHE_HOME to a "
            "directory of your own",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return place


def _is_ours(status: os.stat_result) -> bool:
    """Whether a file or directory can only have been written by this user."""
    if not hasattr(os, "getuid"):
        return True
    # Anybody may write "through" a link; it is where it leads to that counts.
    writable = not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022
    return status.st_uid == os.getuid() and not writable


def _status(path: Path) -> os.stat_result | None:
    """What `path` itself is; None if it is gone."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None


def _is_being_written(path: Path, status: os.stat_result) -> bool:
    """Whether a file that has no name yet may still get one from the process that it tells."""
    number = path.name.partition("-")[0]
    if not number.isdecimal() or time.time() - status.st_mtime > _ABANDONED:
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


def program_name(text: str, environment: bytes) -> str:
    """The name of the program whose source is `text`; `environment` is what else its code needs."""
    return "tracejit_" + hashlib.sha256(environment + text.encode()).hexdigest()[:32]


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST, key=name.encode()).digest()


def load(name: str) -> bytes | None:
    """What was saved under `name`; None where there is nothing, or not what was saved."""
    place = cache_dir() if config.cache else None
    if place is None:
        return None
    path = place / (name + _SUFFIX)
    try:
        with open(os.open(path, _FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            found = file.read() if stat.S_ISREG(status.st_mode) and _is_ours(status) else b""
    except FileNotFoundError:
        return None
    except OSError:
        found = b""
    content = found[_DIGEST:]
    if found[:_DIGEST] != _digest(name, content):
        forget(name)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it has been used
    return content


def save(name: str, content: bytes, text: str) -> None:
    """Keep `content` under `name`, where that can be, and its source `text` beside it.

    The least recently used make room for it.
    """
    place = cache_dir() if config.cache else None
    if place is None:
        return
    source = text.encode()
    if _write(place / (name + _SOURCE), source):
        content = _digest(name, content) + content
        if _write(place / (name + _SUFFIX), content):
            _make_room(place, len(content) + len(source))


def _write(path: Path, content: bytes) -> bool:
    """Put a file in the place of whatever is there, at once; whether that could be done."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f"{os.getpid()}-", suffix=_TEMPORARY
        )
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        if path.is_dir():
            _remove(path)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            _remove(Path(temporary))
        if isinstance(error, OSError):
            return False
        raise
    return True


def forget(name: str) -> None:
    """Remove what is kept under `name`, whatever it is."""
    place = cache_dir()
    if place is not None:
        _remove(place / (name + _SUFFIX))
        _remove(place / (name + _SOURCE))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class _Size:
    """About how many bytes the directory holds; None before it has been looked through."""

    known: int | None = None


def _make_room(place: Path, more: int) -> None:
    """Remove the least recently used files where all are larger than `config.cache_size`."""
    limit = config.cache_size << 20
    if _Size.known is not None:
        _Size.known += more
        if not limit or _Size.known <= limit:
            return
    files = []
    for path in place.glob("*" + _SUFFIX):
        if (status := _status(path)) is not None:
            source = _status(path.with_suffix(_SOURCE))
            size = status.st_size + (0 if source is None else source.st_size)
            files.append((status.st_mtime, size, path))
    _Size.known = sum(size for _, size, _ in files)
    if not limit or _Size.known <= limit:
        return
    for _, size, path in sorted(files):
        if _Size.known <= limit * 0.9:
            break
        forget(path.stem)
        _Size.known -= size
