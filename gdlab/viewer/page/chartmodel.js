// What a chart against the step shows in a state of the page: which runs, axes and lines of theory.
// Nothing here needs a page.

import { axisOf } from "./scales.js";
import { quantitiesOf, rangeOf, seriesOf, sublinear, theoryOf, quantityAt } from "./series.js";

const FEW = 6; // runs: the theory of up to so many is shown when none is emphasized
const MARGIN = { left: 58, right: 16, top: 26, bottom: 40 };

// Returns the run of a number with the most points that the page has of it.
export function runOf(state, index) {
  return state.full?.index === index ? state.full.run : state.scene.runs[index];
}

// Returns the live run, or null where there is none.
export function liveRunOf(state) {
  return state.live.on ? state.live.run : null;
}

// Returns {key, label, symbol} of the quantity that a chart shows: the chosen one if the runs have
// it, else the first that they have; null without any.
export function shownQuantity(state) {
  const found = quantitiesOf(shownRuns(state));
  return found.find(({ key }) => key === state.quantity) ?? found[0] ?? null;
}

// Returns the runs that pass the filters, and the live run.
export function shownRuns(state) {
  const live = liveRunOf(state);
  const runs = state.runs.map((index) => state.scene.runs[index]);
  return live === null ? runs : [...runs, live];
}

// Returns the chart of a state in a box of {width, height} pixels: {quantity, frame, x, y}, x and y
// as axisOf returns them; null if there is nothing to show. Where no value is positive, y is
// linear.
export function chartOf(state, { width, height }) {
  const quantity = shownQuantity(state);
  if (quantity === null) return null;
  const runs = shownRuns(state);
  const extra = theoryRuns(state).flatMap(({ run }) => limitsAtStart(run, quantity.key));
  const logRange = state.scale === "linear" ? null : rangeOf(runs, quantity.key, true, extra);
  const range = logRange ?? rangeOf(runs, quantity.key, false, extra);
  const frame = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const isLogLog = state.scale === "loglog";
  const steps = [isLogLog ? 1 : 0, Math.max(2, ...runs.map(runEnd))];
  const counts = [Math.min(Math.max(2, width / 90), steps[1]), Math.max(2, height / 45)]; // steps are whole
  const x = axisOf(steps, [frame.left, frame.right], isLogLog, counts[0]);
  const y = axisOf(range, [frame.bottom, frame.top], logRange !== null, counts[1]);
  return { quantity, frame, x, y };
}

// Returns the last recorded step of a run.
export function runEnd(run) {
  return run.step.values[run.step.values.length - 1] ?? 0;
}

// Returns the runs drawn on top of the others, the one to read off first: [{run, color, name}]. The
// hovered, the live and the followed run; without these the only one shown.
export function emphasizedOf(state) {
  const live = liveRunOf(state);
  const indices = [...new Set([state.hovered, state.followed])].filter(
    (index) => index !== null && index !== undefined && index < state.scene.runs.length,
  );
  const recorded = indices.map((index) => emphasis(state, index));
  const found =
    live === null
      ? recorded
      : [...recorded.slice(0, -1), { run: live, index: null, name: "live" }, ...recorded.slice(-1)];
  if (found.length > 0 || state.runs.length !== 1) return found;
  return [emphasis(state, state.runs[0])];
}

// Returns a recorded run as one to emphasize.
function emphasis(state, index) {
  const run = runOf(state, index);
  return { run, index, name: run.label };
}

// Returns the values of constant limits of theory at the start of a run, which the axis should
// show.
function limitsAtStart(run, key) {
  return key === "sharpness" ? theoryOf(run, key).map(({ at }) => at(0)) : [];
}

// Returns the runs whose lines of theory a chart shows: the first emphasized one, else all if few.
function theoryRuns(state) {
  const [first] = emphasizedOf(state);
  if (first !== undefined) return [first];
  return state.runs.length <= FEW ? state.runs.map((index) => emphasis(state, index)) : [];
}

// Returns the dashed lines {label, at, index} of a chart, each of a run or of none (index null):
// those of theory, and on log–log axes of a quantity that falls to 0 the slopes −1 and −2 through a
// value at step 1.
export function guidesOf(state, { quantity: { key }, y }) {
  const { minimum } = state.scene.problem;
  const shown = theoryRuns(state);
  const lines = shown.flatMap(({ run, index }) => {
    const own = shown.length > 1 ? index : null;
    return theoryOf(run, key, minimum).map((line) => ({ ...line, index: own }));
  });
  const falls = ["suboptimality", "loss", "grad_norm"].includes(key);
  if (state.scale !== "loglog" || !falls || !y.isLog) return lines;
  const run = shown[0]?.run ?? shownRuns(state).find((each) => seriesOf(each, key) !== null);
  const slopes = sublinear(quantityAt(run, key, 1, true));
  return [...lines, ...slopes.map((line) => ({ ...line, index: null }))];
}
