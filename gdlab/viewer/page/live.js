// The live bench: a run that is computed anew as one moves its settings, where a server does so.

import { el, toggle } from "./dom.js";
import { endShape } from "./colors.js";
import { buildControls } from "./livecontrols.js";
import { mountPoint } from "./livepoint.js";
import { latestOnly, liveQuery } from "./livequery.js";
import { short } from "./numbers.js";
import { lastStepOf } from "./scenes.js";

const DROPPED = "dropped"; // begins an answer that says that a newer run was asked for
const REST_MS = 150; // without a change before a run is asked for with its diagnosis
const SIDE = 160; // samples of the landscape of a changed loss, along each axis
const HINT =
  "Click the landscape to set the start; drag the sliders: the path is computed as you drag.";

// Adds the live bench to `parent`, hidden where the source computes nothing or the problem cannot
// be computed.
export function mountLive(parent, store, source) {
  parent.hidden = true;
  if (!source.isLive) return;
  const switcher = toggle("Compute live", "Compute runs as you drag (l)", (on) =>
    patchLive(store, { on }),
  );
  const head = el("div", { class: "live-head" }, [
    el("h2", { text: "Live bench" }),
    switcher.element,
  ]);
  const controls = el("div", { class: "live-controls", hidden: true });
  const parts = outcomeParts();
  parent.append(head, el("p", { class: "said", text: HINT }), controls, parts.element);
  const bench = { asked: null, choices: null, controls, shown: null };
  const asks = { run: askForRuns(store, source), grid: askForGrids(store, source) };
  store.on(["scene"], ({ scene }) => {
    parent.hidden = !scene.problem.live;
    bench.choices = null;
    if (store.get().live.on) begin(store, source, bench);
  });
  store.on(["live"], (state) => {
    switcher.set(state.live.on);
    controls.hidden = parts.element.hidden = !state.live.on;
    if (!state.live.on && bench.choices === null) bench.asked = null;
    if (state.live.on && bench.choices === null) begin(store, source, bench);
    if (bench.choices !== null) bench.shown?.show(state);
    parts.show(state);
  });
  const isReady = (state) => state.live.on && bench.choices !== null;
  whenChanged(store, (state) => (isReady(state) ? liveQuery(state) : null), asks.run);
  whenChanged(store, (state) => (isReady(state) ? changedLoss(state) : null), asks.grid);
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

// Returns the changes of a loss whose landscape must be asked for, or null.
function changedLoss({ live, problem }) {
  return live.loss === null ? null : { ...live.loss, problem };
}

// Asks what the bench offers for a scene, builds its controls, and sets what is not set yet. Once
// for each scene: a question that failed is asked again when the bench is switched on again.
async function begin(store, source, bench) {
  const { problem, plane, scene } = store.get();
  if (!scene?.problem.live || bench.asked === scene) return;
  bench.asked = scene;
  try {
    const choices = await source.ask("choices", { problem, plane });
    if (store.get().scene !== scene) return;
    bench.choices = choices;
    bench.shown = buildControls(bench.controls, store, choices);
    patchLive(store, firstChoice(store.get(), choices));
  } catch (error) {
    patchLive(store, { error: error.message.trim() });
  }
}

// Returns the settings that the bench begins with: what it had, else those of the followed or the
// first run as far as the bench offers them, else what the server proposes.
export function firstChoice({ live, scene, followed, runs, view }, choices) {
  const run = scene.runs[followed ?? runs[0]] ?? null;
  const offered = (name) => choices.optimizers.find((each) => each.name === name);
  const wanted = [live.optimizer, run?.settings.optimizer, choices.optimizer].find(offered);
  const chosen = offered(wanted) ?? choices.optimizers[0];
  const isKept = live.optimizer === chosen.name;
  const usual = chosen.name === choices.optimizer ? choices.lr : chosen.lr.value;
  const begins = run === null ? choices.start : startOf(scene, run);
  return {
    optimizer: chosen.name,
    lr: isKept ? live.lr : (run?.settings.lr ?? usual),
    fields: isKept ? live.fields : fieldsOf(run, chosen),
    loss: null,
    steps: Math.min(live.steps || lastStepOf(scene), choices.most_steps),
    start: live.start ?? begins ?? view.map(([low, high]) => (low + high) / 2),
    error: "",
  };
}

// Returns the fields of an optimizer, {name: value}, that the settings of a run change.
function fieldsOf(run, { fields }) {
  const settings = run?.settings ?? {};
  const changed = fields.filter(({ name, value }) => {
    const own = settings[`optimizer.${name}`];
    return own !== undefined && own !== null && own !== value;
  });
  return Object.fromEntries(changed.map(({ name }) => [name, settings[`optimizer.${name}`]]));
}

// Returns where a run begins on the plane, in absolute numbers: [x, y], on a line [x]; to the
// digits that a float32 has, so that −1.2 is −1.2.
function startOf({ origin }, run) {
  const width = run.path.shape[1];
  return origin
    .slice(0, width)
    .map((first, k) => first + Number(run.path.values[k].toPrecision(7)));
}

// Returns a function that asks for live runs and shows them; null ends that. While settings move,
// runs are asked for without what takes longer than the run: why it ended as it did.
function askForRuns(store, source) {
  let [timer, newest] = [null, null];
  const ask = latestOnly({
    ask: ({ query, isBrief }, signal) =>
      source.ask("live", isBrief ? { ...query, brief: "1" } : query, signal),
    told: (answer, { query, isBrief }) => {
      showRun(store, answer);
      if (!isBrief || query !== newest) return;
      timer = setTimeout(() => ask({ query, isBrief: false }), REST_MS);
    },
    failed: ({ message }, asked) => {
      if (!message.startsWith(DROPPED)) return store.set(withoutRun(store.get(), message.trim()));
      // By another page, or a run that this one gave up and that came after its newest.
      if (asked.query === newest) timer = setTimeout(() => ask(asked), REST_MS);
    },
  });
  return (query) => {
    clearTimeout(timer);
    newest = query;
    ask(query && { query, isBrief: true });
    if (query === null) store.set(withoutRun(store.get(), ""));
  };
}

// Returns what changes in the state when there is no live run, for the reason given.
function withoutRun({ scene, step, live }, error) {
  const lastStep = lastStepOf(scene);
  const patch = { lastStep, step: Math.min(step, lastStep) };
  return { ...patch, live: { ...live, run: null, command: "", error } };
}

// Shows a live run; a scrubber at its end stays at the end of the longest run.
function showRun(store, { run, command, seconds }) {
  const { scene, step, lastStep, live } = store.get();
  if (!live.on) return;
  const last = Math.max(lastStepOf(scene), run.step.values.at(-1) ?? 0);
  const place = step >= lastStep ? last : Math.min(step, last);
  store.set({ live: { ...live, run, command, seconds, error: "" }, lastStep: last, step: place });
}

// Returns a function that asks for the landscape of a loss with other fields; null shows its own.
function askForGrids(store, source) {
  const ask = latestOnly({
    ask: (changes, signal) => {
      const { plane, view, scene } = store.get();
      const shown = scene.plane.kind === "line" ? view.slice(0, 1) : view;
      const query = { ...changes, plane, view: shown.flat().join(","), side: SIDE };
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
  const point = el("output", { class: "chart-readout", "aria-live": "off" });
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
    line.hidden = live.command === "";
    command.textContent = live.command;
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
