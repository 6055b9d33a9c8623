"""``tracejit.tensor``: symbolic arrays, under the names that Theano's programs use."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic import function as _function  # noqa: F401 — it installs itself,
from tracejit.symbolic import graph, type  # noqa: F401
from tracejit.symbolic import test_values as _test_values  # noqa: F401 — as this does
from tracejit.symbolic.convert import AsTensorError, as_tensor_variable, cast, constant
from tracejit.symbolic.type import TensorType
from tracejit.symbolic.variables import TensorConstant, TensorVariable
from tracejit.tensor import (
    basic,
    constructors,
    conversions,
    creation,
    elementwise,
    extra_functions,
    extra_ops,
    fft,
    gradient,
    inplace,
    joining,
    nlinalg,
    nnet,
    operators,  # noqa: F401 — which installs itself, as the next does
    opviews,
    pickling,  # noqa: F401
    products,
    reductions,
    signal,
    slinalg,
    sorting,
    subtensor,
    verify,
    xlogx,
)
from tracejit.tensor.basic import *  # noqa: F403
from tracejit.tensor.constructors import tensor
from tracejit.tensor.conversions import *  # noqa: F403
from tracejit.tensor.creation import *  # noqa: F403
from tracejit.tensor.elementwise import *  # noqa: F403
from tracejit.tensor.extra_functions import *  # noqa: F403
from tracejit.tensor.extra_ops import *  # noqa: F403
from tracejit.tensor.gradient import *  # noqa: F403
from tracejit.tensor.joining import *  # noqa: F403
from tracejit.tensor.opviews import *  # noqa: F403
from tracejit.tensor.products import *  # noqa: F403
from tracejit.tensor.reductions import *  # noqa: F403
from tracejit.tensor.sorting import *  # noqa: F403
from tracejit.tensor.subtensor import *  # noqa: F403
from tracejit.tensor.verify import *  # noqa: F403

Tensor = TensorType
as_tensor = as_tensor_variable
Variable = graph.Variable
globals().update(constructors.constructors())


def __getattr__(name: str) -> Any:
    """The constructors, which a type checker does not see; of what is missing, what it was."""
    from tracejit.theano.names import absent

    return absent("tracejit.tensor", name)


__all__ = [
    "AsTensorError",
    "Tensor",
    "TensorConstant",
    "TensorType",
    "TensorVariable",
    "Variable",
    "as_tensor",
    "as_tensor_variable",
    "cast",
    "constant",
    "extra_ops",
    "fft",
    "inplace",
    "nlinalg",
    "nnet",
    "signal",
    "slinalg",
    "tensor",
    "xlogx",
]
__all__ += basic.__all__
__all__ += conversions.__all__
__all__ += creation.__all__
__all__ += elementwise.__all__
__all__ += extra_functions.__all__
__all__ += extra_ops.__all__
__all__ += gradient.__all__
__all__ += joining.__all__
__all__ += opviews.__all__
__all__ += products.__all__
__all__ += reductions.__all__
__all__ += sorting.__all__
__all__ += subtensor.__all__
__all__ += verify.__all__
__all__ += list(constructors.constructors())
