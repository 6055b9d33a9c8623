"""Writes down every program that a process compiles: its graph, its source, its first results.

Each process appends lines of JSON to a file of its own. What is hooked is named in `PIPELINE`, and
is all that this tool knows of the version that it records.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: The module of the pipeline, and its function from a graph to an executable.
PIPELINE, COMPILE = "tracejit.lower.executable", "compile_graph"
#: The calls of a program whose results are kept.
CALLS = 3


def install(folder: str) -> None:
    """Record all that this process compiles into `folder`, from the pipeline's import on."""
    sys.meta_path.insert(0, _Finder(Recorder(Path(folder))))


class Recorder:
    """Where the records of a process go: into a file that ends with the number of the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, record: dict[str, Any]) -> None:
        # A line is written whole, also where a process forked or ends by a signal.
        data = (json.dumps(record, sort_keys=True) + "\n").encode()
        path = self.folder / f"{os.getpid()}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, data)
        finally:
            os.close(file)

    def attach(self, module: Any) -> None:
        """Put the recording functions in the place of the pipeline's own."""
        compiled = getattr(module, COMPILE)

        @functools.wraps(compiled)
        def compile_graph(graph: Any, layouts: Any, *args: Any, **kwargs: Any) -> Any:
            from tracejit.ir.printer import to_text

            text = to_text(graph) + f"\nlayouts {sorted(layouts.items())}"
            executable = compiled(graph, layouts, *args, **kwargs)
            key = hashlib.sha256(text.encode()).hexdigest()
            source = executable.emitted.text
            self.write({"program": key, "graph": text, "source": source})
            executable.driver = self._recorded(executable.driver, key)
            return executable

        setattr(module, COMPILE, compile_graph)

    def _recorded(self, make_driver: Callable[..., Any], key: str) -> Callable[..., Any]:
        def driver(*args: Any, **kwargs: Any) -> Any:
            call, left = make_driver(*args, **kwargs), CALLS

            @functools.wraps(call)
            def recorded(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                if left <= 0:
                    return call(*args, **kwargs)
                left -= 1
                asked = digest((args, kwargs))
                result = call(*args, **kwargs)
                self.write({"program": key, "arguments": asked, "result": digest(result)})
                return result

            return recorded

        return driver


def digest(value: Any) -> str:
    """A number, array or container by its type and bits; anything else by its type."""
    found = hashlib.sha256()
    _add(found, value)
    return found.hexdigest()[:24]


def _add(found: Any, value: Any) -> None:
    import numpy as np

    found.update(type(value).__name__.encode())
    if isinstance(value, (list, tuple)):
        for item in value:
            _add(found, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _add(found, key)
            _add(found, item)
    elif isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        found.update(f"{value.dtype.str}{value.shape}".encode())
        found.update(value.tobytes())
    elif isinstance(value, (bool, int, float, complex, str, bytes, type(None))):
        found.update(repr(value).encode())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the pipeline's module as everyone does, and attaches the recorder once it has run."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != PIPELINE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        run = loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            self.recorder.attach(module)

        loader.exec_module = exec_module
        return spec
