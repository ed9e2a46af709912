// What the charts show of a run: quantities against the step, their ranges, values and slopes.
// Nothing here needs a page. T recorded points of a run; a run is as in a scene.

import { indexOfStep } from "./scenes.js";

const BUILT_IN = [
  { key: "suboptimality", label: "suboptimality", symbol: "f(xₖ) − f*" },
  { key: "loss", label: "loss", symbol: "f(xₖ)" },
  { key: "grad_norm", label: "gradient norm", symbol: "‖∇f(xₖ)‖" },
  { key: "lr", label: "learning rate", symbol: "ηₖ" },
  { key: "sharpness", label: "sharpness", symbol: "λₘₐₓ" },
];
const kept = new WeakMap(); // of each run a Map of what was worked out of it, by what that is
const DECADES_BEYOND = 2; // that a diverged run may add to the range of the others

// Returns the quantities {key, label, symbol} that at least one of the runs has recorded.
export function quantitiesOf(runs) {
  const found = BUILT_IN.filter(({ key }) => runs.some((run) => seriesOf(run, key) !== null));
  const metrics = new Set(runs.flatMap((run) => Object.keys(run.metrics ?? {})));
  return [...found, ...[...metrics].map((key) => ({ key, label: key, symbol: key }))];
}

// Returns {steps, values} of a quantity of a run where it was recorded, which some quantities are
// only now and then, or null where it has none. Kept until the run is forgotten.
export function seriesOf(run, key) {
  return once(run, key, () => recordedOf(run, key));
}

// Returns what `work()` returns, worked out once for a run and a name.
function once(run, name, work) {
  if (!kept.has(run)) kept.set(run, new Map());
  const known = kept.get(run);
  if (!known.has(name)) known.set(name, work());
  return known.get(name);
}

// Returns {steps, values} without the values that are missing, or null without a finite one.
function recordedOf(run, key) {
  const values = run[key]?.values ?? run.metrics?.[key]?.values ?? [];
  if (!values.some(Number.isFinite)) return null;
  const isThere = (_, k) => !Number.isNaN(values[k]);
  return { steps: run.step.values.filter(isThere), values: values.filter(isThere) };
}

// Returns [low, high] of the values that a chart of some runs shows, or null without any; on a
// logarithmic axis also where one is negative, which then would be missing. Runs that
// diverged widen it by at most two decades (log) or not at all (linear), unless all of them did.
// Values of `extra`, such as a limit of theory, widen it if they are not far above.
export function rangeOf(runs, key, isLog, extra = []) {
  const calm = extent(
    runs.filter((run) => run.status !== "diverged"),
    key,
    isLog,
  );
  const wild = extent(
    runs.filter((run) => run.status === "diverged"),
    key,
    isLog,
  );
  if (calm === null && wild === null) return null;
  if (isLog && (extent(runs, key, false)?.[0] ?? 0) < 0) return null;
  let [low, high] = calm ?? capped(wild, isLog);
  if (calm !== null && wild !== null && isLog) {
    high = Math.max(high, Math.min(wild[1], high * 10 ** DECADES_BEYOND));
  }
  const reach = high * (isLog ? 100 : 5);
  for (const value of extra) if (value > high && value <= reach) high = value;
  return padded(low, high, isLog);
}

// Returns [lowest, highest] finite (and positive, if logarithmic) value of the runs, or null.
function extent(runs, key, isLog) {
  const own = runs.map((run) => once(run, `${key} ${isLog}`, () => extentOf(run, key, isLog)));
  const low = own.reduce((least, [first]) => Math.min(least, first), Infinity);
  const high = own.reduce((most, [, last]) => Math.max(most, last), -Infinity);
  return high >= low ? [low, high] : null;
}

// Returns the same of one run; [Infinity, -Infinity] where it has none.
function extentOf(run, key, isLog) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of seriesOf(run, key)?.values ?? []) {
    if (!Number.isFinite(value) || (isLog && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

// Returns a range of runs all of which diverged, cut where nothing could be told apart.
function capped([low, high], isLog) {
  return isLog ? [low, Math.min(high, low * 1e12)] : [low, high];
}

// Returns a range with a margin of 4 % on either side, in logarithms if they are shown; a constant
// gets a range around it.
function padded(low, high, isLog) {
  if (isLog) {
    const margin = high > low ? (high / low) ** 0.04 : 2;
    return [low / margin, high * margin];
  }
  const margin = high > low ? 0.04 * (high - low) : Math.abs(high) * 0.1 || 1;
  return [low >= 0 && low - margin < 0 ? 0 : low - margin, high + margin];
}

// Returns the value of a quantity at a step, or NaN where the run has none or has ended. Between
// two recorded points it is on the line between them, in logarithms if they are shown; after the
// last, that.
export function quantityAt(run, key, step, isLog = false) {
  const series = seriesOf(run, key);
  if (series === null) return NaN;
  const { steps, values } = series;
  if (steps.length === 0 || step > steps[steps.length - 1]) return NaN;
  const at = indexOfStep(steps, step);
  const [k, share] = [Math.floor(at), at % 1];
  if (share === 0) return values[k];
  const [a, b] = [values[k], values[k + 1]];
  if (isLog && a > 0 && b > 0) return a * (b / a) ** share;
  return a + share * (b - a);
}

// Returns how a positive quantity shrinks before a step, or null: `factor` per step, and the
// `slope` of its logarithm against that of the step. Least squares over the second half of the
// steps so far, so that a run that swings is measured over its swings.
export function decayAt(run, key, step) {
  const series = seriesOf(run, key);
  if (series === null) return null;
  const { steps, values } = series;
  const last = Math.floor(indexOfStep(steps, step));
  const points = [];
  for (let k = last; k >= 0 && steps[k] >= 0.5 * steps[last]; k -= 1) {
    if (steps[k] > 0 && values[k] > 0 && values[k] < Infinity) points.push([steps[k], values[k]]);
  }
  if (points.length < 2) return null;
  const logs = points.map(([, value]) => Math.log(value));
  const factor = Math.exp(
    slopeOf(
      points.map(([at]) => at),
      logs,
    ),
  );
  return {
    factor,
    slope: slopeOf(
      points.map(([at]) => Math.log(at)),
      logs,
    ),
  };
}

// Returns the slope of the line of least squares through points.
function slopeOf(xs, ys) {
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const [x, y] = [mean(xs), mean(ys)];
  const [above, below] = [
    mean(xs.map((each, k) => (each - x) * (ys[k] - y))),
    mean(xs.map((each) => (each - x) ** 2)),
  ];
  return above / below;
}

// Returns the dashed lines of theory for a run and a quantity: [{label, at: step → value}].
// - suboptimality (and a loss whose minimum is 0): rate per step, from the run's first value;
// - sharpness: the limit 2/lr of gradient descent, where the run has a limit of the same kind.
export function theoryOf(run, key, minimum) {
  const first = seriesOf(run, key)?.values[0];
  const isGap = key === "suboptimality" || (key === "loss" && minimum === 0);
  if (isGap && run.rate !== null && run.rate !== undefined && first > 0) {
    return [{ label: "theory", at: (step) => first * run.rate ** step }];
  }
  if (key === "sharpness" && seriesOf(run, "lr") !== null) {
    return [{ label: "2/lr", at: (step) => 2 / quantityAt(run, "lr", step) }];
  }
  return [];
}

// Returns the lines of slope −1 and −2 of a log–log chart, through a value at step 1:
// the sublinear rates 1/k and 1/k² of convex and of accelerated methods.
export function sublinear(value) {
  if (!(value > 0)) return [];
  return [
    { label: "1/k", at: (step) => value / step },
    { label: "1/k²", at: (step) => value / step ** 2 },
  ];
}

// Returns the index in `runs` of the curve nearest to a pixel, or null if none is within `reach`
// pixels of it vertically. `indices` are the runs shown; `x`, `y` are scales of the chart.
export function nearestCurve(runs, indices, key, [px, py], { x, y, isLog, reach = 14 }) {
  const step = x.invert(px);
  let [best, least] = [null, reach];
  for (const index of indices) {
    const distance = Math.abs(y(quantityAt(runs[index], key, step, isLog)) - py);
    if (distance <= least) [best, least] = [index, distance];
  }
  return best;
}
