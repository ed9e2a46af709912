// The chart of how the runs of a sweep ended against one of its settings: its axes, and its
// drawing.

import { endShape, palette } from "./colors.js";
import { outcomesBy } from "./endings.js";
import { clipTo, drawAxes, drawEnd, drawLine, drawWords } from "./layers.js";
import { short } from "./numbers.js";
import { axisOf } from "./scales.js";
import { textOf } from "./settings.js";

const MARGIN = { left: 58, right: 16, top: 12, bottom: 40 };
const LOST_ABOVE = 14; // pixels above the frame, where lost runs have their row
const ROOM = 44; // pixels between two ticks
const MANY = 300; // runs: from so many on the dots are faint

// Returns the chart {frame, x, y, groups, along} of the runs that pass the filters against
// the setting `along`, in groups by `groupBy` (or null), in a box of {width, height} pixels; null
// without a run whose setting is a number.
export function outcomeChart(state, along, groupBy, { width, height }) {
  const { runs, problem } = state.scene;
  const options = { x: along, groupBy, minimum: problem.minimum };
  const groups = outcomesBy(runs, state.runs, options);
  const points = groups.flatMap((group) => group.points);
  if (points.length === 0) return null;
  const xs = points.map(({ x }) => x);
  if (along === "lr") xs.push(...nearLimits(state, xs));
  const isLogX = Math.min(...xs) > 0 && Math.max(...xs) / Math.min(...xs) > 5;
  const isAnyLost = points.some(({ y }) => y === Infinity);
  const frame = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top + (isAnyLost ? LOST_ABOVE : 0),
    bottom: height - MARGIN.bottom,
  };
  const x = axisOf(marginOf(xs, isLogX, 0.05), [frame.left, frame.right], isLogX, width / 80);
  withOwnTicks(x, points);
  const values = points.map(({ y }) => y).filter(Number.isFinite);
  const positive = values.filter((value) => value > 0);
  const isLogY = positive.length > 0 && Math.min(...values) >= -1e-12;
  const shown = isLogY ? positive : values;
  const range = marginOf(shown.length > 0 ? shown : [0, 1], isLogY, 0.06);
  const y = axisOf(range, [frame.bottom, frame.top], isLogY, height / 45);
  return { frame, x, y, groups, along };
}

// Gives an axis the values that were tried as its ticks, where there is room for them.
function withOwnTicks(axis, points) {
  const values = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const pixels = values.map(axis.scale);
  const isCrowded = pixels.some((at, k) => k > 0 && at - pixels[k - 1] < ROOM);
  if (!isCrowded) axis.ticks = values.map((value) => ({ value, text: short(value) }));
}

// Returns the limits of theory of the runs shown that are close enough to the learning rates tried
// to be on the chart: within a factor of 10.
function nearLimits({ scene, runs }, rates) {
  const [low, high] = [Math.min(...rates) / 10, Math.max(...rates) * 10];
  const limits = runs.map((index) => scene.runs[index].lr_limit);
  return limits.filter((limit) => limit >= low && limit <= high);
}

// Returns [low, high] around values with a margin on either side, a share of their span.
function marginOf(values, isLog, share) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (isLog) {
    const factor = high > low ? (high / low) ** share : 2;
    return [low / factor, high * factor];
  }
  const margin = high > low ? share * (high - low) : Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}

// Returns the pixel of a point {x, y} of a chart: lost runs in the row above, values that have no
// place on a logarithmic axis (0) on the lower edge.
export function pixelOf({ x, y }, chart) {
  const px = chart.x.scale(x);
  if (y === Infinity) return [px, chart.frame.top - LOST_ABOVE];
  const py = chart.y.scale(y);
  return [px, Number.isNaN(py) ? chart.frame.bottom : py];
}

// Draws a chart without what is followed: axes, limits of theory, bands, medians, and all runs.
export function drawOutcomes(context, state, chart, colorOf) {
  const colors = palette(state.dark);
  const { frame } = chart;
  drawAxes(context, frame, chart.x, chart.y, chart.along, colors);
  drawLost(context, chart, colors);
  const faint = chart.groups.reduce((sum, { points }) => sum + points.length, 0) > MANY;
  for (const group of chart.groups) {
    const color = colorOf(group);
    if (chart.along === "lr") drawLimit(context, chart, group.limit, color, colors.page);
    clipTo(context, { ...frame, top: 0 }, 4);
    drawBand(context, group.bands, chart, color);
    context.globalAlpha = faint ? 0.25 : 0.75;
    for (const point of group.points) {
      const isCross = endShape(state.scene.runs[point.index].status) === "cross";
      drawEnd(context, pixelOf(point, chart), isCross, {
        color: state.colors[point.index],
        halo: colors.page,
        radius: 2.6,
      });
    }
    context.restore();
    if (chart.groups.length > 1) nameGroup(context, group, chart, { color, halo: colors.page });
  }
}

// Writes the value that a group of runs shares where its line of medians begins.
function nameGroup(context, { value, bands }, chart, style) {
  const first = bands.find(({ median }) => Number.isFinite(median));
  if (first === undefined) return;
  const [px, py] = pixelOf({ x: first.x, y: first.median }, chart);
  drawWords(context, textOf(value, short), [px + 8, py - 8], style);
}

// Draws the line below the row of the lost runs, if there are any.
function drawLost(context, { frame, groups }, colors) {
  const isAnyLost = groups.some(({ points }) => points.some(({ y }) => y === Infinity));
  if (!isAnyLost) return;
  const at = frame.top - LOST_ABOVE;
  drawWords(context, "diverged", [frame.left - 7, at], {
    color: colors.soft,
    align: "right",
    italic: true,
  });
}

// Draws the limit of the learning rate that theory gives, a dashed vertical, if it is on the chart.
export function drawLimit(context, { frame, x }, limit, color, halo) {
  const at = limit === null ? NaN : x.scale(limit);
  if (!(at >= frame.left && at <= frame.right)) return;
  context.lineWidth = 1.3;
  drawLine(context, [at, frame.top - LOST_ABOVE], [at, frame.bottom], color, [5, 4]);
  const isRight = at > frame.right - 60;
  const align = isRight ? "right" : "left";
  const place = [isRight ? at - 6 : at + 6, frame.bottom - 12];
  drawWords(context, "lr limit", place, { color, halo, align, italic: true });
}

// Draws the quartiles of a group as a band and its median as a line, where they are finite.
function drawBand(context, bands, chart, color) {
  const at = (band, key) => pixelOf({ x: band.x, y: band[key] }, chart);
  const banded = bands.filter(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
  context.fillStyle = color;
  context.globalAlpha = 0.14;
  context.beginPath();
  for (const band of banded) context.lineTo(...at(band, "high"));
  for (const band of [...banded].reverse()) context.lineTo(...at(band, "low"));
  context.fill();
  context.globalAlpha = 1;
  context.lineWidth = 1.8;
  context.strokeStyle = color;
  context.lineJoin = "round";
  context.beginPath();
  for (const band of bands) if (Number.isFinite(band.median)) context.lineTo(...at(band, "median"));
  context.stroke();
}
