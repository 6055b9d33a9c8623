"""Functions of cuDNN under Theano's names: those of ``tracejit.tensor.nnet``."""

from __future__ import annotations

import importlib
from typing import Any


def dnn_available(context_name: Any = None) -> bool:
    """False: cuDNN is not used."""
    return False


dnn_available.avail, dnn_available.msg = False, "cuDNN is not used"  # type: ignore[attr-defined]


def dnn_present() -> bool:
    """False: cuDNN is not used."""
    return False


def version(raises: bool = True) -> int:
    """-1: cuDNN is not used."""
    return -1


def dnn_conv(
    img: Any, kerns: Any, border_mode: Any = "valid", subsample: Any = (1, 1),
    dilation: Any = (1, 1), conv_mode: str = "conv", direction_hint: Any = None,
    workmem: Any = None, algo: Any = None, precision: Any = None, num_groups: int = 1,
) -> Any:  # fmt: skip
    """`T.nnet.conv2d`; with ``conv_mode="cross"`` filters are not flipped."""
    conv2d = importlib.import_module("tracejit.tensor.nnet").conv2d
    return conv2d(
        img, kerns, border_mode=border_mode, subsample=subsample, filter_dilation=dilation,
        filter_flip=conv_mode == "conv", num_groups=num_groups,
    )  # fmt: skip


def dnn_pool(img: Any, ws: Any, stride: Any = None, mode: str = "max", pad: Any = None) -> Any:
    """`T.signal.pool.pool_2d`, or `pool_3d` for three axes."""
    pool = importlib.import_module("tracejit.tensor.signal.pool")
    function = pool.pool_2d if len(ws) == 2 else pool.pool_3d
    pad = (0,) * len(ws) if pad is None else pad
    return function(img, ws, ignore_border=True, stride=stride, pad=pad, mode=mode)


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.sandbox.cuda.dnn", name, "dnn")


__all__ = ["dnn_available", "dnn_conv", "dnn_pool", "dnn_present", "version"]
