// The reader of tar: a state machine that says which bytes it wants and is handed them, so that one parser serves a
// file on disk (contents are jumped over), bytes in memory, and a stream. It never sees content and never waits.
//
// Dialects and how they are told apart: README.md. Records: records.ts.

import { decodeName, quoteName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { assert, FsynthError } from "../../src/error.ts";
import type { Warning } from "../../src/image/plan.ts";
import type { Time } from "../../src/tree/node.ts";
import { type IdOf, ownerIds } from "./acl.ts";
import { blockSum, checksumOf, signedChecksumOf } from "./checksum.ts";
import type { TarEntry, TarKind } from "./entry.ts";
import { MAX_EXTENSION } from "./limits.ts";
import { readDecimal, readNumber } from "./number.ts";
import { emptyRecords, type Fail, knownKey, type PaxRecords, parsePax, parsePaxTime } from "./pax.ts";
import { BLOCK, oldgnu, sparseExtension, star, TYPE, ustar } from "./records.ts";
import { addOldGnuPairs, checkedExtents, MapReader, parseMapRecord } from "./sparse.ts";
import { type FoundXattrs, isXattrKey, xattrsOf } from "./xattr.ts";

const MAX_ID = 0xffff_ffff;

const NONE: readonly never[] = [];

type State = "header" | "extension" | "sparse-extension" | "sparse-map" | "link-data" | "done";

/** An entry in the making. */
type Draft = { -readonly [K in keyof TarEntry]: TarEntry[K] };

export interface TarReaderEvents {
  /** Called as soon as an entry's headers are complete, before its content is passed. */
  onEntry(entry: TarEntry): void;
  onWarning?: ((warning: Warning) => void) | undefined;
}

/**
 * Reads one tar archive, or several one behind the other.
 *
 * Hand it the `want` bytes that start at `position`, again and again, by {@link take}; `position` may stay where it is
 * (the same block is looked at twice) or jump ahead over content. `want` 0 means that the rest is of no interest.
 * Call {@link end} when the source has no more. Both throw FsynthError `corrupt` or `unsupported` with the entry's path
 * and the offset.
 */
export class TarReader {
  position = 0;
  want = BLOCK;

  readonly #label: string;
  readonly #events: TarReaderEvents;
  #state: State = "header";
  #zeroBlocks = 0;
  #sawHeader = false;
  /** Where the first header of the entry at hand starts; -1 between entries. */
  #start = -1;
  /** The entry whose content is being passed, and where that ends. */
  #last: { readonly path: string; readonly data: number; readonly stored: number } | undefined;

  #global: PaxRecords = emptyRecords();
  #globalXattrs: FoundXattrs | undefined;
  #globalSeen = false;
  #local: PaxRecords = emptyRecords();
  #sawPax = false;
  #longName: Uint8Array | undefined;
  #longLink: Uint8Array | undefined;
  #extension = { type: "", size: 0, base: 0 };

  #draft: Draft | undefined;
  #pairs: number[] = [];
  #map = new MapReader();

  #time: Time = { sec: 0, nsec: 0 };
  #buffer: Uint8Array = new Uint8Array(0);
  #view: DataView = viewOf(this.#buffer);
  readonly #warnedKeys = new Set<string>();

  /** `label` names the archive in messages. */
  constructor(label: string, events: TarReaderEvents) {
    this.#label = label;
    this.#events = events;
  }

  /** Takes the wanted bytes, which stand at `at` in `bytes`; they are not kept. */
  take(bytes: Uint8Array, at: number): void {
    if (bytes !== this.#buffer) {
      this.#buffer = bytes;
      this.#view = viewOf(bytes);
    }
    switch (this.#state) {
      case "header":
        this.#takeHeader(bytes, at);
        return;
      case "extension":
        this.#takeExtension(bytes.slice(at, at + this.#extension.size));
        return;
      case "sparse-extension":
        this.#takeSparseExtension(bytes, at);
        return;
      case "sparse-map":
        this.#takeSparseMap(bytes, at);
        return;
      case "link-data":
        this.#takeLinkData(bytes, at);
        return;
      default:
        assert(false, "the tar reader was given bytes it did not want");
    }
  }

  /** Ends the archive at byte `total`; `rest` are the bytes from `position` on, fewer than wanted. */
  end(total: number, rest: Uint8Array): void {
    if (this.#state === "done") return;
    const last = this.#last;
    if (last && last.data + last.stored > total) {
      throw this.#error(
        "corrupt",
        `its content of ${last.stored} bytes runs from ${last.data} to ${last.data + last.stored}, but the archive ends at ${total}`,
        last.path,
        last.data,
      );
    }
    if (this.#state === "link-data" && rest.length === 0) {
      (this.#draft as Draft).stored = 0; // set before this state; nothing follows, so nothing is stored
      this.#emit();
    }
    if (this.#state !== "header" || this.#start >= 0) {
      const path = this.#draft?.path;
      throw this.#error("corrupt", `the archive ends at ${total}, within the headers of an entry`, path, this.#start);
    }
    const zeros = rest.every((byte) => byte === 0);
    if (!zeros && this.#zeroBlocks >= 2) {
      this.#warnJunk(this.position);
      return;
    }
    if (rest.length > 0 && !zeros) {
      const what = this.#sawHeader || this.#zeroBlocks > 0 ? "a header" : "its first header; this is no tar archive";
      throw this.#error("corrupt", `it ends at ${total}, ${rest.length} bytes into ${what}`, undefined, this.position);
    }
    if (!this.#sawHeader && this.#zeroBlocks === 0) {
      throw this.#error("corrupt", `it has ${total} bytes; an empty tar archive has at least 1024`, undefined, 0);
    }
    if (this.#zeroBlocks === 0) {
      this.#warn(
        "tar-unterminated",
        `${this.#label} ends at byte ${total} without the two blocks of zeros that end a tar archive`,
      );
    }
  }

  #takeHeader(bytes: Uint8Array, at: number): void {
    const sum = blockSum(this.#view, at);
    if (sum === 0) {
      this.#takeZeros();
      return;
    }
    const checksum = checksumOf(bytes, at, sum);
    const { offset, size } = ustar.f.chksum;
    const found = readNumber(bytes, at + offset, size);
    if (found !== checksum && found !== signedChecksumOf(bytes, at, checksum)) {
      // POSIX: in the last record, what stands behind the two blocks of zeros is undefined.
      if (this.#zeroBlocks >= 2 && this.#start < 0) {
        this.#warnJunk(this.position);
        return;
      }
      const hint = this.#sawHeader ? "" : "; this is no tar archive";
      throw this.#error(
        "corrupt",
        `the checksum of a header is ${spelled(found)}, expected ${checksum}${hint}`,
        undefined,
        this.position,
      );
    }
    if (this.#zeroBlocks > 0) this.#nextArchive();
    this.#sawHeader = true;
    this.#last = undefined;
    if (this.#start < 0) this.#start = this.position;
    this.#dispatch(bytes, at);
  }

  #takeZeros(): void {
    if (this.#start >= 0) {
      throw this.#error("corrupt", "the archive ends behind an extended header that belongs to no entry", undefined, this.#start);
    }
    this.#last = undefined;
    this.#zeroBlocks++;
    this.position += BLOCK;
  }

  /** A header behind blocks of zeros: another archive was appended. Its global headers are its own. */
  #nextArchive(): void {
    if (this.#zeroBlocks === 1) {
      this.#warn(
        "tar-lone-zero-block",
        `${this.#label}: a lone block of zeros at byte ${this.position - BLOCK}; reading goes on behind it`,
      );
    }
    this.#zeroBlocks = 0;
    this.#global = emptyRecords();
    this.#forgetGlobal();
    this.#sawPax = false;
  }

  #dispatch(bytes: Uint8Array, at: number): void {
    const code = bytes[at + ustar.f.typeflag.offset] as number; // inside the block
    const type = code === 0 ? TYPE.file : String.fromCharCode(code);
    switch (type) {
      case TYPE.paxGlobal:
      case TYPE.paxFile:
      case TYPE.paxSolaris:
      case TYPE.gnuLongName:
      case TYPE.gnuLongLink:
        this.#startExtension(bytes, at, type);
        return;
      case TYPE.file:
      case TYPE.contiguous:
      case TYPE.gnuSparse:
        this.#startEntry(bytes, at, type, "file");
        return;
      case TYPE.link:
        this.#startEntry(bytes, at, type, "link");
        return;
      case TYPE.symlink:
        this.#startEntry(bytes, at, type, "symlink");
        return;
      case TYPE.characterDevice:
        this.#startEntry(bytes, at, type, "character-device");
        return;
      case TYPE.blockDevice:
        this.#startEntry(bytes, at, type, "block-device");
        return;
      case TYPE.directory:
      case TYPE.gnuDumpDirectory:
        this.#startEntry(bytes, at, type, "directory");
        return;
      case TYPE.fifo:
        this.#startEntry(bytes, at, type, "fifo");
        return;
      case TYPE.gnuVolumeLabel:
        this.#forget();
        this.position += BLOCK;
        return;
      default: {
        const meaning =
          type === TYPE.gnuMultiVolume
            ? "the continuation of a file from another volume; join the volumes first"
            : type === TYPE.gnuOldLongNames
              ? "long names of a GNU tar from before 1993"
              : `of a kind that fsynth does not know`;
        const path = this.#pathOf(bytes, at);
        throw this.#error("unsupported", `its type flag ${quoteName(type)} says that it is ${meaning}`, path, this.position);
      }
    }
  }

  // Extended headers: their payload describes the entry behind them.

  #startExtension(bytes: Uint8Array, at: number, type: string): void {
    const size = this.#number(bytes, at, "size", MAX_EXTENSION);
    this.#extension = { type, size, base: this.position + BLOCK };
    this.position += BLOCK;
    this.want = roundUp(size);
    this.#state = "extension";
    if (size === 0) this.#takeExtension(new Uint8Array(0));
  }

  #takeExtension(payload: Uint8Array): void {
    const { type, base } = this.#extension;
    if (type === TYPE.gnuLongName) this.#longName = untilNul(payload);
    else if (type === TYPE.gnuLongLink) this.#longLink = untilNul(payload);
    else {
      this.#sawPax = true;
      const global = type === TYPE.paxGlobal;
      if (global) this.#forgetGlobal();
      parsePax(payload, base, global ? this.#global : this.#local, (sentence, offset) => {
        throw this.#error("corrupt", sentence, undefined, offset ?? base);
      });
      // A global header stands for itself: the archive may end behind it.
      if (global && this.#local.values.size === 0 && !this.#longName && !this.#longLink) this.#start = -1;
    }
    this.position = base + roundUp(payload.length);
    this.want = BLOCK;
    this.#state = "header";
  }

  // Entries.

  #startEntry(bytes: Uint8Array, at: number, type: string, given: TarKind): void {
    const pax = this.#sawPax;
    const path = this.#pathOf(bytes, at);
    // A regular file whose name ends in a slash is how tars before POSIX, and BSD's, wrote directories.
    const kind = given === "file" && type !== TYPE.gnuSparse && path.endsWith("/") ? "directory" : given;
    const draft = this.#metadata(bytes, at, kind, path);
    this.#draft = draft;
    draft.data = this.position + BLOCK;
    draft.stored =
      this.#paxNumber("size", Number.MAX_SAFE_INTEGER) ?? this.#number(bytes, at, "size", Number.MAX_SAFE_INTEGER, path);
    // POSIX: only files have content, whatever the size field of the others says.
    if (kind !== "file" && kind !== "link" && type !== TYPE.gnuDumpDirectory) draft.stored = 0;
    draft.size = kind === "file" ? draft.stored : 0;
    if (draft.data + draft.stored > Number.MAX_SAFE_INTEGER) this.#fail(`its size ${draft.stored} is beyond any archive`);
    if (type === TYPE.gnuSparse) {
      this.#startOldSparse(bytes, at, draft);
      return;
    }
    if (kind === "file" && pax) {
      this.#startPaxSparse(draft);
      return;
    }
    if (kind === "link" && draft.stored > 0) {
      this.#startLink(bytes, at, draft);
      return;
    }
    this.#emit();
  }

  #metadata(bytes: Uint8Array, at: number, kind: TarKind, path: string): Draft {
    const device = kind === "character-device" || kind === "block-device";
    const mtime = this.#timeField(bytes, at + ustar.f.mtime.offset, ustar.f.mtime.size, "mtime", path);
    const draft: Draft = {
      kind,
      path,
      linkPath: kind === "link" || kind === "symlink" ? this.#linkPathOf(bytes, at) : "",
      // Tars before POSIX put the kind into the upper bits.
      mode: this.#number(bytes, at, "mode", 0xffff_ffff, path) & 0o7777,
      uid: this.#paxNumber("uid", MAX_ID) ?? this.#number(bytes, at, "uid", MAX_ID, path),
      gid: this.#paxNumber("gid", MAX_ID) ?? this.#number(bytes, at, "gid", MAX_ID, path),
      mtime,
      atime: mtime,
      ctime: mtime,
      btime: mtime,
      major: device ? (this.#paxNumber("SCHILY.devmajor", MAX_ID) ?? this.#number(bytes, at, "devmajor", MAX_ID, path)) : 0,
      minor: device ? (this.#paxNumber("SCHILY.devminor", MAX_ID) ?? this.#number(bytes, at, "devminor", MAX_ID, path)) : 0,
      xattrs: undefined,
      namedAcls: NONE,
      size: 0,
      extents: undefined,
      offset: this.#start,
      data: 0,
      stored: 0,
    };
    this.#headerTimes(bytes, at, draft);
    if (this.#sawPax) this.#applyPax(bytes, at, draft);
    return draft;
  }

  /** Two more times, where GNU tar and star keep them. */
  #headerTimes(bytes: Uint8Array, at: number, draft: Draft): void {
    const place = isGnu(bytes, at) ? oldgnu : isStar(bytes, at) ? star : undefined;
    if (!place) return;
    const { atime, ctime } = place.f;
    if (bytes[at + atime.offset] !== 0) {
      const time = this.#timeField(bytes, at + atime.offset, atime.size, "atime", draft.path);
      if (time.sec !== 0) draft.atime = time;
    }
    if (bytes[at + ctime.offset] !== 0) {
      const time = this.#timeField(bytes, at + ctime.offset, ctime.size, "ctime", draft.path);
      if (time.sec !== 0) draft.ctime = time;
    }
  }

  #applyPax(bytes: Uint8Array, at: number, draft: Draft): void {
    const mtime = this.#paxTime("mtime", draft.path);
    if (mtime) {
      if (draft.atime === draft.mtime) draft.atime = mtime;
      if (draft.ctime === draft.mtime) draft.ctime = mtime;
      draft.btime = mtime;
      draft.mtime = mtime;
    }
    draft.atime = this.#paxTime("atime", draft.path) ?? draft.atime;
    draft.ctime = this.#paxTime("ctime", draft.path) ?? draft.ctime;
    draft.btime = this.#paxTime("LIBARCHIVE.creationtime", draft.path) ?? draft.btime;
    const owner = (): IdOf =>
      ownerIds(fieldText(bytes, at, ustar.f.uname), draft.uid, fieldText(bytes, at, ustar.f.gname), draft.gid);
    const fail = (sentence: string): never => {
      throw this.#error("corrupt", sentence, draft.path, this.position);
    };
    const found = this.#xattrs(owner, fail);
    draft.xattrs = found.xattrs;
    draft.namedAcls = found.namedAcls;
    if (found.aclMode !== undefined) draft.mode = (draft.mode & 0o7000) | found.aclMode;
    for (const key of this.#newKeys()) {
      if (knownKey(key) || this.#warnedKeys.has(key)) continue;
      this.#warnedKeys.add(key);
      this.#warn(
        "tar-keyword-ignored",
        `${this.#label}: the pax keyword ${quoteName(key)} is not understood and left out; first at ${quoteName(draft.path)}`,
      );
    }
  }

  #forgetGlobal(): void {
    this.#globalXattrs = undefined;
    this.#globalSeen = false;
  }

  /** The xattrs of an entry. Entries that add none to those of the global headers share one map, or few bytes would become many. */
  #xattrs(owner: () => IdOf, fail: Fail): FoundXattrs {
    if ([...this.#local.values.keys()].some(isXattrKey)) return xattrsOf(this.#records(), owner, fail);
    const known = this.#globalXattrs;
    if (known) return known;
    const found = xattrsOf(this.#global.values, owner, fail);
    // What an ACL by name comes to depends on the entry.
    if (found.aclMode === undefined && found.namedAcls.length === 0) this.#globalXattrs = found;
    return found;
  }

  /** Keys that have not been looked at: an entry's own, and those of a global header once. */
  *#newKeys(): Generator<string> {
    yield* this.#local.values.keys();
    if (this.#globalSeen) return;
    this.#globalSeen = true;
    yield* this.#global.values.keys();
  }

  /** The records in force, an entry's own in front of the global ones. */
  *#records(): Generator<readonly [string, Uint8Array]> {
    const local = this.#local.values;
    yield* local;
    for (const record of this.#global.values) if (!local.has(record[0])) yield record;
  }

  #startOldSparse(bytes: Uint8Array, at: number, draft: Draft): void {
    const { sp, isextended, realsize } = oldgnu.f;
    draft.size = this.#checked(
      readNumber(bytes, at + realsize.offset, realsize.size),
      "realsize",
      Number.MAX_SAFE_INTEGER,
      draft.path,
    );
    this.#pairs = [];
    addOldGnuPairs(bytes, at + sp.offset, sp.size, this.#pairs, this.#fail);
    if (bytes[at + isextended.offset] === 0) {
      this.#finishSparse(draft);
      return;
    }
    this.position += BLOCK;
    this.#state = "sparse-extension";
  }

  #takeSparseExtension(bytes: Uint8Array, at: number): void {
    const draft = this.#draft as Draft; // set before this state
    const { sp, isextended } = sparseExtension.f;
    addOldGnuPairs(bytes, at + sp.offset, sp.size, this.#pairs, this.#fail);
    draft.data += BLOCK;
    if (bytes[at + isextended.offset] === 0) {
      this.#finishSparse(draft);
      return;
    }
    this.position += BLOCK;
  }

  #startPaxSparse(draft: Draft): void {
    const major = this.#paxNumber("GNU.sparse.major", 99);
    const minor = this.#paxNumber("GNU.sparse.minor", 99) ?? 0;
    const realSize = this.#paxNumber("GNU.sparse.realsize", Number.MAX_SAFE_INTEGER);
    const size = realSize ?? this.#paxNumber("GNU.sparse.size", Number.MAX_SAFE_INTEGER);
    if (major !== undefined && (major > 1 || minor > (major === 0 ? 1 : 0))) {
      throw this.#error(
        "unsupported",
        `it is stored sparse in format ${major}.${minor}; 0.0, 0.1 and 1.0 are known`,
        draft.path,
        this.position,
      );
    }
    if (major === 1) {
      draft.size = size ?? this.#fail("it is stored sparse, but GNU.sparse.realsize is missing");
      this.position = draft.data;
      this.#map = new MapReader();
      this.#state = "sparse-map";
      if (draft.stored < BLOCK) this.#fail(`its ${draft.stored} stored bytes are too few for a sparse map`);
      return;
    }
    const map = this.#paxValue("GNU.sparse.map");
    const pairs = this.#local.sparsePairs;
    if (map || pairs.length > 0 || size !== undefined) {
      draft.size = size ?? this.#fail("it is stored sparse, but GNU.sparse.size is missing");
      this.#pairs = map ? parseMapRecord(map, this.#fail) : pairs;
      this.#finishSparse(draft);
      return;
    }
    const whole = this.#paxNumber("SCHILY.realsize", Number.MAX_SAFE_INTEGER);
    if (whole !== undefined && whole !== draft.stored) {
      throw this.#error(
        "unsupported",
        `star stored it sparse (${draft.stored} of ${whole} bytes); GNU's sparse formats are known`,
        draft.path,
        this.position,
      );
    }
    this.#emit();
  }

  #takeSparseMap(bytes: Uint8Array, at: number): void {
    const draft = this.#draft as Draft; // set before this state
    const complete = this.#map.take(bytes, at, BLOCK, this.#fail);
    draft.data += BLOCK;
    draft.stored -= BLOCK;
    if (complete) {
      this.#pairs = this.#map.pairs;
      this.#finishSparse(draft);
      return;
    }
    if (draft.stored < BLOCK) this.#fail("its sparse map does not end within its stored bytes");
    this.position += BLOCK;
  }

  #finishSparse(draft: Draft): void {
    const extents = checkedExtents(this.#pairs, draft.size, draft.stored, this.#fail);
    // A map that covers the whole file says nothing: it is dense.
    if (draft.stored < draft.size) draft.extents = extents;
    this.#emit();
  }

  /**
   * A hard link with a size. Tars of old wrote the file's size there and no content; POSIX 2001 allows content in pax
   * archives. As libarchive does: pax headers seen, there is content; an old or GNU header, there is none; otherwise the
   * next block tells, by being a header or not.
   */
  #startLink(bytes: Uint8Array, at: number, draft: Draft): void {
    if (this.#sawPax) {
      this.#emit();
      return;
    }
    if (isGnu(bytes, at) || !isUstar(bytes, at)) {
      draft.stored = 0;
      this.#emit();
      return;
    }
    this.position += BLOCK;
    this.#state = "link-data";
  }

  #takeLinkData(bytes: Uint8Array, at: number): void {
    const sum = blockSum(this.#view, at);
    const checksum = checksumOf(bytes, at, sum);
    const { offset, size } = ustar.f.chksum;
    const draft = this.#draft as Draft; // set before this state
    if (sum === 0 || readNumber(bytes, at + offset, size) === checksum) draft.stored = 0;
    this.#emit();
  }

  #emit(): void {
    const draft = this.#draft as Draft; // every caller has one
    this.#last = draft;
    this.position = roundUp(draft.data + draft.stored);
    this.want = BLOCK;
    this.#state = "header";
    this.#forget();
    this.#events.onEntry(draft);
  }

  /** Drops what belonged to the entry at hand. */
  #forget(): void {
    this.#start = -1;
    this.#draft = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    if (this.#local.values.size > 0 || this.#local.sparsePairs.length > 0) this.#local = emptyRecords();
  }

  // Fields.

  #pathOf(bytes: Uint8Array, at: number): string {
    const given = this.#paxValue("GNU.sparse.name") ?? this.#paxValue("path") ?? this.#longName;
    const path = given ? decodeName(given) : headerPath(bytes, at);
    if (path === "") throw this.#error("corrupt", "it has no name", undefined, this.position);
    return path;
  }

  #linkPathOf(bytes: Uint8Array, at: number): string {
    const given = this.#paxValue("linkpath") ?? this.#longLink;
    return given ? decodeName(given) : fieldText(bytes, at, ustar.f.linkname);
  }

  #number(
    bytes: Uint8Array,
    at: number,
    field: "mode" | "uid" | "gid" | "size" | "devmajor" | "devminor",
    most: number,
    path?: string,
  ): number {
    const { offset, size } = ustar.f[field];
    return this.#checked(readNumber(bytes, at + offset, size), field, most, path);
  }

  #checked(value: number, field: string, most: number, path: string | undefined): number {
    if (value >= 0 && value <= most) return value;
    throw this.#error("corrupt", `its ${field} is ${spelled(value)}, expected 0 to ${most}`, path, this.position);
  }

  #timeField(bytes: Uint8Array, at: number, length: number, field: string, path: string): Time {
    const sec = readNumber(bytes, at, length);
    if (!Number.isSafeInteger(sec)) {
      throw this.#error("corrupt", `its ${field} is ${spelled(sec)}, expected seconds within 2^53`, path, this.position);
    }
    // Neighbours often share their time: one object for all of them.
    if (this.#time.sec !== sec || this.#time.nsec !== 0) this.#time = { sec, nsec: 0 };
    return this.#time;
  }

  /** The value of a standard keyword; an empty one takes back what an earlier or global header said. */
  #paxValue(key: string): Uint8Array | undefined {
    if (!this.#sawPax) return undefined;
    const value = this.#local.values.get(key) ?? this.#global.values.get(key);
    return value === undefined || value.length === 0 ? undefined : value;
  }

  #paxNumber(key: string, most: number): number | undefined {
    const value = this.#paxValue(key);
    if (value === undefined) return undefined;
    const number = readDecimal(value);
    if (number >= 0 && number <= most) return number;
    throw this.#error(
      "corrupt",
      `its pax record ${key} is ${quoteName(decodeName(value))}, expected a number from 0 to ${most}`,
      this.#draft?.path,
      this.position,
    );
  }

  #paxTime(key: string, path: string): Time | undefined {
    const value = this.#paxValue(key);
    if (value === undefined) return undefined;
    const time = parsePaxTime(value);
    if (time) return time;
    throw this.#error(
      "corrupt",
      `its pax record ${key} is ${quoteName(decodeName(value))}, expected seconds in decimal`,
      path,
      this.position,
    );
  }

  // Complaints.

  readonly #fail = (sentence: string, offset?: number): never => {
    throw this.#error("corrupt", sentence, this.#draft?.path, offset ?? this.position);
  };

  #error(code: "corrupt" | "unsupported", sentence: string, path: string | undefined, offset: number): FsynthError {
    const entry = path === undefined ? "" : ` entry ${quoteName(path)}`;
    return new FsynthError(code, `${this.#label}:${entry} at byte ${offset}: ${sentence}`, {
      format: "tar",
      offset,
      ...(path === undefined ? {} : { path }),
    });
  }

  #warn(code: string, message: string): void {
    this.#events.onWarning?.({ code, message });
  }

  #warnJunk(from: number): void {
    this.#warn(
      "tar-trailing-junk",
      `${this.#label}: what stands behind the end of the archive, from byte ${from} on, is left out`,
    );
    this.#state = "done";
    this.want = 0;
  }
}

/** A number of a header for a person to read. */
function spelled(value: number): string {
  if (Number.isNaN(value)) return "no number";
  return Number.isSafeInteger(value) ? String(value) : "a number beyond 2^53";
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** `ustar` and a NUL: POSIX. */
function isUstar(bytes: Uint8Array, at: number): boolean {
  return startsUstar(bytes, at) && bytes[at + 262] === 0;
}

/** `ustar` and two spaces, one of them where POSIX has its version. */
function isGnu(bytes: Uint8Array, at: number): boolean {
  return startsUstar(bytes, at) && bytes[at + 262] === 0x20;
}

function startsUstar(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 257] === 0x75 &&
    bytes[at + 258] === 0x73 &&
    bytes[at + 259] === 0x74 &&
    bytes[at + 260] === 0x61 &&
    bytes[at + 261] === 0x72
  );
}

function isStar(bytes: Uint8Array, at: number): boolean {
  return (
    isUstar(bytes, at) &&
    bytes[at + 508] === 0x74 &&
    bytes[at + 509] === 0x61 &&
    bytes[at + 510] === 0x72 &&
    bytes[at + 511] === 0
  );
}

function headerPath(bytes: Uint8Array, at: number): string {
  const name = fieldText(bytes, at, ustar.f.name);
  if (bytes[at + ustar.f.prefix.offset] === 0 || !isUstar(bytes, at)) return name;
  const prefix = fieldText(bytes, at, isStar(bytes, at) ? star.f.prefix : ustar.f.prefix);
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** The text of a field, up to its first NUL. */
function fieldText(bytes: Uint8Array, at: number, field: { readonly offset: number; readonly size: number }): string {
  const from = at + field.offset;
  const most = from + field.size;
  let end = from;
  while (end < most && bytes[end] !== 0) end++;
  return end === from ? "" : decodeName(bytes.subarray(from, end));
}
