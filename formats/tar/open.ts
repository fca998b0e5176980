// tar archives as volumes, and what is wrong with one.

import { quoteName } from "../../src/bytes/names.ts";
import { viewOf } from "../../src/bytes/struct.ts";
import { isZero } from "../../src/bytes/zero.ts";
import { FsynthError } from "../../src/error.ts";
import { RunList, treeVolume } from "../../src/image/tree-volume.ts";
import type { ImageBytes, Owned, Problem, UsedRun, VolumeReader } from "../../src/image/volume.ts";
import { Window } from "../../src/image/window.ts";
import type { Content } from "../../src/tree/content.ts";
import { splitPath } from "../../src/tree/path.ts";
import { Tree } from "../../src/tree/tree.ts";
import { blockSum, checksumOf, signedChecksumOf } from "./checksum.ts";
import type { TarEntry } from "./entry.ts";
import { TarLayer } from "./layer.ts";
import { readNumber } from "./number.ts";
import { TarReader, type TarReaderEvents } from "./read.ts";
import { BLOCK, ustar } from "./records.ts";
import { archiveSize, MAX_BLOCKING, tarOptions } from "./write/options.ts";

/** Whether `head`, the front of something, is that of a tar archive with an entry. */
export function isTarHead(head: Uint8Array): boolean {
  if (head.length < BLOCK) return false;
  const sum = blockSum(viewOf(head), 0);
  const checksum = checksumOf(head, 0, sum);
  const { offset, size } = ustar.f.chksum;
  const found = readNumber(head, offset, size);
  if (sum !== 0 && (found === checksum || found === signedChecksumOf(head, 0, checksum))) return true;
  // Damaged, but still a tar: the reader says what is wrong.
  return String.fromCharCode(...head.subarray(257, 262)) === "ustar";
}

export function recognisesTar(image: ImageBytes): boolean {
  const head = new Uint8Array(Math.min(image.size, BLOCK));
  image.readAt(0, head);
  return isTarHead(head) || isEmptyArchive(image);
}

/** Largest archive without entries that is taken for one. */
const MAX_EMPTY = 64 * 1024;

/** Nothing but blocks of zeros is a tar archive without entries, when it is no longer than a record or a few. */
function isEmptyArchive(image: ImageBytes): boolean {
  const { size } = image;
  if (size < 2 * BLOCK || size > MAX_EMPTY || size % BLOCK !== 0) return false;
  const bytes = new Uint8Array(size);
  image.readAt(0, bytes);
  return isZero(bytes, 0, size);
}

/** Reads all headers. */
export function readArchive(image: ImageBytes, events: TarReaderEvents): void {
  const window = new Window(image.size, (offset, target) => image.readAt(offset, target));
  const reader = new TarReader("tar", events);
  while (reader.want > 0) {
    const { position, want } = reader;
    if (position + want > image.size) {
      const rest = new Uint8Array(Math.max(0, image.size - position));
      image.readAt(image.size - rest.length, rest);
      reader.end(image.size, rest);
      return;
    }
    reader.take(window.view(position, want), 0);
  }
}

/** The content of entries, read from the image when it is asked for. */
function contentIn(image: ImageBytes): (entry: TarEntry) => Content {
  return ({ data, stored }) => ({ size: stored, read: (offset, target) => image.readAt(data + offset, target) });
}

/** Opens an archive. Throws what its reader throws. */
export function openTar(image: ImageBytes): VolumeReader {
  const tree = new Tree();
  const layer = new TarLayer(tree, "tar", {});
  const contentOf = contentIn(image);
  const list = new RunList();
  let members = 0;
  let rootEntry = false;
  let end = 0;
  readArchive(image, {
    onEntry(entry) {
      members++;
      rootEntry ||= splitPath(entry.path).length === 0;
      end = Math.ceil((entry.data + entry.stored) / BLOCK) * BLOCK;
      layer.add(entry, contentOf);
      list.add(entry.offset, entry.data, "headers", entry.path, "padding");
      list.add(entry.data, entry.data + entry.stored, "file", entry.path, "padding");
    },
  });
  // Contents of an image are there at once.
  void layer.finish();
  return treeVolume(tree, {
    format: "tar",
    size: image.size,
    births: true,
    runs: list.finish(image.size, "padding"),
    within: fieldOf,
    facts: { members },
    buildOptions: optionsOf(end, image.size, rootEntry),
  });
}

/** The options that give an archive of ours: how times were written shows in which are there. */
function optionsOf(end: number, size: number, rootEntry: boolean): Readonly<Record<string, unknown>> {
  const fits = (factor: number): boolean => archiveSize(end, factor) === size;
  const { blockingFactor } = tarOptions;
  // Two factors that give one size give the same bytes.
  let factor = blockingFactor.default;
  if (!fits(factor)) for (factor = 1; factor < MAX_BLOCKING && !fits(factor); factor++);
  return {
    ...(rootEntry ? {} : { rootEntry: false }),
    ...(fits(factor) && factor !== blockingFactor.default ? { blockingFactor: factor } : {}),
  };
}

/** The field of a header that a byte lies in; of an entry with records, only its last block is known to be a header. */
function fieldOf({ offset, length, use, path = "" }: UsedRun, at: number): Owned | undefined {
  if (use !== "headers") return undefined;
  const block = at - ((at - offset) % BLOCK);
  // What stands before the last block may be records, or their header; behind a header there may be the map of a sparse file.
  const name = length === BLOCK ? ustar.fieldAt(at - block) : undefined;
  if (name === undefined) return undefined;
  const field = ustar.f[name as keyof typeof ustar.f];
  return { offset: block + field.offset, length: field.size, what: `header of ${path}, ${name}` };
}

/** Warnings of the reader that speak of damage. */
const DAMAGE = new Set(["tar-unterminated", "tar-lone-zero-block", "tar-trailing-junk"]);

/** What is wrong with an archive: up to the first header that cannot be read, and every entry that cannot be. */
export function checkTar(image: ImageBytes): readonly Problem[] {
  const problems: Problem[] = [];
  const layer = new TarLayer(new Tree(), "tar", {});
  const contentOf = contentIn(image);
  const attempt = (work: () => unknown): void => {
    try {
      void work();
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
      problems.push(problemOf(error));
    }
  };
  attempt(() =>
    readArchive(image, {
      onEntry: (entry) => attempt(() => layer.add(entry, contentOf)),
      onWarning({ code, message }) {
        const found = message.replace(/^tar:? /, "");
        if (DAMAGE.has(code))
          problems.push({
            code,
            place: "archive",
            found,
            expected: "two blocks of zeros behind the last entry, and nothing else",
          });
      },
    }),
  );
  attempt(() => layer.finish());
  return problems;
}

function problemOf({ code, message, where, cause }: FsynthError): Problem {
  const entry = where.path === undefined ? "" : ` (${quoteName(where.path)})`;
  const sentence = cause instanceof FsynthError ? cause.message : message.replace(/^tar:(?: entry "[^"]*")? at byte \d+: /, "");
  const [found = "", expected = "a sound tar archive"] = sentence.split(", expected ");
  return { code: code === "corrupt" ? "tar-damage" : "tar-entry", place: `byte ${where.offset ?? 0}${entry}`, found, expected };
}
