// The charts below the landscape: a quantity of all runs against the step, linked with the rest.

import { chartOf, emphasizedOf, runEnd, runOf, shownQuantity, shownRuns } from "./chartmodel.js";
import { drawChartAxes, drawCurves, drawOverlay } from "./chartdraw.js";
import { choice, eachFrame, el, setOptions } from "./dom.js";
import { stackCanvases } from "./layers.js";
import { short } from "./numbers.js";
import { segments } from "./segments.js";
import { decayAt, nearestCurve, quantitiesOf, quantityAt } from "./series.js";

const SCALES = [
  { key: "linear", label: "linear", title: "both axes linear" },
  { key: "log", label: "log", title: "logarithmic values: a linear rate is a straight line" },
  { key: "loglog", label: "log–log", title: "both logarithmic: 1/k is a line of slope −1" },
];
const CURVES = ["scene", "runs", "colors", "scale", "quantity", "dark", "live"];
const OVERLAY = [...CURVES, "step", "followed", "hovered", "full"];
const CLICK = 4; // pixels: a press that moves less is a click

// Adds the charts to `parent`.
export function mountCharts(parent, store) {
  const chosen = choice("Chart of", [], "", (quantity) => store.set({ quantity }));
  const scales = segments("Axes of the chart", SCALES, (scale) => store.set({ scale }));
  const readout = el("output", { class: "chart-readout" });
  const head = el("div", { class: "chart-head" }, [chosen.element, scales.element, readout]);
  const figure = el("div", { class: "chart", role: "img" });
  parent.append(head, figure);
  const view = { chart: null, isStale: true };
  const redraw = eachFrame(() => draw(store, view, layers, figure));
  const layers = stackCanvases(figure, ["axes", "curves", "overlay"], () => {
    view.isStale = true;
    redraw();
  });
  store.on(CURVES, () => {
    view.isStale = true;
  });
  store.on(OVERLAY, (state) => {
    if (state.scene === null) return;
    const options = quantitiesOf(shownRuns(state)).map(({ key, label }) => ({ key, label }));
    offer(chosen.select, options, shownQuantity(state)?.key ?? "");
    scales.show(state.scale);
    readout.textContent = readoutOf(state);
    redraw();
  });
  listen(layers.box, store, view);
}

// Gives a <select> its options if they changed, so that an open list stays open.
function offer(select, options, value) {
  const keys = [...select.options].map((option) => option.value).join();
  if (keys !== options.map(({ key }) => key).join()) setOptions(select, options, value);
  else select.value = value;
}

// Draws the layers that are stale.
function draw(store, view, layers, figure) {
  const state = store.get();
  if (state.scene === null || layers.size.width === 0) return;
  if (view.isStale) {
    view.chart = chartOf(state, layers.size);
    const [axes, curves] = ["axes", "curves"].map(layers.clear);
    if (view.chart !== null) {
      drawChartAxes(axes, state, view.chart);
      drawCurves(curves, state, view.chart);
    }
    view.isStale = false;
  }
  const overlay = layers.clear("overlay");
  if (view.chart !== null) drawOverlay(overlay, state, view.chart);
  const count = state.runs.length;
  figure.setAttribute(
    "aria-label",
    `${view.chart?.quantity.label ?? "nothing"} of ${count} runs against the step. ${readoutOf(state)}`,
  );
  const dimmed = state.followed !== null || state.hovered !== null || state.live.run !== null;
  layers.box.classList.toggle("has-followed", dimmed && count > 1);
}

// Returns what the chart says at the scrubber of its first emphasized run, in one line.
export function readoutOf(state) {
  const quantity = shownQuantity(state);
  const [first] = emphasizedOf(state);
  if (quantity === null) return "nothing recorded";
  const step = Math.round(state.step);
  if (first === undefined) return `${state.runs.length} runs · step ${step}`;
  const value = quantityAt(first.run, quantity.key, step, state.scale !== "linear");
  const words = [first.name, `step ${step}`];
  words.push(
    Number.isNaN(value) ? `ended at ${runEnd(first.run)}` : `${quantity.symbol} = ${short(value)}`,
  );
  const decay = decayAt(first.run, quantity.key, step);
  const gap = ["suboptimality", "loss"].includes(quantity.key);
  if (gap && decay !== null && !Number.isNaN(value))
    words.push(...rateWords(state, decay, first.run));
  return words.join(" · ");
}

// Returns how fast a run falls at the scrubber: on log–log axes the slope, on others the factor per
// step, beside that of theory.
function rateWords(state, { factor, slope }, run) {
  if (state.scale === "linear") return [];
  if (state.scale === "loglog") return slope === null ? [] : [`slope ${short(slope, 3)}`];
  const theory = run.rate ? ` (theory: ${short(run.rate, 4)})` : "";
  return [`× ${short(factor, 4)} a step${theory}`];
}

// Listens to the pointer: a drag scrubs, hovering names the nearest run, a click follows it.
function listen(box, store, view) {
  let press = null;
  const at = (event) => {
    const { left, top } = box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  box.addEventListener("pointerdown", (event) => {
    press = at(event);
    box.setPointerCapture(event.pointerId);
    scrubTo(store, view, press);
  });
  box.addEventListener("pointermove", (event) => {
    if (press !== null) scrubTo(store, view, at(event));
    else store.set({ hovered: curveAt(store.get(), view, at(event)) });
  });
  box.addEventListener("pointerup", (event) => {
    const place = at(event);
    const isClick = press !== null && Math.hypot(place[0] - press[0], place[1] - press[1]) < CLICK;
    press = null;
    const index = isClick ? curveAt(store.get(), view, place) : null;
    if (index !== null) store.set({ followed: index });
  });
  box.addEventListener("pointercancel", () => (press = null));
  box.addEventListener("pointerleave", () => store.set({ hovered: null }));
}

// Moves the scrubber to the step at a pixel.
function scrubTo(store, { chart }, [px]) {
  if (chart === null) return;
  const step = Math.round(chart.x.scale.invert(px));
  store.set({ step: Math.min(Math.max(step, 0), store.get().lastStep), playing: false });
}

// Returns the number of the run whose curve is nearest to a pixel, or null.
function curveAt(state, { chart }, place) {
  if (chart === null || state.scene === null) return null;
  const { x, y } = chart;
  const scales = { x: x.scale, y: y.scale, isLog: y.isLog };
  const runs = state.scene.runs.map((_, index) => runOf(state, index));
  return nearestCurve(runs, state.runs, chart.quantity.key, place, scales);
}
