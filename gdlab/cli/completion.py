"""Tab completion: what may follow in a line that is not finished.

Hydra completes too, but it takes a line as it is typed: it stops at a formula, knows no shorthands
and no choices in folders, and its script for bash splits quoted words. Imports no torch.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from hydra.core.config_loader import ConfigLoader
from hydra.plugins.completion_plugin import CompletionPlugin
from omegaconf import DictConfig, OmegaConf

from gdlab.cli import command, hydra_internals
from gdlab.cli.choices import choices_in
from gdlab.cli.composition import hydra_ready
from gdlab.config.overrides import SHORTHANDS, chosen_group, to_hydra_overrides
from gdlab.errors import GdlabError

QUERIES = tuple(f"query={shell}" for shell in ("bash", "zsh", "fish"))
"""What the shells ask for; fish with Hydra's script."""

SCRIPTS = {
    "install=bash": """\
_gdlab_complete() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_LINE=$COMP_LINE COMP_POINT=$COMP_POINT "$1" -sc query=bash 2> /dev/null))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F _gdlab_complete gdlab""",
    "uninstall=bash": "complete -r gdlab; unset -f _gdlab_complete",
}
"""What bash, and zsh by bashcompinit, evaluates to complete the command `gdlab`."""

_CURSOR = "\0"
_SIGNS = re.compile(r"[+~]*")
_FILE = re.compile(r"\.{0,2}/|~")
_PLAIN = re.compile(r"[\w.,:/+-]+")  # needs no quotes in a shell


def complete(line: str, name: str) -> list[str]:
    """Return what the last word of a line may become, sorted; nothing for a line that is wrong.

    Args:
        line: as typed, up to the cursor: `gdlab` or `python -m gdlab`, flags and overrides.
        name: of the configuration.
    """
    *words, word = _arguments(line)
    if word.startswith("-"):
        return []
    parser = command.make_parser("python -m gdlab")
    try:
        # argparse would print the version and exit.
        words = [each for each in words if each != "--version"]
        parsed = parser.parse_known_intermixed_args(words)[0]
        with hydra_ready(parsed.config_dir):
            loader = hydra_internals.config_loader()
            candidates = _candidates(word, parsed.overrides, parsed.config_name or name, loader)
            return sorted({each for each in candidates if each.startswith(word)})
    except GdlabError:  # such as --config-dir without its folder: the shell completes by itself
        return []


def _arguments(line: str) -> list[str]:
    """Split a line into words as a shell does, without the program; the last may be empty."""
    for closing in ("", "'", '"'):  # the last word may still be in quotes
        try:
            words = shlex.split(f"{line}{_CURSOR}{closing}")
        except ValueError:
            continue
        words[-1] = words[-1].replace(_CURSOR, "")
        is_python = PurePath(words[0]).name.startswith("python")
        program = 1 + (1 + words[1:2].count("-m") if is_python else 0)
        return words[program:] or [""]
    return [""]


def _candidates(
    word: str, overrides: Sequence[str], name: str, loader: ConfigLoader
) -> Iterator[str]:
    """Yield whole words that may stand in place of a word; some may not begin with it.

    Args:
        word: the one to complete.
        overrides: the others, as typed.
        name: of the configuration.
        loader: knows the groups.
    """
    signs = _SIGNS.match(word)
    assert signs is not None
    key, sign, value = word[signs.end() :].partition("=")
    start = f"{signs[0]}{key}{sign}"
    if not sign:
        config = _compose(overrides, name)
        keys = [*_groups(key, config), *_settings(key, config, loader)]
        yield from (f"{start}{each.removeprefix(key)}" for each in keys if each.startswith(key))
    elif choices := choices_in(chosen_group(key), loader):
        before, comma, _ = value.rpartition(",")  # of several choices, to sweep over
        yield from (f"{start}{before}{comma}{choice}" for choice in choices)
    elif _FILE.match(value):
        yield from (f"{start}{path}" for path in CompletionPlugin.complete_files(value))
    else:
        yield from (f"{start}{each}" for each in _values(key, _compose(overrides, name)))


def _groups(key: str, config: DictConfig) -> Iterator[str]:
    """Yield the groups beside a key with `=`, and the folders of groups with `/`."""
    for group in config.hydra.runtime.choices:
        if "@" in group:
            continue  # such as optimizer@optimizer.inner, which is also a setting
        end = group.find("/", key.rfind("/") + 1)
        yield f"{group}=" if end < 0 else group[: end + 1]


def _settings(key: str, config: DictConfig, loader: ConfigLoader) -> Iterator[str]:
    """Yield the settings beside a key: a node with a dot after it, a value with `=`."""
    parent, dot, _ = key.rpartition(".")
    node = OmegaConf.select(config, parent) if dot else config
    if not isinstance(node, DictConfig):
        return
    for child, value in node.items_ex(resolve=False):
        path = f"{parent}{dot}{child}"
        if isinstance(value, DictConfig):
            yield f"{path}."
        is_chosen = dot and choices_in(chosen_group(path), loader)
        if not isinstance(value, DictConfig) or path in SHORTHANDS or is_chosen:
            yield f"{path}="


def _values(key: str, config: DictConfig) -> Iterator[str]:
    """Yield the value that a setting has, as far as it needs no quotes, and any other flag."""
    key = f"{key}.{SHORTHANDS[key]}" if key in SHORTHANDS else key
    value = hydra_internals.select(config, key) if key else None
    if isinstance(value, bool):
        yield from ("false", "true")
    elif isinstance(value, (int, float, str)) and _PLAIN.fullmatch(str(value)):
        yield str(value)


def _compose(overrides: Sequence[str], name: str) -> DictConfig:
    """Compose what is typed so far; an override that does not fit is left out.

    Raises:
        GdlabError: there is no configuration of this name.
    """
    config = _try_to_compose(overrides, name)
    if config is None:
        fitting: list[str] = []
        for word in overrides:
            if _try_to_compose([*fitting, word], name) is not None:
                fitting.append(word)
        config = _try_to_compose(fitting, name)
    if config is None:
        raise GdlabError(f"{name}: cannot be composed")
    return config


def _try_to_compose(overrides: Sequence[str], name: str) -> DictConfig | None:
    """Compose a configuration; None if some override does not fit."""
    try:
        return hydra_internals.compose_sweep(name, to_hydra_overrides(overrides))
    except Exception:  # Hydra's own, OmegaConf's or Python's; the line is not finished
        return None
