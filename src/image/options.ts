// Options as tables: type, default, range and one sentence each. A table drives the API's types, validation,
// the command line's flags, help and documentation.

import { FsynthError } from "../error.ts";
import { type TimeInput, toTime } from "../tree/metadata.ts";
import type { Time } from "../tree/node.ts";
import { type InodesSpec, parseBytes, parseInodes, parseSize, type SizeSpec } from "./size.ts";

/** One option. `Input` is what the API takes, `Value` what the code behind it sees. */
export interface Option<Input = unknown, Value = unknown> {
  /** One sentence of help. */
  readonly help: string;
  /** What stands for the value in help (`BYTES`); none for a switch. */
  readonly metavar?: string;
  /** In words, for help. */
  readonly defaultText?: string;
  /** What stands for an option that is not given; already converted. */
  readonly default: Value;
  /** May be given several times on the command line. */
  readonly repeats?: boolean;
  /** On the command line its values name files, whose contents are handed over instead. */
  readonly files?: boolean;
  /** Checks and converts; throws a sentence (Refusal) that says what was expected. */
  accept(input: Input | string): Value;
}

/** A table of options by API name; the command line spells them in kebab-case. */
export type OptionTable = Readonly<Record<string, Option<never, unknown>>>;

/** What the API takes for a table: every option may be left out; text is read as on the command line. */
export type OptionInputs<T extends OptionTable> = string extends keyof T
  ? Readonly<Record<string, unknown>> // of a format that is known only when the program runs
  : { readonly [K in keyof T]?: (T[K] extends Option<infer Input, unknown> ? Input : never) | undefined };

/** All options of a table, resolved. */
export type OptionValues<T extends OptionTable> = {
  readonly [K in keyof T]: T[K] extends { readonly default: infer Value } ? Value : never;
};

class Refusal extends Error {}

/** What `accept` of an option calls for a value that it does not take; `expected` ends the sentence. */
export function refuse(expected: string): never {
  throw new Refusal(expected);
}

/** Resolves `inputs` by `table`. Throws `usage` for unknown options and values out of range. */
export function resolveOptions<T extends OptionTable>(table: T, inputs: object, format: string): OptionValues<T> {
  const values: Record<string, unknown> = {};
  for (const [name, input] of Object.entries(inputs)) {
    if (!Object.hasOwn(table, name)) {
      throw new FsynthError("usage", `${format} has no option "${name}"; it has ${Object.keys(table).join(", ")}`, {
        format,
        option: name,
      });
    }
    if (input !== undefined) values[name] = accepted(name, table[name] as Option, input, format);
  }
  for (const [name, option] of Object.entries(table)) values[name] ??= option.default;
  return values as OptionValues<T>; // filled key by key from the table
}

function accepted(name: string, option: Option, input: unknown, format: string): unknown {
  try {
    return option.accept(input);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const found = typeof input === "object" || typeof input === "string" ? JSON.stringify(input) : `${input as number}`;
    throw new FsynthError("usage", `option ${flagOf(name)} is ${found}; expected ${error.message}`, { format, option: name });
  }
}

/** `blockSize` as `--block-size`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A switch. */
export function toggle(initial: boolean, help: string): Option<boolean, boolean> {
  return {
    help,
    default: initial,
    defaultText: initial ? "on" : "off",
    accept(input) {
      if (input === true || input === "true") return true;
      if (input === false || input === "false") return false;
      return refuse("true or false");
    },
  };
}

/** A whole number in a range; text may carry a unit (`64M`) when `units`. `undefined` stands for "chosen by the format". */
export function integer<D extends number | undefined>(
  initial: D,
  range: { readonly min: number; readonly max: number; readonly units?: boolean; readonly powerOfTwo?: boolean },
  metavar: string,
  help: string,
  defaultText?: string,
): Option<number, number | D> {
  const kind = range.powerOfTwo ? "a power of two" : "a whole number";
  return {
    help,
    metavar,
    default: initial,
    ...(defaultText === undefined ? (initial === undefined ? {} : { defaultText: String(initial) }) : { defaultText }),
    accept(input) {
      const number =
        typeof input === "number" ? input : range.units ? parseBytes(input) : /^-?\d+$/.test(input) ? Number(input) : undefined;
      const whole = number !== undefined && Number.isSafeInteger(number) && number >= range.min && number <= range.max;
      if (!whole || (range.powerOfTwo && 2 ** Math.round(Math.log2(number)) !== number)) {
        refuse(`${kind} from ${range.min} to ${range.max}`);
      }
      return number;
    },
  };
}

/** A number that may have decimals, in a range. */
export function decimal(
  initial: number,
  range: { readonly min: number; readonly max: number },
  metavar: string,
  help: string,
): Option<number, number> {
  return {
    help,
    metavar,
    default: initial,
    defaultText: String(initial),
    accept(input) {
      const number = typeof input === "number" ? input : /^\d+(\.\d+)?$/.test(input) ? Number(input) : Number.NaN;
      return number >= range.min && number <= range.max ? number : refuse(`a number from ${range.min} to ${range.max}`);
    },
  };
}

/** Text of at most `maxBytes` bytes of UTF-8, without NUL. */
export function text(maxBytes: number, metavar: string, help: string): Option<string, string> {
  return {
    help,
    metavar,
    default: "",
    accept(input) {
      if (typeof input !== "string" || input.includes("\0") || new TextEncoder().encode(input).length > maxBytes) {
        refuse(`text of at most ${maxBytes} bytes without NUL`);
      }
      return input;
    },
  };
}

/** One of several words. */
export function choice<const W extends string, D extends W | undefined>(
  words: readonly W[],
  initial: D,
  help: string,
): Option<W, W | D> {
  return {
    help,
    metavar: words.join("|"),
    default: initial,
    ...(initial === undefined ? {} : { defaultText: initial }),
    accept: (input) => words.find((word) => word === input) ?? refuse(words.join(" or ")),
  };
}

/** Words separated by commas, or an array of them. */
export function words(metavar: string, help: string): Option<string | readonly string[], readonly string[]> {
  return {
    help,
    metavar,
    repeats: true,
    default: [],
    accept(input) {
      const list = typeof input === "string" ? [input] : input;
      if (!Array.isArray(list) || list.some((word) => typeof word !== "string")) refuse("words");
      return list.flatMap((word) => word.split(",")).filter((word) => word !== "");
    },
  };
}

/** Texts, each taken as it is. */
export function list(metavar: string, help: string): Option<string | readonly string[], readonly string[]> {
  return {
    help,
    metavar,
    repeats: true,
    default: [],
    accept(input) {
      const texts = typeof input === "string" ? [input] : input;
      return Array.isArray(texts) && texts.every((item) => typeof item === "string") ? texts : refuse("a list of texts");
    },
  };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A UUID in the usual spelling. */
export function uuid(help: string): Option<string, string | undefined> {
  return {
    help,
    metavar: "UUID",
    default: undefined,
    defaultText: "derived from the tree",
    accept(input) {
      const lower = String(input).toLowerCase();
      return UUID.test(lower) ? lower : refuse("a UUID such as 123e4567-e89b-42d3-a456-426614174000");
    },
  };
}

/** `--size`: bytes as a number, or text as {@link parseSize} reads it. */
export const sizeOption: Option<number | string, SizeSpec> = {
  help: "Size of the image: the least that holds everything, that plus a share or an amount, or an amount (units K, M, G, T of 1024).",
  metavar: "fit|fit+10%|fit+64M|300M",
  default: { base: "fit", plus: 0, percent: 0 },
  defaultText: "fit",
  accept(input) {
    const spec = parseSize(String(input));
    return spec ?? refuse("fit, fit+10%, fit+64M or an amount such as 300M");
  },
};

/** `--inodes`: a count as a number, or text as {@link parseInodes} reads it. */
export const inodesOption: Option<number | string, InodesSpec> = {
  help: "Inodes of the image: as many as the tree needs (rounded up to what the format can), that and N spare ones, N, or one for so many bytes of the image.",
  metavar: "fit|fit+N|N|1/BYTES",
  default: { base: "fit", plus: 0 },
  defaultText: "fit",
  accept: (input) => parseInodes(String(input)) ?? refuse("fit, fit+N, N or 1/BYTES"),
};

function timeOption(help: string): Option<TimeInput, Time | undefined> {
  return {
    help,
    metavar: "SECONDS",
    default: undefined,
    accept(input) {
      if (typeof input !== "string") return toTime(input);
      if (!/^-?\d+$/.test(input)) refuse("whole seconds since 1970-01-01 UTC");
      return toTime(Number(input));
    },
  };
}

/** Whose something is. */
export interface Owner {
  /** 32 bits. */
  readonly uid: number;
  /** 32 bits. */
  readonly gid: number;
}

const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff;

const ownerOption: Option<Owner | string, Owner | undefined> = {
  help: "Gives everything this one owner and group, as numbers.",
  metavar: "UID:GID",
  default: undefined,
  accept(input) {
    const match = typeof input === "string" ? /^(\d+):(\d+)$/.exec(input) : undefined;
    const owner =
      typeof input === "string" ? { uid: Number(match?.[1] ?? Number.NaN), gid: Number(match?.[2] ?? Number.NaN) } : input;
    return isId(owner.uid) && isId(owner.gid) ? owner : refuse("UID:GID, two numbers from 0 to 4294967295");
  },
};

/** From ids to others; ids that it lacks stay. */
export type IdMap = ReadonlyMap<number, number>;

function idMapOption(what: string): Option<IdMap | Readonly<Record<number, number>> | string | readonly string[], IdMap> {
  return {
    help: `Replaces the ${what} FROM by TO wherever it occurs.`,
    metavar: "FROM:TO",
    repeats: true,
    default: new Map(),
    accept(input) {
      const map = new Map<number, number>();
      const pairs: (readonly [number, number])[] = [];
      if (typeof input === "string" || Array.isArray(input)) {
        for (const item of typeof input === "string" ? [input] : (input as readonly string[])) {
          const match = /^(\d+):(\d+)$/.exec(item) ?? refuse("FROM:TO, two numbers from 0 to 4294967295");
          pairs.push([Number(match[1]), Number(match[2])]);
        }
      } else if (input instanceof Map) pairs.push(...(input as IdMap));
      else for (const [from, to] of Object.entries(input as Record<number, number>)) pairs.push([Number(from), to]);
      for (const [from, to] of pairs) {
        if (!isId(from) || !isId(to)) refuse("FROM:TO, two numbers from 0 to 4294967295");
        if (map.has(from) && map.get(from) !== to) refuse(`one TO for ${from}`);
        map.set(from, to);
      }
      return map;
    },
  };
}

/** The options that every format has: what normalisation does, and whether loss is allowed. */
export const treeOptions = {
  mtime: timeOption("Sets every time in the image, its own included."),
  clampMtime: timeOption("Lowers every later time to this one; also the image's own time."),
  owner: ownerOption,
  mapUid: idMapOption("user id"),
  mapGid: idMapOption("group id"),
  exclude: list("GLOB", "Leaves out what matches; a glob without a slash matches names at any depth."),
  allowLoss: toggle(false, "Drops what the format cannot hold, with a warning that counts, instead of refusing."),
} satisfies OptionTable;
