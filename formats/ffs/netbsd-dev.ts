// The device nodes that a small NetBSD system needs, with NetBSD's numbers for amd64 and i386, as its etc/MAKEDEV makes them.

import { compareBytes, encodeName } from "../../src/bytes/names.ts";
import { entryName, type Snapshot } from "../../src/tree/snapshot.ts";
import { plainNode } from "../../src/tree/snapshot-node.ts";

const DEVICES: readonly (readonly [name: string, kind: "c" | "b", major: number, minor: number, mode: number])[] = [
  ["console", "c", 0, 0, 0o600],
  ["constty", "c", 0, 1, 0o600],
  ["drum", "c", 4, 0, 0o640],
  ["full", "c", 2, 11, 0o666],
  ["klog", "c", 7, 0, 0o600],
  ["kmem", "c", 2, 1, 0o640],
  ["ksyms", "c", 85, 0, 0o444],
  ["ld0a", "b", 19, 0, 0o640],
  ["ld1", "b", 19, 11, 0o640],
  ["ld1a", "b", 19, 8, 0o640],
  ["ld1d", "b", 19, 11, 0o640],
  ["mem", "c", 2, 0, 0o640],
  ["null", "c", 2, 2, 0o666],
  ["random", "c", 46, 0, 0o444],
  ["rld0a", "c", 69, 0, 0o640],
  ["rld1a", "c", 69, 8, 0o640],
  ["rld1d", "c", 69, 11, 0o640],
  ["stderr", "c", 22, 2, 0o666],
  ["stdin", "c", 22, 0, 0o666],
  ["stdout", "c", 22, 1, 0o666],
  ["tty", "c", 1, 0, 0o666],
  ["urandom", "c", 46, 1, 0o644],
  ["zero", "c", 2, 12, 0o666],
];

/** A node that is still being put in its place. */
type Growing = ReturnType<typeof plainNode>;
type Named = readonly [name: Uint8Array, node: number];

/** A snapshot with them in /dev, which is made if it is missing. Names that the tree has stay as they are. */
export function withNetbsdDevices(snapshot: Snapshot): Snapshot {
  const nodes: Growing[] = snapshot.nodes.map(plainNode);
  const root = nodes[0] as Growing; // every tree has a root
  const runOf = (node: Growing): Named[] =>
    Array.from({ length: node.count }, (_, i) => [
      entryName(snapshot, node.first + i),
      snapshot.entryNode[node.first + i] as number, // within its run
    ]);
  const dev = encodeName("dev");
  const known = runOf(root).find(([name]) => compareBytes(name, dev) === 0)?.[1];
  const device = known ?? nodes.length;
  if (known === undefined) nodes.push(made(snapshot, "directory", 0o755, 0, 0, 0));
  // A /dev that is no directory stays as it is: nothing can be added to it.
  else if (nodes[known]?.kind !== "directory") return snapshot;
  const own = known === undefined ? [] : runOf(nodes[known] as Growing); // just looked at
  const added = DEVICES.filter(([name]) => own.every(([held]) => compareBytes(held, encodeName(name)) !== 0)).map(
    ([name, kind, major, minor, mode]): Named => {
      nodes.push(made(snapshot, kind === "c" ? "character-device" : "block-device", mode, major, minor, device));
      return [encodeName(name), nodes.length - 1];
    },
  );
  const runs = new Map<number, Named[]>([[device, [...own, ...added]]]);
  if (known === undefined) {
    runs.set(0, [...runOf(root), [dev, device]]);
    root.subdirectories++;
  }
  return gathered(snapshot, nodes, (index, node) => runs.get(index) ?? runOf(node));
}

/** The snapshot of these nodes, with the run that `runOf` gives for each directory. */
function gathered(snapshot: Snapshot, nodes: Growing[], runOf: (index: number, node: Growing) => readonly Named[]): Snapshot {
  const entryNode: number[] = [];
  const nameStart: number[] = [0];
  const names: Uint8Array[] = [];
  let end = 0;
  for (const node of nodes) node.entry = -1;
  nodes.forEach((node, index) => {
    if (node.kind !== "directory") return;
    const run = [...runOf(index, node)].sort(([a], [b]) => compareBytes(a, b));
    node.first = entryNode.length;
    node.count = run.length;
    for (const [name, child] of run) {
      const named = nodes[child] as Growing; // entries lead to nodes
      if (named.entry < 0) named.entry = entryNode.length;
      entryNode.push(child);
      names.push(name);
      end += name.length;
      nameStart.push(end);
    }
  });
  const bytes = new Uint8Array(end);
  names.forEach((name, i) => {
    bytes.set(name, nameStart[i]);
  });
  return {
    nodes,
    entries: entryNode.length,
    entryNode: Uint32Array.from(entryNode),
    nameStart: Uint32Array.from(nameStart),
    names: bytes,
    time: snapshot.time,
  };
}

function made(
  { time }: Snapshot,
  kind: "directory" | "character-device" | "block-device",
  mode: number,
  major: number,
  minor: number,
  parent: number,
): Growing {
  return {
    kind,
    mode,
    uid: 0,
    gid: 0,
    atime: time,
    mtime: time,
    ctime: time,
    btime: time,
    xattrs: [],
    entry: -1,
    parent,
    links: 1,
    content: undefined,
    target: undefined,
    major,
    minor,
    first: 0,
    count: 0,
    subdirectories: 0,
  };
}
