// Controls that the panels share: radio buttons side by side, and sliders with a name and a value.

import { el } from "./dom.js";

// Returns {element, show} of radio buttons for options [{key, label, title}]; `changed` is called
// with the key chosen, show(key) presses one.
export function segments(label, options, changed) {
  const name = `segments-${Math.random().toString(36).slice(2)}`; // own to each viewer of a page
  const inputs = options.map(({ key }) => {
    const change = () => changed(key);
    return el("input", { type: "radio", name, value: key, on: { change } });
  });
  const labels = options.map((option, k) => {
    return el("label", { title: option.title }, [inputs[k], el("span", { text: option.label })]);
  });
  const element = el("div", { class: "segments", role: "radiogroup", "aria-label": label }, labels);
  const show = (key) => inputs.forEach((input) => (input.checked = input.value === key));
  return { element, show };
}

// Returns {element, show} of a slider with `count` + 1 positions: `changed` is called with the
// position chosen, textAt(position) says it in words, show(position) moves it.
export function slider(label, count, textAt, changed) {
  const number = el("output", { class: "number", "aria-live": "off" });
  const attributes = { type: "range", min: 0, max: count, step: 1, "aria-label": label };
  const input = el("input", attributes);
  const say = (position) => {
    number.textContent = textAt(position);
    input.setAttribute("aria-valuetext", number.textContent);
  };
  input.addEventListener("input", () => {
    say(Number(input.value));
    changed(Number(input.value));
  });
  const show = (position) => {
    input.value = String(position);
    say(position);
  };
  const name = el("span", { class: "axis-name", text: label });
  return { element: el("label", { class: "slider" }, [name, input, number]), input, show };
}

// Returns a control in a row with its name, as sliders are.
export function named(label, element) {
  return el("div", { class: "slider" }, [el("span", { class: "axis-name", text: label }), element]);
}
