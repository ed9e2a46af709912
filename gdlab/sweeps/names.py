"""The names of the runs' directories in a sweep, where the command asks for its own."""

from itertools import pairwise
from pathlib import PurePosixPath

from gdlab.errors import SettingError
from gdlab.sweeps.plan import Plan

SUBDIR = "hydra.sweep.subdir"
_LONGEST = 255  # bytes in a name on nearly all file systems


def check_names(plan: Plan, taken: set[str]) -> None:
    """Check that each run has a directory for itself inside that of its sweep.

    Args:
        plan: of the sweep.
        taken: names that the sweep itself uses in its directory.

    Raises:
        SettingError: the names that `hydra.sweep.subdir` makes cannot be used.
    """
    if all(template is None or template.subdir is None for template in plan.templates):
        return
    names = sorted((PurePosixPath(plan.name(run)).parts, run) for run in range(len(plan)))
    for parts, run in names:
        name = "/".join(parts)
        if not parts or parts[0] == "/" or ".." in parts or parts[0] in taken or "\0" in name:
            raise SettingError(
                f"{SUBDIR}={name}: must be a folder in the sweep's directory"
                f" other than {', '.join(sorted(taken))} (run {run})"
            )
        if max(len(part.encode()) for part in parts) > _LONGEST:
            raise SettingError(f"{SUBDIR}={name[:50]}…: must have at most {_LONGEST} bytes")
    for (outer, one), (inner, other) in pairwise(names):
        if inner[: len(outer)] == outer:
            raise SettingError(
                f"{SUBDIR}={'/'.join(outer)}: each run needs a directory for itself, and runs {one}"
                f" and {other} share it; add ${{hydra.job.num}}"
            )
