// Everything that is wrong with an FFS image, in the five phases of fsck_ffs; changes nothing.

import { FsynthError } from "../../../src/error.ts";
import type { Fault } from "../../../src/image/fault.ts";
import type { ImageBytes, Problem } from "../../../src/image/volume.ts";
import { readCylinder } from "../read/cylinder.ts";
import { Disk } from "../read/disk.ts";
import { readSuperblock } from "../read/superblock.ts";
import { checkDirectories } from "./directories.ts";
import { checkGroups } from "./groups.ts";
import { checkInodes } from "./inodes.ts";
import { checkCopies, checkSuperblock } from "./superblock.ts";
import { Survey } from "./survey.ts";

/** Problems that are told; an image that is no file system at all would have no end of them. */
const MOST = 1000;

class Enough extends Error {}

export function checkFfs(image: ImageBytes): readonly Problem[] {
  const problems: Problem[] = [];
  const report = ({ code, place, found, expected }: Fault): void => {
    problems.push({ code, place, found, expected });
    if (problems.length >= MOST) throw new Enough();
  };
  try {
    const sb = readSuperblock(image, report);
    if (!sb) return problems;
    const disk = new Disk(image, sb);
    checkSuperblock(disk, report);
    checkCopies(disk, report);
    const survey = new Survey(disk, report);
    for (let group = 0; group < sb.groups; group++) survey.headers.push(readCylinder(disk, group, report));
    for (let group = 0; group < sb.groups; group++) checkInodes(survey, group);
    checkDirectories(survey);
    checkGroups(survey);
  } catch (error) {
    if (error instanceof FsynthError && error.code === "corrupt") {
      problems.push({
        code: "unreadable",
        place: error.where.record ?? "image",
        found: error.message,
        expected: "a sound image",
      });
    } else if (!(error instanceof Enough)) throw error;
  }
  return problems;
}
