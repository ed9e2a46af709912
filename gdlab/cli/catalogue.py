"""What there is to choose from: the tables of `--losses` and `--optimizers`.

Each row is a file of conf and what the class behind it says of itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gdlab.config.loading import resolve_choice
from gdlab.config.settings import LR
from gdlab.errors import SettingError
from gdlab.fields.declared import declared_fields
from gdlab.fields.formatting import format_value
from gdlab.fields.suggestions import choices_of
from gdlab.losses import Loss
from gdlab.optimizers import Optimizer
from gdlab.paths import CONF

_WIDTH = 100
_COORDINATES_SHOWN = 2
_NOTHING = "-"

# Columns with their widths at most; a name is never cut, and the comment takes what is left.
_LOSSES = {"name": None, "dims": 6, "start": 15, "minimum": 10, "what makes it hard": None}
_OPTIMIZERS = {
    "name": None,
    "class": 12,
    "lr": 3,
    "hyperparameters": 32,
    "what it does": None,
}


def show(group: str) -> None:
    """Print the table of a group of conf, "loss" or "optimizer", on stdout."""
    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    rows = _losses() if group == "loss" else _optimizers()
    console.print(_table(_LOSSES if group == "loss" else _OPTIMIZERS, rows))


def _table(widths: Mapping[str, int | None], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name, width in widths.items():
        is_name = name == "name"
        style = "bold" if is_name else None
        table.add_column(name, max_width=width, style=style, no_wrap=is_name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _losses() -> Iterator[tuple[str, ...]]:
    """Name, dimensions, start, minimum and what makes it hard, of every loss."""
    for name in choices_of("loss"):
        _, why = first_said("loss", name)
        try:
            loss = resolve_choice("loss", name)
        except SettingError:  # it cannot be without settings of a person's own
            yield name, _NOTHING, _NOTHING, _NOTHING, why
            continue
        assert isinstance(loss, Loss)
        scales = "dim" in declared_fields(type(loss))
        yield (
            name,
            f"dim={loss.dim}" if scales else str(loss.dim),
            _start(loss),
            _minimum(loss),
            why,
        )


def _start(loss: Loss) -> str:
    start = torch.as_tensor(loss.start).tolist()
    numbers = [f"{number:.4g}" for number in start[:_COORDINATES_SHOWN]]
    return f"({', '.join(numbers + ['…'] * (len(start) > len(numbers)))})"


def _minimum(loss: Loss) -> str:
    return _NOTHING if loss.minimum is None else f"{float(loss.minimum):.5g}"


def _optimizers() -> Iterator[tuple[str, ...]]:
    """Name, class, default lr, hyperparameters with theirs and what it does, of every optimizer."""
    for name in choices_of("optimizer"):
        values, what = first_said("optimizer", name)
        lr = f"{values.pop(LR, Optimizer.default_lr):g}"
        inner = values.pop("defaults", [])
        values |= {key.partition("@")[2]: choice for one in inner for key, choice in one.items()}
        kind = str(values.pop("_target_")).rpartition(".")[2].replace("???", _NOTHING)
        settings = (f"{key}={format_value(value)}" for key, value in values.items())
        yield name, kind, lr, ", ".join(settings) or _NOTHING, what


def first_said(group: str, name: str) -> tuple[dict[str, Any], str]:
    """The values of a file of conf, and the comment that it begins with."""
    text = (CONF / group / f"{name}.yaml").read_text("utf-8")
    return yaml.safe_load(text), text.partition("\n")[0].lstrip("# ")
