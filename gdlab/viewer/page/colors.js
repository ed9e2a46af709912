// Colors of the page, of runs and of the landscape, in light and dark; safe for the color-blind.

import { isLost } from "./scenes.js";

// In light those of the pictures that gdlab draws (gdlab/plots/colors.py), so that a run has one
// color in TensorBoard, in a report and in a moving picture; in dark brighter ones in this order.
const DISTINCT = {
  light: ["#d55e00", "#222222", "#009e73", "#9b2f8f", "#e69f00", "#7a4a1e", "#e377a8", "#750bc8"],
  dark: ["#ff8c42", "#f2f2f2", "#2fd0a0", "#c58af0", "#ffd23f", "#a9754a", "#f7a6cf", "#8f8a1e"],
};

// Stops of ramps over an ordered setting, of inferno and plasma (van der Walt and Smith 2015):
// lightness rises throughout.
const ORDERED = {
  light: ["#0a0722", "#420a68", "#7c1d6d", "#b3325a", "#e25734", "#fa9207"],
  dark: ["#b6308b", "#d45270", "#ea7457", "#fa9b3d", "#fdc827", "#f0f921"],
};

const PALETTES = {
  light: {
    page: "#ffffff",
    ink: "#1d2129",
    soft: "#5b6472",
    faint: "#98a1ae",
    line: "#dfe3e8",
    accent: "#0a43d1",
    low: [0.435, 0.608, 0.765],
    high: [0.961, 0.973, 0.984],
    iso: [0.25, 0.35, 0.47],
    hatch: [0.86, 0.86, 0.86],
    flat: [0.975, 0.978, 0.982],
    fill: [0.818, 0.857, 0.899],
  },
  dark: {
    page: "#14171c",
    ink: "#e8ebef",
    soft: "#a3adba",
    faint: "#6c7683",
    line: "#313842",
    accent: "#7ab8ff",
    low: [0.085, 0.1, 0.125],
    high: [0.27, 0.345, 0.43],
    iso: [0.62, 0.72, 0.82],
    hatch: [0.2, 0.2, 0.21],
    flat: [0.1, 0.115, 0.14],
    fill: [0.185, 0.23, 0.285],
  },
};

// Returns the colors of the page: CSS texts, and triples of 0 to 1 for the landscape.
export function palette(dark) {
  return PALETTES[dark ? "dark" : "light"];
}

// Returns [red, green, blue] from 0 to 255 of "#rrggbb".
export function rgbOf(color) {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

// Returns the color of a ramp at a position from 0 to 1, as "#rrggbb".
export function rampColor(position, dark) {
  const stops = ORDERED[dark ? "dark" : "light"];
  const at = Math.min(Math.max(position, 0), 1) * (stops.length - 1);
  const first = Math.min(Math.floor(at), stops.length - 2);
  const [low, high] = [rgbOf(stops[first]), rgbOf(stops[first + 1])];
  const mixed = low.map((value, k) => Math.round(value + (at - first) * (high[k] - value)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

// Returns a color for the k-th of several things without an order.
export function distinctColor(k, dark) {
  const colors = DISTINCT[dark ? "dark" : "light"];
  return colors[k % colors.length];
}

// Returns {value: color} of a setting: a ramp over numbers by rank, distinct colors otherwise.
export function settingColors(axis, dark) {
  const count = axis.values.length;
  const ordered = axis.numeric && count > 2;
  return new Map(
    axis.values.map((value, k) => [
      value,
      ordered ? rampColor(k / (count - 1), dark) : distinctColor(k, dark),
    ]),
  );
}

// Returns the CSS color of each run of a scene, by a setting or, with "run", by its number.
export function runColors(scene, colorBy, dark) {
  const axis = scene.axes.find((each) => each.name === colorBy);
  if (!axis) return scene.runs.map((_, k) => distinctColor(k, dark));
  const colors = settingColors(axis, dark);
  const none = palette(dark).faint;
  return scene.runs.map((run) => colors.get(run.settings[axis.name]) ?? none);
}

// Returns the setting that tells the runs of a scene best apart at first sight.
export function firstColorBy(scene) {
  const told = scene.axes.filter((axis) => !["seed", "start"].includes(axis.name));
  const few = told.find((axis) => !axis.numeric && axis.values.length <= 8);
  return (few ?? told[0])?.name ?? "run";
}

// Returns the shape that ends a path: it says by form what a color alone could not.
export function endShape(status) {
  return isLost({ status }) ? "cross" : "circle";
}
