// The drawing of a chart against the step on its three canvases: axes, curves of all runs, and on
// top what changes while one scrubs and hovers.

import { emphasizedOf, guidesOf, runEnd } from "./chartmodel.js";
import { endShape, palette } from "./colors.js";
import { clipTo, drawAxes, drawEnd, drawLine, drawWords } from "./layers.js";
import { seriesOf, quantityAt } from "./series.js";

const FEW = 40; // runs: up to so many have a dot at the scrubber
const GUIDE_POINTS = 60; // of a dashed line
const [LINE, NAME] = [13, 44]; // pixels: the height and the width of the name of a dashed line

// Draws the axes of a chart.
export function drawChartAxes(context, state, chart) {
  const colors = palette(state.dark);
  drawAxes(context, chart.frame, chart.x, chart.y, "step k", colors);
  const style = { color: colors.soft, italic: true, size: 12 };
  drawWords(context, chart.quantity.symbol, [4, chart.frame.top - 14], style);
}

// Draws the curves of all runs that pass the filters, and crosses where runs were lost.
export function drawCurves(context, state, chart) {
  const count = state.runs.length;
  clipTo(context, chart.frame, 4);
  context.lineWidth = count > 200 ? 0.8 : 1.3;
  context.globalAlpha = count > 200 ? 0.35 : count > 30 ? 0.6 : 0.9;
  for (const index of state.runs) {
    drawCurve(context, state.scene.runs[index], chart, state.colors[index]);
  }
  context.restore();
}

// Draws the curve of one run; where it was lost, a cross at its end or where it leaves the chart.
function drawCurve(context, run, chart, color) {
  const series = seriesOf(run, chart.quantity.key);
  if (series === null) return;
  context.strokeStyle = color;
  context.lineJoin = "round";
  const end = tracePath(context, series, chart);
  context.stroke();
  if (end !== null && endShape(run.status) === "cross") {
    drawEnd(context, end, true, { color, halo: color, radius: 3 });
  }
}

// Makes the path of T values at T steps, leaving out points closer than half a pixel to the one
// before. Returns its last pixel, or where it leaves the chart for good through the upper edge, or
// null. A value without a place on the axis breaks the line.
function tracePath(context, { steps, values }, { x, y, frame }) {
  context.beginPath();
  let [last, exit, isBroken] = [null, null, true];
  for (let k = 0; k < values.length; k += 1) {
    const px = x.isLog && steps[k] < 1 ? NaN : x.scale(steps[k]);
    const py = values[k] === Infinity ? -Infinity : y.scale(values[k]);
    if (Number.isNaN(px) || Number.isNaN(py)) {
      isBroken = true;
      continue;
    }
    const place = [px, Math.max(py, frame.top - 1e4)];
    const isClose = !isBroken && Math.hypot(px - last[0], place[1] - last[1]) < 0.5;
    if (isClose && k + 1 < values.length) continue;
    if (isBroken) context.moveTo(...place);
    else context.lineTo(...place);
    if (py >= frame.top) exit = null;
    else exit = exit ?? edgeBetween(last ?? place, place, frame.top);
    [last, isBroken] = [place, false];
  }
  return exit ?? last;
}

// Returns where a line that ends above the upper edge meets it, or above what it began.
function edgeBetween([x0, y0], [x1, y1], top) {
  const share = y0 > top ? (y0 - top) / (y0 - y1) : 0;
  return [x0 + share * (x1 - x0), top];
}

// Draws what changes while one hovers: dashed lines of theory, the emphasized runs, and the runs' dots
// at the scrubber.
// `pointed` is the step under the pointer, where values are then read off, or null.
export function drawOverlay(context, state, chart, pointed) {
  const colors = palette(state.dark);
  const { frame } = chart;
  if (pointed !== null) drawStep(context, pointed, chart, colors.faint, [2, 3]);
  const emphasized = emphasizedOf(state);
  clipTo(context, frame, 4);
  const guides = guidesOf(state, chart);
  const colorOfGuide = ({ index }) => (index === null ? colors.soft : state.colors[index]);
  const ends = guides.map((guide) => drawGuide(context, guide, chart, colorOfGuide(guide)));
  for (const { run, index } of [...emphasized].reverse()) {
    context.lineWidth = 5;
    context.globalAlpha = 0.85;
    drawCurve(context, run, chart, colors.page);
    context.globalAlpha = 1;
    context.lineWidth = 2.2;
    drawCurve(context, run, chart, index === null ? colors.accent : state.colors[index]);
  }
  drawDots(context, { ...state, step: pointed ?? state.step }, chart, emphasized, colors);
  const taken = [];
  guides.forEach((guide, k) => {
    const style = { color: colorOfGuide(guide), halo: colors.page };
    labelGuide(context, guide.label, placeOfLabel(ends[k], chart, taken), style);
  });
  context.restore();
}

// Returns whether the overlay shows where runs are at the scrubber, and changes as that moves.
export function showsStep(state) {
  return state.runs.length <= FEW || emphasizedOf(state).length > 0;
}

// Puts an element, one pixel wide, where the scrubber is. It is no part of the overlay: to move it
// costs next to nothing.
export function placeStep(element, step, { x, frame }) {
  const at = x.scale(Math.max(step, x.domain[0]));
  element.style.transform = `translate(${at - 0.5}px, ${frame.top}px)`;
  element.style.height = `${frame.bottom - frame.top}px`;
}

// Draws the dashed vertical of a step.
function drawStep(context, step, { x, frame }, color, dash) {
  const at = x.scale(Math.max(step, x.domain[0]));
  context.lineWidth = 1;
  drawLine(context, [at, frame.top], [at, frame.bottom], color, dash);
}

// Draws a dot for each of the emphasized runs at the scrubber; for all runs shown, if they are few.
function drawDots(context, state, chart, emphasized, colors) {
  const few = state.runs.length <= FEW ? state.runs : [];
  const rest = few.map((index) => ({ run: state.scene.runs[index], index }));
  for (const { run, index } of [...rest, ...emphasized]) {
    const color = index === null ? colors.accent : state.colors[index];
    const step = Math.min(Math.max(state.step, chart.x.isLog ? 1 : 0), runEnd(run));
    const value = quantityAt(run, chart.quantity.key, step, chart.y.isLog);
    const [px, py] = [chart.x.scale(step), chart.y.scale(value)];
    if (Number.isNaN(py)) continue;
    const isTop = emphasized.some((each) => each.run === run);
    drawEnd(context, [px, py], false, { color, halo: colors.page, radius: isTop ? 4.5 : 3 });
  }
}

// Draws a dashed line {label, at: step → value}; returns its last pixel on the chart, or null.
function drawGuide(context, { at }, { x, y, frame }, color) {
  const pixels = [];
  for (let k = 0; k <= GUIDE_POINTS; k += 1) {
    const px = frame.left + ((frame.right - frame.left) * k) / GUIDE_POINTS;
    const py = y.scale(at(Math.min(x.scale.invert(px), x.domain[1])));
    if (Number.isFinite(py)) pixels.push([px, py]);
  }
  context.lineWidth = 1.3;
  context.setLineDash([5, 4]);
  context.strokeStyle = color;
  context.beginPath();
  for (const [px, py] of pixels) context.lineTo(px, py);
  context.stroke();
  context.setLineDash([]);
  return pixels.filter(([, py]) => py >= frame.top && py <= frame.bottom).at(-1) ?? null;
}

// Returns where the name of a dashed line ends, above its last pixel and left of names at the same
// height, which are in `taken`, as it is then; null for a line that is not on the chart.
function placeOfLabel(end, { frame }, taken) {
  if (end === null) return null;
  const [px, py] = end;
  const isLeaving = py > frame.bottom - 16;
  const [x, y] = isLeaving ? [px - 6, py - 14] : [px - 8, py - 9];
  const beside = taken.filter((each) => Math.abs(each - y) < LINE).length;
  taken.push(y);
  return [x - beside * NAME, y];
}

// Writes the name of a dashed line.
function labelGuide(context, label, place, style) {
  if (place !== null) drawWords(context, label, place, { ...style, align: "right", italic: true });
}
