"""A sampling profile: which functions of the user's a thread spends its time in."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from types import CodeType, FrameType

from tracejit.capture.namespace import is_library_file
from tracejit.trace.origin import is_internal

#: Seconds between two looks at a thread.
EVERY = 0.002


class Sampler:
    """Counts the functions of the user's that the thread which made it is seen in.

    `within` counts those that are anywhere on the stack, `samples` all looks. Functions of
    libraries count for who calls them; a module's own statements are no function.
    """

    def __init__(self) -> None:
        self.within: Counter[CodeType] = Counter()
        self.samples = 0
        self._thread = threading.get_ident()
        self._ended = threading.Event()
        self._looking: threading.Thread | None = None

    def __enter__(self) -> Sampler:
        self._ended.clear()
        self._looking = threading.Thread(target=self._look, name="tracejit-sampler", daemon=True)
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._looking is not None:
            self._looking.join()

    def share(self, code: CodeType) -> float:
        """The part of the time that a function takes, with what it calls."""
        return self.within[code] / max(self.samples, 1)

    def _look(self) -> None:
        while not self._ended.wait(EVERY):
            frame = sys._current_frames().get(self._thread)
            if frame is not None:
                self.note(frame)

    def note(self, frame: FrameType | None) -> None:
        """Count one stack."""
        self.samples += 1
        found: set[CodeType] = set()
        while frame is not None:
            code = frame.f_code
            if is_users(code):
                found.add(code)
            frame = frame.f_back
        self.within.update(found)


def is_users(code: CodeType) -> bool:
    """Whether code is a named function of the user's that can be found again by its name."""
    file = code.co_filename
    named = not code.co_name.startswith("<") and "<locals>" not in code.co_qualname
    return named and file[:1] != "<" and not (is_internal(file) or is_library_file(file))
