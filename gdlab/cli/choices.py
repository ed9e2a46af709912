"""What may be chosen from a group: the names in its folder and in the folders within."""

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType


def choices_in(group: str | None, loader: ConfigLoader) -> list[str]:
    """List the choices of a group, such as `rosenbrock` and `mgh/rosenbrock` of `loss`, sorted.

    Args:
        group: such as `loss` or `hydra/launcher`; none has no choices, like one that is not there.
        loader: knows the groups, also those of `--config-dir`.
    """
    if not group:
        return []
    names = loader.get_group_options(group, ObjectType.CONFIG)
    for folder in loader.get_group_options(group, ObjectType.GROUP):
        names += [f"{folder}/{name}" for name in choices_in(f"{group}/{folder}", loader)]
    return sorted(names)
