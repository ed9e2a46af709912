// The map of starts: which starts it shows, its axes, and its drawing.

import { distinctColor, endShape, palette } from "./colors.js";
import { basinsOf, hasManyStarts } from "./endings.js";
import { clipTo, drawAxes, drawEnd, drawLine, drawWords } from "./layers.js";
import { trace } from "./marks.js";
import { axisOf } from "./scales.js";
import { freeAxes, keyOf } from "./settings.js";

const MARGIN = { left: 44, right: 16, top: 10, bottom: 40 };
const FEW_LINES = 40; // starts: up to so many are joined with where they lead
const OF_START = /^(seed|start)(\.|_|$)/; // settings that say where a run starts

// Returns the axes of a sweep but those that say where a run starts.
export function axesBesideStart(scene) {
  return freeAxes(scene).filter(({ name }) => !OF_START.test(name));
}

// Returns the runs of the map: those that pass the filters and differ only in where they start from
// the one followed, or from the first.
export function mappedRuns({ scene, runs, followed }) {
  const kept = axesBesideStart(scene);
  const wanted = scene.runs[followed ?? runs[0]]?.settings;
  const isLike = ({ settings }) =>
    kept.every(({ name }) => keyOf(settings[name]) === keyOf(wanted[name]));
  return runs.filter((index) => isLike(scene.runs[index]));
}

// Returns {places, starts} as basinsOf for the runs of the map, or null if they begin at one point.
export function mapOf(state) {
  const indices = mappedRuns(state);
  if (indices.length < 2) return null;
  const { scene, marks } = state;
  const basins = basinsOf(scene.runs, indices, { ...scene, marks });
  return hasManyStarts(basins.starts, scene.view) ? basins : null;
}

// Returns the axes {frame, x, y, isLine} of a map in a box of {width, height} pixels: the range of
// the starts and of the places that they reach, and a margin. A line has no y: its starts lie in
// the middle.
export function mapChart({ starts, places }, { width, height }) {
  const frame = {
    left: MARGIN.left,
    right: width - MARGIN.right,
    top: MARGIN.top,
    bottom: height - MARGIN.bottom,
  };
  const isLine = starts[0].start.length === 1;
  const reached = places.filter((_, k) => starts.some(({ place }) => place === k));
  const range = (k) => {
    const values = [...starts.map(({ start }) => start[k]), ...reached.map(({ at }) => at[k])];
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = 0.06 * (high - low) || 0.5;
    return [low - margin, high + margin];
  };
  const x = axisOf(range(0), [frame.left, frame.right], false, width / 80);
  const y = axisOf(isLine ? [-1, 1] : range(1), [frame.bottom, frame.top], false, height / 50);
  if (isLine) y.ticks = [];
  return { frame, x, y, isLine };
}

// Returns the pixel of a point of the plane on a map.
export function mapPixel(point, { x, y, isLine }) {
  return [x.scale(point[0]), y.scale(isLine ? 0 : point[1])];
}

// Returns the color of a place where runs end; null is no place.
export function placeColor(place, dark) {
  return place === null ? palette(dark).faint : distinctColor(place, dark);
}

// Draws a map: its axes, the places that runs reach, and each start in the color of its place, a
// cross if the run was lost. Starts on a lattice are cells.
export function drawMap(context, state, basins, chart) {
  const { places, starts } = basins;
  const colors = palette(state.dark);
  drawAxes(context, chart.frame, chart.x, chart.y, state.scene.plane.labels[0], colors);
  if (!chart.isLine) {
    const style = { color: colors.soft, halo: colors.page, italic: true, size: 12 };
    drawWords(context, state.scene.plane.labels[1], [4, chart.frame.top + 4], style);
  }
  clipTo(context, chart.frame, 5);
  const cell = latticeOf(starts, chart);
  if (cell === null && starts.length <= FEW_LINES) drawLeads(context, state, basins, chart);
  const radius = Math.max(1.8, Math.min(4.5, 60 / Math.sqrt(starts.length)));
  for (const { start, place, status } of starts) {
    const color = placeColor(place, state.dark);
    const at = mapPixel(start, chart);
    const isCross = endShape(status) === "cross";
    if (cell !== null && !isCross) drawCell(context, at, cell, color);
    else drawEnd(context, at, isCross, { color, halo: colors.page, radius });
  }
  for (const { at } of places) drawPlace(context, mapPixel(at, chart), chart.frame, colors);
  context.restore();
}

// Draws a thin line from each start to the place that it leads to.
function drawLeads(context, state, { places, starts }, chart) {
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  for (const { start, place } of starts) {
    if (place === null) continue;
    const [from, to] = [start, places[place].at].map((point) => mapPixel(point, chart));
    drawLine(context, from, to, placeColor(place, state.dark));
  }
  context.globalAlpha = 1;
}

// Returns [width, height] in pixels of the cells of starts on a lattice, or null where they are
// none.
function latticeOf(starts, chart) {
  const columns = new Set(starts.map(({ start }) => start[0].toPrecision(5)));
  const rows = new Set(starts.map(({ start }) => (start[1] ?? 0).toPrecision(5)));
  const count = new Set(
    starts.map(({ start }) => start.map((value) => value.toPrecision(5)).join()),
  ).size;
  if (columns.size < 3 || rows.size < 3 || count < 0.8 * columns.size * rows.size) return null;
  const pixels = starts.map(({ start }) => mapPixel(start, chart));
  const span = (k) =>
    Math.max(...pixels.map((at) => at[k])) - Math.min(...pixels.map((at) => at[k]));
  return [span(0) / (columns.size - 1), span(1) / (rows.size - 1)];
}

// Fills the cell around a pixel.
function drawCell(context, [x, y], [width, height], color) {
  context.fillStyle = color;
  context.globalAlpha = 0.75;
  context.fillRect(x - width / 2, y - height / 2, width + 0.5, height + 0.5);
  context.globalAlpha = 1;
}

// Draws a place where runs end, if it is on the map, as the landscape marks a minimizer.
function drawPlace(context, [x, y], { left, right, top, bottom }, colors) {
  if (!(x >= left && x <= right && y >= top && y <= bottom)) return;
  trace(context, "minimizer", x, y, 8);
  context.lineWidth = 1.5;
  context.fillStyle = colors.ink;
  context.strokeStyle = colors.page;
  context.fill();
  context.stroke();
}
