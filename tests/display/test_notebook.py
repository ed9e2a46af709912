"""A run shown in a notebook."""

import base64
import io
import re
from html import unescape

import numpy as np
import pytest
from matplotlib.image import imread
from torch import Tensor

import gdlab


def test_the_repr_of_a_run_is_its_ending() -> None:
    run = gdlab.run(loss="quadratic", lr=0.1)
    assert repr(run) == "Run(quadratic, sgd, lr=0.1: converged at step 175, loss 4.8289e-17)"


@pytest.mark.parametrize("lr", [1e-3, 1e-2], ids=["going on", "diverged"])
def test_a_notebook_shows_summary_and_picture(lr: float) -> None:
    run = gdlab.run(loss="rosenbrock", lr=lr, steps=50)
    html = run._repr_html_()
    assert f"<b>{run.outcome.status}</b>: {run.outcome.reason}" in html
    for line in ("steps", "loss", "gradient norm", "point", "distance"):
        assert f">{line}</th>" in html
    assert f"{run.outcome.steps} of 50" in html
    assert f"{run.outcome.final_loss:.8g}" in html
    match = re.search(r"src='data:image/png;base64,([^']+)'", html)
    assert match
    picture = imread(io.BytesIO(base64.b64decode(match[1], validate=True)))
    height, width, _ = picture.shape
    assert min(height, width) >= 200
    assert np.ptp(picture[..., :3]) > 0.5


def test_a_notebook_escapes_what_a_loss_says() -> None:
    calls = iter(range(1000))

    def value(x: Tensor) -> Tensor:
        if next(calls) > 40:
            raise RuntimeError("<script>alert(1)</script>")
        return x.sum()

    html = gdlab.run(value, lr=1.0, start=[0.0])._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


class Named(gdlab.losses.Quadratic):
    """A bowl whose coordinates have names that others would interpret."""

    @property
    def names(self) -> tuple[str, ...]:
        return (r"$\href{javascript:alert(1)}{x}$", "\\(\x1b<img src=x>[b]")


def test_a_notebook_shows_names_as_they_are() -> None:
    html = gdlab.run(Named(), lr=0.1, steps=3)._repr_html_()
    cell = html[html.index(">point</th>") : html.index(">distance</th>")]
    # No piece of text between two tags holds a delimiter of MathJax.
    pieces = [piece for piece in re.split(r"<[^>]*>", cell) if piece not in ("$", "\\")]
    assert not any("$" in piece or "\\" in piece for piece in pieces)
    shown = unescape(re.sub(r"<[^>]*>", "", cell))
    assert r"$\href{javascript:alert(1)}{x}$=0.729, \(\x1b<img src=x>[b]=-0.125" in shown
    assert "\x1b" not in html
    assert "<img alt='trajectory'" in html
