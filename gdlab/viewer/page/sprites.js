// Markers on the graphics, each a small square whose pixels know their distance from a shape.

import { createProgram } from "./gl.js";

const FLOATS = 9; // x, y, size, shape, angle, red, green, blue, alpha

const VERTEX = `
layout(location = 0) in vec4 place; // x, y and size in pixels, shape
layout(location = 1) in vec4 paint; // angle, red, green, blue
layout(location = 2) in float alpha;
uniform vec2 pixels;
uniform float ratio;
out vec2 offset;
flat out vec4 tint;
flat out vec2 kind; // size and shape
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  bool isSmallDot = place.w == 0.0 && place.z < 3.0 * ratio;
  vec2 apart = corner * (isSmallDot ? place.z + 0.7 * ratio + 0.5 : place.z * 1.35 + 2.5);
  offset = mat2(cos(paint.x), -sin(paint.x), sin(paint.x), cos(paint.x)) * apart;
  tint = vec4(paint.yzw, alpha);
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
  const buffer = gl.createBuffer();
  const layout = gl.createVertexArray();
  gl.bindVertexArray(layout);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  for (const [location, size, first] of [[0, 4, 0], [1, 4, 4], [2, 1, 8]]) {
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, gl.FLOAT, false, 4 * FLOATS, 4 * first);
    gl.vertexAttribDivisor(location, 1);
  }
  return (markers, { pixels, left, top, ratio, page }) => {
    if (markers.length === 0) return;
    const numbers = new Float32Array(FLOATS * markers.length);
    markers.forEach(({ x, y, size, shape, angle, color, alpha }, k) => {
      const [red, green, blue] = color;
      const place = [(x - left) * ratio, (y - top) * ratio, size * ratio, shape];
      numbers.set([...place, angle, red / 255, green / 255, blue / 255, alpha], FLOATS * k);
    });
    gl.useProgram(program);
    gl.bindVertexArray(layout);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, numbers, gl.STREAM_DRAW);
    gl.uniform2f(at.pixels, ...pixels);
    gl.uniform1f(at.ratio, ratio);
    gl.uniform3fv(at.page, page);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, markers.length);
    gl.disable(gl.BLEND);
  };
}
