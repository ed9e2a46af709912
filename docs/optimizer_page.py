"""Generate the page of all optimizers from conf/optimizer and the docstrings, as Markdown.

`make docs` runs python docs/optimizer_page.py > docs/optimizers.md
"""

import inspect
import sys
from collections.abc import Iterator, Mapping

from gdlab.cli.catalogue import read_choice
from gdlab.config.loading import resolve_choice
from gdlab.fields.declared import Configured, declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of
from gdlab.optimizers import Optimizer

_TITLE = """# Optimizers

All choices of `optimizer=`; `python -m gdlab --optimizers` prints the table. The column lr is the
default learning rate. Defaults and ranges of hyperparameters are those of the class; numbers may
differ between the runs of a batch. `make docs` generates this page from `conf/optimizer` and the
docstrings.

Norms and products of gradients are computed for gradients of any finite size. Optimizers that keep
a mean or a sum of squares per coordinate (AdaBelief, Adadelta, Adafactor, Adagrad, Adam, Adan,
NAdam, RAdam, RMSprop) square each coordinate, as torch does. In float64 a square is infinite for
slopes above 1e154, after which that coordinate rests, and 0 below 1e-162; in float32 above 1e19 and
below 1e-23. There, multiply the loss by a constant. With eps=0, a coordinate that has had no slope
rests too, where torch divides 0 by 0.
"""


def page() -> str:
    """Return the page."""
    optimizers = {
        n: resolve_choice("optimizer", n) for n in choices_of("optimizer") if n != "custom"
    }
    presets: dict[type[Optimizer], list[str]] = {}
    for name, optimizer in optimizers.items():
        assert isinstance(optimizer, Optimizer)
        presets.setdefault(type(optimizer), []).append(name)
    families: dict[str, list[type[Optimizer]]] = {}
    for kind in sorted(presets, key=lambda kind: (module_of(kind), kind.__name__)):
        families.setdefault(module_of(kind), []).append(kind)
    lines = [_TITLE, *_table(optimizers), ""]
    for module, kinds in families.items():
        first = (sys.modules[module].__doc__ or "").partition("\n")[0]
        lines += [f"## {first.removesuffix('.')}", ""]
        for kind in kinds:
            lines += [*_section(kind, presets[kind]), ""]
    return "\n".join(lines).rstrip() + "\n"


def describe_fields(kind: type[Configured]) -> dict[str, str]:
    """Return the meaning of each attribute, from the docstrings of a class and of its bases."""
    meanings: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        fields = inspect.cleandoc(base.__doc__ or "").partition("\nAttributes:\n")[2]
        meanings |= dict(_parse_attributes(fields))
    return meanings


def module_of(kind: type[Configured]) -> str:
    """Return the module that defines a class; `__module__` is its public path."""
    return next(value.__module__ for value in vars(kind).values() if inspect.isfunction(value))


def _table(optimizers: Mapping[str, object]) -> Iterator[str]:
    """Yield a row for each file."""
    yield from row("name", "class", "lr", "what it does")
    for name, optimizer in optimizers.items():
        kind = type(optimizer)
        assert issubclass(kind, Optimizer)
        link = f"[{kind.__name__}](#{kind.__name__.lower()})"
        yield from row(f"`{name}`", link, f"{kind.default_lr:g}", read_choice("optimizer", name)[1])


def _section(kind: type[Optimizer], names: list[str]) -> Iterator[str]:
    """Yield a class's docstring, the files that choose it, and its hyperparameters."""
    prose = inspect.cleandoc(kind.__doc__ or "").partition("\nAttributes:\n")[0]
    yield from (f"### {kind.__name__}", "", prose.rstrip(), "")
    defaults = values_of(kind())
    for name in names:
        values = values_of(resolve_choice("optimizer", name))
        own = [f"{key}={value}" for key, value in values.items() if value != defaults[key]]
        yield f"- `optimizer={name}`" + (f": {', '.join(own)}" if own else "")
    if declared_fields(kind):
        yield ""
        yield from row("hyperparameter", "default", "range", "meaning")
    meanings = describe_fields(kind)
    for name, field in declared_fields(kind).items():
        yield from row(f"`{name}`", defaults[name], field.allowed, meanings[name])


def values_of(instance: Configured) -> dict[str, str]:
    """Return hyperparameters as on the command line, inner optimizers by their classes."""
    items = instance.settings().items()
    return {k: type(v).__name__ if isinstance(v, Configured) else format_value(v) for k, v in items}


def _parse_attributes(text: str) -> Iterator[tuple[str, str]]:
    """Yield names and meanings of the attributes in a docstring; a meaning may span lines."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("     "):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    for line in lines:
        name, _, meaning = line.partition(": ")
        yield name, meaning


def plain(text: str) -> str:
    """Return a comment as Markdown that shows its stars, as in 3*x*y."""
    return text.replace("*", "\\*")


def row(*cells: str) -> Iterator[str]:
    """Yield a table row; one without code in its first cell is the header, with a rule below."""
    yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    if not cells[0].startswith("`"):
        yield "| " + " | ".join("---" for _ in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
