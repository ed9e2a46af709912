// Paths on the surface in 3-D, as bands of a constant width on the screen.

import { palette, rgbOf } from "./colors.js";
import { createProgram, createTexture, useTexture } from "./gl.js";
import { liftedPaths } from "./relief.js";
import { cachedPositions, originOf } from "./scenes.js";

const FLOATS = 5; // x, y, height, step, run

const VERTEX = `
precision highp sampler2D;
layout(location = 0) in vec4 a; // x, y, height, step of the beginning of a piece
layout(location = 1) in vec4 b; // and of its end
layout(location = 2) in float runA;
layout(location = 3) in float runB;
uniform mat4 matrix;
uniform vec2 pixels; // half the size of the target
uniform float halfWidth;
uniform sampler2D styles;
out vec4 tint;
out float stepHere;
void main() {
  vec4 from = matrix * vec4(a.xyz, 1.0), to = matrix * vec4(b.xyz, 1.0);
  vec2 along = (to.xy / to.w - from.xy / from.w) * pixels;
  float size = length(along);
  along = size > 1e-5 ? along / size : vec2(1.0, 0.0);
  bool isEnd = (gl_VertexID & 1) == 1;
  tint = texelFetch(styles, ivec2(int(runA) % 1024, int(runA) / 1024), 0);
  float wide = halfWidth * (tint.a > 0.75 ? 2.0 : 1.0);
  vec2 offset = along * (isEnd ? 0.5 : -0.5)
    + vec2(-along.y, along.x) * (gl_VertexID < 2 ? -wide : wide);
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
  const buffer = gl.createBuffer();
  const layout = gl.createVertexArray();
  const styles = createTexture(gl);
  let count = 0;
  gl.bindVertexArray(layout);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  [[0, 4, 0], [1, 4, FLOATS], [2, 1, 4], [3, 1, FLOATS + 4]].forEach(([location, size, first]) => {
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, gl.FLOAT, false, 4 * FLOATS, 4 * first);
    gl.vertexAttribDivisor(location, 1);
  });
  return {
    set(relief, state) {
      const vertices = liftedPaths(relief, pathsOf(state), originOf(state.scene));
      count = vertices.length / FLOATS;
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.bufferData(gl.ARRAY_BUFFER, vertices, gl.STATIC_DRAW);
    },
    draw(state, matrix, pixels, scale) {
      if (count < 2) return;
      gl.useProgram(program);
      uploadTints(gl, styles, state);
      useTexture(gl, at.styles, 0, styles);
      gl.uniformMatrix4fv(at.matrix, false, matrix);
      gl.uniform2f(at.pixels, pixels[0] / 2, pixels[1] / 2);
      gl.uniform1f(at.halfWidth, (state.runs.length > 150 ? 0.6 : 1) * scale);
      gl.uniform1f(at.now, state.step);
      gl.bindVertexArray(layout);
      gl.enable(gl.BLEND);
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.depthMask(false);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count - 1);
      gl.depthMask(true);
      gl.disable(gl.BLEND);
    },
  };
}

// Returns [run, positions, steps] of the runs that are shown, the live one as the number after all.
function pathsOf({ scene, runs, full, live }) {
  const path = (index, run) => [index, cachedPositions(scene, run), run.step.values];
  const shown = runs.map((index) => path(index, full?.index === index ? full.run : scene.runs[index]));
  return live.run ? [...shown, path(scene.runs.length, live.run)] : shown;
}

// Uploads a color for each run: those that are followed, hovered or live are opaque and wide.
function uploadTints(gl, texture, { scene, colors, followed, hovered, live, dark }) {
  const rows = Math.ceil((scene.runs.length + 1) / 1024);
  const texels = new Uint8Array(4 * 1024 * rows);
  const isQuiet = followed !== null || live.run;
  colors.forEach((color, run) => {
    const isChosen = run === followed || run === hovered;
    texels.set([...rgbOf(color), isChosen ? 255 : isQuiet ? 90 : 180], 4 * run);
  });
  texels.set([...rgbOf(palette(dark).accent), 255], 4 * scene.runs.length);
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  const { TEXTURE_2D, RGBA, UNSIGNED_BYTE } = gl;
  gl.texImage2D(TEXTURE_2D, 0, gl.RGBA8, 1024, rows, 0, RGBA, UNSIGNED_BYTE, texels);
}
