// The format of the viewer (gdlab/viewer/format.py) and the two sources of its messages.

const MAGIC = 0x564c4447; // "GDLV", little-endian

// Returns the head of a message; each {at, shape} in it becomes {values: Float32Array, shape}.
export function decode(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== MAGIC) throw new Error("not a message of the viewer");
  const length = view.getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  return withArrays(head, buffer, 8 + length);
}

function withArrays(value, buffer, first) {
  if (Array.isArray(value)) return value.map((item) => withArrays(item, buffer, first));
  if (value === null || typeof value !== "object") return value;
  const keys = Object.keys(value);
  if (keys.length === 2 && "at" in value && "shape" in value) {
    const count = value.shape.reduce((product, side) => product * side, 1);
    return { values: new Float32Array(buffer, first + 4 * value.at, count), shape: value.shape };
  }
  return Object.fromEntries(keys.map((key) => [key, withArrays(value[key], buffer, first)]));
}

// A server: messages are fetched below the address `base`. An answer that is no message is one line
// of text that says what is wrong.
export function serverSource(base) {
  return {
    isLive: true,
    has: () => true,
    async ask(name, query = {}, signal = undefined) {
      const answer = await fetch(`${base}/${name}?${new URLSearchParams(query)}`, { signal });
      if (!answer.ok) throw new Error(await answer.text());
      return decode(await answer.arrayBuffer());
    },
  };
}

// Messages that the page itself holds in base64: a report, a notebook. A message is found as
// "NAME?query", where the query leaves out empty values, or else as "NAME".
export function embeddedSource(messages) {
  const find = (name, query = {}) => {
    const given = Object.entries(query).filter(([, value]) => value !== "");
    const long = `${name}?${new URLSearchParams(given)}`;
    return messages[long] ?? messages[name];
  };
  return {
    isLive: false,
    has: (name, query) => find(name, query) !== undefined,
    async ask(name, query) {
      const message = find(name, query);
      if (message === undefined) throw new Error(`${name} needs a server: python -m gdlab.view`);
      return decode(Uint8Array.from(atob(message), (c) => c.charCodeAt(0)).buffer);
    },
  };
}
