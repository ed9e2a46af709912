// What the charts show of a run: quantities against the step, their ranges, values and slopes.
// Nothing here needs a page. T recorded points of a run; a run is as in a scene.

import { indexOfStep } from "./scenes.js";

const BUILT_IN = [
  { key: "suboptimality", label: "suboptimality", symbol: "f(xₖ) − f*" },
  { key: "loss", label: "loss", symbol: "f(xₖ)" },
  { key: "grad_norm", label: "gradient norm", symbol: "‖∇f(xₖ)‖" },
  { key: "lr", label: "learning rate", symbol: "ηₖ" },
  { key: "sharpness", label: "sharpness", symbol: "λ_max" },
];
const DECADES_BEYOND = 2; // that a diverged run may add to the range of the others

// Returns the quantities {key, label, symbol} that at least one of the runs has recorded.
export function quantitiesOf(runs) {
  const found = BUILT_IN.filter(({ key }) => runs.some((run) => seriesOf(run, key) !== null));
  const metrics = new Set(runs.flatMap((run) => Object.keys(run.metrics ?? {})));
  return [...found, ...[...metrics].map((key) => ({ key, label: key, symbol: key }))];
}

// Returns the T values of a quantity of a run, or null where it has none.
export function seriesOf(run, key) {
  const array = run[key]?.values ?? run.metrics?.[key]?.values ?? null;
  return array !== null && array.some(Number.isFinite) ? array : null;
}

// Returns [low, high] of the values that a chart of some runs shows, or null without any. Runs that
// diverged widen it by at most two decades (log) or not at all (linear), unless all of them did. Values
// of `extra`, such as a limit of theory, widen it if they are not far above.
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
  let [low, high] = [Infinity, -Infinity];
  for (const run of runs) {
    for (const value of seriesOf(run, key) ?? []) {
      if (!Number.isFinite(value) || (isLog && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return high >= low ? [low, high] : null;
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

// Returns the value of a quantity at a step, or NaN where the run has none or has ended. Between two
// recorded points it is on the line between them, in logarithms if they are shown.
export function quantityAt(run, key, step, isLog = false) {
  const values = seriesOf(run, key);
  const steps = run.step.values;
  if (values === null || steps.length === 0 || step > steps[steps.length - 1]) return NaN;
  const at = indexOfStep(steps, step);
  const [k, share] = [Math.floor(at), at % 1];
  if (share === 0) return values[k];
  const [a, b] = [values[k], values[k + 1]];
  if (isLog && a > 0 && b > 0) return a * (b / a) ** share;
  return a + share * (b - a);
}

// Returns how a positive quantity shrinks around a step, or null: `factor` per step, and the `slope`
// of its logarithm against that of the step. Measured over a tenth of the steps so far (at least two
// recorded points), so that it does not jump with each point.
export function decayAt(run, key, step) {
  const values = seriesOf(run, key);
  if (values === null) return null;
  const steps = run.step.values;
  const last = Math.floor(indexOfStep(steps, step));
  const first = Math.min(Math.floor(indexOfStep(steps, 0.9 * steps[last])), last - 1);
  if (first < 0 || !(values[first] > 0) || !(values[last] > 0)) return null;
  const change = Math.log(values[last] / values[first]);
  const factor = Math.exp(change / (steps[last] - steps[first]));
  const slope = steps[first] > 0 ? change / Math.log(steps[last] / steps[first]) : null;
  return { factor, slope };
}

// Returns the dashed lines of theory for a run and a quantity: [{label, at: step → value}].
// - suboptimality (and a loss whose minimum is 0): rate per step, from the run's first value;
// - sharpness: the limit 2/lr of gradient descent, where the run has a limit of the same kind.
export function theoryOf(run, key, minimum) {
  const first = seriesOf(run, key)?.[0];
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
