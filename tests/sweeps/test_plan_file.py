"""A sweep's plan is read back bit for bit."""

import dataclasses
import gzip
import json
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gdlab import GdlabError, SettingError
from gdlab.cli.axes import cross_overrides
from gdlab.cli.composition import CONFIG_NAME, hydra_ready
from gdlab.cli.sweep import make_plan
from gdlab.config.loading import settings_from_flat
from gdlab.fields.declared import Configured
from gdlab.recording.digests import SUMS, write_with_digest
from gdlab.sweeps import plan_file
from gdlab.sweeps.grid import Axis, product
from gdlab.sweeps.grouping import group_runs
from gdlab.sweeps.hydra_dir import Template
from gdlab.sweeps.plan import Group, Plan


@pytest.fixture(scope="module")
def plan_of() -> Iterator[Callable[..., Plan]]:
    """The plan that a command makes."""
    with hydra_ready():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        config = hydra.compose_config(CONFIG_NAME, ["hydra.sweep.dir=s"], RunMode.MULTIRUN)
        loader = hydra.config_loader
        parser = OverridesParser.create(config_loader=loader)

        def make(*words: str) -> Plan:
            return make_plan(
                config, loader, cross_overrides(parser.parse_overrides(list(words)), 7)
            )

        yield make


def test_each_structure_is_composed_once(monkeypatch):
    with hydra_ready():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        config = hydra.compose_config(CONFIG_NAME, ["hydra.sweep.dir=s"], RunMode.MULTIRUN)
        loader = hydra.config_loader
        asked: list[list[str]] = []
        compose = loader.load_sweep_config

        def counting(config: Any, overrides: list[str]) -> Any:
            asked.append(list(overrides))
            return compose(config, overrides)

        monkeypatch.setattr(loader, "load_sweep_config", counting)
        words = ["optimizer=sgd,adam", "lr=0.1,0.2", "loss.dim=2,3"]
        plan = make_plan(
            config, loader, cross_overrides(OverridesParser.create().parse_overrides(words), 7)
        )
    assert len(plan.groups) == 4
    assert sorted(asked) == sorted(plan.grid.overrides(int(group.runs[0])) for group in plan.groups)
    for group, template in zip(plan.groups, plan.templates, strict=True):
        assert template is not None and f"dim: {group.settings.loss.dim}" in template.config


def bits(value: Any) -> Any:
    """Tell values apart that `==` does not: by type, the sign of zero, NaN, every bit."""
    if isinstance(value, Configured):
        return type(value), {name: bits(held) for name, held in value.settings().items()}
    if isinstance(value, dict):
        return {name: bits(held) for name, held in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value), [bits(item) for item in value]
    return type(value), struct.pack("d", value) if isinstance(value, float) else value


def assert_same_array(one: np.ndarray, other: np.ndarray) -> None:
    assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def assert_same_group(one: Group, other: Group) -> None:
    assert bits(one.settings) == bits(other.settings)
    assert_same_array(one.runs, other.runs)
    assert list(one.columns) == list(other.columns)
    for key, values in one.columns.items():
        assert_same_array(values, other.columns[key])


def assert_same_plan(one: Plan, other: Plan) -> None:
    assert_same_array(one.grid.index, other.grid.index)
    assert len(one.grid.axes) == len(other.grid.axes)
    for axis, same in zip(one.grid.axes, other.grid.axes, strict=True):
        assert (axis.key, list(axis.texts)) == (same.key, list(same.texts))
        assert bits(list(axis.values)) == bits(list(same.values))
    for group, same in zip(one.groups, other.groups, strict=True):
        assert_same_group(group, same)
    for shard, same in zip(one.shards(), other.shards(), strict=True):
        assert_same_group(shard, same)
    for template, same in zip(one.templates, other.templates, strict=True):
        assert (template is None) == (same is None)
        if template is not None and same is not None:
            assert dataclasses.asdict(template) == dataclasses.asdict(same)
    runs = np.arange(len(one))
    assert [one.name(run) for run in range(len(one))] == [other.name(r) for r in range(len(other))]
    assert bits(one.varied(runs)) == bits(other.varied(runs))
    assert one.by() == other.by()
    assert (one.executor, one.rows) == (other.executor, other.rows)


# words of a command, and how many groups they make
PLANS: list[tuple[list[str], int]] = [
    ([], 1),
    (["lr=0.1"], 1),
    (["lr=0.1,1,1e-300", "seed=range(3)"], 1),
    (["lr=tag(log,interval(1e-9,1e9))", "start=[0.1,-0.0],[1e308,5e-324]"], 1),
    (
        [
            "lr=interval(0.1,0.7)",
            "start=[0,0]",
            "start.0=-1,2.5",
            "start.1=interval(0,1)",
            "noise.scale=0,1",
        ],
        1,
    ),
    (["seed=9223372036854775807,0", "start=random"], 1),
    (["optimizer=sgd,adam,nesterov", "lr=0.1,0.2"], 3),
    (["loss=quadratic,rosenbrock,mse", "optimizer=sgd,adam", "seed=0,1"], 6),
    (["optimizer=adam", "optimizer.betas=[0.5,0.9],[0.9,0.99]", "loss.condition=2,30.5"], 1),
    (["loss.dim=3", "loss.eigenvalues=[1,2,3],[2,3,4]", "loss.center=0,[1,2,3]"], 4),
    (["loss=rosenbrock", "loss.dim=2,4", "dtype=float32,float64", "steps=5,6"], 8),
    (["schedule=cosine,constant,step", "stop.loss=1e-3", "stop.max_loss=1e9"], 3),
    (["summary.by=[lr]", "lr=0.1,0.2", "record.every=3", "engine.max_rows=1"], 1),
    (["loss.condition=2,30", "optimizer=momentum", "optimizer.momentum=0,0.5"], 1),
    (
        [
            "loss=expression",
            'loss.formula="a*x**2 + b","a + b*x"',
            "++loss.parameters.a=1,2.5",
            "++loss.parameters.b=1",
        ],
        2,
    ),
]


@pytest.mark.parametrize(("words", "groups"), PLANS)
def test_a_plan_survives_a_round_trip(words, groups, plan_of, tmp_path):
    plan = plan_of(*words)
    assert len(plan.groups) == groups
    plan_file.save(plan, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "plan.json", "plan.parquet"]
    assert_same_plan(plan, plan_file.load(tmp_path))


def test_a_plan_that_was_read_is_written_identically(plan_of, tmp_path):
    plan_file.save(plan_of("loss=quadratic,rosenbrock", "start=[1,2],[3,4]"), tmp_path)
    before = [(tmp_path / name).read_bytes() for name in ("plan.json", "plan.parquet")]
    plan_file.save(plan_file.load(tmp_path), tmp_path)
    assert [(tmp_path / name).read_bytes() for name in ("plan.json", "plan.parquet")] == before


def test_the_executor_and_the_size_of_shards_are_kept(plan_of, tmp_path):
    plan = dataclasses.replace(plan_of("lr=range(1,9)"), executor="processes", rows=3)
    assert [len(shard) for shard in plan.shards()] == [3, 3, 2]
    plan_file.save(plan, tmp_path)
    assert_same_plan(plan, plan_file.load(tmp_path))
    text = (tmp_path / "plan.json").read_text()
    for written, wrong, says in (
        (
            '"executor": "processes"',
            '"executor": "os.system"',
            "executor=os.system: must be one of",
        ),
        ('"rows": 3', '"rows": 0', "rows=0: must be a whole number ≥ 1"),
        ('"rows": 3', '"rows": "3"', 'rows="3": must be a whole number'),
        ('"rows": 3,', "", "missing or damaged"),
    ):
        assert written in text
        write_with_digest(tmp_path, "plan.json", text.replace(written, wrong).encode())
        with pytest.raises(GdlabError, match=f"plan.json: {says}"):
            plan_file.load(tmp_path)


def test_a_range_is_written_by_its_ends_and_is_no_longer_than_a_sweep(plan_of, tmp_path):
    plan_file.save(plan_of("seed=range(8,0,-2)"), tmp_path)
    text = (tmp_path / "plan.json").read_text()
    (axis,) = [axis for axis in json.loads(text)["axes"] if axis["key"] == "seed"]
    assert axis == {"key": "seed", "range": [8, 0, -2]}
    write_with_digest(tmp_path, "plan.json", text.replace(" 8,", f" {10**18},").encode())
    with pytest.raises(SettingError, match="a sweep can have at most"):
        plan_file.load(tmp_path)


OWN = """
from torch.utils.data import TensorDataset
import pathlib, torch, gdlab
from gdlab.losses.datasets.tables import read_examples

class Own(gdlab.PointLoss):
    file: str
    dim = 1
    start = (0.0,)

    def __post_init__(self):
        super().__post_init__()
        self.__dict__["data"] = read_examples(self.file, None, None)

    def point(self, x):
        return ((x - float(self.data.targets[0])) ** 2).sum()

class Set(TensorDataset):
    def __init__(self, path):
        rows = pathlib.Path(path).read_text().splitlines()[1:]
        table = torch.tensor([list(map(float, row.split(","))) for row in rows])
        super().__init__(table[:, :-1], table[:, -1])
"""

# words of a command that read some of the files d.csv, e.csv.gz and f.pq, and which ones
READ: list[tuple[list[str], set[str]]] = [
    (["loss=ridge", "loss.data=d.csv", "loss.penalty=0,1", "lr=0.1,0.2"], {"d.csv"}),
    (["loss=mse", "loss.data=e.csv.gz,f.pq"], {"e.csv.gz", "f.pq"}),
    (["loss=mse", "loss.data=${oc.env:PWD}/d.csv"], {"d.csv"}),
    (["loss=mse", "loss.data=iris"], set()),
    (["loss=mlp", "loss.data={_target_:own.Set,path:d.csv}"], {"d.csv"}),
    (["loss=custom", "loss._target_=own.Own", "+loss.file=f.pq"], {"f.pq"}),
]


@pytest.fixture
def data(here: Path, monkeypatch: Any) -> Path:
    """A working directory with files of data."""
    monkeypatch.setenv("PWD", str(here))
    monkeypatch.syspath_prepend(here)
    content = b"a,b,y\n1,2,0\n2,1,1\n3,4,0\n4,9,1\n"
    (here / "d.csv").write_bytes(content)
    (here / "e.csv.gz").write_bytes(gzip.compress(content))
    pq.write_table(pa.table({"a": [1, 2], "y": [0, 1]}), here / "f.pq")
    (here / "own.py").write_text(OWN)
    return here


@pytest.mark.parametrize(("words", "names"), READ)
def test_a_plan_knows_the_files_that_its_losses_read(words, names, plan_of, data):
    plan_file.save(plan_of(*words), data)
    trusted = ("own.Own", "own.Set")
    assert {Path(file.path).name for file in plan_file.load(data, trusted).data} == names
    for name in ("d.csv", "e.csv.gz", "f.pq"):
        before = (data / name).read_bytes()
        for content in (before[:-1] + b"7", before + b"\n", None):
            (data / name).unlink()
            if content is not None:
                (data / name).write_bytes(content)
            if name in names:
                says = "no such file" if content is None else "has changed since the sweep began"
                with pytest.raises(SettingError, match=f"^resume=.*{name}: {says}"):
                    plan_file.load(data, trusted)
            else:
                plan_file.load(data, trusted)
        (data / name).write_bytes(before)


def test_relative_paths_of_data_are_relative_to_the_folder_of_the_command(
    plan_of, data, monkeypatch
):
    plan_file.save(plan_of("loss=mse", "loss.data=d.csv"), data)
    (data / "sub").mkdir()
    monkeypatch.chdir(data / "sub")
    relative = f"the path is relative to {data}$"
    with pytest.raises(SettingError, match=f"d.csv: no such file; {relative}"):
        plan_file.load(data)
    (data / "sub" / "d.csv").write_bytes(b"a,y\n1,2\n3,4\n")
    with pytest.raises(SettingError, match=rf"\(30 bytes then, 12 now\); {relative}"):
        plan_file.load(data)
    shutil.copy(data / "d.csv", data / "sub" / "d.csv")
    assert len(plan_file.load(data)) == 1


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    lr=st.lists(FINITE.filter(lambda x: x > 0), min_size=1, max_size=5),
    start=st.lists(st.tuples(FINITE, FINITE).map(list), min_size=1, max_size=5),
    seed=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5),
    texts=st.lists(st.text(max_size=9), min_size=3, max_size=3),
)
def test_any_numbers_and_strings_survive_a_round_trip(lr, start, seed, texts, tmp_path_factory):
    axes = [
        Axis(key, values, [repr(value) for value in values])
        for key, values in (("lr", lr), ("start", start), ("seed", seed))
    ]
    grid = product(axes)
    groups = group_runs(grid, lambda words: settings_from_flat({"lr": lr[0], "start": start[0]}))
    template = Template(texts[0], texts[1], texts[2], ",", ["lr"])
    plan = Plan(grid, tuple(groups), (template,))
    directory: Path = tmp_path_factory.mktemp("plan")
    plan_file.save(plan, directory)
    assert_same_plan(plan, plan_file.load(directory))


def test_the_columns_are_checked_again(plan_of, tmp_path):
    plan_file.save(plan_of("lr=0.1,0.25"), tmp_path)
    text = (tmp_path / "plan.json").read_text()
    for written, says in (("-1", "lr=-1"), ("Infinity", "lr=inf"), ("NaN", "lr=nan")):
        write_with_digest(tmp_path, "plan.json", text.replace(" 0.25", f" {written}").encode())
        with pytest.raises(SettingError, match=says):
            plan_file.load(tmp_path)
