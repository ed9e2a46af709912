"""What the directory of one run says of it: its name and its end."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.config.settings import TOP
from gdlab.console import visible
from gdlab.engine.outcome import NUMBERS, Outcome
from gdlab.engine.status import Status
from gdlab.errors import RecordError
from gdlab.recording.run_plots import join_title, shorten_title

if TYPE_CHECKING:
    import pandas as pd

    from gdlab.results.load import Recorded

_SENTENCES = ("reason", "diagnosis", "explanation", "mode", "mode_reason")
_OF_ALL_RUNS = {"status", "seconds", "seed", *_SENTENCES, *NUMBERS}


def outcome_of(results: "pd.DataFrame", directory: Path | None) -> Outcome:
    """Return how a run ended, from its row.

    Args:
        results: the row: a table with the values of result.json.
        directory: where it was read, for errors; None for a sweep, which has no such row.

    Raises:
        RecordError: the values are not those of a run.
    """
    if directory is None:
        raise RecordError("outcome: a sweep has one for each run; they are the rows of results")
    row: dict[str, Any] = results.iloc[0].to_dict()
    point = [name for name in row if _is_coordinate(name)]
    others = (n for n in row if n not in _OF_ALL_RUNS and not n.startswith("versions."))
    metrics = {name: row[name] for name in others if name not in point}
    try:
        return Outcome(
            status=Status[str(row["status"]).upper()],
            x=np.array([row[name] for name in point], dtype=np.float64),
            metrics={name: _known(value) for name, value in metrics.items()},
            **{name: _number(name, row[name]) for name in NUMBERS},
            **{name: _known(row[name]) for name in _SENTENCES},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{directory}: is damaged ({type(error).__name__}: {error})") from error


def describe(run: "Recorded") -> str:
    """Describe a run in a line: its loss and optimizer where they are recorded, and its end."""
    row, directory = run.results.iloc[0], run.directory
    names = [_chosen(run, group) for group in ("loss", "optimizer")]
    lr = run.config.get("lr")
    names += [f"lr={lr:g}" if isinstance(lr, float) else ""]
    what = ", ".join(filter(None, names)) or str(directory)
    end = f"{row.get('status')} at step {row.get('steps')}, loss {row.get('final_loss'):.6g}"
    where = "" if what == str(directory) else f", {directory}"
    return visible(f"Recorded run({what}: {end}{where})")


def flat_settings(run: "Recorded") -> dict[str, Any]:
    """Return the settings of a recorded run by dotted names, as `Settings.flat` does.

    There are none where the files hold no configuration.
    """
    return flatten_config(run.config, run.choices)


def flatten_config(config: Mapping[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a configuration by dotted names, with the names of its choices."""
    values = dict(_flatten({key: config[key] for key in TOP if key in config}))
    return {key: choices.get(key, value) for key, value in values.items()}


def _flatten(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if not isinstance(value, Mapping):
            yield f"{prefix}{key}", value
            continue
        if name := _name_of(value):
            yield f"{prefix}{key}", name
        fields = {inner: item for inner, item in value.items() if inner != "_target_"}
        yield from _flatten(fields, f"{prefix}{key}.")


def loss_name(run: "Recorded") -> str:
    """Return what pictures call the loss of a run: its formula, or else its name."""
    return shorten_title(str(run.config.get("loss", {}).get("formula") or _chosen(run, "loss")))


def run_title(run: "Recorded") -> str:
    """Return what pictures call a run: its loss, optimizer and lr, or else its directory."""
    if "lr" not in run.config:
        return visible((run.directory or Path()).name)
    return join_title(loss_name(run), _chosen(run, "optimizer"), run.config["lr"])


def _chosen(run: "Recorded", group: str) -> str:
    """Return the name of a choice, or else that of its class."""
    return run.choices.get(group) or _name_of(run.config.get(group))


def _is_coordinate(name: str) -> bool:
    return name[:1] == "x" and name[1:].isdecimal()


def _name_of(node: Any) -> str:
    """Return the name of the class that a node of a configuration names; nothing is imported."""
    target = node.get("_target_") if isinstance(node, dict) else None
    return str(target).rpartition(".")[2].lower() if target is not None else ""


def _known(value: Any) -> Any:
    """Return a value of a table; None where it is missing."""
    return None if isinstance(value, float) and np.isnan(value) else value


def _number(name: str, value: Any) -> float | int | None:
    """Return a number of an outcome; a missing one is None where it may be, or else NaN."""
    spec = NUMBERS[name]
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None if spec["nullable"] else float("nan")
    return spec["dtype"](value).item()
