"""The cores that this process may use, and one thread where results must not depend on them."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch operations on one thread.

    Torch splits large tensors into one piece per thread, at any element. The last elements of a
    piece then take a scalar path, which rounds differently from the vector path.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cores(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> int:
    """Return the number of cores this process may use: by CPU affinity and by container quota.

    Args:
        membership: the file that lists the cgroups of this process.
        mount: where the cgroup file systems are mounted.
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux only
    count = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, math.ceil(min(count, cgroup_quota(membership, mount))))


def cgroup_quota(membership: Path, mount: Path) -> float:
    """Return the CPU quota in cores, of cgroup v1 or v2; infinity where there is none.

    A quota limits all groups below it, so the smallest on the way to the root counts. In a
    container without a cgroup namespace (v1), the paths of the host do not exist below `mount`,
    whose root is then the container's own group.

    Args:
        membership: the file that lists the cgroups of this process.
        mount: where the cgroup file systems are mounted.
    """
    lines: list[str] = []
    with suppress(OSError):
        lines = membership.read_text(encoding="utf-8").splitlines()
    quotas = (_quota(group) for line in lines for group in _groups(line, mount))
    return min(quotas, default=math.inf)


def _groups(line: str, mount: Path) -> Iterator[Path]:
    """The directories of a line `id:controllers:path` that may hold a CPU quota, root first."""
    controllers, _, path = line.partition(":")[2].partition(":")
    if controllers and "cpu" not in controllers.split(","):
        return
    group = mount / "cpu" if controllers else mount  # v2 names no controllers
    yield group
    for name in path.split("/"):
        if name not in ("", ".."):
            group = group / name
            yield group


def _quota(group: Path) -> float:
    """The quota in cores of one cgroup, infinity where it sets none."""
    with suppress(OSError, ValueError, ZeroDivisionError):  # "max" is a ValueError
        quota, period = (group / "cpu.max").read_text().split()
        return int(quota) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    return math.inf
