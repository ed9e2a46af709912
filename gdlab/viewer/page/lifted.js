// Paths on the surface in 3-D, as bands of a constant width on the screen.

import { palette, rgbOf } from "./colors.js";
import { createProgram } from "./gl.js";
import { createTable, drawQuads, QUADS } from "./quads.js";
import { liftedPaths } from "./relief.js";
import { cachedPositions, originOf } from "./scenes.js";

const ROWS = 2; // of the table for each vertex: x, y, height, step; and run

const VERTEX = `
${QUADS}
uniform sampler2D vertices;
uniform mat4 matrix;
uniform vec2 pixels; // half the size of the target
uniform float halfWidth;
uniform sampler2D styles;
out vec4 tint;
out float stepHere;
void main() {
  int at = ${ROWS} * quad();
  vec4 a = rowOf(vertices, at), b = rowOf(vertices, at + ${ROWS});
  float runA = rowOf(vertices, at + 1).x, runB = rowOf(vertices, at + 1 + ${ROWS}).x;
  vec4 from = matrix * vec4(a.xyz, 1.0), to = matrix * vec4(b.xyz, 1.0);
  vec2 along = (to.xy / to.w - from.xy / from.w) * pixels;
  float size = length(along);
  along = size > 1e-5 ? along / size : vec2(1.0, 0.0);
  bool isEnd = (corner() & 1) == 1;
  tint = rowOf(styles, int(runA));
  float wide = halfWidth * (tint.a > 0.75 ? 2.0 : 1.0);
  vec2 offset = along * (isEnd ? 0.5 : -0.5)
    + vec2(-along.y, along.x) * (corner() < 2 ? -wide : wide);
  vec4 position = isEnd ? to : from;
  stepHere = isEnd ? b.w : a.w;
  bool isHidden = runA != runB || runA < 0.0;
  gl_Position = isHidden ? vec4(2, 2, 2, 1)
    : position + vec4(offset / pixels * position.w, -0.002 * position.w, 0.0);
}`;

const FRAGMENT = `
uniform float now;
in vec4 tint;
in float stepHere;
out vec4 color;
void main() {
  float alpha = tint.a * (stepHere <= now ? 1.0 : 0.25);
  color = vec4(tint.rgb * alpha, alpha);
}`;

// Returns the paths of a state on its relief: `set` works them out, `draw` draws them.
export function createLifted(gl) {
  const { program, at } = createProgram(gl, VERTEX, FRAGMENT);
  const [vertices, styles] = [createTable(gl), createTable(gl)];
  let count = 0;
  return {
    set(relief, state) {
      const numbers = liftedPaths(relief, pathsOf(state), originOf(state.scene));
      count = numbers.length / (4 * ROWS);
      vertices.set(numbers);
    },
    draw(state, matrix, pixels, scale) {
      if (count < 2) return;
      styles.set(tintsOf(state));
      gl.useProgram(program);
      vertices.use(at.vertices, 0);
      styles.use(at.styles, 1);
      gl.uniformMatrix4fv(at.matrix, false, matrix);
      gl.uniform2f(at.pixels, pixels[0] / 2, pixels[1] / 2);
      gl.uniform1f(at.halfWidth, (state.drawn.length > 150 ? 0.6 : 1) * scale);
      gl.uniform1f(at.now, state.step);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.depthMask(false);
      drawQuads(gl, count - 1);
      gl.depthMask(true);
      gl.disable(gl.BLEND);
    },
  };
}

// Returns [run, positions, steps] of the runs that are drawn, those that are chosen among them, and
// the live one as the number after all.
function pathsOf({ scene, drawn, followed, full, live }) {
  const runs = followed === null || drawn.includes(followed) ? drawn : [...drawn, followed];
  const path = (index, run) => [index, cachedPositions(scene, run), run.step.values];
  const shown = runs.map((index) => path(index, full?.index === index ? full.run : scene.runs[index]));
  return live.run ? [...shown, path(scene.runs.length, live.run)] : shown;
}

// Returns RGBA (4 · (runs + 1)): those that are followed, hovered or live are opaque and wide.
function tintsOf({ scene, colors, followed, hovered, live, dark }) {
  const tints = new Uint8Array(4 * (scene.runs.length + 1));
  const isQuiet = followed !== null || live.run;
  colors.forEach((color, run) => {
    const isChosen = run === followed || run === hovered;
    tints.set([...rgbOf(color), isChosen ? 255 : isQuiet ? 90 : 180], 4 * run);
  });
  tints.set([...rgbOf(palette(dark).accent), 255], 4 * scene.runs.length);
  return tints;
}
