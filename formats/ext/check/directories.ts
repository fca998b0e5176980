// Directories: the chain of entries in every block, `.` and `..`, where names lead, kinds, checksums.
// Specification: Linux Documentation/filesystems/ext4/directory.rst.

import { crc32c } from "../../../src/bytes/crc.ts";
import { decodeName, escapeName } from "../../../src/bytes/names.ts";
import { viewOf } from "../../../src/bytes/struct.ts";
import { DirentTail, TAIL_FILE_TYPE } from "../disk/dirent.ts";
import { GroupFlags } from "../disk/group.ts";
import { I_BLOCK_SIZE } from "../disk/inode.ts";
import { Superblock } from "../disk/superblock.ts";
import { recordLength } from "../read/directory.ts";
import { hex } from "../read/fault.ts";
import { inlineData } from "../read/xattrs.ts";
import { walkMap } from "./blocks.ts";
import { silent, type Tell, unreported } from "./findings.ts";
import { Htree, readHtree } from "./htree.ts";
import { inlineSize } from "./inline-data.ts";
import { blockArea, has, type Raw, rawInode } from "./raw-inode.ts";
import type { State } from "./state.ts";

/** Bytes of an entry with a one-byte name, the shortest there is. */
const SHORTEST = 12;
const ENTRY_HEADER = 8;
/** What an encrypted, casefolded entry keeps behind its name. */
const STORED_HASH = 8;
/** Shortest name that encryption gives. */
const ENCRYPTED_NAME = 16;
const SLASH = 0x2f;
const DOT = 0x2e;

export function checkDirectories(state: State): void {
  const { table, directories, inodes, sb } = state;
  table.parent.set(2, 2);
  const shared = new Set<number>();
  for (const number of directories) {
    const record = inodes.read(number, unreported);
    if (record) new DirectoryCheck(state, rawInode(sb, record), shared).check();
  }
}

class DirectoryCheck {
  readonly tell: Tell;
  readonly #names = new Set<string>();
  readonly #decoder = new TextDecoder("latin1");
  readonly #view: { readonly quota: readonly number[]; readonly filetype: boolean };
  readonly #hidden: boolean;
  readonly #keepsHash: boolean;
  #dots = 0;
  #htree: Htree | undefined;

  constructor(
    readonly state: State,
    readonly inode: Raw,
    /** Blocks that several inodes claim, and one directory has been through. */
    readonly shared: Set<number>,
  ) {
    this.tell = state.findings.atInode(inode.number);
    const f = Superblock.f;
    const { view, features } = state.sb;
    const quota = [f.s_usr_quota_inum, f.s_grp_quota_inum, f.s_prj_quota_inum, f.s_orphan_file_inum];
    this.#view = { quota: quota.map((field) => field.get(view, 0)), filetype: features.has("filetype") };
    this.#hidden = has(inode, "ENCRYPT");
    this.#keepsHash = this.#hidden && has(inode, "CASEFOLD");
  }

  check(): void {
    if (has(this.inode, "INLINE_DATA") && this.state.sb.features.has("inline_data")) this.#inline();
    else this.#blocks();
  }

  #inline(): void {
    const { state, inode } = this;
    const size = inlineSize(state, inode);
    if (size === undefined) return; // told with its inode
    if (size % 4 !== 0 || (size > I_BLOCK_SIZE && size < I_BLOCK_SIZE + SHORTEST)) {
      this.tell("inline-data", `${size} bytes of entries in the inode`, `${I_BLOCK_SIZE}, or ${SHORTEST} more, in fours`);
    }
    const area = blockArea(inode);
    const parent = viewOf(area).getUint32(0, true);
    state.dotdot.set(inode.number, parent);
    this.#dots = 2;
    this.#follow(inode.number, "", 2, true);
    if (parent !== 0) this.#follow(parent, "", 2, true);
    this.#entries(area, 4, area.length, undefined);
    const more = inlineData(inode.record, unreported);
    if (more.length > 0) this.#entries(more, 0, more.length, undefined);
  }

  #blocks(): void {
    const { state, inode, tell } = this;
    const runs: { readonly logical: number; readonly physical: number; readonly count: number }[] = [];
    walkMap(
      state,
      inode,
      () => {},
      (logical, physical, count) => runs.push({ logical, physical, count }),
      silent,
    );
    const last = runs.at(-1);
    const length = last === undefined ? 0 : last.logical + last.count;
    if (has(inode, "INDEX") && length > 0) this.#htree = new Htree(length);
    let next = 0;
    for (const { logical, physical, count } of runs) {
      if (logical > next) this.#hole(next, logical);
      for (let i = 0; i < count && state.mayVisit(); i++) this.#block(physical + i, logical + i);
      next = logical + count;
    }
    if (length === 0) tell("directory-hole", "a directory without a first block", "`.` and `..`");
    if (this.#htree) this.#htree.check(tell);
  }

  #hole(from: number, to: number): void {
    if (this.state.sb.features.has("large_dir") && !this.state.sb.features.has("inline_data")) return;
    this.tell("directory-hole", `blocks ${from} to ${to - 1} of the directory are a hole`, "entries");
  }

  #block(block: number, logical: number): void {
    const { state, inode, tell } = this;
    if (state.claims.shared.has(state.clusterOf(block))) {
      if (this.shared.has(block)) return;
      this.shared.add(block);
    }
    const bytes = state.disk.block(block);
    if (logical > 0) this.#dots = 2;
    const node = this.#htree && readHtree(state, inode, bytes, logical, this.#htree.version, tell);
    if (node) this.#htree?.addNode(logical, node);
    const to = node || !state.sb.checksums ? bytes.length : this.#verify(bytes, logical);
    const leaf = this.#htree && !node ? this.#htree.addLeaf(logical) : undefined;
    this.#entries(bytes, 0, to, leaf);
  }

  /** The checksum of a block without index; gives where entries end. */
  #verify(bytes: Uint8Array, logical: number): number {
    const view = viewOf(bytes);
    const at = bytes.length - DirentTail.size;
    const f = DirentTail.f;
    const isTail =
      f.det_reserved_zero1.get(view, at) === 0 &&
      f.det_rec_len.get(view, at) === DirentTail.size &&
      f.det_reserved_zero2.get(view, at) === 0 &&
      f.det_reserved_ft.get(view, at) === TAIL_FILE_TYPE;
    if (!isTail) {
      this.tell("directory-checksum", `block ${logical} of the directory ends without a checksum`, "one");
      return bytes.length;
    }
    const stored = f.det_checksum.get(view, at);
    const sum = crc32c(this.inode.checksumSeed, bytes, 0, at);
    if (stored !== sum) {
      this.tell("directory-checksum", `the checksum of block ${logical} of the directory is ${hex(stored)}`, hex(sum));
    }
    return at;
  }

  #entries(bytes: Uint8Array, from: number, to: number, leaf: ReturnType<Htree["addLeaf"]> | undefined): void {
    const { inode, tell } = this;
    const view = viewOf(bytes);
    for (let at = from; at < to; ) {
      const left = to - at;
      const length = left < ENTRY_HEADER ? 0 : recordLength(view.getUint16(at + 4, true), bytes.length);
      const nameLength = left < ENTRY_HEADER ? 0 : (bytes[at + 6] as number);
      const extra = this.#keepsHash && this.#dots > 1 ? STORED_HASH : 0;
      if (
        length < SHORTEST + extra ||
        length % 4 !== 0 ||
        length > left ||
        ((nameLength + ENTRY_HEADER + extra + 3) & ~3) > length
      ) {
        tell(
          "directory-entry",
          `an entry of ${length} bytes with a name of ${nameLength}, ${left} before the end`,
          "a chain of entries to the end",
        );
        return;
      }
      const number = view.getUint32(at, true);
      const type = bytes[at + 7] as number; // within the entry
      const name = bytes.subarray(at + ENTRY_HEADER, at + ENTRY_HEADER + nameLength);
      const behind = bytes[at + ENTRY_HEADER + nameLength];
      if (this.#dots < 2) this.#dot(number, name, behind, length);
      else if (number === inode.number)
        tell("directory-link", `the name ${shown(name)} leads to its own directory`, "another inode");
      if (number !== 0) {
        if (leaf && !this.#keepsHash) leaf(name);
        this.#entry(number, name, type);
      }
      this.#dots++;
      at += length;
    }
  }

  /** The first two entries. */
  #dot(number: number, name: Uint8Array, behind: number | undefined, length: number): void {
    const { inode, tell, state } = this;
    const dots = this.#dots + 1;
    const expected = dots === 1 ? "`.`" : "`..`";
    if (number === 0 || name.length !== dots || name.some((byte) => byte !== DOT)) {
      tell("directory-dots", `entry ${dots} is ${number === 0 ? "empty" : shown(name)}`, expected);
    } else if (behind !== 0) {
      tell("directory-dots", `${expected} goes on behind its length`, "a NUL");
    }
    if (dots === 1) {
      if (number !== inode.number) tell("directory-dots", `\`.\` leads to inode ${number}`, String(inode.number));
      if (length > 2 * SHORTEST) tell("directory-dots", `\`.\` takes ${length} bytes`, String(SHORTEST));
    } else if (number !== 0) state.dotdot.set(inode.number, number);
  }

  #entry(number: number, name: Uint8Array, type: number): void {
    const { state, tell } = this;
    const { sb } = state;
    const isDot = this.#dots < 2;
    if ((number !== 2 && number < sb.firstInode) || number > sb.inodes || this.#view.quota.includes(number)) {
      tell(
        "directory-inode",
        `the name ${shown(name)} leads to inode ${number}`,
        `the root, or ${sb.firstInode} to ${sb.inodes}`,
      );
      return;
    }
    if (!isDot) this.#name(number, name);
    if (this.#hidden && !isDot) this.#policy(number, name, type);
    const bad = name.some((byte) => byte === 0 || byte === SLASH);
    if (bad && (!this.#hidden || isDot)) tell("directory-name", `the name ${shown(name)}`, "one without NUL and slash");
    if (this.#references(number) > 0) {
      tell("directory-link", `the name ${shown(name)} leads to inode ${number}, which holds an xattr's value`, "a file");
    }
    this.#follow(number, name, type, isDot);
  }

  #name(number: number, name: Uint8Array): void {
    const { tell } = this;
    const isDots = name.length > 0 && name.length < 3 && name.every((byte) => byte === DOT);
    if (isDots) tell("directory-name", `${shown(name)} in the middle of the directory`, "at its start only");
    else if (number === 2) tell("directory-link", `the name ${shown(name)} leads to the root`, "another inode");
    else if (name.length === 0) tell("directory-name", "an entry without a name", "a name");
    const key = this.#decoder.decode(name);
    if (this.#names.has(key)) tell("directory-duplicate", `the name ${shown(name)} stands twice`, "every name once");
    else this.#names.add(key);
  }

  #references(number: number): number {
    return this.state.values.get(number)?.references ?? 0;
  }

  /** What is in an encrypted directory is encrypted under the same policy, as far as it can be. */
  #policy(number: number, name: Uint8Array, type: number): void {
    const { state, tell } = this;
    if (name.length < ENCRYPTED_NAME)
      tell("encryption", `an encrypted name of ${name.length} bytes`, `at least ${ENCRYPTED_NAME}`);
    const kind = state.table.kind.get(number);
    if (state.policies.get(number) === state.policies.get(this.inode.number)) return;
    if (!state.policies.has(number) && ![1, 2, 7].includes(type === 0 ? kind : type)) return;
    tell("encryption", `inode ${number} in an encrypted directory`, "the encryption of the directory");
  }

  /** Where an entry leads. */
  #follow(number: number, name: Uint8Array | "", type: number, isDot: boolean): void {
    const { state, inode, tell } = this;
    const { table, sb } = state;
    const what = name === "" ? "its inode number" : `the name ${shown(name)}`;
    if (number < 1 || number > sb.inodes) {
      tell("directory-inode", `${what} leads to inode ${number}`, `1 to ${sb.inodes}`);
      return;
    }
    this.#group(number, what);
    const kind = table.kind.get(number);
    if (kind === 0) tell("directory-inode", `${what} leads to inode ${number}, which is not in use`, "an inode in use");
    else if (name !== "") {
      // 0 says nothing, which is always right.
      const expected = this.#view.filetype ? (kind > 7 ? 0 : kind) : 0;
      if (type !== 0 && type !== expected)
        tell("directory-type", `${what} says kind ${type} of inode ${number}`, String(expected));
    }
    table.counted.set(number, table.counted.get(number) + 1);
    if (isDot) return;
    const parent = table.parent.get(number);
    if (parent === 0) table.parent.set(number, inode.number);
    else if (table.isDirectory(number)) {
      tell("directory-link", `${what} leads to directory ${number}, which is in directory ${parent}`, "one parent");
    }
  }

  #group(number: number, what: string): void {
    const { state, tell } = this;
    const { sb, descriptors } = state;
    const group = Math.floor((number - 1) / sb.inodesPerGroup);
    const { flags, unusedInodes } = descriptors.at(group, unreported);
    if ((flags & GroupFlags.INODE_UNINIT) !== 0) {
      tell(
        "group-uninit",
        `${what} leads to inode ${number} in group ${group}, whose inodes were never in use`,
        "an inode in use",
      );
    } else if ((number - 1) % sb.inodesPerGroup >= sb.inodesPerGroup - unusedInodes) {
      tell("group-unused-inodes", `${what} leads to inode ${number}, among those that were never in use`, "an inode in use");
    }
  }
}

function shown(name: Uint8Array): string {
  return `"${escapeName(decodeName(name)).replaceAll("\0", "\\x00")}"`;
}
