// Options whose values name files: what the formats get is what the files hold.

import { host } from "#host";
import { quoteName } from "../bytes/names.ts";
import type { Format } from "../image/format.ts";
import { flagOf, type Option } from "../image/options.ts";
import { hostFileContent } from "../sources/host-file.ts";
import { compressionOf, HEAD, kindOf } from "../sources/recognise.ts";
import type { Content } from "../tree/content.ts";
import { usage } from "./failure.ts";
import { hostPath } from "./path.ts";

/** A file that an option named, and what it holds. */
export interface OptionFile {
  readonly option: string;
  /** As it was typed. */
  readonly argument: string;
  readonly content: Content;
}

/** Replaces the paths that such options of `format` were given by the archives there, and lists them. Throws `usage` for what is no archive of the format. */
export function loadFiles(inputs: Record<string, unknown>, format: Format): readonly OptionFile[] {
  const files: OptionFile[] = [];
  for (const [name, option] of Object.entries(format.options)) {
    // What a table holds is hidden behind its type only so that tables of any options are one type.
    if (!(option as unknown as Option).files || inputs[name] === undefined) continue;
    inputs[name] = (inputs[name] as readonly string[]).map((argument) => {
      const archive = archiveAt(hostPath(argument), flagOf(name), format.name);
      files.push({ option: name, argument, content: archive.content });
      return archive;
    }); // as collected by flags
  }
  return files;
}

interface Archive {
  readonly content: Content;
  /** It is compressed already. */
  readonly stored: boolean;
}

function archiveAt(path: string, flag: string, format: string): Archive {
  const stat = host.files.stat(path);
  if (stat?.kind !== "file") {
    throw usage(
      `option ${flag}: ${quoteName(path)} ${stat ? `is a ${stat.kind}` : "does not exist"}, expected a ${format} archive`,
    );
  }
  const content = hostFileContent(path, stat);
  const head = new Uint8Array(Math.min(stat.size, HEAD.all));
  const handle = host.files.openRead(path);
  try {
    handle.readAt(0, head);
  } finally {
    handle.close();
  }
  const stored = compressionOf(head) !== undefined;
  if (!stored && kindOf(head) !== format)
    throw usage(`option ${flag}: ${quoteName(path)} is no ${format} archive, plain or compressed`);
  return { content, stored };
}
