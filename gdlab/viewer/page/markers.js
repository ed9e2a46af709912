// Where each run is now, as a list of markers: a dot while it moves, then its end by its status, a
// triangle at the frame where it is out of view.

import { endShape, palette, rgbOf } from "./colors.js";
import { clamp } from "./numbers.js";
import { cachedPositions, placeOf } from "./scenes.js";

const SHAPES = ["dot", "circle", "cross", "triangle"]; // as sprites.js numbers them
const MOST_DOTS = 4000; // of all runs on a curve
const INSET = 7; // pixels between the frame and a triangle

// Returns markers [{x, y, shape, size, angle, color, alpha}] in CSS pixels of a box {left, top,
// width, height} of the recorded runs; `to` takes a position (and its loss) to pixels. Those on top
// are the last.
export function markersOf(state, box, to) {
  const { scene, drawn: runs, colors, step, followed, hovered, full, live } = state;
  const chosen = new Set([hovered, followed].filter((run) => run !== null));
  const size = runs.length > 150 ? 2.2 : 4;
  const alpha = followed !== null || live.run ? 0.4 : 1;
  const markers = scene.plane.kind === "line" ? stepsOf(state, to) : [];
  const add = (run, color, look) => {
    const marker = run && markerOf(scene, run, step, box, to);
    if (marker) markers.push({ ...marker, color: rgbOf(color), ...look });
  };
  for (const run of runs) {
    if (!chosen.has(run)) add(scene.runs[run], colors[run], { size, alpha });
  }
  for (const run of chosen) {
    const shown = full?.index === run ? full.run : scene.runs[run];
    add(shown, colors[run], { size: 5.5, alpha: 1 });
  }
  return markers;
}

// Returns the marker of the live run, in a list as above.
export function liveMarkers({ scene, live, step, dark }, box, to) {
  if (!live.run) return [];
  const marker = markerOf(scene, live.run, step, box, to);
  return marker ? [{ ...marker, color: rgbOf(palette(dark).accent), size: 5.5, alpha: 1 }] : [];
}

// Returns a small dot for each record up to the step: on a curve these are what a path is.
function stepsOf({ scene, drawn: runs, colors, step, full }, to) {
  const dots = [];
  for (const index of runs) {
    const run = full?.index === index ? full.run : scene.runs[index];
    const positions = cachedPositions(scene, run);
    const color = rgbOf(colors[index]);
    run.step.values.forEach((at, k) => {
      if (at > step || dots.length >= MOST_DOTS) return;
      const [x, y] = to(positions[2 * k], positions[2 * k + 1]);
      dots.push({ x, y, shape: 0, angle: 0, size: 2.4, alpha: 1, color });
    });
  }
  return dots.filter(({ x, y }) => Number.isFinite(x + y));
}

function markerOf(scene, run, step, box, to) {
  if (run.step.values.length === 0) return null;
  const { at, hasEnded } = placeOf(scene, run, step);
  const [x, y] = to(at[0], at[1]);
  if (!(Number.isFinite(x) && Number.isFinite(y))) return null;
  const { left, top, width, height } = box;
  if (x < left || y < top || x > left + width || y > top + height) {
    const inX = clamp(x, left + INSET, left + width - INSET);
    const inY = clamp(y, top + INSET, top + height - INSET);
    const angle = Math.atan2(y - inY, x - inX);
    return { x: inX, y: inY, shape: SHAPES.indexOf("triangle"), angle };
  }
  return { x, y, shape: SHAPES.indexOf(hasEnded ? endShape(run.status) : "dot"), angle: 0 };
}
