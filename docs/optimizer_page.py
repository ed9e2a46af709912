"""The page of all optimizers: what each file of conf and each docstring says, as Markdown.

`make docs` writes it: python docs/optimizer_page.py > docs/optimizers.md
"""

import inspect
import sys
from collections.abc import Iterator, Mapping

from gdlab.cli.catalogue import first_said
from gdlab.config.loading import resolve_choice
from gdlab.fields.declared import Configured, declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of
from gdlab.optimizers import Optimizer

_TITLE = """# Optimizers

All that `optimizer=` takes; `python -m gdlab --optimizers` prints the table. The column lr has the
learning rate where none is given. Each hyperparameter has the default and the range of its class;
a number may differ between the runs of a batch. `make docs` makes this page of `conf/optimizer`
and the docstrings.
"""


def page() -> str:
    """The page."""
    optimizers = {
        n: resolve_choice("optimizer", n) for n in choices_of("optimizer") if n != "custom"
    }
    presets: dict[type[Optimizer], list[str]] = {}
    for name, optimizer in optimizers.items():
        assert isinstance(optimizer, Optimizer)
        presets.setdefault(type(optimizer), []).append(name)
    families: dict[str, list[type[Optimizer]]] = {}
    for kind in sorted(presets, key=lambda kind: (kind.__module__, kind.__name__)):
        families.setdefault(kind.__module__, []).append(kind)
    lines = [_TITLE, *_table(optimizers), ""]
    for module, kinds in families.items():
        first = (sys.modules[module].__doc__ or "").partition("\n")[0]
        lines += [f"## {first.removesuffix('.')}", ""]
        for kind in kinds:
            lines += [*_section(kind, presets[kind]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(optimizers: Mapping[str, object]) -> Iterator[str]:
    """A line for each file."""
    yield from _row("name", "class", "lr", "what it does")
    for name, optimizer in optimizers.items():
        kind = type(optimizer)
        assert issubclass(kind, Optimizer)
        link = f"[{kind.__name__}](#{kind.__name__.lower()})"
        yield from _row(f"`{name}`", link, f"{kind.default_lr:g}", first_said("optimizer", name)[1])


def _section(kind: type[Optimizer], names: list[str]) -> Iterator[str]:
    """What a class says of itself, the files that choose it, and its hyperparameters."""
    prose, _, fields = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")
    yield from (f"### {kind.__name__}", "", prose.rstrip(), "")
    defaults = _values(kind())
    for name in names:
        values = _values(resolve_choice("optimizer", name))
        own = [f"{key}={value}" for key, value in values.items() if value != defaults[key]]
        yield f"- `optimizer={name}`" + (f": {', '.join(own)}" if own else "")
    if declared_fields(kind):
        yield ""
        yield from _row("hyperparameter", "default", "range", "meaning")
    meanings = dict(_entries(fields))
    for name, field in declared_fields(kind).items():
        yield from _row(f"`{name}`", defaults[name], field.allowed, meanings[name])


def _values(optimizer: Configured) -> dict[str, str]:
    """Hyperparameters as a person would type them, optimizers by their classes."""
    given = optimizer.settings().items()
    return {k: type(v).__name__ if isinstance(v, Configured) else format_value(v) for k, v in given}


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Names and meanings of the attributes in a docstring; a meaning may have several lines."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("     "):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    for line in lines:
        name, _, meaning = line.partition(": ")
        yield name, meaning


def _row(*cells: str) -> Iterator[str]:
    """A row of a table; one without code in its first cell is the head, with a rule below it."""
    yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    if not cells[0].startswith("`"):
        yield "| " + " | ".join("---" for _ in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
