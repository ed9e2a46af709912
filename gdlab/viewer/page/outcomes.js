// The chart of final losses of a sweep against lr, or another setting that is a number.

import { endShape, palette, settingColors } from "./colors.js";
import { choice, eachFrame, el, setOptions } from "./dom.js";
import { drawEnd, stackCanvases } from "./layers.js";
import { short } from "./numbers.js";
import { drawLimit, drawOutcomes, outcomeChart, pixelOf } from "./outcomeplot.js";
import { textOf } from "./settings.js";

const REACH = 16; // pixels from a run within which a click follows it

// Adds the chart to `parent`; hidden where no setting that is a number varies.
export function mountOutcomes(parent, store) {
  const view = { along: null, chart: null, isStale: true };
  const title = el("h3", { text: "Where runs ended" });
  const along = choice("against", [], "", (name) => {
    view.along = name;
    restart();
  });
  const readout = el("output", { class: "chart-readout", "aria-live": "off" });
  const figure = el("div", { class: "chart outcomes", role: "img" });
  const head = el("div", { class: "chart-head" }, [title, along.element, readout]);
  const element = el("div", { class: "outcome-panel" }, [head, figure]);
  parent.append(element);
  const redraw = eachFrame(() => drawAll(store.get(), view, layers, { figure, readout }));
  const restart = () => {
    view.isStale = true;
    redraw();
  };
  const layers = stackCanvases(figure, ["base", "overlay"], restart);
  store.on(["scene"], ({ scene }) => {
    const names = scene.axes.filter(({ numeric }) => numeric).map(({ name }) => name);
    const wanted = names.filter((name) => name !== "seed");
    view.along =
      [view.along, "lr", ...wanted, ...names].find((name) => names.includes(name)) ?? null;
    setOptions(
      along.select,
      names.map((name) => ({ key: name, label: name })),
      view.along,
    );
    along.element.hidden = names.length < 2;
    element.hidden = view.along === null;
    restart();
  });
  store.on(["runs", "colors", "dark"], restart);
  store.on(["followed", "hovered"], redraw);
  listenTo(layers.box, store, view);
}

// Draws the stale layers.
function drawAll(state, view, layers, { figure, readout }) {
  if (state.scene === null || view.along === null || layers.size.width === 0) return;
  if (view.isStale) {
    view.chart = outcomeChart(state, view.along, groupingOf(state, view.along), layers.size);
    const base = layers.clear("base");
    if (view.chart !== null) drawOutcomes(base, state, view.chart, groupColors(state));
    view.isStale = false;
  }
  const overlay = layers.clear("overlay");
  readout.textContent = view.chart === null ? "no runs" : readoutFor(state, view.chart);
  figure.setAttribute(
    "aria-label",
    `final loss of ${state.runs.length} runs against ${view.along}. ${readout.textContent}`,
  );
  if (view.chart === null) return;
  const colors = palette(state.dark);
  for (const { index, point } of emphasizedPoints(state, view.chart)) {
    const limit = view.along === "lr" ? state.scene.runs[index].lr_limit : null;
    drawLimit(overlay, view.chart, limit, state.colors[index], colors.page);
    const style = { color: state.colors[index], halo: colors.ink, radius: 5.5 };
    const isCross = endShape(state.scene.runs[index].status) === "cross";
    drawEnd(overlay, pixelOf(point, view.chart), isCross, style);
  }
}

// Returns the setting that groups the runs: what colors them, if that is no number on the axis
// itself.
export function groupingOf(state, along) {
  const axis = state.scene.axes.find(({ name }) => name === state.colorBy);
  if (axis !== undefined && axis.name !== along && axis.values.length <= 8) return axis.name;
  return state.scene.axes.find(({ name }) => name === "optimizer")?.name ?? null;
}

// Returns a function from a group to the color of its line: that of its runs, if they are all
// alike.
function groupColors(state) {
  const axis = state.scene.axes.find(({ name }) => name === state.colorBy);
  const colors = axis ? settingColors(axis, state.dark) : new Map();
  return ({ value, points }) => {
    const own = new Set(points.map(({ index }) => state.colors[index]));
    if (own.size === 1) return [...own][0];
    return colors.get(value) ?? palette(state.dark).soft;
  };
}

// Returns the followed and the hovered run with their points, as far as the chart has them.
function emphasizedPoints(state, chart) {
  const points = chart.groups.flatMap((group) => group.points);
  return [state.followed, state.hovered].flatMap((index) => {
    const point = index === null ? undefined : points.find((each) => each.index === index);
    return point === undefined ? [] : [{ index, point }];
  });
}

// Returns what the chart says of the hovered or the followed run: its end, and the quartiles there.
function readoutFor(state, chart) {
  const label = state.scene.problem.minimum === null ? "final loss" : "final f − f*";
  const found = emphasizedPoints(state, chart).at(-1);
  if (found === undefined) {
    const band = chart.groups.some((group) => group.bands.some(({ count }) => count > 1));
    return band ? `${label}: line: median, band: quartiles` : label;
  }
  const run = state.scene.runs[found.index];
  const group = chart.groups.find(({ points }) => points.includes(found.point));
  const band = group.bands.find(({ x }) => x === found.point.x);
  const end = found.point.y === Infinity ? run.status : `${label} ${short(found.point.y)}`;
  const words = [run.label, end];
  if (band.count > 1) {
    const name = group.value === null ? "" : `${textOf(group.value, short)}: `;
    words.push(`${name}median of ${band.count} here ${short(band.median)}`);
  }
  return words.join(" · ");
}

// Listens to the pointer: hovering names the nearest run, a click follows it.
function listenTo(box, store, view) {
  const nearest = (event) => {
    const { left, top } = box.getBoundingClientRect();
    return view.chart === null
      ? null
      : nearestPoint(view.chart, [event.clientX - left, event.clientY - top]);
  };
  box.addEventListener("pointermove", (event) => store.set({ hovered: nearest(event) }));
  box.addEventListener("pointerleave", () => store.set({ hovered: null }));
  box.addEventListener("click", (event) => {
    const index = nearest(event);
    if (index !== null) store.set({ followed: index });
  });
}

// Returns the number of the run whose point is nearest to a pixel, or null if none is near.
export function nearestPoint(chart, [px, py]) {
  let [best, least] = [null, REACH];
  for (const point of chart.groups.flatMap((group) => group.points)) {
    const [x, y] = pixelOf(point, chart);
    const distance = Math.hypot(x - px, y - py);
    if (distance < least) [best, least] = [point.index, distance];
  }
  return best;
}
