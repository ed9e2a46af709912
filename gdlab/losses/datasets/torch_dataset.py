"""Examples from a custom `torch.utils.data.Dataset`.

Shapes: N examples.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from gdlab.errors import CUSTOM_ERRORS, SettingError, summarize_error
from gdlab.fields.custom_classes import instantiate
from gdlab.fields.formatting import short_repr
from gdlab.fields.validation import FromPython
from gdlab.losses.datasets.fingerprints import note_arguments
from gdlab.losses.datasets.memory_table import is_pair
from gdlab.losses.datasets.tables import Examples


class ExamplesInMemory(TensorDataset, FromPython):
    """A copy of features and targets that are no table: images, or several targets an example."""

    described: ClassVar[str] = ""

    @classmethod
    def of(cls, name: str, value: Any) -> "ExamplesInMemory | None":
        """Return what a pair of arrays or tensors stands for; None for a table and all else."""
        if not is_pair(value) or not all(hasattr(part, "shape") for part in value):
            return None
        features, targets = value
        if len(features.shape) < 3 and (len(targets.shape) < 2 or targets.shape[1] == 1):
            return None
        shown = f"{name}=({short_repr(features)}, {short_repr(targets)})"
        if len(features) != len(targets):
            what = f"{len(features):,} features and {len(targets):,} targets"
            raise SettingError(f"{shown}: {what}")
        try:
            return cls(*map(_copy, value))
        except TypeError as error:
            raise SettingError(f"{shown}: must be numbers ({summarize_error(error)})") from error

    def __repr__(self) -> str:
        return f"{len(self):,} examples in memory"


_MAX_EXAMPLES = 10_000_000


def examples_from_dataset(data: Mapping[str, Any] | Dataset[Any], seed: int) -> Examples:
    """Return the examples of a dataset, given as an instance or named by `_target_`.

    Args:
        data: the dataset, or the name of its class with the arguments.
        seed: of torch's generator while the class is called.

    Raises:
        SettingError: the dataset cannot be created, or its examples cannot be used.
    """
    if isinstance(data, Mapping):
        name = f"data._target_={data.get('_target_')}"
        note_arguments(data)
        data = instantiate("data", data, Dataset, "torch.utils.data.Dataset", seed)
    else:
        name = f"data={type(data).__name__}"
    try:
        features, targets = _stack(data)
    except CUSTOM_ERRORS as error:
        what = f"must yield pairs of features and target ({summarize_error(error)})"
        raise SettingError(f"{name}: {what}") from error
    if len(features) == 0 or len(features) != len(targets):
        counts = f"{len(features)} features and {len(targets)} targets"
        raise SettingError(f"{name}: must yield as many features as targets, but yields {counts}")
    if not (np.isfinite(features).all() and np.isfinite(targets).all()):
        raise SettingError(f"{name}: a feature or a target is not a finite number")
    return Examples(features, targets, ())


def _stack(data: Dataset[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return all features (N, ...), with at least two axes, and all targets (N,) or (N, C)."""
    if isinstance(data, TensorDataset):
        features, targets = map(_to_array, data.tensors)
    else:
        count: int = len(data)  # type: ignore[arg-type]  # one without a length raises
        if count > _MAX_EXAMPLES:
            raise ValueError(f"{count:,} examples; at most {_MAX_EXAMPLES:,} are allowed")
        pairs = [data[i] for i in range(count)]
        features, targets = (
            np.stack(list(map(_to_array, part))) for part in zip(*pairs, strict=True)
        )
    features = features[:, None] if features.ndim == 1 else features
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim > 2:
        raise ValueError(f"targets of shape {targets.shape[1:]}")
    return features, targets.astype(np.float64)


def _copy(values: Any) -> Tensor:
    """Return a copy of a tensor, or of an array as a tensor."""
    if isinstance(values, Tensor):
        return values.detach().clone()
    return torch.from_numpy(np.array(values))


def _to_array(values: Any) -> np.ndarray:
    """Return numbers as an array: real ones as float64, integers as they are."""
    tensor = values.detach().cpu() if isinstance(values, Tensor) else torch.as_tensor(values)
    if tensor.is_complex():
        raise TypeError(f"{tensor.dtype}, but they must be real numbers")
    is_real = tensor.is_floating_point() or tensor.dtype == torch.bool
    return tensor.to(torch.float64).numpy() if is_real else tensor.numpy()
