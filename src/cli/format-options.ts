// From option tables to flags: every option of every format becomes a flag, so that one which the chosen format lacks can be
// answered with those that have it.

import { type Command, Option as Flag } from "commander";
import type { Format } from "../image/format.ts";
import { flagOf, type Option, type OptionTable, treeOptions } from "../image/options.ts";
import { usage } from "./failure.ts";

/** Where the flags of the tables left what was given, by API name. */
export type Given = ReadonlyMap<string, unknown>;

/** Those of a table that other flags of `build` stand for. */
const ELSEWHERE = new Set(["exclude"]);

/** What the command line takes beyond the table: it may read contents before planning, which the tables' code never does. */
const BEYOND: Readonly<Record<string, { readonly metavar: string; readonly help: string }>> = {
  uuid: { metavar: "UUID|content", help: " With content, the tree with all that its files hold." },
};

/** Adds the flags of all tables, those of `format` first; the result reads what was given after parsing. */
export function addTableFlags(command: Command, formats: readonly Format[], format: Format | undefined): () => Given {
  const given = new Map<string, unknown>();
  const known = new Set<string>();
  const add = (table: OptionTable, title: string): void => {
    for (const [name, option] of Object.entries(table)) {
      if (known.has(name) || ELSEWHERE.has(name)) continue;
      known.add(name);
      // What a table holds is hidden behind its type only so that tables of any options are one type.
      for (const flag of flagsOf(name, option as unknown as Option)) command.addOption(flag.helpGroup(title));
      command.on(`option:${flagOf(name).slice(2)}`, (value: unknown) => collect(given, name, option as unknown as Option, value));
      command.on(`option:no-${flagOf(name).slice(2)}`, () => given.set(name, false));
    }
  };
  add(treeOptions, "Every format:");
  const ordered = format ? [format, ...formats.filter((other) => other !== format)] : formats;
  for (const { options, profiles } of ordered) add(options, `${profiles.map(({ name }) => name).join(", ")}:`);
  return () => given;
}

function collect(given: Map<string, unknown>, name: string, option: Option, value: unknown): void {
  if (option.metavar === undefined) given.set(name, true);
  else if (option.repeats) given.set(name, [...((given.get(name) as unknown[] | undefined) ?? []), value]);
  else given.set(name, value);
}

function flagsOf(name: string, option: Option): Flag[] {
  const flag = flagOf(name);
  const off = `--no-${flag.slice(2)}`;
  if (option.metavar === undefined) {
    return option.default === true
      ? [new Flag(off, `Turns off: ${option.help}`), new Flag(flag).hideHelp()]
      : [new Flag(flag, option.help), new Flag(off).hideHelp()];
  }
  const rest = option.repeats ? " Can be repeated." : option.defaultText ? ` Default: ${option.defaultText}.` : "";
  const beyond = BEYOND[name];
  return [new Flag(`${flag} <${beyond?.metavar ?? option.metavar}>`, `${option.help}${rest}${beyond?.help ?? ""}`)];
}

/** Throws `usage` for an option that `format` lacks, and names the formats that have it. */
export function checkGiven(given: Given, formats: readonly Format[], format: Format, profile: string): void {
  for (const name of given.keys()) {
    if (Object.hasOwn(treeOptions, name) || Object.hasOwn(format.options, name)) continue;
    const others = formats.filter(({ options }) => Object.hasOwn(options, name)).flatMap(({ profiles }) => profiles);
    throw usage(`${profile} has no option ${flagOf(name)}; it belongs to ${others.map((other) => other.name).join(", ")}`, name);
  }
}
