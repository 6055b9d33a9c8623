"""A line on the terminal while a compilation takes its time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds after which the line appears.
PATIENCE = 2.0


@contextmanager
def progress(name: str) -> Iterator[None]:
    """Say on standard error, where that is a terminal, that `name` is still being compiled.

    The line goes when that is done.
    """
    stream = sys.stderr
    if stream is None or not stream.isatty():
        yield
        return
    shown = threading.Event()

    def show() -> None:
        shown.set()
        print(f"tracejit: compiling {name} …", end="", file=stream, flush=True)

    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if shown.is_set():
            print("\r\x1b[K", end="", file=stream, flush=True)
