// A grid of values of the loss (see the format): levels, interpolation, slopes. No drawing.

import { clamp, roundStep } from "./numbers.js";

const MISSING = 3e38; // where there is no value: NaN does not survive every graphics driver
const HIGHEST = 1e37; // beyond it, as where the loss overflows

// Returns the level of a value of a grid: log10 of it, or itself.
function levelOf(value, isLog, lowest) {
  if (Number.isNaN(value)) return MISSING;
  if (!isLog) return clamp(value, -HIGHEST, HIGHEST);
  return value > 0 ? Math.min(Math.log10(value), 37) : lowest;
}

// Returns the levels of a grid, Float32Array (ny · nx); MISSING where there is no value. At an
// exact minimum of a log scale the level is that of the least positive value.
export function levelsOf(grid) {
  const values = grid.values.values;
  const isLog = grid.scale === "log";
  let least = Infinity;
  for (const value of values) if (value > 0 && value < least) least = value;
  const lowest = Number.isFinite(least) ? Math.log10(least) : 0;
  return Float32Array.from(values, (value) => levelOf(value, isLog, lowest));
}

// Returns {low, high, spacing, major}: the range of levels within a view, without the outermost
// hundredth, a round distance of iso-lines, and every how many of them one is stronger.
export function isoLevels(grid, levels, view) {
  const within = [];
  const [ny, nx] = grid.shape;
  const [first, last] = [toIndex(grid, view[0][0], view[1][0]), toIndex(grid, view[0][1], view[1][1])];
  const stride = Math.max(1, Math.floor(Math.min(last[0] - first[0], last[1] - first[1]) / 64));
  for (let row = Math.max(0, Math.floor(first[1])); row <= Math.min(ny - 1, last[1]); row += stride) {
    for (let k = Math.max(0, Math.floor(first[0])); k <= Math.min(nx - 1, last[0]); k += stride) {
      const level = levels[row * nx + k];
      if (level < HIGHEST) within.push(level);
    }
  }
  within.sort((a, b) => a - b);
  const low = within[Math.floor(0.01 * within.length)] ?? 0;
  const high = Math.max(within[Math.ceil(0.99 * within.length) - 1] ?? 1, low + 1e-12);
  if (grid.scale !== "log") return { low, high, spacing: roundStep(high - low, 16), major: 5 };
  const spacing = [0.05, 0.1, 0.25, 0.5, 1, 2, 4].find((each) => (high - low) / each <= 18) ?? 8;
  return { low, high, spacing, major: spacing < 1 ? Math.round(1 / spacing) : 5 };
}

// Returns where a point of the plane lies among the samples of a grid, as real [column, row].
export function toIndex({ view, shape: [ny, nx] }, x, y) {
  const [[xlow, xhigh], [ylow, yhigh]] = view;
  return [((x - xlow) / (xhigh - xlow)) * (nx - 1), ((y - ylow) / (yhigh - ylow)) * (ny - 1)];
}

// Returns the loss at a point of the plane between the samples of a grid, or null outside of it or
// where it is missing. With the grid of a line, y is ignored.
export function lossAt(grid, x, y) {
  const value = grid.shape.length === 1 ? alongLine(grid, x) : bilinear(grid, x, y);
  return Number.isNaN(value) ? null : value + grid.base;
}

function alongLine({ view: [[low, high]], shape: [count], values: { values } }, x) {
  const at = ((x - low) / (high - low)) * (count - 1);
  if (!(at >= 0 && at <= count - 1)) return NaN;
  const k = Math.min(Math.floor(at), count - 2);
  return values[k] + (at - k) * (values[k + 1] - values[k]);
}

// Returns the value, less the base, at a point between four samples; NaN outside.
export function bilinear(grid, x, y) {
  const [ny, nx] = grid.shape;
  const values = grid.values.values;
  const [column, row] = toIndex(grid, x, y);
  if (!(column >= 0 && column <= nx - 1 && row >= 0 && row <= ny - 1)) return NaN;
  const k = Math.min(Math.floor(column), nx - 2);
  const i = Math.min(Math.floor(row), ny - 2);
  const [u, v] = [column - k, row - i];
  const at = i * nx + k;
  const lower = values[at] + u * (values[at + 1] - values[at]);
  const upper = values[at + nx] + u * (values[at + nx + 1] - values[at + nx]);
  return lower + v * (upper - lower);
}

// Returns the gradient [gx, gy] at a point by differences over one cell of the grid to each side,
// or null where a value is missing.
export function gradientAt(grid, x, y) {
  const [ny, nx] = grid.shape;
  const [[xlow, xhigh], [ylow, yhigh]] = grid.view;
  const [hx, hy] = [(xhigh - xlow) / (nx - 1), (yhigh - ylow) / (ny - 1)];
  const gx = (bilinear(grid, x + hx, y) - bilinear(grid, x - hx, y)) / (2 * hx);
  const gy = (bilinear(grid, x, y + hy) - bilinear(grid, x, y - hy)) / (2 * hy);
  return Number.isFinite(gx) && Number.isFinite(gy) ? [gx, gy] : null;
}
