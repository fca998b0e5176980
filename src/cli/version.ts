// Which fsynth this is.

import { createRequire } from "node:module";

/** The version of the package, which the built command line finds by its name, wherever in the package it lies. */
export function version(): string {
  return (createRequire(import.meta.url)("fsynth/package.json") as { version: string }).version;
}
