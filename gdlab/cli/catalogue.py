"""The tables of `--losses` and `--optimizers`: all choices.

Each row combines a file, of conf or of the folder of `--config-dir`, with its class.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from omegaconf import OmegaConf
from rich.table import Table

from gdlab.cli import hydra_internals, output
from gdlab.cli.choices import choices_in
from gdlab.cli.composition import compose_config, hydra_ready
from gdlab.config.comments import first_comment
from gdlab.config.loading import choice_from_values, plain_values, resolve_choice
from gdlab.config.settings import LR, SPACE
from gdlab.console import PlainConsole, styled
from gdlab.derivatives.finding import to_json_value
from gdlab.errors import CUSTOM_ERRORS, SettingError, first_line
from gdlab.fields.declared import Configured, declared_fields, flatten
from gdlab.fields.formatting import format_value
from gdlab.fields.unknown_choices import unknown_choice
from gdlab.losses import Loss
from gdlab.optimizers import Optimizer
from gdlab.paths import CONF, user_path

_WIDTH = 100
_COORDINATES_SHOWN = 2
_MOST_SYMBOLS, _LONGEST_FORMULA = 4, 60
_NOTHING = "-"

# Columns with their maximum widths; names and classes stay whole, the comment takes the rest.
_LOSSES = {"name": None, "dims": 6, "start": 15, "minimum": 10, "what makes it hard": None}
_OPTIMIZERS = {
    "name": None,
    "class": None,
    "lr": 3,
    "hyperparameters": 32,
    "what it does": None,
}


class Choice(NamedTuple):
    """One row of a table.

    Attributes:
        name: what is typed to choose it.
        values: its settings.
        comment: in its file.
        make: makes the loss or the optimizer; raises a SettingError where it needs more settings.
    """

    name: str
    values: dict[str, Any]
    comment: str
    make: Callable[[], Configured]


def show(groups: Sequence[str], config_dir: str | None = None, names: Sequence[str] = ()) -> None:
    """Print the tables of some groups, each "loss" or "optimizer".

    Args:
        groups: to choose from.
        config_dir: the folder of `--config-dir`, whose choices are listed too.
        names: of the choices to show, each with its description and all its settings; none for
            the table of all.

    Raises:
        SettingError: there is no such folder or no such choice.
    """
    folder = CONF if config_dir is None else user_path(config_dir)
    with hydra_ready(config_dir):
        chosen = {group: _select(group, list(_choices(group, folder)), names) for group in groups}
    if output.wants_json():
        output.print_json(lambda: _describe_all(chosen))
        return
    console = PlainConsole(soft_wrap=False)
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    for group, choices in chosen.items():
        if names:
            for choice in choices:
                _show_one(console, group, choice)
        else:
            rows = map(_loss_row if group == "loss" else _optimizer_row, choices)
            console.print(_make_table(_LOSSES if group == "loss" else _OPTIMIZERS, rows))


def _select(group: str, choices: list[Choice], names: Sequence[str]) -> list[Choice]:
    """Return the choices with some names, or all if there are no names.

    Raises:
        SettingError: there is no such choice.
    """
    known = {choice.name: choice for choice in choices}
    for name in names:
        if name not in known:
            raise unknown_choice(group, name, known)
    return [known[name] for name in names] or choices


def _describe_all(chosen: Mapping[str, Sequence[Choice]]) -> dict[str, Any]:
    """Return choices by their groups as plain values, for programs."""
    return {group: list(map(_describe, choices)) for group, choices in chosen.items()}


def _describe(choice: Choice) -> dict[str, Any]:
    """Return what is known of a choice as plain values; one that needs more settings says so."""
    about: dict[str, Any] = {"name": choice.name, "comment": choice.comment}
    try:
        made = choice.make()
        about |= {"description": _description(made), "settings": flatten(made)}
        if isinstance(made, Loss):
            about |= {"dim": made.dim, "start": made.start, "minimum": made.minimum}
    except CUSTOM_ERRORS as error:  # as in the tables
        about["needs"] = first_line(error)
    return to_json_value(about)


def _description(made: Configured) -> str:
    """Return what a class says of itself, without its attributes."""
    return (inspect.getdoc(type(made)) or "").partition("\nAttributes:")[0].strip()


def _show_one(console: PlainConsole, group: str, choice: Choice) -> None:
    """Print a choice: its comment, what its class says of itself, and its settings."""
    console.print(styled((f"{group}={choice.name}", "bold"), f"  {choice.comment}"))
    try:
        made = choice.make()
    except CUSTOM_ERRORS as error:  # it needs settings from the user, or its own code fails
        console.print(f"  {first_line(error)}")
        return
    for line in _description(made).splitlines():
        console.print(f"  {line}".rstrip())
    lines = [(f"{group}.{name}", format_value(v)) for name, v in flatten(made).items()]
    if isinstance(made, Loss):
        lines += [("start", _format_start(made)), ("minimum", _format_minimum(made))]
        formula = _formula(made)
        lines += [("formula", formula)] if formula else []
        lines += [("picture", f"python -m gdlab.derivatives loss={choice.name}")]
    for name, value in lines:
        console.print(styled((f"  {name:<36} ", "dim"), value))


def _formula(loss: Loss) -> str:
    """Return a loss as a formula of its coordinates; empty if there is none that fits in a line."""
    if loss.dim > _MOST_SYMBOLS:
        return ""
    import sympy

    from gdlab.formulas.printing import Typed

    formula = loss.symbolic(tuple(sympy.Symbol(name, real=True) for name in loss.names))
    text = "" if formula is None else Typed().doprint(sympy.nsimplify(formula))
    return text if len(text) <= _LONGEST_FORMULA else ""


def _choices(group: str, folder: Path) -> Iterator[Choice]:
    """Yield the choices of a group; a file of conf comes before one of its name in the folder."""
    for name in choices_in(group, hydra_internals.config_loader()):
        if (CONF / group / f"{name}.yaml").is_file():
            yield Choice(name, *read_choice(group, name), partial(resolve_choice, group, name))
            continue
        try:
            node = compose_config([f"{group}={name}"]).get(group)
            values = plain_values(node) if OmegaConf.is_dict(node) else {}
        except SettingError:  # it needs further choices from the user
            values = {}
        comment = _read_comment(folder / group / f"{name}.yaml")
        yield Choice(name, values, comment, partial(choice_from_values, group, values))


def _make_table(widths: Mapping[str, int | None], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name, width in widths.items():
        style = "bold" if name == "name" else None
        is_whole = name in ("name", "class")
        table.add_column(name, max_width=width, style=style, no_wrap=is_whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _loss_row(choice: Choice) -> tuple[str, ...]:
    """Return name, dimensions, start, minimum and difficulty of a loss."""
    try:
        loss = choice.make()
        assert isinstance(loss, Loss)
        start, minimum = _format_start(loss), _format_minimum(loss)
    except CUSTOM_ERRORS:  # it needs settings from the user, or its own code fails
        return choice.name, _NOTHING, _NOTHING, _NOTHING, choice.comment
    has_dim = "dim" in declared_fields(type(loss))
    dim = f"dim={loss.dim}" if has_dim else str(loss.dim)
    return choice.name, dim, start, minimum, choice.comment


def _format_start(loss: Loss) -> str:
    start = torch.as_tensor(loss.start).tolist()
    numbers = [f"{number:.4g}" for number in start[:_COORDINATES_SHOWN]]
    return f"({', '.join(numbers + ['…'] * (len(start) > len(numbers)))})"


def _format_minimum(loss: Loss) -> str:
    return _NOTHING if loss.minimum is None else f"{float(loss.minimum):.5g}"


def _optimizer_row(choice: Choice) -> tuple[str, ...]:
    """Return name, class, default lr, hyperparameters and purpose of an optimizer."""
    values = dict(choice.values)
    lr = values.pop(LR, Optimizer.default_lr)
    values.pop(SPACE, None)
    shown = f"{lr:g}" if isinstance(lr, (int, float)) else format_value(lr)
    inner = values.pop("defaults", [])
    pairs = (pair for entry in inner for pair in entry.items())
    values |= {key.partition("@")[2]: name for key, name in pairs}
    cls = _class_name(values.pop("_target_", _NOTHING)).replace("???", _NOTHING)
    settings = (f"{key}={_format_setting(value)}" for key, value in values.items())
    return choice.name, cls, shown, ", ".join(settings) or _NOTHING, choice.comment


def _format_setting(value: Any) -> str:
    """Format a value; an inner optimizer is its class."""
    is_inner = isinstance(value, dict) and "_target_" in value
    return _class_name(value["_target_"]) if is_inner else format_value(value)


def _class_name(target: Any) -> str:
    return str(target).rpartition(".")[2]


def read_choice(group: str, name: str) -> tuple[dict[str, Any], str]:
    """Read a file of conf: its values, and the comment in its first line."""
    path = CONF / group / f"{name}.yaml"
    return yaml.safe_load(path.read_text("utf-8")), _read_comment(path)


def _read_comment(path: Path) -> str:
    """Return the first comment of a file; a plugin of Hydra brings a choice without one."""
    return (first_comment(path) if path.is_file() else "") or _NOTHING
