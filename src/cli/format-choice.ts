// Which format a command line asks for, and what its flags come to.

import { writers } from "../../formats/writers.ts";
import type { Format } from "../image/format.ts";
import { usage } from "./failure.ts";
import type { Given } from "./format-options.ts";
import { suggestion } from "./nearest.ts";

/** What -f takes. */
export const profileNames: readonly string[] = writers.flatMap(({ profiles }) => profiles.map(({ name }) => name));

/** The argument of -f, before the flags are known that come with it. */
export function formatArgument(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length && args[i] !== "--"; i++) {
    const match = /^(?:-f|--format=)(.+)$/.exec(args[i] ?? "");
    if (match) return match[1];
    if (args[i] === "-f" || args[i] === "--format") return args[i + 1];
  }
  return undefined;
}

/** The format that has the profile, if one does. */
export function formatNamed(profile: string | undefined): Format | undefined {
  return writers.find(({ profiles }) => profiles.some(({ name }) => name === profile));
}

/** The format of -f. Throws `usage` where there is none such. */
export function chosenFormat(profile: string | undefined): { readonly format: Format; readonly profile: string } {
  if (profile === undefined) throw usage(`no format given: -f with one of ${profileNames.join(", ")}`, "format");
  const format = formatNamed(profile);
  if (!format) {
    throw usage(
      `unknown format "${profile}"${suggestion(profile, profileNames)}; expected one of ${profileNames.join(", ")}`,
      "format",
    );
  }
  return { format, profile };
}

/**
 * What the flags of the tables come to, before the options `like` another image's: `--uuid content` is a seed, and
 * SOURCE_DATE_EPOCH a clamp, unless that image says what its time is.
 */
export function optionInputs(
  given: Given,
  format: Format,
  like: Readonly<Record<string, unknown>> | undefined,
): { readonly seeded: boolean; readonly epoch: number | undefined; readonly inputs: Record<string, unknown> } {
  const inputs: Record<string, unknown> = { ...like, ...Object.fromEntries(given) };
  const seeded = Object.hasOwn(format.options, "uuid") && inputs.uuid === "content";
  if (seeded) delete inputs.uuid;
  const epoch = process.env.SOURCE_DATE_EPOCH;
  if (epoch === undefined || like !== undefined || inputs.clampMtime !== undefined || inputs.mtime !== undefined) {
    return { seeded, epoch: undefined, inputs };
  }
  if (!/^\d{1,15}$/.test(epoch)) throw usage(`SOURCE_DATE_EPOCH is "${epoch}"; expected whole seconds since 1970-01-01 UTC`);
  inputs.clampMtime = epoch;
  return { seeded, epoch: Number(epoch), inputs };
}
