// What a reader should know about what is shown: damaged runs, a landscape that is missing, errors.

import { el } from "./dom.js";

// Shows the notes of the catalogue and of the scene, and the status line.
export function mountNotes(parent, store) {
  const status = el("p", { class: "status" });
  const list = el("ul");
  parent.append(status, list);
  store.on(["status", "scene", "catalogue"], ({ status: text, scene, catalogue }) => {
    status.textContent = text;
    status.hidden = text === "";
    const lines = new Set([...(scene?.notes ?? []), ...(catalogue?.notes ?? [])]);
    if (scene?.plane.note) lines.add(scene.plane.note);
    if (scene && !scene.problem.has_landscape && scene.problem.why) lines.add(scene.problem.why);
    list.replaceChildren(...[...lines].map((line) => el("li", { text: line })));
    parent.hidden = text === "" && lines.size === 0;
  });
}
