// The charts below the landscape: a quantity of all runs against the step, linked with the rest.

import { chartOf, emphasizedOf, liveRunOf, runEnd, runOf, shownQuantity, shownRuns } from "./chartmodel.js";
import { drawChartAxes, drawCurves, drawOverlay, placeStep, showsStep } from "./chartdraw.js";
import { atMostEvery, choice, eachFrame, el, setOptions } from "./dom.js";
import { stackCanvases } from "./layers.js";
import { short } from "./numbers.js";
import { segments } from "./segments.js";
import { decayAt, nearestCurve, quantitiesOf, quantityAt } from "./series.js";
import { onChange } from "./store.js";

const SCALES = [
  { key: "linear", label: "linear", title: "both axes linear" },
  { key: "log", label: "log", title: "logarithmic values: a linear rate is a straight line" },
  { key: "loglog", label: "log–log", title: "both logarithmic: 1/k is a line of slope −1" },
];
const CURVES = ["scene", "runs", "colors", "scale", "quantity", "dark"];
const ABOVE = [...CURVES, "followed", "hovered", "full"];
const OVERLAY = [...CURVES, "followed", "hovered", "full", "step"];
const LIVE_MS = 150; // between two drawings while a live run moves: they cost as much as its path
const CLICK = 4; // pixels: a press that moves less is a click

// Adds the charts to `parent`.
export function mountCharts(parent, store) {
  const chosen = choice("Chart of", [], "", (quantity) => store.set({ quantity }));
  const scales = segments("Axes of the chart", SCALES, (scale) => store.set({ scale }));
  const readout = el("output", { class: "chart-readout", "aria-live": "off" });
  const head = el("div", { class: "chart-head" }, [chosen.element, scales.element, readout]);
  const figure = el("div", { class: "chart", role: "img" });
  parent.append(head, figure);
  const line = el("div", { class: "chart-step", hidden: true });
  const view = { chart: null, isStale: true, isMoved: false, pointed: null, above: [], line };
  const redraw = eachFrame(() => {
    const state = store.get();
    if (state.scene === null) return;
    const options = quantitiesOf(shownRuns(state)).map(({ key, label }) => ({ key, label }));
    offer(chosen.select, options, shownQuantity(state)?.key ?? "");
    scales.show(state.scale);
    draw(state, view, layers, { figure, readout });
  });
  const layers = stackCanvases(figure, ["axes", "curves", "overlay"], () => {
    view.isStale = true;
    view.above = [];
    redraw();
  });
  layers.box.append(line);
  store.on(CURVES, () => {
    view.isStale = true;
  });
  const redrawNow = atMostEvery(LIVE_MS, redraw);
  onChange(store, "live", ({ on, run }) => [on, run], () => {
    view.isMoved = true;
    redrawNow();
  });
  store.on(OVERLAY, redraw);
  listen(layers.box, store, view, redraw);
}

// Gives a <select> its options if they changed, so that an open list stays open.
function offer(select, options, value) {
  const keys = [...select.options].map((option) => option.value).join();
  if (keys !== options.map(({ key }) => key).join()) setOptions(select, options, value);
  else select.value = value;
}

// Draws the layers that are stale: the curves of all runs, where a live run moved only if it moved
// the axes, and what is on top of them.
function draw(state, view, layers, { figure, readout }) {
  if (layers.size.width === 0) return;
  if (view.isStale || view.isMoved) {
    const chart = chartOf(state, layers.size);
    const isSame = !view.isStale && axesText(chart) === axesText(view.chart);
    Object.assign(view, { chart, isStale: false, isMoved: false });
    if (!isSame) drawBelow(state, chart, layers);
  }
  drawAbove(state, view, layers);
  const isForced = state.scale !== "linear" && view.chart?.y.isLog === false;
  const why = isForced ? " · values linear, as not all are positive" : "";
  readout.textContent = `${readoutOf(state, view.pointed ?? state.step)}${why}`;
  const count = state.runs.length;
  const what = view.chart?.quantity.label ?? "nothing";
  const words = `${what} of ${count} runs against the step. ${readout.textContent}`;
  figure.setAttribute("aria-label", words);
  const dimmed = state.followed !== null || state.hovered !== null || state.live.run !== null;
  layers.box.classList.toggle("has-followed", dimmed && count > 1);
}

// Draws what lies on the curves, where it changed, and moves the line of the scrubber.
function drawAbove(state, view, layers) {
  const { chart, pointed, line } = view;
  line.hidden = chart === null;
  if (chart !== null) placeStep(line, state.step, chart);
  const step = showsStep(state) ? state.step : null;
  const shown = [chart, pointed, step, ...ABOVE.map((key) => state[key]), liveRunOf(state)];
  if (shown.every((value, k) => value === view.above[k])) return;
  view.above = shown;
  const overlay = layers.clear("overlay");
  if (chart !== null) drawOverlay(overlay, state, chart, pointed);
}

// Draws the axes and the curves of all runs.
function drawBelow(state, chart, layers) {
  const [axes, curves] = ["axes", "curves"].map(layers.clear);
  if (chart === null) return;
  drawChartAxes(axes, state, chart);
  drawCurves(curves, state, chart);
}

// Returns a text that is the same for two charts whose curves lie at the same places.
function axesText(chart) {
  const axes = chart && [chart.x, chart.y].map(({ domain, isLog }) => [domain, isLog]);
  return JSON.stringify([chart?.quantity.key, axes]);
}

// Returns what the chart says of its first emphasized run at a step, in one line.
export function readoutOf(state, at) {
  const quantity = shownQuantity(state);
  const [first] = emphasizedOf(state);
  if (quantity === null) return "nothing recorded";
  const step = Math.round(at);
  if (first === undefined) return `${state.runs.length} runs · step ${step}`;
  const value = quantityAt(first.run, quantity.key, step, state.scale !== "linear");
  const words = [first.name, `step ${step}`];
  words.push(
    Number.isNaN(value) ? `ended at step ${runEnd(first.run)}` : `${quantity.symbol} = ${short(value)}`,
  );
  const decay = decayAt(first.run, quantity.key, step);
  const gap = ["suboptimality", "loss"].includes(quantity.key);
  if (gap && decay !== null && !Number.isNaN(value))
    words.push(...rateWords(state, decay, first.run));
  return words.join(" · ");
}

// Returns how fast a run falls at a step: on log–log axes the slope, on others the factor per
// step, beside that of theory.
function rateWords(state, { factor, slope }, run) {
  if (state.scale === "linear") return [];
  if (state.scale === "loglog") return [`slope ${short(slope, 3)}`];
  const theory = run.rate ? ` (theory: ${short(run.rate, 4)})` : "";
  return [`× ${short(factor, 4)} a step${theory}`];
}

// Listens to the pointer: a drag scrubs, hovering names the nearest run and reads its value off, a
// click follows it.
function listen(box, store, view, redraw) {
  let press = null;
  const at = (event) => {
    const { left, top } = box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  box.addEventListener("pointerdown", (event) => {
    press = at(event);
    view.pointed = null;
    box.setPointerCapture(event.pointerId);
    scrubTo(store, view, press);
  });
  box.addEventListener("pointermove", (event) => {
    if (press !== null) return scrubTo(store, view, at(event));
    view.pointed = stepAt(store.get(), view, at(event));
    store.set({ hovered: curveAt(store.get(), view, at(event)) });
    return redraw();
  });
  box.addEventListener("pointerup", (event) => {
    const place = at(event);
    const isClick = press !== null && Math.hypot(place[0] - press[0], place[1] - press[1]) < CLICK;
    press = null;
    const index = isClick ? curveAt(store.get(), view, place) : null;
    if (index !== null) store.set({ followed: index });
  });
  box.addEventListener("pointercancel", () => (press = null));
  box.addEventListener("pointerleave", () => {
    view.pointed = null;
    store.set({ hovered: null });
    redraw();
  });
}

// Moves the scrubber to the step at a pixel.
function scrubTo(store, view, place) {
  const step = stepAt(store.get(), view, place);
  if (step !== null) store.set({ step, playing: false });
}

// Returns the step at a pixel, a whole number, or null without a chart.
function stepAt({ lastStep }, { chart }, [px]) {
  if (chart === null) return null;
  return Math.min(Math.max(Math.round(chart.x.scale.invert(px)), 0), lastStep);
}

// Returns the number of the run whose curve is nearest to a pixel, or null.
function curveAt(state, { chart }, place) {
  if (chart === null || state.scene === null) return null;
  const { x, y } = chart;
  const scales = { x: x.scale, y: y.scale, isLog: y.isLog };
  const runs = state.scene.runs.map((_, index) => runOf(state, index));
  return nearestCurve(runs, state.runs, chart.quantity.key, place, scales);
}
