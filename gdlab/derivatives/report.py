"""All findings that answer a question, for people and for programs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gdlab.derivatives.check import check_gradient
from gdlab.derivatives.critical import critical, find
from gdlab.derivatives.cross import cross_sections
from gdlab.derivatives.directional import directional
from gdlab.derivatives.finding import Finding, Section, plain
from gdlab.derivatives.first import first_order
from gdlab.derivatives.higher import MOST, higher
from gdlab.derivatives.place import Place
from gdlab.derivatives.points import point
from gdlab.derivatives.question import Question
from gdlab.derivatives.second import second_order
from gdlab.derivatives.symbolic import multi_indices
from gdlab.derivatives.taylor import differential, taylor
from gdlab.errors import SettingError


@dataclass(frozen=True)
class Report:
    """The answer to a question.

    Attributes:
        question: what was asked.
        findings: by what they are about.
    """

    question: Question
    findings: Mapping[str, Finding]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        check = self.findings.get("check")
        return check is None or bool(getattr(check, "passed", True))

    def data(self) -> dict[str, Any]:
        """The findings as plain values, as JSON has them."""
        return {"loss": self.question.name, **{k: plain(v) for k, v in self.findings.items()}}

    def json(self) -> str:
        """The findings as JSON."""
        return json.dumps(self.data(), ensure_ascii=False, allow_nan=False)

    def show(self, console: Console) -> None:
        """Print the findings, a section each."""
        for finding in self.findings.values():
            show_section(console, finding.section())


def answer(question: Question) -> Report:
    """Find out all that a question asks for.

    Raises:
        SettingError: a setting does not fit the loss.
    """
    return Report(question, dict(_findings(question)))


def _findings(question: Question) -> Iterator[tuple[str, Finding]]:
    loss, sides = question.objective, question.sides()
    place = Place(loss, question.at if question.at is not None else question.point)
    direction = question.unit_direction()
    step = None if question.step is None else point(question.step, loss.names, "step")
    yield "gradient", first_order(place)
    if direction is not None:
        yield "directional", directional(place, direction)
    if question.order > 1:
        yield "hessian", second_order(place)
        yield "critical", critical(place, question.tol)
        yield "taylor", taylor(place, direction)
    if step is not None:
        yield "differential", differential(place, step)
    for order in range(3, question.order + 1):
        yield f"order_{order}", _higher(place, order)
    yield "cross_sections", cross_sections(place, curved=question.order > 1)
    if question.find:
        yield "found", find(loss, sides, question.tol, question.seed)
    if question.check:
        yield "check", check_gradient(loss, seed=question.seed)


def _higher(place: Place, order: int) -> Finding:
    count = len(multi_indices(len(place.x), order))
    if count > MOST:
        what = f"has {count:,} partial derivatives in {len(place.x)} dimensions; at most {MOST}"
        raise SettingError(f"order={order}: {what}")
    return higher(place, order)


def show_section(console: Console, section: Section) -> None:
    """Print a section: its title, its lines, its table and its notes."""
    console.print(Text(section.title, "bold"))
    width = max((len(name) for name, _ in section.lines), default=0)
    for name, value in section.lines:
        console.print(Text.assemble((f"  {name:<{width}}  ", "dim"), value))
    if section.table is not None:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for k, name in enumerate(("", *section.table.header)):
            table.add_column(name, justify="left" if k < 2 else "right", no_wrap=True)
        for row in section.table.rows:
            table.add_row("", *(Text(cell) for cell in row))
        console.print(table)
    for note in section.notes:
        console.print(Text(f"  {note}", "yellow"))
    console.print()
