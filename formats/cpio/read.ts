// The reader of cpio: members of archives that stand one behind the other, with zeros between them. It asks for the bytes it
// wants to see, and sees content only to verify the checksums of crc archives.

import { decodeName, quoteName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { FsynthError } from "../../src/error.ts";
import type { Warning } from "../../src/image/plan.ts";
import { addBytes } from "./checksum.ts";
import { TRAILER } from "./disk/headers.ts";
import { type Header, type Variant, variantOf } from "./header.ts";
import { PATH_MAX, TARGET_MAX } from "./limits.ts";
import type { CpioMember } from "./member.ts";
import { kindOfMode } from "./mode.ts";

/** Bytes that can be looked at anywhere. */
export interface ArchiveBytes {
  readonly size: number;
  /** The `length` bytes from `offset`, which lie within `size`. They hold until the next call. */
  view(offset: number, length: number): Uint8Array;
}

export interface CpioEvents {
  onMember(member: CpioMember): void;
  /** Called for each trailer, which starts at `offset` (undefined where it is missing): inode numbers behind it mean other files. */
  onArchiveEnd(offset: number | undefined): void;
  onWarning(warning: Warning): void;
}

/** Data looked at at once. */
const WINDOW = 256 * 1024;

/**
 * Reads members from `from` until the bytes end, or until something stands there that is neither zeros nor a member: a
 * compressed part, perhaps. Gives that place.
 *
 * Throws `corrupt` with the member's path and its offset, `unsupported` for kinds of files that no tree holds. `label` names the archive.
 */
export function readMembers(bytes: ArchiveBytes, from: number, label: string, events: CpioEvents): number {
  return new Reading(bytes, label, events).read(from);
}

class Reading {
  /** Where the next header is looked for. */
  #at = 0;
  /** Whether members were seen since the last trailer. */
  #open = false;

  constructor(
    readonly bytes: ArchiveBytes,
    readonly label: string,
    readonly events: CpioEvents,
  ) {}

  read(from: number): number {
    this.#at = from;
    for (;;) {
      const before = this.#at;
      this.#at = skipZeros(this.bytes, this.#at);
      const variant = this.#at < this.bytes.size ? variantOf(this.#some(this.#at, 6)) : undefined;
      if (variant === undefined) {
        if (this.#open) this.#unterminated(before);
        return this.#at;
      }
      this.#member(variant);
    }
  }

  /** Linux takes an archive without a trailer for a whole one, but so does one look whose end is missing. */
  #unterminated(at: number): void {
    this.#open = false;
    this.events.onArchiveEnd(undefined);
    // Something else follows: it is looked at next.
    if (this.#at < this.bytes.size) return;
    this.events.onWarning({
      code: "cpio-unterminated",
      message: `${this.label} ends at byte ${at} without the member ${TRAILER} that ends a cpio archive`,
    });
  }

  #member(variant: Variant): void {
    const offset = this.#at;
    const { size } = this.bytes;
    if (offset + variant.headerSize > size) {
      throw this.#bad(
        offset,
        undefined,
        `the archive ends at ${size}, ${size - offset} bytes into a header of ${variant.headerSize}`,
      );
    }
    const bad: string[] = [];
    const header = variant.read(viewOf(this.bytes.view(offset, variant.headerSize)), 0, bad);
    if (bad.length > 0) {
      const digits = variant.unit === 4 ? "8 hexadecimal digits" : "octal digits";
      throw this.#bad(offset, undefined, `${bad.join(", ")} of its header: expected ${digits}`);
    }
    const path = this.#path(variant, header, offset);
    const data = padded(offset + variant.headerSize + header.nameSize, offset, variant);
    const end = data + header.size;
    this.#at = padded(end, offset, variant);
    if (path === TRAILER) {
      if (end > size) throw this.#bad(offset, path, `the archive ends at ${size}, within its trailer`);
      this.#open = false;
      this.events.onArchiveEnd(offset);
      return;
    }
    this.#open = true;
    if (end > size) {
      throw this.#bad(
        offset,
        path,
        `its data of ${header.size} bytes runs from ${data} to ${end}, but the archive ends at ${size}`,
      );
    }
    this.events.onMember(this.#checked(variant, header, path, offset, data));
    // Nobody pads the last member of an archive that was cut there.
    this.#at = Math.min(this.#at, size);
  }

  #path(variant: Variant, { nameSize }: Header, offset: number): string {
    const start = offset + variant.headerSize;
    if (nameSize < 1 || nameSize > PATH_MAX) {
      throw this.#bad(offset, undefined, `its name has ${nameSize} bytes with the NUL, expected 1 to ${PATH_MAX}`);
    }
    if (start + nameSize > this.bytes.size) {
      throw this.#bad(
        offset,
        undefined,
        `its name of ${nameSize} bytes runs to ${start + nameSize}, but the archive ends at ${this.bytes.size}`,
      );
    }
    const name = this.bytes.view(start, nameSize);
    if (name[nameSize - 1] !== 0) {
      throw this.#bad(offset, decodeName(name), `its name of ${nameSize} bytes does not end with a NUL`);
    }
    // More zeros may follow, which put the data to its place.
    const path = decodeName(name.subarray(0, name.indexOf(0)));
    if (path === "") throw this.#bad(offset, undefined, "its name is empty");
    return path;
  }

  #checked(variant: Variant, header: Header, path: string, offset: number, data: number): CpioMember {
    const kind = kindOfMode(header.mode);
    if (kind === undefined) {
      throw this.#bad(
        offset,
        path,
        `its mode 0${header.mode.toString(8)} stands for no kind of file`,
        // HP-UX and others have more kinds than POSIX.
        (header.mode & 0o170000) === 0 ? "corrupt" : "unsupported",
      );
    }
    if (variant.name === "crc" && kind === "file") this.#verify(header, path, offset, data);
    return {
      variant: variant.name,
      kind,
      path,
      mode: header.mode & 0o7777,
      uid: header.uid,
      gid: header.gid,
      mtime: header.mtime,
      links: header.links,
      identity: `${header.device}:${header.ino}:${kind}`,
      major: kind.endsWith("device") ? header.major : 0,
      minor: kind.endsWith("device") ? header.minor : 0,
      target: kind === "symlink" ? this.#target(header.size, path, offset, data) : "",
      offset,
      data,
      // What stands behind other kinds is passed over, as Linux does.
      size: kind === "file" ? header.size : 0,
    };
  }

  #target(size: number, path: string, offset: number, data: number): string {
    if (size === 0) throw this.#bad(offset, path, "it is a symlink to nothing: its target is missing");
    // One byte more, since gen_init_cpio writes the NUL, too.
    if (size > TARGET_MAX + 1)
      throw this.#bad(offset, path, `its target has ${size} bytes; ${TARGET_MAX} is the most of a symlink`);
    const bytes = this.bytes.view(data, size);
    let end = size;
    while (end > 0 && bytes[end - 1] === 0) end--;
    const target = decodeName(bytes.subarray(0, end));
    if (target === "" || target.includes("\0"))
      throw this.#bad(offset, path, `its target ${quoteName(target)} holds a NUL byte or nothing else`);
    return target;
  }

  #verify(header: Header, path: string, offset: number, data: number): void {
    let sum = 0;
    for (let at = data; at < data + header.size; at += WINDOW) {
      sum = addBytes(sum, this.bytes.view(at, Math.min(WINDOW, data + header.size - at)));
    }
    if (sum !== header.sum) {
      throw this.#bad(offset, path, `the sum of its data is 0x${sum.toString(16)}, its header says 0x${header.sum.toString(16)}`);
    }
  }

  #some(offset: number, most: number): Uint8Array {
    return this.bytes.view(offset, Math.min(most, this.bytes.size - offset));
  }

  #bad(offset: number, path: string | undefined, sentence: string, code: "corrupt" | "unsupported" = "corrupt"): FsynthError {
    const name = path === undefined ? "" : ` (${quoteName(path)})`;
    return new FsynthError(code, `${this.label}: member at byte ${offset}${name}: ${sentence}`, {
      format: "cpio",
      offset,
      ...(path !== undefined && { path }),
    });
  }
}

/** Ends of names and data are counted from the header, which itself starts at such a place in sound archives. */
function padded(end: number, offset: number, { unit }: Variant): number {
  return offset + Math.ceil((end - offset) / unit) * unit;
}

/** The first byte from `from` on that is not zero, or the end. */
export function skipZeros(bytes: ArchiveBytes, from: number): number {
  let at = from;
  while (at < bytes.size) {
    const window = bytes.view(at, Math.min(at === from ? 512 : WINDOW, bytes.size - at));
    const found = window.findIndex((byte) => byte !== 0);
    if (found >= 0) return at + found;
    at += window.length;
  }
  return at;
}
