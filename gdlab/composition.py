"""The command line's words to a composed configuration, and Hydra's errors to one clear line.

Knows Hydra; imports no torch.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab import hydra_plugins
from gdlab.errors import SettingError
from gdlab.paths import CONF
from gdlab.suggest import choices_of, unknown_choice, unknown_setting

CONFIG_NAME = "config"
VERSION_BASE = "1.3"
JOB_NAME = "gdlab"
_OPEN_GROUPS = ("loss", "optimizer", "schedule")


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
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        hydra.config_loader = ConfigLoaderImpl(search)  # it reads its search path once, when made
        yield


def composed(overrides: Sequence[str], config_name: str | None = None) -> DictConfig:
    """The whole configuration, its `hydra` node included.

    Raises:
        SettingError: the overrides do not fit; it says which, and what was meant.
    """
    name = config_name or CONFIG_NAME
    try:
        return compose(name, opened(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise _explained(error, overrides) from error


def opened(overrides: Sequence[str]) -> list[str]:
    """Overrides in which the fields of a class of one's own need no plus sign.

    The node of a custom class has no keys beforehand, and Hydra adds none without being told.
    """
    custom = [f"{group}." for group in _OPEN_GROUPS if f"{group}=custom" in overrides]
    is_field = [any(o.startswith(g) for g in custom) and "._target_=" not in o for o in overrides]
    return [f"++{o}" if open_ else o for o, open_ in zip(overrides, is_field, strict=True)]


def _explained(error: Exception, overrides: Sequence[str]) -> SettingError:
    """Hydra's error as a line that names the setting."""
    given = {key: value for key, _, value in (o.lstrip("+~").partition("=") for o in overrides)}
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        for group in (key for key in given if error.missing_cfg_file.startswith(f"{key}/")):
            choice = error.missing_cfg_file.removeprefix(f"{group}/")
            return unknown_choice(group, choice, error.options or choices_of(group))
    message = str(error)
    found = re.search(r"Could not (?:override|append to|delete from)[^']*'([^'=]+)'", message)
    if found and found[1] in given and "already at" not in message:
        known = _known_settings(overrides)
        if found[1] not in known:
            return unknown_setting(found[1], given[found[1]], known)
    if isinstance(error, OverrideParseException) or "" in given:
        override = getattr(error, "override", None) or f"={given['']}"
        form = "must have the form setting=value, such as lr=0.1"
        return SettingError(f"{override}: {form}; special characters go into quotes: 'x=\"a=b\"'")
    if message.startswith("Config group override"):
        for group, choice in given.items():
            if choices_of(group) and choice not in choices_of(group):
                return unknown_choice(group, choice, choices_of(group))
    elif isinstance(error.__cause__, OmegaConfBaseException):
        message = f"{message} ({error.__cause__})"
    return SettingError(" ".join(message.split()))


def _known_settings(overrides: Sequence[str]) -> list[str]:
    """All settings by their dotted names, for the choices of the overrides where they compose."""
    groups = [o for o in overrides if o.partition("=")[0] in _OPEN_GROUPS]
    try:
        config = compose(CONFIG_NAME, opened(groups))
    except (HydraException, OmegaConfBaseException):
        config = compose(CONFIG_NAME)
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
    from gdlab.application import run_job_of_sweep

    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    try:
        name, words = config_name or CONFIG_NAME, opened(overrides)
        if hydra.get_mode(name, words) != RunMode.MULTIRUN:  # as `@hydra.main` does
            words.append("hydra.mode=MULTIRUN")
        done = hydra.multirun(name, run_job_of_sweep, words)
    except (HydraException, OmegaConfBaseException) as error:
        raise _explained(error, overrides) from error
    if isinstance(done, int):
        return done
    # Hydra's own sweeper returns batches of jobs; another may return nothing.
    return max((job.return_value for batch in done or () for job in batch), default=0)


def hand_to_hydra(arguments: Sequence[str]) -> None:
    """Let Hydra answer by itself: help, the configuration, completion."""
    import sys

    import hydra

    hydra_plugins.register()
    sys.argv[1:] = arguments

    @hydra.main(version_base=VERSION_BASE, config_path=str(CONF), config_name=CONFIG_NAME)
    def nothing(config: DictConfig) -> None:
        """Hydra answers without calling this."""

    nothing()
