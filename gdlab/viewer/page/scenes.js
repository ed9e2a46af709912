// What follows from a scene alone: positions to draw, which runs pass the filters, where a run is.

// Returns how the positions of a scene are written: the point of the plane that they are relative
// to, [x, y]. A scene of one dimension is drawn as the curve of its loss: y is the loss.
export function originOf(scene) {
  if (scene.plane.kind !== "line") return scene.origin;
  return [scene.origin[0], scene.grid?.base ?? 0];
}

// Returns the positions of a run relative to that origin: Float32Array (2n), x and y in turn.
export function positionsOf(scene, run) {
  if (scene.plane.kind !== "line") return run.path.values;
  const base = scene.grid?.base ?? 0;
  const positions = new Float32Array(2 * run.step.values.length);
  run.path.values.forEach((x, k) => {
    positions[2 * k] = x;
    positions[2 * k + 1] = run.loss.values[k] - base;
  });
  return positions;
}

// Returns the view of a scene, for one dimension with the range of its loss.
export function viewOf(scene) {
  if (scene.plane.kind !== "line") return scene.view;
  const [losses, base] = [scene.grid?.values.values ?? lossesOf(scene), scene.grid?.base ?? 0];
  const finite = [...losses].filter(Number.isFinite).sort((a, b) => a - b);
  const [low, high] = [finite[0] ?? 0, finite[Math.floor(0.98 * (finite.length - 1))] ?? 1];
  const margin = 0.08 * (high - low || 1);
  return [scene.view[0], [base + low - margin, base + high + margin]];
}

function lossesOf(scene) {
  return scene.runs.flatMap((run) => [...run.loss.values]);
}

// Returns the last step of the longest run.
export function lastStepOf(scene) {
  return Math.max(0, ...scene.runs.map((run) => run.step.values.at(-1) ?? 0));
}

// Returns where among the steps of a run a step lies, as a real index: between two recorded steps
// a fraction, before the first 0, after the last the last.
export function indexOfStep(steps, step) {
  let [low, high] = [0, steps.length - 1];
  if (high < 0 || step <= steps[0]) return 0;
  if (step >= steps[high]) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle;
  }
  return low + (step - steps[low]) / (steps[high] - steps[low]);
}

// Returns a value of a run (a Float32Array over its records, `width` numbers each, the k-th of
// them) at a real index, between two records by a straight line.
export function valueAt(values, index, width = 1, k = 0) {
  const first = Math.floor(index);
  const value = values[first * width + k];
  if (first === index) return value;
  return value + (index - first) * (values[(first + 1) * width + k] - value);
}

// Returns whether a run passes a text: every word is part of its label or name, or "lr=0.1" names
// a setting exactly.
function passesText(run, words) {
  const text = `${run.label} ${run.name} ${run.status} ${run.diagnosis}`.toLowerCase();
  return words.every((word) => {
    const [name, value] = word.split("=");
    if (value && name in run.settings) return String(run.settings[name]).toLowerCase() === value;
    return text.includes(word);
  });
}

// Returns the indices of the runs that pass a text and {setting: [values]}.
export function passingRuns(scene, filterText, filterSettings) {
  const words = filterText.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = Object.entries(filterSettings);
  const passes = (run) =>
    chosen.every(([name, values]) => values.includes(run.settings[name])) && passesText(run, words);
  return scene.runs.flatMap((run, index) => (passes(run) ? [index] : []));
}

// Returns whether a run was lost: it diverged or failed.
export function isLost({ status }) {
  return status === "diverged" || status === "failed";
}

const FEW_LOST = 8; // runs: the paths of so few do not hide the others

// Returns whether the paths of lost runs are hidden at first: where they are many, and more than a
// fifth of all, they cover the rest.
export function hidesLostAtFirst({ runs }) {
  const lost = runs.filter(isLost).length;
  return lost >= FEW_LOST && lost > runs.length / 5 && lost < runs.length;
}

// Returns those of some runs whose paths are drawn, by their indices.
export function runsWithPath(scene, runs, hidesLost) {
  return hidesLost ? runs.filter((run) => !isLost(scene.runs[run])) : runs;
}

const positionsByRun = new WeakMap();

// Returns the positions of a run (positionsOf), worked out once.
export function cachedPositions(scene, run) {
  if (!positionsByRun.has(run)) positionsByRun.set(run, positionsOf(scene, run));
  return positionsByRun.get(run);
}

// Returns where a run is at a step: its position relative to the origin, [x, y], its real index
// among its records and whether it has ended.
export function placeOf(scene, run, step) {
  const steps = run.step.values;
  const index = indexOfStep(steps, step);
  const positions = cachedPositions(scene, run);
  const at = [valueAt(positions, index, 2, 0), valueAt(positions, index, 2, 1)];
  return { at, index, hasEnded: index >= steps.length - 1 };
}
