// No golden image pins what is wrong: each is shown to foreign judges, and to our own check.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readGolden } from "../golden-images/build.ts";
import { type GoldenCase, goldenCases, planCase, sourcesOf } from "../golden-images/cases.ts";
import { fromImage, openImage } from "../src/index.ts";
import { imageOf } from "./judge/broken.ts";
import { e2fsck } from "./judge/e2fsck.ts";
import { type ExtBuildOptions, inFolder, judge, needTools } from "./judge/ext.ts";
import { need, run } from "./judge/need.ts";
import { type FfsBuildOptions, type FfsProfileName, judgeBuild, needReaders } from "./judge/ufs.ts";

const cases = goldenCases(fileURLToPath(new URL("../golden-images", import.meta.url)));
const of = (format: string): readonly GoldenCase[] => cases.filter(({ name }) => name.startsWith(`${format}/`));

test.each(cases)("our own check finds nothing in $name", async (golden) => {
  const { format } = readGolden(sourcesOf(golden));
  expect(format.check?.(imageOf(await planCase(golden).bytes()))).toEqual([]);
});

describe.skipIf(!need("e2fsck"))("e2fsck", () => {
  test.each(of("ext"))("finds nothing in $name", async (golden) => {
    await inFolder(async (folder) => {
      const path = join(folder, "image");
      await planCase(golden).writeTo(path);
      expect(e2fsck(path)).toEqual([]);
    });
  });
});

/** What the judge, which expects the defaults, says of what is not so on purpose, and what debugfs does not read. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  "ext/bare": [
    "debugfs: /lost+found: found nothing, expected an empty directory, 0700, 0:0",
    'debugfs: "/": links is 2, expected 3',
  ],
  "ext/netbsd": ['debugfs: "/dev/wide": device is "44:112", expected "300:70000"'],
  "ext/xattrs": ['debugfs: "/name": xattrs is [], expected [["user.\\udcff= odd","00ff"]]'],
};

describe.skipIf(!needTools())("debugfs", () => {
  const changes = ["allowLoss", "clampMtime", "exclude", "mapUid", "mapGid", "mtime", "owner"];

  // Of 48,000 names it would be asked one by one.
  test.each(of("ext").filter(({ name }) => name !== "ext/htree-large-dir"))("reads the tree in $name", async (golden) => {
    const { tree, options } = readGolden(sourcesOf(golden));
    const { inodeSize } = options as ExtBuildOptions;
    const changed = changes.some((name) => name in options);
    await inFolder(async (folder) => {
      const path = join(folder, "image");
      await planCase(golden).writeTo(path);
      // Where options change the tree, it is taken as our reader finds it in the image.
      const held = changed ? await fromImage(path) : tree;
      const complaints = await judge(path, held, { tools: true, kernel: false }, Number(inodeSize ?? 256));
      expect(complaints).toEqual(KNOWN[golden.name] ?? []);
    });
  });
});

describe.skipIf(!needReaders())("sleuthkit and GRUB", () => {
  // What NetBSD alone reads: UFS2 with its own attributes.
  test.each(of("ffs"))("read $name", async (golden) => {
    const { profile, tree, options } = readGolden(sourcesOf(golden));
    if (profile === "ffs2ea") return;
    // Where options change the tree, it is taken as our reader finds it in the image.
    const { netbsdDev, allowLoss, ...rest } = options as FfsBuildOptions;
    const changed = netbsdDev === true || allowLoss === true;
    const held = changed ? await fromImage(await planCase(golden).bytes()) : tree;
    expect(await judgeBuild(profile as FfsProfileName, held, rest)).toEqual([]);
  });
});

/** What a program lists of an archive, and what it says beside. */
async function listed(
  golden: GoldenCase,
  program: string,
  args: readonly string[],
): Promise<readonly [lines: number, said: string]> {
  return await inFolder(async (folder) => {
    const path = join(folder, "archive");
    await planCase(golden).writeTo(path);
    const { status, stdout, stderr } = run(program, [...args, path]);
    return [
      stdout.toString("latin1").split("\n").length - 1,
      status === 0 ? stderr.toString() : `status ${String(status)}: ${stderr.toString()}`,
    ];
  });
}

async function membersOf(golden: GoldenCase): Promise<number> {
  return Number((await openImage(await planCase(golden).bytes())).inspect().facts.members);
}

describe.skipIf(!need("bsdtar"))("bsdtar", () => {
  // It stops at the first trailer.
  test.each([...of("tar"), ...of("cpio").filter(({ name }) => name !== "cpio/parts")])("lists $name", async (golden) => {
    expect(await listed(golden, "bsdtar", ["-tf"])).toEqual([await membersOf(golden), ""]);
  });
});

describe.skipIf(!need("tar"))("GNU tar", () => {
  test.each(of("tar"))("lists $name", async (golden) => {
    expect(await listed(golden, "tar", ["--warning=no-unknown-keyword", "-tf"])).toEqual([await membersOf(golden), ""]);
  });
});

describe.skipIf(!need("cpio"))("GNU cpio", () => {
  test.each(of("cpio"))("lists $name", async (golden) => {
    const [lines, said] = await listed(golden, "cpio", ["--quiet", "-t", "-F"]);
    expect(said).toBe("");
    // It shows a newline in a name as one, and stops at the first trailer.
    const members = golden.name === "cpio/parts" ? 4 : (await membersOf(golden)) + (golden.name === "cpio/names" ? 1 : 0);
    expect(lines).toBe(members);
  });
});
