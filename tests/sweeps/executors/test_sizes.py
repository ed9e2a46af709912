"""The size of shards: two for each core, fewer where one driver could not keep up with them."""

import math

import pytest

from gdlab.sweeps.executors.sizes import ShardCost, shard_size, sweep_seconds

COST = ShardCost(driver=2e-3, worker=1e-2)
SHORT, LONG = 7e-5, 1.0

# runs, cores, engine.max_rows, seconds of a run, and the size
SIZES = [
    (1, 2, 8192, SHORT, 1),
    (1000, 2, 8192, SHORT, 256),
    (10**6, 2, 8192, SHORT, 8192),
    (10**6, 100, 8192, SHORT, 5024),
    # 1,954 and 6,250 shards would take the driver 4 s and 12 s, the cores less than 1 s
    (10**6, 1000, 8192, SHORT, 4096),
    (2 * 10**5, 10**4, 8192, SHORT, 2048),
    (10**7, 1000, 100, SHORT, 100),
    # the driver would take 4 s here too, but the cores 1,000 s
    (10**6, 1000, 8192, LONG, 512),
]


@pytest.mark.parametrize(("runs", "cores", "most", "run", "wanted"), SIZES)
def test_the_size_of_shards(runs, cores, most, run, wanted):
    assert min(shard_size(runs, cores, most, COST, run), runs) == wanted


@pytest.mark.parametrize("cores", [10**3, 10**4])
@pytest.mark.parametrize("run", [1e-6, 1e-5, 1e-4])
def test_where_the_driver_limits_a_sweep_it_takes_about_as_long_as_it_can_at_best(cores, run):
    """A driver that sends for s = R d / n seconds, and cores that run a shard for n r: equal."""
    runs, most = 2 * 10**6, 10**6
    best = math.sqrt(runs * COST.driver * run) + COST.worker
    size = shard_size(runs, cores, most, COST, run)
    assert sweep_seconds(runs, cores, size, COST, run) < 2 * best
