// The public API as text, one report for each entry of package.json's "exports", made from the built declarations.
//
//   node tools/api.js            compares with docs/api and shows the differences
//   node tools/api.js --update   writes docs/api anew
//
// Whatever API Extractor has to say is a failure too: names without documentation, types that callers meet but cannot
// import, links that lead nowhere.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";

const top = dirname(import.meta.dirname);
const folder = join(top, "docs/api");
const manifest = JSON.parse(readFileSync(join(top, "package.json"), "utf8"));

/** What can be imported: `fsynth/formats/ext`, and the declarations that stand for it. */
function entries() {
  const found = [];
  for (const [path, targets] of Object.entries(manifest.exports)) {
    if (targets.types === undefined) continue; // package.json itself
    const [before, after] = targets.types.split("*");
    const names = after === undefined ? [""] : foldersOf(before.replace("./dist/", ""));
    for (const name of names) {
      const entry = path.replace("*", name).replace(/^\./, manifest.name);
      found.push({ entry, declarations: join(top, after === undefined ? before : before + name + after) });
    }
  }
  return found.sort((a, b) => (a.entry < b.entry ? -1 : 1));
}

/** The folders that a `*` stands for; of the sources, since dist may keep what is gone. */
function foldersOf(path) {
  const inside = readdirSync(join(top, path), { withFileTypes: true });
  return inside.filter((each) => each.isDirectory()).map((each) => each.name);
}

const quiet = { logLevel: "none", addToApiReportFile: false };
const told = { logLevel: "warning", addToApiReportFile: false };

/** The report on one entry, and what there is to say about it. */
function extract({ entry, declarations }, reports) {
  const reportFileName = `${entry.replaceAll("/", "-")}.api.md`;
  const compilerOptions = {
    target: "ES2023",
    module: "nodenext",
    moduleResolution: "nodenext",
    lib: ["ES2023", "WebWorker"],
    // The declarations have nothing of Node in them, and this keeps it so.
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
  };
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: top,
      mainEntryPointFilePath: declarations,
      compiler: { overrideTsconfig: { compilerOptions, files: [declarations] } },
      apiReport: { enabled: true, reportFolder: reports, reportTempFolder: join(reports, "temporary"), reportFileName },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: "lf",
      messages: {
        compilerMessageReporting: { default: told },
        // Every exported name is public; there are no stages of release.
        extractorMessageReporting: { default: told, "ae-missing-release-tag": quiet },
        tsdocMessageReporting: { default: told },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(top, "package.json"),
  });
  const messages = [];
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback(message) {
      message.handled = true;
      if (message.logLevel !== "warning" && message.logLevel !== "error") return;
      if (message.messageId.startsWith("console-")) return; // that a report is new
      messages.push(message);
    },
  });
  // It titles every report with the package's name.
  const report = join(reports, reportFileName);
  const text = readFileSync(report, "utf8").replace(`"${manifest.name}"`, `"${entry}"`);
  writeFileSync(report, text);
  return { entry, reportFileName, text, messages };
}

/** Names that a report lists as exported. */
function exportedBy({ text }) {
  const names = [...text.matchAll(/^export (?:declare )?(?:abstract )?(?:const|function|class|interface|type|enum) (\w+)/gm)];
  return names.map(([, name]) => name);
}

/** A sentence about each message that is left: what an entry needs can also be imported from another one. */
function complaints(found) {
  const exported = new Set(found.flatMap(exportedBy));
  const lines = [];
  for (const { entry, messages } of found) {
    for (const { messageId, text, sourceFilePath, sourceFileLine } of messages) {
      const forgotten = messageId === "ae-forgotten-export" && /The symbol "(\w+?)(?:_\d+)?" /.exec(text);
      if (forgotten && exported.has(forgotten[1])) continue;
      const place = sourceFilePath === undefined ? "" : ` ${relative(top, sourceFilePath)}:${sourceFileLine}`;
      lines.push(`${entry}:${place} ${messageId}: ${text}`);
    }
  }
  return lines;
}

/** How a report differs from what is committed, as `diff -u` says it. */
function difference(expected, name) {
  const committed = join(folder, name);
  if (!existsSync(committed)) return `docs/api/${name} is missing\n`;
  const done = spawnSync("diff", ["-u", "--label", `docs/api/${name}`, "--label", "dist", committed, expected], {
    encoding: "utf8",
  });
  if (done.status === 0) return "";
  return done.status === 1 ? done.stdout : `docs/api/${name} differs from dist; diff: ${done.error?.message ?? done.stderr}\n`;
}

const update = process.argv.includes("--update");
const reports = mkdtempSync(join(tmpdir(), "fsynth-api-"));
try {
  const found = entries().map((entry) => extract(entry, reports));
  const lines = complaints(found);
  const wanted = new Set(found.map(({ reportFileName }) => reportFileName));
  mkdirSync(folder, { recursive: true });
  const stale = readdirSync(folder).filter((name) => name.endsWith(".api.md") && !wanted.has(name));
  let differences = "";
  if (update) {
    for (const name of stale) rmSync(join(folder, name));
    for (const { reportFileName, text } of found) writeFileSync(join(folder, reportFileName), text);
  } else {
    differences += stale.map((name) => `docs/api/${name} is about an entry that is no more\n`).join("");
    for (const name of wanted) differences += difference(join(reports, name), name);
  }
  process.stdout.write(differences);
  for (const line of lines) console.log(line);
  if (differences !== "") console.log("The public API is not what docs/api says. If that is meant: npm run api -- --update");
  if (differences !== "" || lines.length > 0) process.exitCode = 1;
  else console.log(`${found.length} entries, as docs/api says`);
} finally {
  rmSync(reports, { recursive: true, force: true });
}
