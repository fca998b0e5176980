// Bundles a built module and all that it imports into one classic script, as a page can carry it.

import { rolldown } from "rolldown";

/** The text of one script. `#host` and the packages resolve as bundlers resolve them for browsers. */
export async function bundleScript(entry: string, { minify = false }: { readonly minify?: boolean } = {}): Promise<string> {
  const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "warn" });
  try {
    const { output } = await bundle.generate({ format: "iife", codeSplitting: false, minify, comments: false });
    const [chunk, ...others] = output;
    if (others.length > 0) throw new Error(`${entry}: bundled into ${output.length} files, expected one`);
    return chunk.code;
  } finally {
    await bundle.close();
  }
}
