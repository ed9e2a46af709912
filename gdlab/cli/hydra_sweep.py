"""A sweep by the sweeper and the launcher of its configuration, gdlab's or any others."""

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gdlab.cli import hydra_internals, hydra_plugins
from gdlab.cli.choices import chosen_by, one_by_one
from gdlab.cli.hydra_checks import check_hydra, check_jobs
from gdlab.cli.job_tables import TablesCallback, check_unused
from gdlab.cli.run import run_job_of_sweep
from gdlab.config.loading import check_flags
from gdlab.config.overrides import to_hydra_overrides
from gdlab.config.settings import COMMAND_KEYS
from gdlab.errors import GdlabError, SettingError, describe_error
from gdlab.paths import user_path
from gdlab.recording.files import existing_folders, remove_unused

_HYDRAS_FILES = ("multirun.yaml", "config.yaml", "hydra.yaml", "overrides.yaml")


def run_composed_sweep(config: DictConfig) -> int:
    """Run the sweep of a composed configuration and return the exit code.

    Raises:
        SettingError: a setting of it cannot be used.
        HydraException: the overrides of a job do not fit.
    """
    hydra_internals.set_current_config(config)
    wanted = hydra_internals.resolve(config, "hydra.sweep.dir")
    directory = user_path(wanted)
    if wanted.startswith("~"):
        hydra_internals.set_sweep_directory(config, directory)
    check_hydra(config)
    hydra_internals.configure_logging(config)
    is_batched, is_gdlabs = (
        hydra_plugins.is_gdlab_plugin(config, kind) for kind in ("launcher", "sweeper")
    )
    if is_batched and is_gdlabs:
        return _run(config)
    check_flags({str(key): config.get(key) for key in config if key in COMMAND_KEYS})
    check_unused(config, is_batched=is_batched)
    check_choices_of_jobs(config)
    kept = existing_folders(directory)
    try:
        return _run_others(config)
    except Exception:
        files = (path for path in directory.rglob("*") if not path.is_dir())
        if directory.is_dir() and all(path.name in _HYDRAS_FILES for path in files):
            remove_unused(directory, kept)  # no job has begun
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


def _run(config: DictConfig) -> int:
    """Run a sweep, write its tables where its launcher does not, and return the exit code."""
    loader = hydra_internals.config_loader()
    tables = TablesCallback(loader)
    try:
        returned = hydra_internals.run_sweeper(config, loader, run_job_of_sweep, tables)
    except (GdlabError, HydraException, OmegaConfBaseException, OSError):
        raise
    except BaseException:
        tables.exit_code()  # where no job has a result, it says why
        raise
    code = tables.exit_code()
    return returned if isinstance(returned, int) else code


def _run_others(config: DictConfig) -> int:
    """Run a sweep by plugins that may raise anything."""
    try:
        return _run(config)
    except (GdlabError, HydraException, OmegaConfBaseException, OSError):
        raise
    except Exception as error:
        chosen = config.hydra.runtime.choices
        plugins = ", ".join(f"{key}={chosen[key]}" for key in ("hydra/sweeper", "hydra/launcher"))
        raise SettingError(f"{plugins}: cannot run ({describe_error(error)})") from error
