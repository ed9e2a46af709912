// Which runs are listed, and what colors them: a text, and chips for the values of each setting.

import { settingColors } from "./colors.js";
import { choice, el, setOptions } from "./dom.js";
import { short } from "./numbers.js";

const MOST_CHIPS = 12; // of a setting, before the rest is folded away

// Returns a value of a setting as text.
export function settingText(value) {
  return typeof value === "number" ? short(value, 6) : String(value);
}

// Returns {setting: [values]} after a value was switched; none chosen means all pass.
export function switched(filterSettings, name, value) {
  const values = filterSettings[name] ?? [];
  const next = values.includes(value) ? values.filter((each) => each !== value) : [...values, value];
  const { [name]: _, ...others } = filterSettings;
  return next.length > 0 ? { ...others, [name]: next } : others;
}

// Mounts the text field, the chooser of colors and the chips. Returns the text field.
export function mountFilters(parent, store) {
  const text = el("input", {
    type: "search",
    placeholder: "Filter: adam lr=0.01",
    "aria-label": "Filter runs by text",
    title: "Words of the name, or setting=value (/)",
  });
  text.addEventListener("input", () => store.set({ filterText: text.value }));
  const color = choice("Color by", [], "run", (key) => store.set({ colorBy: key }));
  const chips = el("div", { class: "axes" });
  parent.append(text, color.element, chips);
  store.on(["scene"], ({ scene, filterText, colorBy }) => {
    const names = scene.axes.map(({ name, label }) => ({ key: name, label: label ?? name }));
    setOptions(color.select, [{ key: "run", label: "run" }, ...names], colorBy);
    text.value = filterText;
  });
  store.on(["colorBy"], ({ colorBy }) => (color.select.value = colorBy));
  store.on(["scene", "filterSettings", "colorBy", "dark"], (state) => {
    if (state.scene) chips.replaceChildren(...state.scene.axes.map((axis) => chipsOf(axis, state, store)));
  });
  return text;
}

// Returns the chips of a setting, with their colors where it colors the runs.
function chipsOf(axis, { colorBy, dark, filterSettings }, store) {
  const colors = axis.name === colorBy ? settingColors(axis, dark) : null;
  const chosen = filterSettings[axis.name] ?? [];
  const chip = (value) => {
    const button = el("button", { type: "button", class: "chip number" });
    if (colors) {
      const swatch = el("span", { class: "swatch" });
      swatch.style.background = colors.get(value);
      button.append(swatch);
    }
    button.append(settingText(value));
    button.setAttribute("aria-pressed", String(chosen.includes(value)));
    button.setAttribute("aria-label", `${axis.label ?? axis.name} ${settingText(value)}`);
    button.addEventListener("click", () =>
      store.set({ filterSettings: switched(store.get().filterSettings, axis.name, value) }),
    );
    return button;
  };
  const first = axis.values.slice(0, MOST_CHIPS).map(chip);
  const rest = axis.values.slice(MOST_CHIPS);
  const row = el("div", { class: "chips" }, first);
  const more = foldedChips(rest, chip, chosen);
  return el("fieldset", {}, [el("legend", { text: axis.label ?? axis.name }), row, ...more]);
}

function foldedChips(values, chip, chosen) {
  if (values.length === 0) return [];
  const summary = el("summary", { text: `${values.length} more` });
  const open = values.some((value) => chosen.includes(value));
  const row = el("div", { class: "chips scrolled" }, values.map(chip));
  return [el("details", { open }, [summary, row])];
}
