"""The size of shards, by a model of what shards cost.

Its numbers are those that `benchmarks/machines.py` measures.
"""

import math
from dataclasses import dataclass

_PER_CORE = 2  # shards, so that no core waits long for the last one
_ROWS = 32  # shards have a multiple of it, since batches are padded to a divisor of it
_NOTICED = 1.0  # seconds; less than it takes to start an executor


@dataclass(frozen=True)
class ShardCost:
    """What a shard takes besides its runs, in seconds.

    Attributes:
        driver: of the driver, which sends and gathers all shards, one after the other.
        worker: of the core that runs it.
    """

    driver: float
    worker: float


def sweep_seconds(runs: int, cores: int, size: int, cost: ShardCost, run: float) -> float:
    """Return how long a sweep takes.

    Args:
        runs: the number of its runs.
        cores: the number of cores that run shards.
        size: the number of runs in a shard.
        cost: what a shard takes besides its runs.
        run: what a run takes, in seconds.
    """
    shards = math.ceil(runs / size)
    rounds = math.ceil(shards / cores)
    return max(shards * cost.driver, rounds * (min(size, runs) * run + cost.worker))


def shard_size(runs: int, cores: int, most: int, cost: ShardCost, run: float) -> int:
    """Return the number of runs in a shard: so many that each core gets two shards.

    Where the driver would take longer to send these than the cores for their runs, and long enough
    to be noticed, the sweep is faster with larger ones. Otherwise they would not help if a run
    takes longer than one thinks: few shards for each core then leave many idle.

    Args:
        runs: the number of runs.
        cores: the number of cores that run shards.
        most: the maximum number of runs in a shard.
        cost: what a shard takes besides its runs.
        run: what a run takes, in seconds.
    """
    even = math.ceil(runs / (_PER_CORE * cores) / _ROWS) * _ROWS
    sizes = [min(most, even)]
    driver = math.ceil(runs / sizes[0]) * cost.driver
    if driver > _NOTICED and driver >= sweep_seconds(runs, cores, sizes[0], cost, run):
        while sizes[-1] < most:
            sizes.append(min(most, 2 * sizes[-1]))
    return min(sizes, key=lambda size: sweep_seconds(runs, cores, size, cost, run))
