// Phases 2 to 4: names, connectivity, link counts.
// Specification: NetBSD sbin/fsck_ffs/pass2.c, pass3.c, pass4.c.

import { decodeName, quoteName } from "../../../src/bytes/names.ts";
import { InodeFlags, ROOT_INODE, WHITEOUT_INODE } from "../disk/dinode.ts";
import { DirentType, DT_WHITEOUT } from "../disk/dirent.ts";
import { directoryEntries } from "../read/directory.ts";
import { type InodeRecord, readInode } from "../read/inodes.ts";
import type { Survey } from "./survey.ts";

/** Walks the tree from the root, and compares what it finds with what the inodes say. */
export function checkDirectories(survey: Survey): void {
  const found = new Map<number, number>();
  const reached = new Set<number>();
  const { report } = survey;
  const root = survey.inodes.get(ROOT_INODE);
  if (root?.kind !== "directory") {
    const place = `inode ${ROOT_INODE}`;
    report({
      code: "root",
      place,
      found: root ? `a ${root.kind}` : "an unused inode",
      expected: "the root directory",
      where: { record: "inode", index: ROOT_INODE },
    });
    return;
  }
  const open: (readonly [number: number, parent: number])[] = [[ROOT_INODE, ROOT_INODE]];
  reached.add(ROOT_INODE);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [number, parent] = next;
    const inode = readInode(survey.disk, number, report);
    if (inode) new Directory(survey, inode, parent, found, reached, open).check();
  }
  for (const [number, { kind, links, flags, offset }] of survey.inodes) {
    const where = { record: "inode", index: number, offset };
    const names = found.get(number) ?? 0;
    // The system keeps its journal and its quotas in files without names.
    if (names === 0 && ((flags & InodeFlags.log) !== 0 || quotaInodes(survey).includes(number))) continue;
    if (!reached.has(number)) {
      report({
        code: "unreferenced",
        place: `inode ${number}`,
        found: `a ${kind} that no directory names`,
        expected: "a name",
        where,
      });
    } else if (names !== links) {
      report({ code: "link-count", place: `inode ${number}`, found: `di_nlink is ${links}`, expected: String(names), where });
    }
  }
}

function quotaInodes({ disk: { superblock: sb } }: Survey): readonly number[] {
  return sb.old ? [] : sb.records.Superblock.f.fs_quotafile.get(sb.view, 0).filter((number) => number !== 0);
}

class Directory {
  readonly #names = new Set<string>();
  #entries = 0;

  constructor(
    readonly survey: Survey,
    readonly inode: InodeRecord,
    readonly parent: number,
    readonly found: Map<number, number>,
    readonly reached: Set<number>,
    readonly open: (readonly [number: number, parent: number])[],
  ) {}

  check(): void {
    for (const { inode, type, name, terminated, at } of directoryEntries(this.survey.disk, this.inode, this.survey.report)) {
      const place = this.#entries++;
      if (!terminated) this.#wrong("directory-name", `the name at byte ${at} of the directory has no NUL behind it`, "one");
      if (inode !== 0) this.#entry(place, inode, type, name, at);
      else if (place < 2) this.#wrong("directory-dots", `no entry at byte ${at}`, place === 0 ? '"."' : '".."');
    }
    if (this.#entries < 2) this.#wrong("directory-dots", `${this.#entries} entries`, '"." and ".." at least');
  }

  #entry(place: number, inode: number, type: number, bytes: Uint8Array, at: number): void {
    const name = decodeName(bytes);
    const shown = `the entry ${quoteName(name)} at byte ${at}`;
    if (bytes.includes(0) || bytes.includes(0x2f)) {
      this.#wrong("directory-name", `${shown} has a NUL or a slash`, "neither");
    }
    if (inode === WHITEOUT_INODE && type === DT_WHITEOUT) return;
    if (this.#names.has(name)) this.#wrong("directory-duplicate", `${shown} stands twice`, "every name once");
    this.#names.add(name);
    const own = place === 0 ? this.inode.number : place === 1 ? this.parent : undefined;
    if (own !== undefined) {
      const dots = place === 0 ? "." : "..";
      if (name !== dots || inode !== own) {
        this.#wrong("directory-dots", `${shown} leads to inode ${inode}`, `"${dots}" that leads to inode ${own}`);
        if (name !== dots) this.#reach(inode, shown, type);
        else this.#count(inode);
      } else this.#count(inode);
      if (type !== DirentType.directory) this.#wrong("directory-type", `${shown} has type ${type}`, String(DirentType.directory));
      return;
    }
    if (name === "." || name === "..") {
      this.#wrong("directory-dots", `${shown} stands behind others`, "it at the start only");
      return;
    }
    this.#reach(inode, shown, type);
  }

  #reach(inode: number, shown: string, type: number): void {
    const seen = this.survey.inodes.get(inode);
    if (!seen) {
      this.#wrong("directory-inode", `${shown} leads to inode ${inode}`, "an inode in use");
      return;
    }
    if (type !== DirentType[seen.kind])
      this.#wrong("directory-type", `${shown} has type ${type}`, `${DirentType[seen.kind]}, of a ${seen.kind}`);
    if (seen.kind === "directory") {
      if (this.reached.has(inode)) {
        this.#wrong(
          "directory-link",
          `${shown} leads to directory ${inode}, which has a name already`,
          "directories of one name",
        );
        return;
      }
      this.open.push([inode, this.inode.number]);
    }
    this.reached.add(inode);
    this.#count(inode);
  }

  #count(inode: number): void {
    this.found.set(inode, (this.found.get(inode) ?? 0) + 1);
  }

  #wrong(code: string, found: string, expected: string): void {
    const { number, offset } = this.inode;
    const where = { record: "directory", index: number, offset };
    this.survey.report({ code, place: `inode ${number}`, found, expected, where });
  }
}
