// The paths of all runs. They are drawn once for a view into a picture that keeps, in its depth,
// the step at which a path first comes through each pixel. To move the scrubber is then one pass
// over the pixels, however many runs there are.

import { createProgram } from "./gl.js";
import { createTable, drawQuads, QUADS } from "./quads.js";

const FARTHEST = 1e6; // spans of the view: as far as a diverging path is drawn

const VERTEX = `
${QUADS}
uniform sampler2D records;      // x, y, step, run
uniform int first;              // record of the first segment
uniform vec2 factor, shift;     // from positions to (-1, 1)
uniform vec2 pixels;            // half the size of the target
uniform float halfWidth;        // pixels
uniform float lastStep;
uniform int only;               // the run to draw, or -1 for all
uniform sampler2D styles;
out vec4 tint;
out float across, stepHere;
void main() {
  vec4 a = rowOf(records, first + quad()), b = rowOf(records, first + quad() + 1);
  int run = int(a.w);
  tint = rowOf(styles, run);
  bool isHidden = a.w != b.w || a.w < 0.0 || (only < 0 ? tint.a == 0.0 : run != only);
  vec2 from = a.xy * factor + shift, to = b.xy * factor + shift;
  vec2 along = (to - from) * pixels;
  float size = length(along);
  along = size > 1e-5 ? along / size : vec2(1.0, 0.0);
  bool isEnd = (corner() & 1) == 1;
  float side = corner() < 2 ? -1.0 : 1.0;
  vec2 offset = along * (isEnd ? halfWidth : -halfWidth) + vec2(-along.y, along.x) * side * halfWidth;
  vec2 position = (isEnd ? to : from) + offset / pixels;
  stepHere = isEnd ? b.z : a.z;
  across = side * halfWidth;
  float depth = clamp(stepHere / max(lastStep, 1.0), 0.0, 1.0) * 2.0 - 1.0;
  gl_Position = isHidden ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(position, depth * 0.999, 1.0);
}`;

const PICTURE = `
in vec4 tint;
in float across, stepHere;
out vec4 color;
void main() { color = vec4(tint.rgb, 1.0); }`;

// One run, on top: smooth at its sides; strong up to the step of the scrubber.
const ONE = `
uniform float now, halfWidth, strength;
uniform vec4 over; // a color instead of the run's own where its alpha is 1
in vec4 tint;
in float across, stepHere;
out vec4 color;
void main() {
  float inside = clamp(halfWidth - abs(across), 0.0, 1.0);
  float alpha = inside * strength * (stepHere <= now ? 1.0 : 0.3);
  color = vec4(mix(tint.rgb, over.rgb, over.a) * alpha, alpha);
}`;

// Returns the vertices of paths, Float32Array (4 · records): x, y, step, run. A record that is not
// finite gets the run -1, which breaks the line; one that is too far is brought nearer.
export function pathVertices(paths, span) {
  const count = paths.reduce((sum, { steps }) => sum + steps.length, 0);
  const vertices = new Float32Array(4 * count);
  const farthest = FARTHEST * span;
  let at = 0;
  paths.forEach(({ positions, steps }, run) => {
    for (let k = 0; k < steps.length; k++, at += 4) {
      const [x, y] = [positions[2 * k], positions[2 * k + 1]];
      const nearer = Math.min(1, farthest / Math.max(Math.abs(x), Math.abs(y), 1e-300));
      vertices[at] = x * nearer;
      vertices[at + 1] = y * nearer;
      vertices[at + 2] = steps[k];
      vertices[at + 3] = Number.isFinite(x) && Number.isFinite(y) ? run : -1;
    }
  });
  return vertices;
}

// Returns [factorX, factorY, shiftX, shiftY] that take positions relative to an origin to -1 … 1.
export function toClip(view, origin) {
  const factors = view.map(([low, high]) => 2 / (high - low));
  return [...factors, ...factors.map((factor, k) => (origin[k] - view[k][0]) * factor - 1)];
}

// Returns a set of paths on the graphics: `set` uploads them, `setStyles` gives RGBA (4 · runs) with
// alpha 0 for hidden runs, `drawAll` draws the picture, `drawOne` one of them on top.
export function createPaths(gl) {
  const picture = createProgram(gl, VERTEX, PICTURE);
  const one = createProgram(gl, VERTEX, ONE);
  const [records, styles] = [createTable(gl), createTable(gl)];
  let count = 0;
  let ranges = [];
  const use = (drawer, look, first) => {
    useLook(gl, drawer, look, first);
    records.use(drawer.at.records, 0);
    styles.use(drawer.at.styles, 1);
  };
  return {
    set(paths, span) {
      const vertices = pathVertices(paths, span);
      count = vertices.length / 4;
      let first = 0;
      ranges = paths.map(({ steps }) => [first, (first += steps.length)]);
      records.set(vertices);
    },
    setStyles: styles.set,
    drawAll(look) {
      if (count < 2) return;
      use(picture, look, 0);
      gl.enable(gl.DEPTH_TEST);
      gl.depthFunc(gl.LEQUAL);
      drawQuads(gl, count - 1);
      gl.disable(gl.DEPTH_TEST);
    },
    drawOne(look) {
      const [first, end] = ranges[look.only] ?? [0, 0];
      if (end - first < 2) return;
      use(one, look, first);
      useStrength(gl, one, look);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      drawQuads(gl, end - first - 1);
      gl.disable(gl.BLEND);
    },
  };
}

// Sets the uniforms of all segments for a program.
function useLook(gl, { program, at }, look, first) {
  gl.useProgram(program);
  gl.uniform1i(at.first, first);
  const [fx, fy, sx, sy] = look.clip;
  gl.uniform2f(at.factor, fx, fy);
  gl.uniform2f(at.shift, sx, sy);
  gl.uniform2f(at.pixels, look.width / 2, look.height / 2);
  gl.uniform1f(at.halfWidth, look.halfWidth);
  gl.uniform1f(at.lastStep, look.lastStep);
  gl.uniform1i(at.only, look.only ?? -1);
}

// Sets the uniforms of one run on top.
function useStrength(gl, { at }, { now, strength, over }) {
  gl.uniform1f(at.now, now);
  gl.uniform1f(at.strength, strength);
  gl.uniform4fv(at.over, over);
}
