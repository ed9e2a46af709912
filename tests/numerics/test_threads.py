"""The cores that a process may use: by affinity, and by the CPU quota of its cgroup."""

import math
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gdlab.numerics.threads import cgroup_quota, cores

# The lines of /proc/self/cgroup, the files below /sys/fs/cgroup, and the quota in cores.
QUOTAS: dict[str, tuple[str, Mapping[str, str], float]] = {
    "v2 container": ("0::/", {"cpu.max": "150000 100000"}, 1.5),
    "v2 without a quota": ("0::/", {"cpu.max": "max 100000"}, math.inf),
    "v2 at the root of the host": ("0::/", {}, math.inf),
    "v2 group": ("0::/a/b", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "max 100000"}, 3),
    "v2 smaller quota above": (
        "0::/a/b",
        {"a/b/cpu.max": "300000 100000", "a/cpu.max": "50000 100000"},
        0.5,
    ),
    "v2 path outside of its namespace": ("0::/../../a", {"a/cpu.max": "200000 100000"}, 2),
    "v2 another group": ("0::/a", {"b/cpu.max": "100000 100000"}, math.inf),
    "v2 damaged": ("0::/", {"cpu.max": "a lot"}, math.inf),
    "v1 container": (
        "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n",
        {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"},
        2.5,
    ),
    "v1 group": (
        "4:cpuacct,cpu:/a",
        {
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "cpu/a/cpu.cfs_quota_us": "20000",
            "cpu/a/cpu.cfs_period_us": "10000",
        },
        2,
    ),
    "v1 without a quota": (
        "4:cpu:/",
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
        math.inf,
    ),
    "v1 other controllers": (
        "4:cpuset:/",
        {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"},
        math.inf,
    ),
    "v1 and v2": (
        "4:cpu:/\n0::/",
        {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"},
        1,
    ),
    "damaged": ("nothing\n\n", {}, math.inf),
}


def write_cgroup(folder: Path, lines: str, files: Mapping[str, str]) -> tuple[Path, Path]:
    """A membership file and a tree of cgroups in a folder: their paths."""
    membership, mount = folder / "cgroup", folder / "mount"
    membership.write_text(lines)
    for name, text in files.items():
        path = mount / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return membership, mount


@pytest.mark.parametrize("name", QUOTAS)
def test_the_quota_of_a_cgroup(name: str, tmp_path: Path) -> None:
    lines, files, quota = QUOTAS[name]
    assert cgroup_quota(*write_cgroup(tmp_path, lines, files)) == quota


def test_no_cgroup_means_no_quota(tmp_path: Path) -> None:
    assert cgroup_quota(tmp_path / "absent", tmp_path) == math.inf


@pytest.mark.parametrize(("quota", "expected"), [(1, 1), (99_999, 1), (100_000, 1), (100_001, 2)])
def test_a_quota_is_rounded_up(quota: int, expected: int, tmp_path: Path) -> None:
    paths = write_cgroup(tmp_path, "0::/", {"cpu.max": f"{quota} 100000"})
    assert cores(*paths) == min(expected, cores(tmp_path / "absent", tmp_path))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_affinity_counts(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    paths = write_cgroup(tmp_path, "0::/", {"cpu.max": "100000000 100000"})
    assert cores(*paths) == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores(*paths) == 1
    finally:
        os.sched_setaffinity(0, before)


def test_this_process_has_a_core() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
