// What a reader should know about what is shown: damaged runs, a landscape that is missing.

import { el } from "./dom.js";

// Returns the notes of a state, one line each: those of the scene and of the catalogue.
export function notesOf({ scene, catalogue }) {
  const lines = new Set([...(scene?.notes ?? []), ...(catalogue?.notes ?? [])]);
  if (scene?.plane.note) lines.add(scene.plane.note);
  if (scene && !scene.problem.has_landscape && scene.problem.why) lines.add(`no landscape: ${scene.problem.why}`);
  return [...lines];
}

// Shows the notes; the bar says how many there are.
export function mountNotes(parent, store) {
  const list = el("ul");
  parent.append(list);
  store.on(["scene", "catalogue"], (state) => {
    const lines = notesOf(state);
    list.replaceChildren(...lines.map((line) => el("li", { text: line })));
    parent.hidden = lines.length === 0;
  });
}
