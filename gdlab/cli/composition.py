"""The command line's words to a composed configuration, and Hydra's errors to one clear line.

Knows Hydra; imports no torch.
"""

import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_plugins
from gdlab.config.overrides import OPEN_GROUPS, chosen_group, setting_name, to_hydra_overrides
from gdlab.errors import SettingError
from gdlab.fields.suggestions import choices_of, unknown_choice, unknown_setting
from gdlab.paths import CONF

CONFIG_NAME = "config"
VERSION_BASE = "1.3"
_KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
JOB_NAME = "gdlab"


@contextmanager
def hydra_ready(config_dir: str | None = None) -> Iterator[None]:
    """Hydra initialised on `conf`, and on a further folder where `@hydra.main` would add it.

    Raises:
        SettingError: there is no such folder.
    """
    search = create_config_search_path(str(CONF))
    if config_dir is not None:
        folder = Path(config_dir).absolute()
        if not folder.is_dir():
            raise SettingError(f"--config-dir={config_dir}: no such folder")
        search.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
    hydra_plugins.register()
    with initialize_config_dir(str(CONF), job_name=JOB_NAME, version_base=VERSION_BASE):
        running = GlobalHydra.instance().hydra
        assert running is not None
        running.config_loader = ConfigLoaderImpl(search)  # it reads its search path once, when made
        yield


def compose_config(overrides: Sequence[str], config_name: str | None = None) -> DictConfig:
    """The whole configuration, its `hydra` node included.

    Raises:
        SettingError: the overrides do not fit; it says which, and what was meant.
    """
    name = config_name or CONFIG_NAME
    try:
        return compose(name, to_hydra_overrides(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explained(error, overrides, name) from error


def _explained(error: Exception, overrides: Sequence[str], name: str) -> SettingError:
    """Hydra's error as a line that names the setting of the configuration `name`."""
    given = {key: value for key, _, value in (o.lstrip("+~").partition("=") for o in overrides)}
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        for key, value in given.items():
            group = chosen_group(key)
            choice = error.missing_cfg_file.removeprefix(f"{group}/")
            if choice != error.missing_cfg_file and choice in value.split(","):
                options = {*(error.options or ()), *choices_of(group or "")}
                return unknown_choice(setting_name(key), choice, options)
    message = str(error)
    found = re.search(r"Could not (?:override|append to|delete from)[^']*'([^'=]+)'", message)
    key = found[1] if found else ""
    key = key if key in given else key.rpartition("@")[2]
    if key and key in given and "already at" not in message:
        known = _known_settings(overrides, name)
        if key not in known:
            return unknown_setting(key, given[key], known)
    if isinstance(error, OverrideParseException) or "" in given:
        override = getattr(error, "override", None) or f"={given['']}"
        key, _, value = override.lstrip("+~").partition("=")
        if key and _KEY.fullmatch(key) and key not in (known := _known_settings(overrides, name)):
            return unknown_setting(key, value, known)
        form = "must have the form setting=value, such as lr=0.1"
        return SettingError(f"{override}: {form}; special characters go into quotes: 'x=\"a=b\"'")
    if message.startswith("Config group override"):
        for key, choice in given.items():
            known = choices_of(group) if (group := chosen_group(key)) else []
            if known and choice not in known:
                return unknown_choice(setting_name(key), choice, known)
    elif isinstance(error.__cause__, OmegaConfBaseException):
        message = f"{message} ({error.__cause__})"
    return SettingError(" ".join(message.split()))


def _known_settings(overrides: Sequence[str], name: str) -> list[str]:
    """All settings by their dotted names, for the choices of the overrides where they compose."""
    groups = [o for o in overrides if o.partition("=")[0] in OPEN_GROUPS]
    try:
        config = compose(name, to_hydra_overrides(groups))
    except (HydraException, OmegaConfBaseException):
        config = compose(name)
    return list(_dotted(OmegaConf.to_container(config), ""))


def _dotted(values: object, prefix: str) -> Iterator[str]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield f"{prefix}{key}"
            yield from _dotted(value, f"{prefix}{key}.")


def multirun(overrides: Sequence[str], config_name: str | None = None) -> int:
    """Hand a sweep to Hydra's sweeper and launcher; the greatest exit code of its runs.

    Raises:
        SettingError: the overrides do not fit.
    """
    running = GlobalHydra.instance().hydra
    assert running is not None
    name, words = config_name or CONFIG_NAME, to_hydra_overrides(overrides)
    try:
        config = running.compose_config(name, words, RunMode.MULTIRUN, with_log_configuration=True)
        if config.hydra.mode != RunMode.MULTIRUN:  # `@hydra.main` says it and composes again
            config.hydra.mode = RunMode.MULTIRUN
            config.hydra.overrides.hydra.append("hydra.mode=MULTIRUN")
        return _swept(config, running.config_loader, name)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error, overrides, name) from error


def _swept(config: DictConfig, loader: ConfigLoader, name: str) -> int:
    """A sweep as in `Hydra.multirun`; its callbacks see the end of an interrupted one too."""
    from gdlab.cli.job_tables import TablesCallback, check_unused
    from gdlab.cli.run import run_job_of_sweep

    is_batched = hydra_plugins.is_gdlab_plugin(config, "launcher")
    if not (is_batched and hydra_plugins.is_gdlab_plugin(config, "sweeper")):
        check_unused(config, is_batched=is_batched)
    tables = TablesCallback(loader)
    callbacks = Callbacks(config)
    callbacks.callbacks.append(tables)
    callbacks.on_multirun_start(config=config, config_name=name)
    sweeper = Plugins.instance().instantiate_sweeper(
        config=config,
        hydra_context=HydraContext(config_loader=loader, callbacks=callbacks),
        task_function=run_job_of_sweep,
    )
    arguments = [str(word) for word in config.hydra.overrides.task]
    try:
        done = sweeper.sweep(arguments)
    finally:
        callbacks.on_multirun_end(config=config, config_name=name)
        code = tables.exit_code()
    return done if isinstance(done, int) else code


def answer_by_hydra(parsed: Namespace, arguments: Sequence[str], name: str) -> int:
    """Let Hydra answer by itself: help, the configuration, completion.

    Args:
        parsed: the arguments, parsed.
        arguments: as they were typed.
        name: of the configuration.

    Raises:
        SettingError: the overrides do not fit.
    """
    if parsed.cfg:
        with hydra_ready(parsed.config_dir):
            compose_config(parsed.overrides, parsed.config_name or name)
    flags = [argument for argument in arguments if argument not in parsed.overrides]
    hydra_plugins.register()
    sys.argv[1:] = [*flags, *to_hydra_overrides(parsed.overrides)]

    @hydra.main(version_base=VERSION_BASE, config_path=str(CONF), config_name=name)
    def nothing(config: DictConfig) -> None:
        """Hydra answers without calling this."""

    nothing()
    return 0
