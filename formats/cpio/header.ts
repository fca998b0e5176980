// Headers of the four variants, read into one form.

import type { Field } from "../../src/bytes/struct.ts";
import { BINARY_MAGIC, binaryBe, binaryLe, MAGIC, newc, odc } from "./disk/headers.ts";
import type { CpioVariant } from "./member.ts";

export interface Header {
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly mtime: number;
  readonly size: number;
  readonly nameSize: number;
  /** The device that the file was on, to tell inodes apart. */
  readonly device: string;
  readonly major: number;
  readonly minor: number;
  readonly sum: number;
}

/** How a variant lays a member out. */
export interface Variant {
  readonly name: CpioVariant;
  readonly headerSize: number;
  /** Name and data end at multiples of this, from the start of the archive. */
  readonly unit: number;
  /** Names of the fields that are no number of their kind are in `bad`. */
  read(view: DataView, at: number, bad: string[]): Header;
}

function number(field: Field, name: string, view: DataView, at: number, bad: string[]): number {
  const value = field.get(view, at);
  if (Number.isNaN(value)) bad.push(name);
  return value;
}

function ascii(name: "newc" | "crc"): Variant {
  return {
    name,
    headerSize: newc.size,
    unit: 4,
    read(view, at, bad) {
      const { c_magic: _, ...fields } = newc.f;
      const get = (field: keyof typeof fields): number => number(fields[field], field, view, at, bad);
      return {
        ino: get("c_ino"),
        mode: get("c_mode"),
        uid: get("c_uid"),
        gid: get("c_gid"),
        links: get("c_nlink"),
        mtime: get("c_mtime"),
        size: get("c_filesize"),
        nameSize: get("c_namesize"),
        device: `${get("c_maj")}:${get("c_min")}`,
        major: get("c_rmaj"),
        minor: get("c_rmin"),
        // newc leaves the field to chance.
        sum: name === "crc" ? get("c_chksum") : 0,
      };
    },
  };
}

/** The fields that the two older variants share. */
type OldFields = Readonly<
  Record<"c_dev" | "c_ino" | "c_mode" | "c_uid" | "c_gid" | "c_nlink" | "c_rdev" | "c_mtime" | "c_namesize" | "c_filesize", Field>
>;

function old(name: "odc" | "binary", headerSize: number, unit: number, fields: OldFields): Variant {
  return {
    name,
    headerSize,
    unit,
    read(view, at, bad) {
      const get = (field: keyof OldFields): number => number(fields[field], field, view, at, bad);
      const device = get("c_rdev");
      return {
        ino: get("c_ino"),
        mode: get("c_mode"),
        uid: get("c_uid"),
        gid: get("c_gid"),
        links: get("c_nlink"),
        mtime: get("c_mtime"),
        size: get("c_filesize"),
        nameSize: get("c_namesize"),
        device: String(get("c_dev")),
        // 16 bits in old times, 8 and 8; odc has 18, of which the upper ones belong to the major number.
        major: device >>> 8,
        minor: device & 0xff,
        sum: 0,
      };
    },
  };
}

const VARIANTS = {
  newc: ascii("newc"),
  crc: ascii("crc"),
  odc: old("odc", odc.size, 1, odc.f),
  binaryLe: old("binary", binaryLe.size, 2, binaryLe.f),
  binaryBe: old("binary", binaryBe.size, 2, binaryBe.f),
} as const;

/** The variant whose magic starts `bytes`; undefined where there is none. */
export function variantOf(bytes: Uint8Array): Variant | undefined {
  if (bytes.length >= 6) {
    const magic = String.fromCharCode(...bytes.subarray(0, 6));
    if (magic === MAGIC.newc) return VARIANTS.newc;
    if (magic === MAGIC.crc) return VARIANTS.crc;
    if (magic === MAGIC.odc) return VARIANTS.odc;
  }
  if (bytes.length < 2) return undefined;
  const word = ((bytes[0] as number) << 8) | (bytes[1] as number); // two bytes at least
  if (word === BINARY_MAGIC) return VARIANTS.binaryBe;
  return (((word & 0xff) << 8) | (word >>> 8)) === BINARY_MAGIC ? VARIANTS.binaryLe : undefined;
}
