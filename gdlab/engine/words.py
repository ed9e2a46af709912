"""Texts of many runs.

Shapes: R runs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Words(NamedTuple):
    """A text for each run, of which many are the same.

    Attributes:
        texts: those that occur; None for no text.
        codes: the place among them of each run's (R,).
    """

    texts: Sequence[str | None]
    codes: np.ndarray
