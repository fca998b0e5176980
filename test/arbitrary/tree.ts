// Random trees as recipes: plain data that prints well, made into a Tree when needed.

import fc from "fast-check";
import { compareNames, decodeName, encodeName, escapeName, unescapeName } from "../../src/bytes/names.ts";
import { type Content, type Extent, sparseContent } from "../../src/tree/content.ts";
import type { MetadataInput } from "../../src/tree/metadata.ts";
import { parseTime } from "../../src/tree/time.ts";
import { Tree } from "../../src/tree/tree.ts";

/** One entry. Paths, targets and names are spelled as in tree.txt, times too, xattr values in hex. */
export interface RecipeEntry {
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "c" | "b" | "fifo" | "socket" | "link";
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Left out: the image's own time. */
  readonly mtime?: string;
  readonly atime?: string;
  readonly ctime?: string;
  readonly btime?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Files: bytes, and what they are made of. Without extents all of it is data. */
  readonly size?: number;
  readonly fill?: number;
  readonly extents?: readonly (readonly [offset: number, length: number])[];
  readonly target?: string;
  readonly device?: readonly [major: number, minor: number];
  /** Hard links: the path of an entry before this one. */
  readonly to?: string;
  /** Directories: so many small entries more. */
  readonly crowd?: number;
}

/** Parents before children, the root first. */
export type Recipe = readonly RecipeEntry[];

/** What the format at hand can hold. */
export interface TreeLimits {
  readonly blockSize: number;
  /** Bytes of xattrs a node, as ext counts them: 16 and the name and the value, each rounded up to 4. 0: none at all. */
  readonly xattrBytes: number;
  readonly maxTarget: number;
  readonly maxMajor: number;
  readonly maxMinor: number;
  /** Seconds. */
  readonly minTime: number;
  readonly maxTime: number;
  /** Bytes; sparse files come near it. */
  readonly maxFile: number;
  readonly maxCrowd: number;
}

/** Everything that ext4 with 256-byte inodes can hold. */
export function extLimits(blockSize: number): TreeLimits {
  return {
    blockSize,
    xattrBytes: Math.min(blockSize, 4096) - 32 - 4 - 64,
    maxTarget: Math.min(4095, blockSize - 1),
    maxMajor: 0xfff,
    maxMinor: 0xfffff,
    minTime: -(2 ** 31),
    maxTime: 2 ** 34 - 2 ** 31 - 1,
    maxFile: 2 ** 36,
    maxCrowd: 700,
  };
}

/** e2fsck takes these times (2310-04-04 to 2378-04-22) for an old bug of Linux; that they are written right is tested apart. */
const DOUBTED = [3 * 2 ** 32 - 2 ** 31, 3 * 2 ** 32 - 1] as const;

const plainName = fc.stringMatching(/^[a-z][a-z0-9_-]{0,9}$/);

/** Names of all sorts, 1 to 255 bytes. */
export const nameArbitrary: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 8, arbitrary: plainName },
    { weight: 2, arbitrary: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }) },
    { weight: 2, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 30 }).map((bytes) => decodeName(bytes)) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        "...",
        "..a",
        " ",
        "new\nline",
        "-rf",
        "~",
        "\\",
        '"',
        "a=b",
        "#x",
        "\u00e9",
        "e\u0301",
        "\ufeff",
        "\ufffd",
        "😀",
        "\uffff",
      ),
    },
    { weight: 1, arbitrary: plainName.map((name) => name.padEnd(255, "-")) },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: 255 }).map((length) => "é".repeat(length).slice(0, length >> 1)) },
  )
  .filter(
    (name) => name !== "." && name !== ".." && !/[/\0]/.test(name) && name !== "lost+found" && encodeName(name).length <= 255,
  );

function timeArbitrary({ minTime, maxTime }: TreeLimits): fc.Arbitrary<string> {
  const edges = [
    minTime,
    minTime + 1,
    -1,
    0,
    1,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    DOUBTED[0] - 1,
    DOUBTED[1] + 1,
    maxTime,
  ];
  const sec = fc
    .oneof(
      { weight: 3, arbitrary: fc.integer({ min: 1_600_000_000, max: 1_800_000_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(...edges.filter((edge) => edge >= minTime && edge <= maxTime)) },
      { weight: 1, arbitrary: fc.integer({ min: minTime, max: maxTime }) },
    )
    .filter((value) => value < DOUBTED[0] || value > DOUBTED[1]);
  const nsec = fc.oneof(fc.constantFrom(0, 1, 999_999_999), fc.integer({ min: 0, max: 999_999_999 }));
  return fc.tuple(sec, nsec).map(([whole, part]) => {
    const time = whole < 0 && part > 0 ? { sec: whole + 1, part: 1_000_000_000 - part } : { sec: whole, part };
    const sign = whole < 0 ? "-" : "";
    return `${sign}${Math.abs(time.sec)}${time.part > 0 ? `.${String(time.part).padStart(9, "0")}` : ""}`;
  });
}

const idArbitrary = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 1000) },
  // 2^32-1 is nobody to the kernel.
  { weight: 2, arbitrary: fc.constantFrom(65534, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 32 - 2 }) },
);

const modeArbitrary = fc.oneof(
  fc.constantFrom(0o644, 0o755, 0o600, 0, 0o7777, 0o4755, 0o2755, 0o1777),
  fc.integer({ min: 0, max: 0o7777 }),
);

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A POSIX ACL as getxattr gives it: version 2, then tag, permissions and id of each entry, little-endian. */
const aclArbitrary: fc.Arbitrary<string> = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 4, maxLength: 4 }),
    fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 2 }), { maxLength: 4 }),
    fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 2 }), { maxLength: 4 }),
  )
  .map(([[owner, group, mask, other], users, groups]) => {
    const rows: [number, number, number][] = [[0x01, owner as number, 0xffff_ffff]];
    for (const id of users.sort((a, b) => a - b)) rows.push([0x02, id % 8, id]);
    rows.push([0x04, group as number, 0xffff_ffff]);
    for (const id of groups.sort((a, b) => a - b)) rows.push([0x08, id % 8, id]);
    if (users.length + groups.length > 0) rows.push([0x10, mask as number, 0xffff_ffff]);
    rows.push([0x20, other as number, 0xffff_ffff]);
    const view = new DataView(new ArrayBuffer(4 + rows.length * 8));
    view.setUint32(0, 2, true);
    rows.forEach(([tag, permissions, id], i) => {
      view.setUint16(4 + i * 8, tag, true);
      view.setUint16(6 + i * 8, permissions, true);
      view.setUint32(8 + i * 8, id, true);
    });
    return toHex(new Uint8Array(view.buffer));
  });

const xattrName = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/) },
  { weight: 1, arbitrary: fc.constantFrom("é", "A.B", "%", "user.x") },
  { weight: 1, arbitrary: fc.constant("long-".repeat(48)) },
);

/** Xattrs that Linux shows for a kind: `user.` only on files and directories, default ACLs only on directories. */
function xattrsArbitrary(kind: RecipeEntry["kind"], limits: TreeLimits): fc.Arbitrary<Record<string, string>> {
  const plain = kind === "file" || kind === "directory";
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.uint8Array({ maxLength: 60 }) },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(0)) },
    { weight: 1, arbitrary: fc.integer({ min: 100, max: 3072 }).map((length) => pattern(length, length)) },
  );
  const spaces = plain ? ["user.", "trusted.", "security.x-"] : ["trusted.", "security.x-"];
  const free = fc
    .tuple(fc.constantFrom(...spaces), xattrName, value)
    .map(([space, name, bytes]) => [space + name, toHex(bytes)] as const);
  const special: fc.Arbitrary<readonly [string, string]>[] = [];
  if (kind !== "symlink") special.push(aclArbitrary.map((acl) => ["system.posix_acl_access", acl] as const));
  if (kind === "directory") special.push(aclArbitrary.map((acl) => ["system.posix_acl_default", acl] as const));
  // VFS_CAP_REVISION_2, effective; two words each of permitted and inheritable.
  if (kind === "file") special.push(fc.constant(["security.capability", "0100000200200000000000000000000000000000"] as const));
  const one =
    special.length > 0 ? fc.oneof({ weight: 3, arbitrary: free }, { weight: 1, arbitrary: fc.oneof(...special) }) : free;
  return fc.array(one, { maxLength: 5 }).map((list) => {
    const kept: Record<string, string> = {};
    let left = limits.xattrBytes;
    for (const [name, bytes] of list) {
      const cost = 16 + 4 * Math.ceil(encodeName(name).length / 4) + 4 * Math.ceil(bytes.length / 8);
      if (cost > left || Object.hasOwn(kept, name)) continue;
      kept[name] = bytes;
      left -= cost;
    }
    return kept;
  });
}

/** Sizes on both sides of what ext handles differently. */
function sizeArbitrary({ blockSize: bs, maxFile }: TreeLimits): fc.Arbitrary<number> {
  const direct = 12 * bs;
  const edges = [0, 0, 1, 59, 60, 61, bs - 1, bs, bs + 1, 2 * bs, direct - 1, direct, direct + 1, direct + bs];
  const single = (12 + bs / 4) * bs;
  const far = bs <= 2048 ? [single - 1, single + 1] : [];
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...edges.filter((size) => size <= maxFile)) },
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 3 * bs }) },
    { weight: 1, arbitrary: fc.constantFrom(...edges, ...far) },
  );
}

type Shape = Pick<RecipeEntry, "size" | "fill" | "extents">;

function sparseArbitrary({ blockSize: bs, maxFile }: TreeLimits): fc.Arbitrary<Shape> {
  const p = bs / 4;
  const edges = [
    20 * bs,
    (12 + p) * bs,
    (12 + p + 2) * bs,
    (12 + p + p * p) * bs,
    (12 + p + p * p + 3) * bs,
    2 ** 31 - 1,
    2 ** 32 + 5,
    maxFile,
  ];
  return fc
    .record({
      size: fc.constantFrom(...edges.filter((size) => size <= maxFile)),
      fill: fc.nat(250),
      runs: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 3 * bs }), fc.boolean()), {
        maxLength: 4,
      }),
    })
    .map(({ size, fill, runs }) => {
      const extents: [number, number][] = [];
      let end = 0;
      for (const [share, length, aligned] of runs.sort(([a], [b]) => a - b)) {
        const wish = Math.floor(share * size);
        const offset = Math.max(end, aligned ? wish - (wish % bs) : wish);
        if (offset + length > size) break;
        extents.push([offset, length]);
        end = offset + length;
      }
      return { size, fill, extents };
    });
}

const TARGET_LENGTHS = [1, 2, 58, 59, 60, 61, 62, 100, 255, 1000, 1022, 1023, 2047, 4095];

function targetArbitrary({ maxTarget }: TreeLimits): fc.Arbitrary<string> {
  const length = fc.oneof(fc.constantFrom(...TARGET_LENGTHS), fc.integer({ min: 1, max: 70 })).map((n) => Math.min(n, maxTarget));
  return fc.oneof(
    { weight: 4, arbitrary: length.map((n) => "../some/where/else/".repeat(220).slice(0, n)) },
    { weight: 1, arbitrary: nameArbitrary.map((name) => escapeName(name)) },
  );
}

const KINDS = { file: 10, directory: 5, symlink: 3, c: 1, b: 1, fifo: 1, socket: 1, link: 3 } as const;

interface Draft {
  readonly kind: RecipeEntry["kind"];
  readonly parent: number;
  readonly name: string;
  readonly rest: Omit<RecipeEntry, "path" | "kind">;
  readonly aim: number;
}

function draftArbitrary(kind: RecipeEntry["kind"], limits: TreeLimits): fc.Arbitrary<Draft> {
  const time = timeArbitrary(limits);
  const sometimes = <T>(arbitrary: fc.Arbitrary<T>, present: number, absent: number): fc.Arbitrary<T | undefined> =>
    fc.oneof({ weight: absent, arbitrary: fc.constant(undefined) }, { weight: present, arbitrary });
  const common = {
    mode: sometimes(modeArbitrary, 2, 1),
    uid: sometimes(idArbitrary, 1, 1),
    gid: sometimes(idArbitrary, 1, 1),
    mtime: sometimes(time, 4, 1),
    atime: sometimes(time, 1, 2),
    ctime: sometimes(time, 1, 2),
    btime: sometimes(time, 1, 2),
    xattrs: limits.xattrBytes > 0 ? sometimes(xattrsArbitrary(kind, limits), 1, 1) : fc.constant(undefined),
  };
  const own: fc.Arbitrary<Omit<RecipeEntry, "path" | "kind">> = {
    file: () =>
      fc.oneof(
        { weight: 6, arbitrary: fc.record({ size: sizeArbitrary(limits), fill: fc.nat(250) }) },
        { weight: 1, arbitrary: sparseArbitrary(limits) },
      ),
    directory: () =>
      fc.record({
        crowd: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(limits.maxCrowd) }),
      }),
    symlink: () => fc.record({ target: targetArbitrary(limits) }),
    c: () => fc.record({ device: deviceArbitrary(limits) }),
    b: () => fc.record({ device: deviceArbitrary(limits) }),
    fifo: () => fc.constant({}),
    socket: () => fc.constant({}),
    link: () => fc.constant({}),
  }[kind]();
  return fc
    .record({
      parent: fc.nat(1 << 20),
      name: nameArbitrary,
      common: kind === "link" ? fc.constant({}) : fc.record(common),
      own,
      aim: fc.nat(1 << 20),
    })
    .map(({ parent, name, common: metadata, own: rest, aim }) => ({
      kind,
      parent,
      name,
      aim,
      rest: defined({ ...metadata, ...rest }),
    }));
}

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as T; // minus what is absent
}

function deviceArbitrary({ maxMajor, maxMinor }: TreeLimits): fc.Arbitrary<readonly [number, number]> {
  const number = (most: number): fc.Arbitrary<number> =>
    fc.oneof(
      fc.constantFrom(...[0, 1, 5, 255, 256, 4095, 65536, most].filter((n) => n <= most)),
      fc.integer({ min: 0, max: most }),
    );
  return fc.tuple(number(maxMajor), number(maxMinor));
}

/** Recipes of trees that a format with these limits can hold. */
export function recipeArbitrary(limits: TreeLimits, maxEntries = 40): fc.Arbitrary<Recipe> {
  const draft = fc.oneof(
    ...Object.entries(KINDS).map(([kind, weight]) => ({
      weight,
      arbitrary: draftArbitrary(kind as RecipeEntry["kind"], limits),
    })),
  );
  const root = draftArbitrary("directory", limits).map(({ rest: { crowd: _crowd, ...rest } }) => rest);
  return fc
    .tuple(root, fc.array(draft, { maxLength: maxEntries, size: "max" }))
    .map(([rootRest, drafts]) => settle(rootRest, drafts));
}

/** Gives drafts their places: each in a directory before it, links to what is before them, no path twice. */
function settle(root: Omit<RecipeEntry, "path" | "kind">, drafts: readonly Draft[]): Recipe {
  const recipe: RecipeEntry[] = [{ path: "/", kind: "directory", ...root }];
  const taken = new Set(["/"]);
  const directories = ["/"];
  const linkable: string[] = [];
  for (const { kind, parent, name, rest, aim } of drafts) {
    const folder = directories[parent % directories.length] as string;
    const path = `${folder === "/" ? "" : folder}/${escapeName(name)}`;
    // The whole path must stay below PATH_MAX for the judges that walk by path.
    if (taken.has(path) || path.length > 1500) continue;
    if (kind === "link") {
      if (linkable.length === 0) continue;
      recipe.push({ path, kind, to: linkable[aim % linkable.length] as string });
    } else {
      recipe.push({ path, kind, ...rest });
      if (kind === "directory") directories.push(path);
      else linkable.push(path);
    }
    taken.add(path);
  }
  return recipe;
}

/** `length` bytes that tell their place. */
export function pattern(length: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (fill * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** The content that a recipe's file stands for. */
export function recipeContent({ size = 0, fill = 0, extents }: Shape): Content {
  const runs: Extent[] = (extents ?? [[0, size] as const]).map(([offset, length]) => ({ offset, length }));
  const bytes = pattern(
    runs.reduce((total, run) => total + run.length, 0),
    fill,
  );
  const held: Content = {
    size: bytes.length,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
  };
  return extents ? sparseContent(size, runs, held) : held;
}

/** The tree of a recipe. */
export function treeOf(recipe: Recipe): Tree {
  const tree = new Tree();
  for (const entry of recipe) {
    const path = unescapeName(entry.path);
    const metadata = metadataOf(entry);
    switch (entry.kind) {
      case "file":
        tree.file(path, recipeContent(entry), metadata);
        break;
      case "directory":
        tree.directory(path, metadata);
        for (let i = 0; i < (entry.crowd ?? 0); i++) tree.file(`${path}/crowd-${i}`, i % 50 === 0 ? String(i) : "");
        break;
      case "symlink":
        tree.symlink(path, unescapeName(entry.target as string), metadata);
        break;
      case "c":
      case "b": {
        const [major, minor] = entry.device as readonly [number, number];
        tree.device(path, entry.kind, major, minor, metadata);
        break;
      }
      case "fifo":
        tree.fifo(path, metadata);
        break;
      case "socket":
        tree.socket(path, metadata);
        break;
      case "link":
        tree.link(path, unescapeName(entry.to as string));
        break;
    }
  }
  return tree;
}

function metadataOf(entry: RecipeEntry): MetadataInput {
  const { mode, uid, gid, xattrs } = entry;
  const times = Object.fromEntries(
    (["mtime", "atime", "ctime", "btime"] as const).flatMap((which) => {
      const text = entry[which];
      const time = text === undefined ? undefined : parseTime(text);
      if (text !== undefined && time === undefined) throw new Error(`${text} is no time`);
      return time ? [[which, time]] : [];
    }),
  );
  const values = Object.entries(xattrs ?? {})
    .sort(([a], [b]) => compareNames(a, b))
    .map(([name, hex]) => [name, Uint8Array.from(Buffer.from(hex, "hex"))] as const);
  return defined({ mode, uid, gid, ...times, ...(values.length > 0 ? { xattrs: new Map(values) } : {}) }) as MetadataInput; // absent ones left out
}
