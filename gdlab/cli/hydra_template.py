"""The template of a group's `.hydra` files, from a composed configuration."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from gdlab.sweeps.hydra_dir import NUMBER_MARK, Template, mark


def make_template(config: DictConfig, varying: Sequence[str]) -> Template:
    """Dump a composed configuration with marks in place of what differs between runs.

    Args:
        config: of one of the runs, including its `hydra` node.
        varying: the settings that differ between the runs.
    """
    task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    own = OmegaConf.masked_copy(config, "hydra")
    with read_write(own), open_dict(own):
        job, runtime = own.hydra.job, own.hydra.runtime
        for node in (job, runtime, own.hydra.overrides):
            OmegaConf.set_readonly(node, False)
        job.id = mark("id")
        job.num = NUMBER_MARK
        if not OmegaConf.is_interpolation(job, "override_dirname"):  # it is one from Hydra 1.4 on
            job.override_dirname = mark("dirname")
        runtime.output_dir = mark("directory")
        count = len(own.hydra.overrides.task)
        own.hydra.overrides.task = [mark(f"override.{i}") for i in range(count)]
    for key in varying:
        OmegaConf.update(task, key, mark(key), force_add=True)
    naming: dict[str, Any] = dict(job.config.override_dirname)
    naming["exclude_keys"] = list(naming["exclude_keys"])
    return Template(OmegaConf.to_yaml(task), OmegaConf.to_yaml(own), **naming)
