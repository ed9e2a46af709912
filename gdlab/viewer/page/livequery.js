// What the live bench asks for, and how its sliders stand for values. Nothing here needs a page.
// A field is as in the message `choices`: {name, value, low, high, scale, values, whole}.

const POSITIONS = 400; // of a slider

// Returns the number of positions of the slider of a field.
export function positionsOf(field) {
  return field.whole ? Math.max(1, Math.min(POSITIONS, field.high - field.low)) : POSITIONS;
}

// Returns the value of a field at a position of its slider, to three significant digits, so that it
// is short to read and to type; its limits, and the value that it has at first, exactly.
export function valueOfPosition(field, position) {
  if (position === positionOfValue(field, field.value)) return field.value;
  const share = position / positionsOf(field);
  const { low, high, scale } = field;
  const value = scale === "log" ? low * (high / low) ** share : low + share * (high - low);
  if (field.whole) return Math.round(value);
  return Math.min(Math.max(Number(value.toPrecision(3)), low), high);
}

// Returns the position of the slider of a field that is nearest to a value.
export function positionOfValue({ low, high, scale, ...field }, value) {
  const share =
    scale === "log" ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const count = positionsOf({ low, high, ...field });
  return Math.round(Math.min(Math.max(share, 0), 1) * count);
}

// Returns the field that stands for a learning rate {low, high, value}, on a logarithmic slider.
export function lrField({ low, high, value }) {
  return {
    name: "lr",
    low: Math.min(low, value),
    high: Math.max(high, value),
    value,
    scale: "log",
  };
}

// Returns the query of the message `live`, or null while something is missing. Of the fields only
// those moved from their value are in it. `live` is as in the store.
export function liveQuery({ live, problem, plane, scene }) {
  if (!live.on || live.start === null || live.optimizer === "") return null;
  const { kind } = scene.plane;
  const start = kind === "line" ? live.start.slice(0, 1) : live.start;
  const fields = Object.entries(live.fields).map(([name, value]) => [
    `optimizer.${name}`,
    String(value),
  ]);
  return {
    problem,
    plane,
    start: start.join(","),
    optimizer: live.optimizer,
    lr: String(live.lr),
    steps: String(live.steps),
    ...Object.fromEntries(fields),
    ...(live.loss ?? {}),
  };
}

// Returns an object with a key set, or without it if the value is the usual one; null if none is
// left.
export function withChange(changes, key, value, usual) {
  const { [key]: _, ...rest } = changes ?? {};
  const changed = value === usual ? rest : { ...rest, [key]: value };
  return Object.keys(changed).length === 0 ? null : changed;
}

// Returns a function that asks one thing at a time: `ask(query, signal)` answers a promise, and
// `told(answer, query)` or `failed(error, query)` hear of the latest. A question that comes while
// another is being answered waits, and only the last one is kept; an answer that takes longer than
// `patience` milliseconds is given up for it. Asking null gives up what is being answered.
export function latestOnly({ ask, told, failed, patience = 300 }) {
  let [current, waiting] = [null, null];
  const start = async (query) => {
    const mine = { control: new AbortController(), began: performance.now() };
    current = mine;
    try {
      const answer = await ask(query, mine.control.signal);
      if (!mine.control.signal.aborted) told(answer, query);
    } catch (error) {
      if (!mine.control.signal.aborted) failed(error, query);
    }
    if (current === mine) current = null;
    if (current === null && waiting !== null) next();
  };
  const next = () => {
    const query = waiting;
    waiting = null;
    start(query);
  };
  const giveUp = () => {
    current?.control.abort();
    current = null;
  };
  return (query) => {
    waiting = query;
    if (query === null || (current !== null && performance.now() - current.began > patience))
      giveUp();
    if (query !== null && current === null) next();
  };
}
