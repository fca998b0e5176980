// Names carry arbitrary bytes losslessly in strings: bytes that are not UTF-8 become lone surrogates U+DC80–U+DCFF
// (the "surrogateescape" of PEP 383) and turn back into the same bytes.

import { FsynthError } from "../error.ts";

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const SURROGATE = /[\ud800-\udfff]/;

/** The bytes of a name. Throws `source` when the string holds a lone surrogate that stands for no byte. */
export function encodeName(name: string): Uint8Array {
  if (!SURROGATE.test(name)) return encoder.encode(name);
  const bytes: number[] = [];
  for (const char of name) {
    const code = char.codePointAt(0) as number; // of a non-empty string
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00);
    else if (code >= 0xd800 && code <= 0xdfff) {
      throw new FsynthError(
        "source",
        `name ${quoteName(name)} holds the lone surrogate U+${code.toString(16).toUpperCase()}; only U+DC80 to U+DCFF stand for a byte`,
        { path: name },
      );
    } else for (const byte of encoder.encode(char)) bytes.push(byte);
  }
  const result = Uint8Array.from(bytes);
  if (decodeName(result) !== name) {
    throw new FsynthError(
      "source",
      `name ${quoteName(name)} spells valid UTF-8 as single bytes; expected ${quoteName(decodeName(result))}`,
      { path: name },
    );
  }
  return result;
}

/** The string of a name's bytes: UTF-8 where it is, U+DC80–U+DCFF for every other byte. */
export function decodeName(bytes: Uint8Array): string {
  const length = bytes.length;
  // Short ones cost less than the call of a decoder.
  if (length <= 12) {
    let ascii = "";
    let i = 0;
    for (; i < length; i++) {
      const byte = bytes[i] as number;
      if (byte >= 0x80) break;
      ascii += String.fromCharCode(byte);
    }
    if (i === length) return ascii;
  }
  try {
    return strict.decode(bytes);
  } catch {
    return decodeBroken(bytes);
  }
}

function decodeBroken(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) text += String.fromCharCode(0xdc00 + (bytes[i++] as number));
    else {
      text += strict.decode(bytes.subarray(i, i + length));
      i += length;
    }
  }
  return text;
}

/** Length of the well-formed UTF-8 sequence at `i`, 0 where there is none (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, i: number): number {
  const lead = bytes[i] as number;
  const at = (n: number): number => bytes[i + n] ?? 0;
  const tail = (n: number, low = 0x80, high = 0xbf): boolean => at(n) >= low && at(n) <= high;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    return tail(1, low, high) && tail(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf;
    return tail(1, low, high) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

/** A name for a person to read: control characters, backslashes and bytes that are not UTF-8 as `\xNN`, in quotes. */
export function quoteName(name: string): string {
  return `"${escapeName(name).replaceAll('"', "\\x22")}"`;
}

/** What may need escaping; a low surrogate of a pair is found too, and then left as it is. */
const ESCAPED = /[\x00-\x1f\x7f\\\udc80-\udcff]/;

/** The spelling of command line and tree.txt: `\xNN` for control characters, backslashes and bytes that are not UTF-8. */
export function escapeName(name: string): string {
  // Most names are their own spelling; one made character by character is a string of many pieces, which weigh much.
  if (!ESCAPED.test(name)) return name;
  let text = "";
  for (const char of name) {
    const code = char.codePointAt(0) as number; // of a non-empty string
    if (code >= 0xdc80 && code <= 0xdcff) text += hexByte(code - 0xdc00);
    else if (code < 0x20 || code === 0x7f || char === "\\") text += hexByte(code);
    else text += char;
  }
  return text;
}

function hexByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/**
 * The name behind the spelling of {@link escapeName}; `\\` is a backslash too.
 * Throws `usage` when a backslash starts anything else.
 */
export function unescapeName(text: string): string {
  if (!text.includes("\\")) return text;
  const parts: number[] = [];
  for (let i = 0; i < text.length; ) {
    if (text[i] !== "\\") {
      const char = String.fromCodePoint(text.codePointAt(i) as number);
      for (const byte of encodeName(char)) parts.push(byte);
      i += char.length;
    } else if (text[i + 1] === "\\") {
      parts.push(0x5c);
      i += 2;
    } else {
      const hex = /^x([0-9a-fA-F]{2})/.exec(text.slice(i + 1));
      if (!hex) {
        throw new FsynthError("usage", `"${text}": a backslash starts \\xNN or \\\\, found ${text.slice(i, i + 4)}`);
      }
      parts.push(Number.parseInt(hex[1] as string, 16));
      i += 4;
    }
  }
  return decodeName(Uint8Array.from(parts));
}

/** Order by bytes: negative, 0 or positive, a shorter prefix first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

// From U+D800 on, UTF-16 order and byte order part ways.
const ORDER_DIFFERS = /[\ud800-\uffff]/;

/** Order of two names by their encoded bytes. */
export function compareNames(a: string, b: string): number {
  if (ORDER_DIFFERS.test(a) || ORDER_DIFFERS.test(b)) return compareBytes(encodeName(a), encodeName(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
