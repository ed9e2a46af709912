// The landscape as a surface in three dimensions.
export function createSurface() {
  return { draw() {} };
}
