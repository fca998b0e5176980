// What a walk over an inode's map finds, counted the way i_blocks and i_size count.

import type { Tell } from "./findings.ts";
import { isDirectoryMode, isFileMode, type Raw } from "./raw-inode.ts";
import type { State } from "./state.ts";

/** Where the blocks of a map go. Clusters, which are blocks without bigalloc. */
export type Claim = (cluster: number, count: number) => void;
/** Runs of data, ascending within the file. */
export type OnRun = (logical: number, physical: number, count: number) => void;

/** Counts a map while it is walked. */
export class MapSink {
  /** Clusters of data and blocks of the map. */
  clusters = 0;
  /** The last file block that is mapped, and the last one that is not just set aside; -1 for none. */
  last = -1;
  lastWritten = -1;
  /** Where file block 0 lies; 0 in a hole. */
  first = 0;
  #previous = 0;
  readonly isDirectory: boolean;
  readonly isFile: boolean;

  constructor(
    readonly state: State,
    readonly inode: Raw,
    readonly claim: Claim,
    readonly onRun: OnRun,
    readonly tell: Tell,
  ) {
    this.isDirectory = isDirectoryMode(inode.mode);
    this.isFile = isFileMode(inode.mode);
  }

  tree(block: number): void {
    this.clusters++;
    this.claim(this.state.clusterOf(block), 1);
  }

  data(logical: number, physical: number, count: number, written: boolean): void {
    const { clusterBlocks } = this.state.sb;
    if (clusterBlocks === 1) {
      this.clusters += count;
      this.claim(physical, count);
    } else this.#dataOfClusters(logical, physical, count);
    if (logical === 0) this.first = physical;
    this.onRun(logical, physical, count);
    this.last = logical + count - 1;
    if (written) this.lastWritten = this.last;
    this.#previous = physical + count - 1;
  }

  /** Blocks of a cluster stand in it as in the file, and the cluster is counted once. */
  #dataOfClusters(logical: number, physical: number, count: number): void {
    const { state } = this;
    const { clusterBlocks } = state.sb;
    const first = state.clusterOf(physical);
    const end = state.clusterOf(physical + count - 1) + 1;
    const previous = this.#previous === 0 ? -1 : state.clusterOf(this.#previous);
    const inside = logical % clusterBlocks;
    const sameCluster =
      inside !== 0 && this.last >= 0 && Math.floor(logical / clusterBlocks) === Math.floor(this.last / clusterBlocks);
    if (inside !== physical % clusterBlocks || (previous >= 0 && sameCluster && previous !== first)) {
      this.tell(
        "cluster-alignment",
        `file block ${logical} is at block ${physical}`,
        "the same place in a cluster of the file and of the image",
      );
    }
    const from = first === previous ? first + 1 : first;
    if (from < end) {
      this.clusters += end - from;
      this.claim(from, end - from);
    }
  }
}
