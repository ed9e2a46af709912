// The loss and its derivatives at the point under the cursor, asked of the server while one moves.

import { short } from "./numbers.js";
import { latestOnly } from "./livequery.js";

// Asks for the point under the cursor while the live bench is on or the field is shown, puts the
// answer into the store, and writes it into an element.
export function mountPoint(output, store, source) {
  const ask = latestOnly({
    ask: ({ at, ...rest }, signal) => source.ask("point", { ...rest, at: at.join(",") }, signal),
    told: (answer, { at }) => store.set({ point: { ...answer, at } }),
    failed: () => store.set({ point: null }),
  });
  store.on(["cursor"], (state) => {
    const { cursor, scene, problem, plane, live, showField } = state;
    const isWanted = cursor !== null && scene.problem.has_landscape && (live.on || showField);
    if (!isWanted) return ask(null);
    const at = scene.plane.kind === "line" ? cursor.at.slice(0, 1) : cursor.at;
    return ask({ problem, plane, at, ...(live.on ? live.loss : null) });
  });
  store.on(["point", "cursor"], ({ point, cursor, scene }) => {
    output.textContent =
      cursor === null || point === null ? "" : pointText(point, scene.plane.labels);
  });
}

// Returns the partial derivatives at a point and the eigenvalues of its Hessian, in one line.
export function pointText({ gradient, eigenvalues }, labels) {
  const partials = gradient.map((value, k) => `∂f/∂${labels[k]} = ${short(value, 3)}`);
  const curvature = eigenvalues
    ? [`λ = ${eigenvalues.map((value) => short(value, 3)).join(", ")}`]
    : [];
  return [...partials, ...curvature].join(" · ");
}
