"""From the words of a command to a composed configuration.

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
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals, hydra_plugins
from gdlab.cli.choices import chosen_by, list_choices
from gdlab.cli.commas import refuse_bare_lists, several_values
from gdlab.cli.explanations import explain
from gdlab.cli.hydra_checks import check_choices
from gdlab.config.overrides import to_hydra_overrides
from gdlab.errors import GdlabError, SettingError
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
        hydra_internals.set_config_folders(CONF, folder)
        yield


@dataclass(frozen=True)
class CommandLine:
    """The overrides of a command, for one of the configurations in `conf`.

    Attributes:
        typed: the overrides as they were typed; errors quote them.
        name: of the configuration.
        can_sweep: whether the command has sweeps; else it is the report on derivatives.
    """

    typed: Sequence[str]
    name: str = CONFIG_NAME
    can_sweep: bool = True

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
            raise self._explain(error) from error

    @property
    def several_values(self) -> list[str]:
        """The overrides with several values, over which a command sweeps, as typed."""
        several = zip(self.typed, self.parsed, strict=True)
        return [word for word, each in several if each.is_sweep_override()]

    def compose(self) -> DictConfig:
        """Compose the whole configuration, including its `hydra` node.

        Only where `hydra.mode` asks for a sweep may an override have several values; it is left
        out, for the sweeper.

        Raises:
            SettingError: the overrides do not fit; it names the one, and suggests another.
        """
        with self._errors_explained():
            check_choices(self.parsed, hydra_internals.config_loader())
            if not self.several_values:
                return compose(self.name, self.overrides, return_hydra_config=True)
        config = self.compose_sweep()
        if not hydra_internals.is_sweep(config):
            self._refuse_unknown_axes()
            raise several_values(self.several_values[0], config, can_sweep=self.can_sweep)
        return config

    def _refuse_unknown_axes(self) -> None:
        """Refuse an override with several values of a setting that does not exist.

        Raises:
            SettingError: names the setting.
        """
        chosen = chosen_by(self.parsed, hydra_internals.config_loader())
        first = [words[0] for words in chosen.values()]
        others = (each for each in self.parsed if each.get_key_element() not in chosen)
        with self._errors_explained():
            compose(self.name, [*first, *map(_with_one_value, others)])

    def compose_sweep(self) -> DictConfig:
        """Compose the configuration of a sweep; overrides with several values are left out.

        Raises:
            SettingError: the overrides do not fit.
        """
        loader = hydra_internals.config_loader()
        with self._errors_explained():
            check_choices(self.parsed, loader)
            words = [list_choices(override, loader) for override in self.parsed]
            return hydra_internals.compose_sweep(self.name, words)

    def run_sweep(self) -> int:
        """Hand a sweep to Hydra's sweeper and launcher; return the greatest exit code of its runs.

        Raises:
            SettingError: the overrides do not fit.
        """
        config = self.compose_sweep()
        refuse_bare_lists(self.several_values, config)
        if not hydra_internals.is_sweep(config):
            hydra_internals.set_mode(config, RunMode.MULTIRUN)
        from gdlab.cli.hydra_sweep import axes_of, run_composed_sweep

        try:
            return run_composed_sweep(config)
        except (HydraException, OmegaConfBaseException) as error:
            raise CommandLine([*axes_of(config), *self.typed], self.name)._explain(error) from error

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except GdlabError:
            raise
        except Exception as error:  # Hydra raises its own, OmegaConf's and Python's
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> SettingError:
        return explain(error, self.typed, self.overrides, self.name)


def compose_config(
    overrides: Sequence[str], config_name: str | None = None, *, can_sweep: bool = True
) -> DictConfig:
    """Compose the whole configuration, including its `hydra` node.

    Raises:
        SettingError: the overrides do not fit; it names the one, and suggests another.
    """
    return CommandLine(overrides, config_name or CONFIG_NAME, can_sweep).compose()


def _with_one_value(override: Override) -> str:
    """Return an override as text, with null in place of several values."""
    text = str(override.input_line)
    return f"{text.partition('=')[0]}=null" if override.is_sweep_override() else text
