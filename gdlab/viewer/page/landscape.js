// The landscape: shaded levels with iso-lines, computed for every pixel from a grid of values.

import { createProgram, createTexture, drawEverywhere, EVERYWHERE, useTexture } from "./gl.js";
import { isoLevels, levelsOf, toIndex } from "./grids.js";

// GLSL of the color of a level; the surface uses it too. `density` is fwidth(level / spacing).
export const LEVEL_COLOR = `
uniform vec4 levels; // low, 1 / (high - low), 1 / spacing, every how many lines one is major
uniform vec3 lowColor, highColor, isoColor;
uniform float lineWidth; // pixels

float lineAt(float number, float density, float width) {
  float apart = abs(fract(number + 0.5) - 0.5) / max(density, 1e-9);
  return 1.0 - smoothstep(width - 0.5, width + 0.5, apart);
}

vec3 colorOf(float level, float density) {
  float number = level * levels.z;
  float band = (floor(number) + 0.5) / levels.z;
  float shade = clamp((mix(level, band, 0.75) - levels.x) * levels.y, 0.0, 1.0);
  vec3 color = mix(lowColor, highColor, shade);
  float crowded = 1.0 - smoothstep(0.2, 0.5, density);
  float isAbove = smoothstep(levels.x - 1.0 / levels.z, levels.x, level);
  float minor = 0.20 * lineAt(number, density, 0.5 * lineWidth) * crowded;
  float sparse = density / levels.w;
  float major = lineAt(number / levels.w, sparse, 0.75 * lineWidth);
  float line = max(minor, 0.42 * major * (1.0 - smoothstep(0.2, 0.5, sparse)));
  return mix(color, isoColor, line * isAbove);
}`;

// Filtering by hand: float textures need an extension to be filtered by the graphics.
const FRAGMENT = `
precision highp sampler2D;
uniform sampler2D grid;
uniform vec4 window; // column and row at place (0, 0), columns and rows across
uniform vec2 last;   // the last column and row
uniform bool isSmooth;
uniform vec3 hatchColor, flatColor;
in vec2 place;
out vec4 color;
${LEVEL_COLOR}
const float MISSING = 1e38;

float texel(vec2 at) {
  return texelFetch(grid, ivec2(clamp(at, vec2(0.0), last)), 0).r;
}

vec4 weights(float t) { // Catmull and Rom's cubic through four samples
  float s = t * t, c = s * t;
  return vec4(-0.5 * c + s - 0.5 * t, 1.5 * c - 2.5 * s + 1.0,
              -1.5 * c + 2.0 * s + 0.5 * t, 0.5 * c - 0.5 * s);
}

float linearLevel(vec2 at) {
  vec2 first = min(floor(at), last - 1.0), part = at - first;
  vec4 corners = vec4(texel(first), texel(first + vec2(1, 0)),
                      texel(first + vec2(0, 1)), texel(first + vec2(1, 1)));
  if (any(greaterThan(corners, vec4(MISSING)))) return 3e38;
  return mix(mix(corners.x, corners.y, part.x), mix(corners.z, corners.w, part.x), part.y);
}

float smoothLevel(vec2 at) {
  vec2 first = min(floor(at), last - 1.0);
  vec4 across = weights(at.x - first.x), up = weights(at.y - first.y);
  float sum = 0.0, lowest = 3e38, highest = -3e38;
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < 4; k++) {
      float value = texel(first + vec2(k - 1, i - 1));
      if (value > MISSING) return linearLevel(at);
      lowest = min(lowest, value);
      highest = max(highest, value);
      sum += across[k] * up[i] * value;
    }
  }
  return clamp(sum, lowest, highest);
}

void main() {
  vec2 at = window.xy + place * window.zw;
  float level = isSmooth ? smoothLevel(at) : linearLevel(at);
  float density = fwidth(level * levels.z);
  bool isOutside = any(lessThan(at, vec2(-0.01))) || any(greaterThan(at, last + 0.01));
  float stripe = step(0.8, fract((gl_FragCoord.x + gl_FragCoord.y) / (7.0 * lineWidth)));
  vec3 shown = colorOf(level, density);
  if (level > MISSING) shown = mix(flatColor, hatchColor, stripe);
  if (isOutside) shown = flatColor;
  color = vec4(shown, 1.0);
}`;

// Sets the uniforms of LEVEL_COLOR for the program in use.
export function setLevelColor(gl, at, iso, colors, lineWidth) {
  const { low, high, spacing, major } = iso;
  gl.uniform4f(at.levels, low, 1 / (high - low), 1 / spacing, major);
  gl.uniform3fv(at.lowColor, colors.low);
  gl.uniform3fv(at.highColor, colors.high);
  gl.uniform3fv(at.isoColor, colors.iso);
  gl.uniform1f(at.lineWidth, lineWidth);
}

// Returns what draws the landscape into the bound target. `setGrid` takes a grid of two dimensions
// or null; `isoFor` its iso-levels within a view; `draw` fills the target with a view, smooth
// between samples or faster.
export function createLandscape(gl) {
  const { program, at } = createProgram(gl, EVERYWHERE, FRAGMENT);
  const texture = createTexture(gl);
  let grid = null;
  let levels = null;
  return {
    setGrid(next) {
      grid = next?.shape.length === 2 ? next : null;
      levels = grid && levelsOf(grid);
      if (!grid) return;
      const [ny, nx] = grid.shape;
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, nx, ny, 0, gl.RED, gl.FLOAT, levels);
    },
    isoFor: (view) => grid && isoLevels(grid, levels, view),
    draw(view, iso, colors, { isSmooth, lineWidth }) {
      if (!grid) {
        gl.clearColor(...colors.flat, 1);
        gl.clear(gl.COLOR_BUFFER_BIT);
        return;
      }
      gl.useProgram(program);
      useTexture(gl, at.grid, 0, texture);
      const [first, end] = [
        toIndex(grid, view[0][0], view[1][0]),
        toIndex(grid, view[0][1], view[1][1]),
      ];
      gl.uniform4f(at.window, first[0], first[1], end[0] - first[0], end[1] - first[1]);
      gl.uniform2f(at.last, grid.shape[1] - 1, grid.shape[0] - 1);
      gl.uniform1i(at.isSmooth, Number(isSmooth));
      gl.uniform3fv(at.hatchColor, colors.hatch);
      gl.uniform3fv(at.flatColor, colors.flat);
      setLevelColor(gl, at, iso, colors, lineWidth);
      drawEverywhere(gl);
    },
  };
}
