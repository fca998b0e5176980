// cpio archives as volumes, and what is wrong with one.

import { quoteName } from "../../src/bytes/names.ts";
import { FsynthError } from "../../src/error.ts";
import { RunList, treeVolume } from "../../src/image/tree-volume.ts";
import type { ImageBytes, Problem, VolumeReader } from "../../src/image/volume.ts";
import { Window } from "../../src/image/window.ts";
import type { Content } from "../../src/tree/content.ts";
import { Tree } from "../../src/tree/tree.ts";
import { variantOf } from "./header.ts";
import { CpioLayer } from "./layer.ts";
import { cpioTimes } from "./limits.ts";
import type { CpioMember } from "./member.ts";
import { type ArchiveBytes, type CpioEvents, readMembers } from "./read.ts";

export function recognisesCpio(image: ImageBytes): boolean {
  const head = new Uint8Array(Math.min(image.size, 6));
  image.readAt(0, head);
  return variantOf(head) !== undefined;
}

function bytesOf(image: ImageBytes): ArchiveBytes {
  const window = new Window(image.size, (offset, target) => image.readAt(offset, target));
  return { size: image.size, view: (offset, length) => window.view(offset, length) };
}

function contentIn(image: ImageBytes): (member: CpioMember) => Content {
  return ({ data, size }) => ({ size, read: (offset, target) => image.readAt(data + offset, target) });
}

/** Opens archives that stand one behind the other. Throws what their reader throws, and `unsupported` for a compressed part: it must be decompressed first. */
export function openCpio(image: ImageBytes): VolumeReader {
  const tree = new Tree();
  const layer = new CpioLayer(tree, "cpio", {});
  const contentOf = contentIn(image);
  const list = new RunList();
  let members = 0;
  const variants = new Set<string>();
  const end = readMembers(bytesOf(image), 0, "cpio", {
    onMember(member) {
      members++;
      variants.add(member.variant);
      layer.add(member, contentOf);
      list.add(member.offset, member.data, "headers", member.path, "padding");
      list.add(member.data, member.data + member.size, "file", member.path, "padding");
    },
    onArchiveEnd: () => layer.endArchive(),
    onWarning() {},
  });
  if (end < image.size) {
    throw new FsynthError(
      "unsupported",
      `cpio: byte ${end}: something that is no member, perhaps a compressed part; expected plain archives`,
      { format: "cpio", offset: end },
    );
  }
  return treeVolume(tree, {
    format: "cpio",
    size: image.size,
    births: false,
    times: cpioTimes,
    runs: list.finish(image.size, "padding"),
    facts: { members, variant: [...variants].join(", ") },
    buildOptions: variants.has("crc") ? { checksum: true } : {},
  });
}

/**
 * What is wrong with archives: up to the first member that cannot be read, and every member that cannot be. Checksums of the
 * crc variant are verified. Compressed parts are not looked into.
 */
export function checkCpio(image: ImageBytes): readonly Problem[] {
  const problems: Problem[] = [];
  const layer = new CpioLayer(new Tree(), "cpio", {});
  const contentOf = contentIn(image);
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
      problems.push(problemOf(error));
    }
  };
  const warn: CpioEvents["onWarning"] = ({ code, message }) => {
    problems.push({
      code,
      place: "archive",
      found: message.replace(/^cpio:? /, ""),
      expected: "a trailer behind the last member",
    });
  };
  attempt(() => {
    const bytes = bytesOf(image);
    const end = readMembers(bytes, 0, "cpio", {
      onMember: (member) => attempt(() => layer.add(member, contentOf)),
      onArchiveEnd: () => layer.endArchive(),
      onWarning: warn,
    });
    if (end === image.size || startsCompressed(bytes.view(end, Math.min(6, image.size - end)))) return;
    problems.push({
      code: "cpio-damage",
      place: `byte ${end}`,
      found: "something that is no member",
      expected: "a member, zeros or a compressed archive",
    });
  });
  return problems;
}

/** Magic numbers of what Linux decompresses: gzip, bzip2, lzma, xz, lzo, lz4 (legacy), zstd (lib/decompress.c). */
const COMPRESSED = [
  [0x1f, 0x8b],
  [0x42, 0x5a],
  [0x5d, 0x00],
  [0xfd, 0x37],
  [0x89, 0x4c],
  [0x02, 0x21],
  [0x28, 0xb5],
] as const;

function startsCompressed(bytes: Uint8Array): boolean {
  return COMPRESSED.some(([first, second]) => bytes[0] === first && bytes[1] === second);
}

function problemOf({ code, message, where, cause }: FsynthError): Problem {
  const member = where.path === undefined ? "" : ` (${quoteName(where.path)})`;
  const sentence =
    cause instanceof FsynthError ? cause.message : message.replace(/^cpio: member at byte \d+(?: \("[^"]*"\))?: /, "");
  const [found = "", expected = "a sound cpio archive"] = sentence.split(", expected ");
  return {
    code: code === "corrupt" ? "cpio-damage" : "cpio-member",
    place: `byte ${where.offset ?? 0}${member}`,
    found,
    expected,
  };
}
