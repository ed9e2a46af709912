"""A report in Python: its text, its tables, its pictures, and what a notebook shows."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from matplotlib.figure import Figure

import gdlab
from gdlab.derivatives import report
from gdlab.derivatives.question import Question
from gdlab.errors import SettingError
from gdlab.losses import Expression


def test_a_gradient_that_is_rounding_gives_no_direction() -> None:
    text = report(Expression("sin(x)*cos(y)"), at=["pi/2", 0]).text
    assert "zero up to rounding" in text
    assert "plane         z = 1\n" in text
    assert "ascent" not in text.split("The gradient is")[0]


def test_outside_the_domain_the_function_is_named() -> None:
    with pytest.raises(SettingError, match="x=-1, where the logarithm is not defined"):
        report(Expression("log(x)*y"), at=[-1, 2])


def test_at_a_tie_there_is_no_number_by_the_formula() -> None:
    gradient: Any = report(Expression("max(x, y)**2"), at=[1, 1]).findings["gradient"]
    assert gradient.partials[0].row()[-2:] == ("none", "–")  # noqa: RUF001


def test_a_notebook_gets_the_text_and_nothing_is_printed(monkeypatch, capsys) -> None:
    asked = report("beale", at=[1, 2])
    text = asked.text
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert report("beale", at=[1, 2]).text == text == str(asked)
    assert text.startswith("Gradient\n  f ")
    assert capsys.readouterr() == ("", "")


def test_a_report_is_short_and_has_mathematics_in_a_notebook() -> None:
    asked = report(Expression("where(x < 0, x**2, x)"), at={"x": 1})
    assert repr(asked) == "Report(where(x < 0, x**2, x) at x = 1)"
    html = asked._repr_html_()
    assert r"$\displaystyle f = \begin{cases} x^{2} &amp; \text{for}\: x &lt; 0 \\x" in html
    assert "<h4>Critical point</h4>" in html
    ET.fromstring(html)  # every element is closed, and every sign is escaped
    assert repr(report("beale", formulas=["x*y"], at=[1, 2])) == "Report(formulas)"
    assert "displaystyle" not in report(Expression("a + b + c + d + x"))._repr_html_()


def test_tables() -> None:
    asked = report(Expression("w**3 - 3*w"), at=[2], find=True, check=True)
    points = asked.to_frame()
    assert list(points) == ["kind", "index", "w", "loss", "grad_norm", "λ1"]
    assert points[["kind", "w", "loss", "λ1"]].to_numpy().tolist() == [
        ["minimum", 1.0, -2.0, 6.0],
        ["maximum", -1.0, 2.0, -6.0],
    ]
    assert set(asked.to_frame("check")["verdict"]) == {"right"}
    assert asked.to_frame("gradient")[["coordinate", "symbolic"]].to_numpy().tolist() == [["w", 9]]


def test_pictures_have_the_title_the_size_and_the_format_asked_for(tmp_path) -> None:
    asked = report(Expression("x**2 + x"), at=[1], order=1)
    path = tmp_path / "curve.pdf"
    figure = asked.draw("curve", title="mine", size=(4, 3), path=path)
    assert isinstance(figure, Figure)
    assert figure.get_size_inches().tolist() == [4, 3]
    assert "mine" in [text.get_text() for text in figure.texts]
    assert path.read_bytes().startswith(b"%PDF")
    assert asked.draw().keys() == {"curve", "local", "differences"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"kind": "contur"}, "kind=contur: must be one of curve, local, differences"),
    ({"kind": "curve", "path": "x.gif"}, "path=x.gif: must end in one of .png, .svg, .pdf"),
]


@pytest.mark.parametrize(("wanted", "message"), REFUSED)
def test_refused_pictures(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(gdlab.SettingError) as error:
        report(Expression("x**2"), at=[1], order=1).draw(**wanted)
    assert str(error.value) == message


def test_formulas_have_neither_pictures_nor_tables() -> None:
    asked = report("beale", formulas=["x*y"], at=[1, 2])
    with pytest.raises(gdlab.SettingError, match="formulas have no pictures"):
        asked.draw()
    with pytest.raises(gdlab.SettingError, match="the report has no table"):
        asked.to_frame()
    with pytest.raises(gdlab.SettingError, match="must be one of gradient"):
        report("beale", at=[1, 2]).to_frame("hessian")


def test_formats() -> None:
    """A setting of files only: `report` writes none."""
    for given, formats in ((True, ("png", "svg")), (False, ()), ("pdf", ("pdf",))):
        assert Question(Expression(), figures=given).formats == formats
    assert Question(Expression(), figures="png, pdf").formats == ("png", "pdf")
    with pytest.raises(
        gdlab.SettingError, match=r"figures=gif: must be true, false, or some of png"
    ):
        Question(Expression(), figures="gif")
