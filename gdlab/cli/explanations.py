"""Hydra's errors about a command line, each in one line that names the setting."""

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals
from gdlab.cli.choices import choices_in, chosen_by, one_by_one
from gdlab.cli.commas import is_single
from gdlab.cli.syntax import explain_value, is_call
from gdlab.config.overrides import OPEN_GROUPS, chosen_group, setting_name
from gdlab.errors import SettingError, describe_error
from gdlab.fields.suggestions import (
    looks_like_formula,
    missing_setting,
    unknown_setting,
)
from gdlab.fields.unknown_choices import unknown_choice

_KEY = re.compile(r"[A-Za-z_]\w*([./][A-Za-z_]\w*)*", re.ASCII)
_REST = re.compile(r"[-+.\d].*|.*[\])}]")
"""What the shell leaves of a list with blanks: a number, or the closing bracket."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")

_NO_CONFIG = "Cannot find primary config"
_WRONG_TYPE = "Error merging override "
_UNKNOWN_KEY = re.compile(
    r"(?:Could not (?:override|append to|delete from)|already at)[^']*'([^'=]+)'"
)

_FLAGS = ("help", "version", "losses", "optimizers", "multirun", "json")
_COMMANDS = {
    **dict.fromkeys(("run", "train", "start", "optimize"), "gdlab runs without a further word"),
    **dict.fromkeys(("sweep", "grid"), "a sweep is --multirun with several values, as lr=0.01,0.1"),
    **dict.fromkeys(("view", "tensorboard"), "TensorBoard is python -m gdlab.view"),
    **dict.fromkeys(("plot", "figures"), "pictures are in the folder of a run, and in TensorBoard"),
    **dict.fromkeys(("derivatives", "explain"), "derivatives are python -m gdlab.derivatives"),
    "experiment": "an experiment is experiment=NAME",
    "resume": "a sweep continues with resume=DIRECTORY",
}
"""Words that other programs take, and what to type."""

_GUESSED = (*OPEN_GROUPS, "experiment")
"""The groups among whose choices a word without a setting is looked up."""

_PACKAGES = {
    "hydra/launcher/joblib": "hydra-joblib-launcher",
    "hydra/launcher/ray": "hydra-ray-launcher",
    "hydra/launcher/ray_aws": "hydra-ray-launcher",
    "hydra/launcher/rq": "hydra-rq-launcher",
    "hydra/launcher/submitit_local": "hydra-submitit-launcher",
    "hydra/launcher/submitit_slurm": "hydra-submitit-launcher",
    "hydra/sweeper/ax": "hydra-ax-sweeper",
    "hydra/sweeper/nevergrad": "hydra-nevergrad-sweeper",
    "hydra/sweeper/optuna": "hydra-optuna-sweeper",
    "hydra/hydra_logging/colorlog": "hydra-colorlog",
    "hydra/job_logging/colorlog": "hydra-colorlog",
}
"""The choices that Hydra's own plugins bring, and the packages that these are in."""


def explain(
    error: Exception, typed: Sequence[str], overrides: Sequence[str], name: str
) -> SettingError:
    """Turn Hydra's error about a command line into one that names the setting.

    Args:
        error: Hydra's, OmegaConf's or Python's.
        typed: the overrides of the command as they were typed.
        overrides: the same as Hydra takes them.
        name: of the configuration.
    """
    parts = (override.lstrip("+~").partition("=") for override in typed)
    values = {key: value for key, _, value in parts}
    message = str(error)
    if message.startswith(_NO_CONFIG):
        return SettingError(
            f"--config-name={name}: there is no {name}.yaml in conf, nor in the "
            "folder of --config-dir"
        )
    explained = _explain_unknown_choice(error, values) or _explain_unknown_key(
        message, values, overrides, name
    )
    if explained is not None:
        return explained
    if isinstance(error, OverrideParseException) or "" in values:
        override = getattr(error, "override", None) or f"={values['']}"
        return _explain_syntax(override, message, overrides, name)
    if isinstance(error.__cause__, OmegaConfBaseException):
        reason = str(error.__cause__).partition("\n")[0]
        is_value = message.startswith(_WRONG_TYPE)
        message = (
            f"{message[len(_WRONG_TYPE) :]}: {reason}" if is_value else f"{message} ({reason})"
        )
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        message = f"the configuration cannot be composed ({describe_error(error)})"
    return SettingError(" ".join(message.split()))


def _explain_unknown_choice(error: Exception, values: dict[str, str]) -> SettingError | None:
    """Return the error of a choice that a group does not have, if that is what is wrong."""
    loader = hydra_internals.config_loader()
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        package = _PACKAGES.get(error.missing_cfg_file)
        if package:
            group, _, choice = error.missing_cfg_file.rpartition("/")
            return SettingError(f"{group}={choice}: needs a plugin; pip install {package}")
        for key, value in values.items():
            group = chosen_group(key)
            choice = error.missing_cfg_file.removeprefix(f"{group}/")
            if choice != error.missing_cfg_file and choice in value.split(","):
                return unknown_choice(setting_name(key), choice, choices_in(group, loader))
    if str(error).startswith("Config group override"):
        for key, choice in values.items():
            options = choices_in(chosen_group(key), loader)
            if options and choice not in options:
                return unknown_choice(setting_name(key), choice, options)
    return None


def _explain_unknown_key(
    message: str, values: dict[str, str], overrides: Sequence[str], name: str
) -> SettingError | None:
    """Return the error of a setting that does not exist, if that is what Hydra's message says."""
    match = _UNKNOWN_KEY.search(message)
    key = match[1] if match else ""
    key = key if key in values else key.rpartition("@")[2]
    if not key or key not in values:
        return None
    known_of = {
        choice: _known_settings(words, name, key) for choice, words in _variants(overrides, key)
    }
    lacking = [choice for choice, known in known_of.items() if key not in known]
    if not lacking:
        exists = f"+{key}={values[key]}: the setting exists; it is set without +"
        return SettingError(exists) if "already at" in message else None
    if len(lacking) < len(known_of):
        return missing_setting(key, values[key], lacking[0], known_of[lacking[0]])
    return unknown_setting(key, values[key], set[str]().union(*known_of.values()))


def _explain_syntax(
    override: str, message: str, overrides: Sequence[str], name: str
) -> SettingError:
    """Return the error of an override that Hydra cannot parse."""
    before, sign, value = override.lstrip("+~").partition("=")
    key = setting_name(before)
    if sign and _KEY.fullmatch(key) and not value.startswith("="):
        choices = choices_in(chosen_group(before), hydra_internals.config_loader())
        is_choice = value.partition("(")[0] in choices
        if choices and (is_choice or not is_call(message) or looks_like_formula(value)):
            return unknown_choice(key, value, choices)
        variants = (words for _, words in _variants(overrides, key))
        known = set[str]().union(*(_known_settings(words, name, key) for words in variants))
        if key not in known and not choices:
            return unknown_setting(key, value, known)
        return SettingError(f"{key}={value}: {explain_value(key, value, message)}")
    form = "must have the form setting=value, such as lr=0.1, without blanks around ="
    several = _with_commas(override, overrides)
    if several and is_single(several.partition("=")[0]):
        return SettingError(f"{override}: several values have commas between: {several}")
    if several:
        key, _, values = several.partition("=")
        listed = shlex.quote(f"{key}=[{values}]")
        return SettingError(f"{override}: a list has square brackets and commas: {listed}")
    return SettingError(f"{override}: {form}{_guess(override)}")


def _with_commas(word: str, overrides: Sequence[str]) -> str:
    """Return the override before a number, with all numbers after it; empty for other words."""
    place = overrides.index(word) if word in overrides else 0
    before = overrides[place - 1] if place else ""
    after = itertools.takewhile(_NUMBER.fullmatch, overrides[place:])
    values = [before.partition("=")[2], *after]
    is_several = len(values) > 1 and all(map(_NUMBER.fullmatch, values))
    return f"{before},{','.join(values[1:])}" if is_several else ""


def _guess(word: str) -> str:
    """Return ", did you mean …?" for a word without =; empty if nothing is near."""
    if word in _FLAGS:
        return f", did you mean --{word}?"
    if word in _COMMANDS:
        return f"; {_COMMANDS[word]}"
    if looks_like_formula(word):
        return f"; a formula is loss=expression {shlex.quote(f'loss.formula={word}')}"
    if _REST.fullmatch(word):
        return "; a value with blanks needs quotes, as 'start=[1, 2]'"
    key, colon, value = word.partition(":")
    if colon and value and key in _known_settings((), "config", key):
        return f", did you mean {key}={value}?"
    loader = hydra_internals.config_loader()
    groups = (group for group in _GUESSED if word in choices_in(group, loader))
    found = next((f", did you mean {group}={word}?" for group in groups), "")
    is_setting = not found and word in _known_settings((), "config", word)
    return f", did you mean {word}=…?" if is_setting else found


def _variants(overrides: Sequence[str], key: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the choices that a command makes from groups, once for each that may bring a setting.

    Args:
        overrides: as Hydra takes them; the others are left out.
        key: of the setting.

    Yields:
        The choice, as `loss=rosenbrock`, and all choices with that one.
    """
    choices = chosen_by(list(_parse(overrides)), hydra_internals.config_loader())
    owners = [group for group in choices if key.startswith(f"{setting_name(group)}.")]
    if not owners:
        yield "", [words[0] for words in choices.values()]
        return
    owner = max(owners, key=len)
    for word, words in zip(choices[owner], one_by_one(choices, owner), strict=True):
        yield setting_name(word), words


def _parse(overrides: Sequence[str]) -> Iterator[Override]:
    """Yield the overrides that can be parsed."""
    parser = OverridesParser.create()
    for word in overrides:
        with suppress(HydraException):
            yield parser.parse_overrides([word])[0]


def _known_settings(choices: Sequence[str], name: str, key: str) -> list[str]:
    """List all settings by their dotted names, those of `hydra` only for a key of it.

    Args:
        choices: overrides that choose from groups; unless they compose, the defaults are taken.
        name: of the configuration; unless it composes, that of a run is taken.
        key: the setting that is looked for.
    """
    of_hydra = key.startswith("hydra.")
    config = OmegaConf.create()
    for base, words in ((name, choices), (name, ()), ("config", ())):
        with suppress(HydraException, OmegaConfBaseException):
            config = compose(base, list(words), return_hydra_config=of_hydra)
            break
    names = _dotted_names(OmegaConf.to_container(config), "")
    return [each for each in names if each.startswith("hydra.") == of_hydra]


def _dotted_names(values: object, prefix: str) -> Iterator[str]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield f"{prefix}{key}"
            yield from _dotted_names(value, f"{prefix}{key}.")
