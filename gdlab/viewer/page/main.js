// The viewer: mounts its parts on an element and lets them share one store.

import { mountBar } from "./bar.js";
import { mountCharts } from "./charts.js";
import { hitAt, mountHover } from "./hover.js";
import { mountKeyboard } from "./keyboard.js";
import { buildLayout } from "./layout.js";
import { mountLive } from "./live.js";
import { mountNotes } from "./notes.js";
import { mountPlane, planeActions, setStart } from "./plane.js";
import { mountRuns } from "./runs.js";
import { startSession } from "./session.js";
import { mountStage } from "./stage.js";
import { createStore, initialState } from "./store.js";
import { turnView } from "./surface.js";
import { mountSweep } from "./sweep.js";
import { mountTransport, timeActions } from "./transport.js";

// Mounts the viewer on an element, fed by a source (data.js). Options: `problem`, the id of the
// one that is shown first, and `theme`, "auto", "light" or "dark". Resolves to {store, root} once
// the catalogue is there.
export async function mount(element, source, options = {}) {
  const store = createStore({ ...initialState(), theme: options.theme ?? "auto" });
  const layout = buildLayout(element);
  const { root } = layout;
  const [plane, time] = [planeActions(store), timeActions(store)];
  mountBar(layout.bar, store, root, plane);
  mountNotes(layout.notes, store);
  const list = mountRuns(layout.runs, store);
  const stage = mountStage(layout.stage, store);
  mountHover(layout.stage, stage, store);
  mountPlane(stage, store, source, plane, (at, pixel) => {
    if (store.get().live.on) setStart(store, at);
    else if (store.get().mode === "2d") store.set({ followed: hitAt(store.get(), stage, pixel)?.run ?? null });
  });
  mountTransport(layout.transport, store, time);
  const turn = (across, up) => turnView(store, across, up);
  mountKeyboard(root, store, { time, plane, list, turn, isLive: source.isLive });
  root.viewer = { store, root, stage };
  mountCharts(layout.charts, store);
  mountSweep(layout.sweep, store);
  mountLive(layout.live, store, source);
  await startSession(store, source, options);
  return root.viewer;
}
