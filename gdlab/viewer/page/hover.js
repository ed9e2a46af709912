// What lies under the cursor: the run that is nearest, its record there, and the loss.

import { projection } from "./axes.js";
import { eachFrame, el, here } from "./dom.js";
import { lossAt } from "./grids.js";
import { pixelOfMark } from "./marks.js";
import { short } from "./numbers.js";
import { cachedPositions } from "./scenes.js";

const NEAR = 9; // pixels

// Returns {run, record} of the path that comes nearest to a pixel, within NEAR of it, or null.
// `shown` are [run, positions (2n), records] triples.
export function nearestRun(shown, { to }, pixel) {
  let best = NEAR * NEAR;
  let found = null;
  const [x0, y0] = to(0, 0);
  const [x1, y1] = to(1, 1);
  const [sx, sy] = [x1 - x0, y1 - y0];
  const [px, py] = [pixel[0] - x0, pixel[1] - y0];
  for (const [run, positions, count] of shown) {
    let [ax, ay] = [positions[0] * sx - px, positions[1] * sy - py];
    for (let k = 0; k < count; k++) {
      const [bx, by] = [positions[2 * k] * sx - px, positions[2 * k + 1] * sy - py];
      const [dx, dy] = [bx - ax, by - ay];
      const size = dx * dx + dy * dy;
      const part = size > 0 ? Math.max(0, Math.min(-(ax * dx + ay * dy) / size, 1)) : 0;
      const [x, y] = [ax + part * dx, ay + part * dy];
      const distance = x * x + y * y;
      if (distance < best) {
        best = distance;
        found = { run, record: part < 0.5 && k > 0 ? k - 1 : k };
      }
      [ax, ay] = [bx, by];
    }
  }
  return found;
}

// Returns the lines of a run at one of its records, as [name, text], without what is not known, as
// the learning rate after the last step.
export function recordLines(run, record) {
  const value = (series) => short(series.values[record]);
  return [
    ["step", String(run.step.values[record])],
    ["loss", value(run.loss)],
    ["‖∇loss‖", value(run.grad_norm)],
    ["lr", value(run.lr)],
  ].filter(([, text]) => text !== "–");
}

// Mounts the readout of the point under the cursor and the card of the run under it.
export function mountHover(parent, stage, store) {
  const readout = el("output", { class: "readout number" });
  const card = el("div", { class: "card number", hidden: true });
  parent.append(readout, card);
  let pixel = null;
  const look = eachFrame(() => {
    const state = store.get();
    if (!pixel || !state.scene) return;
    if (state.mode === "3d") return lookAtSurface();
    const flat = projection(state.scene, state.view, stage.frame());
    const hit = nearestRun(shownPaths(state), flat, pixel);
    const at = flat.from(...pixel);
    const value = isInside(pixel, stage.frame()) && state.grid ? lossAt(state.grid, ...at) : null;
    store.set({ cursor: { at, value }, hovered: hit?.run ?? null });
    readout.textContent = readoutText(state.scene, at, value);
    if (hit) showCard(card, state, hit);
    else showMark(card, state, flat, pixel);
    placeCard(card, pixel, parent);
    stage.canvas.style.cursor = hit ? "pointer" : "crosshair";
  });
  const lookAtSurface = () => {
    const state = store.get();
    const at = stage.surface()?.pick(state, stage.frame(), pixel) ?? null;
    const value = at && state.grid ? lossAt(state.grid, ...at) : null;
    store.set({ cursor: at && { at, value } });
    readout.textContent = at ? readoutText(state.scene, at, value) : "";
    card.hidden = true;
    stage.canvas.style.cursor = "grab";
  };
  const leave = () => {
    pixel = null;
    card.hidden = true;
    readout.textContent = "";
    store.set({ cursor: null, hovered: null, point: null });
  };
  const lookHere = (event) => {
    pixel = here(event);
    look();
  };
  stage.canvas.addEventListener("pointermove", (event) => {
    if (event.buttons > 0) leave(); // what is dragged would otherwise wait for what is read off
    else lookHere(event);
  });
  stage.canvas.addEventListener("pointerup", (event) => {
    if (event.pointerType !== "touch") lookHere(event);
  });
  stage.canvas.addEventListener("pointerleave", leave);
  store.on(["view", "mode", "scene", "orbit"], () => pixel && look());
}

// Returns the run and the record under a pixel, or null.
export function hitAt(state, stage, pixel) {
  const flat = projection(state.scene, state.view, stage.frame());
  return nearestRun(shownPaths(state), flat, pixel);
}

function shownPaths({ scene, drawn, full }) {
  return drawn.map((index) => {
    const run = full?.index === index ? full.run : scene.runs[index];
    return [index, cachedPositions(scene, run), run.step.values.length];
  });
}

function isInside([x, y], { left, top, width, height }) {
  return x >= left && x <= left + width && y >= top && y <= top + height;
}

function readoutText(scene, at, value) {
  const [first, second] = scene.plane.labels.map((label) => label.replace(/ \(.*\)$/, ""));
  const where = second
    ? `${first} ${short(at[0], 5)}   ${second} ${short(at[1], 5)}`
    : `${first} ${short(at[0], 5)}`;
  return value === null ? where : `${where}   loss ≈ ${short(value, 4)}`; // between samples of a grid
}

// Shows the card of a run.
function showCard(card, { scene, colors, full }, hit) {
  card.hidden = false;
  const run = full?.index === hit.run ? full.run : scene.runs[hit.run];
  const swatch = el("span", { class: "swatch" });
  swatch.style.background = colors[hit.run];
  const lines = recordLines(run, hit.record);
  card.replaceChildren(
    el("strong", {}, [swatch, run.label]),
    el("dl", {}, lines.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text })])),
  );
}

// Shows the card of the mark under a pixel, or none.
function showMark(card, { marks, grid }, flat, [x, y]) {
  const distance = (mark) => {
    const [left, top] = pixelOfMark(mark, grid, flat);
    return Math.hypot(left - x, top - y);
  };
  const mark = marks.find((each) => distance(each) <= NEAR);
  card.hidden = !mark;
  if (!mark) return;
  const place = mark.at.map((part) => short(part)).join(", ");
  card.replaceChildren(el("strong", { text: mark.label }), `at (${place})`);
}

// Puts the card beside a pixel, within the stage.
function placeCard(card, [x, y], parent) {
  if (card.hidden) return;
  const left = x + 16 + card.offsetWidth > parent.clientWidth ? x - 16 - card.offsetWidth : x + 16;
  const top = Math.min(y + 14, parent.clientHeight - card.offsetHeight - 8);
  card.style.transform = `translate(${Math.max(left, 4)}px, ${Math.max(top, 4)}px)`;
}
