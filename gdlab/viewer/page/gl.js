// Small helpers over WebGL2: programs, textures, buffers to draw into, a pass over all pixels.

// Returns a WebGL2 context of a canvas, or null where there is none.
export function openGl(canvas) {
  return canvas.getContext("webgl2", { antialias: false, depth: false, alpha: false });
}

// Returns {program, at}: a compiled program, and `at.NAME` the location of each of its uniforms.
export function createProgram(gl, vertexText, fragmentText) {
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, vertexText],
    [gl.FRAGMENT_SHADER, fragmentText],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, `#version 300 es\nprecision highp float;\nprecision highp int;\n${text}`);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    const shaders = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
    throw new Error(`a shader failed: ${gl.getProgramInfoLog(program)} ${shaders.join(" ")}`);
  }
  const at = {};
  const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
  for (let k = 0; k < count; k++) {
    const { name } = gl.getActiveUniform(program, k);
    at[name] = gl.getUniformLocation(program, name);
  }
  return { program, at };
}

// Returns a texture that is read by texel or, with `linear`, between texels.
export function createTexture(gl, linear = false) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  const filter = linear ? gl.LINEAR : gl.NEAREST;
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return texture;
}

// Binds a texture to a unit and to a sampler of the program in use.
export function useTexture(gl, location, unit, texture) {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.uniform1i(location, unit);
}

// Returns a place to draw into: a color texture and, with `hasDepth`, a depth texture. `resize`
// sets its size in pixels, `bind` makes it the target of what is drawn next, and `blit` scales it onto
// the canvas.
export function createTarget(gl, { hasDepth, linear }) {
  const target = { width: 0, height: 0, color: createTexture(gl, linear), depth: null };
  const framebuffer = gl.createFramebuffer();
  if (hasDepth) target.depth = createTexture(gl);
  target.resize = (width, height) => {
    if (target.width === width && target.height === height) return;
    Object.assign(target, { width, height });
    allocate(gl, target, framebuffer);
  };
  target.bind = () => {
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.viewport(0, 0, target.width, target.height);
  };
  target.blit = (width, height) => {
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, framebuffer);
    gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
    gl.clear(gl.COLOR_BUFFER_BIT); // or Chromium clears the canvas later, at the first thing drawn
    const whole = [0, 0, target.width, target.height];
    gl.blitFramebuffer(...whole, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  };
  return target;
}

function allocate(gl, { width, height, color, depth }, framebuffer) {
  const { TEXTURE_2D, FRAMEBUFFER } = gl;
  gl.activeTexture(gl.TEXTURE0);
  gl.bindFramebuffer(FRAMEBUFFER, framebuffer);
  gl.bindTexture(TEXTURE_2D, color);
  gl.texImage2D(TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
  gl.framebufferTexture2D(FRAMEBUFFER, gl.COLOR_ATTACHMENT0, TEXTURE_2D, color, 0);
  if (!depth) return;
  gl.bindTexture(TEXTURE_2D, depth);
  const [inside, format, kind] = [gl.DEPTH_COMPONENT24, gl.DEPTH_COMPONENT, gl.UNSIGNED_INT];
  gl.texImage2D(TEXTURE_2D, 0, inside, width, height, 0, format, kind, null);
  gl.framebufferTexture2D(FRAMEBUFFER, gl.DEPTH_ATTACHMENT, TEXTURE_2D, depth, 0);
}

// A vertex shader that covers all pixels by one triangle; `place` runs from (0, 0) to (1, 1).
export const EVERYWHERE = `
out vec2 place;
void main() {
  place = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(place * 2.0 - 1.0, 0.0, 1.0);
}`;

// Draws the triangle of EVERYWHERE.
export function drawEverywhere(gl) {
  gl.bindVertexArray(null);
  gl.drawArrays(gl.TRIANGLES, 0, 3);
}

const POLL = 3; // milliseconds

// Tells how many milliseconds the graphics take for what they were asked until now. They are not
// waited for: what is asked later may be under way before.
export function timeGl(gl, told) {
  const before = performance.now();
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  const look = () => {
    if (gl.isContextLost()) return;
    if (gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED) {
      setTimeout(look, POLL);
      return;
    }
    gl.deleteSync(fence);
    told(performance.now() - before);
  };
  setTimeout(look, 0);
}
