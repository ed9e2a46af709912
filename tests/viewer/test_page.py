"""Functions of the page that draw nothing, evaluated by node in one process."""

# ruff: noqa: RUF001 (the page writes the signs of print, such as a real minus)

from typing import Any

import numpy as np
import pytest
from helpers.scripts import evaluated, with_node
from matplotlib.colors import to_hex, to_rgb

from gdlab.plots.colors import CATEGORIES, ramp
from gdlab.plots.relief import _HIGHEST, _LOWEST

pytestmark = with_node

MODULES = [
    *[
        "camera",
        "colors",
        "filters",
        "grids",
        "hover",
        "legend",
        "markers",
        "numbers",
        "paths",
        "plane",
    ],
    *["relief", "runs", "scenes", "stage", "store", "transport"],
]

# A plane of 5 × 4 samples of 2x + 3y above a base, and a scene of two runs on it.
BEFORE = """
const array = (values, ...shape) => ({ values: Float32Array.from(values), shape });
const view = [[0, 8], [0, 6]];
const cells = Array.from({ length: 20 }, (_, k) => 2 * (2 * (k % 5)) + 3 * (2 * Math.floor(k / 5)));
const grid = { view, shape: [4, 5], values: array(cells, 4, 5), scale: "linear", base: 100 };
const holed = { ...grid, values: array(cells.map((v, k) => (k === 7 ? NaN : v)), 4, 5) };
const logs = { ...grid, scale: "log", values: array(cells, 4, 5) };
const run = (label, lr, steps, path, status) => ({ label, name: label, status, diagnosis: "",
  settings: { lr, optimizer: label }, step: array(steps, steps.length),
  path: array(path, steps.length, 2), loss: array(steps, steps.length),
  grad_norm: array(steps, steps.length), lr: array(steps, steps.length) });
const scene = { plane: { kind: "own", labels: ["x", "y"] }, origin: [4, 3], view, grid,
  axes: [{ name: "lr", numeric: true, values: [0.1, 0.2] },
         { name: "optimizer", numeric: false, values: ["adam", "sgd"] }],
  runs: [run("adam", 0.1, [0, 10, 20], [0, 0, 2, 0, 2, 2], "converged"),
         run("sgd", 0.2, [0, 5], [0, 0, 1e9, 0], "diverged")] };
const line = { ...scene, plane: { kind: "line", labels: ["x"] }, origin: [1, 0],
  grid: { view: [[0, 2]], shape: [3], values: array([0, 1, 4], 3), scale: "linear", base: -2 },
  runs: [{ ...scene.runs[0], path: array([0, 0.5, 1], 3, 1), loss: array([5, 3, 2], 3) }] };
const box = { left: 10, top: 20, width: 80, height: 60 };
const state = { scene, runs: [0, 1], drawn: [0, 1], colors: ["#0072b2", "#d55e00"], step: 15,
  followed: null, hovered: null, full: null, live: { run: null }, dark: false };
const flat = { to: (x, y) => [10 + 10 * (x + 4), 80 - 10 * (y + 3)] };
const store = createStore({ a: 1, b: 2 });
const heard = [];
store.on(["a"], ({ a }) => heard.push(a));
store.set({ b: 3 }); store.set({ a: 1 }); store.set({ a: 5 });
const paths = scene.runs.map((each) => ({ positions: each.path.values, steps: each.step.values }));
const top = matrixOf({ azimuth: 0, elevation: Math.PI / 2, zoom: 1 }, 1);
"""

CASES: dict[str, tuple[str, Any]] = {
    "short": (
        "[0, 1234.5, -3, 1.2e-7, 1e-9, Infinity, NaN, null].map((v) => short(v))",
        ["0", "1235", "−3", "1.2·10⁻⁷", "10⁻⁹", "∞", "–", "–"],
    ),
    "ticks": ("[tickTexts(ticks(-1, 1, 4)), tickTexts(ticks(0, 3e6, 3))]", [
        ["−1.0", "−0.5", "0", "0.5", "1.0"], ["0", "10⁶", "2·10⁶", "3·10⁶"],
    ]),
    "no ticks": ("[ticks(1, 1, 5), ticks(NaN, 2, 5), ticks(0, Infinity, 5)]", [[], [], []]),
    "log ticks": ("logTicks(1e-3, 2e2, 10)", pytest.approx([1e-3, 0.01, 0.1, 1, 10, 100])),
    "loss": ("[[3, 1.5], [8, 6], [8.1, 1]].map((at) => lossAt(grid, ...at))", [110.5, 134, None]),
    "loss beside a hole": ("[lossAt(holed, 3, 3), lossAt(holed, 7, 5)]", [None, 129]),
    "loss on a line": ("[lossAt(line.grid, 1.5, 99), lossAt(line.grid, -1, 0)]", [0.5, None]),
    "gradient": ("gradientAt(grid, 4, 3)", [2, 3]),
    "no gradient": ("gradientAt(grid, 0, 0)", None),
    "levels of a hole": ("levelsOf(holed)[7] > 1e38", True),
    "levels by log": ("[levelsOf(logs)[0], levelsOf(logs)[1]].map((v) => v.toFixed(4))",
                      ["0.6021", "0.6021"]),
    "iso-lines": ("isoLevels(grid, levelsOf(grid), view)",
                  {"low": 0, "high": 34, "spacing": 5, "major": 5}),
    "index of a step": ("[-1, 0, 5, 10, 12, 20, 99].map((s) => indexOfStep([0, 10, 20], s))",
                        [0, 0, 0.5, 1, 1.2, 2, 2]),
    "value between records": ("[valueAt([1, 3], 0.5), valueAt([1, 2, 5, 8], 1, 2, 1)]", [2, 8]),
    "last step": ("lastStepOf(scene)", 20),
    "a run on a line": ("positionsOf(line, line.runs[0])", [0, 7, 0.5, 5, 1, 4]),
    "the view of a line": ("viewOf(line)[1]", pytest.approx([-2.08, -0.92])),
    "place": ("placeOf(scene, scene.runs[0], 15)", {"at": [2, 1], "index": 1.5, "hasEnded": False}),
    "filtered by a word": ("passingRuns(scene, 'ad', {})", [0]),
    "filtered by a setting in words": ("passingRuns(scene, 'LR=0.2', {})", [1]),
    "filtered by values": ("passingRuns(scene, '', { lr: [0.1] })", [0]),
    "filtered by no run": ("passingRuns(scene, 'adam', { lr: [0.2] })", []),
    "a value switched": (
        "[switched({}, 'lr', 1), switched({ lr: [1] }, 'lr', 1)]", [{"lr": [1]}, {}],
    ),
    "the run below": (
        "[[null, 1], [0, 1], [1, 1], [1, -1]].map(([followed, by]) => "
        "neighbor({ runs: [0, 1], followed }, by))", [0, 1, 1, 0],
    ),
    "colors of settings": ("runColors(scene, 'optimizer', false)", ["#d55e00", "#222222"]),
    "color at first": ("firstColorBy(scene)", "optimizer"),
    "shapes of ends": ("['converged', 'diverged', 'failed', 'stalled'].map(endShape)",
                       ["circle", "cross", "cross", "circle"]),
    "zoomed about a point": ("zoomed(view, 0.5, [2, 3])", [[1, 5], [1.5, 4.5]]),
    "panned": ("panned(view, 0.5, -0.5)", [[4, 12], [-3, 3]]),
    "to clip space": ("toClip(view, scene.origin)", pytest.approx([0.25, 1 / 3, 0, 0])),
    "vertices": ("pathVertices(paths, 8).slice(0, 12)", [0, 0, 0, 0, 2, 0, 10, 0, 2, 2, 20, 0]),
    "a far vertex is nearer": ("pathVertices(paths, 8)[16]", 8e6),
    "markers": ("markersOf(state, box, flat.to).map(({ x, y, shape }) => [x, y, shape])",
                [[70, 40, 0], [83, 50, 3]]),
    "no marker of a lost run that is hidden": (
        "[true, false].map((hides) => markersOf({ ...state, "
        "drawn: runsWithPath(scene, [0, 1], hides) }, box, flat.to).length)", [1, 2],
    ),
    "paths of many lost runs are hidden at first": (
        "[[8, 20], [8, 40], [7, 20], [9, 0]].map(([lost, kept]) => hidesLostAtFirst({ runs: "
        "[...Array(lost).fill(scene.runs[1]), ...Array(kept).fill(scene.runs[0])] }))",
        [True, False, False, False],
    ),
    "what is said of lost runs": (
        "lostText(scene, [0, 1], true)", "1 lost run: path hidden",
    ),
    "markers at the end": ("markersOf({ ...state, step: 20 }, box, flat.to)[0].shape", 1),
    "nearest run": ("nearestRun([[7, scene.runs[0].path.values, 3]], flat, [70, 36])",
                    {"run": 7, "record": 2}),
    "no run near": ("nearestRun([[7, scene.runs[0].path.values, 3]], flat, [20, 30])", None),
    "a record": ("recordLines(scene.runs[0], 1)",
                 [["step", "10"], ["loss", "10"], ["‖∇loss‖", "10"], ["lr", "10"]]),
    "legend": ("[grid, logs].map((each) => legendTexts(each, { low: 1, high: 3, spacing: 0.5 }))", [
        {"low": "101", "high": "103", "apart": "+ 0.5"},
        {"low": "110", "high": "1100", "apart": "× 3.2"},
    ]),
    "in words": ("described({ ...state, mode: '2d', lastStep: 20, followed: 0, "
                 "scene: { ...scene, problem: { title: 'bowl' } } })",
                 "The landscape of bowl over x and y, 2 runs, step 15 of 20, following adam"),
    "store": ("heard", [5]),
    "seconds of time": ("[1, 150, 1e6].map(secondsOf)", [3, 5, 12]),
    "from above": ("project(top, 0.5, 0.5, 0, box).slice(0, 2).map(Math.round)", [60, 42]),
    "in the box": ("toBox(view, 2, 6)", [-0.5, 1]),
    "heights": (
        "[0, 4].map((x) => reliefOf(grid, view, false).heightAt(x, 0).toFixed(3))",
        ["0.000", "0.235"],
    ),
    "triangles beside a hole": (
        "trianglesOf(reliefOf(holed, view, false).mesh).length < 6 * (SIDE - 1) ** 2", True,
    ),
    "lifted paths break outside": (
        "liftedPaths(reliefOf(grid, view, false), "
        "[[1, paths[1].positions, paths[1].steps]], [4, 3])"
        ".slice(-16).filter((_, k) => k % 8 === 4)", [-1, -1],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Any:
    """The values of all cases."""
    return evaluated(MODULES, {name: case for name, (case, _) in CASES.items()}, BEFORE)


@pytest.mark.parametrize("name", CASES)
def test_functions_of_the_page(found: Any, name: str) -> None:
    assert found[name] == CASES[name][1]


# Machado, Oliveira and Fernandes (2009), from linear RGB.
BLIND = {
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(colors: list[str], blindness: str) -> np.ndarray:
    """Return CIE Lab (n, 3) of colors as an eye without one kind of cone sees them."""
    rgb = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in colors]) / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = np.clip(linear @ np.transpose(BLIND[blindness]), 0, 1) @ TO_XYZ.T
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.stack([f[:, 1] * 116 - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def test_colors_differ_for_the_color_blind() -> None:
    """All eight of things without an order, and neighbors on a ramp whose lightness rises."""
    kinds = {"distinct": (8, "distinctColor(k"), "ramp": (6, "rampColor(k / 5")}
    asked = {
        f"{kind} {dark}": f"Array.from({{ length: {count} }}, (_, k) => {color}, {dark}))"
        for kind, (count, color) in kinds.items()
        for dark in ("false", "true")
    }
    found = evaluated(["colors"], asked)
    # The least found: 11.7 between eight; on ramps 9.7 between neighbors, 7.5 of lightness.
    for name, colors in found.items():
        for blindness in BLIND:
            lab = seen(colors, blindness)
            apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
            if name.startswith("ramp"):
                assert (np.diff(lab[:, 0]) > 5).all(), (name, blindness)
                assert np.diagonal(apart, 1).min() > 9, (name, blindness)
            else:
                assert apart[np.triu_indices(8, 1)].min() > 10, (name, blindness)


def test_the_viewer_has_the_colors_of_the_pictures() -> None:
    found = evaluated(
        ["colors"],
        {
            "runs": "Array.from({ length: 8 }, (_, k) => distinctColor(k, false))",
            "ends": "[0, 1].map((at) => rampColor(at, false))",
            "landscape": "[palette(false).low, palette(false).high]",
        },
    )
    assert found["runs"] == [color for color, _ in CATEGORIES]
    assert found["ends"] == [to_hex(ramp()(at)) for at in (0.0, 1.0)]
    shades = [to_rgb(_LOWEST), to_rgb(_HIGHEST)]
    assert found["landscape"] == [pytest.approx(shade, abs=5e-4) for shade in shades]
