// What the shades of the landscape mean: a small bar with the lowest and the highest loss of a view.

import { short } from "./numbers.js";

const [WIDE, TALL, APART] = [96, 8, 10]; // pixels
const ROOMY = 480; // pixels: a narrower view has no room to say how far iso-lines are apart

// Returns the losses at the two ends of a bar of levels, and how far iso-lines are apart, as texts.
export function legendTexts(grid, { low, high, spacing }) {
  const isLog = grid.scale === "log";
  const loss = (level) => short((isLog ? 10 ** level : level) + grid.base, 3);
  const apart = isLog ? `× ${short(10 ** spacing, 2)}` : `+ ${short(spacing, 3)}`;
  return { low: loss(low), high: loss(high), apart };
}

// Draws the legend into the upper right corner of a box.
export function drawLegend(context, grid, iso, { left, top, width }, colors) {
  const { low, high, apart } = legendTexts(grid, iso);
  const text = width > ROOMY ? `from line to line ${apart}    loss` : "loss";
  const [right, line] = [left + width - APART, top + APART];
  context.font = "12px system-ui, sans-serif";
  const [before, after] = [context.measureText(low).width, context.measureText(high).width];
  const middle = context.measureText(text).width;
  const whole = before + WIDE + after + middle + 34;
  context.globalAlpha = 0.85;
  context.fillStyle = colors.page;
  context.fillRect(right - whole, line - 3, whole + 4, 22);
  context.globalAlpha = 1;
  const shade = context.createLinearGradient(right - after - 8 - WIDE, 0, right - after - 8, 0);
  const color = (parts) => `rgb(${parts.map((part) => Math.round(255 * part)).join(" ")})`;
  shade.addColorStop(0, color(colors.low));
  shade.addColorStop(1, color(colors.high));
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = colors.soft;
  context.fillText(high, right, line + TALL);
  context.fillText(low, right - after - WIDE - 16, line + TALL);
  context.fillText(text, right - after - WIDE - before - 30, line + TALL);
  context.fillStyle = shade;
  context.strokeStyle = colors.faint;
  context.lineWidth = 1;
  const bar = [right - after - 8 - WIDE, line + TALL / 2, WIDE, TALL];
  context.fillRect(...bar);
  context.strokeRect(...bar);
}
