// Markers on the graphics, each a small square whose pixels know their distance from a shape.

import { createProgram } from "./gl.js";
import { createTable, drawQuads, QUADS } from "./quads.js";

const FLOATS = 12; // x, y, size, shape, red, green, blue, alpha, angle and no more, in rows of four

const VERTEX = `
${QUADS}
uniform sampler2D markers; // three rows each
uniform vec2 pixels;
uniform float ratio;
out vec2 offset;
flat out vec4 tint;
flat out vec2 kind; // size and shape
void main() {
  vec4 place = rowOf(markers, 3 * quad()); // x, y and size in pixels, shape
  float angle = rowOf(markers, 3 * quad() + 2).x;
  vec2 toCorner = vec2(corner() & 1, corner() >> 1) * 2.0 - 1.0;
  bool isSmallDot = place.w == 0.0 && place.z < 3.0 * ratio;
  vec2 apart = toCorner * (isSmallDot ? place.z + 0.7 * ratio + 0.5 : place.z * 1.35 + 2.5);
  offset = mat2(cos(angle), -sin(angle), sin(angle), cos(angle)) * apart;
  tint = rowOf(markers, 3 * quad() + 1);
  kind = place.zw;
  gl_Position = vec4((place.xy + apart) / pixels * 2.0 - 1.0, 0.0, 1.0) * vec4(1, -1, 1, 1);
}`;

// The distance is in pixels, negative within a shape. Shapes: 0 dot, 1 ring, 2 cross, 3 triangle.
const FRAGMENT = `
uniform vec3 page;
uniform float ratio;
in vec2 offset;
flat in vec4 tint;
flat in vec2 kind;
out vec4 color;

float triangle(vec2 p, float size) {
  return max(dot(abs(p.y) * vec2(0, 1) + p * vec2(1, 0), vec2(0.46, 0.89)), -p.x) - 0.6 * size;
}

void main() {
  float size = kind.x;
  bool isSmall = size < 3.0 * ratio;
  float edge = isSmall ? 0.7 * ratio : 1.6 * ratio;
  float apart = length(offset) - size;
  if (kind.y == 2.0) {
    vec2 turned = abs(vec2(offset.x + offset.y, offset.x - offset.y)) * 0.7071;
    apart = max(min(turned.x, turned.y) - (isSmall ? 0.8 : 1.3) * ratio,
                max(turned.x, turned.y) - 1.15 * size);
  } else if (kind.y == 3.0) {
    apart = triangle(offset, max(size, 4.0 * ratio));
  }
  bool isRing = kind.y == 1.0 && !isSmall;
  vec3 inside = isRing ? page : tint.rgb, border = isRing ? tint.rgb : page;
  float within = clamp(0.5 - apart - (isRing ? edge : 0.0), 0.0, 1.0);
  float covered = clamp(0.5 - apart + (isRing ? 0.0 : edge), 0.0, 1.0) * tint.a;
  color = vec4(mix(border, inside, within) * covered, covered);
}`;

// Returns a function that draws markers (markers.js) into the bound target of a size in pixels.
export function createSprites(gl) {
  const { program, at } = createProgram(gl, VERTEX, FRAGMENT);
  const table = createTable(gl);
  return (markers, { pixels, left, top, ratio, page }) => {
    if (markers.length === 0) return;
    const numbers = new Float32Array(FLOATS * markers.length);
    markers.forEach(({ x, y, size, shape, angle, color, alpha }, k) => {
      const [red, green, blue] = color;
      const place = [(x - left) * ratio, (y - top) * ratio, size * ratio, shape];
      numbers.set([...place, red / 255, green / 255, blue / 255, alpha, angle], FLOATS * k);
    });
    table.set(numbers);
    gl.useProgram(program);
    table.use(at.markers, 0);
    gl.uniform2f(at.pixels, ...pixels);
    gl.uniform1f(at.ratio, ratio);
    gl.uniform3fv(at.page, page);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    drawQuads(gl, markers.length);
    gl.disable(gl.BLEND);
  };
}
