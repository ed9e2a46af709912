"""A sweep by the sweeper and the launcher of its configuration, gdlab's or any others."""

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals, hydra_plugins
from gdlab.cli.choices import chosen_by, one_by_one
from gdlab.cli.hydra_checks import check_hydra, check_jobs, check_references
from gdlab.cli.job_tables import TablesCallback, check_dry_run
from gdlab.cli.run import run_job_of_sweep
from gdlab.config.loading import check_flags
from gdlab.config.overrides import to_hydra_overrides
from gdlab.config.settings import COMMAND_KEYS
from gdlab.errors import GdlabError, SettingError, describe_error
from gdlab.paths import user_path
from gdlab.recording.files import existing_folders, remove_unused
from gdlab.recording.lock import claimed

_DIRECTORY = "hydra.sweep.dir"
_HYDRAS_FILES = ("multirun.yaml", "config.yaml", "hydra.yaml", "overrides.yaml")


def run_composed_sweep(config: DictConfig) -> int:
    """Run the sweep of a composed configuration and return the exit code.

    Raises:
        SettingError: a setting of it cannot be used.
        HydraException: the overrides of a job do not fit.
    """
    hydra_internals.set_current_config(config)
    wanted = hydra_internals.resolve(config, _DIRECTORY)
    directory = user_path(wanted)
    if wanted.startswith("~"):
        hydra_internals.set_sweep_directory(config, directory)
    check_hydra(config)
    check_references(config)
    hydra_internals.configure_logging(config)
    is_batched, is_gdlabs = (
        hydra_plugins.is_gdlab_plugin(config, kind) for kind in ("launcher", "sweeper")
    )
    loader = hydra_internals.config_loader()
    if is_batched and is_gdlabs:
        return hydra_internals.run_sweeper(config, loader, run_job_of_sweep, Callback())
    check_flags({str(key): config.get(key) for key in config if key in COMMAND_KEYS})
    check_dry_run(config, is_batched=is_batched)
    check_choices_of_jobs(config)
    kept = existing_folders(directory)
    is_named = hydra_internals.is_typed(config, _DIRECTORY)
    with claimed(directory, exact=is_named, setting=_DIRECTORY) as own:
        if own != directory:
            hydra_internals.set_sweep_directory(config, own)
        try:
            return _run_others(config, loader)
        except BaseException:
            files = (path for path in own.rglob("*") if not path.is_dir())
            if all(path.name in _HYDRAS_FILES for path in files):
                remove_unused(own, kept)  # no job has begun
            raise


def check_choices_of_jobs(config: DictConfig) -> None:
    """Check what a sweep chooses from groups, which gdlab's own plugins do with their plan.

    Raises:
        SettingError: a choice sets what only the sweep as a whole has.
        HydraException: a choice does not fit.
    """
    loader = hydra_internals.config_loader()
    typed = hydra_internals.overrides_of(config.hydra, "task")
    words = [*to_hydra_overrides(axes_of(config), typed), *typed]
    choices = chosen_by(OverridesParser.create().parse_overrides(words), loader)
    swept = [key for key, words in choices.items() if len(words) > 1]
    jobs = (job for key in swept for job in one_by_one(choices, key))
    check_jobs(config, (loader.load_sweep_config(config, job) for job in jobs))


def axes_of(config: DictConfig) -> list[str]:
    """Return the axes that an experiment brings, as overrides."""
    params = OmegaConf.select(config, "hydra.sweeper.params") or {}
    return [f"{key}={value}" for key, value in params.items()]


def _run_others(config: DictConfig, loader: ConfigLoader) -> int:
    """Run a sweep by plugins that may raise anything, write its tables, return the exit code."""
    tables = TablesCallback(loader)
    try:
        hydra_internals.run_sweeper(config, loader, run_job_of_sweep, tables)
    except (GdlabError, HydraException, OmegaConfBaseException, OSError):
        raise
    except BaseException as error:
        tables.exit_code()  # where no job has a result, it says why
        if not isinstance(error, Exception):
            raise
        chosen = config.hydra.runtime.choices
        plugins = ", ".join(f"{key}={chosen[key]}" for key in ("hydra/sweeper", "hydra/launcher"))
        raise SettingError(f"{plugins}: cannot run ({describe_error(error)})") from error
    return tables.exit_code()
