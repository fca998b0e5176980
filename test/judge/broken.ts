// Images broken on purpose: whatever stands in one, reading it ends soon, in a result or in an FsynthError.

import fc from "fast-check";
import { FsynthError } from "../../src/error.ts";
import type { Format } from "../../src/image/format.ts";
import { type ImageBytes, makeVolume, type Volume } from "../../src/image/volume.ts";
import { addVolume } from "../../src/sources/image.ts";
import { Tree } from "../../src/tree/tree.ts";

export function imageOf(bytes: Uint8Array): ImageBytes {
  return {
    size: bytes.length,
    readAt(offset, target) {
      if (offset + target.length > bytes.length) {
        throw new FsynthError("corrupt", `the image ends at byte ${bytes.length}, expected at least ${offset + target.length}`);
      }
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** Bytes put at an offset. */
export interface Patch {
  readonly offset: number;
  readonly bytes: readonly number[];
}

/** One to four patches, most of them where the image does not hold data of files: single bytes, words of extremes, copied runs. */
export function patchesArbitrary(bytes: Uint8Array, volume: Volume): fc.Arbitrary<readonly Patch[]> {
  const runs = [...volume.usage()].filter(({ use }) => use !== "free" && use !== "file" && use !== "journal");
  const ranges = [...runs, { offset: 1024, length: 1024 }, { offset: 0, length: bytes.length }];
  const place = fc.tuple(fc.nat(ranges.length - 1), fc.nat(2 ** 30)).map(([index, at]) => {
    const { offset, length } = ranges[index] as (typeof ranges)[number]; // within the list
    // Where records start is where it hurts.
    const within = at % 3 === 0 ? at % Math.min(length, 64) : at % length;
    return Math.min(offset + within, bytes.length - 8);
  });
  const word = fc.constantFrom(
    [0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xff],
    [1, 0, 0, 0],
    [0, 0, 0, 0x80],
    [0xff, 0xff, 0xff, 0x7f],
    [0xff, 0xff],
    [0, 0],
    [2, 0, 0, 0],
  );
  const copied = fc
    .tuple(place, fc.integer({ min: 4, max: 64 }))
    .map(([from, length]) => [...bytes.subarray(from, from + length)]);
  const bit = fc.tuple(place, fc.nat(7)).map(([at, shift]) => ({ offset: at, bytes: [(bytes[at] as number) ^ (1 << shift)] }));
  const patch = fc.oneof(
    bit,
    fc.record({ offset: place, bytes: word }),
    fc.record({ offset: place, bytes: fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }) }),
    fc.record({ offset: place, bytes: copied }),
  );
  return fc.array(patch, { minLength: 1, maxLength: 4 });
}

export function patched(bytes: Uint8Array, patches: readonly Patch[]): Uint8Array {
  const copy = bytes.slice();
  for (const { offset, bytes: put } of patches) copy.set(put.slice(0, Math.max(0, copy.length - offset)), offset);
  return copy;
}

/** Does with an image all that can be done. Gives how many of the parts were refused; throws what is no FsynthError. */
export function readEverything(format: Format, bytes: Uint8Array): number {
  let refused = 0;
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof FsynthError)) throw error;
      refused++;
      return undefined;
    }
  };
  const volume = attempt(() => {
    const image = imageOf(bytes);
    return format.recognises?.(image) && format.open ? makeVolume(format.open(image)) : undefined;
  });
  if (!volume) return refused + 1;
  // What is sound is read even where other things are broken.
  const seen = new Set<number>([volume.root]);
  const open = [volume.root];
  const window = new Uint8Array(8192);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const directory = at;
    for (const { id } of attempt(() => volume.children(directory)) ?? []) {
      if (seen.has(id)) continue;
      seen.add(id);
      const node = attempt(() => volume.node(id));
      attempt(() => volume.xattrs(id));
      if (node?.kind === "directory") open.push(id);
      if (node?.kind === "symlink") attempt(() => volume.target(id));
      if (node?.kind !== "file") continue;
      attempt(() => {
        const content = volume.content(id);
        for (const offset of [0, Math.max(0, content.size - window.length)]) {
          void content.read(offset, window.subarray(0, Math.min(window.length, content.size - offset)));
        }
      });
    }
  }
  attempt(() => addVolume(new Tree(), volume, "image"));
  attempt(() => volume.inspect());
  attempt(() => {
    let end = 0;
    for (const { offset, length } of volume.usage()) {
      if (offset !== end || length <= 0) throw new Error(`usage: a run of ${length} at ${offset}, expected it at ${end}`);
      end += length;
    }
  });
  for (let offset = 0; offset < bytes.length; offset += Math.ceil(bytes.length / 64)) attempt(() => volume.locate(offset));
  attempt(() => volume.buildOptions());
  attempt(() => volume.remade?.());
  attempt(() => volume.lookup("/many/link/0", true));
  return refused;
}
