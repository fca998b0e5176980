// Programs of the host.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Folders that an ordinary user's PATH may lack. */
const MORE = ["/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/pkg/bin", "/opt/homebrew/bin"];

/** The full path of the first program of that name. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...MORE].filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
