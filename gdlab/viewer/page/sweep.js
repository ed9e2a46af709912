// The sweep: a slider for each setting that differs between runs. Moving one follows the run that has
// these settings.

import { el } from "./dom.js";
import { mountOutcomes } from "./outcomes.js";
import { short } from "./numbers.js";
import { named, segments, slider } from "./segments.js";
import {
  axesOf,
  keyOf,
  nearestProblem,
  nearestRun,
  placeOf,
  settingsOf,
  textOf,
} from "./settings.js";
import { mountStarts } from "./starts.js";

const FEW = 6; // values without an order: up to so many are buttons, more a slider

// Adds the sliders of a sweep, the chart of its outcomes and the map of its starts to `parent`. The
// panel is empty where runs differ in nothing.
export function mountSweep(parent, store) {
  const title = el("h2", { text: "Sweep" });
  const sliders = el("div", { class: "sliders" });
  const said = el("p", { class: "said", role: "status" });
  const controls = el("div", {}, [title, sliders, said]);
  const panel = el("div", { class: "sweep-panel", hidden: true }, [controls]);
  const memory = { axes: [], wanted: {}, controls: [], pending: null, found: null };
  parent.append(panel);
  parent.hidden = true;
  store.on(["scene"], (state) => {
    memory.axes = axesOf(state.scene, state.catalogue?.problems ?? [state.scene.problem]);
    memory.controls = memory.axes.map((axis) => controlOf(axis, (value) => move(axis, value)));
    sliders.replaceChildren(...memory.controls.map(({ element }) => element));
    panel.hidden = memory.axes.length === 0;
    parent.hidden = panel.hidden;
    if (memory.pending !== null) follow(memory.pending);
  });
  store.on(["followed", "scene"], (state) => {
    if (state.followed !== memory.found) said.textContent = "";
    show(state);
  });
  mountOutcomes(panel, store);
  mountStarts(panel, store);

  // Takes a value of a setting: another problem of the group, or another run of this one.
  function move(axis, value) {
    const state = store.get();
    const isOwn = state.followed !== null && state.followed === memory.found;
    const settings = isOwn ? memory.wanted : shownSettings(state, memory.axes);
    memory.wanted = { ...settings, [axis.name]: value };
    if (!axis.ofProblem) return follow(axis.name);
    const { problems } = state.catalogue;
    const { group } = state.scene.problem;
    memory.pending = axis.name;
    const problem = nearestProblem(problems, group, memory.axes, memory.wanted, axis.name);
    if (problem === state.problem) return follow(axis.name);
    return store.set({ problem });
  }

  // Follows the run nearest to the settings wanted, and says what no run has.
  function follow(moved) {
    memory.pending = null;
    const { scene, runs } = store.get();
    const { wanted } = memory;
    const own = memory.axes.filter((axis) => !axis.ofProblem);
    const { index, differs } = nearestRun(scene.runs, runs, own, wanted, moved);
    memory.found = index;
    said.textContent = index === null ? "no run passes the filters" : missing(wanted, differs);
    store.set({ followed: index });
  }

  // Shows the settings of the followed run on the sliders, faintly if none is followed.
  function show(state) {
    const settings = shownSettings(state, memory.axes);
    memory.controls.forEach((control, k) => control.show(settings[memory.axes[k].name]));
    panel.classList.toggle("is-idle", state.followed === null);
  }
}

// Returns the settings of the followed run on all axes; without one, of the first that is listed.
function shownSettings({ scene, runs, followed }, axes) {
  const run = scene.runs[followed ?? runs[0] ?? 0];
  return run === undefined ? {} : settingsOf(run, scene.problem, axes);
}

// Returns what to say where no run has all settings wanted.
function missing(wanted, differs) {
  if (differs.length === 0) return "";
  const words = differs.map((name) => `${name}=${textOf(wanted[name], short)}`);
  return `No run has these settings; the nearest differs from ${words.join(", ")}.`;
}

// Returns {element, show} of the control of an axis: buttons for a few values without an order, a
// slider over the values otherwise. `changed` is called with the value chosen.
function controlOf(axis, changed) {
  const texts = axis.values.map((value) => textOf(value, short));
  if (axis.numeric || axis.values.length > FEW) {
    const chosen = (position) => changed(axis.values[position]);
    const made = slider(
      axis.name,
      axis.values.length - 1,
      (position) => texts[position] ?? "–",
      chosen,
    );
    return { ...made, show: (value) => made.show(placeOf(axis, value)) };
  }
  const options = axis.values.map((value, k) => ({ key: keyOf(value), label: texts[k] }));
  const made = segments(axis.name, options, (key) => changed(JSON.parse(key)));
  return { element: named(axis.name, made.element), show: (value) => made.show(keyOf(value)) };
}
