// The list of runs. Only the rows in sight exist, so that thousands scroll smoothly.

import { endShape } from "./colors.js";
import { eachFrame, el } from "./dom.js";
import { mountFilters } from "./filters.js";
import { short } from "./numbers.js";
import { isLost } from "./scenes.js";

const ROW = 34; // pixels; style.css agrees
const SPARE = 6; // rows above and below those in sight

// Returns the run so many rows from the followed one in the list, or null where there is none.
export function neighbor({ runs, followed }, rows) {
  if (runs.length === 0) return null;
  const at = runs.indexOf(followed);
  if (at < 0) return rows > 0 ? runs[0] : runs.at(-1);
  return runs[Math.min(Math.max(at + rows, 0), runs.length - 1)];
}

// Mounts filters and list. Returns {focusFilter, move}: `move(rows)` follows another run.
export function mountRuns(parent, store) {
  const filters = el("div", { class: "filters" });
  const count = el("p", { class: "count number", "aria-live": "polite" });
  const rows = el("div", { class: "rows" });
  const list = el("div", { class: "list", role: "listbox", tabindex: "0", "aria-label": "Runs" }, rows);
  const detail = el("div", { class: "detail", "aria-live": "polite", hidden: true });
  const lost = lostSwitch(store);
  parent.append(filters, count, lost, list, detail);
  const text = mountFilters(filters, store);
  const draw = eachFrame(() => drawRows(list, rows, store));
  list.addEventListener("scroll", draw, { passive: true });
  list.addEventListener("pointerleave", () => store.set({ hovered: null }));
  new ResizeObserver(draw).observe(list);
  store.on(["scene", "runs", "colors", "followed", "hovered"], draw);
  store.on(["scene", "runs"], ({ scene, runs }) => {
    count.textContent = countText(scene, runs);
  });
  store.on(["scene", "followed"], (state) => showDetail(detail, state));
  const move = (by) => {
    const run = neighbor(store.get(), by);
    if (run === null) return;
    store.set({ followed: run });
    reveal(list, store.get().runs.indexOf(run));
  };
  store.on(["followed"], ({ runs, followed }) => reveal(list, runs.indexOf(followed)));
  return { focusFilter: () => text.focus(), move };
}

// Returns how many runs are listed, of how many, and how many have no path to show.
export function countText({ runs: all, problem }, runs) {
  const total = all.length;
  const shown = runs.length === total ? "" : `${runs.length} of `;
  const missing = problem.runs - total;
  const rest = missing > 0 ? `, ${missing} more without a path` : "";
  return `${shown}${total} ${total === 1 ? "run" : "runs"}${rest}`;
}

// Returns how many of some runs were lost, and whether their paths are drawn.
export function lostText(scene, runs, hidesLost) {
  const lost = runs.filter((run) => isLost(scene.runs[run])).length;
  const words = lost === 1 ? "1 lost run: path" : `${lost} lost runs: paths`;
  return `${words} ${hidesLost ? "hidden" : "shown"}`;
}

// Returns a line with a button that hides and shows the paths of lost runs, where there are some and
// others. The list and the charts have them all the same.
function lostSwitch(store) {
  const words = el("span");
  const button = el("button", { type: "button", class: "chip" });
  button.addEventListener("click", () => store.set({ hidesLost: !store.get().hidesLost }));
  const line = el("p", { class: "count lost", hidden: true }, [words, button]);
  store.on(["scene", "runs", "hidesLost"], ({ scene, runs, hidesLost }) => {
    if (!scene) return;
    const lost = runs.filter((run) => isLost(scene.runs[run])).length;
    line.hidden = lost === 0 || lost === runs.length;
    words.textContent = lostText(scene, runs, hidesLost);
    button.textContent = hidesLost ? "Show" : "Hide";
    button.setAttribute("aria-label", `${button.textContent} the paths of lost runs`);
  });
  return line;
}

// Scrolls a row into sight.
function reveal(list, row) {
  if (row < 0) return;
  const [top, bottom] = [row * ROW, (row + 1) * ROW];
  if (top < list.scrollTop) list.scrollTop = top;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

// Shows the rows in sight. Rows that stay the same stay in place: a press on one that is put back
// before it is released would be lost.
function drawRows(list, rows, store) {
  const state = store.get();
  if (!state.scene) return;
  const { runs, followed, hovered } = state;
  rows.style.height = `${runs.length * ROW}px`;
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const end = Math.min(runs.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  const known = new Map([...rows.children].map((row) => [row.dataset.key, row]));
  const shown = [];
  for (let k = first; k < end; k++) shown.push(known.get(keyOf(state, k)) ?? rowOf(state, store, k));
  const isSame = shown.length === rows.children.length && shown.every((row, k) => row === rows.children[k]);
  if (!isSame) rows.replaceChildren(...shown);
  for (const row of shown) row.classList.toggle("hovered", row.id === `run-${hovered}`);
  if (runs.includes(followed)) list.setAttribute("aria-activedescendant", `run-${followed}`);
  else list.removeAttribute("aria-activedescendant");
}

// Returns a text that tells whether the row of the k-th run that is listed is another one.
function keyOf({ scene, runs, colors, followed }, k) {
  const index = runs[k];
  const { label, status, name, final_loss: loss } = scene.runs[index];
  return JSON.stringify([k, index, runs.length, colors[index], index === followed, label, status, name, loss]);
}

// Returns the row of the k-th run that is listed.
function rowOf(state, store, k) {
  const { scene, runs, colors, followed } = state;
  const index = runs[k];
  const run = scene.runs[index];
  const shape = el("span", { class: `shape ${endShape(run.status)}`, "aria-hidden": "true" });
  shape.style.color = colors[index];
  const row = el("div", {
    class: "row",
    role: "option",
    id: `run-${index}`,
    "aria-selected": String(index === followed),
    "aria-setsize": runs.length,
    "aria-posinset": k + 1,
    title: `${run.label}: ${run.status} (${run.name})`,
  }, [
    shape,
    el("span", { class: "label", text: run.label.replaceAll(" = ", "\u00a0=\u00a0") }),
    el("span", { class: "loss number", title: "final loss", text: short(run.final_loss, 3) }),
  ]);
  row.dataset.key = keyOf(state, k);
  row.style.transform = `translateY(${k * ROW}px)`;
  row.addEventListener("click", () => store.set({ followed: index === store.get().followed ? null : index }));
  row.addEventListener("pointerenter", () => store.set({ hovered: index }));
  return row;
}

// Returns what is known of why a run ended as it did, in one line that begins with the diagnosis.
export function endingOf({ diagnosis, explanation }) {
  if (explanation.startsWith(`${diagnosis}:`)) return explanation;
  return [diagnosis, explanation].filter(Boolean).join(": ");
}

// Shows how the followed run ended.
function showDetail(detail, { scene, followed }) {
  const run = scene?.runs[followed];
  detail.hidden = !run;
  if (!run) return;
  const facts = [
    ["status", run.status],
    ["steps", String(run.steps)],
    ["final loss", short(run.final_loss)],
    ["best loss", short(run.best_loss)],
    ["evaluations", String(run.evaluations)],
  ];
  detail.replaceChildren(
    el("strong", { text: run.label }),
    el("dl", { class: "number" }, facts.flatMap(([name, text]) => [
      el("dt", { text: name }),
      el("dd", { text }),
    ])),
    el("p", { text: endingOf(run) }),
  );
}
