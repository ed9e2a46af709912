// Scales between values and pixels, their ticks, and numbers as text. Nothing here needs a page.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// Returns a function from values to pixels along a line; `.invert` goes back.
export function linearScale([low, high], [first, last]) {
  const span = high - low || 1;
  const scale = (value) => first + ((value - low) / span) * (last - first);
  scale.invert = (pixel) => low + ((pixel - first) / (last - first || 1)) * span;
  return scale;
}

// Returns a function from positive values to pixels along a line of logarithms; `.invert` goes back.
// A value that is not positive has no place: NaN.
export function logScale([low, high], range) {
  const inner = linearScale([Math.log10(low), Math.log10(high)], range);
  const scale = (value) => (value > 0 ? inner(Math.log10(value)) : NaN);
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  return scale;
}

// Returns about `count` round numbers (1, 2 or 5 times a power of ten apart) from low to high.
export function linearTicks(low, high, count = 5) {
  if (!(high > low) || !Number.isFinite(high - low)) return Number.isFinite(low) ? [low] : [];
  const raw = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    ticks.push(Number((k * step).toPrecision(12)));
  }
  return ticks;
}

// Returns at most about `count` ticks from low to high, both positive: powers of ten, a few apart if
// there are many; within less than two decades also 2 and 5 times a power; linear within a factor of 3.
export function logTicks(low, high, count = 6) {
  if (!(low > 0) || !Number.isFinite(high)) return [];
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  if (high / low < 3) return linearTicks(low, high, count).filter((tick) => tick > 0);
  const factors = Math.log10(high / low) < 2 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil((last - first + 1) / count));
  const ticks = [];
  for (let power = first - 1; power <= last; power += 1) {
    if (factors.length === 1 && power % stride !== 0) continue;
    for (const factor of factors) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low * 0.9999 && tick <= high * 1.0001) ticks.push(tick);
    }
  }
  return ticks;
}

// Returns a number as text of at most `digits` significant digits: "−0.0012", "12,000", "3.1·10⁻⁷".
export function formatNumber(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  const sign = rounded < 0 ? "−" : "";
  if (size >= 1e-3 && size < 1e6) {
    return sign + size.toLocaleString("en-US", { maximumSignificantDigits: digits });
  }
  const [factor, power] = size.toExponential().split("e").map(Number);
  return sign + (factor === 1 ? "" : `${factor}·`) + powerOfTen(power);
}

// Returns "10⁻³" for −3.
function powerOfTen(power) {
  const figures = [...String(Math.abs(power))].map((figure) => SUPERSCRIPTS[Number(figure)]);
  return `10${power < 0 ? "⁻" : ""}${figures.join("")}`;
}
