// The 2-D canvas over the landscape: frame, ticks, names, the curve of a loss of one variable, and
// on them marks, arrows and markers.

import { drawArrows, drawPoint } from "./arrows.js";
import { drawBox } from "./box.js";
import { palette } from "./colors.js";
import { drawLegend } from "./legend.js";
import { drawMarks, drawStart } from "./marks.js";
import { tickTexts, ticks } from "./numbers.js";
import { originOf } from "./scenes.js";

// Returns {to, from, scale}: from positions relative to the scene's origin to CSS pixels of a box
// {left, top, width, height} that shows a view, from pixels to absolute positions, and pixels per
// unit [x, y].
export function projection(scene, view, box) {
  const origin = originOf(scene);
  const [[xlow, xhigh], [ylow, yhigh]] = view;
  const scale = [box.width / (xhigh - xlow), box.height / (yhigh - ylow)];
  const [x0, y0] = [origin[0] - xlow, origin[1] - ylow];
  return {
    origin,
    scale,
    to: (x, y) => [
      box.left + (x0 + x) * scale[0],
      box.top + box.height - (y0 + y) * scale[1],
    ],
    from: (left, top) => [
      xlow + (left - box.left) / scale[0],
      ylow + (box.top + box.height - top) / scale[1],
    ],
  };
}

// Draws the whole overlay. `box` holds the rectangle of the view, `ratio` of device pixels, and
// `iso` the iso-levels, `surface` what draws the view in 3-D, if it is shown.
export function drawAxes(context, state, box) {
  const { scene, view, dark } = state;
  const colors = palette(dark);
  const { ratio, surface } = box;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const flat = projection(scene, view, box);
  if (surface) {
    drawBox(context, state, box, surface.relief(), colors);
    return;
  }
  drawFrame(context, state, box, colors);
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.width, box.height);
  context.clip();
  if (state.showField && state.grid && scene.plane.kind !== "line") {
    drawArrows(context, state, box, flat, colors);
  }
  drawMarks(context, state, box, flat, colors);
  drawPoint(context, state, flat, colors);
  if (!state.grid) drawWhy(context, scene.problem, box, colors);
  if (box.iso) drawLegend(context, state.grid, box.iso, box, colors);
  context.restore();
  drawStart(context, state, flat, colors);
}

// Draws the frame of the view with its ticks and the names of its axes.
function drawFrame(context, { scene, view }, box, colors) {
  const { left, top, width, height } = box;
  const bottom = top + height;
  context.strokeStyle = colors.line;
  context.lineWidth = 1;
  context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
  context.fillStyle = colors.soft;
  context.strokeStyle = colors.faint;
  context.font = "12px system-ui, sans-serif";
  const [[xlow, xhigh], [ylow, yhigh]] = view;
  const columns = ticks(xlow, xhigh, width / 90);
  context.textAlign = "center";
  context.textBaseline = "top";
  const across = tickTexts(columns);
  columns.forEach((value, k) => {
    const x = Math.round(left + ((value - xlow) / (xhigh - xlow)) * width) + 0.5;
    line(context, x, bottom + 1, x, bottom + 5);
    context.fillText(across[k], x, bottom + 8);
  });
  const rows = ticks(ylow, yhigh, height / 60);
  context.textAlign = "right";
  context.textBaseline = "middle";
  const up = tickTexts(rows);
  rows.forEach((value, k) => {
    const y = Math.round(bottom - ((value - ylow) / (yhigh - ylow)) * height) + 0.5;
    line(context, left - 5, y, left - 1, y);
    context.fillText(up[k], left - 8, y);
  });
  drawNames(context, scene, box, colors);
}

function drawNames(context, scene, { left, top, width, height }, colors) {
  const [first, second] = [...scene.plane.labels, "loss"];
  context.fillStyle = colors.ink;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.font = "13px system-ui, sans-serif";
  context.fillText(first, left + width / 2, top + height + 39);
  context.save();
  context.translate(13, top + height / 2);
  context.rotate(-Math.PI / 2);
  context.fillText(second, 0, 0);
  context.restore();
}

// Says why there is no landscape.
function drawWhy(context, { why }, { left, top, width }, colors) {
  context.fillStyle = colors.soft;
  context.font = "13px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "top";
  const lines = wrapped(context, `No landscape${why ? `: ${why}` : ""}`, width - 24);
  lines.forEach((text, k) => context.fillText(text, left + 12, top + 10 + 18 * k, width - 24));
}

// Returns a text in lines of whole words that are at most so many pixels wide, where words are.
function wrapped(context, text, width) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// Strokes a straight line.
function line(context, x, y, toX, toY) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(toX, toY);
  context.stroke();
}
