// The landscape of a loss of one variable: its curve, with what lies below it shaded.

import { createProgram, createTexture, drawEverywhere, EVERYWHERE, useTexture } from "./gl.js";

const FRAGMENT = `
precision highp sampler2D;
uniform sampler2D grid;
uniform vec2 window; // sample at place 0, samples across
uniform vec2 heights; // value, less the base, at place 0, and across
uniform float last, lineWidth, tall;
uniform vec3 flatColor, fillColor, lineColor;
in vec2 place;
out vec4 color;

float texel(float at) { return texelFetch(grid, ivec2(int(clamp(at, 0.0, last)), 0), 0).r; }

void main() {
  float at = window.x + place.x * window.y;
  float first = min(floor(at), last - 1.0);
  float value = mix(texel(first), texel(first + 1.0), at - first);
  float above = ((value - heights.x) / heights.y - place.y) * tall; // pixels below the curve
  float slope = dFdx(above);
  float apart = abs(above) / sqrt(1.0 + slope * slope);
  vec3 shown = mix(flatColor, fillColor, clamp(above + 0.5, 0.0, 1.0));
  float line = 1.0 - smoothstep(0.4 * lineWidth, 0.4 * lineWidth + 1.0, apart);
  bool isOutside = at < 0.0 || at > last || value > 1e37;
  color = vec4(isOutside ? flatColor : mix(shown, lineColor, line), 1.0);
}`;

// Returns what draws the curve into the bound target: `setGrid` takes a grid of one dimension or
// null, `draw` a view, whose second range is of the loss, and the height of the target in pixels.
export function createCurve(gl) {
  const { program, at } = createProgram(gl, EVERYWHERE, FRAGMENT);
  const texture = createTexture(gl);
  let grid = null;
  return {
    setGrid(next) {
      grid = next?.shape.length === 1 ? next : null;
      if (!grid) return;
      const values = Float32Array.from(grid.values.values, (value) => (value < 1e37 ? value : 3e38));
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      const { TEXTURE_2D, RED, FLOAT } = gl;
      gl.texImage2D(TEXTURE_2D, 0, gl.R32F, values.length, 1, 0, RED, FLOAT, values);
    },
    draw([[xlow, xhigh], [ylow, yhigh]], colors, lineWidth, tall) {
      if (!grid) return false;
      const [[low, high]] = grid.view;
      const last = grid.shape[0] - 1;
      const perUnit = last / (high - low);
      gl.useProgram(program);
      useTexture(gl, at.grid, 0, texture);
      gl.uniform2f(at.window, (xlow - low) * perUnit, (xhigh - xlow) * perUnit);
      gl.uniform2f(at.heights, ylow - grid.base, yhigh - ylow);
      gl.uniform1f(at.last, last);
      gl.uniform1f(at.lineWidth, lineWidth);
      gl.uniform1f(at.tall, tall);
      gl.uniform3fv(at.flatColor, colors.flat);
      gl.uniform3fv(at.fillColor, colors.fill);
      gl.uniform3fv(at.lineColor, colors.iso);
      drawEverywhere(gl);
      return true;
    },
  };
}
