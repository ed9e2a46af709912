// The stage: the canvas of the landscape and the paths, with the 2-D canvas of axes over it. It
// draws in the next frame after the state changed, and only what the change asks for.

import { drawAxes } from "./axes.js";
import { drawingOn, eachFrame, el, fitCanvas } from "./dom.js";
import { openGl } from "./gl.js";
import { createFlat } from "./flat.js";
import { onChange } from "./store.js";
import { createSurface } from "./surface.js";

const MARGINS = { left: 58, right: 12, top: 10, bottom: 44 };
const NO_MARGINS = { left: 0, right: 0, top: 0, bottom: 0 };

// Mounts the stage and returns {canvas, frame, redraw}: the canvas that takes the pointer, and
// `frame()`, the rectangle of the view on it, {left, top, width, height} in CSS pixels.
export function mountStage(parent, store) {
  const drawing = el("canvas", { class: "drawing", "aria-hidden": "true" });
  const overlay = el("canvas", { class: "overlay", role: "img", tabindex: "0" });
  const message = el("p", { class: "message", hidden: true });
  parent.append(drawing, overlay, message);
  const gl = openGl(drawing);
  if (!gl) {
    message.textContent = "This browser draws no WebGL2, so the landscape cannot be shown.";
    message.hidden = false;
  }
  const frame = () => frameOf(parent, store.get());
  let drawers = gl && makeDrawers(gl);
  let frames = 0;
  const drawOver = overlayDrawer(parent, overlay);
  const redraw = eachFrame(() => {
    const state = store.get();
    if (!state.scene || !state.view) return;
    const box = frame();
    const ratio = Math.min(globalThis.devicePixelRatio || 1, 2);
    if (drawers) drawGl(drawers, drawing, state, { ...box, ratio, redraw });
    drawOver(state, { ...box, ratio }, drawers);
    parent.dataset.mode = state.mode;
    parent.dataset.frames = String(++frames);
  });
  drawing.addEventListener("webglcontextlost", (event) => event.preventDefault());
  drawing.addEventListener("webglcontextrestored", () => {
    drawers = makeDrawers(gl);
    redraw();
  });
  store.on(DRAWN, redraw);
  onChange(store, "live", ({ on, start, run }) => [on, start, run], redraw);
  store.on(["scene", "drawn", "followed", "mode", "playing"], (state) => {
    if (state.scene) overlay.setAttribute("aria-label", described(state));
  });
  new ResizeObserver(redraw).observe(parent);
  return { canvas: overlay, frame, redraw, surface: () => drawers?.surface };
}

// Returns what draws the overlay where a part of the state that it shows changed.
function overlayDrawer(parent, overlay) {
  let before = [];
  return (state, box, drawers) => {
    const [width, height] = [parent.clientWidth, parent.clientHeight];
    const { on, start } = state.live;
    const iso = drawers?.flat.iso();
    const key = [width, height, box.ratio, on, start, iso, ...OVERLAID.map((part) => state[part])];
    if (key.every((value, k) => value === before[k])) return;
    before = key;
    fitCanvas(overlay, width, height, box.ratio);
    const surface = state.mode === "3d" ? drawers?.surface : null;
    drawAxes(drawingOn(overlay), state, { ...box, surface, iso });
  };
}

// Returns what the canvas shows, in words.
export function described({ scene, drawn: runs, followed, mode, step, lastStep }) {
  const over = scene.plane.labels.join(" and ");
  const what = mode === "3d" ? "surface" : "landscape";
  const count = runs.length === 1 ? "1 run" : `${runs.length} runs`;
  const chosen = scene.runs[followed] ? `, following ${scene.runs[followed].label}` : "";
  const time = `step ${Math.floor(step)} of ${lastStep}`;
  return `The ${what} of ${scene.problem.title} over ${over}, ${count}, ${time}${chosen}`;
}

const DRAWN = [
  "scene", "grid", "marks", "drawn", "colors", "step", "lastStep", "followed", "hovered", "full", "cursor",
  "point", "view", "mode", "showField", "dark", "orbit", "isLinear",
];

// The parts of the state that the overlay shows, besides the start of the live run.
const OVERLAID = [
  "scene", "grid", "marks", "view", "mode", "showField", "dark", "orbit", "isLinear", "point", "cursor",
];

function makeDrawers(gl) {
  return { gl, flat: createFlat(gl), surface: createSurface(gl) };
}

function frameOf(parent, { mode }) {
  const { left, right, top, bottom } = mode === "3d" ? NO_MARGINS : MARGINS;
  const [width, height] = [parent.clientWidth - left - right, parent.clientHeight - top - bottom];
  return { left, top, width: Math.max(width, 1), height: Math.max(height, 1) };
}

// Puts the canvas of WebGL into the rectangle of the view and draws it.
function drawGl({ flat, surface }, canvas, state, box) {
  Object.assign(canvas.style, {
    left: `${box.left}px`,
    top: `${box.top}px`,
    width: `${box.width}px`,
    height: `${box.height}px`,
  });
  (state.mode === "3d" ? surface : flat).draw(state, box);
}
