"""YAML exactly as Hydra writes and reads it."""

from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from gdlab.errors import first_line


def to_yaml(values: Any) -> str:
    """Return nested plain values as YAML, as Hydra writes a configuration."""
    return OmegaConf.to_yaml(OmegaConf.create(values))


def from_yaml(text: str) -> Any:
    """Return the nested plain values of YAML, in which 1e-3 is a number and no key comes twice.

    Raises:
        ValueError: it is no YAML.
    """
    try:
        return OmegaConf.to_container(OmegaConf.create(text))
    except MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValueError(f"{at}{error.problem}") from error
    except RecursionError as error:
        raise ValueError("it holds itself, or is nested too deeply") from error
    except (YAMLError, OmegaConfBaseException) as error:
        raise ValueError(first_line(error)) from error
