// The view from above: landscape and paths, drawn anew only as far as the state changed.

import { palette, rgbOf } from "./colors.js";
import { createCompose } from "./compose.js";
import { createTarget, waitForGl } from "./gl.js";
import { createLandscape } from "./landscape.js";
import { createPaths, toClip } from "./paths.js";
import { originOf, positionsOf } from "./scenes.js";

const REST = 120; // milliseconds without a change of view, after which all is drawn in full
const SLOW = 14; // milliseconds for all paths, beyond which they are not redrawn while moving

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
    paths: createPaths(gl),
    single: createPaths(gl),
    compose: createCompose(gl),
    ground: createTarget(gl, { hasDepth: false, linear: true }),
    picture: createTarget(gl, { hasDepth: true, linear: false }),
  };
  const drawn = {}; // the parts of the state that the graphics hold, to see what changed
  let viewAt = 0;
  let cost = 0;
  return {
    draw(state, box) {
      const now = performance.now();
      upload(parts, drawn, state);
      const pixels = [Math.round(box.width * box.ratio), Math.round(box.height * box.ratio)];
      const moved = drawn.seenView !== state.view && drawn.seenScene === state.scene;
      if (moved) viewAt = now;
      Object.assign(drawn, { seenView: state.view, seenScene: state.scene });
      const isMoving = cost > SLOW && now - viewAt < REST;
      if (isMoving) setTimeout(box.redraw, REST);
      drawGround(parts, drawn, state, { pixels, box, isMoving });
      cost = drawPicture(parts, drawn, state, { pixels, box, isMoving }) ?? cost;
      finish(parts, drawn, state, { pixels, box });
    },
    isoFor: (view) => parts.landscape.isoFor(view),
  };
}

// Uploads what changed: the grid, the paths, colors and visibility, the full path of a run.
function upload({ landscape, paths, single }, drawn, state) {
  const { scene, grid, runs, colors, full, live } = state;
  if (drawn.grid !== grid) landscape.setGrid(grid);
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
  return { positions: positionsOf(scene, run), steps: run.step.values };
}

function spanOf(scene) {
  return Math.max(...scene.view.map(([low, high]) => high - low));
}

// Draws the landscape, at half its size while the view moves.
function drawGround({ landscape, ground }, drawn, state, { pixels, box, isMoving }) {
  const key = [state.view, isMoving, ...pixels];
  if (drawn.ground?.every((value, k) => value === key[k])) return;
  drawn.ground = key;
  if (!isMoving || !drawn.iso) drawn.iso = landscape.isoFor(state.view);
  ground.resize(...pixels.map((size) => Math.ceil(size / (isMoving ? 2 : 1))));
  ground.bind();
  const lineWidth = box.ratio / (isMoving ? 2 : 1);
  const look = { isSmooth: !isMoving, lineWidth };
  landscape.draw(state.view, drawn.iso, palette(state.dark), look);
}

// Draws the picture of all paths; returns the milliseconds that it took, where it was drawn anew.
function drawPicture({ gl, paths, picture }, drawn, state, { pixels, box, isMoving }) {
  if (isMoving && drawn.picture) return null;
  const key = [state.view, ...pixels];
  if (drawn.picture?.every((value, k) => value === key[k])) return null;
  drawn.picture = key;
  const finer = box.ratio < 1.5 ? 2 : 1;
  picture.resize(pixels[0] * finer, pixels[1] * finer);
  picture.bind();
  const before = performance.now();
  gl.clearColor(0, 0, 0, 0);
  gl.clearDepth(1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  paths.drawAll({
    clip: toClip(state.view, originOf(state.scene)),
    width: picture.width,
    height: picture.height,
    halfWidth: 0.65 * finer * box.ratio,
    lastStep: state.lastStep,
  });
  waitForGl(gl);
  return performance.now() - before;
}

// Lays the paths over the landscape, and on top those that are followed, hovered and live.
function finish({ gl, compose, ground, picture, paths, single }, drawn, state, { pixels, box }) {
  const { step, lastStep, runs, followed, hovered, full, live, view, scene } = state;
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.viewport(0, 0, ...pixels);
  const crowd = runs.length > 150 ? 0.62 : 0.9;
  const dimmed = followed === null && !live.run ? 1 : 0.4;
  compose(ground, picture, {
    moved: viewWithin(view, drawn.picture[0]),
    now: depthOf(step, lastStep),
    strong: crowd * dimmed,
    faint: 0.16 * dimmed,
  });
  const page = [...rgbOf(palette(state.dark).page).map((value) => value / 255), 1];
  const look = { clip: toClip(view, originOf(scene)), width: pixels[0], height: pixels[1], lastStep };
  const onTop = (set, only, color) => {
    const [wide, narrow] = [2.6 * box.ratio, 1.5 * box.ratio];
    const shared = { ...look, only, now: step };
    set.drawOne({ ...shared, halfWidth: wide, strength: 0.85, over: page });
    set.drawOne({ ...shared, halfWidth: narrow, strength: 1, over: color });
  };
  const fullColor = (run) => [...rgbOf(state.colors[run]).map((value) => value / 255), 1];
  if (hovered !== null && hovered !== followed) onTop(paths, hovered, fullColor(hovered));
  if (followed !== null) {
    if (full?.index === followed) onTop(single, 0, fullColor(followed));
    else onTop(paths, followed, fullColor(followed));
  }
  const accent = rgbOf(palette(state.dark).accent).map((value) => value / 255);
  if (live.run) onTop(single, 1, [...accent, 1]);
}

// Returns the depth that the picture of the paths holds for a step.
function depthOf(step, lastStep) {
  const depth = (Math.min(step / Math.max(lastStep, 1), 1) * 2 - 1) * 0.999;
  return depth / 2 + 0.5 + 1e-6;
}
