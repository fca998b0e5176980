// The members of an archive in their order: parents before children, byte order within a directory, every directory
// followed by all it holds.

import type { Snapshot } from "../../src/tree/snapshot.ts";
import type { SnapshotNode } from "../../src/tree/snapshot-node.ts";
import type { CpioOptions } from "./options.ts";

/** Stands for the root's entry, which no directory holds. */
export const ROOT_ENTRY = -1;

export interface MemberEvents {
  /** Called for each member in order. `directory` is the node that holds `entry`; `carries` tells whether the data of a file comes with it. */
  onMember(entry: number, directory: number, carries: boolean): void;
  /** Called when a node is met for the first time, in the order in which GNU cpio numbers inodes. */
  onNode(node: number): void;
}

/** Walks over a tree. */
export function walkMembers(snapshot: Snapshot, options: CpioOptions, events: MemberEvents): void {
  const { nodes, entryNode } = snapshot;
  const links = new HardLinks(nodes, options, events);
  if (options.rootEntry) {
    events.onNode(0);
    events.onMember(ROOT_ENTRY, 0, false);
  }
  // The directories that are open, each with the next of its entries.
  const open: { readonly directory: number; next: number; readonly end: number }[] = [];
  const enter = (directory: number): void => {
    const { first, count } = nodes[directory] as SnapshotNode; // indices come from the snapshot itself
    open.push({ directory, next: first, end: first + count });
  };
  enter(0);
  for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
    if (at.next === at.end) {
      open.pop();
      continue;
    }
    const entry = at.next++;
    const index = entryNode[entry] as number;
    const node = nodes[index] as SnapshotNode;
    if (node.kind !== "directory" && node.links > 1) links.meet(entry, at.directory, index, node);
    else {
      events.onNode(index);
      events.onMember(entry, at.directory, true);
      if (node.kind === "directory") enter(index);
    }
  }
}

type Name = readonly [entry: number, directory: number];

/** Decides where the names of nodes with several of them stand, and which of them carries the data. */
class HardLinks {
  /** How many names of a node were met. */
  readonly #met = new Map<number, number>();
  readonly #deferred = new Map<number, Name[]>();

  constructor(
    readonly nodes: readonly SnapshotNode[],
    readonly options: CpioOptions,
    readonly events: MemberEvents,
  ) {}

  meet(entry: number, directory: number, index: number, node: SnapshotNode): void {
    const met = (this.#met.get(index) ?? 0) + 1;
    this.#met.set(index, met);
    if (met === 1) this.events.onNode(index);
    const last = met === node.links;
    // GNU cpio holds the names of a file back until the last one is there, then writes them from the latest to the first.
    if (this.options.like === "gnu" && node.kind === "file") {
      const names = this.#deferred.get(index) ?? [];
      if (!last) {
        names.push([entry, directory]);
        this.#deferred.set(index, names);
      } else {
        for (const [earlier, holder] of names.toReversed()) this.events.onMember(earlier, holder, false);
        this.events.onMember(entry, directory, true);
      }
      return;
    }
    this.events.onMember(entry, directory, this.options.linkData === "first" ? met === 1 : last);
  }
}
