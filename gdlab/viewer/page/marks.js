// Shapes over the landscape: minimizers, saddles and maxima, ends of runs, and moving markers.

import { endShape } from "./colors.js";
import { indexOfStep, positionsOf, valueAt } from "./scenes.js";

// Paths of the shapes within a circle of radius 1.
const SHAPES = {
  minimizer: star(5, 0.42),
  saddle: [[0, -1], [1, 0], [0, 1], [-1, 0]],
  maximum: [[0, -1], [0.9, 0.75], [-0.9, 0.75]],
  kink: [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
  triangle: [[1, 0], [-0.7, 0.8], [-0.7, -0.8]],
};

function star(count, inner) {
  return Array.from({ length: 2 * count }, (_, k) => {
    const [angle, radius] = [(Math.PI * k) / count - Math.PI / 2, k % 2 ? inner : 1];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

// Traces a shape around a point, with a radius and turned by an angle.
function trace(context, shape, x, y, radius, angle = 0) {
  context.beginPath();
  if (shape === "circle") {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const [cos, sin] = [Math.cos(angle) * radius, Math.sin(angle) * radius];
  if (shape === "cross") {
    for (const [dx, dy] of [[1, 1], [1, -1]]) {
      context.moveTo(x - dx * radius * 0.8, y - dy * radius * 0.8);
      context.lineTo(x + dx * radius * 0.8, y + dy * radius * 0.8);
    }
    return;
  }
  for (const [dx, dy] of SHAPES[shape]) {
    context.lineTo(x + dx * cos - dy * sin, y + dx * sin + dy * cos);
  }
  context.closePath();
}

// Draws the minimizers, saddles, maxima and kinks of the landscape with distinct shapes.
export function drawMarks(context, { scene, grid }, box, { to, origin }, colors) {
  context.lineWidth = 1.5;
  for (const { kind, at } of scene.marks) {
    const height = at[1] ?? lossOnLine(grid, at[0]);
    const [x, y] = to(at[0] - origin[0], height - origin[1]);
    if (x < box.left - 9 || x > box.left + box.width + 9) continue;
    trace(context, kind in SHAPES ? kind : "kink", x, y, kind === "minimizer" ? 8 : 6);
    context.fillStyle = kind === "minimizer" ? colors.ink : colors.page;
    context.strokeStyle = kind === "minimizer" ? colors.page : colors.ink;
    context.fill();
    context.stroke();
  }
}

function lossOnLine(grid, x) {
  if (!grid) return 0;
  const [[low, high]] = grid.view;
  const values = grid.values.values;
  const at = ((x - low) / (high - low)) * (values.length - 1);
  return at >= 0 && at <= values.length - 1 ? valueAt(values, at) + grid.base : NaN;
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

const cache = new WeakMap();

// Returns the positions of a run (scenes.js), worked out once.

export function cachedPositions(scene, run) {
  if (!cache.has(run)) cache.set(run, positionsOf(scene, run));
  return cache.get(run);
}

// Draws where each run is now: a dot while it moves, then its end by its status. A run that is out
// of view is a triangle at the frame that points to it.
export function drawMarkers(context, state, box, { to }, colors) {
  const { scene, runs, step, followed, hovered, full, live } = state;
  const radius = runs.length > 150 ? 2.2 : 4;
  const chosen = new Set([hovered, followed].filter((run) => run !== null));
  const draw = (run, color, size) => drawMarker(context, { scene, run, step, box, to, color, size, colors });
  context.globalAlpha = chosen.size > 0 || live.run ? 0.45 : 1;
  for (const run of runs) {
    if (!chosen.has(run)) draw(scene.runs[run], state.colors[run], radius);
  }
  context.globalAlpha = 1;
  for (const run of chosen) {
    const shown = full?.index === run ? full.run : scene.runs[run];
    if (shown) draw(shown, state.colors[run], 5.5);
  }
  if (live.run) draw(live.run, colors.accent, 5.5);
}

function drawMarker(context, { scene, run, step, box, to, color, size, colors }) {
  if (run.step.values.length === 0) return;
  const { at, hasEnded } = placeOf(scene, run, step);
  let [x, y] = to(at[0], at[1]);
  const [right, bottom] = [box.left + box.width, box.top + box.height];
  const [inX, inY] = [Math.min(Math.max(x, box.left), right), Math.min(Math.max(y, box.top), bottom)];
  const isOut = !(x >= box.left && x <= right && y >= box.top && y <= bottom);
  const shape = isOut ? "triangle" : hasEnded ? endShape(run.status) : "circle";
  if (isOut && !(Number.isFinite(x) && Number.isFinite(y))) return;
  const angle = isOut ? Math.atan2(y - inY, x - inX) : 0;
  if (isOut) [x, y] = [inX - 5 * Math.cos(angle), inY - 5 * Math.sin(angle)];
  trace(context, shape, x, y, isOut ? Math.max(size, 4) : size, angle);
  if (shape === "cross") {
    stroke(context, colors.page, size > 3 ? 5 : 3);
    stroke(context, color, size > 3 ? 2.5 : 1.5);
    return;
  }
  context.fillStyle = hasEnded && !isOut && size > 3 ? colors.page : color;
  context.fill();
  stroke(context, hasEnded && !isOut ? color : colors.page, size > 3 ? 2 : 0.8);
}

function stroke(context, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

// Draws the start of the live bench: a ring that can be dragged.
export function drawStart(context, { live, scene }, { to, origin }, colors) {
  if (!live.on || !live.start) return;
  const y = scene.plane.kind === "line" ? lossOnLine(scene.grid, live.start[0]) : live.start[1];
  trace(context, "circle", ...to(live.start[0] - origin[0], y - origin[1]), 8);
  stroke(context, colors.page, 5);
  stroke(context, colors.accent, 2.5);
}
