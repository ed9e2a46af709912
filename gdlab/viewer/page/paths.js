// The paths of all runs. They are drawn once for a view into a picture that keeps, in its depth,
// the step at which a path first comes through each pixel. To move the scrubber is then one pass
// over the pixels, however many runs there are.

import { createProgram, createTexture, useTexture } from "./gl.js";

const COLUMNS = 1024; // of the texture that holds a color for each run
const FARTHEST = 1e6; // spans of the view: as far as a diverging path is drawn

const VERTEX = `
precision highp sampler2D;
layout(location = 0) in vec4 a; // x, y, step, run of the beginning of a segment
layout(location = 1) in vec4 b; // and of its end
uniform vec2 factor, shift;     // from positions to (-1, 1)
uniform vec2 pixels;            // half the size of the target
uniform float halfWidth;        // pixels
uniform float lastStep;
uniform int only;               // the run to draw, or -1 for all
uniform sampler2D styles;
out vec4 tint;
out float across, stepHere;
void main() {
  int run = int(a.w);
  tint = texelFetch(styles, ivec2(run % ${COLUMNS}, run / ${COLUMNS}), 0);
  bool isHidden = a.w != b.w || a.w < 0.0 || (only < 0 ? tint.a == 0.0 : run != only);
  vec2 from = a.xy * factor + shift, to = b.xy * factor + shift;
  vec2 along = (to - from) * pixels;
  float size = length(along);
  along = size > 1e-5 ? along / size : vec2(1.0, 0.0);
  bool isEnd = (gl_VertexID & 1) == 1;
  float side = gl_VertexID < 2 ? -1.0 : 1.0;
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
  const styles = createTexture(gl);
  const buffer = gl.createBuffer();
  const layout = gl.createVertexArray();
  describeSegments(gl, layout, buffer);
  let count = 0;
  let ranges = [];
  const use = (drawer, look) => {
    useLook(gl, drawer, look, styles);
    gl.bindVertexArray(layout);
  };
  return {
    set(paths, span) {
      const vertices = pathVertices(paths, span);
      count = vertices.length / 4;
      let first = 0;
      ranges = paths.map(({ steps }) => [first, (first += steps.length)]);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, vertices, gl.STATIC_DRAW);
    },
    setStyles: (colors) => uploadStyles(gl, styles, colors),
    drawAll(look) {
      if (count < 2) return;
      use(picture, look);
      pointSegments(gl, buffer, 0);
      gl.enable(gl.DEPTH_TEST);
      gl.depthFunc(gl.LEQUAL);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count - 1);
      gl.disable(gl.DEPTH_TEST);
    },
    drawOne(look) {
      const [first, end] = ranges[look.only] ?? [0, 0];
      if (end - first < 2) return;
      use(one, look);
      useStrength(gl, one, look);
      pointSegments(gl, buffer, first);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, end - first - 1);
      gl.disable(gl.BLEND);
    },
  };
}

// Sets the uniforms of all segments for a program.
function useLook(gl, { program, at }, look, styles) {
  gl.useProgram(program);
  useTexture(gl, at.styles, 0, styles);
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

function describeSegments(gl, layout, buffer) {
  gl.bindVertexArray(layout);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  for (const location of [0, 1]) {
    gl.enableVertexAttribArray(location);
    gl.vertexAttribDivisor(location, 1);
  }
}

// Lets the segments begin at a record: its end is the record after it in the same buffer.
function pointSegments(gl, buffer, first) {
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.vertexAttribPointer(0, 4, gl.FLOAT, false, 16, 16 * first);
  gl.vertexAttribPointer(1, 4, gl.FLOAT, false, 16, 16 * (first + 1));
}

function uploadStyles(gl, texture, colors) {
  const rows = Math.max(1, Math.ceil(colors.length / 4 / COLUMNS));
  const texels = new Uint8Array(4 * COLUMNS * rows);
  texels.set(colors);
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  const { TEXTURE_2D, RGBA, UNSIGNED_BYTE } = gl;
  gl.texImage2D(TEXTURE_2D, 0, gl.RGBA8, COLUMNS, rows, 0, RGBA, UNSIGNED_BYTE, texels);
}
