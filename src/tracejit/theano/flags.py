"""Settings of the symbolic front end, under Theano's names: attributes of ``tracejit.config``.

They belong to the process. ``THEANO_FLAGS="floatX=float32"`` sets them before it starts,
``change_flags(floatX="float32")`` for a while.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

_MODES = (
    "Mode", "FAST_RUN", "FAST_COMPILE", "DebugMode", "DEBUG_MODE", "NanGuardMode", "stabilize",
)  # fmt: skip
#: What a flag may be: one of several values, or a value of a type; `str` takes any.
Allowed = tuple[Any, ...] | type
_BOOL = (True, False)
_OPTIMIZERS = (
    "fast_run", "fast_compile", "merge", "o4", "o3", "o2", "o1", "unsafe", "None", 
    "fast_run_stable", "merge_only", "specialize", "stabilize",
)  # fmt: skip
_LINKERS = ("cvm", "c|py", "py", "c", "c|py_nogc", "vm", "cvm_nogc", "vm_nogc")
#: name → (default, what it may be). A name with a dot is an attribute of a section:
#: ``config.gcc.cxxflags``.
_FLAGS: dict[str, tuple[Any, Allowed]] = {
    "floatX": ("float64", ("float64", "float32", "float16")),
    "cast_policy": ("custom", ("custom", "numpy+floatX")),
    "int_division": ("int", ("int", "raise", "floatX")),
    "on_unused_input": ("raise", ("raise", "warn", "ignore")),
    "stabilise": (True, _BOOL),
    "mode": ("Mode", _MODES),
    "compute_test_value": ("off", ("off", "ignore", "warn", "raise", "pdb")),
    "compute_test_value_opt": ("off", ("off", "ignore", "warn", "raise", "pdb")),
    "device": ("cpu", ("cpu",)),
    "unittests.rseed": ("666", str),
    "profile": (False, _BOOL),
    "NanGuardMode.nan_is_error": (True, _BOOL),
    "NanGuardMode.inf_is_error": (True, _BOOL),
    "NanGuardMode.big_is_error": (True, _BOOL),
    "NanGuardMode.action": ("raise", ("raise", "warn", "pdb")),
    # The rest has one answer here, which is what every other value of Theano's led to in the end:
    # graphs are always optimised and compiled, messages always tell all there is, and there is no
    # C compiler.
    "optimizer": ("fast_run", _OPTIMIZERS),
    "linker": ("cvm", _LINKERS),
    "exception_verbosity": ("low", ("low", "high")),
    "print_active_device": (True, _BOOL),
    "print_test_value": (False, _BOOL),
    "print_global_stats": (False, _BOOL),
    "allow_gc": (True, _BOOL),
    "openmp": (False, _BOOL),
    "openmp_elemwise_minsize": (200000, int),
    "deterministic": ("default", ("default", "more")),
    "assert_no_cpu_op": ("ignore", ("ignore", "warn", "raise", "pdb")),
    "on_opt_error": ("warn", ("warn", "raise", "pdb", "ignore")),
    "on_shape_error": ("warn", ("warn", "raise")),
    "optimizer_including": ("", str),
    "optimizer_excluding": ("", str),
    "optimizer_requiring": ("", str),
    "optimizer_verbose": (False, _BOOL),
    "nocleanup": (False, _BOOL),
    "tensor.cmp_sloppy": (0, int),
    "tensor.insert_inplace_optimizer_validate_nb": (-1, int),
    "tensor.local_elemwise_fusion": (True, _BOOL),
    "traceback.limit": (8, int),
    "traceback.compile_limit": (0, int),
    "reoptimize_unpickled_function": (False, _BOOL),
    "pickle_test_value": (True, _BOOL),
    "warn_float64": ("ignore", ("ignore", "warn", "raise", "pdb")),
    "force_device": (False, _BOOL),
    "init_gpu_device": ("", str),
    "contexts": ("", str),
    "magma.enabled": (False, _BOOL),
    "cxx": ("", str),
    "compiledir": ("", str),
    "base_compiledir": ("", str),
    "compiledir_format": ("", str),
    "gcc.cxxflags": ("", str),
    "blas.ldflags": ("", str),
    "blas.check_openmp": (True, _BOOL),
    "lib.cnmem": (0.0, float),
    "lib.amdlibm": (False, _BOOL),
    "nvcc.fastmath": (False, _BOOL),
    "nvcc.flags": ("", str),
    "nvcc.compiler_bindir": ("", str),
    "cuda.enabled": (True, _BOOL),
    "cuda.root": ("", str),
    "cuda.include_path": ("", str),
    "dnn.enabled": ("auto", ("auto", "True", "False", "no_check")),
    "dnn.include_path": ("", str),
    "dnn.library_path": ("", str),
    "dnn.conv.workmem": ("", str),
    "dnn.conv.algo_fwd": ("small", str),
    "dnn.conv.algo_bwd": ("none", str),
    "dnn.conv.algo_bwd_data": ("none", str),
    "dnn.conv.algo_bwd_filter": ("none", str),
    "dnn.conv.precision": ("as_input_f32", str),
    "gpuarray.preallocate": (0.0, float),
    "gpuarray.sched": ("default", ("default", "multi", "single")),
    "gpuarray.single_stream": (True, _BOOL),
    "gpuarray.cache_path": ("", str),
    "conv.assert_shape": (False, _BOOL),
    "numpy.seterr_all": ("ignore", ("ignore", "warn", "raise", "call", "print", "log", "None")),
    "scan.allow_gc": (False, _BOOL),
    "scan.allow_output_prealloc": (True, _BOOL),
    "scan.debug": (False, _BOOL),
    "experimental.unpickle_gpu_on_cpu": (False, _BOOL),
    "experimental.local_alloc_elemwise": (False, _BOOL),
    "optdb.max_use_ratio": (8.0, float),
    "optdb.position_cutoff": (float("inf"), float),
    "metaopt.verbose": (0, int),
    "profile_optimizer": (False, _BOOL),
    "profile_memory": (False, _BOOL),
    "profiling.time_thunks": (True, _BOOL),
    "profiling.n_apply": (20, int),
    "profiling.n_ops": (20, int),
    "profiling.output_line_width": (512, int),
    "profiling.min_memory_size": (1024, int),
    "profiling.min_peak_memory": (False, _BOOL),
    "profiling.destination": ("stderr", str),
    "profiling.debugprint": (False, _BOOL),
    "profiling.ignore_first_call": (False, _BOOL),
    "DebugMode.patience": (10, int),
    "DebugMode.check_c": (False, _BOOL),
    "DebugMode.check_py": (True, _BOOL),
    "DebugMode.check_finite": (True, _BOOL),
    "DebugMode.check_strides": (0, int),
    "DebugMode.check_preallocated_output": ("", str),
    "DebugMode.warn_input_not_reused": (True, _BOOL),
    "warn.ignore_bug_before": ("0.9", str),
    "warn.round": (False, _BOOL),
    "warn.inc_set_subtensor1": (False, _BOOL),
    "warn.argmax_pushdown_bug": (False, _BOOL),
    "warn.gpusum_01_011_0111_bug": (False, _BOOL),
    "warn.signal_conv2d_interface": (False, _BOOL),
    "warn.reduce_join": (False, _BOOL),
    "warn.subtensor_merge_bug": (False, _BOOL),
    "warn.sum_sum_bug": (False, _BOOL),
    "warn.sum_div_dimshuffle_bug": (False, _BOOL),
    "warn.vm_gc_bug": (False, _BOOL),
    "cmodule.warn_no_version": (False, _BOOL),
    "cmodule.mac_framework_link": (False, _BOOL),
    "compile.timeout": (120, int),
    "compile.wait": (5, int),
    "ctc.root": ("", str),
    "enable_initial_driver_test": (True, _BOOL),
    "gpuelemwise.sync": (True, _BOOL),
    "ignore_bug_before": ("None", str),
    "check_input": (True, _BOOL),
    "cycle_detection": ("regular", ("regular", "fast")),
    "max_err_msg_len": (0, int),
    "pycuda.init": (False, _BOOL),
    "cublas.lib": ("cublas", str),
}
_values: dict[str, Any] = {name: default for name, (default, _) in _FLAGS.items()}
#: What is called where a flag has changed.
renew: dict[str, Callable[[], None]] = {}


def is_flag(name: str) -> bool:
    """Whether there is a flag of that name."""
    return name in _FLAGS


def get(name: str) -> Any:
    """The value of a flag."""
    return _values[name]


class Section:
    """The flags whose names begin alike: ``config.gcc``, of which ``cxxflags`` is one."""

    __slots__ = ("_prefix",)

    def __init__(self, prefix: str) -> None:
        object.__setattr__(self, "_prefix", prefix)

    def __getattr__(self, name: str) -> Any:
        full = f"{self._prefix}.{name}"
        if is_section(full):
            return Section(full)
        if not is_flag(full):
            raise AttributeError(f"config has no flag {full!r}")
        return get(full)

    def __setattr__(self, name: str, value: Any) -> None:
        full = f"{self._prefix}.{name}"
        if not is_flag(full):
            raise AttributeError(f"config has no flag {full!r}")
        put(full, value)

    def __dir__(self) -> list[str]:
        start = f"{self._prefix}."
        return sorted(n.removeprefix(start) for n in _FLAGS if n.startswith(start))


def is_section(name: str) -> bool:
    """Whether there are flags whose names begin with `name` and a dot."""
    return any(flag.startswith(f"{name}.") for flag in _FLAGS)


def add(name: str, default: Any, allowed: Allowed) -> None:
    """Add a flag. ValueError where there is one of that name."""
    if name in _FLAGS:
        raise ValueError(f"there is a flag {name!r} already")
    _FLAGS[name] = default, allowed
    _values[name] = _given(name, _environment()[name]) if name in _environment() else default


def allow(name: str, value: Any) -> None:
    """Let a flag have one more value."""
    default, allowed = _FLAGS[name]
    assert isinstance(allowed, tuple)
    if value not in allowed:
        _FLAGS[name] = default, (*allowed, value)


def require(name: str, value: Any) -> None:
    """ValueError for a value that a flag cannot have."""
    _checked(name, value)


def _checked(name: str, value: Any) -> Any:
    """A value as the flag has it. ValueError for one that it cannot have."""
    allowed = _FLAGS[name][1]
    if isinstance(allowed, tuple):
        if value in allowed:
            return allowed[allowed.index(value)]
        shown = ", ".join(map(repr, allowed))
        raise ValueError(f"config.{name} may be {shown}, not {value!r}")
    try:
        return allowed(value)
    except (TypeError, ValueError):
        raise ValueError(f"config.{name} is {allowed.__name__}, not {value!r}") from None


def put(name: str, value: Any) -> None:
    """Set a flag. ValueError for a value that it cannot have."""
    if name == "mode" and not isinstance(value, str):
        _set(name, value)  # a mode itself
        return
    if name == "device":
        value = device_of(value)
    _set(name, _checked(name, value))


def device_of(name: Any) -> Any:
    """Our name of a device of Theano's: "cuda" for "gpu" and "gpu0", "cuda:1" for "cuda1"."""
    if not isinstance(name, str):
        return name
    kind, number = name.rstrip("0123456789"), name.lstrip("abcdefghijklmnopqrstuvwxyz")
    if kind not in ("gpu", "cuda") or not (not number or number.isdecimal()):
        return name
    return f"cuda:{number}" if number.strip("0") else "cuda"


def _set(name: str, value: Any) -> None:
    _values[name] = value
    if name in renew:
        renew[name]()


@contextlib.contextmanager
def change_flags(*given: Any, **flags: Any) -> Iterator[None]:
    """A context manager and decorator under which `flags` have other values.

    A dict takes those whose names have a dot: ``change_flags({"unittests.rseed": 3})``.

    >>> import tracejit
    >>> with tracejit.change_flags(floatX="float32"):
    ...     tracejit.tensor.vector().dtype
    'float32'
    """
    flags = {name: value for more in (*given, flags) for name, value in dict(more).items()}
    for name in flags:
        if name not in _FLAGS:
            raise AttributeError(f"there is no flag {name!r}; there are: {', '.join(_FLAGS)}")
    before = {name: _values[name] for name in flags}
    try:
        for name, value in flags.items():
            put(name, value)
        yield
    finally:
        for name, value in before.items():
            _set(name, value)


def _environment() -> dict[str, str]:
    """What ``THEANO_FLAGS`` sets. Flags that are not here, and ``.theanorc``, are let be."""
    parts = (p.strip().partition("=") for p in os.environ.get("THEANO_FLAGS", "").split(","))
    return {name.strip(): text.strip() for name, sign, text in parts if sign}


def _given(name: str, text: str) -> Any:
    """A text as a value of a flag. ValueError for one that it cannot have."""
    allowed = _FLAGS[name][1]
    if not isinstance(allowed, tuple):
        return _checked(name, text)
    values = {str(v): v for v in allowed}
    if allowed == _BOOL:
        values |= {"1": True, "0": False, "true": True, "false": False}
    if name == "device":
        text = device_of(text)
        if text == "cuda" or text.startswith("cuda:"):
            return _gpu_or_cpu(name, text)
    if text not in values:
        raise ValueError(f"THEANO_FLAGS: {name} may be {', '.join(values)}, not {text!r}")
    return values[text]


def gpus() -> int:
    """How many GPUs NVIDIA's driver finds."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        driver.cuInit(0)
        driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return 0
    return count.value


def _gpu_or_cpu(flag: str, device: str) -> str:
    """`device`, or with a warning the CPU where the machine has no GPU."""
    if gpus():
        return device
    warnings.warn(
        f"THEANO_FLAGS: {flag}={device}, and there is no GPU: functions run on the CPU",
        UserWarning,
        stacklevel=2,
    )
    return "cpu"


for _name, _text in _environment().items():
    if _name in _FLAGS:
        _values[_name] = _given(_name, _text)
