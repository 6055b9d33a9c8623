"""Names that Theano's programs import: what is there, and what says that it is not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.theano.names import MODULES

#: Imports of public programs, and a use of each name that shows what it is.
PROGRAM = """
import numpy
import theano
import theano.tensor as T
import theano.tensor as tensor
from theano import config, function, shared, gof, printing, Op, Apply, Variable
from theano import OpFromGraph, In, Out
from theano.compat import OrderedDict, izip, imap, DefaultOrderedDict
from theano.compat.python2x import OrderedDict as ordered
from theano.compat.six.moves import xrange, cPickle
from theano.compat import six
from theano.compile import ViewOp, SharedVariable, optdb, Mode, get_default_mode, DebugMode
from theano.compile.builders import OpFromGraph
from theano.compile.function_module import UnusedInputError
from theano.compile.io import In
from theano.compile.mode import Mode, get_mode, get_default_mode, FAST_RUN, register_mode
from theano.compile.monitormode import MonitorMode
from theano.compile.nanguardmode import NanGuardMode
from theano.compile.ops import as_op, ViewOp, view_op
from theano.compile.pfunc import rebuild_collect_shared
from theano.compile.profiling import ProfileStats
from theano.compile.sharedvalue import SharedVariable, shared
from theano.configparser import AddConfigVar, BoolParam, EnumStr, IntParam, StrParam
from theano.configdefaults import config
from theano.gof import Apply, Constant, FunctionGraph, Op, Type, Variable, local_optimizer
from theano.gof import EquilibriumDB, PatternSub, toolbox, utils, graph, MissingInputError, opt
from theano.gof.fg import FunctionGraph, MissingInputError
from theano.gof.graph import Apply, Constant, Variable, inputs, ancestors, is_same_graph, clone
from theano.gof.graph import io_toposort, list_of_nodes, general_toposort, stack_search
from theano.gof.null_type import NullType
from theano.gof.op import Op, PureOp, get_test_value
from theano.gof.opt import OpRemove, OpSub, out2in, in2out, TopoOptimizer, LocalOptGroup
from theano.gof.optdb import Query, SequenceDB
from theano.gof.toolbox import Feature, ReplaceValidate
from theano.gof.type import Generic, Type
from theano.gof.utils import hash_from_code, scratchpad, flatten
from theano.gradient import (DisconnectedType, NullTypeGradError, consider_constant,
    disconnected_grad, grad_not_implemented, grad_undefined, verify_grad, format_as, subgraph_grad)
from theano.ifelse import ifelse, IfElse
from theano.misc.ordered_set import OrderedSet
from theano.misc.pkl_utils import dump, load, StripPickler
from theano.misc.safe_asarray import _asarray
from theano.printing import Print, debugprint, pp, pydotprint, min_informative_str, var_descriptor
from theano.raise_op import Raise
from theano.sandbox.cuda import CudaNdarrayType, dnn, float32_shared_constructor, host_from_gpu
from theano.sandbox.cuda.basic_ops import as_cuda_ndarray_variable, gpu_contiguous, host_from_gpu
from theano.sandbox.cuda.basic_ops import gpu_alloc_empty, GpuOp, HideC
from theano.sandbox.cuda.blas import GpuCorrMM, GpuDot22
from theano.sandbox.cuda.dnn import dnn_conv, dnn_pool, GpuDnnConvDesc
from theano.sandbox.cuda.rng_curand import CURAND_RandomStreams
from theano.sandbox.cuda.type import CudaNdarrayType
from theano.sandbox.cuda.var import CudaNdarraySharedVariable
from theano.sandbox.rng_mrg import MRG_RandomStreams
from theano.gpuarray import dnn as gdnn, GpuArrayType
from theano.gpuarray.type import gpuarray_shared_constructor
from theano.gpuarray.basic_ops import GpuKernelBase, Kernel, infer_context_name
from theano.scalar import Scalar, UnaryScalarOp, BinaryScalarOp, Composite, float32
from theano.scalar.basic import UnaryScalarOp, upgrade_to_float_no_complex, same_out, Add, Identity
from theano.scan_module import until, scan_utils
from theano.scan_module.scan import scan
from theano.scan_module.scan_op import Scan
from theano.scan_module.scan_utils import map_variables, infer_shape, equal_computations
from theano.tensor.basic import TensorType, as_tensor_variable, dot, Alloc
from theano.tensor.basic import NotScalarConstantError, MaxAndArgmax, Join, constant, Dot, alloc
from theano.tensor.blas import Dot22, Gemm, Gemv, Ger, BatchedDot, batched_dot, ldflags
from theano.tensor.elemwise import CAReduce, DimShuffle, Elemwise, Prod, Sum
from theano.tensor.extra_ops import repeat, to_one_hot, cumsum, Unique
from theano.tensor.nnet import binary_crossentropy, categorical_crossentropy, sigmoid, softmax
from theano.tensor.nnet.nnet import softmax, softplus
from theano.tensor.nnet.sigm import hard_sigmoid, sigmoid
from theano.tensor.opt import Assert, register_canonicalize, register_specialize, register_stabilize
from theano.tensor.raw_random import uniform, normal
from theano.tensor.shared_randomstreams import RandomStreams
from theano.tensor.sharedvar import TensorSharedVariable
from theano.tensor.sort import argsort, sort
from theano.tensor.subtensor import AdvancedSubtensor1, Subtensor, inc_subtensor, IncSubtensor
from theano.tensor.type import TensorType
from theano.tensor.type_other import NoneConst
from theano.tensor.var import TensorConstant, TensorVariable, _tensor_py_operators
from theano.tests.unittest_tools import assert_allclose, fetch_seed, seed_rng, verify_grad
from theano.typed_list import TypedListType, make_list
from theano.updates import OrderedUpdates
from theano.version import version
import theano.compile.mode, theano.sandbox.cuda.nvcc_compiler, theano.nothing.known, theano.d3viz
import theano.sandbox.conv as old
import theano.tests.unittest_tools as utt

# What is there.
x = T.dvector("x")
assert theano.compile.function is function and T.var(x).ndim == 0
assert isinstance((x + x).owner.op, Elemwise) and isinstance(x, TensorVariable)
assert T.basic.dot is T.dot and theano.tensor.basic.dot is T.dot and T.opt.Assert is Assert
assert Mode("py").linker == "py" and isinstance(shared(1.0), SharedVariable)
assert theano.__version__ == version == "1.0.5"
assert list(izip([1], [2])) == [(1, 2)] and list(OrderedSet([2, 1, 2])) == [2, 1]
assert fetch_seed() == 666 and seed_rng() == 666
assert theano.gof.graph.inputs is inputs and theano.tensor.opt.Assert is Assert
assert dnn.dnn_available() is False and theano.sandbox.cuda.cuda_available is False
assert host_from_gpu(x) is x and CudaNdarrayType([False]) == T.TensorType("float32", [False])
assert _asarray([1], dtype="floatX").dtype == config.floatX
assert theano.scan is scan and not isinstance(x, GpuCorrMM)
utt.verify_grad(lambda v: v ** 2, [numpy.ones(3)])
assert "dnn" in dir(theano.sandbox.cuda) and "GpuOp" not in dir(theano.sandbox.cuda)
assert not dir(theano.nothing.known)

# What is not says so when it is used.
for use in (GpuCorrMM, lambda: GpuOp(), lambda: theano.nothing.known.at_all(), old.conv2d):
    try:
        use()
    except NotImplementedError as error:
        print(error)
    else:
        assert False
class Mine(GpuOp):
    def perform(self):
        pass
try:
    Mine()
except NotImplementedError as error:
    print(error)
try:
    theano.nothing.known.at_all.more
except AttributeError as error:
    print(error)
"""


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "error", **env}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, env=environment, timeout=120,
    )  # fmt: skip


def test_imports_of_programs() -> None:
    done = run("import tracejit\ntracejit.install_as_theano()\n" + PROGRAM)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert "theano.nothing.known.at_all" in done.stdout
    assert "tracejit.config.device = 'cuda'" in lines[0]


def test_the_word_replaced() -> None:
    code = PROGRAM.partition("# What is not")[0]
    gone = ("theano.sandbox.cuda.blas", "gpu_alloc_empty", "nothing", "old", "__version__", "GpuOp",
            "GpuDnnConvDesc", "GpuKernelBase", "GpuCorrMM")  # fmt: skip
    lines = [line for line in code.splitlines() if not any(word in line for word in gone)]
    done = run("\n".join(lines).replace("theano", "tracejit"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(MODULES))
def test_modules_of_the_table_have_what_they_tell(name: str) -> None:
    import importlib

    ours = [importlib.import_module(m) for m in MODULES[name].split() if _is_there(m)]
    for module in ours:
        assert all(hasattr(module, n) for n in getattr(module, "__all__", ()))


def _is_there(name: str) -> bool:
    from tracejit.theano.names import _exists

    return _exists(name.removeprefix("tracejit."))


def test_names_that_nobody_knows_are_no_attributes() -> None:
    for module in (tracejit, T, tracejit.gof, tracejit.compile, T.nnet, tracejit.scalar):
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            getattr(module, "non" + "sense")
        assert not hasattr(module, "_nonsense")


# Flags --------------------------------------------------------------------------------------------


def test_flags_in_sections() -> None:
    config = tracejit.config
    assert config.gcc.cxxflags == "" and config.unittests.rseed == "666"
    assert config.dnn.conv.algo_fwd == "small" and "cnmem" in dir(config.lib)
    with tracejit.change_flags({"unittests.rseed": 3, "lib.cnmem": "0.5"}, optimizer="None"):
        assert config.unittests.rseed == "3" and config.lib.cnmem == 0.5
        assert config.optimizer == "None"
    assert config.lib.cnmem == 0.0
    config.NanGuardMode.big_is_error = True
    for act in (
        lambda: setattr(config, "exception_verbosity", "middling"),
        lambda: setattr(config.lib, "cnmem", "much"),
        lambda: setattr(config.NanGuardMode, "action", "shout"),
    ):
        with pytest.raises(ValueError, match="config"):
            act()
    with pytest.raises(AttributeError, match=r"gcc\.nothing"):
        _ = config.gcc.nothing
    with pytest.raises(AttributeError, match=r"gcc\.nothing"):
        config.gcc.nothing = 1


def test_flags_of_ones_own() -> None:
    from tracejit.compat.configuration import AddConfigVar, EnumStr, IntParam

    AddConfigVar("own.count", "how many", IntParam(3))
    AddConfigVar("own.kind", "which", EnumStr("a", "b"))
    assert tracejit.config.own.count == 3
    tracejit.config.own.kind = "b"
    with pytest.raises(ValueError, match=r"own\.kind"):
        tracejit.config.own.kind = "c"
    with pytest.raises(ValueError, match="already"):
        AddConfigVar("own.count", "", IntParam(3))


def test_the_environment_sets_flags() -> None:
    flags = "floatX=float32,gcc.cxxflags=-O3,unknown.flag=1,lib.cnmem=0.9,own.x=4,allow_gc=0"
    code = """
    import tracejit
    from tracejit.configparser import AddConfigVar, IntParam
    AddConfigVar("own.x", "", IntParam(3))
    config = tracejit.config
    print(config.floatX, config.gcc.cxxflags, config.lib.cnmem, config.own.x, config.allow_gc)
    """
    done = run(code, THEANO_FLAGS=flags)
    assert done.stdout == "float32 -O3 0.9 4 False\n", done.stderr
    assert "floatX may be" in run("import tracejit", THEANO_FLAGS="floatX=float8").stderr


def test_a_gpu_that_is_not_there_is_the_cpu(capfd: pytest.CaptureFixture[str]) -> None:
    from tracejit.theano.flags import device_of, gpus

    assert [device_of(n) for n in ("gpu", "gpu0", "cuda1", "cpu", "tpu")] == [
        "cuda", "cuda", "cuda:1", "cpu", "tpu",
    ]  # fmt: skip
    if gpus():
        pytest.skip("there is a GPU")
    code = """
    import warnings
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        import tracejit
    print(tracejit.config.device, *(str(w.message) for w in told))
    """
    done = run(code, THEANO_FLAGS="device=gpu0,floatX=float32")
    assert done.stdout.startswith("cpu ") and "no GPU" in done.stdout, done.stderr
    with pytest.warns(UserWarning, match="no GPU"):
        tracejit.sandbox.cuda.use("gpu0")


# Conditions, small things -------------------------------------------------------------------------


def test_conditions_on_values() -> None:
    from tracejit.tensor.assertions import Assert, Raise

    x, n = T.dvector("x"), T.iscalar("n")
    y = Assert("n is small")(x * 2, T.gt(n, 3), T.eq(x.shape[0], 2))
    f = tracejit.function([x, n], [y, T.grad((y**2).sum(), x)])
    a = np.array([1.0, 2.0])
    got = f(a, 4)
    np.testing.assert_array_equal(got, [2 * a, 8 * a])
    assert f.stats.fallbacks == 0
    g = tracejit.function([x, n], y.sum())
    assert g(a, 4) == 6
    for args in ((a, 3), (np.ones(3), 4)):
        with pytest.raises(AssertionError, match="n is small"):
            g(*args)
    assert g(a, 5) == 6 and g.stats.compiles == 1
    with pytest.raises(KeyError, match="never"):
        tracejit.function([x], Raise("never", KeyError)(x))(a)
    with pytest.raises(TypeError, match="scalar"):
        Assert()(x, x)


def test_small_conversions() -> None:
    x = T.dvector("x")
    assert T.get_vector_length(T.stack([1, 2, 3])) == 3 and T.get_vector_length(x.shape) == 1
    assert T.get_vector_length(T.constant([1, 2])) == 2
    with pytest.raises(ValueError, match="length not known"):
        T.get_vector_length(x)
    i, j = T.mgrid[0:2, 0:3]
    f = tracejit.function([], [i, j, *T.ogrid[0:2, 0:3]])
    want = [*np.mgrid[0:2, 0:3], *np.ogrid[0:2, 0:3]]
    for got, value in zip(f(), want, strict=True):
        np.testing.assert_array_equal(got, value)
    assert T.tensor_from_scalar(T.dscalar()).ndim == 0
    assert T.default(None, x) is x and T.extract_constant(T.constant(2) * 3) == 6
    with pytest.raises(TypeError, match="None"):
        T.NoneConst.type.filter(3)
