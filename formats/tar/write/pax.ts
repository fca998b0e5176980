// Records of extended headers: `LENGTH KEY=VALUE\n`, the length in decimal and counting itself (POSIX.1-2017, pax,
// "pax Extended Header").

/** Bytes, or text that is ASCII. */
export type PaxText = Uint8Array | string;

export type PaxRecord = readonly [key: PaxText, value: PaxText];

/** Bytes of one record. */
function recordSize([key, value]: PaxRecord): number {
  // A space, an equals sign, a newline.
  const rest = key.length + value.length + 3;
  let size = rest + String(rest).length;
  // The digits may need one more for themselves.
  if (String(size).length > String(rest).length) size = rest + String(size).length;
  return size;
}

/** Bytes of all. */
export function paxSize(records: readonly PaxRecord[]): number {
  return records.reduce((sum, record) => sum + recordSize(record), 0);
}

/** Writes all of them at `at`. */
export function writePax(target: Uint8Array, from: number, records: readonly PaxRecord[]): void {
  let at = from;
  for (const record of records) {
    const [key, value] = record;
    at = put(target, at, String(recordSize(record)));
    target[at++] = 0x20;
    at = put(target, at, key);
    target[at++] = 0x3d;
    at = put(target, at, value);
    target[at++] = 0x0a;
  }
}

/** Gives the place behind what was put. */
function put(target: Uint8Array, at: number, what: PaxText): number {
  if (typeof what === "string") for (let i = 0; i < what.length; i++) target[at + i] = what.charCodeAt(i);
  else target.set(what, at);
  return at + what.length;
}
