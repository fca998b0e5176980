// The options of cpio beside those of every format.

import { FsynthError } from "../../src/error.ts";
import { choice, integer, type Option, type OptionTable, type OptionValues, refuse, toggle } from "../../src/image/options.ts";
import { parseBytes } from "../../src/image/size.ts";
import { bytesContent, type Content } from "../../src/tree/content.ts";

/**
 * A further archive in the same file: bytes, or a content. `stored` says that it is compressed already, so that compressed
 * output takes it as it is.
 */
export type CpioPart = Uint8Array | Content | { readonly content: Uint8Array | Content; readonly stored: boolean };

/** A part as the planner sees it. */
export interface Part {
  /** Its bytes. */
  readonly content: Content;
  /** Whether compressed output takes it as it is. */
  readonly stored: boolean;
}

function partsOption(help: string): Option<CpioPart | readonly CpioPart[], readonly Part[]> {
  return {
    help,
    metavar: "FILE",
    repeats: true,
    files: true,
    default: [],
    accept(input) {
      if (typeof input === "string") return refuse("bytes or contents (the command line reads files)");
      return (Array.isArray(input) ? (input as readonly CpioPart[]) : [input as CpioPart]).map(toPart); // isArray does not narrow readonly arrays
    },
  };
}

function toPart(part: CpioPart): Part {
  const given: unknown = part; // callers in plain JavaScript may give anything
  if (typeof given !== "object" || given === null) return refuse("bytes or contents");
  const { content, stored } =
    "content" in given
      ? (part as Exclude<CpioPart, Uint8Array | Content>)
      : { content: part as Uint8Array | Content, stored: false };
  if (content instanceof Uint8Array) return { content: bytesContent(content), stored };
  return typeof content?.read === "function" && Number.isSafeInteger(content.size)
    ? { content, stored }
    : refuse("bytes or contents");
}

const paddingOption: Option<number | string, number> = {
  help: "The end of the archive is padded with zeros to a multiple of this power of two.",
  metavar: "none|BYTES",
  default: 512,
  defaultText: "512",
  accept(input) {
    const bytes = input === "none" ? 1 : typeof input === "number" ? input : parseBytes(input);
    const fits = bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= 1 && bytes <= 2 ** 40;
    return fits && 2 ** Math.round(Math.log2(bytes)) === bytes ? bytes : refuse("none or a power of two up to 1T");
  },
};

/** The options of cpio. */
export const cpioOptions = {
  checksum: toggle(
    false,
    "Writes the crc variant (070702): headers carry a sum of each file's bytes, for which files are read twice.",
  ),
  rootEntry: toggle(true, "Writes the root directory itself, as the entry `.`."),
  linkData: choice(["last", "first"], "last", "Which name of a hard-linked file carries its data."),
  padding: paddingOption,
  align: integer(
    4,
    { min: 4, max: 4096, units: true, powerOfTwo: true },
    "BYTES",
    "Puts the data of files at multiples of this power of two, by zeros behind their names.",
  ),
  like: choice(["gnu"], undefined, "Orders and numbers hard links as `cpio -o -H newc --reproducible` does, byte for byte."),
  prepend: partsOption("A cpio archive put in front as it is, never compressed (early microcode)."),
  append: partsOption("A cpio archive put behind; compressed output compresses it on its own, unless it is compressed already."),
  zstdLimit: integer(
    2 ** 30,
    { min: 0, max: 2 ** 32 - 1, units: true },
    "BYTES",
    "Most bytes of an archive that are compressed to one zstd frame, which is made in memory.",
    "1G",
  ),
} satisfies OptionTable;

export type CpioOptions = OptionValues<typeof cpioOptions>;

/** Throws `usage` for options that contradict each other. */
export function checkOptions(options: CpioOptions): void {
  if (options.like === "gnu" && options.linkData === "first") {
    throw new FsynthError("usage", "cpio: GNU cpio puts the data on the last name; linkData first contradicts like gnu", {
      format: "cpio",
      option: "linkData",
    });
  }
}
