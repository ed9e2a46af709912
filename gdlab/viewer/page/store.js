// The state of the viewer in one place: panels read it, patch it and hear of what changed.
//
// Keys of the state:
//   catalogue, problem, plane   what can be shown, the id of the problem, the key of its plane
//   scene, grid                 the scene shown and the finest grid of its landscape (or null)
//   marks                       minimizers, saddles, maxima and kinks of the landscape
//   runs                        indices of the runs that pass the filters, as listed
//   hidesLost, drawn            whether paths of lost runs are hidden, and the indices whose are not
//   filterText, filterSettings  a text, and {setting: [values that pass]}
//   colorBy, colors             "run" or the name of a setting; a CSS color for each run
//   step, lastStep              position of the scrubber (a real number while playing) and its end
//   playing, speed              whether time runs, and how fast
//   followed, hovered           indices of runs, or null
//   full                        {index, run}: the followed run with all recorded points, or null
//   cursor                      {at: [x, y] in the plane, value: loss or null}, or null
//   point                       answer of `point` at the cursor with its `at`, or null
//   view, mode, showField       [[xlow, xhigh], [ylow, yhigh]], "2d" or "3d", gradient arrows
//   orbit, isLinear             camera of 3-D (camera.js) or null, heights linear in place of log
//   scale, quantity             of the charts
//   live                        the live bench: {on, start: [x, y] or null, optimizer, lr, steps, fields
//                               (of the optimizer, {name: value} as far as moved), loss (the same,
//                               {"loss.name": text}, or null), run (as in a scene, or null), the
//                               command that computes it, seconds, error}
//   theme, dark                 "auto", "light" or "dark", and which of the two that is now
//   help                        whether the dialog with the keys is open
//   status                      one line: what is being loaded, or what went wrong

const LIVE = {
  on: false,
  start: null,
  optimizer: "",
  lr: 0,
  steps: 0,
  fields: {},
  loss: null,
  run: null,
  command: "",
  seconds: 0,
  error: "",
};

// Returns the state before anything is loaded.
export function initialState() {
  return {
    catalogue: null,
    problem: null,
    plane: "",
    scene: null,
    grid: null,
    marks: [],
    runs: [],
    hidesLost: false,
    drawn: [],
    filterText: "",
    filterSettings: {},
    colorBy: "run",
    colors: [],
    step: 0,
    lastStep: 0,
    playing: false,
    speed: 1,
    followed: null,
    hovered: null,
    full: null,
    cursor: null,
    point: null,
    view: null,
    mode: "2d",
    orbit: null,
    isLinear: false,
    showField: false,
    scale: "log",
    quantity: "suboptimality",
    live: { ...LIVE },
    help: false,
    theme: "auto",
    dark: false,
    status: "",
  };
}

// Calls `changed` with the state when one of the parts of a key of it changed that `of` lists.
export function onChange(store, key, of, changed) {
  let before = of(store.get()[key]);
  store.on([key], (state) => {
    const now = of(state[key]);
    const isSame = now.every((part, k) => Object.is(part, before[k]));
    before = now;
    if (!isSame) changed(state);
  });
}

// Returns a store. `set` merges a patch and then calls, once each, those who asked for a key of it
// whose value changed. `on` takes a list of keys and returns a function that ends the subscription.
export function createStore(initial) {
  let state = { ...initial };
  const listeners = new Set();
  return {
    get: () => state,
    set(patch) {
      const changed = Object.keys(patch).filter((key) => !Object.is(patch[key], state[key]));
      if (changed.length === 0) return;
      state = { ...state, ...patch };
      for (const listener of [...listeners]) {
        if (changed.some((key) => listener.keys.has(key))) listener.callback(state);
      }
    },
    on(keys, callback) {
      const listener = { keys: new Set(keys), callback };
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
