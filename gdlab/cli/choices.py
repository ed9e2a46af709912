"""What may be chosen from a group: the names in its folder and in the folders within."""

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType


def choices_in(group: str, loader: ConfigLoader) -> list[str]:
    """List the choices of a group, such as `rosenbrock` and `mgh/rosenbrock` of `loss`, sorted.

    Args:
        group: such as `loss` or `hydra/launcher`; one that does not exist has no choices.
        loader: knows the groups, also those of `--config-dir`.
    """
    names = loader.get_group_options(group, ObjectType.CONFIG)
    for folder in loader.get_group_options(group, ObjectType.GROUP):
        names += [f"{folder}/{name}" for name in choices_in(f"{group}/{folder}", loader)]
    return sorted(names)
