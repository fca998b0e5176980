// The device nodes that a small NetBSD system needs, with NetBSD's numbers for amd64 and i386, as its etc/MAKEDEV makes them.

import { compareBytes, encodeName } from "../../src/bytes/names.ts";
import { emptyContent } from "../../src/tree/content.ts";
import { entryName, type Snapshot, type SnapshotNode } from "../../src/tree/snapshot.ts";

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

/** A snapshot with them in /dev, which is made if it is missing. Names that the tree has stay as they are. */
export function withNetbsdDevices(snapshot: Snapshot): Snapshot {
  return new Adding(snapshot).add();
}

class Adding {
  readonly #nodes: SnapshotNode[] = [];
  readonly #entryNode: number[] = [];
  readonly #nameStart: number[] = [0];
  readonly #names: number[] = [];

  constructor(readonly snapshot: Snapshot) {}

  add(): Snapshot {
    const { snapshot } = this;
    this.#nodes.push(...snapshot.nodes.map((node) => ({ ...node })));
    const root = this.#nodes[0] as SnapshotNode; // every tree has a root
    let dev = this.#child(root, "dev");
    const made = dev < 0;
    if (made) dev = this.#node("directory", 0o755, 0, 0, 0);
    const device = this.#nodes[dev] as SnapshotNode;
    // A /dev that is no directory stays as it is: nothing can be added to it.
    if (device.kind !== "directory") return snapshot;
    const added = DEVICES.filter(([name]) => made || this.#child(device, name) < 0).map(
      ([name, kind, major, minor, mode]) =>
        [encodeName(name), this.#node(kind === "c" ? "character-device" : "block-device", mode, major, minor, dev)] as const,
    );
    // All runs anew, in the order of the nodes: those of /dev and the root have grown.
    this.#nodes.forEach((node, index) => {
      if (node.kind !== "directory") return;
      const old = index < snapshot.nodes.length ? this.#run(node) : [];
      if (index === dev) this.#put(node, [...old, ...added]);
      else if (index === 0 && made) this.#put(node, [...old, [encodeName("dev"), dev] as const]);
      else this.#put(node, old);
    });
    if (made) root.subdirectories++;
    return {
      nodes: this.#nodes,
      entries: this.#entryNode.length,
      entryNode: Uint32Array.from(this.#entryNode),
      nameStart: Uint32Array.from(this.#nameStart),
      names: Uint8Array.from(this.#names),
      time: snapshot.time,
    };
  }

  #run(node: SnapshotNode): (readonly [name: Uint8Array, node: number])[] {
    return Array.from({ length: node.count }, (_, i) => [
      entryName(this.snapshot, node.first + i),
      this.snapshot.entryNode[node.first + i] as number, // within its run
    ]);
  }

  #child(node: SnapshotNode, name: string): number {
    const bytes = encodeName(name);
    return this.#run(node).find(([found]) => compareBytes(found, bytes) === 0)?.[1] ?? -1;
  }

  #node(kind: SnapshotNode["kind"], mode: number, major: number, minor: number, parent: number): number {
    const { time } = this.snapshot;
    this.#nodes.push({
      kind,
      mode,
      uid: 0,
      gid: 0,
      atime: time,
      mtime: time,
      ctime: time,
      btime: time,
      xattrs: [],
      entry: 0,
      parent,
      links: 1,
      content: kind === "file" ? emptyContent : undefined,
      target: undefined,
      major,
      minor,
      first: 0,
      count: 0,
      subdirectories: 0,
    });
    return this.#nodes.length - 1;
  }

  #put(node: SnapshotNode, run: readonly (readonly [name: Uint8Array, node: number])[]): void {
    node.first = this.#entryNode.length;
    node.count = run.length;
    for (const [name, child] of [...run].sort(([a], [b]) => compareBytes(a, b))) {
      const known = this.#nodes[child] as SnapshotNode; // entries lead to nodes
      // The first entry that leads to a node names it.
      if (known.entry < 0 || !this.#seen.has(child)) Object.assign(known, { entry: this.#entryNode.length });
      this.#seen.add(child);
      this.#entryNode.push(child);
      for (const byte of name) this.#names.push(byte);
      this.#nameStart.push(this.#names.length);
    }
  }

  readonly #seen = new Set<number>();
}
