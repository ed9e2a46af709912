// Asks for the catalogue and for scenes, and puts them into the store.

import { firstColorBy, runColors } from "./colors.js";
import { hidesLostAtFirst, lastStepOf, passingRuns, runsWithPath, viewOf } from "./scenes.js";

const NO_RUNS = "There are no runs here yet: python -m gdlab writes one. Reload to look again.";

// Starts to follow the store: a change of problem or plane loads its scene, a change of filters,
// of what colors runs or of the theme is worked out. Loads the first scene.
export async function startSession(store, source, options) {
  let latest = null;
  const load = () => {
    latest?.abort();
    latest = new AbortController();
    return loadScene(store, source, latest.signal);
  };
  store.on(["problem", "plane"], load);
  store.on(["filterText", "filterSettings"], refilter);
  store.on(["hidesLost"], ({ scene, runs, hidesLost }) => {
    if (scene) store.set({ drawn: runsWithPath(scene, runs, hidesLost) });
  });
  store.on(["colorBy", "dark"], recolor);
  followFully(store, source);
  store.set({ status: "Reading runs …" });
  try {
    const catalogue = await source.ask("catalogue");
    const wanted = catalogue.problems.find(({ id }) => id === options.problem);
    const problem = (wanted ?? catalogue.problems[0])?.id ?? null;
    const status = problem === null ? NO_RUNS : store.get().status;
    store.set({ catalogue, problem, status });
  } catch (error) {
    store.set({ status: error.message });
  }

  function refilter({ scene, filterText, filterSettings, hidesLost }) {
    if (!scene) return;
    const runs = passingRuns(scene, filterText, filterSettings);
    const drawn = runsWithPath(scene, runs, hidesLost);
    const { followed } = store.get();
    store.set({ runs, drawn, followed: runs.includes(followed) ? followed : null });
  }

  function recolor({ scene, colorBy, dark }) {
    if (scene) store.set({ colors: runColors(scene, colorBy, dark) });
  }
}

// Loads the scene of the problem and the plane; what was chosen stays where it still makes sense.
async function loadScene(store, source, signal) {
  const { problem, plane } = store.get();
  if (problem === null) return;
  store.set({ status: "Reading runs …" });
  try {
    const scene = await source.ask("scene", { problem, plane }, signal);
    if (signal.aborted) return;
    store.set(shownAtFirst(store.get(), scene));
    if (!scene.problem.has_landscape || !source.has("marks", { problem, plane })) return;
    const { marks, notes } = await source.ask("marks", { problem, plane }, signal);
    if (!signal.aborted) store.set({ marks, status: (notes ?? []).join("; ") });
  } catch (error) {
    if (!signal.aborted) store.set({ status: error.message });
  }
}

// Returns what changes in the state when a scene appears.
function shownAtFirst(state, scene) {
  const same = state.scene?.problem.id === scene.problem.id;
  const known = new Set(["run", ...scene.axes.map(({ name }) => name)]);
  const kept = known.has(state.colorBy) && state.scene !== null;
  const colorBy = kept ? state.colorBy : firstColorBy(scene);
  const filterSettings = same ? state.filterSettings : {};
  const lastStep = lastStepOf(scene);
  const runs = passingRuns(scene, state.filterText, filterSettings);
  const hidesLost = same ? state.hidesLost : hidesLostAtFirst(scene);
  return {
    scene,
    grid: scene.grid,
    marks: scene.marks,
    view: viewOf(scene),
    colorBy,
    colors: runColors(scene, colorBy, state.dark),
    filterSettings,
    runs,
    hidesLost,
    drawn: runsWithPath(scene, runs, hidesLost),
    lastStep,
    step: same ? Math.min(state.step, lastStep) : lastStep,
    playing: false,
    followed: same ? state.followed : null,
    hovered: null,
    full: null,
    cursor: null,
    point: null,
    live: { ...state.live, start: null, run: null },
    status: "",
  };
}

// Asks a live source for all recorded points of the run that is followed, where some were left out.
function followFully(store, source) {
  let latest = null;
  store.on(["followed", "scene"], async ({ followed, scene, problem, plane }) => {
    latest?.abort();
    const signal = (latest = new AbortController()).signal;
    const run = followed === null ? null : scene?.runs[followed];
    if (!run) return store.set({ full: null });
    if (!source.isLive || run.recorded <= run.step.values.length) {
      return store.set({ full: { index: followed, run } });
    }
    try {
      const answer = await source.ask("run", { problem, run: run.index ?? followed, plane }, signal);
      if (!signal.aborted) store.set({ full: { index: followed, run: answer.run } });
    } catch (error) {
      if (!signal.aborted) store.set({ status: error.message });
    }
  });
}
