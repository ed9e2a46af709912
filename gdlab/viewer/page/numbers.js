// Numbers as text, and round numbers for the ticks of an axis.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// Returns a number within two bounds.
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// Returns a power of ten as text, such as 10⁻³.
export function powerOfTen(exponent) {
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[digit]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

// Returns a number with so many significant digits, such as 0.0125, −3 or 1.2·10⁻⁷; "–" if none.
export function short(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (size >= 1e-4 && size < 1e6) return sign + String(Number(size.toPrecision(digits)));
  const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
  const power = powerOfTen(Number(exponent));
  return sign + (Number(mantissa) === 1 ? power : `${Number(mantissa)}·${power}`);
}

// Returns the round distance (1, 2 or 5 times a power of ten) of about `count` ticks over a span.
export function roundStep(span, count) {
  const rough = span / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10;
  return factor * power;
}

// Returns about `count` round numbers from low to high.
export function ticks(low, high, count) {
  if (!(high > low) || !Number.isFinite(high - low)) return [];
  const distance = roundStep(high - low, Math.min(count, 100));
  const first = Math.ceil(low / distance - 1e-9);
  const last = Math.floor(high / distance + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => (first + k) * distance);
}

// Returns the texts of such ticks: as many decimals as their distance needs.
export function tickTexts(values) {
  if (values.length < 2) return values.map((value) => short(value));
  const distance = values[1] - values[0];
  const largest = Math.max(...values.map(Math.abs));
  if (largest >= 1e5 || distance < 1e-4) {
    return values.map((value) => short(Math.abs(value) < distance / 2 ? 0 : value, 6));
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(distance) + 1e-9));
  return values.map((value) => {
    const text = Math.abs(value) < distance / 2 ? "0" : value.toFixed(decimals);
    return text.replace("-", "−");
  });
}

// Returns powers of ten from low to high (both positive), at most about `count`.
export function logTicks(low, high, count) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const stride = Math.max(1, Math.ceil((last - first + 1) / Math.max(count, 1)));
  const found = [];
  for (let exponent = first; exponent <= last; exponent++) {
    if (exponent % stride === 0) found.push(10 ** exponent);
  }
  return found;
}
