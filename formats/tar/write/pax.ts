// Records of extended headers: `LENGTH KEY=VALUE\n`, the length in decimal and counting itself (POSIX.1-2017, pax,
// "pax Extended Header").

export type PaxRecord = readonly [key: Uint8Array, value: Uint8Array];

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
    const digits = String(recordSize(record));
    for (let i = 0; i < digits.length; i++) target[at++] = digits.charCodeAt(i);
    target[at++] = 0x20;
    target.set(key, at);
    at += key.length;
    target[at++] = 0x3d;
    target.set(value, at);
    at += value.length;
    target[at++] = 0x0a;
  }
}
