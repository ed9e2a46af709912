"""Names that come from files and people: each picture draws them as they are."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from gdlab.plots.basins import draw_basins
from gdlab.plots.colors import Palette
from gdlab.plots.convergence import Curve, draw_convergence
from gdlab.plots.paths import Path
from gdlab.plots.sensitivity import Band, draw_sensitivity
from gdlab.plots.stability import SharpnessPath, draw_stability
from gdlab.plots.trajectories import draw_overview
from gdlab.plots.trajectory import trajectory_png
from plots.landscapes import bowl, pixels, png_of

NAMES = [r"$\frac{x_1", "身高 😀", "_private", "\x1b[31m<b>[/b]%s{x}"]
"""Invalid TeX, glyphs that the font lacks, what a legend would hide, control characters."""

STEPS, LINE = np.arange(8), np.linspace(1, 0.1, 8)
PATH = np.stack([LINE, LINE], axis=1)


def trajectory(*names: str) -> bytes:
    return trajectory_png(replace(bowl([1, 3]), names=names[:2], title=names[2]), STEPS, PATH)


def curve(*names: str) -> bytes:
    scene = replace(bowl([1]), names=names[:1], title=names[2])
    return trajectory_png(scene, STEPS, PATH[:, :1])


def overview(*names: str) -> bytes:
    scene = replace(bowl([1, 3]), names=names[:2], title=names[2])
    palette = Palette.of(names[3], [names[2], ""])
    return png_of(draw_overview)(scene, [Path(PATH, names[2]), Path(PATH / 2, "")], palette)


def basins(*names: str) -> bytes:
    axis, labels = np.arange(3.0), np.zeros((3, 3), dtype=int)
    return png_of(draw_basins)(
        axis, axis, labels, (names[0], names[1]), np.zeros((1, 2)), title=names[2]
    )


def convergence(*names: str) -> bytes:
    return png_of(draw_convergence)(Curve(STEPS, LINE), 2 * LINE, title=names[2], rate=0.9)


def sensitivity(*names: str) -> bytes:
    band = Band(LINE[::-1], LINE, LINE / 2, 2 * LINE)
    series, lines = {names[0]: band, names[2]: band}, {names[3]: 0.5}
    look = {"labels": (names[1], names[3]), "lines": lines, "title": names[2]}
    return png_of(draw_sensitivity)(series, Palette.of(names[1], series), **look)


def stability(*names: str) -> bytes:
    path = SharpnessPath(STEPS, LINE, LINE, LINE)
    return png_of(draw_stability)({names[2]: path, names[1]: path}, title=names[0])


PICTURES: Mapping[str, Callable[..., bytes]] = {
    f.__name__: f
    for f in (trajectory, curve, overview, basins, convergence, sensitivity, stability)
}


@pytest.mark.parametrize("picture", PICTURES)
def test_names_are_drawn_as_they_are(picture):
    # pytest makes warnings errors.
    assert np.ptp(pixels(PICTURES[picture](*NAMES))) > 0.5
