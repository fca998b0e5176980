// npm run example:browser: examples/browser as one file of HTML that works by a double click, without a server or a network.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleScript } from "./bundle.ts";

/** Makes dist/examples/browser/index.html below `top`; gives its path. */
export async function makeExample(top: string): Promise<string> {
  const built = join(top, "dist/examples/browser");
  const scripts = {
    WORKER: await bundleScript(join(built, "worker.js"), { minify: true }),
    PAGE: await bundleScript(join(built, "page.js")),
  };
  let html = readFileSync(join(top, "examples/browser/page.html"), "utf8");
  for (const [name, script] of Object.entries(scripts)) {
    // Neither can end its element: within a script both are spelled otherwise without meaning anything else.
    const text = script.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
    html = html.replace(`/*${name}*/`, () => text);
  }
  const path = join(built, "index.html");
  mkdirSync(built, { recursive: true });
  writeFileSync(path, html);
  return path;
}

if (process.argv[1] === import.meta.filename) {
  const path = await makeExample(join(import.meta.dirname, "../.."));
  console.log(`open ${path} in a browser`);
}
