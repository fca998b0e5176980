// Options of a format as they stand in a record: resolved, in JSON, and as the API takes them again.

import { FsynthError } from "../error.ts";
import type { Format } from "../image/format.ts";
import { type Option, resolveOptions, treeOptions } from "../image/options.ts";
import type { InodesSpec, SizeSpec } from "../image/size.ts";

/** What stands in JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** All options of a format's table that take no files, and those of every format; globs are the sources' affair. */
function recorded(format: Format): [name: string, option: Option][] {
  // What a table holds is hidden behind its type only so that tables of any options are one type.
  const all = Object.entries({ ...treeOptions, ...format.options }) as unknown as [string, Option][];
  return all.filter(([name, option]) => name !== "exclude" && !option.files);
}

/** The names of the options of `format` whose values are files. */
export function fileOptions(format: Format): string[] {
  return Object.entries(format.options).flatMap(([name, option]) => ((option as unknown as Option).files ? [name] : [])); // as above
}

/** What `inputs` come to, defaults included; what stays for the format to choose is left out. Keys as in the tables. */
export function recordedOptions(
  format: Format,
  profile: string,
  inputs: Readonly<Record<string, unknown>>,
): Record<string, Json> {
  const table = Object.fromEntries(recorded(format)) as unknown as typeof treeOptions; // any table will do
  const values = resolveOptions(
    table,
    Object.fromEntries(Object.entries(inputs).filter(([name]) => Object.hasOwn(table, name))),
    profile,
  );
  const result: Record<string, Json> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) result[name] = toJson(value);
  return Object.fromEntries(Object.keys(table).flatMap((name) => (name in result ? [[name, result[name] as Json]] : [])));
}

function toJson(value: unknown): Json {
  if (value instanceof Map) return Object.fromEntries([...(value as Map<number, number>)].sort(([a], [b]) => a - b));
  if (typeof value === "object" && value !== null && "base" in value) return specText(value as SizeSpec | InodesSpec); // only they have one
  return value as Json; // numbers, words, lists of words, owners and times
}

/** A size or a number of inodes as users write it. */
function specText(spec: SizeSpec | InodesSpec): string {
  switch (spec.base) {
    case "fit":
      if ("percent" in spec && spec.percent > 0) return `fit+${spec.percent}%`;
      return spec.plus > 0 ? `fit+${spec.plus}` : "fit";
    case "ratio":
      return `1/${spec.bytes}`;
    case "absolute":
      return String("bytes" in spec ? spec.bytes : spec.count);
  }
}

/** Throws `corrupt` unless every option is one of `format`, with a value that it takes. `place` names the object in the record. */
export function checkRecordedOptions(
  format: Format,
  profile: string,
  options: Readonly<Record<string, Json>>,
  place: string,
): void {
  const table = Object.fromEntries(recorded(format));
  for (const [name, value] of Object.entries(options)) {
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!option) {
      throw new FsynthError(
        "corrupt",
        `${place}.${name}: ${profile} has no such option here; it has ${Object.keys(table).join(", ")}`,
      );
    }
    try {
      option.accept(value);
    } catch (cause) {
      // Options refuse in words of their own; a value of a kind that no table foresees may fail in any way.
      const why = cause instanceof Error && !(cause instanceof TypeError) ? `; expected ${cause.message}` : "";
      throw new FsynthError("corrupt", `${place}.${name}: found ${JSON.stringify(value)}${why}`, { option: name }, { cause });
    }
  }
}
