// Many small quadrilaterals by one call. Each vertex looks its numbers up in a table: instances, of
// which each costs as much as a call where graphics are drawn by software, take ten times as long.

import { createTexture, useTexture } from "./gl.js";

const COLUMNS = 1024; // of the texture that holds a table

// GLSL of a vertex shader: the k-th row of a table, the number of the quadrilateral that a vertex
// belongs to, and which of its corners it is, 0 to 3, the first two and the last two side by side.
export const QUADS = `
precision highp sampler2D;
const int CORNERS[6] = int[6](0, 1, 2, 2, 1, 3);
vec4 rowOf(sampler2D table, int k) {
  return texelFetch(table, ivec2(k % ${COLUMNS}, k / ${COLUMNS}), 0);
}
int quad() { return gl_VertexID / 6; }
int corner() { return CORNERS[gl_VertexID % 6]; }`;

// Returns a table on the graphics, with rows of four numbers: `set` takes a Float32Array (4 · rows)
// or, for numbers from 0 to 1, a Uint8Array of 0 to 255; `use` binds it to a unit and to a sampler
// of the program in use.
export function createTable(gl) {
  const texture = createTexture(gl);
  return {
    set(numbers) {
      const rows = Math.max(1, Math.ceil(numbers.length / 4 / COLUMNS));
      const texels = new numbers.constructor(4 * COLUMNS * rows);
      texels.set(numbers);
      const isReal = numbers instanceof Float32Array;
      const [format, kind] = isReal ? [gl.RGBA32F, gl.FLOAT] : [gl.RGBA8, gl.UNSIGNED_BYTE];
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, format, COLUMNS, rows, 0, gl.RGBA, kind, texels);
    },
    use: (location, unit) => useTexture(gl, location, unit, texture),
  };
}

// Draws so many quadrilaterals.
export function drawQuads(gl, count) {
  gl.bindVertexArray(null);
  gl.drawArrays(gl.TRIANGLES, 0, 6 * count);
}
