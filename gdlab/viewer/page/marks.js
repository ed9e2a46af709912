// Marks on the landscape: minimizers, saddles, maxima and kinks, and the start of the live bench.

import { valueAt } from "./scenes.js";

// Paths of the shapes within a circle of radius 1.
const SHAPES = {
  minimizer: star(5, 0.42),
  minimum: star(5, 0.42),
  saddle: [[0, -1], [1, 0], [0, 1], [-1, 0]],
  maximum: [[0, -1], [0.9, 0.75], [-0.9, 0.75]],
  kink: [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
};

function star(count, inner) {
  return Array.from({ length: 2 * count }, (_, k) => {
    const [angle, radius] = [(Math.PI * k) / count - Math.PI / 2, k % 2 ? inner : 1];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

// Traces a shape around a point: "circle", or that of a kind of mark.
export function trace(context, shape, x, y, radius) {
  context.beginPath();
  if (shape === "circle") context.arc(x, y, radius, 0, 2 * Math.PI);
  else for (const [dx, dy] of SHAPES[shape]) context.lineTo(x + dx * radius, y + dy * radius);
  context.closePath();
}

// Returns where a mark appears in 2-D, in pixels; on a line, on the curve of its loss.
export function pixelOfMark({ at }, grid, { to, origin }) {
  const height = at[1] ?? lossOnLine(grid, at[0]);
  return to(at[0] - origin[0], height - origin[1]);
}

// Draws the minimizers, saddles, maxima and kinks of the landscape with distinct shapes.
export function drawMarks(context, { marks, grid }, box, flat, colors) {
  for (const mark of marks) {
    const [x, y] = pixelOfMark(mark, grid, flat);
    if (x >= box.left - 9 && x <= box.left + box.width + 9) drawMark(context, mark.kind, [x, y], colors);
  }
}

// Draws a mark of a kind at a pixel.
export function drawMark(context, kind, [x, y], colors) {
  trace(context, kind in SHAPES ? kind : "kink", x, y, kind.startsWith("minim") ? 8 : 6);
  context.fillStyle = kind === "minimizer" ? colors.ink : colors.page;
  context.strokeStyle = kind === "minimizer" ? colors.page : colors.ink;
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
}

function lossOnLine(grid, x) {
  if (!grid) return 0;
  const [[low, high]] = grid.view;
  const values = grid.values.values;
  const at = ((x - low) / (high - low)) * (values.length - 1);
  return at >= 0 && at <= values.length - 1 ? valueAt(values, at) + grid.base : NaN;
}

// Draws the start of the live bench: a ring that can be dragged.
export function drawStart(context, { live, scene }, { to, origin }, colors) {
  if (!live.on || !live.start) return;
  const y = scene.plane.kind === "line" ? lossOnLine(scene.grid, live.start[0]) : live.start[1];
  trace(context, "circle", ...to(live.start[0] - origin[0], y - origin[1]), 8);
  for (const [color, width] of [[colors.page, 5], [colors.accent, 2.5]]) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
}
