// The view of the plane: dragged, zoomed about the cursor, reset; a finer grid is asked when it
// rests.

import { projection } from "./axes.js";
import { here } from "./dom.js";
import { clamp } from "./numbers.js";
import { viewOf } from "./scenes.js";
import { turnView, zoomView } from "./surface.js";

const REST_MS = 150; // without a change of view before a finer grid is asked for
const CLICK = 5; // pixels that the pointer may move in a click
const SMALLEST = 1e-9; // of the span of the scene, and
const LARGEST = 1e4; // times it: how far one can zoom

// Returns a view zoomed by a factor (below 1: in) about a point of the plane.
export function zoomed(view, factor, about) {
  return view.map(([low, high], k) => [
    about[k] + (low - about[k]) * factor,
    about[k] + (high - about[k]) * factor,
  ]);
}

// Returns a view moved by fractions of its span.
export function panned(view, across, up) {
  return view.map(([low, high], k) => {
    const by = (k === 0 ? across : up) * (high - low);
    return [low + by, high + by];
  });
}

// Returns {zoom, pan, reset} over the store. `zoom(factor, about)` is about the cursor by default.
export function planeActions(store) {
  const zoom = (factor, about = null) => {
    const { view, scene, cursor, mode } = store.get();
    if (!view) return;
    if (mode === "3d") return zoomView(store, factor);
    const span = (view[0][1] - view[0][0]) * factor;
    const whole = scene.view[0][1] - scene.view[0][0];
    if (span < SMALLEST * whole || span > LARGEST * whole) return;
    const middle = view.map(([low, high]) => (low + high) / 2);
    store.set({ view: zoomed(view, factor, about ?? cursor?.at ?? middle) });
  };
  const pan = (across, up) => {
    const { view } = store.get();
    if (view) store.set({ view: panned(view, across, up) });
  };
  const reset = () => {
    const { scene } = store.get();
    if (scene) store.set({ view: viewOf(scene), orbit: null });
  };
  return { zoom, pan, reset };
}

// Lets the pointer drag, zoom and click the plane. `clicked(at, pixel)` hears of clicks.
export function mountPlane(stage, store, source, actions, clicked) {
  const atPixel = (pixel) => {
    const { scene, view } = store.get();
    return projection(scene, view, stage.frame()).from(...pixel);
  };
  const moved = movesOf(stage, store, actions, atPixel);
  listenToPointers(stage, store, { ...moved, atPixel, clicked });
  listenToWheel(stage, store, actions, atPixel);
  askForFinerGrids(store, source);
}

// Returns {drag, pinch}: what pixels that moved do to the view, or in 3-D to the camera.
function movesOf(stage, store, { zoom, pan }, atPixel) {
  const isSurface = () => store.get().mode === "3d";
  const drag = (before, now, fingers) => {
    const { width, height } = stage.frame();
    const dx = (now[0] - before[0]) / width / fingers;
    const dy = (now[1] - before[1]) / height / fingers;
    if (isSurface()) turnView(store, dx, dy);
    else pan(-dx, dy);
  };
  const pinch = (other, before, now) => {
    const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
    const factor = apart(before) / apart(now);
    if (isSurface()) zoomView(store, factor);
    else zoom(factor, atPixel([(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]));
  };
  return { drag, pinch };
}

// Follows fingers and the mouse: one drags, two pinch, one that hardly moves clicks; on the start
// of the live bench one moves it.
function listenToPointers(stage, store, { drag, pinch, atPixel, clicked }) {
  const { canvas } = stage;
  const pointers = new Map();
  let [travelled, held] = [0, false];
  canvas.addEventListener("pointerdown", (event) => {
    if (!store.get().scene || event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, here(event));
    if (pointers.size === 1) [travelled, held] = [0, nearStart(store, stage, here(event))];
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = here(event);
    const others = [...pointers].filter(([id]) => id !== event.pointerId);
    pointers.set(event.pointerId, now);
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (held) return setStart(store, atPixel(now));
    if (others.length > 0) pinch(others[0][1], before, now);
    if (travelled > CLICK) drag(before, now, pointers.size);
  });
  const lift = (event) => {
    const isShort = pointers.size === 1 && travelled <= CLICK && !held;
    const isClick = pointers.delete(event.pointerId) && isShort && event.type === "pointerup";
    if (isClick) clicked(atPixel(here(event)), here(event));
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
}

// Zooms about the cursor. Within a longer page the wheel scrolls, until the plane is clicked.
function listenToWheel({ canvas }, store, { zoom }, atPixel) {
  const onWheel = (event) => {
    const isWholePage = canvas.closest(".viewer").parentElement === document.body;
    if (!store.get().scene || !(isWholePage || document.activeElement === canvas)) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp(clamp(event.deltaY * lines * 0.0016, -1, 1));
    if (store.get().mode === "3d") zoomView(store, factor);
    else zoom(factor, atPixel(here(event)));
  };
  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    if (store.get().mode === "2d") zoom(0.5, atPixel(here(event)));
  });
}

// Returns whether a pixel lies on the start of the live bench.
function nearStart(store, stage, pixel) {
  const { live, scene, view, mode } = store.get();
  if (!live.on || !live.start || mode === "3d") return false;
  const { to, origin } = projection(scene, view, stage.frame());
  const [x, y] = to(...live.start.map((value, k) => value - origin[k]));
  const isLine = scene.plane.kind === "line";
  return Math.hypot(pixel[0] - x, isLine ? 0 : pixel[1] - y) < 14;
}

// Sets the start of the live bench, to a thousandth of the view, so that its command is short.
export function setStart(store, at) {
  const { live, view, scene } = store.get();
  const start = at.slice(0, scene.plane.labels.length).map((value, k) => rounded(value, (view[k][1] - view[k][0]) / 1000));
  store.set({ live: { ...live, start } });
}

// Returns a number with as many decimals as a distance asks for.
function rounded(value, distance) {
  const decimals = Math.min(Math.max(0, Math.ceil(-Math.log10(distance))), 20);
  return Number(value.toFixed(decimals));
}

// Asks a live source for the grid of a view that rests, and gives up the question before.
function askForFinerGrids(store, source) {
  if (!source.isLive) return;
  let timer = null;
  let latest = null;
  store.on(["view"], ({ scene, view }) => {
    clearTimeout(timer);
    latest?.abort();
    if (!scene?.problem.has_landscape) return;
    const isWhole = JSON.stringify(view) === JSON.stringify(viewOf(scene));
    if (!isWhole) timer = setTimeout(ask, REST_MS);
    else if (!store.get().live.loss) store.set({ grid: scene.grid });
  });

  async function ask() {
    const { scene, view, problem, plane, live } = store.get();
    latest = new AbortController();
    const { signal } = latest;
    const shown = scene.plane.kind === "line" ? view.slice(0, 1) : view;
    const query = { problem, plane, view: shown.flat().join(","), side: 256, ...(live.loss ?? {}) };
    try {
      const { grid } = await source.ask("grid", query, signal);
      if (!signal.aborted && store.get().scene === scene) store.set({ grid });
    } catch (error) {
      if (!signal.aborted) store.set({ status: error.message });
    }
  }
}
