"""Pickles of models, those that Theano wrote among them, under the names of ``theano.misc``."""

from __future__ import annotations

import importlib
import pickle
import zipfile
from io import BytesIO
from typing import Any

import numpy as np

from tracejit.symbolic.shared import SharedVariable
from tracejit.theano.names import modules_of

Pickler = pickle.Pickler


class CompatUnpickler(pickle.Unpickler):
    """Reads what Theano, under Python 2 or 3, has pickled of shared variables, types and models.

    Arrays, shared variables, variables without owners, types and random states become ours. A
    graph that Theano has pickled names classes that are not here: AttributeError.
    """

    def __init__(self, file: Any, **kwargs: Any) -> None:
        super().__init__(file, **{"encoding": "latin1", **kwargs})

    def find_class(self, module: str, name: str) -> Any:
        """The class of that name: of Theano's modules, ours."""
        if module.partition(".")[0] != "theano":
            return super().find_class(module, name)
        for ours in modules_of(module):
            found = getattr(importlib.import_module(ours), name, None)
            if isinstance(found, type) or (callable(found) and hasattr(found, "__code__")):
                return found
        raise AttributeError(f"Theano's class {module}.{name} is not here: what is in this file?")


class StripPickler(pickle.Pickler):
    """Pickles variables without their tags: without test values, for one."""

    def __init__(self, file: Any, protocol: int = 0, extra_tag_to_remove: Any = None) -> None:
        super().__init__(file, protocol)
        self.extra_tag_to_remove = extra_tag_to_remove

    def reducer_override(self, obj: Any) -> Any:
        """As the object says, without a tag in its state."""
        if not hasattr(obj, "tag") or not hasattr(obj, "type"):
            return NotImplemented
        found = list(obj.__reduce__())
        if len(found) > 2 and isinstance(found[2], dict):
            found[2] = {k: v for k, v in found[2].items() if k != "tag"} or None
        return tuple(found)


class _ArrayPickler(pickle.Pickler):
    """Puts arrays into files of their own, named by the shared variables whose values they are."""

    def __init__(self, file: Any, protocol: int, archive: zipfile.ZipFile) -> None:
        super().__init__(file, protocol)
        self.archive = archive
        self.names: dict[int, str] = {}
        self.kept: list[Any] = []

    def persistent_id(self, obj: Any) -> str | None:
        """The name of an array's file."""
        if isinstance(obj, SharedVariable) and obj.name and obj.name not in self.names.values():
            self.names.setdefault(id(obj.container.value), obj.name)
        if type(obj) is not np.ndarray or obj.dtype.hasobject:
            return None
        name = self.names.setdefault(id(obj), f"array_{len(self.names)}")
        if name not in self.archive.namelist():
            self.kept.append(obj)
            data = BytesIO()
            np.save(data, obj, allow_pickle=False)
            self.archive.writestr(name, data.getvalue())
        return f"ndarray.{name}"


class _ArrayUnpickler(CompatUnpickler):
    def __init__(self, file: Any, archive: zipfile.ZipFile) -> None:
        super().__init__(file)
        self.archive = archive
        self.known: dict[str, np.ndarray] = {}

    def persistent_load(self, pid: Any) -> np.ndarray:
        """The array of a name."""
        name = str(pid).partition(".")[2]
        if name not in self.known:
            data = BytesIO(self.archive.read(name))
            self.known[name] = np.load(data, allow_pickle=False)
        return self.known[name]


def dump(obj: Any, file_handler: Any, protocol: int = pickle.HIGHEST_PROTOCOL, **kw: Any) -> None:
    """Pickle an object into a zip file in which arrays are ``.npy`` files of their own.

    The values of shared variables have their names: ``numpy.load(file)["w"]`` reads one.

    >>> import numpy as np, tempfile, tracejit
    >>> w = tracejit.shared(np.ones(2), "w")
    >>> with tempfile.TemporaryFile() as file:
    ...     dump({"weights": w}, file)
    ...     _ = file.seek(0)
    ...     load(file)["weights"].get_value()
    array([1., 1.])
    """
    with zipfile.ZipFile(file_handler, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        data = BytesIO()
        _ArrayPickler(data, protocol, archive).dump(obj)
        archive.writestr("pkl", data.getvalue())


def load(f: Any, persistent_load: Any = None) -> Any:
    """What `dump`, ours or Theano's, has written."""
    with zipfile.ZipFile(f, "r") as archive:
        return _ArrayUnpickler(BytesIO(archive.read("pkl")), archive).load()


__all__ = ["CompatUnpickler", "Pickler", "StripPickler", "dump", "load"]
