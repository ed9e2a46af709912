// Keys for all that the pointer can do, and the dialog that lists them.

import { el } from "./dom.js";

const HELP = [
  ["space", "play or pause"],
  ["← →", "a step back or on; with Shift ten"],
  ["Home End", "first or last step"],
  ["↑ ↓", "follow the run above or below"],
  ["Esc", "follow none"],
  ["+ −", "zoom in or out, about the cursor"],
  ["Alt + arrows", "move the view; in 3-D turn it"],
  ["0", "whole view"],
  ["3", "surface in 3-D"],
  ["f", "gradient field"],
  ["l", "live bench, where there is a server"],
  ["/", "filter the runs"],
  ["?", "these keys and the marks"],
];

// As marks.js, sprites.js and runs.js draw them.
const MARKS = [
  ["★", "minimizer, known"],
  ["☆", "local minimum, found"],
  ["◇", "saddle"],
  ["△", "maximum"],
  ["□", "kink: no gradient there"],
  ["●", "run at the step of the scrubber"],
  ["○", "run that has ended"],
  ["✕", "run that diverged or failed"],
  ["▶", "run that has left the view, on this side"],
];

const POINTER = "Drag to move, wheel or pinch to zoom, click a path to follow its run.";

// Returns whether an element takes a key for itself.
export function takesKey(element, key) {
  const tag = element?.tagName;
  if (tag === "TEXTAREA" || tag === "SELECT" || element?.isContentEditable) return true;
  if (tag === "BUTTON" || tag === "SUMMARY") return key === " " || key === "Enter";
  if (tag !== "INPUT") return false;
  if (element.type === "range") return key.startsWith("Arrow") || ["Home", "End"].includes(key);
  return element.type !== "checkbox" || key === " ";
}

// Mounts the keys on the page where it is the viewer's alone, else on the viewer.
export function mountKeyboard(root, store, actions) {
  const dialog = helpDialog(store);
  root.append(dialog);
  store.on(["help"], ({ help }) => {
    if (help && !dialog.open) dialog.showModal();
    if (!help && dialog.open) dialog.close();
  });
  const target = root.parentElement === document.body ? document : root;
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || dialog.open || takesKey(event.target, event.key)) {
      if (event.key === "Escape" && !dialog.open) event.target.blur();
      return;
    }
    const act = actionOf(event, store, actions);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

// Returns what a key does, or undefined.
function actionOf(event, store, { time, plane, list, turn, isLive }) {
  const flip = (key) => () => store.set({ [key]: !store.get()[key] });
  const flat = () => store.get().mode === "2d";
  const big = event.shiftKey ? 10 : 1;
  if (event.altKey) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const by = move[event.key]?.map((part) => part * 0.1);
    return by && (() => (flat() ? plane.pan(...by) : turn(by[0], -by[1])));
  }
  return {
    " ": time.toggle,
    ArrowLeft: () => time.stepBy(-big),
    ArrowRight: () => time.stepBy(big),
    Home: () => time.goTo(0),
    End: () => time.goTo(store.get().lastStep),
    ArrowUp: () => list.move(-1),
    ArrowDown: () => list.move(1),
    Escape: () => store.set({ followed: null }),
    "+": () => plane.zoom(1 / 1.3),
    "=": () => plane.zoom(1 / 1.3),
    "-": () => plane.zoom(1.3),
    0: plane.reset,
    3: () => store.get().scene?.plane.kind !== "line" && store.set({ mode: flat() ? "3d" : "2d" }),
    f: flip("showField"),
    l: () => isLive && store.set({ live: { ...store.get().live, on: !store.get().live.on } }),
    "/": list.focusFilter,
    "?": () => store.set({ help: true }),
  }[event.key];
}

function helpDialog(store) {
  const close = el("button", { type: "button", text: "Close" });
  const rows = HELP.map(([keys, what]) =>
    el("tr", {}, [el("th", { scope: "row" }, el("kbd", { text: keys })), el("td", { text: what })]),
  );
  const marks = MARKS.map(([shape, what]) =>
    el("tr", {}, [el("th", { scope: "row", class: "mark", text: shape }), el("td", { text: what })]),
  );
  const dialog = el("dialog", { class: "help", "aria-label": "Keys and marks" }, [
    el("div", { class: "columns" }, [
      el("div", {}, [el("h2", { text: "Keys" }), el("table", {}, el("tbody", {}, rows))]),
      el("div", {}, [el("h2", { text: "Marks" }), el("table", {}, el("tbody", {}, marks))]),
    ]),
    el("p", { text: POINTER }),
    close,
  ]);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => store.set({ help: false }));
  return dialog;
}
