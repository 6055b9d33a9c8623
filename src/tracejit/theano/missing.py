"""Names of Theano's that are not here: what they were, and what to use."""

from __future__ import annotations

_CONV = "T.nnet.conv3d, whose channels come second"
_GPU = "tracejit.config.device = 'cuda', and the same functions as on the CPU"
_OWN = "your own op with perform: tracejit.Op"

#: name, or part of a module's name → what it is, and what to use.
MISSING: dict[str, tuple[str, str]] = {
    "conv3d2d": ("a convolution over three axes", _CONV),
    "Conv3D": ("an old convolution over three axes", _CONV),
    "conv3D": ("an old convolution over three axes", _CONV),
    "fourier": ("Fourier transforms", "T.fft.rfft"),
    "sparse_block_dot": ("a product of blocks", "T.batched_dot of the blocks that are used"),
    "ctc": ("connectionist temporal classification by Baidu's library", _OWN),
    "corrmm": ("a convolution", "T.nnet.conv2d"),
    # Of GPUs -----------------------------------------------------------------------------------
    "gpuarray": ("the back end for GPUs", _GPU),
    "cuda": ("the old back end for GPUs", _GPU),
    "pygpu": ("a library for GPUs", _GPU),
    "pycuda_init": ("PyCUDA beside Theano", "tracejit.cuda"),
    "cuda_ndarray": ("arrays of the old back end for GPUs", "tracejit.cuda.DeviceArray"),
    "Dot22": ("a product by BLAS", "T.dot"),
    "Dot22Scalar": ("a product by BLAS", "T.dot"),
    "Gemm": ("a product by BLAS", "T.dot"),
    "Gemv": ("a product by BLAS", "T.dot"),
    "Ger": ("a product by BLAS", "T.outer"),
    "BatchedDot": ("a product by BLAS", "T.batched_dot"),
    "gemm_no_inplace": ("a product by BLAS", "T.dot"),
    "ldflags": ("what C code was linked with", "nothing: there is no C code"),
    "rebuild_collect_shared": ("a step of the compiler", "tracejit.clone"),
    "GpuOp": ("a class of ops for GPUs", _OWN),
    "dnn": ("ops of cuDNN", _GPU),
    "blocksparse": ("products of blocks on GPUs", "T.dot, T.batched_dot"),
    # Of the compiler -----------------------------------------------------------------------------
    "cmodule": ("the C compiler's driver", "nothing: there is no C code"),
    "cc": ("the linker of C code", "mode='FAST_RUN'"),
    "cutils": ("C code", "nothing: there is no C code"),
    "cop": ("ops in C code", _OWN),
    "ExternalCOp": ("ops in C code", _OWN),
    "COp": ("ops in C code", _OWN),
    "vm": ("linkers", "mode='FAST_RUN'"),
    "lazylinker_c": ("a linker", "mode='FAST_RUN'"),
    "destroyhandler": ("what orders ops that work in place", "nothing: results are apart"),
    "params_type": ("parameters of C code", "attributes of the op"),
    "wraplinker": ("linkers that call back", "MonitorMode"),
    "WrapLinker": ("a linker that calls back", "MonitorMode"),
    "PerformLinker": ("a linker", "mode='FAST_COMPILE'"),
    "OpWiseCLinker": ("a linker", "mode='FAST_RUN'"),
    "CLinker": ("a linker", "mode='FAST_RUN'"),
    "mkl": ("ops of Intel's library", "the same functions: T.dot"),
    "minimal": ("an example", _OWN),
    "solve": ("linear algebra", "T.slinalg.solve"),
    "neighbourhoods": ("parts of images", _OWN),
    "scan": ("another scan", "tracejit.scan"),
}

__all__ = ["MISSING"]
