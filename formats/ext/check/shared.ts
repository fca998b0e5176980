// Blocks that are claimed more than once: who claims them. Looked for only when there are some.

import { ReservedInode } from "../disk/inode.ts";
import { walkMap } from "./blocks.ts";
import { silent } from "./findings.ts";
import { eachInode } from "./inodes.ts";
import type { State } from "./state.ts";

/** How many times over the image is gone through at most. */
const FOLD = 8;
/** How many others are named. */
const NAMED = 4;
/** Of how many shared clusters the claims are kept. */
const MOST = 100_000;

interface Claimed {
  readonly from: number;
  to: number;
}

export function checkShared(state: State): void {
  const { claims, sb } = state;
  if (claims.shared.empty || sb.features.has("shared_blocks")) return;
  const owners = new Map<number, number[]>();
  const mine = new Map<number, Claimed[]>();
  const note = (inode: number, cluster: number): void => {
    if (!claims.shared.has(cluster)) return;
    const known = owners.get(cluster);
    if (known) known.push(inode);
    else if (owners.size < MOST) owners.set(cluster, [inode]);
    const runs = mine.get(inode) ?? [];
    const last = runs.at(-1);
    if (last && last.to + 1 === cluster) last.to = cluster;
    else runs.push({ from: cluster, to: cluster });
    mine.set(inode, runs);
  };
  const xattrs = new Set<number>();
  let left = FOLD * sb.blocks;
  eachInode(
    state,
    (inode) => {
      if (inode.links === 0 && inode.number >= sb.firstInode) return;
      if (inode.fileAcl !== 0 && !xattrs.has(inode.fileAcl)) {
        xattrs.add(inode.fileAcl);
        note(inode.number, state.clusterOf(inode.fileAcl));
      }
      if (inode.number === ReservedInode.badBlocks) return;
      walkMap(
        state,
        inode,
        (first, count) => {
          left -= count;
          for (let at = first; at < first + count && left > 0; at++) note(inode.number, at);
        },
        () => {},
        silent,
      );
    },
    true,
  );
  for (const [inode, runs] of mine) {
    for (const run of runs) tellRun(state, inode, run, owners.get(run.from) ?? []);
  }
}

function tellRun({ sb, metadata, findings }: State, inode: number, { from, to }: Claimed, owners: readonly number[]): void {
  const first = from * sb.clusterBlocks;
  const last = (to + 1) * sb.clusterBlocks - 1;
  const blocks = first === last ? `block ${first}` : `blocks ${first} to ${last}`;
  const others = [...new Set(owners.filter((other) => other !== inode))];
  const named = others.slice(0, NAMED).map((other) => `inode ${other}`);
  if (others.length > NAMED) named.push(`${others.length - NAMED} more`);
  if (metadata.has(first)) named.push("a group");
  const who = named.length > 0 ? named.join(", ") : "the same inode";
  findings.add("blocks-shared", `inode ${inode}`, `${blocks}, claimed by ${who} as well`, "blocks of its own", inode);
}
