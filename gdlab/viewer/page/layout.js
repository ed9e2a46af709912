// The bones of the page: a bar, the list of runs, the stage, transport, and slots for panels.

import { el } from "./dom.js";

// Builds the layout inside an element; returns its parts by name. Panels hide while empty.
export function buildLayout(element) {
  const parts = {
    bar: el("header", { class: "bar" }),
    runs: el("aside", { class: "runs", "aria-label": "Runs" }),
    stage: el("div", { class: "stage" }),
    transport: el("div", { class: "transport", role: "group", "aria-label": "Time" }),
    charts: el("section", { class: "panel charts", "aria-label": "Charts" }),
    sweep: el("section", { class: "panel sweep", "aria-label": "Sweep" }),
    live: el("section", { class: "panel live", "aria-label": "Live bench" }),
    notes: el("footer", { class: "notes", tabindex: "-1", "aria-label": "Notes" }),
  };
  const figure = el("main", { class: "figure" }, [parts.stage, parts.transport, parts.charts]);
  const panels = el("div", { class: "panels" }, [parts.live, parts.sweep]);
  const body = el("div", { class: "body" }, [parts.runs, figure, panels]);
  const root = el("div", { class: "viewer" }, [parts.bar, body, parts.notes]);
  element.replaceChildren(root);
  return { ...parts, root };
}
