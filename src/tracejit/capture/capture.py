"""The traced copy of the user's function: what it reads outside its arguments becomes an input.

The copy has its own globals, where names are looked up on first use: arrays become inputs whose
content is read at each call, everything else is guarded, functions of the user's become copies too.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

from tracejit.arrays.dates import dates_of, integers_of, is_taken
from tracejit.capture import tables  # noqa: F401 — which are filled
from tracejit.capture.builtins import unrolled_range
from tracejit.capture.bytecode import ANYTHING, GENERATOR_FLAG, mark_calls, scan
from tracejit.capture.classes import copy_of_class, detach, require_plain_enum
from tracejit.capture.generators import TracedGenerator, is_generator
from tracejit.capture.made import made
from tracejit.capture.modules import UserModule, is_of_class
from tracejit.capture.namespace import is_library_file, is_library_module, replacement
from tracejit.capture.objects import HOLDERS, Objects, is_object
from tracejit.capture.outer import Namespace, is_constant, is_value, outside, undecided
from tracejit.capture.rewrite.calls import CONTROL
from tracejit.capture.rewrite.function import rewritten
from tracejit.capture.rewrite.traced import TracedControl
from tracejit.capture.roots import Root, Snapshot
from tracejit.capture.slices import SlicedArguments
from tracejit.capture.standin import real_of
from tracejit.capture.stateful import StateVariable
from tracejit.errors import NotTraceable
from tracejit.lower.devices import device_array, is_device_array
from tracejit.plan.prologue import Prologue
from tracejit.plan.structure import (
    ARRAY,
    GENERATOR,
    INT_LIMIT,
    NUMBER,
    OBJECT,
    SCALAR,
    Leaf,
    Spec,
    Static,
    assemble,
    child_path,
    children_of,
    contents,
    converts,
    flatten,
    is_static,
    own_rules,
    require_plain,
)
from tracejit.trace.lists import TracedList
from tracejit.trace.memory import input_name
from tracejit.trace.origin import is_internal
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer

__all__ = ["Capture", "Namespace", "outside"]


class Capture:
    """Makes the copies for one trace and collects what they read.

    `prologue`  names the objects that expressions read from
    `roots`     what was read, in order: inputs and guards of every later call
    `handles`   input variables and generators, and their names, by id
    `states`    shared variables of the trace, by the ids of their containers
    `containers`  expressions that read the originals of containers, by id
    `dynamic`   paths of numbers that changed between calls: they become inputs
    """

    def __init__(
        self,
        trace: Trace,
        function: Any,
        dynamic: set[str],
        unify: bool = False,
        control: TracedControl | None = None,
    ) -> None:
        self.trace = trace
        #: The runtime of branches and loops; without one they are Python's.
        self.control = control
        #: Python's, and what answers their calls in this trace.
        own = {range: unrolled_range} if control is None else control.builtins
        self.builtins: dict[Any, Any] = own
        #: Whether arguments that are one array are one variable: it matters if it is written into.
        self._unify = unify
        self.prologue = Prologue()
        self.roots: list[Root] = []
        self.states: dict[int, StateVariable] = {}
        self.dynamic = dynamic
        self.classes: dict[type, type] = {}
        self.handles: dict[int, tuple[Any, str]] = {}
        self.containers: dict[int, str] = {}
        self._own = (function.__module__ or "").partition(".")[0]
        package = sys.modules.get(self._own)
        self._own_directory = "".join(list(getattr(package, "__path__", ()))[:1])
        self._root = function
        self._streams: dict[int, Any] = {}
        self._values: dict[str, Any] = {}
        self._functions: dict[int, tuple[Any, Any]] = {}
        self._namespaces: dict[int, Namespace] = {}
        self._modules: dict[int, UserModule] = {}
        self.snapshots: list[Snapshot] = []
        self.generators: list[TracedGenerator] = []
        #: The names of the inputs that arguments are.
        self.arguments, self.dated = list[str](), dict[int, Any]()
        self.objects = Objects(self)
        #: The device that the function runs on, and stand-ins for arrays there.
        self.device = "cpu"
        self.mirrors: Any = None
        self.sliced = SlicedArguments(trace)
        trace.capture = self

    # Functions -------------------------------------------------------------------------------

    def function(self, f: types.FunctionType) -> Callable[..., Any]:
        """The traced copy of a Python function of the user's."""
        if "__tracejit_transform__" in f.__dict__:
            # A derivative: it copies the function that it is of by itself.
            return f
        if any(f.__globals__ is n for n in self._namespaces.values()):
            return f  # made by a copy: all that it sees is traced already
        known = self._functions.get(id(f))
        if known is not None:
            copied: Callable[..., Any] = known[1]
            return copied
        reason, hint, line, updated, _ = scan(f.__code__)
        if f is self._root and f.__code__.co_flags & GENERATOR_FLAG:
            reason, hint = "is a generator function", "compile the functions that it calls"
            line = f.__code__.co_firstlineno
        for name, refused in () if reason else updated:
            if not hasattr(type(outside(f, name)), "__tracejit_state__"):
                reason, hint, line = refused
                break
        source = f.__code__ if self.control is None else rewritten(f.__code__).code
        for names, refused in () if reason else undecided(f.__code__, source):
            if names == ANYTHING or (is_value(f, names) if names else f is not self._root):
                reason, hint, line = refused
                break
        if not reason and set(f.__dict__) - {"__wrapped__"}:
            reason, line = "has attributes, which could change unseen", f.__code__.co_firstlineno
            hint = "keep them in global variables"
        if reason:
            refusal = NotTraceable(f"{f.__qualname__}() {reason}", hint)
            refusal.place = f.__code__.co_filename, line, f.__code__.co_name
            raise refusal
        cells = tuple(types.CellType() for _ in source.co_freevars)
        code = mark_calls(source, functools.partial(is_of_class, f))
        copy = types.FunctionType(
            code.replace(), self.namespace(f.__globals__), f.__name__, None, cells
        )
        copy.__qualname__, copy.__module__, copy.__doc__ = f.__qualname__, f.__module__, f.__doc__
        copy.__annotations__ = f.__annotations__
        owner = self.prologue.symbol(f, "f")
        self.guard(f.__code__, f"{owner}.__code__", f"the code of {f.__name__}()")
        self._functions[id(f)] = f, copy
        self._functions[id(copy)] = copy, copy
        if "__wrapped__" in f.__dict__:
            inner = self.read(
                f.__dict__["__wrapped__"], f"{owner}.__wrapped__", f"{f.__name__}.__wrapped__"
            )
            copy.__dict__["__wrapped__"] = inner
        closure = dict(zip(f.__code__.co_freevars, f.__closure__ or (), strict=True))
        for name, new in zip(source.co_freevars, cells, strict=True):
            if name == CONTROL:
                new.cell_contents = self.control
                continue
            old = closure[name]
            try:
                content = old.cell_contents
            except ValueError:  # not assigned yet
                continue
            if name == "__class__":
                new.cell_contents = self.traced_class(content)  # where super() begins
                continue
            cell = self.prologue.symbol(old, "c")
            new.cell_contents = self.read(content, f"{cell}.cell_contents", name)
        if f.__defaults__ or f.__kwdefaults__:
            copy.__defaults__ = f.__defaults__ and tuple(
                self.default(v, f"{owner}.__defaults__[{k}]", f"a default of {f.__name__}()")
                for k, v in enumerate(f.__defaults__)
            )
            copy.__kwdefaults__ = f.__kwdefaults__ and {
                name: self.default(
                    v, f"{owner}.__kwdefaults__[{name!r}]", f"the default {name} of {f.__name__}()"
                )
                for name, v in f.__kwdefaults__.items()
            }
        return copy

    def default(self, value: Any, expression: str, name: str) -> Any:
        """A default value: numbers and the like are part of the function."""
        if isinstance(value, (bool, int, float, complex, str, type(None))):
            self.guard(value, expression, name)
            return value
        return self.read(value, expression, name)

    def guard(self, value: Any, expression: str, path: str) -> None:
        """Trace again where `expression` no longer gives `value`."""
        self.roots.append(Root(expression, path, Static(value), []))

    def namespace(self, real: dict[str, Any]) -> Namespace:
        """The globals of copies of functions whose globals are `real`."""
        known = self._namespaces.get(id(real))
        if known is None:
            known = self._namespaces[id(real)] = Namespace(self, real)
        return known

    def is_users(self, f: types.FunctionType) -> bool:
        """Whether `f` is copied: a function of the user's own, or of the traced one's package."""
        file = f.__code__.co_filename
        if self._own_directory and file.startswith(self._own_directory):
            return True
        name = f.__module__ or f.__globals__.get("__name__")
        library = is_library_file(file) and is_library_module(name, self._own)
        return not (is_internal(file) or library)

    # Values ----------------------------------------------------------------------------------

    def read(self, value: Any, expression: str, path: str, numbers: bool = False) -> Any:
        """The traced stand-in for `value`, which `expression` reads at every call.

        With `numbers`, a number is an input from the first call on.
        """
        if expression not in self._values:
            self._values[expression] = self._read(value, expression, path, numbers)
        return self._values[expression]

    def _read(self, value: Any, expression: str, path: str, numbers: bool) -> Any:
        if isinstance(value, Tracer):
            raise NotTraceable(f"{path} holds a value of another trace")
        if is_constant(value):
            self.guard(value, expression, path)
            return value
        if children_of(value) is None and self._kind(value, path, not numbers) is None:
            traced = self.stand_in(value, expression, path)
            self.guard(value, expression, path)
            return traced
        if numbers and type(value) is list:
            return self.objects.list(value, expression, path)
        root = Root(expression, path, Static(None), [])

        def leaf(item: Any, at: str) -> Leaf | None:
            kind = self._kind(item, at, top=item is value and not numbers)
            if kind is not None:
                root.values.append(item)
            return kind

        root.spec = flatten(value, path, leaf)
        self.roots.append(root)
        return self.rebuild(root.spec, iter(root.values), root.nodes, path, value, expression)

    def elements(self, original: list[Any], expression: str, path: str) -> list[Any]:
        """What stands for the elements of a list."""
        built = self._read(original, expression, path, False)
        self.snapshots.pop()  # they are in another list
        return list(list.__iter__(built))

    def attribute(self, module: types.ModuleType, name: str, value: Any) -> Any:
        """The traced stand-in for `value`, an attribute of a module, which is read at each call."""
        attributes = vars(module)
        if name in attributes:
            expression = f"{self.prologue.symbol(attributes, 'g')}[{name!r}]"
        else:  # by the module's __getattr__, or of its class
            expression = self.prologue.attribute(self.prologue.symbol(module), name)
        return self.read(value, expression, f"{module.__name__}.{name}")

    def _kind(self, value: Any, path: str, top: bool = True) -> Leaf | None:
        """The kind of leaf that `value` is; None for what is static or a container."""
        if isinstance(value, np.ndarray):
            if type(value) not in (np.ndarray, np.memmap):
                raise NotTraceable(
                    f"{path} is a {type(value).__name__}, a subclass of ndarray",
                    "use np.asarray on it outside",
                )
            if not is_taken(value.dtype, self.device) or not value.flags.aligned:
                raise NotTraceable(f"{path} has dtype {value.dtype}", "convert it outside")
            return ARRAY
        if isinstance(value, np.generic):
            if not is_taken(value.dtype, self.device):
                return None
            require_plain(value, path)
            return SCALAR
        if device_array(value, path, self.device) is not None:
            return ARRAY
        if type(value) in (float, complex) or (
            type(value) is int and -INT_LIMIT < value < INT_LIMIT
        ):
            return NUMBER if not top or path in self.dynamic else None
        if converts(value):
            raise NotTraceable(own_rules(value, path), "take its array, np.asarray(...), outside")
        if is_generator(value):
            return GENERATOR
        return OBJECT if is_object(value) else None

    def stand_in(self, value: Any, expression: str, path: str) -> Any:
        """What stands for a static value: copies of functions, proxies of modules, states."""
        if hasattr(type(value), "__tracejit_state__"):
            return self.state(value, path)
        if hasattr(type(value), "__tracejit_draws__"):
            return self.streams(value, path)
        wrapped = getattr(type(value), "__tracejit_function__", None)
        if wrapped is not None:
            value = value.__wrapped__
        elif isinstance(value, functools._lru_cache_wrapper):
            # Its cache must not see traced values, nor the trace the arrays that it holds.
            raise NotTraceable(f"{path} keeps its results in a cache", "call it outside")
        if isinstance(value, types.FunctionType):
            if self.is_users(value):
                return self.function(value)
            return replacement(value)
        held = made(self, value, expression, path)
        if held is not None:
            return held
        if isinstance(value, types.ModuleType):
            if is_library_module(value.__name__, self._own):
                return replacement(value)
            if id(value) not in self._modules:
                self._modules[id(value)] = UserModule(self, value)
            return self._modules[id(value)]
        if isinstance(value, type):
            return self.traced_class(value)
        if isinstance(value, Enum):
            require_plain_enum(self, type(value))
        found = replacement(value)
        if found is value and not is_static(value):
            raise NotTraceable(
                f"{path} is an instance of {type(value).__module__}.{type(value).__qualname__}, "
                "a class in C or of a library, whose content could change unseen",
                "pass the arrays and numbers it holds as arguments",
            )
        return found

    def state(self, shared: Any, path: str) -> StateVariable:
        """What stands for a shared variable; its value is read from its container at each call."""
        container = shared.container
        known = self.states.get(id(container))
        if known is None:
            if not isinstance(container.value, np.ndarray) and not container.device:
                raise NotTraceable(f"{path} is a shared variable that holds no array")
            expression = f"{self.prologue.symbol(container, 's')}.value"
            value = self.read(container.value, expression, path)
            known = self.states[id(container)] = StateVariable(value.node, container)
        return known

    def streams(self, family: Any, path: str) -> Any:
        """What stands for a family of random variables, one a trace."""
        if id(family) not in self._streams:
            self._streams[id(family)] = family.__tracejit_draws__(
                self._root, self.trace, lambda shared: self.state(shared, f"a generator of {path}")
            )
        return self._streams[id(family)]

    def traced_class(self, cls: type) -> type:
        """The copy of a class of the user's, one a trace."""
        known = self.classes.get(cls)
        if known is not None:
            return known
        if hasattr(cls, "__tracejit_draws__"):
            raise NotTraceable(
                f"a family of random variables, {cls.__name__}, is made inside",
                "make it outside, and draw from it inside",
                bound="makes random variables",
            )
        if issubclass(cls, Enum):
            require_plain_enum(self, cls)
        library = cls not in HOLDERS and is_library_module(cls.__module__, self._own)
        if library or issubclass(cls, (BaseException, Enum)):
            return replacement(cls)
        self.classes[cls] = copy_of_class(self, cls)
        return self.classes[cls]

    # Containers ------------------------------------------------------------------------------

    def rebuild(
        self, spec: Spec, values: Any, nodes: list[str], path: str, original: Any, expression: str
    ) -> Any:
        """`original` with variables for its leaves; `nodes` gets the names of their inputs."""
        if spec == GENERATOR:
            name = f"generator{len(self.handles)}"
            generator = TracedGenerator(self.trace, next(values), name, path)
            nodes.append(name)
            self.handles[id(generator)] = generator, name
            return generator
        if spec == OBJECT:
            twin, name = self.objects.twin(next(values), path)
            nodes.append(name)
            return twin
        if isinstance(spec, Leaf):
            value = integers_of(next(values), self.dated)
            value = self.mirrors.of(value) if is_device_array(value) else value
            sliced = self.sliced.variable(value, path)
            if sliced is None:
                known = self.trace.known_array(value) if self._unify else None
                variable = self.trace.input(value, path) if known is None else known
                sliced = variable, input_name(variable)
            variable, name = sliced
            nodes.append(name)
            self.handles[id(variable)] = variable, name
            return dates_of(variable, value, self.dated)
        if isinstance(spec, Static):
            return self.stand_in(spec.value, expression, path)
        keys = spec.keys or tuple(range(len(spec.children)))
        originals = children_of(original)
        assert originals is not None
        children = []
        for key, child, value in zip(keys, spec.children, originals.children, strict=True):
            plain = key.value if isinstance(key, Static) else key
            named = spec.kind in ("dataclass", "namedtuple")
            step = f"{expression}[{self.prologue.symbol(plain)}]"
            step = self.prologue.attribute(expression, plain) if named else step
            at = child_path(spec.kind, path, plain)
            children.append(self.rebuild(child, values, nodes, at, value, step))
        if spec.kind == "dict":
            spec = spec._replace(keys=tuple(Static(self._key(k.value)) for k in keys))
        built = assemble(spec, children, self.traced_class)
        if type(built) is list and self.control is not None:
            built = TracedList(built)
            built.born = -1  # older than all that is made
        self.snapshots.append(Snapshot(path, built, contents(built), original))
        self.containers[id(built)] = expression
        return built

    def held(self) -> list[Any]:
        """The containers that have been read, and the attributes of all objects."""
        return [*(s.built for s in self.snapshots), *self.objects.attributes()]

    def meeting(self) -> Callable[[], list[tuple[Any, Any]]]:
        """What gives the containers and attributes that are read from now on, as they were then."""
        containers, objects = len(self.snapshots), len(self.objects.all)

        def met() -> list[tuple[Any, Any]]:
            found = [(s.built, s.content()) for s in self.snapshots[containers:]]
            others = [r for r in self.objects.all[objects:] if not r.is_new]
            return [*(f for f in found if f[1] is not None), *((r.attributes, {}) for r in others)]

        return met

    def holds(self, array: Tracer) -> bool:
        """Whether a container of the caller's, or an object of it, has an array."""
        held = [v for s in self.snapshots for v in contents(s.built)]
        held += [v for attributes in self.objects.attributes() for v in attributes.values()]
        return any(array is v for v in held)

    def _key(self, key: Any) -> Any:
        """What stands for the key of a dict: functions and classes are found by their copies."""
        if isinstance(key, types.FunctionType) and self.is_users(key):
            return self.function(key)
        if isinstance(key, type):
            return self.traced_class(key)
        return replacement(key) if callable(key) and is_static(key) else key

    def require_kept(self) -> None:
        """NotTraceable where the function has set attributes of functions."""
        for f, copy in self._functions.values():
            if f is not copy and set(copy.__dict__) - {"__wrapped__"}:
                raise NotTraceable(f"the function sets an attribute of {f.__qualname__}()")

    def release(self) -> None:
        """The trace is over: the user's classes have no copies among their subclasses."""
        for copy in reversed(self.classes.values()):
            if real_of(copy) is not copy:
                detach(copy)

    def original(self, value: Any) -> Any:
        """The user's own function or class of which `value` is the copy, or `value` itself."""
        real = real_of(value)
        if real is not value or isinstance(value, type):
            return real
        return next((old for old, new in self._functions.values() if new is value), value)
