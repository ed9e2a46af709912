"""The pictures of a run whose numbers are near an end of the range of floats."""

from typing import Any

import pytest

from gdlab.config.loading import settings_from_flat
from gdlab.engine.history import History
from gdlab.recording.run_plots import RunToDraw, draw_pictures
from gdlab.recording.thinned_path import thinned_path
from gdlab.runs.checks import check_run
from gdlab.runs.run import execute
from gdlab.runs.sinks import MemorySink

# settings of a run, and the picture that overflowed or divided by zero
EXTREME: list[tuple[dict[str, Any], str]] = [
    ({"dtype": "float32"}, "convergence"),
    # 2/lr is above the largest float32
    ({"dtype": "float32", "lr": 1e-38}, "stability"),
    # the last loss is 3.6e306: the margin of the axis overflowed
    ({"lr": 3.0}, "stability"),
    # a path of 1e-25 in a window of 4
    ({"start": (1e-25, 1e-30), "stop.grad_tol": 0}, "trajectory"),
]


@pytest.mark.parametrize(("flat", "name"), EXTREME)
def test_a_picture_near_the_ends_of_the_floats_draws_without_a_warning(
    flat: dict[str, Any], name: str
) -> None:
    settings = settings_from_flat({"steps": 300, "record.sharpness_every": 30, **flat})
    memory = MemorySink()
    execute(settings, check_run(settings), [memory], lambda: False)
    path = thinned_path(settings, History.join(memory.pieces))
    assert path is not None
    # Warnings are errors in the tests, and an error is a problem.
    pictures, problems = draw_pictures(RunToDraw(settings, path, max_frames=1), [name])
    assert (list(pictures), problems) == ([name], [])
