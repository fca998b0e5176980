// fsynth inspect --html: the page in a real browser says of every place what the volume says, and loads nothing.

import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildExt4, buildFfs, buildTar } from "../src/build.ts";
import { spaceMap } from "../src/cli/space-map.ts";
import type { Inspection, UsedRun, Volume } from "../src/image/volume.ts";
import { openImage } from "../src/sources/image.ts";
import { Tree } from "../src/tree/tree.ts";
import { type Chromium, startChromium } from "../tools/chromium.ts";
import { fsynth, requireFreshBuild } from "./cli-run.ts";
import { need } from "./judge/need.ts";

const folder = mkdtempSync(join(tmpdir(), "fsynth-html-"));
const path = (name: string): string => join(folder, name);
const HOSTILE = "/</script><script>document.title='caught'</script>&\"'\udcff";

beforeAll(async () => {
  requireFreshBuild();
  const tree = new Tree().directory("/", { mtime: 5 });
  for (let i = 0; i < 40; i++) tree.file(`/dir/file-${i}`, new Uint8Array(i * 20_000).fill(i), { mtime: 5 });
  tree.file(HOSTILE, new Uint8Array(1_000_000).fill(1), { mtime: 5 });
  await buildExt4(tree, { size: "40M", blockSize: 1024, label: "<b>&" }).writeTo(path("x.ext4"));
  await buildFfs(tree, { size: "fit+20%" }).writeTo(path("x.ffs"));
  await buildTar(tree).writeTo(path("x.tar"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function makePage(image: string): string {
  expect(fsynth(["inspect", "--html", path("page.html"), path(image)])).toEqual({ status: 0, stdout: "", stderr: "" });
  return readFileSync(path("page.html"), "utf8");
}

/** The page as it is when its scripts have run, with the address part `hash`. */
async function inBrowser(page: string, hash = ""): Promise<string> {
  writeFileSync(path("shown.html"), page);
  const tab = await (await chromium).page();
  await tab.open(`${pathToFileURL(path("shown.html")).href}${hash}`);
  return String(await tab.evaluate("document.documentElement.outerHTML"));
}

/** Points at 60 places of the map, and asks the legend and the pixels; what it saw stands in the title of the body. */
const VISITOR = `<script>addEventListener("load", () => {
  const canvas = document.getElementById("map");
  const box = canvas.getBoundingClientRect();
  const send = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, bubbles: true }));
  const seen = [];
  for (let i = 0; i < 60; i++) {
    const row = (i * 7) % 40, x = 84 + ((i * 37) % 100) / 100 * (box.width - 84);
    send("pointermove", box.left + x, box.top + row * 14 + 7);
    seen.push({ part: (row + (x - 84) / (box.width - 84)) / 40, text: document.getElementById("tip").textContent });
  }
  const pen = canvas.getContext("2d");
  const colours = () => {
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    const all = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 0) all.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    return all.size;
  };
  const before = colours();
  const where = () => document.getElementById("where").textContent;
  const all = where();
  document.getElementById("move-in").click();
  const near = where();
  document.getElementById("move-all").click();
  const button = document.querySelector("button[data-use]");
  button.click();
  const data = { seen, before, all, near, again: where(), pressed: button.getAttribute("aria-pressed"), errors: window.errors };
  document.body.title = JSON.stringify(data);
});</script></body>`;

interface Visit {
  readonly seen: readonly { readonly part: number; readonly text: string }[];
  readonly before: number;
  readonly all: string;
  readonly near: string;
  readonly again: string;
  readonly pressed: string;
  readonly errors: readonly string[];
}

async function visit(page: string): Promise<Visit> {
  const watched = page
    .replace(
      "<head>",
      '<head><script>window.errors = []; addEventListener("error", (e) => errors.push(e.message)); addEventListener("securitypolicyviolation", (e) => errors.push(e.blockedURI));</script>',
    )
    .replace("</body>", VISITOR);
  const title = /<body title="([^"]*)"/.exec(await inBrowser(watched))?.[1] ?? "null";
  const plain = title.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  return JSON.parse(plain) as Visit;
}

function runAt(volume: Volume, offset: number): UsedRun {
  for (const run of volume.usage()) if (offset >= run.offset && offset < run.offset + run.length) return run;
  throw new Error(`nothing at ${offset}`);
}

const browser = need("chromium");
let chromium: Promise<Chromium>;

describe("the page in Chromium", () => {
  beforeAll(() => {
    if (browser) chromium = startChromium("chromium");
  });
  afterAll(async () => (await chromium)?.close());

  test.skipIf(!browser).each(["x.ext4", "x.ffs", "x.tar"])("%s: what lies where is what the volume says", async (image) => {
    const volume = await openImage(path(image));
    const { seen, before, all, near, again, pressed, errors } = await visit(makePage(image));
    expect(errors).toEqual([]);
    expect(seen).toHaveLength(60);
    for (const { part, text } of seen) {
      const { offset, use, path: owner } = runAt(volume, Math.floor(part * volume.size));
      const whose = owner === undefined ? use : `${use} of ${owner.replaceAll("\udcff", "\\xff")}`;
      expect(text.startsWith(`${whose}: `)).toBe(true);
      expect(text).toContain(` from byte ${offset}`);
    }
    expect(new Set(seen.map(({ text }) => text)).size).toBeGreaterThan(5);
    expect(before).toBeGreaterThan(3);
    expect(all).toMatch(/^all of the image, /);
    expect(near).toMatch(/^bytes \d+ to \d+; a row is /);
    expect(again).toBe(all);
    expect(pressed).toBe("true");
  });

  test.skipIf(!browser)("an address with a place or a path shows it", async () => {
    const page = makePage("x.ext4");
    const volume = await openImage(path("x.ext4"));
    const shown = await inBrowser(page, `#path=${encodeURIComponent("/dir/file-39")}`);
    const runs = [...volume.usage()].filter((run) => run.path === "/dir/file-39");
    expect(shown).toMatch(new RegExp(`<output id="found"[^>]*>1 path, ${runs.length} runs?, `));
    expect(shown).toContain(`from byte ${runs[0]?.offset},`);
    expect(await inBrowser(page, "#at=1100")).toMatch(
      /<p id="detail"[^>]*>superblock: 1\.0 KiB from byte 1024, blocks 1 to 1 \(group 0, block 1\)</,
    );
  });
});

describe("the file", () => {
  test("is one page that names nothing outside, whatever names the image holds", () => {
    const page = makePage("x.ext4");
    expect(page).toContain("default-src 'none'");
    expect(page.replace(/http-equiv/g, "")).not.toMatch(/https?:|\ssrc=|@import|url\(|<link|<img|<iframe/);
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page.match(/<\/script>/g)).toHaveLength(2);
    expect(page).toContain("&lt;b&gt;&amp;");
    expect(page).not.toContain("<b>&");
    expect(page).toContain("&lt;/script&gt;&lt;script&gt;");
    for (const words of [
      "What takes the space",
      "superblock",
      "inode-bitmap",
      "Most fragmented",
      "freeBlocks",
      "metadata_csum",
    ]) {
      expect(page).toContain(words);
    }
    expect(makePage("x.ext4")).toBe(page);
  });

  test("replaces an older one whole, goes through symlinks and pipes, and is not written for what does not open", () => {
    const page = makePage("x.tar");
    writeFileSync(path("old.html"), "old");
    symlinkSync("old.html", path("link.html"));
    expect(fsynth(["inspect", "--html", path("link.html"), path("x.tar")]).status).toBe(0);
    expect(readFileSync(path("old.html"), "utf8")).toBe(page);
    expect(Buffer.from(fsynth(["inspect", "--html", "-", path("x.tar")]).stdout, "latin1").toString()).toBe(page);
    writeFileSync(path("text"), "no image");
    writeFileSync(path("kept.html"), "kept");
    expect(fsynth(["inspect", "--html", path("kept.html"), path("text")]).status).toBe(3);
    expect(readFileSync(path("kept.html"), "utf8")).toBe("kept");
    expect(fsynth(["inspect", "--html", path("kept.html"), "--json", path("x.tar")]).status).toBe(2);
    expect(fsynth(["inspect", "--html", folder, path("x.tar")]).status).toBe(2);
    expect(statSync(path("kept.html")).size).toBe(4);
  });
});

describe("runs in bounded memory", () => {
  const inspection = (size: number): Inspection => ({
    format: "x",
    size,
    facts: { "block size": 512 },
    features: [],
    groups: [{ firstBlock: 0 }, { firstBlock: 1000 }],
    space: [],
    fragmentation: { files: 0, fragmented: 0, runs: 0 },
  });
  /** Files of a block between directories of two, and one long run in the middle. */
  function* many(count: number): Generator<UsedRun> {
    let offset = 0;
    for (let i = 0; i < count; i++) {
      const length = i === count / 2 ? 512 * count : i % 2 === 0 ? 512 : 1024;
      yield { offset, length, use: i % 2 === 0 ? "file" : "directory", path: `/f${i % 10}` };
      offset += length;
    }
  }
  const sizeOf = (count: number): number => [...many(count)].reduce((sum, { length }) => sum + length, 0);

  test("few runs stay as they are", () => {
    const size = sizeOf(100);
    const { data, joined, groups, largest, mostFragmented } = spaceMap(many(100), inspection(size));
    expect(joined).toBe(0);
    expect(data).toMatchObject({ size, unit: 512, unitName: "block", uses: ["file", "directory"], groups: [0, 1000] });
    const runs = [...many(100)];
    expect(data.runs).toEqual(
      runs.flatMap(({ length, use, path: owner }) => [length / 512, use === "file" ? 0 : 1, data.paths.indexOf(owner ?? "") + 1]),
    );
    expect(groups.flat().reduce((sum, bytes) => sum + bytes, 0)).toBe(size);
    expect(groups[0]?.reduce((sum, bytes) => sum + bytes, 0)).toBe(size);
    expect(largest[0]).toEqual({ path: "/f0", bytes: 512 * 100 + 9 * 512, runs: 10 });
    expect(mostFragmented).toHaveLength(5);
  });

  test("of too many the short ones are joined, and none of the bytes is lost", () => {
    const count = 20_000;
    const size = sizeOf(count);
    const { data, joined, groups } = spaceMap(many(count), inspection(size), 1000);
    expect(data.runs.length / 3).toBeLessThanOrEqual(1000);
    expect(joined).toBeGreaterThan(512);
    let sum = 0;
    for (let i = 0; i < data.runs.length; i += 3) sum += data.runs[i] ?? 0;
    expect(sum * data.unit).toBe(size);
    // The long run is still one of its own.
    expect(data.runs.filter((_, i) => i % 3 === 0)).toContain(count);
    expect(groups.flat().reduce((all, bytes) => all + bytes, 0)).toBe(size);
    expect(groups[0]?.reduce((all, bytes) => all + bytes, 0)).toBe(512_000);
  });
});
