"""The page of optimizers agrees with conf and the docstrings."""

import re
from pathlib import Path

import pytest
from optimizer_page import page

from gdlab.cli.catalogue import read_choice
from gdlab.config.loading import resolve_choice
from gdlab.fields.declared import declared_fields
from gdlab.fields.suggestions import choices_of
from gdlab.optimizers import Optimizer

PAGE = Path(__file__).parents[2] / "docs" / "optimizers.md"
NAMES = [name for name in choices_of("optimizer") if name != "custom"]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs"


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_has_a_row_and_its_class_a_section(name: str) -> None:
    text, optimizer = PAGE.read_text(encoding="utf-8"), resolve_choice("optimizer", name)
    assert isinstance(optimizer, Optimizer)
    kind = type(optimizer).__name__
    table = text.partition("\n##")[0]
    (line,) = re.findall(rf"^\| `{name}` \| (.*) \|$", table, re.MULTILINE)
    link, lr, what = line.split(" | ")
    assert link == f"[{kind}](#{kind.lower()})"
    assert float(lr) == optimizer.default_lr
    assert what == read_choice("optimizer", name)[1]
    section = text.partition(f"\n### {kind}\n")[2].partition("\n##")[0]
    assert f"- `optimizer={name}`" in section
    rows = re.findall(r"^\| `(\w+)` \| (\S.*) \| (\S.*) \| (\S.*) \|$", section, re.MULTILINE)
    assert [row[0] for row in rows] == list(declared_fields(type(optimizer)))


def test_ranges_and_defaults_are_readable() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for row in (
        "| `betas` | [0.9,0.999] | a list of 2 numbers ≥ 0 and < 1 | decay rates of",
        "| `eps1` | null | a number ≥ 0, or null | keeps denominators away from 0",
        "| `line_search` | wolfe | one of wolfe, armijo, exact | wolfe (strong Wolfe",
        "| `inner` | SGD | an Optimizer | the optimizer of the fast weights.",
        "| `max_value` | 1.0 | a number > 0 | upper bound of \\|∂f/∂xᵢ\\|.",
        "- `optimizer=nesterov`: momentum=0.9, nesterov=true",
    ):
        assert f"\n{row}" in text
