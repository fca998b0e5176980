// examples/browser in a real browser, from a file as by a double click: a dropped tar becomes the image that Node makes.

import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formats } from "../formats/index.ts";
import { type BuildOptions, buildExt4, buildImage, buildTar } from "../src/build.ts";
import { openImage } from "../src/sources/image.ts";
import { fromTar } from "../src/sources/tar.ts";
import { bytesContent } from "../src/tree/content.ts";
import { contentSeed } from "../src/tree/content-seed.ts";
import { Tree } from "../src/tree/tree.ts";
import { readTreeText } from "../src/tree/tree-text.ts";
import { type Chromium, type Page, startChromium } from "../tools/chromium.ts";
import { makeExample } from "../tools/make-example.ts";
import { requireFreshBuild } from "./cli-run.ts";
import { need, run } from "./judge/need.ts";

const browser = need("chromium");
const top = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "fsynth-browser-"));
const path = (name: string): string => join(folder, name);
const HOSTILE = "/<img src=x onerror=\"document.title='caught'\">\udcff";

let chromium: Chromium;
let page: Page;

beforeAll(async () => {
  if (!browser) return;
  requireFreshBuild();
  const tree = new Tree().directory("/", { mtime: 5 });
  for (let i = 0; i < 40; i++) tree.file(`/dir/file-${i}`, new Uint8Array(i * 9_000).fill(i), { mtime: { sec: 6, nsec: i } });
  tree.file(HOSTILE, "hostile", { mtime: 5 });
  tree.symlink("/link", "dir/file-1", { mtime: 7 });
  tree.device("/null", "c", 1, 3, { mtime: 7 });
  await buildTar(tree).writeTo(path("base.tar"));
  const overlay = new Tree().file("/dir/file-1", "replaced\n", { mtime: 9 });
  await buildTar(overlay).writeTo(path("overlay.tar"));
  writeFileSync(path("overlay.tgz"), gzipSync(readFileSync(path("overlay.tar"))));
  await buildTar(overlay).writeTo(path("overlay.tar.zst"));
  writeFileSync(path("text"), "no archive");
  chromium = await startChromium("chromium");
}, 60_000);
afterAll(async () => {
  await chromium?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function openPage(): Promise<void> {
  page = await chromium.page({ downloads: folder });
  await page.open(pathToFileURL(await makeExample(top)).href);
  await until("profiles", `document.getElementById("profile").options.length > 0`);
}

/** Waits for what the page comes to; an error that it shows ends the waiting. */
async function until(what: string, condition: string): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if (await page.evaluate(condition)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(
    `waited for ${what}; ${JSON.stringify(await page.evaluate("document.body.innerText"))} ${page.complaints.join("\n")}`,
  );
}

async function drop(...files: readonly string[]): Promise<void> {
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"])
    await page.send("Input.dispatchDragEvent", { type, x: 400, y: 200, data });
  await until("the dropped files", `document.querySelectorAll("#layers li").length >= ${files.length}`);
}

const shown = (id: string): Promise<unknown> => page.evaluate(`document.getElementById("${id}")?.textContent`);

/** Chooses, fills in, and waits for the image or the error. */
async function build(profile: string, options: Readonly<Record<string, string | boolean>> = {}): Promise<string> {
  await page.evaluate(`{
    const select = document.getElementById("profile");
    select.value = ${JSON.stringify(profile)};
    select.dispatchEvent(new Event("change"));
    for (const input of document.querySelectorAll(".options input[type=text]")) input.value = "";
    for (const [name, value] of Object.entries(${JSON.stringify(options)})) {
      const input = document.getElementById("option-" + name);
      if (typeof value === "boolean") input.checked = value; else input.value = value;
    }
    document.getElementById("form").requestSubmit();
  }`);
  await until("an end", `!document.getElementById("build").disabled`);
  return String(await shown("error"));
}

async function imageInNode(profile: string, options: object, ...sources: readonly string[]): Promise<Uint8Array> {
  const format = formats.find(({ profiles }) => profiles.some(({ name }) => name === profile));
  if (!format) throw new Error(profile);
  return await buildImage(format, profile, await fromTar(sources), options as BuildOptions).bytes();
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("the page in Chromium", () => {
  test.skipIf(!browser)("makes every format from a dropped tar with the bytes that Node makes", async () => {
    await openPage();
    await drop(path("base.tar"));
    for (const { name } of formats.flatMap(({ profiles }) => profiles)) {
      expect(await build(name, { allowLoss: true })).toBe("");
      const wanted = await imageInNode(name, { allowLoss: true }, path("base.tar"));
      expect(`${name} ${String(await shown("fact-sha256"))}`).toBe(`${name} ${sha256(wanted)}`);
      expect(await shown("fact-size")).toBe(`${wanted.length.toLocaleString("en")} bytes`);
      expect(await shown("fact-check")).toBe("clean");
    }
    expect(page.complaints).toEqual([]);
  });

  test.skipIf(!browser || !need("e2fsck"))(
    "lays compressed layers over each other and takes options; the download is clean",
    async () => {
      await openPage();
      await drop(path("base.tar"), path("overlay.tgz"), path("overlay.tar.zst"));
      expect(await build("ext4", { size: "fit+10%", label: "root", blockSize: "1024", lostFound: false })).toBe("");
      const options = { size: "fit+10%", label: "root", blockSize: 1024, lostFound: false };
      const wanted = await imageInNode("ext4", options, path("base.tar"), path("overlay.tgz"), path("overlay.tar.zst"));
      expect(await shown("fact-sha256")).toBe(sha256(wanted));
      await page.evaluate(`document.getElementById("download").click()`);
      const saved = path("base.ext4");
      for (let i = 0; i < 500 && !(existsSync(saved) && statSync(saved).size === wanted.length); i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(sha256(readFileSync(saved))).toBe(sha256(wanted));
      expect(run("e2fsck", ["-fn", saved]).status).toBe(0);
      expect((await openImage(saved)).uuid).toBe(await shown("fact-uuid"));
      expect(page.complaints).toEqual([]);
    },
  );

  test.skipIf(!browser)("shows errors as one sentence, and goes on", async () => {
    await openPage();
    await drop(path("text"));
    expect(await build("ext4")).toMatch(/^text: found .*; a source is a directory, a tar or cpio archive/);
    await page.evaluate(`document.querySelector("#layers button").click()`);
    expect(await page.evaluate(`document.getElementById("build").disabled`)).toBe(true);
    await drop(path("base.tar"));
    expect(await build("ext4", { blockSize: "1000" })).toMatch(/^option --block-size is "1000"; expected a power of two/);
    expect(await build("ext2")).toBe("");
    expect(await page.evaluate("document.title")).toBe("fsynth: filesystem images in the browser");
    expect(page.complaints).toEqual([]);
  });

  test.skipIf(!browser)(
    "takes what the command line takes: uuid content, several owners, a tree.txt with the files it names",
    async () => {
      const text = "#fsynth-tree 1\n/a file 1:2 time=5 content=some/content\n/b file 3:0 time=6\n";
      writeFileSync(path("tree.txt"), text);
      writeFileSync(path("content"), "of the file\n");
      await openPage();
      await drop(path("tree.txt"));
      expect(await build("ext4")).toMatch(/content="some\/content": on a page there are no files beside the dropped ones/);
      await page.evaluate(`document.querySelector("#layers button").click()`);
      await drop(path("content"), path("tree.txt"));
      expect(await build("ext4", { uuid: "content", mapUid: "1:10 3:30" })).toBe("");
      const tree = new Tree();
      readTreeText(tree, text, { contentOf: () => bytesContent("of the file\n") });
      const seed = await contentSeed(tree);
      const wanted = await buildExt4(tree, { seed, mapUid: ["1:10", "3:30"] }).bytes();
      expect(await shown("fact-sha256")).toBe(sha256(wanted));
      expect(page.complaints).toEqual([]);
    },
  );

  test.skipIf(!browser)("says that folders cannot be dropped", async () => {
    await openPage();
    const data = { items: [], files: [folder], dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"])
      await page.send("Input.dispatchDragEvent", { type, x: 400, y: 200, data });
    await until("the error", `document.getElementById("error").textContent.includes("a folder cannot be dropped")`);
  });

  test.skipIf(!browser)("stops a build, and builds again", async () => {
    await openPage();
    await drop(path("base.tar"));
    await page.evaluate(`{
      document.getElementById("option-size").value = "30G";
      document.getElementById("form").requestSubmit();
    }`);
    await until("the button", `!document.getElementById("stop").hidden`);
    await page.evaluate(`document.getElementById("stop").click()`);
    expect(await shown("state")).toBe("stopped");
    expect(await page.evaluate(`document.getElementById("result").hidden`)).toBe(true);
    expect(await build("ext2")).toBe("");
    expect(page.complaints).toEqual([]);
  });

  test.skipIf(!browser)("draws the map of inspect --html", async () => {
    await openPage();
    await drop(path("base.tar"));
    expect(await build("ext4", { size: "20M" })).toBe("");
    // The frame has an origin of its own, so that only its picture can be asked: the rows of the map hold the colour of files.
    const files = async (): Promise<number> => {
      const { data } = await page.send("Page.captureScreenshot", { format: "png" });
      return Number(
        await page.evaluate(`(async () => {
        const frame = document.getElementById("map").getBoundingClientRect();
        const png = Uint8Array.from(atob("${String(data)}"), (letter) => letter.charCodeAt(0));
        const picture = await createImageBitmap(new Blob([png]));
        const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
        pen.drawImage(picture, 0, 0);
        const { data } = pen.getImageData(frame.left + 150, frame.top + 450, 500, frame.height - 450);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) if (data[i] === 0x2f && data[i + 1] === 0x7f && data[i + 2] === 0xd1) count++;
        return count;
      })()`),
      );
    };
    let count = 0;
    for (let i = 0; i < 50 && count < 5000; i++) count = await files();
    expect(count).toBeGreaterThan(5000);
    expect(page.complaints).toEqual([]);
  });
});

describe("the file", () => {
  test.skipIf(!browser)("names nothing outside", async () => {
    const html = readFileSync(await makeExample(top), "utf8");
    const markup = html.replace(/<script[\s\S]*?<\/script>/g, "");
    expect(markup).not.toMatch(/https?:|\ssrc=|@import|url\(|<img|href="(?!data:)/);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).toContain("default-src 'none'");
  });
});
