// One pass that lays the picture of the paths over the landscape. It moves the scrubber, and while
// the view moves it shifts and stretches what was drawn for an earlier view.

import { createProgram, drawEverywhere, EVERYWHERE, useTexture } from "./gl.js";

const FRAGMENT = `
precision highp sampler2D;
uniform sampler2D landscape, paths, firsts; // firsts: where in time a path first comes by
uniform vec4 moved, ground; // place in the picture of the paths and in the landscape: xy + place * zw
uniform vec2 size;  // pixels of that picture
uniform float now;  // position of the scrubber in time, 0 to 1
uniform float strong, faint;
uniform bool isQuick; // one sample of the paths for a pixel instead of four
in vec2 place;
out vec4 color;

vec4 pathAt(vec2 at) {
  ivec2 texel = ivec2(floor(at * size));
  if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, vec2(1.0)))) return vec4(0.0);
  vec4 path = texelFetch(paths, texel, 0);
  if (path.a == 0.0) return path;
  float alpha = texelFetch(firsts, texel, 0).r <= now ? strong : faint;
  return vec4(path.rgb * alpha, alpha);
}

void main() {
  vec2 at = moved.xy + place * moved.zw;
  vec2 apart = vec2(dFdx(at.x), dFdy(at.y)) * 0.25;
  vec4 sum = pathAt(at - apart);
  if (!isQuick) {
    sum += pathAt(at + apart) + pathAt(at + vec2(apart.x, -apart.y))
      + pathAt(at + vec2(-apart.x, apart.y));
    sum *= 0.25;
  }
  color = vec4(texture(landscape, ground.xy + place * ground.zw).rgb * (1.0 - sum.a) + sum.rgb, 1.0);
}`;

// Returns what draws the pass. `moved` and `onGround` say where the view lies within the views that
// the paths and the landscape were drawn for: [x, y, width, height] as fractions.
export function createCompose(gl) {
  const { program, at } = createProgram(gl, EVERYWHERE, FRAGMENT);
  return (landscape, picture, { moved, onGround, now, strong, faint, isQuick }) => {
    gl.useProgram(program);
    useTexture(gl, at.landscape, 0, landscape.color);
    useTexture(gl, at.paths, 1, picture.color);
    useTexture(gl, at.firsts, 2, picture.depth);
    gl.uniform4fv(at.moved, moved);
    gl.uniform4fv(at.ground, onGround);
    gl.uniform2f(at.size, picture.width, picture.height);
    gl.uniform1f(at.now, now);
    gl.uniform1f(at.strong, strong);
    gl.uniform1f(at.faint, faint);
    gl.uniform1i(at.isQuick, Number(isQuick));
    drawEverywhere(gl);
  };
}
