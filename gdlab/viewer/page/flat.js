// The view from above: landscape and paths, drawn anew only as far as the state changed.

import { palette, rgbOf } from "./colors.js";
import { createCompose } from "./compose.js";
import { projection } from "./axes.js";
import { createCurve } from "./curve.js";
import { fitCanvas } from "./dom.js";
import { createTarget, timeGl } from "./gl.js";
import { createLandscape } from "./landscape.js";
import { liveMarkers, markersOf } from "./markers.js";
import { createPaths, toClip } from "./paths.js";
import { cachedPositions, lastStepOf, originOf } from "./scenes.js";
import { createSprites } from "./sprites.js";

const REST = 120; // milliseconds without a change (of the view: twice what it takes, if that is more),
// after which all is drawn in full
const SLOW = 20; // milliseconds for all paths, beyond which they are not redrawn while moving
const SLOW_PASS = 8; // milliseconds for a pass over the pixels, beyond which it is coarser meanwhile:
const COARSE = 0.5; // of the width and the height of the canvas in pixels
const AROUND = 1.5; // times the width and the height of the view: the landscape drawn while it moves
const MOST_STRETCHED = 0.6; // of the size at which it was drawn, when one zooms in

// What the recorded runs over the landscape look like depends on these; on the live run it does not.
const RECORDED = ["view", "drawn", "colors", "followed", "hovered", "full", "dark"];

// Returns RGBA (4 · runs) of the runs: hidden ones have alpha 0.
export function stylesOf({ scene, drawn, colors }) {
  const styles = new Uint8Array(4 * scene.runs.length);
  for (const run of drawn) styles.set([...rgbOf(colors[run]), 255], 4 * run);
  return styles;
}

// Returns where a view lies within another: [x, y, width, height] as fractions of the other.
export function viewWithin(view, other) {
  const part = (k) => (view[k][0] - other[k][0]) / (other[k][1] - other[k][0]);
  const size = (k) => (view[k][1] - view[k][0]) / (other[k][1] - other[k][0]);
  return [part(0), part(1), size(0), size(1)];
}

// Returns what draws the state from above into the canvas of a context.
export function createFlat(gl) {
  const parts = {
    gl,
    landscape: createLandscape(gl),
    curve: createCurve(gl),
    paths: createPaths(gl),
    single: createPaths(gl),
    compose: createCompose(gl),
    sprites: createSprites(gl),
    ground: createTarget(gl, { hasDepth: false, linear: true }),
    picture: createTarget(gl, { hasDepth: true, linear: false }),
    recorded: createTarget(gl, { hasDepth: false, linear: true }),
  };
  const drawn = {}; // the parts of the state that the graphics hold, to see what changed
  const moving = { timer: null, cost: 0, pass: 0 };
  return {
    draw(state, box) {
      upload(parts, drawn, state);
      const pixels = [Math.round(box.width * box.ratio), Math.round(box.height * box.ratio)];
      const hurries = keepsMoving(moving, drawn, state, box);
      const isMoving = hurries && moving.cost > SLOW;
      drawGround(parts, drawn, state, { pixels, box, isMoving });
      drawPicture(parts, drawn, state, { pixels, box, isMoving, moving });
      const isQuick = hurries && moving.pass > SLOW_PASS;
      const coarse = { ...box, ratio: box.ratio * (isQuick ? COARSE : 1) };
      fitCanvas(gl.canvas, coarse.width, coarse.height, coarse.ratio);
      const isDrawn = drawRecorded(parts, drawn, state, { box: coarse, isQuick });
      drawOnCanvas(parts, state, coarse);
      if (isDrawn && !hurries) timeGl(gl, (cost) => (moving.pass = cost));
    },
    iso: () => drawn.iso,
  };
}

// Returns whether the view or the scrubber moves where drawing is slow, so that one should hurry.
// Where it does, a frame is asked for the moment when it rests.
function keepsMoving(moving, drawn, { view, scene, step }, { redraw }) {
  const isSame = drawn.seenScene === scene;
  const seen = { seenView: view, seenScene: scene, seenStep: Math.min(step, lastStepOf(scene)) };
  const hasMoved = isSame && Object.keys(seen).some((key) => drawn[key] !== seen[key]);
  const isOtherView = drawn.seenView !== view;
  Object.assign(drawn, seen);
  if (!isSame || (moving.cost <= SLOW && moving.pass <= SLOW_PASS)) return false;
  if (!hasMoved) return moving.timer !== null;
  clearTimeout(moving.timer);
  const rest = isOtherView ? Math.max(REST, 2 * moving.cost) : REST;
  moving.timer = setTimeout(() => {
    moving.timer = null;
    redraw();
  }, rest);
  return true;
}

// Uploads what changed: the grid, the paths, colors and visibility, the full path of a run.
function upload({ landscape, curve, paths, single }, drawn, state) {
  const { scene, grid, drawn: runs, colors, full, live } = state;
  if (drawn.grid !== grid) for (const drawer of [landscape, curve]) drawer.setGrid(grid);
  if (drawn.scene !== scene) {
    const all = scene.runs.map((run) => pathOf(scene, run));
    paths.set(all, spanOf(scene));
  }
  if (drawn.scene !== scene || drawn.runs !== runs || drawn.colors !== colors) {
    paths.setStyles(stylesOf(state));
    drawn.picture = null;
  }
  if (drawn.full !== full || drawn.liveRun !== live.run || drawn.scene !== scene) {
    const alone = [full?.run, live.run].map((run) => run && pathOf(scene, run));
    single.set(alone.map((path) => path ?? { positions: [], steps: [] }), spanOf(scene));
    single.setStyles(new Uint8Array(8).fill(255));
  }
  if (drawn.grid !== grid || drawn.dark !== state.dark) drawn.ground = null;
  Object.assign(drawn, { scene, grid, runs, colors, full, liveRun: live.run, dark: state.dark });
}

function pathOf(scene, run) {
  return { positions: cachedPositions(scene, run), steps: run.step.values };
}

function spanOf(scene) {
  return Math.max(...scene.view.map(([low, high]) => high - low));
}

// Draws the landscape; while the view moves in half its pixels, and more of it than is seen, so that
// the next views find it drawn.
function drawGround({ landscape, curve, ground }, drawn, { view, dark }, { pixels, box, isMoving }) {
  const key = [view, isMoving, ...pixels];
  const isSame = drawn.ground?.every((value, k) => (isMoving && k === 0) || value === key[k]);
  if (isSame && (!isMoving || showsWell(view, drawn.ground[0]))) return;
  const seen = isMoving ? view.map((range) => wider(range, AROUND)) : view;
  drawn.ground = [seen, ...key.slice(1)];
  if (!isMoving || !drawn.iso) drawn.iso = landscape.isoFor(view);
  const finer = isMoving ? COARSE : 1; // pixels of the picture for one of the canvas
  ground.resize(...pixels.map((size) => Math.ceil(size * finer * (isMoving ? AROUND : 1))));
  ground.bind();
  const lineWidth = box.ratio * finer;
  const look = { isSmooth: !isMoving, lineWidth };
  const colors = palette(dark);
  const isCurve = curve.draw(seen, colors, lineWidth, ground.height);
  if (!isCurve) landscape.draw(seen, drawn.iso, colors, look);
}

// Returns a range that is so many times as long, about the same middle.
function wider([low, high], factor) {
  const more = ((high - low) * (factor - 1)) / 2;
  return [low - more, high + more];
}

// Returns whether a picture of a wider view shows a view: all of it, and not much smaller.
function showsWell(view, wide) {
  const [x, y, width, height] = viewWithin(view, wide);
  const isInside = Math.min(x, y) >= 0 && x + width <= 1 && y + height <= 1;
  return isInside && Math.min(width, height) * AROUND > MOST_STRETCHED;
}

// Draws the picture of all paths, where it changed, and notes in `moving.cost` how long it takes.
function drawPicture({ gl, paths, picture }, drawn, state, { pixels, box, isMoving, moving }) {
  if (isMoving && drawn.picture) return;
  const key = [state.view, ...pixels];
  if (drawn.picture?.every((value, k) => value === key[k])) return;
  drawn.picture = key;
  const finer = box.ratio < 1.5 ? 2 : 1;
  picture.resize(pixels[0] * finer, pixels[1] * finer);
  picture.bind();
  gl.clearColor(0, 0, 0, 0);
  gl.clearDepth(1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  paths.drawAll({
    clip: toClip(state.view, originOf(state.scene)),
    width: picture.width,
    height: picture.height,
    halfWidth: halfWidthOf(state.drawn.length) * finer * box.ratio,
    lastStep: lastStepOf(state.scene),
  });
  timeGl(gl, (cost) => (moving.cost = cost));
}

// Returns half the width of a path in CSS pixels: the more there are, the thinner.
function halfWidthOf(count) {
  if (count <= 12) return 0.95;
  return count <= 150 ? 0.75 : 0.6;
}

// Draws the landscape with the recorded runs on it, those that are followed and hovered on top, where
// that changed; returns whether it did. Where it is to be quick, the canvas has fewer pixels, which
// the browser stretches.
function drawRecorded(parts, drawn, state, { box, isQuick }) {
  const { gl, compose, ground, picture, recorded } = parts;
  const { drawn: runs, followed, live, view, scene } = state;
  const lastStep = lastStepOf(scene);
  const step = Math.min(state.step, lastStep);
  const shown = [...RECORDED.map((key) => state[key]), step, live.run !== null];
  const key = [drawn.ground, drawn.picture, isQuick, box.ratio, ...shown];
  if (drawn.recorded?.every((value, k) => value === key[k])) return false;
  drawn.recorded = key;
  recorded.resize(gl.canvas.width, gl.canvas.height);
  recorded.bind();
  const crowd = runs.length > 150 ? 0.62 : 0.9;
  const dimmed = followed === null && !live.run ? 1 : 0.4;
  compose(ground, picture, {
    moved: viewWithin(view, drawn.picture[0]),
    onGround: viewWithin(view, drawn.ground[0]),
    now: depthOf(step, lastStep),
    strong: crowd * dimmed,
    faint: 0.16 * dimmed,
    isQuick,
  });
  const size = [recorded.width, recorded.height];
  drawChosen(parts, state, { size, box });
  drawMarkers(parts, state, { size, box }, markersOf);
  return true;
}

// Puts what is recorded onto the canvas, and draws the live run on top.
function drawOnCanvas(parts, state, box) {
  const { gl, recorded, single } = parts;
  const pixels = [gl.canvas.width, gl.canvas.height];
  recorded.blit(...pixels);
  gl.viewport(0, 0, ...pixels);
  if (!state.live.run) return;
  drawOver(single, 1, palette(state.dark).accent, state, { size: pixels, box });
  drawMarkers(parts, state, { size: pixels, box }, liveMarkers);
}

// Draws the markers that `of` (markers.js) returns into the bound target of a size in pixels.
function drawMarkers({ sprites }, state, { size, box }, of) {
  const { to } = projection(state.scene, state.view, box);
  const page = fractions(palette(state.dark).page);
  sprites(of(state, box, to), { ...box, pixels: size, page });
}

// Draws the runs that are hovered and followed.
function drawChosen({ paths, single }, state, target) {
  const { followed, hovered, full, colors } = state;
  if (hovered !== null && hovered !== followed) {
    drawOver(paths, hovered, colors[hovered], state, target);
  }
  if (followed === null) return;
  const isFull = full?.index === followed;
  drawOver(isFull ? single : paths, isFull ? 0 : followed, colors[followed], state, target);
}

// Draws one of a set of paths over a rim in the color of the page, into the bound target of a size
// in pixels.
function drawOver(set, only, color, state, { size: [width, height], box }) {
  const { step, lastStep, view, scene, dark } = state;
  const look = { clip: toClip(view, originOf(scene)), width, height, lastStep, now: step, only };
  const [wide, narrow] = [2.6 * box.ratio, 1.5 * box.ratio];
  const rim = [...fractions(palette(dark).page), 1];
  set.drawOne({ ...look, halfWidth: wide, strength: 0.85, over: rim });
  set.drawOne({ ...look, halfWidth: narrow, strength: 1, over: [...fractions(color), 1] });
}

function fractions(color) {
  return rgbOf(color).map((value) => value / 255);
}

// Returns the depth that the picture of the paths holds for a step.
function depthOf(step, lastStep) {
  const depth = (Math.min(step / Math.max(lastStep, 1), 1) * 2 - 1) * 0.999;
  return depth / 2 + 0.5 + 1e-6;
}
