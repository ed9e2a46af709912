// Arrows: the gradient field from differences of the grid, and the gradient at the cursor.

import { gradientAt } from "./grids.js";

const APART = 38; // pixels between the arrows of the field

// Draws the direction of steepest descent on a lattice of points. All arrows are drawn from their
// point; the longer, the larger the gradient is among those shown (by rank).
export function drawArrows(context, { grid }, box, { from, scale }, colors) {
  const found = [];
  for (let top = box.top + APART / 2; top < box.top + box.height; top += APART) {
    for (let left = box.left + APART / 2; left < box.left + box.width; left += APART) {
      const gradient = gradientAt(grid, ...from(left, top));
      if (gradient) found.push({ left, top, gradient, size: Math.hypot(...gradient) });
    }
  }
  found.sort((a, b) => a.size - b.size);
  context.strokeStyle = colors.soft;
  context.fillStyle = colors.soft;
  context.globalAlpha = 0.75;
  context.lineWidth = 1;
  found.forEach(({ left, top, gradient }, rank) => {
    const [dx, dy] = [-gradient[0] * scale[0], gradient[1] * scale[1]];
    const long = Math.hypot(dx, dy);
    if (!(long > 0)) return;
    const size = (0.25 + (0.6 * rank) / found.length) * APART;
    arrow(context, left, top, left + (dx / long) * size, top + (dy / long) * size, 4);
  });
  context.globalAlpha = 1;
}

// Draws the gradient at the cursor: downhill as an arrow, its two parts along the axes as thin ones.
export function drawPoint(context, state, { to, origin, scale }, colors) {
  const { cursor, point, grid, live, scene, showField } = state;
  if (!cursor || scene.plane.kind === "line" || !(live.on || showField)) return;
  const isExact = point && point.at[0] === cursor.at[0] && point.at[1] === cursor.at[1];
  const gradient = isExact ? point.gradient : grid && gradientAt(grid, ...cursor.at);
  if (!gradient) return;
  const [x, y] = to(cursor.at[0] - origin[0], cursor.at[1] - origin[1]);
  const [dx, dy] = [-gradient[0] * scale[0], gradient[1] * scale[1]];
  const long = Math.hypot(dx, dy);
  if (!(long > 0)) return;
  const size = 64 / long;
  context.lineWidth = 1.25;
  context.strokeStyle = context.fillStyle = colors.soft;
  context.setLineDash([3, 3]);
  arrow(context, x, y, x + dx * size, y, 5);
  arrow(context, x, y, x, y + dy * size, 5);
  context.setLineDash([]);
  context.lineWidth = 2.25;
  context.strokeStyle = context.fillStyle = colors.ink;
  arrow(context, x, y, x + dx * size, y + dy * size, 8);
}

// Draws an arrow between two points with a filled head.
function arrow(context, x, y, toX, toY, head) {
  const angle = Math.atan2(toY - y, toX - x);
  if (Math.hypot(toX - x, toY - y) < 1) return;
  const tip = (turn, size) => [toX + size * Math.cos(angle + turn), toY + size * Math.sin(angle + turn)];
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(...tip(Math.PI, head * 0.7));
  context.stroke();
  context.beginPath();
  context.moveTo(toX, toY);
  context.lineTo(...tip(Math.PI - 0.42, head));
  context.lineTo(...tip(Math.PI + 0.42, head));
  context.fill();
}
