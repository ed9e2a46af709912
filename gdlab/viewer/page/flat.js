// The view from above: landscape and paths, drawn anew only as far as the state changed.

import { palette, rgbOf } from "./colors.js";
import { createCompose } from "./compose.js";
import { projection } from "./axes.js";
import { createCurve } from "./curve.js";
import { fitCanvas } from "./dom.js";
import { createTarget, timeGl } from "./gl.js";
import { createLandscape } from "./landscape.js";
import { markersOf } from "./markers.js";
import { createPaths, toClip } from "./paths.js";
import { cachedPositions, originOf } from "./scenes.js";
import { createSprites } from "./sprites.js";

const REST = 120; // milliseconds without a change (of the view: twice what it takes, if that is more),
// after which all is drawn in full
const SLOW = 20; // milliseconds for all paths, beyond which they are not redrawn while moving
const SLOW_PASS = 8; // milliseconds for a pass over the pixels, beyond which it is coarser meanwhile:
const COARSE = 0.5; // of the width and the height of the canvas in pixels

// Returns RGBA (4 · runs) of the runs: hidden ones have alpha 0.
export function stylesOf({ scene, runs, colors }) {
  const styles = new Uint8Array(4 * scene.runs.length);
  for (const run of runs) styles.set([...rgbOf(colors[run]), 255], 4 * run);
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
      finish(parts, drawn, state, { box, isQuick });
      if (!hurries) timeGl(gl, (cost) => (moving.pass = cost));
    },
    isoFor: (view) => parts.landscape.isoFor(view),
  };
}

// Returns whether the view, the scrubber or the live run moves where drawing is slow, so that one
// should hurry.
// Where it does, a frame is asked for the moment when it rests.
function keepsMoving(moving, drawn, { view, scene, step, live }, { redraw }) {
  const isSame = drawn.seenScene === scene;
  const seen = { seenView: view, seenScene: scene, seenStep: step, seenLive: live.run };
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
  const { scene, grid, runs, colors, full, live } = state;
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

// Draws the landscape, at half its size while the view moves.
function drawGround({ landscape, curve, ground }, drawn, state, { pixels, box, isMoving }) {
  const key = [state.view, isMoving, ...pixels];
  if (drawn.ground?.every((value, k) => value === key[k])) return;
  drawn.ground = key;
  if (!isMoving || !drawn.iso) drawn.iso = landscape.isoFor(state.view);
  ground.resize(...pixels.map((size) => Math.ceil(size / (isMoving ? 2 : 1))));
  ground.bind();
  const lineWidth = box.ratio / (isMoving ? 2 : 1);
  const look = { isSmooth: !isMoving, lineWidth };
  const colors = palette(state.dark);
  const isCurve = curve.draw(state.view, colors, lineWidth, ground.height);
  if (!isCurve) landscape.draw(state.view, drawn.iso, colors, look);
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
    halfWidth: halfWidthOf(state.runs.length) * finer * box.ratio,
    lastStep: state.lastStep,
  });
  timeGl(gl, (cost) => (moving.cost = cost));
}

// Returns half the width of a path in CSS pixels: the more there are, the thinner.
function halfWidthOf(count) {
  if (count <= 12) return 0.95;
  return count <= 150 ? 0.75 : 0.6;
}

// Lays the paths over the landscape, and on top those that are followed, hovered and live; where it
// is to be quick, into a canvas of fewer pixels, which the browser stretches.
function finish(parts, drawn, state, { box: whole, isQuick }) {
  const box = { ...whole, ratio: whole.ratio * (isQuick ? COARSE : 1) };
  const { canvas } = parts.gl;
  fitCanvas(canvas, box.width, box.height, box.ratio);
  const pixels = [canvas.width, canvas.height];
  const { gl, compose, ground, picture } = parts;
  const { step, lastStep, runs, followed, live, view, scene } = state;
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.viewport(0, 0, ...pixels);
  const crowd = runs.length > 150 ? 0.62 : 0.9;
  const dimmed = followed === null && !live.run ? 1 : 0.4;
  compose(ground, picture, {
    moved: viewWithin(view, drawn.picture[0]),
    now: depthOf(step, lastStep),
    strong: crowd * dimmed,
    faint: 0.16 * dimmed,
    isQuick,
  });
  drawChosen(parts, state, { pixels, box });
  const { to } = projection(scene, view, box);
  const page = fractions(palette(state.dark).page);
  parts.sprites(markersOf(state, box, to), { ...box, pixels, page });
}

// Draws the runs that are hovered, followed and live, each over a rim in the color of the page.
function drawChosen({ paths, single }, state, { pixels, box }) {
  const { step, lastStep, followed, hovered, full, live, view, scene, colors, dark } = state;
  const { page, accent } = palette(dark);
  const [width, height] = pixels;
  const look = { clip: toClip(view, originOf(scene)), width, height, lastStep, now: step };
  const draw = (set, only, color) => {
    const [wide, narrow] = [2.6 * box.ratio, 1.5 * box.ratio];
    set.drawOne({ ...look, only, halfWidth: wide, strength: 0.85, over: [...fractions(page), 1] });
    set.drawOne({ ...look, only, halfWidth: narrow, strength: 1, over: [...fractions(color), 1] });
  };
  if (hovered !== null && hovered !== followed) draw(paths, hovered, colors[hovered]);
  if (followed !== null) {
    if (full?.index === followed) draw(single, 0, colors[followed]);
    else draw(paths, followed, colors[followed]);
  }
  if (live.run) draw(single, 1, accent);
}

function fractions(color) {
  return rgbOf(color).map((value) => value / 255);
}

// Returns the depth that the picture of the paths holds for a step.
function depthOf(step, lastStep) {
  const depth = (Math.min(step / Math.max(lastStep, 1), 1) * 2 - 1) * 0.999;
  return depth / 2 + 0.5 + 1e-6;
}
