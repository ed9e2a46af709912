// The sweep: a slider for each setting that differs between runs. Moving one follows the run that
// has these settings.

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

const LONG = 8; // characters: longer values need more room beside the slider
const FEW = 6; // values without an order: up to so many are buttons, more a slider

// Adds the sliders of a sweep, the chart of its outcomes and the map of its starts to `parent`. The
// panel is hidden where runs differ in nothing.
export function mountSweep(parent, store) {
  const title = el("h2", { text: "Sweep" });
  const sliders = el("div", { class: "sliders" });
  const said = el("p", { class: "said", role: "status" });
  const controls = el("div", {}, [title, sliders, said]);
  const panel = el("div", { class: "sweep-panel" }, [controls]);
  const sweep = {
    store,
    said,
    panel,
    axes: [],
    controls: [],
    wanted: {},
    moved: null,
    found: null,
  };
  parent.append(panel);
  parent.hidden = true;
  store.on(["scene"], (state) => {
    showAxes(sweep, axesOf(state.scene, state.catalogue?.problems ?? [state.scene.problem]));
    arrange(
      sliders,
      sweep.controls.map(({ element }) => element),
    );
    parent.hidden = sweep.axes.length === 0;
    if (sweep.moved !== null) follow(sweep, sweep.moved);
  });
  store.on(["followed", "scene"], (state) => {
    if (state.followed !== sweep.found) said.textContent = "";
    show(sweep, state);
  });
  mountOutcomes(panel, store);
  mountStarts(panel, store);
}

// Makes the controls of some axes; those of axes that stay as they were stay, as one may be moving.
function showAxes(sweep, axes) {
  const before = new Map(sweep.axes.map((axis, k) => [keyOf(axis), sweep.controls[k]]));
  const changed = (axis) => (value) => move(sweep, axis, value);
  sweep.controls = axes.map((axis) => before.get(keyOf(axis)) ?? controlOf(axis, changed(axis)));
  sweep.axes = axes;
}

// Makes the children of an element those given, without touching those that stay: one may have the
// focus, or be dragged.
function arrange(parent, elements) {
  for (const child of [...parent.children]) if (!elements.includes(child)) child.remove();
  elements.forEach((element, k) => {
    if (parent.children[k] !== element) parent.insertBefore(element, parent.children[k] ?? null);
  });
}

// Takes a value of a setting: shows another problem of the group, or follows another run of this
// one. What is wanted stays, as long as the run that was found for it is followed.
function move(sweep, axis, value) {
  const state = sweep.store.get();
  sweep.wanted = { ...wantedSettings(sweep, state), [axis.name]: value };
  if (!axis.ofProblem) return follow(sweep, axis.name);
  const { problems } = state.catalogue;
  const { group } = state.scene.problem;
  const problem = nearestProblem(problems, group, sweep.axes, sweep.wanted, axis.name);
  const isShown = problem === state.problem && problem === state.scene.problem.id;
  if (isShown) return follow(sweep, axis.name);
  sweep.moved = axis.name; // a run is followed when the scene of the problem is there
  return sweep.store.set({ problem });
}

// Follows the run nearest to the settings wanted, and says which of them it does not have.
function follow(sweep, moved) {
  const { store, axes, wanted } = sweep;
  const { scene, runs } = store.get();
  const own = axes.filter((axis) => !axis.ofProblem);
  const { index, differs } = nearestRun(scene.runs, runs, own, wanted, moved);
  const { settings } = scene.problem;
  const others = axes.filter((axis) => axis.ofProblem).map(({ name }) => name);
  differs.push(...others.filter((name) => keyOf(settings[name]) !== keyOf(wanted[name])));
  Object.assign(sweep, { moved: null, found: index });
  sweep.said.textContent = index === null ? "No run passes the filters." : missing(wanted, differs);
  store.set({ followed: index });
}

// Shows the settings of the followed run on the sliders, faintly if none is followed; those wanted
// where it was found for them, so that a slider stays where it was moved to.
function show(sweep, state) {
  const { axes, controls, panel } = sweep;
  const settings = wantedSettings(sweep, state);
  controls.forEach((control, k) => control.show(settings[axes[k].name]));
  panel.classList.toggle("is-idle", state.followed === null);
}

// Returns the settings that were asked for, as long as the run that was found for them is followed;
// else those of the followed run.
function wantedSettings({ wanted, found, axes }, state) {
  const isOwn = state.followed !== null && state.followed === found;
  return isOwn ? wanted : shownSettings(state, axes);
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
  const texts = axis.values.map((value) => textOf(value, (number) => short(number, 3)));
  if (axis.numeric || axis.values.length > FEW) {
    const chosen = (position) => changed(axis.values[position]);
    const made = slider(
      axis.name,
      axis.values.length - 1,
      (position) => texts[position] ?? "–",
      chosen,
    );
    made.element.classList.toggle(
      "is-wide",
      texts.some((text) => text.length > LONG),
    );
    return { ...made, show: (value) => made.show(placeOf(axis, value)) };
  }
  const options = axis.values.map((value, k) => ({ key: keyOf(value), label: texts[k] }));
  const made = segments(axis.name, options, (key) => changed(JSON.parse(key)));
  return { element: named(axis.name, made.element), show: (value) => made.show(keyOf(value)) };
}
