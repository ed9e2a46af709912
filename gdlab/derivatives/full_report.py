"""The report: all findings on a loss at a point, as text and as JSON."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from torch import Tensor

from gdlab.config.loading import resolve_choice
from gdlab.config.settings import make_section
from gdlab.console import PlainConsole, styled
from gdlab.derivatives.arguments import as_point, format_assignments
from gdlab.derivatives.finding import Finding, Section, to_json_value
from gdlab.derivatives.findings.backpropagation import backpropagation
from gdlab.derivatives.findings.chain_rule import along_path, composition
from gdlab.derivatives.findings.check import Check, check_gradient
from gdlab.derivatives.findings.critical_points import critical
from gdlab.derivatives.findings.cross_sections import cross_sections
from gdlab.derivatives.findings.directional import directional
from gdlab.derivatives.findings.gauss_newton import residuals
from gdlab.derivatives.findings.gradient import first_order
from gdlab.derivatives.findings.hessian import second_order
from gdlab.derivatives.findings.high_dimensional import high_dimensional
from gdlab.derivatives.findings.higher_orders import check_order, higher
from gdlab.derivatives.findings.jacobian import jacobian
from gdlab.derivatives.findings.search import find
from gdlab.derivatives.findings.taylor import differential, taylor
from gdlab.derivatives.frames import to_frame
from gdlab.derivatives.notebook import html
from gdlab.derivatives.point import MOST_DIMENSIONS, LossAtPoint
from gdlab.derivatives.question import Question
from gdlab.derivatives.wording import shorten
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import unknown_setting
from gdlab.fields.validation import plain_point
from gdlab.losses.base import Loss
from gdlab.losses.function import Function
from gdlab.recording.figures import Look

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 120
"""Minimum width of tables, so that none is cut where the output is not a terminal."""


@dataclass(frozen=True, repr=False)
class Report:
    """A report on derivatives; a notebook shows it with its formulas, `print` as text.

    >>> asked = report("forrester", at=[0.5], find=True)
    >>> asked
    Report(forrester at x0 = 0.5)
    >>> asked.to_frame()["kind"].tolist()
    ['minimum', 'minimum', 'degenerate', 'maximum']
    >>> figure = asked.draw("curve", title="two minima")

    Attributes:
        question: the settings.
        findings: the findings by topic.
        loss_at_point: the loss at its point; None for a report on formulas.
    """

    question: Question
    findings: Mapping[str, Finding]
    loss_at_point: LossAtPoint | None

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        checks = (each for each in self.findings.values() if isinstance(each, Check))
        return all(check.passed for check in checks)

    def data(self, **more: Any) -> dict[str, Any]:
        """Return the name of the loss, the findings and further named values as plain values."""
        return to_json_value({"of": self.question.name, **self.findings, **more})

    def json(self, **more: Any) -> str:
        """Return what `data` returns as JSON."""
        return json.dumps(self.data(**more), ensure_ascii=False, allow_nan=False)

    @property
    def text(self) -> str:
        """The findings as printed."""
        page = StringIO()
        # In a notebook, rich would display the text instead of writing it to the file.
        self.show(PlainConsole(file=page, width=WIDTH, force_jupyter=False))
        return page.getvalue()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        at = self.loss_at_point
        where = "" if at is None else f" at {format_assignments(at.names, at.x)}"
        return f"Report({shorten(self.question.title)}{where})"

    def _repr_html_(self) -> str:
        symbolic = None if self.loss_at_point is None else self.loss_at_point.symbolic
        return html([finding.section() for finding in self.findings.values()], symbolic)

    def to_frame(self, finding: str | None = None) -> "pd.DataFrame":
        """Return a finding as a table: a row for each critical point, trial or coordinate.

        Args:
            finding: `critical_points`, `check` or `gradient`; None for the first that there is.

        Raises:
            SettingError: there is no such finding.
        """
        names = () if self.loss_at_point is None else self.loss_at_point.names
        return to_frame(self.findings, names, finding)

    def draw(
        self,
        kind: str | None = None,
        *,
        title: str | None = None,
        size: tuple[float, float] | None = None,
        path: "str | Path | None" = None,
    ) -> Any:
        """Draw the pictures of the report.

        Args:
            kind: the name of one picture, such as `contour`; None for all.
            title: the first line; None for the loss and the point.
            size: width and height in inches, 100 pixels each in a PNG; None for the usual ones.
            path: the file of one picture, with the suffix png, svg or pdf; for all pictures, a
                folder, in which each becomes NAME.png. None to write nothing.

        Returns:
            A matplotlib Figure; without `kind`, a dict of them by name.

        Raises:
            SettingError: there is no such picture, or no such format.
            OSError: a file cannot be written.
        """
        from gdlab.derivatives.plots.report import draw_figure, draw_figures

        if self.loss_at_point is None:
            raise SettingError(f"kind={format_value(kind)}: formulas have no pictures")
        if kind is None:
            return draw_figures(self, Look(title, size), path)
        return draw_figure(self, kind, Look(title, size, path))

    def show(self, console: Console) -> None:
        """Print the findings, each as a section."""
        for finding in self.findings.values():
            _print_section(console, finding.section())


def answer(question: Question) -> Report:
    """Compute all findings that a question asks for.

    Raises:
        SettingError: a setting does not fit the loss.
    """
    loss = question.objective
    if question.formulas is not None:
        finding = jacobian(question.formulas, question.required_point("formulas"))
        return Report(question, {"jacobian": finding}, None)
    if question.path is not None:
        along = along_path(loss, question.path, question.t)
        return _with_gradient(question, "path", along, along.point)
    if question.inner is not None:
        composed = composition(loss, question.inner, question.required_point("inner"))
        return _with_gradient(question, "composition", composed, composed.point)
    at = LossAtPoint(loss, question.point)
    return Report(question, dict(_compute_findings(question, at)), at)


def report(loss: "str | Loss | Callable[[Tensor], Tensor]", **settings: Any) -> Report:
    """Compute the report that `python -m gdlab.derivatives` prints.

    >>> findings = report("himmelblau", at=[3, 2]).findings
    >>> findings["critical"].kind
    'minimum'

    Args:
        loss: a name from conf, an instance, or a function of one point.
        settings: those of `conf/derivatives.yaml` except `draw` and `figures`: no files are
            written, and `Report.draw` returns the pictures.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range, or does not fit.
    """
    of_files = {"choices", "draw", "figures"}
    unknown = set(settings) - set(declared_fields(Question)) | (of_files & set(settings))
    if unknown:
        name = sorted(unknown)[0]
        raise unknown_setting(
            name, format_value(settings[name]), set(declared_fields(Question)) - of_files
        )
    if "transform" in settings:
        settings["transform"] = make_section("transform", settings["transform"])
    given: Any = resolve_choice("loss", loss)
    if isinstance(given, Function):
        if settings.get("at") is None:
            raise SettingError("at=None: a function needs a point")
        settings["at"] = plain_point("at", settings["at"])
        if isinstance(settings["at"], tuple):
            given = given.replace(start=settings["at"])
    choices = {"loss": loss} if isinstance(loss, str) else {}
    return answer(Question(loss=given, draw=False, choices=choices, **settings))


def _with_gradient(question: Question, name: str, finding: Finding, point: Any) -> Report:
    """Report a finding on a composition, and the gradient of the outer function at its point."""
    at = LossAtPoint(question.objective, point)
    return Report(question, {name: finding, "gradient": first_order(at)}, at)


def _compute_findings(question: Question, at: LossAtPoint) -> Iterator[tuple[str, Finding]]:
    """Compute the findings on a loss at a point, the simplest first."""
    _check_size(question, len(at.x))
    loss, direction, window = at.loss, question.unit_direction(), question.window_tensor()
    step = None if question.step is None else as_point(question.step, loss.names, "step")
    yield from (
        _high_dimensional_findings(at)
        if question.is_high_dimensional
        else _low_dimensional_findings(at, direction, question)
    )
    if direction is not None:
        yield "directional", directional(at, direction)
    if step is not None:
        yield "differential", differential(at, step, curved=question.order > 1)
    for order in range(3, question.order + 1):
        yield f"order_{order}", higher(at, order)
    passes = backpropagation(at, question.example)
    if passes is not None:
        yield "backpropagation", passes
    if question.find:
        yield "critical_points", find(loss, window, question.tol, question.seed)
    if question.check:
        yield "check", check_gradient(loss, seed=question.seed)


def _check_size(question: Question, dim: int) -> None:
    """Check that a question can be answered in D dimensions, before anything is computed.

    Raises:
        SettingError: the answer would be too large.
    """
    if not question.is_high_dimensional and dim > MOST_DIMENSIONS:
        what = f"is for at most {MOST_DIMENSIONS:,} dimensions, and this loss has {dim:,}"
        raise SettingError(f"high_dimensional=false: {what}")
    for order in range(3, question.order + 1):
        check_order(order, dim)


def _high_dimensional_findings(at: LossAtPoint) -> Iterator[tuple[str, Finding]]:
    """Compute the findings on a loss of many dimensions, without its Hessian."""
    yield "high_dimensional", high_dimensional(at)


def _low_dimensional_findings(
    at: LossAtPoint, direction: Tensor | None, question: Question
) -> Iterator[tuple[str, Finding]]:
    """Compute the findings on a loss of few dimensions."""
    with_hessian = question.order > 1
    yield "gradient", first_order(at)
    if with_hessian:
        yield "hessian", second_order(at)
        yield "critical", critical(at, question.tol)
        yield "tangent", taylor(at, direction)
    yield "cross_sections", cross_sections(at, curved=with_hessian)
    least_squares = residuals(at) if with_hessian else None
    if least_squares is not None:
        yield "residuals", least_squares


def _print_section(console: Console, section: Section) -> None:
    """Print a section: its title, lines, table, legend and notes."""
    console.print(styled((section.title, "bold")))
    width = max((len(name) for name, _ in section.lines), default=0)
    for name, value in section.lines:
        console.print(styled((f"  {name:<{width}}  ", "dim"), value))
    if section.table is not None:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for k, name in enumerate(("", *section.table.header)):
            table.add_column(name, justify="left" if k < 2 else "right", no_wrap=True)
        table.show_header = any(section.table.header)
        for row in section.table.rows:
            table.add_row("", *map(styled, row))
        console.print(table)
    if section.legend:
        console.print(styled((f"  {section.legend}", "dim")))
    for note in section.notes:
        console.print(styled((f"  {note}", "yellow")))
    console.print()
