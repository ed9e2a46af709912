// The camera of the 3-D view: it orbits a box of x and y from −1 to 1 and heights from 0 to 1.

import { clamp } from "./numbers.js";

export const FIRST_ORBIT = { azimuth: -0.55, elevation: 0.72, zoom: 1 };

const TALL = 0.85; // of the box, for heights from 0 to 1
const CENTER = 0.36; // the height that the camera looks at
const [DISTANCE, LENS, NEAR, FAR] = [4.6, 2.95, 0.5, 20];

// Returns an orbit turned by angles in radians; it never looks from below.
export function turned({ azimuth, elevation, zoom }, across, up) {
  return { azimuth: azimuth + across, elevation: clamp(elevation + up, 0.05, Math.PI / 2), zoom };
}

// Returns the matrix, 16 numbers column by column, that takes (x, y, height, 1) to clip space.
export function matrixOf({ azimuth, elevation, zoom }, aspect) {
  const [c, s] = [Math.cos(azimuth), Math.sin(azimuth)];
  const [ce, se] = [Math.cos(elevation), Math.sin(elevation)];
  const lens = LENS * zoom * Math.min(1, aspect / 1.15);
  const right = [c, s, 0, 0];
  const up = [-s * se, c * se, ce * TALL, -ce * TALL * CENTER];
  const away = [-s * ce, c * ce, -se * TALL, se * TALL * CENTER + DISTANCE];
  const depth = away.map((part, k) => {
    const shift = k === 3 ? (2 * FAR * NEAR) / (FAR - NEAR) : 0;
    return (part * (FAR + NEAR)) / (FAR - NEAR) - shift;
  });
  const rows = [right.map((part) => (part * lens) / aspect), up.map((part) => part * lens), depth, away];
  return Float32Array.from({ length: 16 }, (_, k) => rows[k % 4][k >> 2]);
}

// Returns where the camera is, [x, y, height] in the units of the box.
export function eyeOf({ azimuth, elevation }) {
  const flat = DISTANCE * Math.cos(elevation);
  const height = (DISTANCE * Math.sin(elevation)) / TALL + CENTER;
  return [flat * Math.sin(azimuth), -flat * Math.cos(azimuth), height];
}

// Returns where a point of the box appears: [left, top, depth], in pixels of a box {left, top,
// width, height}; the larger the depth, the farther it is.
export function project(matrix, x, y, height, { left, top, width, height: tall }) {
  const row = (k) => matrix[k] * x + matrix[4 + k] * y + matrix[8 + k] * height + matrix[12 + k];
  const w = row(3);
  return [left + (row(0) / w + 1) * 0.5 * width, top + (1 - row(1) / w) * 0.5 * tall, w];
}
