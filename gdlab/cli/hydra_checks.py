"""What a configuration asks of Hydra, checked before anything is made."""

from pathlib import Path

from omegaconf import DictConfig

from gdlab.cli import hydra_internals
from gdlab.errors import SettingError

_OUTPUT_SUBDIR = "hydra.output_subdir"


def check_hydra(config: DictConfig) -> None:
    """Check the `hydra` node of a composed configuration.

    Raises:
        SettingError: one of its settings cannot be used.
    """
    if config.hydra.output_subdir is not None:
        folder = Path(hydra_internals.resolve(config, _OUTPUT_SUBDIR))
        if folder.is_absolute() or ".." in folder.parts:
            raise SettingError(
                f"{_OUTPUT_SUBDIR}={folder}: must be a folder in the run's directory"
            )
