// The landscape as a surface in 3-D, lit from one side, with the paths on it.

import { FIRST_ORBIT, matrixOf, project, turned } from "./camera.js";
import { palette, rgbOf } from "./colors.js";
import { fitCanvas } from "./dom.js";
import { createProgram, createTarget, timeGl } from "./gl.js";
import { LEVEL_COLOR, setLevelColor } from "./landscape.js";
import { createLifted } from "./lifted.js";
import { liveMarkers, markersOf } from "./markers.js";
import { clamp } from "./numbers.js";
import { placeAt, reliefOf, SIDE, toBox, trianglesOf } from "./relief.js";
import { originOf } from "./scenes.js";
import { createSprites } from "./sprites.js";

const VERTEX = `
layout(location = 0) in vec4 shape; // level, height, slopes of the height
uniform mat4 matrix;
out float level;
out vec3 normal;
void main() {
  ivec2 at = ivec2(gl_VertexID % ${SIDE}, gl_VertexID / ${SIDE});
  vec2 place = vec2(at) / ${SIDE - 1}.0 * 2.0 - 1.0;
  level = shape.x;
  normal = vec3(-shape.zw, 1.0);
  gl_Position = matrix * vec4(place, shape.y, 1.0);
}`;

const FRAGMENT = `
in float level;
in vec3 normal;
out vec4 color;
${LEVEL_COLOR}
void main() {
  float light = dot(normalize(normal), normalize(vec3(-0.5, 0.35, 0.8)));
  vec3 shade = colorOf(level, fwidth(level * levels.z));
  color = vec4(shade * (0.8 + 0.24 * max(light, 0.0)), 1.0);
}`;

const SLOW = 30; // milliseconds for a picture, beyond which it is coarser while it turns
const REST = 160;

// Returns what draws the state in 3-D, turns it, and finds points on it.
export function createSurface(gl) {
  const parts = {
    gl,
    ...createProgram(gl, VERTEX, FRAGMENT),
    lifted: createLifted(gl),
    sprites: createSprites(gl),
    target: createTarget(gl, { hasDepth: true, linear: false }),
    layout: gl.createVertexArray(),
    vertices: gl.createBuffer(),
    triangles: gl.createBuffer(),
    count: 0,
  };
  gl.bindVertexArray(parts.layout);
  gl.bindBuffer(gl.ARRAY_BUFFER, parts.vertices);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, parts.triangles);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 4, gl.FLOAT, false, 16, 0);
  const drawn = { relief: null };
  const turning = { timer: null, cost: 0, orbit: null };
  return {
    draw(state, box) {
      shape(parts, drawn, state);
      const isTurning = keepsTurning(turning, state.orbit, box.redraw);
      drawPicture(parts, drawn, state, { ...box, isTurning });
      if (!isTurning) timeGl(gl, (cost) => (turning.cost = cost));
    },
    relief: () => drawn.relief,
    pick: (state, box, pixel) => drawn.relief && pickVertex(drawn.relief, state, box, pixel),
  };
}

// Returns the matrix of a state in a box.
export function matrixFor({ orbit }, { width, height }) {
  return matrixOf(orbit ?? FIRST_ORBIT, width / height);
}

// Turns or zooms the 3-D view of a store: fractions of its size, and a factor below 1 for nearer.
export function turnView(store, across, up) {
  const orbit = store.get().orbit ?? FIRST_ORBIT;
  store.set({ orbit: turned(orbit, -across * Math.PI, up * Math.PI) });
}

export function zoomView(store, factor) {
  const orbit = store.get().orbit ?? FIRST_ORBIT;
  store.set({ orbit: { ...orbit, zoom: clamp(orbit.zoom / factor, 0.4, 6) } });
}

function keepsTurning(turning, orbit, redraw) {
  const hasTurned = turning.orbit !== null && turning.orbit !== orbit;
  turning.orbit = orbit;
  if (turning.cost <= SLOW && turning.timer === null) return false;
  if (!hasTurned) return turning.timer !== null;
  clearTimeout(turning.timer);
  turning.timer = setTimeout(() => {
    turning.timer = null;
    redraw();
  }, REST);
  return true;
}

// Works out the mesh and the paths on it where the landscape, the view or the runs changed.
function shape(parts, drawn, state) {
  const { gl } = parts;
  const { grid, view, drawn: runs, scene, isLinear, full, live } = state;
  const isNew = drawn.grid !== grid || drawn.view !== view || drawn.isLinear !== isLinear;
  if (isNew && grid) {
    drawn.relief = reliefOf(grid, view, isLinear);
    const triangles = trianglesOf(drawn.relief.mesh);
    parts.count = triangles.length;
    gl.bindVertexArray(parts.layout);
    gl.bindBuffer(gl.ARRAY_BUFFER, parts.vertices);
    gl.bufferData(gl.ARRAY_BUFFER, drawn.relief.mesh, gl.DYNAMIC_DRAW);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, triangles, gl.DYNAMIC_DRAW);
  }
  if (!drawn.relief) return;
  const others = drawn.runs !== runs || drawn.full !== full || drawn.liveRun !== live.run;
  if (isNew || others || drawn.scene !== scene) parts.lifted.set(drawn.relief, state);
  Object.assign(drawn, { grid, view, isLinear, runs, full, liveRun: live.run, scene });
}

// Draws all at twice the size of the screen (coarser while it turns) and scales it down.
function drawPicture(parts, { relief }, state, box) {
  const { gl, target } = parts;
  const pixels = [Math.round(box.width * box.ratio), Math.round(box.height * box.ratio)];
  const finer = box.ratio < 1.5 && !box.isTurning ? 2 : 1;
  target.resize(pixels[0] * finer, pixels[1] * finer);
  target.bind();
  gl.clearColor(...rgbOf(palette(state.dark).page).map((value) => value / 255), 1);
  gl.clearDepth(1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  const matrix = matrixFor(state, box);
  const scale = finer * box.ratio;
  if (relief) {
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    drawMesh(parts, relief, state, matrix, scale);
    parts.lifted.draw(state, matrix, [target.width, target.height], scale);
    gl.disable(gl.DEPTH_TEST);
  }
  fitCanvas(gl.canvas, box.width, box.height, box.ratio);
  target.blit(...pixels);
  gl.viewport(0, 0, ...pixels);
  const page = rgbOf(palette(state.dark).page).map((value) => value / 255);
  const to = projector(relief, state, box);
  const markers = relief ? [...markersOf(state, box, to), ...liveMarkers(state, box, to)] : [];
  parts.sprites(markers, { ...box, pixels, page });
}

function drawMesh({ gl, program, at, layout, count }, { iso }, state, matrix, lineWidth) {
  gl.useProgram(program);
  gl.uniformMatrix4fv(at.matrix, false, matrix);
  setLevelColor(gl, at, iso, palette(state.dark), lineWidth);
  gl.bindVertexArray(layout);
  gl.enable(gl.POLYGON_OFFSET_FILL);
  gl.polygonOffset(1, 1);
  gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0);
  gl.disable(gl.POLYGON_OFFSET_FILL);
}

// Returns what takes a position relative to the scene's origin to pixels, on the surface; NaN
// outside of the view.
export function projector(relief, state, box) {
  if (!relief) return () => [NaN, NaN];
  const matrix = matrixFor(state, box);
  const origin = originOf(state.scene);
  return (x, y) => {
    const [absoluteX, absoluteY] = [x + origin[0], y + origin[1]];
    const [u, v] = toBox(relief.view, absoluteX, absoluteY);
    if (Math.abs(u) > 1 || Math.abs(v) > 1) return [NaN, NaN];
    return project(matrix, u, v, relief.heightAt(absoluteX, absoluteY) + 0.01, box);
  };
}

// Returns the point of the plane whose place on the surface lies nearest to a pixel, in front of
// others within a few pixels; null where the pixel is off the surface.
function pickVertex({ mesh, view }, state, box, [left, top]) {
  const matrix = matrixFor(state, box);
  let found = null;
  let best = Infinity;
  for (let vertex = 0; vertex < SIDE * SIDE; vertex++) {
    const [k, row] = [vertex % SIDE, Math.floor(vertex / SIDE)];
    const [u, v] = [(2 * k) / (SIDE - 1) - 1, (2 * row) / (SIDE - 1) - 1];
    const [x, y, depth] = project(matrix, u, v, mesh[4 * vertex + 1], box);
    const distance = Math.hypot(x - left, y - top);
    const score = distance / 40 + depth;
    if (distance > 9 || score > best) continue;
    best = score;
    found = placeAt(view, k / (SIDE - 1), row / (SIDE - 1));
  }
  return found;
}
