"""How Python calls an entry: what takes arguments out of Python's objects, in its machine code.

Numba's own dispatch finds the code for the arguments' types, counts references to each array and
makes a record of it: 0.4 µs for three arrays. An entry is for one signature, and its caller holds
the arguments. So this wrapper looks at the objects, and reads where an array's memory, lengths and
strides are: 0.07 µs. For anything that is not of its signature, it returns the code for a miss.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.callwrapper import PyCallWrapper
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.np.numpy_support import as_dtype

from tracejit import native

_INT, _INT32, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_POINTER = _BYTE.as_pointer()
#: Bytes of an object before what is its own; its type comes last.
_HEAD = object.__basicsize__
#: Where NumPy's arrays and dtypes have what (``PyArrayObject``, ``PyArray_Descr``).
_DATA, _NDIM, _LENGTHS, _STRIDES, _DTYPE, _FLAGS = (_HEAD + k for k in (0, 8, 16, 24, 40, 48))
_ORDER, _NUMBER = _HEAD + 10, _HEAD + 12
#: Flags of an array.
_C, _F, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400
#: Which flags tell a layout, and which of them are set: what is contiguous both ways is C.
_LAYOUTS = {"C": (_C, _C), "F": (_C | _F, _F), "A": (_C | _F, 0)}
#: How a dtype says that its bytes are not in this machine's order.
_SWAPPED = np.dtype(np.float64).newbyteorder("S").byteorder
#: Every type of number, NumPy's and Python's.
_NUMBERS: list[type] = [np.dtype(char).type for char in np.typecodes["All"] if char not in "SUV"]
_PYTHONS: dict[str, type] = {"b": bool, "i": int, "f": float, "c": complex}


def _symbol(cls: type) -> str:
    return f"tracejit.{cls.__module__}.{cls.__name__}"


for _cls in (np.ndarray, *_NUMBERS, *_PYTHONS.values()):
    llvm.add_symbol(_symbol(_cls), id(_cls))


def _classes(dtype: np.dtype[Any]) -> list[type]:
    """Types of the scalars that have `dtype` in NumPy."""
    known = (*_NUMBERS, *_PYTHONS.values())
    return sorted({cls for cls in known if np.dtype(cls) == dtype}, key=_symbol)


class _Arguments:
    """Emits the checks of the arguments, each of which may leave for `miss`, and their values."""

    def __init__(self, context: Any, builder: Any, api: Any, miss: Any, failed: Any) -> None:
        self.context = context
        self.builder = builder
        self.api = api
        self.miss = miss
        self.failed = failed

    def value(self, ty: Any, obj: Any) -> Any:
        """The value of an object that must be of type `ty`."""
        return self._array(ty, obj) if isinstance(ty, types.Array) else self._scalar(ty, obj)

    def _require(self, condition: Any) -> None:
        rest = self.builder.append_basic_block("fits")
        branch = self.builder.cbranch(condition, rest, self.miss)
        branch.set_weights([99, 1])
        self.builder.position_at_end(rest)

    def _field(self, obj: Any, offset: int, ty: Any) -> Any:
        b = self.builder
        at = b.gep(b.bitcast(obj, _POINTER), [_INT(offset)])
        return b.load(b.bitcast(at, ty.as_pointer()))

    def _one_of(self, value: Any, choices: Sequence[Any]) -> Any:
        tests = [self.builder.icmp_unsigned("==", value, choice) for choice in choices]
        return functools.reduce(self.builder.or_, tests)

    def _check_class(self, obj: Any, classes: Sequence[type]) -> None:
        known = [
            self.builder.bitcast(self.api.get_c_object(_symbol(cls)), _POINTER) for cls in classes
        ]
        self._require(self._one_of(self._field(obj, _HEAD - 8, _POINTER), known))

    def _scalar(self, ty: Any, obj: Any) -> Any:
        self._check_class(obj, _classes(as_dtype(ty)))
        native = self.api.to_native_value(ty, obj)
        with cgutils.if_unlikely(self.builder, native.is_error):
            self.builder.branch(self.failed)
        return native.value

    def _array(self, ty: Any, obj: Any) -> Any:
        b, dtype = self.builder, as_dtype(ty.dtype)
        self._check_class(obj, [np.ndarray])
        rank = b.icmp_unsigned("==", self._field(obj, _NDIM, _INT32), _INT32(ty.ndim))
        mask, flags = _LAYOUTS[ty.layout]
        wanted = flags | _ALIGNED | (_WRITEABLE if ty.mutable else 0)
        found = b.and_(self._field(obj, _FLAGS, _INT32), _INT32(mask | _ALIGNED | _WRITEABLE))
        flags_fit = b.icmp_unsigned("==", found, _INT32(wanted))
        descriptor = self._field(obj, _DTYPE, _POINTER)
        numbers = sorted({np.dtype(cls).num for cls in _classes(dtype)})
        number = self._field(descriptor, _NUMBER, _INT32)
        number_fits = self._one_of(number, [_INT32(n) for n in numbers])
        order = self._field(descriptor, _ORDER, _BYTE)
        native = b.icmp_unsigned("!=", order, _BYTE(ord(_SWAPPED)))
        self._require(functools.reduce(b.and_, [rank, flags_fit, number_fits, native]))
        array = self.context.make_array(ty)(self.context, b)
        array.data = b.bitcast(self._field(obj, _DATA, _POINTER), array.data.type)
        lengths = self._numbers(obj, _LENGTHS, ty.ndim)
        array.shape = cgutils.pack_array(b, lengths, _INT)
        array.strides = cgutils.pack_array(b, self._numbers(obj, _STRIDES, ty.ndim), _INT)
        array.nitems = functools.reduce(b.mul, lengths, _INT(1))
        array.itemsize = _INT(dtype.itemsize)
        # Nobody counts references: the caller has one for as long as the call takes.
        array.meminfo = array.meminfo.type(None)
        array.parent = array.parent.type(None)
        return array._getvalue()

    def _numbers(self, obj: Any, offset: int, count: int) -> list[Any]:
        place = self._field(obj, offset, _INT.as_pointer())
        return [self.builder.load(self.builder.gep(place, [_INT(k)])) for k in range(count)]


class _Wrapper(PyCallWrapper):
    """``PyObject *wrapper(PyObject *self, PyObject **arguments, ssize_t count)`` of an entry."""

    def build(self) -> Any:
        """Emit it."""
        pointer = self.context.get_argument_type(types.pyobject)
        form = ir.FunctionType(pointer, [pointer, pointer.as_pointer(), _INT])
        wrapper = ir.Function(self.module, form, name=self.fndesc.llvm_cpython_wrapper_name)
        builder = ir.IRBuilder(wrapper.append_basic_block("entry"))
        api = self.context.get_python_api(builder)
        self.build_wrapper(api, builder, *wrapper.args)
        return wrapper, api

    def build_wrapper(self, api: Any, builder: Any, closure: Any, args: Any, kws: Any) -> None:
        """Emit the body: `args` is where the arguments are, and `kws` their number."""
        kinds, result = self.fndesc.argtypes, self.fndesc.restype
        miss, failed = (builder.append_basic_block(name) for name in ("miss", "failed"))
        late = isinstance(result, types.BaseTuple)
        with builder.goto_block(miss):
            code = api.long_from_longlong(_INT(1))
            if late:
                one, code = code, api.tuple_pack([code])
                api.decref(one)
            builder.ret(code)
        with builder.goto_block(failed):
            builder.ret(api.get_null_object())
        with cgutils.if_unlikely(builder, builder.icmp_signed("!=", kws, _INT(len(kinds)))):
            api.err_set_string("PyExc_TypeError", f"an entry of {len(kinds)} arguments")
            builder.branch(failed)
        arguments = _Arguments(self.context, builder, api, miss, failed)
        objects = [builder.load(builder.gep(args, [_INT(k)])) for k in range(len(kinds))]
        values = [arguments.value(ty, obj) for ty, obj in zip(kinds, objects, strict=True)]
        # The arrays of a tuple are made in the entry: what views an argument would have no owner.
        environment = self.get_env(api, builder) if late else None
        thread = api.save_thread()
        status, value = self.context.call_conv.call_function(
            builder, self.func, result, kinds, values, attrs=("noinline",)
        )
        api.restore_thread(thread)
        with builder.if_then(status.is_ok, likely=True):
            builder.ret(api.from_native_return(result, value, environment))
        self.context.call_conv.raise_error(builder, api, status)
        builder.branch(failed)


class _Lower(Lower):
    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """Put our wrapper where Numba would put its own."""
        context, fndesc = self.context, self.fndesc
        module = context.create_module("wrapper")
        form = context.call_conv.get_function_type(fndesc.restype, fndesc.argtypes)
        entry = ir.Function(module, form, fndesc.llvm_func_name)
        _Wrapper(context, module, entry, fndesc, self.env, self.call_helper, release_gil).build()
        self.library.add_ir_module(module)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):
    _name = "tracejit_lowering"

    @property
    def lowering_class(self) -> Any:
        return _Lower


class _Compiler(CompilerBase):
    def define_pipelines(self) -> list[Any]:
        """Numba's passes, with our wrapper."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (_Lowering if made is NativeLowering else made, name) for made, name in manager.passes
        ]
        manager.finalize()
        return [manager]


#: Makes a dispatcher for `python_callable`. Without the C-callable wrapper, which nobody calls, a
#: compile is a seventh shorter.
njit: Any = functools.partial(
    numba.njit, nogil=True, error_model="numpy", no_cfunc_wrapper=True, pipeline_class=_Compiler
)


def python_callable(dispatcher: Any) -> Callable[..., Any]:
    """What Python calls the only signature of `dispatcher` by, which is its ``__self__``.

    The dispatcher's own call would take it for Numba's wrapper, and fail.
    """
    (overload,) = dispatcher.overloads.values()
    name = overload.fndesc.llvm_cpython_wrapper_name
    address = overload.library.get_pointer_to_function(name)
    return native.function(dispatcher.py_func.__name__, address, dispatcher)
