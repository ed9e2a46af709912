// Time: play and pause, speed, and the scrubber that moves all runs in step.

import { choice, el } from "./dom.js";
import { clamp } from "./numbers.js";

const SPEEDS = ["0.25", "0.5", "1", "2", "4"];

// Returns the seconds that all steps take at speed 1.
export function secondsOf(lastStep) {
  return clamp(lastStep / 30, 3, 12);
}

// Returns {toggle, stepBy, goTo} over the store.
export function timeActions(store) {
  const goTo = (step) => store.set({ playing: false, step: clamp(step, 0, store.get().lastStep) });
  const stepBy = (count) => {
    const { step } = store.get();
    goTo(count > 0 ? Math.floor(step + count) : Math.ceil(step + count));
  };
  const toggle = () => {
    const { playing, step, lastStep } = store.get();
    if (lastStep === 0) return;
    store.set({ playing: !playing, step: !playing && step >= lastStep ? 0 : step });
  };
  return { toggle, stepBy, goTo };
}

// Mounts the buttons, the scrubber, the step and the speed.
export function mountTransport(parent, store, { toggle, stepBy, goTo }) {
  const play = button("▶", "Play (space)", toggle);
  const back = button("‹", "One step back (←)", () => stepBy(-1));
  const next = button("›", "One step on (→)", () => stepBy(1));
  const scrubber = el("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Step" });
  const label = el("output", { class: "step number" });
  const speed = choice("Speed", SPEEDS.map((key) => ({ key, label: `${key}×` })), "1", (key) =>
    store.set({ speed: Number(key) }),
  );
  scrubber.addEventListener("input", () => goTo(Number(scrubber.value)));
  parent.append(play, back, next, scrubber, label, speed.element);
  store.on(["step", "lastStep", "playing", "scene"], ({ step, lastStep, playing, scene }) => {
    scrubber.max = String(lastStep);
    scrubber.value = String(Math.floor(step));
    label.textContent = `step ${Math.floor(step)} / ${lastStep}`;
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    for (const control of [play, back, next, scrubber]) control.disabled = !scene || lastStep === 0;
  });
  runTime(store);
}

function button(text, title, pressed) {
  const element = el("button", { type: "button", title, text, "aria-label": title });
  element.addEventListener("click", pressed);
  return element;
}

// Moves the step on in each frame while the state says that time runs.
function runTime(store) {
  let before = null;
  const tick = (time) => {
    const { playing, step, lastStep, speed } = store.get();
    if (!playing) return;
    const seconds = before === null ? 0 : Math.min((time - before) / 1000, 0.25);
    before = time;
    const next = step + (seconds * speed * lastStep) / secondsOf(lastStep);
    store.set({ step: Math.min(next, lastStep), playing: next < lastStep });
    requestAnimationFrame(tick);
  };
  store.on(["playing"], ({ playing }) => {
    before = null;
    if (playing) requestAnimationFrame(tick);
  });
}
