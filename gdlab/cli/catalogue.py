"""The tables of `--losses` and `--optimizers`: all choices.

Each row combines a file of conf with the properties of its class.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import yaml
from rich.table import Table

from gdlab.config.loading import resolve_choice
from gdlab.config.settings import LR
from gdlab.console import PlainConsole
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

# Columns with their maximum widths; names are never cut, and the comment takes the rest.
_LOSSES = {"name": None, "dims": 6, "start": 15, "minimum": 10, "what makes it hard": None}
_OPTIMIZERS = {
    "name": None,
    "class": 12,
    "lr": 3,
    "hyperparameters": 32,
    "what it does": None,
}


def show(group: str) -> None:
    """Print the table of a group of conf, "loss" or "optimizer"."""
    console = PlainConsole(soft_wrap=False)
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    rows = _loss_rows() if group == "loss" else _optimizer_rows()
    console.print(_make_table(_LOSSES if group == "loss" else _OPTIMIZERS, rows))


def _make_table(widths: Mapping[str, int | None], rows: Iterator[tuple[str, ...]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name, width in widths.items():
        is_name = name == "name"
        style = "bold" if is_name else None
        table.add_column(name, max_width=width, style=style, no_wrap=is_name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _loss_rows() -> Iterator[tuple[str, ...]]:
    """Yield name, dimensions, start, minimum and difficulty of every loss."""
    for name in choices_of("loss"):
        _, difficulty = read_choice("loss", name)
        try:
            loss = resolve_choice("loss", name)
        except SettingError:  # it needs settings from the user
            yield name, _NOTHING, _NOTHING, _NOTHING, difficulty
            continue
        assert isinstance(loss, Loss)
        has_dim = "dim" in declared_fields(type(loss))
        yield (
            name,
            f"dim={loss.dim}" if has_dim else str(loss.dim),
            _format_start(loss),
            _format_minimum(loss),
            difficulty,
        )


def _format_start(loss: Loss) -> str:
    start = torch.as_tensor(loss.start).tolist()
    numbers = [f"{number:.4g}" for number in start[:_COORDINATES_SHOWN]]
    return f"({', '.join(numbers + ['…'] * (len(start) > len(numbers)))})"


def _format_minimum(loss: Loss) -> str:
    return _NOTHING if loss.minimum is None else f"{float(loss.minimum):.5g}"


def _optimizer_rows() -> Iterator[tuple[str, ...]]:
    """Yield name, class, default lr, hyperparameters and purpose of every optimizer."""
    for name in choices_of("optimizer"):
        values, purpose = read_choice("optimizer", name)
        lr = f"{values.pop(LR, Optimizer.default_lr):g}"
        inner = values.pop("defaults", [])
        pairs = (pair for entry in inner for pair in entry.items())
        values |= {key.partition("@")[2]: choice for key, choice in pairs}
        cls = str(values.pop("_target_")).rpartition(".")[2].replace("???", _NOTHING)
        settings = (f"{key}={format_value(value)}" for key, value in values.items())
        yield name, cls, lr, ", ".join(settings) or _NOTHING, purpose


def read_choice(group: str, name: str) -> tuple[dict[str, Any], str]:
    """Read a file of conf: its values, and the comment in its first line."""
    text = (CONF / group / f"{name}.yaml").read_text("utf-8")
    return yaml.safe_load(text), text.partition("\n")[0].lstrip("# ")
