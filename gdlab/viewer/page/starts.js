// The map of starts of a sweep, colored by where they lead.

import { endShape, palette } from "./colors.js";
import { eachFrame, el } from "./dom.js";
import { drawEnd, stackCanvases } from "./layers.js";
import { short } from "./numbers.js";
import { textOf } from "./settings.js";
import { axesBesideStart, drawMap, mapChart, mapOf, mapPixel, placeColor } from "./startplot.js";

const REACH = 14; // pixels from a start within which a click follows its run

// Adds the map to `parent`; hidden where all runs start at one point.
export function mountStarts(parent, store) {
  const view = { basins: null, chart: null, isStale: true, settings: null };
  const legend = el("ul", { class: "legend" });
  const figure = el("div", { class: "chart starts", role: "img" });
  const title = el("h3", { text: "Where each start leads" });
  const said = el("output", { class: "chart-readout", "aria-live": "off" });
  const element = el("div", { class: "start-panel", hidden: true }, [title, said, figure, legend]);
  parent.append(element);
  const redraw = eachFrame(() => drawStarts(store.get(), view, layers));
  const layers = stackCanvases(figure, ["base", "overlay"], () => {
    view.isStale = true;
    redraw();
  });
  store.on(["scene", "marks", "runs", "followed", "dark"], (state) => {
    if (state.scene === null) return;
    view.basins = mapOf(state);
    view.isStale = true;
    element.hidden = view.basins === null;
    if (view.basins === null) return;
    showLegend(legend, view.basins, state.dark);
    said.textContent = sentence(state, view.basins);
    figure.setAttribute("aria-label", `Map of starts. ${said.textContent}`);
    redraw();
  });
  store.on(["hovered"], redraw);
  listenForStarts(layers.box, store, view);
}

// Returns what the map shows, in one line.
function sentence({ scene, followed, runs }, { starts }) {
  const { settings } = scene.runs[followed ?? runs[0]];
  const words = axesBesideStart(scene).map(
    ({ name }) => `${name}=${textOf(settings[name], short)}`,
  );
  return [`${starts.length} starts`, ...words].join(" · ");
}

// Lists the places where runs end with their colors and the number of runs, then the rest.
function showLegend(legend, { places, starts }, dark) {
  const count = (test) => starts.filter(test).length;
  const lines = places.map(({ at }, k) => {
    const text =
      at.length === 1 ? short(at[0], 3) : `(${at.map((value) => short(value, 3)).join(", ")})`;
    return { color: placeColor(k, dark), text, runs: count(({ place }) => place === k) };
  });
  const isLost = ({ place, status }) => place === null && status === "diverged";
  const rest = {
    color: placeColor(null, dark),
    text: "not arrived",
    runs: count((each) => each.place === null && !isLost(each)),
  };
  const lost = { color: placeColor(null, dark), text: "× diverged", runs: count(isLost) };
  const shown = [...lines, rest, lost].filter(({ runs }) => runs > 0);
  legend.replaceChildren(...shown.map(legendLine));
}

// Returns one line of the legend. The color is set as a property, which needs no inline style.
function legendLine({ color, text, runs }) {
  const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = color;
  return el("li", {}, [
    swatch,
    el("span", { text }),
    el("span", { class: "number", text: `${runs} ${runs === 1 ? "run" : "runs"}` }),
  ]);
}

// Draws the stale layers of the map.
function drawStarts(state, view, layers) {
  if (view.basins === null || layers.size.width === 0) return;
  if (view.isStale) {
    view.chart = mapChart(view.basins, layers.size);
    drawMap(layers.clear("base"), state, view.basins, view.chart);
    view.isStale = false;
  }
  const overlay = layers.clear("overlay");
  const colors = palette(state.dark);
  for (const { index, start, place, status } of view.basins.starts) {
    if (index !== state.followed && index !== state.hovered) continue;
    const style = { color: placeColor(place, state.dark), halo: colors.ink, radius: 6 };
    drawEnd(overlay, mapPixel(start, view.chart), endShape(status) === "cross", style);
  }
}

// Listens to the pointer: hovering names the run of the nearest start, a click follows it.
function listenForStarts(box, store, view) {
  const nearest = (event) => {
    if (view.basins === null || view.chart === null) return null;
    const { left, top } = box.getBoundingClientRect();
    const [px, py] = [event.clientX - left, event.clientY - top];
    const distances = view.basins.starts.map(({ start }) => {
      const [x, y] = mapPixel(start, view.chart);
      return Math.hypot(x - px, y - py);
    });
    const least = Math.min(...distances);
    return least < REACH ? view.basins.starts[distances.indexOf(least)].index : null;
  };
  box.addEventListener("pointermove", (event) => store.set({ hovered: nearest(event) }));
  box.addEventListener("pointerleave", () => store.set({ hovered: null }));
  box.addEventListener("click", (event) => {
    const index = nearest(event);
    if (index !== null) store.set({ followed: index });
  });
}
