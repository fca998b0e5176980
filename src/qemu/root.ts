// What a root image is: which driver mounts it, and how it is told from other disks. Read from its superblock; what the
// superblocks hold beyond that is the formats' business.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { quoteName } from "../bytes/names.ts";
import { FsynthError } from "../error.ts";
import { closeInput, type Input, openInput } from "../sources/input.ts";
import { HEAD, kindOf, otherName } from "../sources/recognise.ts";
import { unpacked } from "../sources/unpack.ts";
import { BootError } from "./error.ts";

/** A root filesystem as Linux is told of it. */
export interface RootFilesystem {
  readonly kind: "ext" | "ffs";
  /** Drivers that mount it, the best first. */
  readonly drivers: readonly string[];
  /** `-o` of mount(8). */
  readonly mountOptions: string;
  /** Linux cannot write to it. */
  readonly readOnly: boolean;
  /** As `root=` takes it: `UUID=…`, or `LABEL=…`; undefined where it has neither. */
  readonly name: string | undefined;
}

/** What the front of an image says. `cpio` is no disk but an initramfs; undefined: none of these. */
export function recogniseRoot(head: Uint8Array): RootFilesystem | "cpio" | undefined {
  switch (kindOf(head)) {
    case "cpio":
      return "cpio";
    case "ext":
      return extRoot(head);
    case "ffs":
      return ffsRoot(head);
    default:
      return undefined;
  }
}

export interface OpenedRoot {
  readonly found: RootFilesystem | "cpio";
  /** Of a compressed image of a disk, what is in it. */
  readonly unpacked?: AsyncIterable<Uint8Array>;
}

/** What stands at `path`. Throws `no-root` for what cannot be booted. */
export async function openRoot(path: string): Promise<OpenedRoot> {
  const input = openInput(path);
  let plain: Input | undefined;
  try {
    plain = await unpacked(input);
    const head = await plain.head(HEAD.all);
    const found = recogniseRoot(head);
    if (found === undefined) {
      const what = head.length === 0 ? "it is empty" : `found ${kindOf(head) ?? otherName(head) ?? "something else"}`;
      throw new BootError("no-root", `${quoteName(path)}: ${what}, expected an image of ext, FFS or cpio`);
    }
    if (plain === input || found === "cpio") {
      await closeInput(plain);
      return { found };
    }
    return { found, unpacked: ended(plain.chunks(), input) };
  } catch (error) {
    await closeInput(input);
    throw error;
  }
}

/** Whether `path` is a file with an image that can be booted as it is, plain or compressed. */
export async function isBootable(path: string): Promise<boolean> {
  if (host.files.stat(path)?.kind !== "file") return false;
  const input = openInput(path);
  try {
    return recogniseRoot(await (await unpacked(input)).head(HEAD.all)) !== undefined;
  } catch (error) {
    // A compression that is not read: as a source it is refused in words.
    if (error instanceof FsynthError) return false;
    throw error;
  } finally {
    await closeInput(input);
  }
}

async function* ended(chunks: AsyncIterable<Uint8Array>, input: Input): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    await closeInput(input);
  }
}

/** ext4.ko mounts ext2 and ext3 too; few kernels still have drivers of their own for these. */
function extRoot(head: Uint8Array): RootFilesystem {
  // s_uuid, s_volume_name
  const uuid = toHex(head.subarray(1024 + 0x68, 1024 + 0x78));
  const label = text(head.subarray(1024 + 0x78, 1024 + 0x88));
  const dashed = uuid.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  const name = /[^0]/.test(uuid) ? `UUID=${dashed}` : label === "" ? undefined : `LABEL=${label}`;
  return { kind: "ext", drivers: ["ext4", "ext3", "ext2"], mountOptions: "", readOnly: false, name };
}

/** Linux mounts FFS read-only unless it was built to write, and wants to be told which of its forms it is. */
function ffsRoot(head: Uint8Array): RootFilesystem {
  for (const at of [65_536, 8192]) {
    for (const little of [true, false]) {
      const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
      if (head.length < at + 1376) continue;
      const magic = view.getUint32(at + 1372, little);
      if (magic !== 0x00011954 && magic !== 0x19540119) continue;
      // fs_id, as blkid(8) writes it.
      const id = [144, 148]
        .map((offset) =>
          view
            .getUint32(at + offset, little)
            .toString(16)
            .padStart(8, "0"),
        )
        .join("");
      const type = magic === 0x00011954 ? "44bsd" : "ufs2";
      const name = /[^0]/.test(id) ? `UUID=${id}` : undefined;
      return { kind: "ffs", drivers: ["ufs"], mountOptions: `ufstype=${type}`, readOnly: true, name };
    }
  }
  throw new BootError("no-root", "no superblock of FFS where Linux looks for one");
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
