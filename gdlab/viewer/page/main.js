// The viewer: mounts its parts on an element and lets them share one store.

import { mountBar } from "./bar.js";
import { mountCharts } from "./charts.js";
import { buildLayout } from "./layout.js";
import { mountNotes } from "./notes.js";
import { startSession } from "./session.js";
import { createStore, initialState } from "./store.js";
import { mountSweep } from "./sweep.js";

// Mounts the viewer on an element, fed by a source (data.js). Options: `problem`, the id of the
// one that is shown first, and `theme`, "auto", "light" or "dark". Resolves to {store, root} once
// the catalogue is there.
export async function mount(element, source, options = {}) {
  const store = createStore({ ...initialState(), theme: options.theme ?? "auto" });
  const layout = buildLayout(element);
  mountBar(layout.bar, store, layout.root);
  mountNotes(layout.notes, store);
  mountCharts(layout.charts, store);
  mountSweep(layout.sweep, store);
  const viewer = { store, root: layout.root };
  layout.root.viewer = viewer;
  await startSession(store, source, options);
  return viewer;
}
