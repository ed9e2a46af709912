// Small helpers to build the page. Text is always set as text, never as HTML.

// Returns a new element. Of the attributes, `on` is {event: listener}, `text` its text, true an
// attribute without a value, and false, null or undefined none. Children are elements or strings.
export function el(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, listener);
      }
    } else if (name === "text") {
      element.textContent = value;
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...[children].flat());
  return element;
}

// Returns a labelled <select> whose options are [{key, label}].
export function choice(label, options, value, changed) {
  const select = el("select", { on: { change: () => changed(select.value) } });
  setOptions(select, options, value);
  const element = el("label", { class: "field" }, [el("span", { text: label }), select]);
  return { element, select };
}

// Replaces the options of a <select> by [{key, label}], with one of them chosen.
export function setOptions(select, options, value) {
  select.replaceChildren(
    ...options.map(({ key, label }) => el("option", { value: key, text: label })),
  );
  select.value = value;
}

// Returns a button that stays pressed: `set(bool)` says whether it is.
export function toggle(text, title, changed) {
  const element = el("button", { type: "button", class: "toggle", title, text });
  const set = (on) => element.setAttribute("aria-pressed", String(on));
  element.addEventListener("click", () => changed(element.getAttribute("aria-pressed") !== "true"));
  set(false);
  return { element, set };
}

// Returns where a pointer is in what it points at, [left, top] in pixels.
export function here(event) {
  return [event.offsetX, event.offsetY];
}

// Fits a canvas to its box on the screen; returns whether its size in pixels changed.
export function fitCanvas(canvas, width, height, ratio) {
  const [columns, rows] = [Math.max(1, Math.round(width * ratio)), Math.round(height * ratio)];
  if (canvas.width === columns && canvas.height === Math.max(1, rows)) return false;
  canvas.width = columns;
  canvas.height = Math.max(1, rows);
  return true;
}

// Returns the 2-D context of a canvas. It is drawn by the processor, as if its pixels were to be
// read: where WebGL is drawn by software, so are other canvases, and lines take ten times as long.
export function drawingOn(canvas) {
  return canvas.getContext("2d", { willReadFrequently: true });
}

// Returns a function that calls `draw` once in the next frame, however often it was called.
export function eachFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame((time) => {
      waiting = false;
      draw(time);
    });
  };
}

// Returns a function that calls `work` at once, or where that was less than so many milliseconds
// ago, when they are over.
export function atMostEvery(milliseconds, work) {
  let [timer, last] = [null, -Infinity];
  const now = () => {
    [timer, last] = [null, performance.now()];
    work();
  };
  return () => {
    const wait = last + milliseconds - performance.now();
    if (wait <= 0) now();
    else timer ??= setTimeout(now, wait);
  };
}
