"""Which steps the frames of a moving picture show.

Shapes: F frames.
"""

import numpy as np

_ITERATIONS = 60


def frame_steps(last: int, frames: int) -> np.ndarray:
    """Return increasing steps from 0 to the last: one by one, then by a factor, then evenly.

    The first half of the frames is spread by the logarithm of the step, the second half evenly.
    Where they meet, m, both move at the same speed: m (1 + ln m) = last. Early frames that would
    show the same step show the next one instead.

    Args:
        last: the last step, T.
        frames: the most frames, F ≥ 2.

    Returns:
        At most F steps (F,); every step where there are no more.
    """
    if last < frames:
        return np.arange(last + 1)
    meeting = _meeting(last)
    along = np.linspace(0.0, 2.0, frames)
    steps = np.where(
        along < 1.0, meeting ** np.minimum(along, 1.0), meeting + (along - 1.0) * (last - meeting)
    )
    steps = np.round(steps).astype(np.int64)
    steps[0] = 0
    # No frame earlier than its number, and none so late that the last ones would share a step.
    number = np.arange(frames)
    steps = np.maximum.accumulate(steps - number) + number
    return np.minimum(steps, last - number[::-1])


def _meeting(last: int) -> float:
    """Solve m (1 + ln m) = last for m ≥ 1, by bisection."""
    low, high = 1.0, float(last)
    for _ in range(_ITERATIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if middle * (1 + np.log(middle)) > last else (middle, high)
    return low
