// Which release a kernel is: what modules it wants.

/** Bytes that {@link kernelRelease} wants of the front of the file: the header reaches 0x200 + 65535. */
export const KERNEL_HEAD = 0x200 + 0x10000;

/**
 * The release in the header of an x86 kernel, such as `6.1.0-56-amd64`; undefined for what is no bzImage.
 *
 * Specification: Linux Documentation/arch/x86/boot.rst, "HdrS" at 0x202 and kernel_version at 0x20e, which leads to the
 * text behind 0x200.
 */
export function kernelRelease(head: Uint8Array): string | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 0x210 || view.getUint32(0x202) !== 0x48647253) return undefined;
  // Older protocols than 2.00 have no such field.
  if (view.getUint16(0x206, true) < 0x200) return undefined;
  const start = view.getUint16(0x20e, true);
  if (start === 0) return undefined;
  const from = start + 0x200;
  let end = from;
  while (end < head.length && end < from + 200 && head[end] !== 0) end++;
  const text = String.fromCharCode(...head.subarray(from, end));
  return /^(\d+\.\d+\S*)/.exec(text)?.[1];
}

/** The release in a file's name: `vmlinuz-6.1.0-56-amd64`. */
export function releaseOfName(path: string): string | undefined {
  return /\/?vmlinu[xz]-(\d[^/]*)$/.exec(path)?.[1] ?? /\/modules\/(\d[^/]*)\/vmlinu[xz]$/.exec(path)?.[1];
}

/** Orders releases, older first: numbers by value, words by letters, `rc` before everything, and what goes on is later. */
export function compareReleases(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i], right[i]];
    if (x === y) continue;
    if (typeof x === "string" && typeof y === "string") return x < y ? -1 : 1;
    const [m, n] = [rank(x), rank(y)];
    if (m !== n) return m - n;
  }
  return 0;
}

/** A missing part is before a word, a word before a number, but a release candidate before them all. */
function rank(part: number | string | undefined): number {
  if (part === undefined) return -2;
  if (typeof part === "number") return part;
  return part === "rc" ? -3 : -1;
}

function parts(release: string): (number | string)[] {
  return (release.match(/\d+|[a-z]+/gi) ?? []).map((part) => (/^\d/.test(part) ? Number(part) : part));
}
