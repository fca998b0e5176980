// Names that are encrypted, for those without the key: letters and digits, and unlike the bytes themselves never a slash or NUL.

import { crc32c } from "../../../src/bytes/crc.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Bytes whose letters leave room for a checksum within the 255 of a name. */
const WHOLE = 180;

/** The bytes in base64url (RFC 4648, section 5) without padding; of long names the front and a checksum of all. */
export function encryptedName(bytes: Uint8Array): string {
  const front = bytes.subarray(0, WHOLE);
  let text = "";
  for (let i = 0; i < front.length; i += 3) {
    const left = Math.min(3, front.length - i);
    const word = ((front[i] as number) << 16) | ((front[i + 1] ?? 0) << 8) | (front[i + 2] ?? 0);
    for (let k = 0; k <= left; k++) text += LETTERS[(word >>> (18 - 6 * k)) & 63];
  }
  return bytes.length > WHOLE ? `${text}.${crc32c(0xffff_ffff, bytes).toString(16).padStart(8, "0")}` : text;
}
