// What the runtime has no call for, done by tools of the system: devices and fifos by mknod and mkfifo, xattrs by setfattr.

import { toHex } from "../bytes/hex.ts";
import { decodeName } from "../bytes/names.ts";
import type { SnapshotNode } from "../tree/snapshot-node.ts";
import type { ExtractTarget } from "./extract-target.ts";
import { MAX_ARGUMENT, runForEach } from "./shell.ts";

/** Makes devices and fifos; sockets are lost. Gives the nodes that were not made. */
export function makeSpecials(target: ExtractTarget): ReadonlySet<number> {
  const missing = new Set<number>();
  const { nodes } = target.snapshot;
  const indices: number[] = [];
  nodes.forEach(({ kind }, index) => {
    if (kind === "socket") {
      missing.add(index);
      target.lose("sockets", index, "sockets are left out: only a program that listens makes one");
    } else if (kind === "fifo" || kind.endsWith("device")) indices.push(index);
  });
  if (indices.length === 0) return missing;
  const calls = indices.map((index) => {
    const { kind, major, minor } = nodes[index] as SnapshotNode; // an index of the snapshot
    return [target.host(index), kind === "fifo" ? "p" : kind === "block-device" ? "b" : "c", String(major), String(minor)];
  });
  const failed = new Map(
    runForEach('if [ "$2" = p ]; then mkfifo "$1"; else mknod "$1" "$2" "$3" "$4"; fi', calls).map(({ index, said }) => [
      index,
      said,
    ]),
  );
  indices.forEach((index, call) => {
    const node = nodes[index] as SnapshotNode; // an index of the snapshot
    const said = failed.get(call);
    if (said === undefined) target.settle(index, node);
    else {
      missing.add(index);
      const [code, what] = node.kind === "fifo" ? ["fifos", "fifos"] : ["devices", "device nodes"];
      target.lose(code, index, `${what} are left out: ${said.slice(said.lastIndexOf(": ") + 2) || "the system refused"}`);
    }
  });
  return missing;
}

/** Sets the xattrs of all that was made, or counts them. */
export function setXattrs(target: ExtractTarget, how: "none" | "setfattr", missing: ReadonlySet<number>): void {
  const { nodes } = target.snapshot;
  const places: number[] = [];
  const calls: string[][] = [];
  nodes.forEach(({ xattrs }, index) => {
    if (xattrs.length === 0 || missing.has(index)) return;
    if (how !== "setfattr") {
      target.lose("xattrs", index, "files and directories lose their xattrs (POSIX ACLs and capabilities are such)");
      return;
    }
    for (const { name, value } of xattrs) {
      if (value.length * 2 > MAX_ARGUMENT) {
        target.lose("xattrs", index, "xattrs are lost: they are longer than setfattr can be given");
        continue;
      }
      places.push(index);
      calls.push([target.host(index), decodeName(name), `0x${toHex(value)}`]);
    }
  });
  if (calls.length === 0) return;
  for (const { index, said } of runForEach('setfattr -h -n "$2" -v "$3" -- "$1"', calls)) {
    const reason = said.slice(said.lastIndexOf(": ") + 2) || "setfattr failed";
    target.lose("xattrs", places[index] as number, `xattrs are lost: ${reason}`); // a call for each place
  }
}
