// Canvases that lie on each other in one box, each drawn anew on its own, and what charts share.

import { drawingOn, el, fitCanvas } from "./dom.js";

const FONT = "system-ui, sans-serif";

// Adds a box with canvases, the first at the bottom, to `parent`. `onResize` is called when its
// size changes. Returns {box, size, clear}: `size` is {width, height} in CSS pixels, and
// clear(name) empties a canvas and returns its 2-D context, whose unit is a CSS pixel.
export function stackCanvases(parent, names, onResize) {
  const canvases = new Map(names.map((name) => [name, layerCanvas(name)]));
  const box = el("div", { class: "layers" }, [...canvases.values()]);
  parent.append(box);
  const stack = {
    box,
    size: { width: 0, height: 0 },
    clear: (name) => cleared(canvases.get(name)),
  };
  new ResizeObserver(() => {
    stack.size = { width: box.clientWidth, height: box.clientHeight };
    const { width, height } = stack.size;
    for (const canvas of canvases.values())
      fitCanvas(canvas, width, height, window.devicePixelRatio);
    if (width > 0 && height > 0) onResize();
  }).observe(box);
  return stack;
}

// Returns one canvas; what it shows is said in words elsewhere.
function layerCanvas(name) {
  return el("canvas", { class: `layer-${name}`, "aria-hidden": "true" });
}

// Empties a canvas and returns its context.
function cleared(canvas) {
  const context = drawingOn(canvas);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalAlpha = 1;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.scale(window.devicePixelRatio, window.devicePixelRatio);
  return context;
}

// Writes a short text at a pixel; with `halo`, the color of the page, lines do not cross it.
export function drawWords(
  context,
  text,
  [x, y],
  { color, halo, align = "left", size = 11, italic = false },
) {
  context.font = `${italic ? "italic " : ""}${size}px ${FONT}`;
  context.textAlign = align;
  context.textBaseline = "middle";
  if (halo) {
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = halo;
    context.strokeText(text, x, y);
  }
  context.fillStyle = color;
  context.fillText(text, x, y);
}

// Draws the axes of a chart: hairlines at the ticks of y, short ticks of x, their texts, and the
// name of x. `frame` is {left, right, top, bottom} in pixels; x and y are as axisOf returns them.
export function drawAxes(context, frame, x, y, label, colors) {
  context.lineWidth = 1;
  for (const { value, text } of y.ticks) {
    const at = Math.round(y.scale(value)) + 0.5;
    drawLine(context, [frame.left, at], [frame.right, at], colors.line);
    drawWords(context, text, [frame.left - 7, at], { color: colors.soft, align: "right" });
  }
  const base = Math.round(frame.bottom) + 0.5;
  drawLine(context, [frame.left, base], [frame.right, base], colors.soft);
  for (const { value, text } of x.ticks) {
    const at = Math.round(x.scale(value)) + 0.5;
    drawLine(context, [at, base], [at, base + 4], colors.soft);
    drawWords(context, text, [at, base + 13], { color: colors.soft, align: "center" });
  }
  const place = [frame.right, base + 29];
  drawWords(context, label, place, { color: colors.soft, align: "right", italic: true, size: 12 });
}

// Strokes a straight line between two pixels.
export function drawLine(context, [x0, y0], [x1, y1], color, dash = []) {
  context.setLineDash(dash);
  context.strokeStyle = color;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.setLineDash([]);
}

// Draws the mark of an end at a pixel: a cross for what is lost, else a disc with a rim in `halo`.
export function drawEnd(context, [x, y], isCross, { color, halo, radius = 3.5 }) {
  if (isCross) {
    context.lineWidth = 1.6;
    drawLine(context, [x - radius, y - radius], [x + radius, y + radius], color);
    drawLine(context, [x - radius, y + radius], [x + radius, y - radius], color);
    return;
  }
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = color;
  context.fill();
  context.lineWidth = 1;
  context.strokeStyle = halo;
  context.stroke();
}

// Narrows a context to a frame until its next restore().
export function clipTo(context, { left, right, top, bottom }, beyond = 0) {
  context.save();
  context.beginPath();
  context.rect(left - beyond, top - beyond, right - left + 2 * beyond, bottom - top + 2 * beyond);
  context.clip();
}
