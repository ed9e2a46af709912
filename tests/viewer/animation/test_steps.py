"""The steps of frames: half of them by the logarithm, the rest evenly."""

import numpy as np
import pytest

from gdlab.viewer.animation.steps import frame_steps


@pytest.mark.parametrize(
    ("last", "frames"), [(3, 10), (200, 120), (3000, 120), (10**6, 20), (5, 2)]
)
def test_steps_increase_from_the_first_to_the_last(last, frames):
    steps = frame_steps(last, frames)
    assert len(steps) == min(frames, last + 1)
    assert (steps[0], steps[-1]) == (0, last)
    assert (np.diff(steps) > 0).all()


def test_a_run_of_one_record_has_one_frame():
    assert frame_steps(0, 10).tolist() == [0]


def test_half_of_the_frames_are_spread_by_the_logarithm_and_half_evenly():
    steps = frame_steps(100_000, 200).astype(float)
    early, late = steps[50:100], steps[100:]
    ratios = early[1:] / early[:-1]
    np.testing.assert_allclose(ratios, np.median(ratios), rtol=0.01)  # rounding: observed 0.004
    np.testing.assert_allclose(np.diff(late), np.diff(late).mean(), atol=1.0)  # rounding
    speeds = early[-1] - early[-2], late[1] - late[0]
    assert speeds[1] / speeds[0] == pytest.approx(1.0, abs=0.1)  # observed: 1.05
