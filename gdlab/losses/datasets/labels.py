"""Class labels: what targets must be for a classifier.

Shapes: N examples.
"""

import numpy as np

from gdlab.errors import SettingError
from gdlab.losses.datasets.tables import MAX_NUMBERS


def are_labels(targets: np.ndarray) -> bool:
    """Return whether targets (N,) are taken for classes: 0, 1, …, C − 1.

    If there are more than two and all differ, they are numbers.
    """
    different = np.unique(targets)
    count = len(different)
    is_counted = count > 1 and np.array_equal(different, np.arange(count))
    return bool(is_counted and (count == 2 or count < len(targets)))


def count_classes(labels: np.ndarray, data: object) -> int:
    """Return the number of classes C that labels (N,) distinguish.

    Args:
        labels: the targets of a data set.
        data: the data set, for errors.

    Raises:
        SettingError: they are not 0, 1, …, C − 1, each at least once, or there are too many.
    """
    different = np.unique(labels)
    count, n = len(different), len(labels)
    wrong = different[(different < 0) | (different >= count) | (different % 1 != 0)]
    if count < 2:
        what = f"the labels must be 0, 1, …, but all are {different[0]:g}"
        raise SettingError(f"data={data}: {what}")
    if len(wrong):
        must = f"the {count:,} different labels must be 0 to {count - 1}"
        way = "; number the classes 0, 1, … in this column"
        raise SettingError(f"data={data}: {must}, but one is {wrong[0]:g}{way}")
    if n * count > MAX_NUMBERS:
        what = f"{count:,} labels make more scores than fit into 1 GiB for {n:,} examples"
        raise SettingError(f"data={data}: {what}")
    return count
