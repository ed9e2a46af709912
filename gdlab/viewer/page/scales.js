// Scales between values and pixels with the ticks and texts of their axes. Nothing here needs a
// page.

import { logTicks, powerOfTen, short, tickTexts, ticks } from "./numbers.js";

// Returns a function from values to pixels along a line; `.invert` goes back.
export function linearScale([low, high], [first, last]) {
  const span = high - low || 1;
  const scale = (value) => first + ((value - low) / span) * (last - first);
  scale.invert = (pixel) => low + ((pixel - first) / (last - first || 1)) * span;
  return scale;
}

// Returns a function from positive values to pixels along a line of logarithms; `.invert` goes
// back. A value that is not positive has no place: NaN.
export function logScale([low, high], range) {
  const inner = linearScale([Math.log10(low), Math.log10(high)], range);
  const scale = (value) => (value > 0 ? inner(Math.log10(value)) : NaN);
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  return scale;
}

// Returns {scale, ticks: [{value, text}], isLog, domain} of an axis from low to high over a range
// of pixels, with about `count` ticks.
export function axisOf(domain, range, isLog, count) {
  const [low, high] = domain;
  const scale = isLog ? logScale(domain, range) : linearScale(domain, range);
  const values = isLog ? finerLogTicks(low, high, count) : ticks(low, high, count);
  const texts = isLog ? logTexts(values) : tickTexts(values);
  return { scale, isLog, domain, ticks: values.map((value, k) => ({ value, text: texts[k] })) };
}

// Returns ticks of a logarithmic axis: powers of ten; within two decades also 2 and 5 times those;
// within a factor of 3 round numbers.
function finerLogTicks(low, high, count) {
  if (high / low < 3) return ticks(low, high, count).filter((tick) => tick > 0);
  if (high / low >= 100) return logTicks(low, high, count);
  const first = Math.floor(Math.log10(low));
  const powers = [first, first + 1, first + 2];
  const found = powers.flatMap((power) => [1, 2, 5].map((factor) => Number(`${factor}e${power}`)));
  return found.filter((tick) => tick >= low * 0.9999 && tick <= high * 1.0001);
}

// Returns the texts of ticks of a logarithmic axis: all as powers of ten if one is far from 1.
function logTexts(values) {
  const powers = values.map((value) => Math.round(Math.log10(value)));
  const isFar = Math.max(...powers.map(Math.abs)) > 3;
  const areWhole = values.every((value, k) => Math.abs(value / 10 ** powers[k] - 1) < 1e-9);
  if (!isFar || !areWhole) return values.map((value) => short(value));
  return powers.map((power) => (power === 0 ? "1" : powerOfTen(power)));
}
