"""Checks of what the methods of custom optimizers and schedules return.

Each message says what the method must return, and what it gave.

Shapes: n rows, which may be padded and are called R in messages; D dimensions; K steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gdlab.fields.formatting import describe_type, format_shape


def check_pair(returned: Any, must: str, runs: int) -> tuple[Any, Any]:
    """Return a value if it is a pair.

    Args:
        returned: what a method returned.
        must: what it must return, as "update must return (x, state)".
        runs: the number of rows n.

    Raises:
        TypeError: it is no pair.
    """
    if isinstance(returned, (tuple, list)) and len(returned) == 2:
        return returned[0], returned[1]
    raise TypeError(f"{must}, and gave {_describe(returned, runs)}")


def check_tensor(
    value: Any, must: str, shape: Sequence[int], runs: int, dtype: torch.dtype | None = None
) -> Tensor:
    """Return a value if it is a tensor of a shape, and of a dtype where one is given.

    Args:
        value: what a method returned.
        must: what it must return, up to "of shape …".
        shape: the shape.
        runs: the number of rows n.
        dtype: the dtype; None for any.

    Raises:
        TypeError: it is no tensor, or has another dtype.
        ValueError: it has another shape.
    """
    if not isinstance(value, Tensor) or value.shape != shape:
        kind = ValueError if isinstance(value, Tensor) else TypeError
        wanted = f"of shape {format_shape(shape, runs)}"
        raise kind(f"{must} {wanted}, and gave {_describe(value, runs)}")
    if dtype is not None and value.dtype != dtype:
        raise TypeError(f"{must} of {dtype}, and gave {value.dtype}".replace("torch.", ""))
    return value


def check_state(state: Any, method: str, runs: int) -> Mapping[str, Tensor]:
    """Return a state if it is a mapping from names to tensors with a row for each run.

    Args:
        state: the state of an optimizer or a schedule.
        method: what it was returned by.
        runs: the number of rows n.

    Raises:
        TypeError: it is none.
    """
    must = f'{method} must return a state that has R rows in each tensor, as {{"m": tensor}}'
    if not isinstance(state, Mapping):
        raise TypeError(f"{must}, and gave {_describe(state, runs)}")
    for name, leaf in state.items():
        if not isinstance(leaf, Tensor) or leaf.shape[:1] != (runs,):
            raise TypeError(f"{must}, and gave {_describe(leaf, runs)} as {name}")
    return state


def _describe(value: Any, runs: int) -> str:
    """Describe a value in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {format_shape(value.shape, runs)}"
    is_sequence = isinstance(value, (tuple, list))
    return f"{describe_type(value)} of {len(value)}" if is_sequence else describe_type(value)
