// The bar on top: which problem, which plane, 2-D or 3-D, gradient field, theme, help.

import { choice, el, setOptions, toggle } from "./dom.js";
import { notesOf } from "./notes.js";

// Mounts the bar; `root` is the element that carries the theme, `actions` those of the plane.
export function mountBar(parent, store, root, actions) {
  const problem = choice("Problem", [], "", (key) => store.set({ problem: key, plane: "" }));
  const plane = choice("Plane", [], "", (key) => store.set({ plane: key }));
  const shape = toggle("3-D", "Show the landscape as a surface (3)", (on) =>
    store.set({ mode: on ? "3d" : "2d" }),
  );
  const field = toggle("Gradient", "Arrows downhill, along −∇f, longer where it is steeper (f)", (on) =>
    store.set({ showField: on }),
  );
  const heights = toggle("Log height", "Heights by the logarithm of the loss", (on) =>
    store.set({ isLinear: !on }),
  );
  const theme = themeSwitch(store, root);
  const help = el("button", { type: "button", title: "Keys and marks (?)", text: "?" });
  help.setAttribute("aria-label", "Keys and marks");
  help.addEventListener("click", () => store.set({ help: true }));
  const zooms = zoomButtons(actions);
  const views = el("div", { class: "group" }, [shape.element, heights.element, field.element]);
  const status = el("output", { class: "status", "aria-live": "polite" });
  parent.append(problem.element, plane.element, views, zooms, status, notesButton(store, root), theme, help);
  store.on(["status"], ({ status: text }) => (status.textContent = status.title = text));
  store.on(["catalogue", "problem"], ({ catalogue, problem: id }) => {
    root.classList.toggle("is-empty", catalogue?.problems.length === 0);
    const options = (catalogue?.problems ?? []).map((each) => ({
      key: each.id,
      label: `${each.title} (${each.runs === 1 ? "1 run" : `${each.runs} runs`})`,
    }));
    setOptions(problem.select, options, id);
  });
  store.on(["scene"], ({ scene }) => {
    const { choices, key, kind } = scene.plane;
    setOptions(plane.select, choices, key);
    plane.element.hidden = choices.length < 2;
    views.hidden = kind === "line" || !scene.grid;
  });
  store.on(["mode", "showField", "isLinear", "grid"], ({ mode, showField, isLinear, grid }) => {
    shape.set(mode === "3d");
    field.set(showField);
    heights.set(!isLinear);
    heights.element.hidden = mode === "2d" || grid?.scale !== "log";
  });
}

// Returns a button that says how many notes there are below the page, and shows them.
function notesButton(store, root) {
  const button = el("button", { type: "button", hidden: true, title: "What a reader should know" });
  button.addEventListener("click", () => {
    const notes = root.querySelector(".notes");
    notes.scrollIntoView({ block: "nearest" });
    notes.focus({ preventScroll: true });
  });
  store.on(["scene", "catalogue"], (state) => {
    const count = notesOf(state).length;
    button.hidden = count === 0;
    button.textContent = `${count} ${count === 1 ? "note" : "notes"}`;
  });
  return button;
}

// Returns buttons that zoom in, out and back to the whole view.
function zoomButtons({ zoom, reset }) {
  const button = (text, title, pressed) =>
    el("button", { type: "button", text, title, "aria-label": title, on: { click: pressed } });
  return el("div", { class: "group" }, [
    button("+", "Zoom in (+)", () => zoom(1 / 1.3)),
    button("−", "Zoom out (−)", () => zoom(1.3)),
    button("Reset", "Back to the whole view (0)", reset),
  ]);
}

// Returns the switch between the system's theme, light and dark, and keeps `root` in step.
function themeSwitch(store, root) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = el("button", { type: "button" });
  const after = { auto: "light", light: "dark", dark: "auto" };
  const names = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" };
  const apply = () => {
    const { theme } = store.get();
    const dark = theme === "dark" || (theme === "auto" && system.matches);
    root.dataset.theme = dark ? "dark" : "light";
    button.textContent = names[theme];
    button.title = "Light, dark, or as the system";
    button.setAttribute("aria-label", `Theme: ${theme}`);
    store.set({ dark });
  };
  button.addEventListener("click", () => store.set({ theme: after[store.get().theme] }));
  system.addEventListener("change", apply);
  store.on(["theme"], apply);
  apply();
  return button;
}
