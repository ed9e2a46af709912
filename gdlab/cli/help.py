"""What `--help` prints: examples, choices, settings with their comments, flags, other commands.

Imports no torch.
"""

import textwrap
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals
from gdlab.cli.choices import choices_in
from gdlab.cli.composition import CommandLine, hydra_ready
from gdlab.config.comments import comments_of, first_comment
from gdlab.config.overrides import setting_name
from gdlab.console import PlainConsole, styled
from gdlab.errors import SettingError, first_line
from gdlab.fields.formatting import format_value
from gdlab.paths import CONF, user_path

_WIDTH = 100
_COLUMN = 34  # where it is said what a word means


class Usage(NamedTuple):
    """What a command says of itself.

    Attributes:
        title: what it is, in a line.
        form: of its line.
        examples: lines that work as typed.
        flags: what may be typed besides settings, with what it does.
        others: the other commands, with what they do.
    """

    title: str
    form: str
    examples: Sequence[str]
    flags: Mapping[str, str]
    others: Mapping[str, str]


_COMMON_FLAGS = {
    "--json": "print the result as one JSON document to stdout, all else to stderr",
    "--cfg job": "print the configuration as YAML and run nothing",
    "--config-dir DIR": "take further choices and experiments from the folder DIR",
    "--version": "print the version",
    "--hydra-help": "print the flags of Hydra, which composes the configuration",
}

RUN = Usage(
    "gdlab: a laboratory for gradient descent",
    "python -m gdlab [setting=value …] [flags], or gdlab for short",
    (
        "python -m gdlab    # gradient descent on a quadratic",
        "python -m gdlab loss=rosenbrock optimizer=adam lr=0.02 steps=5000",
        "python -m gdlab loss=expression 'loss.formula=x**2 + 3*y**2' 'start=[1,1]'",
        "python -m gdlab -m optimizer=sgd,adam lr=0.001,0.01,0.1    # 6 runs at once",
        "python -m gdlab -m 'lr=tag(log,interval(1e-3,1))' 'seed=range(10)' start=random    # 200",
        "python -m gdlab -m experiment=rosenbrock_race    # a prepared sweep",
    ),
    {
        "-m, --multirun": "run all combinations of settings with several values",
        "--losses [NAME …]": "explain all losses, or some with all their settings",
        "--optimizers [NAME …]": "explain all optimizers, or some with all their settings",
        **_COMMON_FLAGS,
        "-sc install=bash": 'complete words with tab: eval "$(gdlab -sc install=bash)"',
    },
    {
        "python -m gdlab.view [DIR]": "show the runs in the folder DIR, or runs, in TensorBoard",
        "python -m gdlab.animate DIR": "draw the runs in a folder as a moving picture",
        "python -m gdlab.derivatives": "the derivatives of a loss at a point; see its --help",
    },
)

DERIVATIVES = Usage(
    "gdlab.derivatives: what the derivatives of a function say at a point",
    "python -m gdlab.derivatives [setting=value …] [flags]",
    (
        "python -m gdlab.derivatives loss=beale 'at=[1,2]'",
        "python -m gdlab.derivatives loss=expression 'loss.formula=x**2*y' 'at={x: 1, y: 2}'",
        "python -m gdlab.derivatives loss=himmelblau find=true    # all critical points",
        "python -m gdlab.derivatives 'formulas=[x*y,x+y]' 'at=[1,2]'    # the Jacobian",
    ),
    _COMMON_FLAGS,
    {
        "python -m gdlab": "gradient descent on these losses; see its --help",
        "python -m gdlab.view [DIR]": "show the pictures in TensorBoard",
    },
)

BENCH = Usage(
    "gdlab.bench: is an optimizer better? Equal tuning, new seeds, and ties that are called ties",
    "python -m gdlab.bench [setting=value …] [flags]",
    (
        "python -m gdlab.bench optimizers=sgd,adam,lbfgs",
        "python -m gdlab.bench optimizers=adam,my_module.Mine suite=classic",
        "python -m gdlab.bench suite=my_suite.yaml trials=16 seeds=10",
        "python -m gdlab.bench resume=runs/bench/NAME    # one that was interrupted",
    ),
    _COMMON_FLAGS,
    {"python -m gdlab": "gradient descent with one optimizer, and sweeps; see its --help"},
)


def answer(usage: Usage, parsed: Namespace, name: str) -> int:
    """Print the help of a command, with the settings as its overrides make them.

    Args:
        usage: the command's.
        parsed: its arguments.
        name: of its configuration.

    Returns:
        The exit code.

    Raises:
        SettingError: the overrides do not fit.
    """
    line = CommandLine(parsed.overrides, parsed.config_name or name)
    with hydra_ready(parsed.config_dir):
        _show(usage, line, parsed.config_dir)
    return 0


def _show(usage: Usage, line: CommandLine, config_dir: str | None) -> None:
    config = line.compose_sweep() if line.several_values else line.compose()
    console = PlainConsole()
    console.print(styled((usage.title, "bold")))
    console.print(f"  {usage.form}")
    console.print()
    console.print(styled(("Examples", "bold")))
    for example in usage.examples:
        console.print(f"  {example}")
    _print_choices(console, config)
    _print_settings(console, config, config_dir)
    _print_pairs(console, "Flags", usage.flags)
    _print_pairs(console, "Other commands", usage.others)


def _print_pairs(console: PlainConsole, title: str, pairs: Mapping[str, str]) -> None:
    """Print what may be typed, with what it does."""
    console.print()
    console.print(styled((title, "bold")))
    for typed, meaning in pairs.items():
        console.print(styled(f"{f'  {typed}':<{_COLUMN - 1}} ", (meaning, "dim")))


def _print_choices(console: PlainConsole, config: DictConfig) -> None:
    """Print the names in the groups that a configuration chooses from."""
    console.print()
    console.print(styled(("Choices", "bold")))
    loader = hydra_internals.config_loader()
    for group in reversed(_choices(config)):
        if "@" in group:
            continue  # an inner one, chosen from the same names
        names = sorted(choices_in(group, loader), key=_folder)
        for folder, inside in groupby(names, _folder):
            words = ", ".join(name.removeprefix(folder) for name in inside)
            text = f"  {group}={folder}NAME: {words}"
            for line in textwrap.wrap(text, _WIDTH, subsequent_indent=" " * 6):
                console.print(line)


def _folder(name: str) -> str:
    """Return the folder in the name of a choice, such as mgh/; empty if it is in none."""
    return "".join(name.rpartition("/")[:2])


def _choices(config: DictConfig) -> dict[str, str | None]:
    """Return what a configuration chooses from groups other than Hydra's own."""
    chosen = dict(config.hydra.runtime.choices)
    return {str(key): name for key, name in chosen.items() if not str(key).startswith("hydra")}


def _print_settings(console: PlainConsole, config: DictConfig, config_dir: str | None) -> None:
    """Print the settings of a configuration with their comments, as they are typed."""
    console.print()
    console.print(
        styled(("Settings", "bold"), ", as they are typed, with the values that they have here")
    )
    chosen = {setting_name(group): name for group, name in _choices(config).items()}
    comments = _comments(config, config_dir)
    for name, value in _settings(_resolve(config), chosen):
        typed = name if value is None else f"{name}={value}"
        comment = comments.get(name, "")
        gap = " " * max(1, _COLUMN - 2 - len(typed)) if comment else ""
        console.print(styled(f"  {typed}{gap}", (comment, "dim")))


def _settings(
    values: Mapping[str, Any], chosen: Mapping[str, str | None], prefix: str = ""
) -> Iterator[tuple[str, str | None]]:
    """Yield the names of all settings with their values as text; a section has none."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield name, chosen.get(name)
            yield from _settings(value, chosen, f"{name}.")
        elif key != "_target_" or value == "???":
            yield name, format_value(value)


def _resolve(config: DictConfig) -> Any:
    """Return the plain values of a configuration with its interpolations resolved.

    Raises:
        SettingError: one cannot be resolved.
    """
    with hydra_internals.current_config(config):
        try:
            return OmegaConf.to_container(hydra_internals.without_hydra(config), resolve=True)
        except OmegaConfBaseException as error:
            raise SettingError(f"{error.full_key}: {first_line(error)}") from error


def _comments(config: DictConfig, config_dir: str | None) -> dict[str, str]:
    """Return the comments of all settings of a configuration by their dotted names."""
    folders = [CONF] if config_dir is None else [CONF, user_path(config_dir)]
    files = {"": config.hydra.job.config_name}
    files |= {
        f"{setting_name(k)}.": f"{k.partition('@')[0]}/{n}" for k, n in _choices(config).items()
    }
    comments: dict[str, str] = {}
    for prefix, name in files.items():
        path = next((p for f in folders if (p := f / f"{name}.yaml").is_file()), None)
        if path is not None:
            comments |= {f"{prefix}{inner}": text for inner, text in comments_of(path).items()}
            comments |= {prefix[:-1]: first_comment(path)} if prefix else {}
    return comments
