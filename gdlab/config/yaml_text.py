"""YAML exactly as Hydra writes it."""

from typing import Any

from omegaconf import OmegaConf


def to_yaml(values: Any) -> str:
    """Return nested plain values as YAML, as Hydra writes a configuration."""
    return OmegaConf.to_yaml(OmegaConf.create(values))
