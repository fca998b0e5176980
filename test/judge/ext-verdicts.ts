// check and e2fsck before the same damaged images.

import { checkExt } from "../../formats/ext/check/check.ts";
import { FsynthError } from "../../src/error.ts";
import { complaintsOf, type Damage, damageOf, memoryImage, Patient, Sites } from "./ext-damage.ts";
import { whyDifferent } from "./ext-differences.ts";

export interface Verdicts {
  cases: number;
  agreed: number;
  /** Disagreements whose reason is written down. */
  known: number;
  /** The others. */
  readonly unknown: string[];
}

/** A generator of numbers below a bound. */
export function numbers(start: number): (below: number) => number {
  let state = start >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Damages every `stride`-th field of the image once, and compares. The image is written to `path`. */
export function compareVerdicts(bytes: Uint8Array, path: string, stride: number, pick: (below: number) => number): Verdicts {
  const verdicts: Verdicts = { cases: 0, agreed: 0, known: 0, unknown: [] };
  const sites = new Sites(bytes);
  const patient = new Patient(path, bytes);
  for (let at = pick(stride); at < sites.sites.length; at += stride) {
    const site = sites.sites[at];
    const damage = site && damageOf(bytes, site, sites.checksums, pick);
    if (damage) patient.with(damage, () => compare(verdicts, damage, bytes, path));
  }
  patient.close();
  return verdicts;
}

function compare(verdicts: Verdicts, damage: Damage, bytes: Uint8Array, path: string): void {
  const theirs = complaintsOf(path);
  const mine = findings(bytes);
  verdicts.cases++;
  if (theirs.length > 0 === mine.length > 0) {
    verdicts.agreed++;
    return;
  }
  const who = mine.length > 0 ? "check" : "e2fsck";
  const why = whyDifferent(
    damage,
    who,
    mine.map(([code]) => code),
  );
  if (why !== undefined) {
    verdicts.known++;
    return;
  }
  const { site, how, sealed } = damage;
  const said = who === "check" ? mine.map(([, text]) => text) : theirs;
  verdicts.unknown.push(
    `${site.place}: ${site.record}.${site.field} ${how}${sealed ? ", checksums right" : ""}: only ${who} says ${said.slice(0, 3).join("; ")}`,
  );
}

/** Codes and sentences. What cannot be checked at all is one, too. */
function findings(bytes: Uint8Array): (readonly [code: string, text: string])[] {
  try {
    return checkExt(memoryImage(bytes)).map(({ code, place, found, expected }) => [
      code,
      `${code}: ${place}: ${found}, expected ${expected}`,
    ]);
  } catch (error) {
    if (!(error instanceof FsynthError)) throw error;
    return [[error.code, error.message]];
  }
}
