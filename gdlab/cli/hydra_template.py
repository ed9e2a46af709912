"""The template of a group's `.hydra` files and directories, from a composed configuration."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from gdlab.cli import hydra_internals
from gdlab.sweeps.hydra_dir import NUMBER_MARK, Template, mark, mark_in_name
from gdlab.sweeps.names import SUBDIR

_OWN_SUBDIR = "${hydra.job.override_dirname}"  # in conf/config.yaml; gdlab gives shorter names
_HYDRAS_NAMING = {"kv_sep": "=", "item_sep": ",", "exclude_keys": []}


def make_template(
    config: DictConfig, varying: Sequence[str], numbers: Sequence[int] = ()
) -> Template:
    """Dump a composed configuration with marks in place of what differs between runs.

    Args:
        config: of one of the runs, including its `hydra` node.
        varying: the settings that differ between the runs.
        numbers: of the runs, if they are one of several batches of a sweep.

    Raises:
        SettingError: the directories of the runs have no name.
    """
    task = hydra_internals.without_hydra(config)
    own = OmegaConf.masked_copy(config, "hydra")
    with _marked_job(own, mark) as job:
        if not OmegaConf.is_interpolation(job, "override_dirname"):  # it is one from Hydra 1.4 on
            job.override_dirname = mark("dirname")
    _mark_settings(task, varying, mark)
    naming: dict[str, Any] = dict(config.hydra.job.config.override_dirname)
    naming["exclude_keys"] = list(naming["exclude_keys"])
    return Template(
        OmegaConf.to_yaml(task),
        OmegaConf.to_yaml(own),
        **naming,
        subdir=_find_subdir(config, varying) if _asks_for_names(config, naming) else None,
        folder=config.hydra.output_subdir,
        numbers=list(numbers),
    )


@contextmanager
def _marked_job(config: DictConfig, mark: Callable[[str], str]) -> Iterator[DictConfig]:
    """Put marks in a `hydra` node in place of what differs between jobs; yield its node `job`."""
    with read_write(config), open_dict(config):
        job, runtime, words = config.hydra.job, config.hydra.runtime, config.hydra.overrides
        for node in (job, runtime, words):
            OmegaConf.set_readonly(node, False)
        job.id, job.num, runtime.output_dir = mark("id"), NUMBER_MARK, mark("directory")
        words.task = [mark(f"override.{i}") for i in range(len(words.task))]
        yield job


def _mark_settings(config: DictConfig, varying: Sequence[str], mark: Callable[[str], str]) -> None:
    """Put marks in place of the settings that differ between runs."""
    for key in varying:
        OmegaConf.update(config, key, mark(key), force_add=True)


def _asks_for_names(config: DictConfig, naming: Mapping[str, Any]) -> bool:
    """Tell whether the command or an experiment names the directories of the runs."""
    raw: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    is_typed = hydra_internals.is_typed(config, SUBDIR)
    return is_typed or naming != _HYDRAS_NAMING or raw["subdir"] != _OWN_SUBDIR


def _find_subdir(config: DictConfig, varying: Sequence[str]) -> str:
    """Return the directories of the runs that a configuration asks for, with marks."""
    marked = copy.deepcopy(config)
    with _marked_job(marked, mark_in_name) as job:
        job.override_dirname = mark_in_name("dirname")
    with open_dict(marked):
        _mark_settings(marked, varying, mark_in_name)
    text = hydra_internals.resolve(marked, SUBDIR)
    return text.replace(str(NUMBER_MARK), mark_in_name("number"))
