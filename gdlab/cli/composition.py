"""From the words of a command to a composed configuration; Hydra's errors in one clear line.

Knows Hydra; imports no torch.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals, hydra_plugins
from gdlab.cli.hydra_checks import check_choices
from gdlab.config.overrides import OPEN_GROUPS, chosen_group, setting_name, to_hydra_overrides
from gdlab.errors import GdlabError, SettingError, describe_error
from gdlab.fields.suggestions import choices_of, unknown_choice, unknown_setting
from gdlab.paths import CONF, user_path

CONFIG_NAME = "config"
JOB_NAME = "gdlab"
_KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


@contextmanager
def hydra_ready(config_dir: str | None = None) -> Iterator[None]:
    """Initialize Hydra on `conf`, and on one more folder where `hydra.main` would add it.

    Raises:
        SettingError: there is no such folder.
    """
    folder = None if config_dir is None else user_path(config_dir).absolute()
    if folder is not None and not folder.is_dir():
        raise SettingError(f"--config-dir={config_dir}: no such folder")
    hydra_plugins.register()
    defaults = hydra_internals.defaults_of_hydra()
    with initialize_config_dir(str(CONF), job_name=JOB_NAME, **defaults):
        if folder is not None:
            hydra_internals.add_config_folder(CONF, folder)
        yield


@dataclass(frozen=True)
class CommandLine:
    """The overrides of a command, for one of the configurations in `conf`.

    Attributes:
        typed: the overrides as they were typed; errors quote them.
        name: of the configuration.
    """

    typed: Sequence[str]
    name: str = CONFIG_NAME

    @cached_property
    def overrides(self) -> list[str]:
        """The overrides as Hydra takes them; this is the one place that rewrites them."""
        return to_hydra_overrides(self.typed)

    @cached_property
    def parsed(self) -> list[Override]:
        """The overrides as Hydra understands them.

        Raises:
            SettingError: an override has not the form that Hydra expects.
        """
        try:
            return OverridesParser.create().parse_overrides(self.overrides)
        except HydraException as error:
            raise _explain(error, self) from error

    @property
    def several_values(self) -> list[str]:
        """The overrides with several values, over which a command sweeps."""
        return [str(each.input_line) for each in self.parsed if each.is_sweep_override()]

    def compose(self) -> DictConfig:
        """Compose the whole configuration, including its `hydra` node.

        Only where `hydra.mode` asks for a sweep may an override have several values; it is left
        out, for the sweeper.

        Raises:
            SettingError: the overrides do not fit; it names the one, and suggests another.
        """
        try:
            check_choices(self.parsed, hydra_internals.config_loader())
            if self.several_values:
                config = hydra_internals.compose_sweep(self.name, self.overrides)
                if hydra_internals.is_sweep(config):
                    return config
            return compose(self.name, self.overrides, return_hydra_config=True)
        except GdlabError:
            raise
        except Exception as error:  # Hydra raises its own, OmegaConf's and Python's
            raise _explain(error, self) from error

    def run_sweep(self) -> int:
        """Hand a sweep to Hydra's sweeper and launcher; return the greatest exit code of its runs.

        Raises:
            SettingError: the overrides do not fit.
        """
        try:
            check_choices(self.parsed, hydra_internals.config_loader())
            config = hydra_internals.compose_sweep(self.name, self.overrides)
        except GdlabError:
            raise
        except Exception as error:  # Hydra raises its own, OmegaConf's and Python's
            raise _explain(error, self) from error
        if not hydra_internals.is_sweep(config):
            hydra_internals.set_mode(config, RunMode.MULTIRUN)
        from gdlab.cli.hydra_sweep import run_composed_sweep

        try:
            return run_composed_sweep(config)
        except (HydraException, OmegaConfBaseException) as error:
            raise _explain(error, self) from error


def compose_config(overrides: Sequence[str], config_name: str | None = None) -> DictConfig:
    """Compose the whole configuration, including its `hydra` node.

    Raises:
        SettingError: the overrides do not fit; it names the one, and suggests another.
    """
    return CommandLine(overrides, config_name or CONFIG_NAME).compose()


def _explain(error: Exception, line: CommandLine) -> SettingError:
    """Turn Hydra's error about a command line into one that names the setting."""
    parts = (override.lstrip("+~").partition("=") for override in line.typed)
    typed = {key: value for key, _, value in parts}
    message = str(error)
    explained = _explain_unknown_choice(error, typed) or _explain_unknown_key(message, typed, line)
    if explained is not None:
        return explained
    if isinstance(error, OverrideParseException) or "" in typed:
        return _explain_syntax(getattr(error, "override", None) or f"={typed['']}", line)
    if not message.startswith("Config group override") and isinstance(
        error.__cause__, OmegaConfBaseException
    ):
        message = f"{message} ({error.__cause__})"
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        message = f"the configuration cannot be composed ({describe_error(error)})"
    return SettingError(" ".join(message.split()))


def _explain_unknown_choice(error: Exception, typed: dict[str, str]) -> SettingError | None:
    """Return the error of a choice that a group does not have, if that is what is wrong."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        for key, value in typed.items():
            group = chosen_group(key)
            choice = error.missing_cfg_file.removeprefix(f"{group}/")
            if choice != error.missing_cfg_file and choice in value.split(","):
                options = {*(error.options or ()), *choices_of(group or "")}
                return unknown_choice(setting_name(key), choice, options)
    if str(error).startswith("Config group override"):
        for key, choice in typed.items():
            options = choices_of(group) if (group := chosen_group(key)) else []
            if options and choice not in options:
                return unknown_choice(setting_name(key), choice, options)
    return None


def _explain_unknown_key(
    message: str, typed: dict[str, str], line: CommandLine
) -> SettingError | None:
    """Return the error of a setting that does not exist, if that is what Hydra's message says."""
    match = re.search(r"Could not (?:override|append to|delete from)[^']*'([^'=]+)'", message)
    key = match[1] if match else ""
    key = key if key in typed else key.rpartition("@")[2]
    if not key or key not in typed or "already at" in message:
        return None
    known = _known_settings(line)
    return None if key in known else unknown_setting(key, typed[key], known)


def _explain_syntax(override: str, line: CommandLine) -> SettingError:
    """Return the error of an override that Hydra cannot parse."""
    key, _, value = override.lstrip("+~").partition("=")
    if key and _KEY.fullmatch(key) and key not in (known := _known_settings(line)):
        return unknown_setting(key, value, known)
    form = "must have the form setting=value, such as lr=0.1"
    return SettingError(f"{override}: {form}; special characters go into quotes: 'x=\"a=b\"'")


def _known_settings(line: CommandLine) -> list[str]:
    """List all settings by their dotted names, for the choices of a command that compose."""
    groups = [override for override in line.typed if override.partition("=")[0] in OPEN_GROUPS]
    try:
        config = compose(line.name, groups)
    except (HydraException, OmegaConfBaseException):
        config = compose(CONFIG_NAME)
    return list(_dotted_names(OmegaConf.to_container(config), ""))


def _dotted_names(values: object, prefix: str) -> Iterator[str]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield f"{prefix}{key}"
            yield from _dotted_names(value, f"{prefix}{key}.")
