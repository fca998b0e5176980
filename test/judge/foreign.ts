// Images that other programs made, kept compressed under golden-images/foreign with the command that made each and the tree that
// is in it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const top = fileURLToPath(new URL("../../golden-images/foreign", import.meta.url));

export interface ForeignCase {
  /** Such as `mke2fs-ext4`: the maker first. */
  readonly name: string;
  readonly folder: string;
}

export function foreignCases(): ForeignCase[] {
  return readdirSync(top, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .map((name) => ({ name, folder: join(top, name) }));
}

export function foreignImage({ folder }: ForeignCase): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(join(folder, "image.gz"))));
}

/** The text of one of its files. */
export function foreignText({ folder }: ForeignCase, name: "command.txt" | "tree.txt"): string {
  return readFileSync(join(folder, name), "utf8");
}
