"""A pretended CUDA device, for tests of `device=cuda` on machines without a GPU.

A tensor on it wraps one in the memory of the CPU, with whose numbers torch computes. It refuses
what torch refuses: operations on tensors of both devices, and NumPy arrays of its tensors.

To autograd and torch.vmap it is a second device of the type `meta`, which any build of torch has;
only Python reads `cuda:0`. (A device of the type `cuda` would need CUDA's own queues.)
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
_INSIDE = torch.device("meta", 0)  # tensors that are truly meta have no index

_aten = torch.ops.aten
_INDEXING = {_aten.index, _aten.index_put, _aten.index_put_, _aten._index_put_impl_}
_TAKE_A_NUMBER = {_aten.fill, _aten.fill_, _aten.masked_fill, _aten.masked_fill_, *_INDEXING}
_WAIT = {_aten._local_scalar_dense, _aten.nonzero, _aten.masked_select, _aten.equal, _aten._unique2}
_BOTH = "Expected all tensors to be on the same device, but found at least two devices"


@dataclass
class Device:
    """The device.

    Attributes:
        waits: how often the host waited for what the device computes.
        total_memory: its bytes.
    """

    waits: int = 0
    total_memory: int = 2**33


@contextmanager
def pretended_cuda() -> Iterator[Device]:
    """Have a CUDA device, until the end of the block."""
    device = Device()
    answers = {"cuda.is_available": True, "cuda.device_count": 1, "accelerator.is_available": True}
    answers |= {"cuda.get_device_properties": device, "cuda.get_device_name": "Pretended"}
    answers |= {"cuda.get_rng_state": None, "cuda.set_rng_state": None}
    answers |= {"cuda.get_device_capability": (9, 0), "cuda.Stream": None}
    answers |= {"cuda.current_stream": Mock(spec=["synchronize"])}
    with ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(patch(f"torch.{name}", return_value=answer))
        stack.enter_context(_Kernels(device))
        stack.enter_context(_Names())
        yield device


class _OnDevice(Tensor):
    """A tensor on the device; its `numbers` are on the CPU."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "_OnDevice":
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            numbers.size(),
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=_INSIDE,
        )
        made.numbers = numbers
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"{self.numbers!r} on {CUDA}"

    def as_subclass(self, cls: Any) -> Any:
        """Return it as another class, too."""
        return type(cls.__name__, (cls, _OnDevice), {})(self.numbers)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **(kwargs or {}))
        is_other = cls is not _OnDevice and type(result) is _OnDevice
        return cls(result.numbers) if is_other else result

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any) -> None:
        raise AssertionError(f"{func} outside of the block that has the device")


class _Kernels(TorchDispatchMode):
    """Computes what is on the device."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._device = device

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not import its own compiler."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket is _aten._efficientzerotensor:  # a form of zeros that only CPUs know
            func = _aten.zeros.default
        ours: list[_OnDevice] = []
        others: list[Tensor] = []

        def unwrap(leaf: Any) -> Any:
            if isinstance(leaf, _OnDevice):
                ours.append(leaf)
                return leaf.numbers
            if isinstance(leaf, Tensor):
                others.append(leaf)
            return leaf

        plain = _each(unwrap, args)
        options = {name: _each(unwrap, value) for name, value in (kwargs or {}).items()}
        stays = bool(ours)
        if options.get("device") is not None:
            stays = options["device"] == _INSIDE
            options["device"] = CPU if stays else options["device"]
        if func.overloadpacket is _aten.copy_:
            stays = isinstance(args[0], _OnDevice)
        elif ours and others and func.overloadpacket is not _aten._to_copy:
            _refuse_both_devices(func, args, others)
        self._device.waits += bool(ours) and (not stays or _waits(func, args))
        result = func(*plain, **options)
        if not stays:
            return result
        known = {id(tensor.numbers): tensor for tensor in ours}

        def wrap(leaf: Any) -> Any:
            is_new = isinstance(leaf, Tensor) and id(leaf) not in known
            return _OnDevice(leaf) if is_new else known.get(id(leaf), leaf)

        return _each(wrap, result)


def _each(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to a value, or to all that it holds."""
    if isinstance(value, (tuple, list)):
        return type(value)([_each(function, item) for item in value])
    return function(value)


def _refuse_both_devices(func: Any, args: Any, others: list[Tensor]) -> None:
    """Refuse tensors of both devices; a number on the CPU may go along, and indices."""
    packet, is_ours = func.overloadpacket, isinstance(args[0], _OnDevice)
    if packet in _INDEXING and is_ours:
        others = [tensor for tensor in others if all(tensor is not index for index in args[1])]
    takes_a_number = packet in _TAKE_A_NUMBER or torch.Tag.pointwise in func.tags
    is_number = takes_a_number and all(tensor.ndim == 0 for tensor in others)
    if others and (not is_number or (func._schema.is_mutable and not is_ours)):
        raise RuntimeError(f"{_BOTH}, {CUDA} and {CPU}! ({func})")


def _waits(func: Any, args: Any) -> bool:
    """Whether the host waits for the device: it must know a number, or how many there are."""
    chosen = args[1] if func.overloadpacket in _INDEXING else []
    has_mask = any(isinstance(at, _OnDevice) and at.dtype == torch.bool for at in chosen)
    return has_mask or func.overloadpacket in _WAIT


class _Names(TorchFunctionMode):
    """Says `cuda:0` to Python, and refuses what needs the memory of the CPU."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args = tuple(map(_inside, args))
        kwargs = {name: _inside(value) for name, value in (kwargs or {}).items()}
        if args and isinstance(args[0], Tensor) and args[0].device == _INSIDE:
            if func in _TO_NUMPY:
                why = f"can't convert {CUDA} device type tensor to numpy. Use Tensor.cpu() to copy"
                raise TypeError(why)
            if func is Tensor.data_ptr:
                return args[0].numbers.data_ptr()
            if func is Tensor.tolist:
                return args[0].cpu().tolist()
            if func in _ANSWERS:
                return _ANSWERS[func]
            if func in (Tensor.__getitem__, Tensor.__setitem__):
                args = (args[0], _as_tensors(args[1]), *args[2:])
        if func is Tensor.new_tensor:
            func, kwargs = torch.tensor, {"dtype": args[0].dtype, "device": args[0].device} | kwargs
            args = args[1:]
        kwargs.pop("pin_memory", None)  # memory that the device writes by itself, any will do
        if func in _FROM_NUMBERS and kwargs.get("device") == _INSIDE:
            return func(*args, **(kwargs | {"device": None})).to(_INSIDE)
        result = func(*args, **kwargs)
        return CUDA if isinstance(result, torch.device) and result == _INSIDE else result


_TO_NUMPY = {Tensor.numpy, Tensor.__array__}
_FROM_NUMBERS = {torch.tensor, torch.as_tensor, torch.asarray}
_ANSWERS = {Tensor.is_cuda.__get__: True, Tensor.is_meta.__get__: False}  # type: ignore[attr-defined]


def _inside(value: Any) -> Any:
    """Return the true device in place of its name."""
    is_name = isinstance(value, str) and value.startswith("cuda")
    is_cuda = is_name or (isinstance(value, torch.device) and value.type == "cuda")
    return _INSIDE if is_cuda else value


def _as_tensors(index: Any) -> Any:
    """Return indices with tensors in place of lists, of which torch makes meta tensors."""
    if isinstance(index, tuple):
        return tuple(map(_as_tensors, index))
    is_list = isinstance(index, (list, range, np.ndarray)) and len(index)
    return torch.as_tensor(index) if is_list else index
