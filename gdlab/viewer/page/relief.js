// The shape of the landscape in 3-D: a mesh of heights over the view, and paths lifted onto it.

import { bilinear, isoLevels, levelsOf } from "./grids.js";
import { clamp } from "./numbers.js";

export const SIDE = 129; // points of the mesh along each side

const LIFT = 0.008; // of the box, by which paths lie above the surface
const SIGHT = 0.02; // between two points of a line of sight, in units of the box
const LONGEST = 0.05; // of a straight piece of a path, in units of the box
const MOST = 60000; // pieces of all paths together
const BREAK = [0, 0, 0, 0, -1, 0, 0, 0];

// Returns the relief of a grid over a view: {view, iso, heightAt, mesh}. `heightAt(x, y)` is from 0
// to 1, or NaN outside, with log heights where the grid's scale is log and `isLinear` is not asked
// for. `mesh` is Float32Array (4 · SIDE · SIDE): level, height, and the two slopes of the height.
export function reliefOf(grid, view, isLinear) {
  const iso = isoLevels(grid, levelsOf(grid), view);
  const isLog = grid.scale === "log";
  const [low, high] = [iso.low, isLog && isLinear ? 10 ** iso.high : iso.high];
  const heightOf = (value) => {
    if (isLog && isLinear) return clamp(value / high, 0, 1);
    const level = isLog ? Math.log10(Math.max(value, 1e-38)) : value;
    return clamp((level - low) / (high - low), 0, 1);
  };
  const valueAt = (x, y) => bilinear(grid, x, y);
  const heightAt = (x, y) => heightOf(valueAt(x, y));
  return { view, iso, heightAt, mesh: meshOf(view, valueAt, heightOf, isLog) };
}

function meshOf(view, valueAt, heightOf, isLog) {
  const mesh = new Float32Array(4 * SIDE * SIDE);
  for (let row = 0; row < SIDE; row++) {
    for (let k = 0; k < SIDE; k++) {
      const value = valueAt(...placeAt(view, k / (SIDE - 1), row / (SIDE - 1)));
      const at = 4 * (row * SIDE + k);
      mesh[at] = isLog ? Math.log10(Math.max(value, 1e-38)) : value;
      mesh[at + 1] = heightOf(value);
    }
  }
  const height = (row, k) => mesh[4 * (clamp(row, 0, SIDE - 1) * SIDE + clamp(k, 0, SIDE - 1)) + 1];
  for (let row = 0; row < SIDE; row++) {
    for (let k = 0; k < SIDE; k++) {
      const at = 4 * (row * SIDE + k);
      mesh[at + 2] = ((height(row, k + 1) - height(row, k - 1)) * (SIDE - 1)) / 4;
      mesh[at + 3] = ((height(row + 1, k) - height(row - 1, k)) * (SIDE - 1)) / 4;
    }
  }
  return mesh;
}

// Returns the point of the plane at fractions of a view.
export function placeAt(view, across, up) {
  const [[xlow, xhigh], [ylow, yhigh]] = view;
  return [xlow + across * (xhigh - xlow), ylow + up * (yhigh - ylow)];
}

// Returns the triangles of the mesh without those that have a corner without a value.
export function trianglesOf(mesh) {
  const triangles = [];
  const isThere = (vertex) => !Number.isNaN(mesh[4 * vertex + 1]);
  for (let row = 0; row < SIDE - 1; row++) {
    for (let k = 0; k < SIDE - 1; k++) {
      const a = row * SIDE + k;
      const corners = [a, a + 1, a + SIDE, a + SIDE + 1];
      if (corners.every(isThere)) triangles.push(a, a + 1, a + SIDE, a + 1, a + SIDE + 1, a + SIDE);
    }
  }
  return Uint32Array.from(triangles);
}

// Returns x and y in the box, from −1 to 1, of a point of the plane.
export function toBox([[xlow, xhigh], [ylow, yhigh]], x, y) {
  return [(2 * (x - xlow)) / (xhigh - xlow) - 1, (2 * (y - ylow)) / (yhigh - ylow) - 1];
}

// Returns whether a point [x, y, height] of the box is hidden behind the relief from an eye.
export function isHidden({ view, heightAt }, point, eye) {
  const length = Math.hypot(...eye.map((part, k) => part - point[k]));
  for (let distance = 2 * SIGHT; distance < length; distance += SIGHT) {
    const [x, y, height] = point.map((part, k) => part + ((eye[k] - part) * distance) / length);
    if (Math.abs(x) > 1 || Math.abs(y) > 1 || height > 1) return false;
    if (heightAt(...placeAt(view, (x + 1) / 2, (y + 1) / 2)) > height + LIFT) return true;
  }
  return false;
}

// Returns the vertices of paths on a relief, Float32Array (8 each): x, y, height, step, run, with −1
// where a path is broken, and three that fill a row of four. `paths` are [run, positions (2n), steps (n)], positions relative to origin.
export function liftedPaths({ view, heightAt }, paths, origin) {
  const vertices = [];
  const records = paths.reduce((sum, [, , steps]) => sum + steps.length, 0);
  const stride = Math.max(1, Math.ceil(records / MOST));
  for (const [run, positions, steps] of paths) {
    let before = null;
    for (let k = 0; k < steps.length; k = nextRecord(k, stride, steps.length)) {
      const [x, y] = [positions[2 * k] + origin[0], positions[2 * k + 1] + origin[1]];
      const now = [x, y, steps[k]];
      if (before) liftSegment(vertices, run, before, now, { view, heightAt });
      before = now;
    }
    vertices.push(...BREAK);
  }
  return Float32Array.from(vertices);
}

function nextRecord(k, stride, count) {
  return k === count - 1 ? count : Math.min(k + stride, count - 1);
}

function liftSegment(vertices, run, [ax, ay, aStep], [bx, by, bStep], { view, heightAt }) {
  const [from, to] = [toBox(view, ax, ay), toBox(view, bx, by)];
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const pieces = Number.isFinite(length) ? clamp(Math.ceil(length / LONGEST), 1, 100) : 1;
  for (let piece = 0; piece <= pieces; piece++) {
    const part = piece / pieces;
    const [x, y] = [from[0] + part * (to[0] - from[0]), from[1] + part * (to[1] - from[1])];
    const height = heightAt(ax + part * (bx - ax), ay + part * (by - ay));
    const isInside = Math.abs(x) <= 1 && Math.abs(y) <= 1 && height >= 0;
    const step = aStep + part * (bStep - aStep);
    if (isInside) vertices.push(x, y, height + LIFT, step, run, 0, 0, 0);
    else vertices.push(...BREAK);
  }
}
