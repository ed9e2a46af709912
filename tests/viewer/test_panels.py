"""What the panels of the viewer's page show, computed by its own functions in node."""

import json
import math
from typing import Any

import numpy as np
import pytest
from helpers.scripts import evaluated, with_node

from gdlab.results.quantiles import quartiles

MODULES = ["series", "scales", "settings", "endings", "livequery", "live"]

# Runs as in a scene: a geometric one (0.9 a step), one that falls as 1/k, and one that diverged.
BEFORE = """
const array = (values, width = 0) => ({
  values: Float32Array.from(values),
  shape: width ? [values.length / width, width] : [values.length],
});
const steps = Array.from({ length: 101 }, (_, k) => k);
const run = (values, more = {}) => ({
  label: "run", status: "converged", settings: {}, rate: null, lr_limit: null,
  final_loss: values.at(-1), step: array(values.map((_, k) => k)), loss: array(values),
  suboptimality: array(values), lr: array(values.map(() => 0.5)), sharpness: null, ...more,
});
const geometric = run(steps.map((k) => 8 * 0.9 ** k), { rate: 0.9 });
const harmonic = run(steps.map((k) => 1 / Math.max(k, 0.5)));
const lost = run([1, 1e4, 1e30, Infinity], { status: "diverged" });
const rows = [0, 10, 100];
const thinned = { ...geometric, step: array(rows), loss: array(rows.map((k) => 8 * 0.9 ** k)) };

const axes = [
  { name: "optimizer", numeric: false, values: ["adam", "sgd"] },
  { name: "lr", numeric: true, values: [0.01, 0.1, 1] },
  { name: "seed", numeric: true, values: [0, 1, 2] },
];
const grid = [
  ["adam", 0.01, 0], ["adam", 0.1, 0], ["adam", 0.1, 2], ["sgd", 0.1, 1], ["sgd", 1, 0],
].map(([optimizer, lr, seed]) => run([1], { settings: { optimizer, lr, seed } }));
const all = grid.map((_, k) => k);
const near = (wanted, moved) => nearestRun(grid, all, axes, wanted, moved);

const problem = (id, group, dim, condition) => ({ id, group, settings: { dim, condition } });
const problems = [
  problem("a", "g", 2, 5), problem("b", "g", 2, 20), problem("c", "g", 10, 20),
  problem("d", "h", 10, 5),
];
const ofProblem = [
  { name: "dim", numeric: true, values: [2, 10], ofProblem: true },
  { name: "condition", numeric: true, values: [5, 20], ofProblem: true },
];

const ends = (status, ...path) => run([1, 1], { status, path: array(path, 2) });
const scattered = [
  ends("converged", 0, 0, 1, 1.001), ends("max_steps", 2, 0, 1.01, 1),
  ends("max_steps", 0, 2, 0, 0.5), ends("diverged", 2, 2, 1, 1), ends("converged", 0, 1, -1, -1),
];
const plane = {
  origin: [10, 20], view: [[9, 12], [19, 22]],
  marks: [{ kind: "minimizer", at: [11, 21] }, { kind: "saddle", at: [10, 20.5] }],
};
const heard = async (patience, asks) => {
  const [said, open] = [[], []];
  const answer = (query, signal) => new Promise((resolve, reject) => {
    open.push(() => resolve(query));
    signal.addEventListener("abort", () => reject(new Error("given up")));
  });
  const told = (query) => said.push(query);
  const failed = ({ message }) => said.push(message);
  const ask = latestOnly({ ask: answer, told, failed, patience });
  for (const each of asks) ask(each);
  while (open.length > 0) {
    open.shift()();
    await new Promise(setImmediate);
  }
  return said;
};
"""

CLOSE = 1e-6  # of float32: 6e-8 of a value, and of a slope over a tenth of the steps 4e-7 observed

CASES: dict[str, tuple[str, Any]] = {
    "a value between two records, in logarithms": (
        "quantityAt(thinned, 'loss', 50, true)",
        8 * 0.9**50,
    ),
    "a value between two records": (
        "quantityAt(thinned, 'loss', 55)",
        (8 * 0.9**10 + 8 * 0.9**100) / 2,
    ),
    "no value after the end": ("quantityAt(geometric, 'loss', 101)", "NaN"),
    "the factor of a linear rate": ("decayAt(geometric, 'loss', 60).factor", 0.9),
    "the slope of 1/k": ("decayAt(harmonic, 'loss', 100).slope", -1.0),
    "no rate at the start": ("decayAt(geometric, 'loss', 0)", None),
    "theory's line": ("theoryOf(geometric, 'suboptimality', 0)[0].at(10)", 8 * 0.9**10),
    "no line for a loss whose minimum is not 0": ("theoryOf(geometric, 'loss', 1)", []),
    "2/lr beside the sharpness": ("theoryOf(geometric, 'sharpness', 0)[0].at(3)", 4.0),
    "slopes of sublinear rates": ("sublinear(6).map(({ at }) => at(10))", [0.6, 0.06]),
    "what is recorded can be shown": (
        "quantitiesOf([geometric]).map(({ key }) => key)",
        ["suboptimality", "loss", "lr"],
    ),
    "a metric can be shown": (
        "quantitiesOf([{ ...lost, metrics: { accuracy: array([0, 1]) } }]).at(-1).key",
        "accuracy",
    ),
    "no range of nothing": ("rangeOf([], 'loss', true)", None),
    "nor a log axis where a value is negative": ("rangeOf([run([1, -1])], 'loss', true)", None),
    "a lost run widens a log axis by two decades": (
        "rangeOf([geometric, lost], 'loss', true)[1]",
        (lambda low, high: high * (high / low) ** 0.04)(8 * 0.9**100, 800.0),
    ),
    "and a linear one not at all": (
        "rangeOf([geometric, lost], 'loss', false)[1]",
        8 + 0.04 * (8 - 8 * 0.9**100),
    ),
    "ticks of a log axis": (
        "axisOf([1e-12, 10], [0, 300], true, 6).ticks.map(({ text }) => text)",
        ["10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "1"],
    ),
    "ticks of two decades": (
        "axisOf([0.009, 0.3], [0, 300], true, 6).ticks.map(({ text }) => text)",
        ["0.01", "0.02", "0.05", "0.1", "0.2"],
    ),
    "a pixel and back": ("axisOf([1, 100], [50, 250], true, 3).scale.invert(150)", 10.0),
    "the run of these settings": (
        "near({ optimizer: 'adam', lr: 0.1, seed: 2 }, 'seed')",
        {"index": 2, "differs": []},
    ),
    "the nearest has the moved setting": (
        "near({ optimizer: 'adam', lr: 1, seed: 0 }, 'lr')",
        {"index": 4, "differs": ["optimizer"]},
    ),
    "and else the nearest numbers": (
        "near({ optimizer: 'adam', lr: 0.01, seed: 2 }, 'optimizer')",
        {"index": 2, "differs": ["lr"]},
    ),
    "a setting that follows from another is no axis": (
        "freeAxes({ axes: [...axes, { name: 'optimizer.momentum' }], runs: [] }).length",
        3,
    ),
    "the problem of these settings": (
        "nearestProblem(problems, 'g', ofProblem, { dim: 10, condition: 5 }, 'dim')",
        "c",
    ),
    "an end at a minimizer, near it, nowhere, lost, and elsewhere": (
        "basinsOf(scattered, [0, 1, 2, 3, 4], plane).starts.map(({ place }) => place)",
        [0, 0, None, None, 1],
    ),
    "one limit of alike runs": ("limitOf([{ lr_limit: 2 }, { lr_limit: 2.01 }])", 2),
    "none of others": ("limitOf([{ lr_limit: 2 }, { lr_limit: 3 }])", None),
    "the last question is answered": ("heard(Infinity, [1, 2, 3])", [1, 3]),
    "an answer that takes long is given up": ("heard(-1, [1, 2, 3])", [3]),
    "and for nothing too": ("heard(Infinity, [1, null])", []),
    "a change and back is none": (
        "withChange(withChange(null, 'a', 2, 1), 'a', 1, 1)",
        None,
    ),
}

WHOLE = "{ low: 1, high: 5, value: 2, scale: 'linear', whole: true }"
SLIDER = "{ name: 'lr', low: 1e-4, high: 10, value: 0.037, scale: 'log' }"
CASES |= {
    "a slider begins at its value": (
        f"valueOfPosition({SLIDER}, positionOfValue({SLIDER}, 0.037))",
        0.037,
    ),
    "and ends at its limits": (f"[0, 400].map((k) => valueOfPosition({SLIDER}, k))", [1e-4, 10]),
    "whole numbers": (
        f"[0, 1, 4].map((k) => valueOfPosition({WHOLE}, k))",
        [1, 2, 5],
    ),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """The values of all cases."""
    return evaluated(MODULES, {name: case[0] for name, case in CASES.items()}, BEFORE)


@with_node
@pytest.mark.parametrize("name", CASES)
def test_a_panel_computes(name: str, found: dict[str, Any]) -> None:
    assert found[name] == close_to(CASES[name][1])


def close_to(value: Any) -> Any:
    """Return what equals a value, numbers of it but for the rounding of float32."""
    if isinstance(value, list):
        return [close_to(item) for item in value]
    return pytest.approx(value, rel=CLOSE) if isinstance(value, float) else value


@with_node
def test_bands_are_the_quartiles_of_gdlab() -> None:
    """Those of the tables and pictures of a sweep: lost runs count as infinite."""
    rng = np.random.default_rng(0)
    groups = [rng.lognormal(size=n).tolist() for n in (1, 2, 5, 8)]
    groups[2][1], groups[3][:5] = math.inf, [math.inf] * 5
    runs = [
        {"settings": {"lr": lr}, "status": "diverged" if math.isinf(y) else "converged",
         "final_loss": None if math.isinf(y) else y}
        for lr, values in enumerate(groups) for y in values
    ]  # fmt: skip
    indices = json.dumps(list(range(len(runs))))
    options = "{ x: 'lr', groupBy: null, minimum: null }"
    expression = f"outcomesBy({json.dumps(runs)}, {indices}, {options})[0].bands"
    bands = evaluated(["endings"], {"bands": expression})["bands"]
    for band, values in zip(bands, groups, strict=True):
        shown = [float(band[name]) for name in ("low", "median", "high")]
        assert shown == pytest.approx(quartiles(np.array(values)), rel=1e-12)
        assert band["count"] == len(values)
