"""The arguments of one call, described: what selects a compiled path, and what people are told."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.arrays.dates import is_dated, shadow
from tracejit.call.overlaps import Pair, overlapping, related
from tracejit.capture.generators import is_generator
from tracejit.capture.objects import is_object
from tracejit.config import config
from tracejit.errors import NotTraceable
from tracejit.ir.types import canonical_dtype
from tracejit.lower.devices import device_array, residence_of
from tracejit.plan.signature import Signature
from tracejit.plan.slices import Related
from tracejit.plan.structure import (
    ARRAY,
    CONVERSIONS,
    GENERATOR,
    INT_LIMIT,
    NUMBER,
    OBJECT,
    SCALAR,
    Leaf,
    Spec,
    Tree,
    converts,
    flatten,
    is_dataclass,
    own_rules,
    require_plain,
    unflatten,
)
from tracejit.trace.explain import value_text


class Description:
    """Arguments of one call: `specs` a parameter, `values` of the leaves, `key` for the paths.

    With `converting`, objects that only convert to arrays become arrays. `replaced` are the arrays
    among the values that stand for what a user sees as another one. Of arrays on a `device` the
    values have shadows, which must not be read, until `mirror` puts stand-ins in their place.
    """

    def __init__(
        self, signature: Signature, bound: tuple[Any, ...], converting: bool, device: str = "cpu"
    ) -> None:
        self.bound = bound
        self.device = device
        #: The arrays on a device among the values, by their positions.
        self.resident: dict[int, Any] = {}
        #: The dates among the values, which are integers there.
        self.dated: dict[int, Any] = {}
        self._mirrored = False
        self.converting = converting
        #: Whether paths depend on which arguments share memory.
        self.told = False
        self.signature = signature
        self.values: list[Any] = []
        self.paths: list[str] = []
        self.converted = False
        self.replaced: list[np.ndarray] = []
        #: Arrays that a trace has read elsewhere, where it matters what shares memory.
        self.met: list[tuple[str, np.ndarray]] = []
        self._keys: list[Any] = []
        self.specs = tuple(
            flatten(value, name, self._leaf)
            for name, value in zip(signature.names, bound, strict=True)
        )
        self.key: tuple[Any, ...] = (config.compile, self.specs, tuple(self._keys), device)

    @functools.cached_property
    def _arrays(self) -> list[tuple[str, np.ndarray]]:
        leaves = zip(self.paths, self.values, strict=True)
        return [(path, value) for path, value in leaves if type(value) is np.ndarray]

    @functools.cached_property
    def overlaps(self) -> list[Pair]:
        """The arguments that may share memory."""
        return overlapping(self._arrays)

    @functools.cached_property
    def related(self) -> dict[str, Related]:
        """The arguments that are slices of others, or of what others are slices of."""
        return related(self._arrays, self.overlaps)

    def related_with(self, others: Sequence[tuple[str, np.ndarray]]) -> dict[int, Related]:
        """The arguments, and the `others`, that are slices of one another, by their identities."""
        values = [*self._arrays, *others]
        arrays = list({id(x): (path, x) for path, x in reversed(values)}.values())[::-1]
        leaf_of = dict(arrays)
        return {id(leaf_of[p]): r for p, r in related(arrays, overlapping(arrays)).items()}

    def tell_overlaps(self) -> None:
        """Let paths depend on which arguments share memory, and how."""
        self.told = True
        how = tuple((name, r.path, r.slices) for name, r in self.related.items())
        self.key = (*self.key, tuple(self.overlaps), how)

    def mirror(self) -> None:
        """Put stand-ins of the host's in the place of arrays on a device."""
        if self.resident and not self._mirrored:
            self._mirrored = True
            for k, value in self.resident.items():
                self.values[k] = self.stand_ins.of(value)
            for name in ("_arrays", "overlaps", "related"):
                self.__dict__.pop(name, None)

    @functools.cached_property
    def stand_ins(self) -> Any:
        """What gives these; None where no arrays are on a device."""
        residence = residence_of(self.device)
        return None if residence is None else residence.mirrors()

    def originals(self) -> list[Any]:
        """The values as they were given."""
        given = {**self.resident, **self.dated}
        return [given.get(k, value) for k, value in enumerate(self.values)]

    def _leaf(self, value: Any, path: str) -> Leaf | None:
        kind = type(value)
        if kind is np.ndarray:
            return self._dates(value, path) or self._array(value, path)
        if kind is float or kind is complex:
            return self._add(value, path, kind, NUMBER)
        if kind is int:
            small = -INT_LIMIT < value < INT_LIMIT
            return self._add(value, path, kind, NUMBER) if small else None
        if isinstance(value, np.generic):
            if (dates := self._dates(value, path)) is not None:
                return dates
            if canonical_dtype(value.dtype) is None:
                raise NotTraceable(f"{path} has dtype {value.dtype}", _DTYPES)
            require_plain(value, path)
            return self._add(value, path, kind, SCALAR)
        if isinstance(value, np.ndarray):
            if kind is not np.memmap:
                raise NotTraceable(
                    f"{path} is a {kind.__name__}, a subclass of ndarray with its own rules",
                    f"pass np.asarray({path}) where a plain array will do",
                )
        elif is_generator(value):
            return self._add(value, path, kind, GENERATOR)
        elif (shadow := device_array(value, path, self.device)) is not None:
            self.resident[len(self.values)] = value
            return self._array(shadow, path, kind)
        elif not converts(value):
            apart = is_object(value) and not (self.converting and is_dataclass(value))
            return self._add(value, path, kind, OBJECT) if apart else None
        elif not self.converting:
            raise NotTraceable(
                own_rules(value, path), f"pass its array, np.asarray({path}); {_CONVERTING}"
            )
        self.converted = True
        array = _as_array(value, path)
        own = self.converting or kind is not np.memmap
        if not own:
            self.replaced.append(array)
        return self._array(array, path, own)

    def _dates(self, value: Any, path: str) -> Leaf | None:
        """Dates, as the integers that they are."""
        dtype = value.dtype
        if not is_dated(dtype) or self.device != "cpu" or not value.flags.aligned:
            return None
        known = (self.values[k] for k, other in self.dated.items() if other is value)
        integers = next(known, None)
        integers = shadow(value) if integers is None else integers
        self.dated[len(self.values)] = value
        if isinstance(value, np.ndarray):
            return self._array(integers, path, dtype.str)
        return self._add(integers, path, (type(value), dtype.str), SCALAR)

    def _array(self, value: np.ndarray, path: str, own: Any = True) -> Leaf:
        dtype = value.dtype
        if canonical_dtype(dtype) is None:
            raise NotTraceable(f"{path} has dtype {dtype}", _DTYPES)
        flags = value.flags
        if not flags.aligned:
            copy = value.copy()
            copy.flags.writeable = flags.writeable
            value, self.converted, own = copy, True, False
            self.replaced.append(value)
            flags = value.flags
        ones = tuple(n == 1 for n in value.shape)
        key = (dtype, layout(value), flags.writeable, ones, own)
        return self._add(value, path, key, ARRAY)

    def _add(self, value: Any, path: str, key: Any, leaf: Leaf) -> Leaf:
        self.values.append(value)
        self.paths.append(path)
        self._keys.append(key)
        return leaf

    def arguments(self) -> list[Any]:
        """The values to call with, foreign arrays converted."""
        if not self.converted:
            return list(self.bound)
        leaves = iter(self.values)
        return [unflatten(spec, leaves) for spec in self.specs]

    def call(self, f: Callable[..., Any]) -> Any:
        """`f` called with these arguments."""
        return self.signature.recall(f, *self.arguments())


_DTYPES = "convert it to a native bool, integer, float or complex dtype of up to 128 bits"


#: What to do about an object that only converts to an array.
_CONVERTING = "tracejit.function(convert_arrays=True) does so with every argument"


def _as_array(value: Any, path: str) -> np.ndarray:
    try:
        by_numpy = any(hasattr(type(value), name) for name in CONVERSIONS if name != "__dlpack__")
        return np.asarray(value) if by_numpy else np.from_dlpack(value)
    except Exception as error:
        raise NotTraceable(f"{path} cannot become an array: {error}") from None


def layout(x: np.ndarray) -> str:
    """C, F, R (rows without gaps) or A (any strides): what compiled code is specialised on."""
    flags = x.flags
    if flags.c_contiguous or flags.f_contiguous:
        return "C" if flags.c_contiguous else "F"
    return "R" if x.ndim > 1 and x.strides[-1] == x.itemsize else "A"


def storage_of(value: Any) -> str:
    """The layout as lowering takes it: with "r" for read-only, empty for scalars."""
    if not isinstance(value, np.ndarray):
        return ""
    return layout(value) + ("" if value.flags.writeable else "r")


def texts_of(description: Description) -> dict[str, tuple[Any, str]]:
    """For each argument leaf and static value: what of it selects a path, and text for people."""
    texts: dict[str, tuple[Any, str]] = {}
    leaves = zip(description.paths, description.values, description.key[2], strict=True)
    for path, value, key in leaves:
        text = f"object {path}" if is_object(value) else value_text(value)
        if isinstance(value, np.ndarray):
            text += {"C": "", "F": ", Fortran order", "R": ", rows apart", "A": ", strided"}[
                layout(value)
            ]
            text += "" if value.flags.writeable else ", read-only"
        else:
            text = f"{type(value).__name__} {text}"
        texts[path] = key, text
    for name, spec in zip(description.signature.names, description.specs, strict=True):
        texts.update(_static_texts(spec, name))
    return texts


def _static_texts(spec: Spec, path: str) -> dict[str, tuple[Any, str]]:
    if isinstance(spec, Leaf):
        return {}
    if not isinstance(spec, Tree):
        return {path: (spec, value_text(spec.value))}
    keys = [getattr(k, "value", k) for k in spec.keys] or list(range(len(spec.children)))
    text = f"{spec.cls.__name__} of {len(keys)}"
    found: dict[str, tuple[Any, str]] = {path: (text, text)}
    for key, child in zip(keys, spec.children, strict=True):
        found.update(_static_texts(child, f"{path}[{key!r}]"))
    return found
