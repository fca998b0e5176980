// A check of an ext image, of its own making: nothing of the writer's code is used, only the records and the primitives of the
// reader. The order is that of e2fsck's passes: superblock and groups, inodes and their claims, directories, connections,
// links, bitmaps and counts.
//
// Memory: a bit for each block and a few bytes for each inode of the groups in use, and the names of one directory.

import { FsynthError } from "../../../src/error.ts";
import type { ImageBytes, Problem } from "../../../src/image/volume.ts";
import { Descriptors } from "../read/descriptors.ts";
import { Disk } from "../read/disk.ts";
import { Inodes } from "../read/inodes.ts";
import { readJournal, replay } from "../read/journal.ts";
import { hasMagic, readSuperblock, type Super } from "../read/superblock.ts";
import { checkBackups } from "./backups.ts";
import { checkBitmaps } from "./bitmaps.ts";
import { checkConnectivity } from "./connectivity.ts";
import { checkDescriptors } from "./descriptors.ts";
import { checkDirectories } from "./directories.ts";
import { Findings, unreported } from "./findings.ts";
import { checkInodes } from "./inodes.ts";
import { checkJournal } from "./journal.ts";
import { checkLinks } from "./links.ts";
import { checkMmp } from "./mmp.ts";
import { checkOrphanFile } from "./orphan-file.ts";
import { pathFinder } from "./paths.ts";
import { checkResizeInode } from "./resize-inode.ts";
import { checkShared } from "./shared.ts";
import { State } from "./state.ts";
import { checkSuperblock } from "./superblock.ts";
import { checkXattrReferences } from "./xattrs.ts";

/** 2^60 bytes in groups of 128 MiB. */
const MOST_GROUPS = 2 ** 23;

/**
 * Everything that is wrong with an image. A journal that has to be replayed is replayed in memory first.
 *
 * Throws `corrupt` where there is no superblock at all, and `unsupported` for incompatible features that fsynth does not know.
 */
export function checkExt(image: ImageBytes): readonly Problem[] {
  if (!hasMagic(image)) {
    throw new FsynthError("corrupt", "ext: superblock: no magic at byte 1080, expected 0xef53", {
      format: "ext",
      record: "superblock",
    });
  }
  const findings = new Findings();
  const superblock = readSuperblock(image, findings.report);
  if (!superblock) return findings.problems(() => undefined);
  const state = replayed(image, superblock, findings);
  const { sb } = state;
  checkSuperblock(sb, findings.at("superblock"));
  // With a geometry that contradicts itself the rest would be noise.
  if (sb.inodes !== sb.inodesPerGroup * sb.groups || !hasRoom(sb, findings)) return findings.problems(() => undefined);
  // First of all: a descriptor is verified when it is first read.
  checkDescriptors(state);
  checkJournal(state);
  checkBackups(state);
  checkMmp(state);
  checkResizeInode(state);
  state.startWalk();
  checkInodes(state);
  checkXattrReferences(state);
  state.startWalk();
  checkShared(state);
  state.startWalk();
  checkDirectories(state);
  checkConnectivity(state);
  state.startWalk();
  checkLinks(state);
  checkFeatures(state);
  checkBitmaps(state);
  checkOrphanFile(state);
  return findings.problems(pathFinder(state, findings.inodes));
}

function stateOf(disk: Disk, findings: Findings): State {
  const descriptors = new Descriptors(disk);
  return new State(disk.superblock, disk, descriptors, new Inodes(disk, descriptors), findings);
}

/** The image as it is after its journal is replayed; as it stands where that cannot be, which is told with the journal. */
function replayed(image: ImageBytes, superblock: Super, findings: Findings): State {
  const before = stateOf(new Disk(image, superblock), findings);
  if (!superblock.needsRecovery || superblock.journalInode === 0) return before;
  const inode = before.inodes.read(superblock.journalInode, unreported);
  const journal = inode && readJournal(before.disk, inode, findings.report);
  if (!journal) return before;
  const { overlay } = replay(before.disk, journal, findings.report);
  const newer = readSuperblock(new Disk(image, superblock, overlay), findings.report);
  return newer ? stateOf(new Disk(image, newer, overlay), findings) : before;
}

/** Whether a group can hold the descriptors of all, and there are not more groups than any disk has. */
function hasRoom({ groups, descriptorBlocks, blocksPerGroup, features }: Super, findings: Findings): boolean {
  const fits = features.has("meta_bg") || descriptorBlocks < blocksPerGroup;
  if (fits && groups <= MOST_GROUPS) return true;
  findings.add(
    "superblock-field",
    "superblock",
    `${groups} groups of ${blocksPerGroup} blocks, with ${descriptorBlocks} blocks of descriptors`,
    `at most ${MOST_GROUPS} groups, and descriptors that fit into one`,
  );
  return false;
}

/** Features that what was found in the image asks for. */
function checkFeatures({ sb, largeFiles, largeDirectories, findings }: State): void {
  const tell = findings.at("superblock");
  if (largeFiles && !sb.features.has("large_file")) tell("features-missing", "files of 2 GiB or more", "the feature large_file");
  if (largeDirectories && !sb.features.has("large_dir")) {
    tell("features-missing", "directories of 2 GiB or more", "the feature large_dir");
  }
  if ((largeFiles || largeDirectories) && sb.revision === 0) tell("features-missing", "large files in revision 0", "revision 1");
}
