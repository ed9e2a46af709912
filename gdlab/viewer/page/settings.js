// The axes of a sweep: which settings differ between runs, and the run that a choice of them asks
// for. Nothing here needs a page. R runs; a setting's value is a number, a text, a list…

const NUMBER = /-?\d+(\.\d+)?(e[+-]?\d+)?/g;
const MANY = 1e6; // the weight of a setting that must be had exactly, if any run has it

// Returns the axes [{name, numeric, values, ofProblem}] of a problem's scene: the settings that
// differ between its runs, then those in which the problems of its group differ.
export function axesOf(scene, problems) {
  const own = freeAxes(scene).map((axis) => ({ ...axis, ofProblem: false }));
  const group = problems.filter((problem) => problem.group === scene.problem.group);
  const names = new Set(group.flatMap((problem) => Object.keys(problem.settings)));
  const others = [...names].map((name) => {
    const found = new Map(group.map(({ settings }) => [keyOf(settings[name]), settings[name]]));
    const values = [...found.values()];
    const numeric = values.every((value) => typeof value === "number");
    values.sort(numeric ? (a, b) => a - b : (a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    return { name, numeric, values, ofProblem: true };
  });
  return [...own, ...others.filter((axis) => axis.values.length > 1)];
}

// Returns the axes of a scene but those that follow from another, as optimizer.momentum does from
// optimizer where each has one value of it.
export function freeAxes({ axes, runs }) {
  const isField = (axis, whole) => axis.name.startsWith(`${whole.name}.`);
  const follows = (axis) =>
    axes.some((whole) => isField(axis, whole) && determines(whole, axis, runs));
  return axes.filter((axis) => !follows(axis));
}

// Returns whether runs that agree on one axis agree on another.
function determines(whole, axis, runs) {
  const found = new Map();
  for (const { settings } of runs) {
    const [key, value] = [keyOf(settings[whole.name]), keyOf(settings[axis.name])];
    if (found.has(key) && found.get(key) !== value) return false;
    found.set(key, value);
  }
  return true;
}

// Returns a text that two values share only if they are equal.
export function keyOf(value) {
  return JSON.stringify(value ?? null);
}

// Returns the settings of a run on some axes, {name: value}; those of the problem come from it.
export function settingsOf(run, problem, axes) {
  const source = (axis) => (axis.ofProblem ? problem.settings : run.settings)[axis.name];
  return Object.fromEntries(axes.map((axis) => [axis.name, source(axis)]));
}

// Returns the place of a value among those of an axis, −1 if it is not there.
export function placeOf(axis, value) {
  const key = keyOf(value);
  return axis.values.findIndex((each) => keyOf(each) === key);
}

// Returns {index, differs}: the run nearest to the settings `wanted` and the names of those that it
// has otherwise. The setting `moved` is had exactly wherever several runs share its values; the
// rest costs by the distance of places for numbers, and 1 for anything else. `indices`: the runs to
// choose from. Without any run the index is null.
export function nearestRun(runs, indices, axes, wanted, moved) {
  const weights = axes.map((axis) => weightOf(axis, moved, indices.length));
  let [best, least] = [null, Infinity];
  for (const index of indices) {
    const costs = axes.map(
      (axis, k) => weights[k] * distance(axis, runs[index].settings[axis.name], wanted[axis.name]),
    );
    const cost = costs.reduce((sum, each) => sum + each, 0);
    if (cost < least) [best, least] = [index, cost];
  }
  if (best === null) return { index: null, differs: [] };
  const differs = axes.filter(
    ({ name }) => keyOf(runs[best].settings[name]) !== keyOf(wanted[name]),
  );
  return { index: best, differs: differs.map(({ name }) => name) };
}

// Returns how much an axis counts: the moved one is exact on a grid, and twice the rest if its
// values are scattered (nearly one for each run, as random starts are).
function weightOf(axis, moved, count) {
  if (axis.name !== moved) return 1;
  return axis.values.length > count / 2 && axis.values.length > 10 ? 2 : MANY;
}

// Returns how far two values of an axis are apart, from 0 to 1.
function distance(axis, one, other) {
  if (keyOf(one) === keyOf(other)) return 0;
  const [a, b] = [placeOf(axis, one), placeOf(axis, other)];
  if (!axis.numeric || a < 0 || b < 0) return 1;
  return Math.abs(a - b) / Math.max(1, axis.values.length - 1);
}

// Returns the id of the problem of a group whose settings are nearest to `wanted`, having `moved`.
export function nearestProblem(problems, group, axes, wanted, moved) {
  const among = problems.filter((problem) => problem.group === group);
  const own = axes.filter((axis) => axis.ofProblem);
  const { index } = nearestRun(
    among,
    among.map((_, k) => k),
    own,
    wanted,
    moved,
  );
  return index === null ? null : among[index].id;
}

// Returns a value of a setting as text: numbers by `format`, also those of a list or of the text of
// one; lists in brackets, nothing as "none".
export function textOf(value, format) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number") return format(value);
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item, format)).join(", ")}]`;
  const text = String(value);
  return text.startsWith("[") ? text.replace(NUMBER, (found) => format(Number(found))) : text;
}
