"""What the tracers share: how torch names, decomposes and passes operations."""

from typing import Any

from torch import Tensor
from torch._decomp import decomposition_table

from gdlab.engine.compiler.program import Uncompilable

SHAPE_ONLY = frozenset(
    ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full")
)
"""Operations that use only the shape of their argument."""

CONVERSIONS = frozenset(("_to_copy", "to", "convert_element_type"))
"""Operations that change the dtype and no number."""


def name_of(func: Any) -> str:
    """The name of an operation, without namespace and overload."""
    return str(func).split(".")[1]


def tensors_in(arguments: Any) -> list[Tensor]:
    """The tensors in arguments or results, in order."""
    if isinstance(arguments, Tensor):
        return [arguments]
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if isinstance(arguments, (list, tuple)):
        return [tensor for item in arguments for tensor in tensors_in(item)]
    return []


def decompose(func: Any, args: Any, kwargs: Any) -> Any:
    """Compute an operation by simpler operations.

    Raises:
        Uncompilable: torch knows none.
    """
    if name_of(func) == "_local_scalar_dense":
        raise Uncompilable("Python reads a number of the step, which then has no compiled form")
    result = func.decompose(*args, **kwargs)
    if result is not NotImplemented:
        return result
    if func not in decomposition_table:
        raise Uncompilable(f"the operation {func} has no compiled form")
    return decomposition_table[func](*args, **kwargs)
