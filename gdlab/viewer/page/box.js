// What is written on the 3-D view: the edges of its box, names and ends of its axes, and the plane
// that touches the surface under the cursor.

import { eyeOf, FIRST_ORBIT, project } from "./camera.js";
import { drawMark } from "./marks.js";
import { short } from "./numbers.js";
import { isHidden, toBox } from "./relief.js";
import { matrixFor } from "./surface.js";

const HALF = 0.24; // of the tangent plane, in units of the box

// Draws edges, names, ends and the tangent plane over a relief.
export function drawBox(context, state, box, relief, colors) {
  const matrix = matrixFor(state, box);
  const at = (x, y, height) => project(matrix, x, y, height, box);
  if (relief) drawMarksOn(context, state, relief, at, colors);
  if (relief) drawTangent(context, state, relief, at, colors);
  const sideX = at(0, -1, 0)[2] < at(0, 1, 0)[2] ? -1 : 1;
  const sideY = at(-1, 0, 0)[2] < at(1, 0, 0)[2] ? -1 : 1;
  context.strokeStyle = colors.faint;
  context.lineWidth = 1;
  stroke(context, [at(-1, sideX, 0), at(1, sideX, 0)]);
  stroke(context, [at(sideY, -1, 0), at(sideY, 1, 0)]);
  context.font = "13px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const [x, y] = state.view;
  const [first, second] = state.scene.plane.labels;
  name(context, first, at(0, sideX * 1.12, 0), box, colors);
  name(context, second, at(sideY * 1.12, 0, 0), box, colors);
  context.textAlign = "center";
  context.font = "12px system-ui, sans-serif";
  for (const end of [0, 1]) {
    label(context, short(x[end], 3), at((2 * end - 1) * 0.94, sideX * 1.09, 0), colors.soft);
    label(context, short(y[end], 3), at(sideY * 1.09, (2 * end - 1) * 0.94, 0), colors.soft);
  }
  if (relief) drawHeights(context, state, relief, at, [sideX, sideY], colors);
}

// Draws the marks of the landscape on a relief, but those that lie behind it.
function drawMarksOn(context, { marks, orbit }, relief, at, colors) {
  const eye = eyeOf(orbit ?? FIRST_ORBIT);
  for (const { kind, at: place } of marks) {
    const [u, v] = toBox(relief.view, ...place);
    const point = [u, v, relief.heightAt(...place)];
    if (Math.abs(u) > 1 || Math.abs(v) > 1 || isHidden(relief, point, eye)) continue;
    drawMark(context, kind, at(...point), colors);
  }
}

// Draws the vertical edge at the left with the lowest and highest loss.
function drawHeights(context, { grid, isLinear }, { iso }, at, [sideX, sideY], colors) {
  const corners = [[-sideY, sideX], [sideY, -sideX]];
  const [x, y] = corners.sort((a, b) => at(...a, 0)[0] - at(...b, 0)[0])[0];
  stroke(context, [at(x, y, 0), at(x, y, 1)]);
  const loss = (level) => (grid.scale === "log" ? 10 ** level : level) + grid.base;
  const lowest = grid.scale === "log" && isLinear ? grid.base : loss(iso.low);
  context.textAlign = "right";
  const [left, top] = at(x, y, 1);
  label(context, short(loss(iso.high), 3), [left - 8, top], colors.soft);
  const [low, bottom] = at(x, y, 0);
  label(context, short(lowest, 3), [low - 8, bottom], colors.soft);
  const [middle, height] = at(x, y, 0.5);
  label(context, "loss", [middle - 8, height], colors.ink);
}

// Draws the plane that touches the surface at the cursor, and its normal's foot.
function drawTangent(context, { cursor }, { view, heightAt }, at, colors) {
  if (!cursor) return;
  const [u, v] = toBox(view, ...cursor.at);
  const [hx, hy] = view.map(([low, high]) => (high - low) / 200);
  const height = heightAt(...cursor.at);
  const [x, y] = cursor.at;
  const slopeX = (heightAt(x + hx, y) - heightAt(x - hx, y)) / 0.02;
  const slopeY = (heightAt(x, y + hy) - heightAt(x, y - hy)) / 0.02;
  if (!Number.isFinite(slopeX + slopeY)) return;
  const size = HALF / Math.sqrt(1 + slopeX * slopeX + slopeY * slopeY);
  const corner = (dx, dy) => at(u + dx, v + dy, height + slopeX * dx + slopeY * dy);
  const corners = [corner(-size, -size), corner(size, -size), corner(size, size), corner(-size, size)];
  context.globalAlpha = 0.3;
  context.fillStyle = colors.accent;
  context.beginPath();
  for (const [left, top] of corners) context.lineTo(left, top);
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = colors.accent;
  context.lineWidth = 1.25;
  stroke(context, [...corners, corners[0]]);
  const [left, top] = at(u, v, height);
  context.beginPath();
  context.arc(left, top, 3, 0, 2 * Math.PI);
  context.fill();
}

// Writes the name of an axis on the outer side of its edge.
function name(context, text, [left, top], box, colors) {
  const isLeft = left < box.left + box.width / 2;
  context.textAlign = isLeft ? "right" : "left";
  label(context, text, [left + (isLeft ? -4 : 4), top + 6], colors.ink);
}

function label(context, text, [left, top], color) {
  context.fillStyle = color;
  context.fillText(text, left, top);
}

function stroke(context, points) {
  context.beginPath();
  for (const [left, top] of points) context.lineTo(left, top);
  context.stroke();
}
