"""One row's step, read off torch as it runs.

The loss, its gradient by autograd and the optimizer are run once for a single row, and every
operation that torch dispatches is written down as what it does to each number. What a row does
cannot depend on its neighbours, so this is what all rows do.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode

from gdlab.engine.compiler.operations import Array, Operations
from gdlab.engine.compiler.program import Program, Uncompilable


class Tracer(TorchDispatchMode):
    """Follows tensors through torch's operations as arrays of a program's operands.

    Inside `with tracer:` every operation on a followed tensor is written into the program.

    Raises:
        Uncompilable: an operation is unknown, or Python looks at a number of a followed tensor.
    """

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        super().__init__()
        self._operations = Operations(program)
        self._dtype = dtype
        # By identity: the tensors are kept, so that no other takes the place of one.
        self._followed: dict[int, tuple[Tensor, Array]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch need not import its own compiler for this one."""
        return False

    def follow(self, tensor: Tensor, array: Array) -> None:
        """Let a tensor stand for an array of operands."""
        self._followed[id(tensor)] = tensor, array

    def array(self, tensor: Tensor) -> Array:
        """The operands behind a tensor; its numbers where it is not followed."""
        if id(tensor) in self._followed:
            return self._followed[id(tensor)][1]
        values = np.array(tensor.detach().tolist(), dtype=object)
        return values.reshape(tuple(tensor.shape))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and write it down where it meets a followed tensor."""
        kwargs = kwargs or {}
        if not any(id(t) in self._followed for t in _tensors((args, kwargs))):
            return func(*args, **kwargs)
        name = _name(func)
        if name in _ALIKE:
            return func(*args, **kwargs)
        operation = self._operation(func, name, args, kwargs)
        if operation is None:
            with self:
                return self._decomposed(func, args, kwargs)
        try:  # before it runs: it may write into what it is given
            arrays = operation(*self._arrays(args), **self._arrays(kwargs))
        except (TypeError, ValueError, IndexError) as error:
            raise Uncompilable(f"the operation {func} has no compiled form: {error}") from error
        result = func(*args, **kwargs)
        for tensor, array in zip(_tensors(result), _listed(arrays), strict=True):
            array = np.asarray(array, dtype=object)
            if tensor.shape != array.shape:
                raise Uncompilable(f"the operation {func} has no compiled form of this shape")
            self.follow(tensor, array)
        return result

    def _operation(self, func: Any, name: str, args: Any, kwargs: Any) -> Callable[..., Any] | None:
        """What an operation does to arrays, where that is known."""
        if name in _CONVERSIONS:
            wanted = kwargs.get("dtype") or next(
                (arg for arg in args[1:] if isinstance(arg, torch.dtype)), args[0].dtype
            )
            if args[0].dtype not in (wanted, torch.bool) or wanted not in (
                self._dtype,
                torch.bool,
            ):
                raise Uncompilable(f"a conversion from {args[0].dtype} to {wanted}")
            return lambda a, *_, **__: a
        if kwargs.get("rounding_mode") is not None:
            return None
        if not func._schema.is_mutable:
            return self._operations.table.get(name)
        plain = self._operations.table.get(name.removesuffix("_"))
        return None if plain is None or self._has_views(args[0]) else plain

    def _has_views(self, tensor: Tensor) -> bool:
        """Whether other followed tensors look at a tensor's memory."""
        place = tensor.untyped_storage().data_ptr()
        others = [t for t, _ in self._followed.values() if t is not tensor]
        return any(t.untyped_storage().data_ptr() == place for t in others)

    def _decomposed(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation's result by other operations."""
        result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        if func not in decomposition_table:
            raise Uncompilable(f"the operation {func} has no compiled form")
        return decomposition_table[func](*args, **kwargs)

    def _arrays(self, given: Any) -> Any:
        """Arguments with arrays of operands in the place of tensors."""
        if isinstance(given, Tensor):
            if id(given) not in self._followed and not given.is_floating_point():
                return np.asarray(given) if given.dtype != torch.bool else self.array(given)
            return self.array(given)
        if isinstance(given, (list, tuple)):
            return type(given)(self._arrays(item) for item in given)
        if isinstance(given, dict):
            return {key: self._arrays(value) for key, value in given.items()}
        return given


# They take only the shape of what they are given.
_ALIKE = frozenset(
    ("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full")
)


# They change no number, only its type.
_CONVERSIONS = frozenset(("_to_copy", "to", "convert_element_type"))


def _name(func: Any) -> str:
    """An operation's name, without its namespace and its overload."""
    return str(func).split(".")[1]


def _tensors(given: Any) -> list[Tensor]:
    """The tensors in arguments or results, in order."""
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        return [tensor for item in given for tensor in _tensors(item)]
    return []


def _listed(arrays: Any) -> list[Any]:
    return arrays if isinstance(arrays, list) else [arrays]
