"""Trace the step of one row as torch runs it.

The loss, its gradient by autograd and the optimizer run once for a single row, and every operation
that torch dispatches is recorded as scalar operations. A row does not depend on other rows, so the
trace holds for all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gdlab.engine.compiler.dispatch import CONVERSIONS, SHAPE_ONLY, decompose, name_of, tensors_in
from gdlab.engine.compiler.operations import Array, Operations
from gdlab.engine.compiler.program import Program, Uncompilable


class Tracer(TorchDispatchMode):
    """Follows tensors through torch's operations as arrays of a program's operands.

    Inside `with tracer:` every operation on a followed tensor is added to the program.

    Raises:
        Uncompilable: an operation is unknown, or Python reads a number of a followed tensor.
    """

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        super().__init__()
        self._operations = Operations(program, is_double=dtype == torch.float64)
        self._dtype = dtype
        # By id; holding the tensors keeps their ids from being reused.
        self._followed: dict[int, tuple[Tensor, Array]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not import its own compiler."""
        return False

    def follow(self, tensor: Tensor, array: Array) -> None:
        """Follow a tensor as an array of operands."""
        self._followed[id(tensor)] = tensor, array

    def array(self, tensor: Tensor) -> Array:
        """Return the operands of a followed tensor, the numbers of another."""
        if id(tensor) in self._followed:
            return self._followed[id(tensor)][1]
        values = np.array(tensor.detach().tolist(), dtype=object)
        return values.reshape(tuple(tensor.shape))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and record it if it takes a followed tensor."""
        kwargs = kwargs or {}
        if not any(id(t) in self._followed for t in tensors_in((args, kwargs))):
            return func(*args, **kwargs)
        name = name_of(func)
        if name in SHAPE_ONLY:
            return func(*args, **kwargs)
        operation = self._find_operation(func, name, args, kwargs)
        if operation is None:
            with self:
                return decompose(func, args, kwargs)
        try:  # before it runs, since it may write into its arguments
            arrays = operation(*self._to_arrays(args), **self._to_arrays(kwargs))
        except (TypeError, ValueError, IndexError) as error:
            raise Uncompilable(f"the operation {func} has no compiled form: {error}") from error
        result = func(*args, **kwargs)
        for tensor, array in zip(tensors_in(result), _as_list(arrays), strict=True):
            array = np.asarray(array, dtype=object)
            if tensor.shape != array.shape:
                raise Uncompilable(f"the operation {func} has no compiled form of this shape")
            self.follow(tensor, array)
        return result

    def _find_operation(
        self, func: Any, name: str, args: Any, kwargs: Any
    ) -> Callable[..., Any] | None:
        """Return the form of an operation for arrays; None if it must be decomposed."""
        if name in CONVERSIONS:
            target = kwargs.get("dtype") or next(
                (arg for arg in args[1:] if isinstance(arg, torch.dtype)), args[0].dtype
            )
            if args[0].dtype not in (target, torch.bool) or target not in (
                self._dtype,
                torch.bool,
            ):
                raise Uncompilable(
                    f"a conversion from {args[0].dtype} to {target} has no compiled form"
                )
            return lambda a, *_, **__: a
        if kwargs.get("rounding_mode") is not None:
            return None
        if not func._schema.is_mutable:
            return self._operations.table.get(name)
        out_of_place = self._operations.table.get(name.removesuffix("_"))
        return None if out_of_place is None or self._has_views(args[0]) else out_of_place

    def _has_views(self, tensor: Tensor) -> bool:
        """Whether other followed tensors share a tensor's memory."""
        pointer = tensor.untyped_storage().data_ptr()
        others = [t for t, _ in self._followed.values() if t is not tensor]
        return any(t.untyped_storage().data_ptr() == pointer for t in others)

    def _to_arrays(self, arguments: Any) -> Any:
        """Replace tensors in arguments by arrays of operands."""
        if isinstance(arguments, Tensor):
            is_followed = id(arguments) in self._followed
            if is_followed or arguments.is_floating_point() or arguments.dtype == torch.bool:
                return self.array(arguments)
            return np.asarray(arguments)
        if isinstance(arguments, (list, tuple)):
            return type(arguments)(self._to_arrays(item) for item in arguments)
        if isinstance(arguments, dict):
            return {key: self._to_arrays(value) for key, value in arguments.items()}
        return arguments


def _as_list(arrays: Any) -> list[Any]:
    return arrays if isinstance(arrays, list) else [arrays]
