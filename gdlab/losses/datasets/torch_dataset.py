"""Examples out of a data set of a person's own, a `torch.utils.data.Dataset`.

Shapes: N examples.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from gdlab.errors import SettingError
from gdlab.fields.custom_classes import instantiate, summarize_error
from gdlab.losses.datasets.tables import Examples

_MOST_EXAMPLES = 10_000_000


def own_examples(data: Mapping[str, Any] | Dataset[Any], seed: int) -> Examples:
    """The examples of a data set that is given, or named by `_target_`.

    Args:
        data: the data set, or its class's name with what the class is called with.
        seed: of torch's generator while the class is called.

    Raises:
        SettingError: it cannot be made, or its examples cannot be used.
    """
    if isinstance(data, Mapping):
        name = f"data._target_={data.get('_target_')}"
        data = instantiate("data", data, Dataset, "torch.utils.data.Dataset", seed)
    else:
        name = f"data={type(data).__name__}"
    try:
        features, targets = _stacked(data)
    except Exception as error:  # a person's own class may raise anything
        what = f"must give pairs of features and target ({summarize_error(error)})"
        raise SettingError(f"{name}: {what}") from error
    if len(features) == 0 or len(features) != len(targets):
        counts = f"{len(features)} features and {len(targets)} targets"
        raise SettingError(f"{name}: must give as many features as targets, and gave {counts}")
    if not (np.isfinite(features).all() and np.isfinite(targets).all()):
        raise SettingError(f"{name}: a feature or a target is not a finite number")
    return Examples(features, targets, ())


def _stacked(data: Dataset[Any]) -> tuple[np.ndarray, np.ndarray]:
    """All features (N, ...), with an axis at least, and all targets (N,) or (N, C)."""
    if isinstance(data, TensorDataset):
        features, targets = map(_array, data.tensors)
    else:
        count: int = len(data)  # type: ignore[arg-type]  # one without a length raises
        if count > _MOST_EXAMPLES:
            raise ValueError(f"{count:,} of them; at most {_MOST_EXAMPLES:,} are allowed")
        pairs = [data[place] for place in range(count)]
        features, targets = (np.stack(list(map(_array, part))) for part in zip(*pairs, strict=True))
    features = features[:, None] if features.ndim == 1 else features
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim > 2:
        raise ValueError(f"targets of shape {targets.shape[1:]}")
    return features, targets.astype(np.float64)


def _array(values: Any) -> np.ndarray:
    """Numbers as an array: float64, or the whole numbers that they are."""
    tensor = values.detach().cpu() if isinstance(values, Tensor) else torch.as_tensor(values)
    if tensor.is_complex():
        raise TypeError(f"{tensor.dtype}, and they must be real numbers")
    is_real = tensor.is_floating_point() or tensor.dtype == torch.bool
    return tensor.to(torch.float64).numpy() if is_real else tensor.numpy()
