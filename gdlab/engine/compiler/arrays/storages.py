"""Which tensors are windows on which nodes of a graph: tensors of the same storage share a node."""

from typing import Any

import numpy as np
from torch import Tensor

from gdlab.engine.compiler.arrays.graph import Node, View, contiguous
from gdlab.engine.compiler.program import Uncompilable

_MAX_CONSTANT = 4096


class Storages:
    """The nodes of the storages that are followed."""

    def __init__(self) -> None:
        # By address; holding the tensors keeps the addresses from being reused.
        self._nodes: dict[int, tuple[Tensor, Node]] = {}

    def keep(self, tensor: Tensor, node: Node) -> Tensor:
        """Follow the storage of a tensor, from now on as a node, and return the tensor."""
        self._nodes[address(tensor)] = tensor, node
        return tensor

    def find(self, tensor: Any) -> View | None:
        """Return a followed tensor as a view; None for anything else."""
        if not isinstance(tensor, Tensor):
            return None
        found = self._nodes.get(address(tensor))
        return None if found is None else View(found[1], *window(tensor))

    def view(self, tensor: Tensor) -> View:
        """Return a followed tensor as a view, another one as a constant.

        Raises:
            Uncompilable: the constant is too large to be written into a program.
        """
        found = self.find(tensor)
        if found is not None:
            return found
        if tensor.numel() > _MAX_CONSTANT:
            raise Uncompilable(f"a constant of {tensor.numel():,} numbers has no compiled form")
        sizes, values = tuple(tensor.shape), np.array(tensor.detach().tolist(), dtype=float)
        return Node("constant", "", (), sizes, contiguous(sizes), False, values=values).whole()

    def whole_and_part(self, tensor: Tensor) -> tuple[View, View]:
        """Return all of the storage of a tensor as a view, and the tensor's part of it."""
        found = self.find(tensor)
        if found is None:
            whole = self.view(tensor if tensor._base is None else tensor._base)
            return whole, View(whole.node, *window(tensor))
        return found.node.whole(), found


def window(tensor: Tensor) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return the offset, shape and strides of a tensor in its storage."""
    return int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride())


def address(tensor: Tensor) -> int:
    """Return the address of a tensor's storage."""
    return tensor.untyped_storage().data_ptr()
