// How the runs of a sweep ended: losses against a setting with their quartiles, and where each
// start led. Nothing here needs a page. R runs of a scene.

const LOST = ["diverged", "failed"];
const ARRIVED = ["converged", "target", "stalled", "early_stopped"];
const MOST = 8; // places: so many colors can be told apart
const NEAR = 0.02; // of the diagonal of the view: ends closer than this are one place

// Returns whether a run has no end that counts.
export function isLost(run) {
  return LOST.includes(run.status) || !Number.isFinite(run.final_loss ?? NaN);
}

// Returns the final loss above the minimum, where it is known, or the final loss; ∞ for a lost run.
export function outcomeOf(run, minimum) {
  return isLost(run) ? Infinity : run.final_loss - (minimum ?? 0);
}

// Returns the quantile of a share p (0 to 1) of sorted values, some of them infinite: at place
// p (n − 1), between neighbors in proportion; beside an infinite one, the nearer of the two.
export function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  const part = place % 1;
  if (Number.isFinite(below) && Number.isFinite(above)) return below + part * (above - below);
  return part < 0.5 || (part === 0.5 && Number.isFinite(below)) ? below : above;
}

// Returns the runs as groups [{value, points, bands}] by their setting `groupBy` (all in one if
// null): points {index, x, y}, y = ∞ for lost runs; bands {x, low, median, high, count}: the
// quartiles of the runs at each x in increasing order; limit: see limitOf. `x` is the name of a
// numeric setting.
export function outcomesBy(runs, indices, { x, groupBy, minimum }) {
  const groups = new Map();
  for (const index of indices) {
    const run = runs[index];
    const place = run.settings[x];
    if (typeof place !== "number") continue;
    const value = groupBy === null ? null : (run.settings[groupBy] ?? null);
    const key = JSON.stringify(value);
    if (!groups.has(key)) groups.set(key, { value, points: [] });
    groups.get(key).points.push({ index, x: place, y: outcomeOf(run, minimum) });
  }
  return [...groups.values()].map((group) => ({
    ...group,
    bands: bandsOf(group.points),
    limit: limitOf(group.points.map(({ index }) => runs[index])),
  }));
}

// Returns the quartiles of y at each x of some points, in increasing order of x.
function bandsOf(points) {
  const columns = new Map();
  for (const { x, y } of points) columns.set(x, [...(columns.get(x) ?? []), y]);
  return [...columns]
    .sort(([a], [b]) => a - b)
    .map(([x, values]) => {
      const sorted = values.sort((a, b) => a - b);
      const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
      return { x, low, median, high, count: sorted.length };
    });
}

// Returns the limit of the learning rate that theory gives some runs (2/λ for gradient descent), if
// it is the same for all that have one, to 1 %; else null.
export function limitOf(runs) {
  const limits = runs.map((run) => run.lr_limit).filter((limit) => limit > 0);
  const [low, high] = [Math.min(...limits), Math.max(...limits)];
  return limits.length > 0 && high <= 1.01 * low ? low : null;
}

// Returns the start and the end of a run, [x, y] each (a line: [x]), in the plane's own
// coordinates.
export function endsOf(run, origin) {
  const { values, shape } = run.path;
  const [count, width] = shape;
  const at = (row) => origin.slice(0, width).map((first, k) => first + values[row * width + k]);
  return { start: at(0), end: at(count - 1) };
}

// Returns {places, starts}: the places where runs end ({at, label}, the minimizers and local minima
// among the marks first, then those that runs share), and for each run {index, start, end, place,
// status} with the number of its place, or null if it is lost or reached none.
export function basinsOf(runs, indices, { origin, marks, view }) {
  const diagonal = Math.hypot(...view.map(([low, high]) => high - low));
  const known = marks.filter(({ kind }) => kind === "minimizer" || kind === "minimum");
  const places = known.map(({ at }) => ({ at, isKnown: true }));
  const starts = indices.map((index) => {
    const { start, end } = endsOf(runs[index], origin);
    const { status } = runs[index];
    const most = ARRIVED.includes(status) ? MOST : places.length;
    const place = isLost(runs[index]) ? null : placeFor(end, places, NEAR * diagonal, most);
    return { index, start, end, place, status };
  });
  return { places, starts };
}

// Returns the number of the place nearest to an end within `reach`; if none is, adds the end as a
// new place unless there are `most`.
function placeFor(end, places, reach, most) {
  const distances = places.map(({ at }) => Math.hypot(...end.map((value, k) => value - at[k])));
  const least = Math.min(...distances);
  if (least <= reach) return distances.indexOf(least);
  if (places.length >= most || !end.every(Number.isFinite)) return null;
  places.push({ at: end, isKnown: false });
  return places.length - 1;
}

// Returns whether the runs do not all begin at one point (to a thousandth of the view).
export function hasManyStarts(starts, view) {
  const diagonal = Math.hypot(...view.map(([low, high]) => high - low));
  const far = ({ start }) =>
    Math.hypot(...start.map((value, k) => value - starts[0].start[k])) > 1e-3 * diagonal;
  return starts.some(far);
}
