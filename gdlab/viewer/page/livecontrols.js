// The controls of the live bench: optimizer, learning rate, steps, start, and the fields of the
// optimizer and of the loss.

import { choice, el } from "./dom.js";
import { lrField, positionOfValue, positionsOf, valueOfPosition, withChange } from "./livequery.js";
import { short } from "./numbers.js";
import { named, segments, slider } from "./segments.js";

const FEWEST_STEPS = 10;
const MANY = 4; // fields of an optimizer: from so many on those that are rarely moved are folded

// Builds the controls inside an element from the message `choices`. Returns {show}, which sets them
// to what the state has.
export function buildControls(parent, store, choices) {
  const patch = (changes) => store.set({ live: { ...store.get().live, ...changes } });
  const optimizer = choice("Optimizer", namesOf(choices), "", (name) => {
    const { lr } = choices.optimizers.find((each) => each.name === name);
    patch({ optimizer: name, lr: lr.value, fields: {} });
  });
  const steps = stepsSlider(choices, (value) => patch({ steps: value }));
  const start = startInputs(store, patch);
  const loss = choices.loss.map((field) =>
    fieldControl(field, `loss.${field.name}`, (value) => {
      const changes = store.get().live.loss;
      patch({
        loss: withChange(changes, `loss.${field.name}`, String(value), String(field.value)),
      });
    }),
  );
  const ofOptimizer = el("div", { class: "sliders" });
  const common = el("div", { class: "sliders" }, [steps.element, start.element]);
  const ofLoss = el(
    "div",
    { class: "sliders" },
    loss.map(({ element }) => element),
  );
  parent.replaceChildren(optimizer.element, ofOptimizer, common, ofLoss);
  let built = { name: null };
  const show = (state) => {
    const { live } = state;
    if (built.name !== live.optimizer)
      built = buildFields(ofOptimizer, store, choices, live.optimizer, patch);
    optimizer.select.value = live.optimizer;
    built.show(live);
    steps.show(live.steps);
    start.show(state);
    loss.forEach((control, k) => {
      const { name, value } = choices.loss[k];
      control.show(parsed(live.loss?.[`loss.${name}`], value));
    });
  };
  return { show };
}

// Returns the names of the optimizers as the options of a choice.
function namesOf({ optimizers }) {
  return optimizers.map(({ name }) => ({ key: name, label: name }));
}

// Returns the value that a text stands for, of the kind of another value; that one without a text.
function parsed(text, usual) {
  if (text === undefined) return usual;
  if (typeof usual === "number") return Number(text);
  return typeof usual === "boolean" ? text === "true" : text;
}

// Builds the controls of an optimizer: lr, the fields that are tuned, and folded the others.
function buildFields(parent, store, choices, name, patch) {
  const chosen = choices.optimizers.find((each) => each.name === name);
  if (chosen === undefined) return { name: null, show: () => {} };
  const lr = fieldControl(lrField(chosen.lr), "lr", (value) => patch({ lr: value }));
  const fields = chosen.fields.map((field) =>
    fieldControl(field, field.name, (value) => {
      const changes = withChange(store.get().live.fields, field.name, value, field.value);
      patch({ fields: changes ?? {} });
    }),
  );
  const isOpen = (field) => field.tuned || chosen.fields.length < MANY;
  const elements = (test) =>
    fields.filter((_, k) => test(chosen.fields[k])).map((made) => made.element);
  const rest = elements((field) => !isOpen(field));
  const folded = el("details", {}, [el("summary", { text: "More settings" }), ...rest]);
  parent.replaceChildren(lr.element, ...elements(isOpen), ...(rest.length > 0 ? [folded] : []));
  const show = (live) => {
    lr.show(live.lr);
    fields.forEach((control, k) =>
      control.show(live.fields[chosen.fields[k].name] ?? chosen.fields[k].value),
    );
  };
  return { name, show };
}

// Returns {element, show} of the control of a field: buttons for words, a slider for a number.
function fieldControl(field, label, changed) {
  if (field.scale === "choice") {
    const options = field.values.map((value) => ({
      key: JSON.stringify(value),
      label: String(value),
    }));
    const made = segments(label, options, (key) => changed(JSON.parse(key)));
    return {
      element: named(label, made.element),
      show: (value) => made.show(JSON.stringify(value)),
    };
  }
  let exact = null; // a value that no position has, as another control may set
  const at = (position) => valueOfPosition(field, position);
  const text = (position) => short(exact ?? at(position), 3);
  const made = slider(label, positionsOf(field), text, (position) => {
    exact = null;
    changed(at(position));
  });
  const show = (value) => {
    exact = value;
    made.show(positionOfValue(field, value));
    exact = null;
  };
  return { element: made.element, show };
}

// Returns {element, show} of the slider of the most steps.
function stepsSlider({ most_steps: most }, changed) {
  const field = { name: "steps", low: FEWEST_STEPS, high: most, value: most, scale: "log" };
  return fieldControl(field, "steps", (value) => changed(Math.round(value)));
}

// Returns {element, show} of the coordinates of the start, to type: what a click on the landscape
// sets.
function startInputs(store, patch) {
  const inputs = [0, 1].map((k) => {
    const change = () => {
      const { live } = store.get();
      const value = inputs[k].valueAsNumber;
      if (Number.isFinite(value)) patch({ start: live.start.with(k, value) });
    };
    return el("input", { type: "number", step: "any", on: { change } });
  });
  const pair = el("div", { class: "pair" }, inputs);
  const show = ({ live, scene }) => {
    inputs.forEach((input, k) => {
      input.hidden = k >= scene.plane.labels.length || (scene.plane.kind === "line" && k > 0);
      input.setAttribute("aria-label", `start, ${scene.plane.labels[k] ?? ""}`);
      const value = live.start?.[k];
      if (value !== undefined && document.activeElement !== input)
        input.value = String(Number(value.toPrecision(6)));
    });
  };
  return { element: named("start", pair), show };
}
