// The live bench: a run that is computed anew as one moves its settings, where a server does so.

import { el, toggle } from "./dom.js";
import { endShape } from "./colors.js";
import { buildControls } from "./livecontrols.js";
import { mountPoint } from "./livepoint.js";
import { commandOf, latestOnly, liveQuery } from "./livequery.js";
import { short } from "./numbers.js";
import { lastStepOf } from "./scenes.js";

const STEPS = 1000; // that a run has at first
const SIDE = 160; // samples of the landscape of a changed loss, along each axis
const HINT =
  "Click the landscape to set the start; drag the sliders: the path is computed as you drag.";

// Adds the live bench to `parent`, hidden where the source computes nothing or the problem cannot be
// computed.
export function mountLive(parent, store, source) {
  parent.hidden = true;
  if (!source.isLive) return;
  const switcher = toggle("On", "Compute runs as you drag (l)", (on) => patchLive(store, { on }));
  switcher.element.setAttribute("aria-label", "Live bench");
  const head = el("div", { class: "live-head" }, [
    el("h2", { text: "Live bench" }),
    switcher.element,
  ]);
  const controls = el("div", { class: "live-controls", hidden: true });
  const parts = outcomeParts();
  parent.append(head, el("p", { class: "said", text: HINT }), controls, parts.element);
  const bench = { choices: null, controls, shown: null };
  const asks = { run: askForRuns(store, source), grid: askForGrids(store, source) };
  store.on(["scene"], ({ scene }) => {
    parent.hidden = !scene.problem.live;
    bench.choices = null;
    if (store.get().live.on) begin(store, source, bench);
  });
  store.on(["live"], (state) => {
    switcher.set(state.live.on);
    controls.hidden = parts.element.hidden = !state.live.on;
    if (state.live.on && bench.choices === null) begin(store, source, bench);
    if (bench.choices !== null) bench.shown?.show(state);
    parts.show(state);
  });
  whenChanged(store, (state) => liveQuery(state), asks.run);
  whenChanged(
    store,
    ({ live, scene }) =>
      live.on && live.loss !== null ? { ...live.loss, problem: scene.problem.id } : null,
    asks.grid,
  );
  mountPoint(parts.point, store, source);
}

// Changes some of the state of the live bench.
export function patchLive(store, patch) {
  store.set({ live: { ...store.get().live, ...patch } });
}

// Calls `changed` with what `of(state)` returns whenever that differs from the time before.
function whenChanged(store, of, changed) {
  let before = "null";
  store.on(["live", "scene"], (state) => {
    if (state.scene === null) return;
    const value = of(state);
    const text = JSON.stringify(value);
    if (text === before) return;
    before = text;
    changed(value);
  });
}

// Asks what the bench offers for the problem, builds its controls, and sets what is not set yet.
async function begin(store, source, bench) {
  const { problem, scene } = store.get();
  if (!scene?.problem.live || bench.asking === problem) return;
  bench.asking = problem;
  try {
    const choices = await source.ask("choices", { problem });
    if (store.get().scene !== scene) return;
    bench.choices = choices;
    bench.shown = buildControls(bench.controls, store, choices);
    patchLive(store, firstChoice(store.get(), choices));
  } catch (error) {
    patchLive(store, { error: error.message });
  } finally {
    bench.asking = null;
  }
}

// Returns the settings that the bench begins with: those of the followed run as far as it has them,
// and where the first run begins.
export function firstChoice({ live, scene, followed, runs, view }, choices) {
  const run = scene.runs[followed ?? runs[0]];
  const names = choices.optimizers.map(({ name }) => name);
  const wanted = [live.optimizer, run?.settings.optimizer, choices.optimizer, "sgd", names[0]];
  const optimizer = wanted.find((name) => names.includes(name));
  const { lr } = choices.optimizers.find(({ name }) => name === optimizer);
  const isKept = live.optimizer === optimizer;
  const begins = run?.path.shape[0] > 0 ? startOf(scene, run) : null;
  return {
    optimizer,
    lr: isKept ? live.lr : lr.value,
    fields: isKept ? live.fields : {},
    loss: null,
    steps: Math.min(live.steps || STEPS, choices.most_steps),
    start: live.start ?? begins ?? view.map(([low, high]) => (low + high) / 2),
    error: "",
  };
}

// Returns where a run begins on the plane, in absolute numbers: [x, y], on a line [x].
function startOf({ origin }, run) {
  const width = run.path.shape[1];
  return origin.slice(0, width).map((first, k) => first + run.path.values[k]);
}

// Returns a function that asks for live runs and shows them; null ends that.
function askForRuns(store, source) {
  const ask = latestOnly({
    ask: (query, signal) => source.ask("live", query, signal),
    told: (answer) => showRun(store, answer),
    failed: (error) => patchLive(store, { run: null, words: null, error: error.message.trim() }),
  });
  return (query) => {
    ask(query);
    if (query !== null) return;
    const { scene, step, live } = store.get();
    const lastStep = lastStepOf(scene);
    store.set({
      live: { ...live, run: null, words: null },
      lastStep,
      step: Math.min(step, lastStep),
    });
  };
}

// Shows a live run; a scrubber at its end stays at the end of the longest run.
function showRun(store, { run, words, seconds }) {
  const { scene, step, lastStep, live } = store.get();
  if (!live.on) return;
  const last = Math.max(lastStepOf(scene), run.step.values.at(-1) ?? 0);
  const place = step >= lastStep ? last : Math.min(step, last);
  store.set({ live: { ...live, run, words, seconds, error: "" }, lastStep: last, step: place });
}

// Returns a function that asks for the landscape of a loss with other fields; null shows its own.
function askForGrids(store, source) {
  const ask = latestOnly({
    ask: (changes, signal) => {
      const { problem, plane, view, scene } = store.get();
      const shown = scene.plane.kind === "line" ? view.slice(0, 1) : view;
      const query = { ...changes, problem, plane, view: shown.flat().join(","), side: SIDE };
      return source.ask("grid", query, signal);
    },
    told: ({ grid }) => store.get().live.loss !== null && store.set({ grid }),
    failed: (error) => patchLive(store, { error: error.message.trim() }),
  });
  return (changes) => {
    ask(changes);
    if (changes === null) store.set({ grid: store.get().scene.grid });
  };
}

// Returns the lines below the controls: how the run ended, the point under the cursor, the command.
function outcomeParts() {
  const outcome = el("output", { class: "outcome" });
  const point = el("output", { class: "chart-readout" });
  const command = el("code", {
    class: "command",
    tabindex: "0",
    "aria-label": "Command of this run",
  });
  const copy = el("button", { type: "button", text: "Copy command" });
  copy.addEventListener("click", () => copyText(command, copy));
  const line = el("div", { class: "command-line" }, [command, copy]);
  const element = el("div", { class: "live-outcome", hidden: true }, [outcome, line, point]);
  const show = ({ live, scene }) => {
    outcome.textContent = live.error || outcomeText(live, scene);
    outcome.classList.toggle("is-lost", live.run !== null && endShape(live.run.status) === "cross");
    line.hidden = !live.words;
    if (live.words) command.textContent = commandOf(live.words);
  };
  return { element, point, show };
}

// Returns how a live run ended, in one line.
export function outcomeText({ run, seconds }, scene) {
  if (!run) return "computing …";
  const words = [`${run.status} after ${run.steps} steps`];
  const gap = run.suboptimality?.values.at(-1);
  words.push(gap === undefined ? `loss ${short(run.final_loss)}` : `f − f* = ${short(gap)}`);
  if (run.lr_limit) words.push(`lr limit ${short(run.lr_limit, 3)}`);
  words.push(`${short(1000 * seconds, 2)} ms`);
  return words.join(" · ");
}

// Copies the text of an element; where that is not allowed, selects it.
async function copyText(element, button) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy command"), 1500);
  } catch {
    getSelection().selectAllChildren(element);
  }
}
