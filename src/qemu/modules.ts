// The modules of a Linux kernel, and which of them a machine needs: their closure, in the order in which they can be loaded.
//
// Specification: depmod(8), modules.dep(5); for a folder that depmod never saw (a package that is unpacked and not
// installed) the modules themselves are asked, which name what they depend on.

import { gunzipSync } from "node:zlib";
import { host } from "#host";
import { FsynthError } from "../error.ts";
import { BootError } from "./error.ts";
import { readModinfo } from "./modinfo.ts";

/** A module to be loaded. */
export interface Module {
  /** As the kernel calls it, with `_` for `-`. */
  readonly name: string;
  /** Decompressed. */
  readonly bytes: Uint8Array;
}

/** A driver that is wanted: one of `names`, of which the first that there is will do. */
export interface Wanted {
  readonly names: readonly string[];
  /** What it is for, for the error when there is none; left out for what is nice to have. */
  readonly purpose?: string;
}

const ENDING = /\.ko(\.gz|\.xz|\.zst)?$/;

/** `virtio-rng.ko.xz` is the module `virtio_rng`. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf("/") + 1)
    .replace(ENDING, "")
    .replaceAll("-", "_");
}

/** The modules of one kernel. */
export class ModuleFolder {
  readonly #paths = new Map<string, string>();
  readonly #builtIn = new Set<string>();
  readonly #aliases = new Map<string, string>();

  /** Reads what `folder`, …/lib/modules/RELEASE, holds. */
  constructor(readonly folder: string) {
    const list = textFile(`${folder}/modules.dep`);
    if (list !== undefined) {
      for (const line of list.split("\n")) {
        const path = line.slice(0, line.indexOf(":"));
        if (path !== "") this.#paths.set(moduleName(path), path.startsWith("/") ? path : `${folder}/${path}`);
      }
    } else this.#walk(folder);
    for (const line of (textFile(`${folder}/modules.builtin`) ?? "").split("\n")) {
      if (line !== "") this.#builtIn.add(moduleName(line));
    }
    for (const line of (textFile(`${folder}/modules.alias`) ?? "").split("\n")) {
      const [, alias, name] = /^alias (crypto-\S+) (\S+)/.exec(line) ?? [];
      if (alias !== undefined && name !== undefined && !this.#aliases.has(alias)) this.#aliases.set(alias, name);
    }
  }

  #walk(folder: string): void {
    for (const name of host.files.readDirectory(folder).sort()) {
      const path = `${folder}/${name}`;
      const kind = host.files.lstat(path)?.kind;
      // `build` and `source` are symlinks to elsewhere.
      if (kind === "directory") this.#walk(path);
      else if (kind === "file" && ENDING.test(name)) this.#paths.set(moduleName(name), path);
    }
  }

  get size(): number {
    return this.#paths.size;
  }

  /** Whether the kernel has it, as a module or built in. */
  has(name: string): "module" | "built-in" | undefined {
    if (this.#builtIn.has(name)) return "built-in";
    return this.#paths.has(name) ? "module" : undefined;
  }

  /** All modules that `wanted` come to, each behind those that it depends on. Throws `no-modules` for what there is none of. */
  async closure(wanted: readonly Wanted[]): Promise<Module[]> {
    const loaded = new Map<string, Module | undefined>();
    const missing: string[] = [];
    for (const { names, purpose } of wanted) {
      const name = names.find((candidate) => this.has(candidate) !== undefined);
      if (name !== undefined) await this.#add(name, loaded);
      else if (purpose !== undefined) missing.push(`${names.join(" or ")} for ${purpose}`);
    }
    if (missing.length > 0) {
      throw new BootError(
        "no-modules",
        `${this.folder}: no module ${missing.join("; none ")}; give another --kernel or --modules`,
      );
    }
    return [...loaded.values()].filter((module) => module !== undefined);
  }

  async #add(name: string, loaded: Map<string, Module | undefined>): Promise<void> {
    if (loaded.has(name) || this.has(name) !== "module") return;
    const path = this.#paths.get(name) as string; // has() says so
    const bytes = await moduleBytes(path);
    const info = readModinfo(bytes, path);
    // Against circles, which only soft dependencies can have.
    loaded.set(name, undefined);
    for (const soft of softDependencies(info.get("softdep") ?? [])) {
      const found = this.#softName(soft);
      if (found !== undefined) await this.#add(found, loaded);
    }
    for (const hard of (info.get("depends") ?? []).flatMap((list) => list.split(",")).filter((text) => text !== "")) {
      const dependency = hard.replaceAll("-", "_");
      if (this.has(dependency) === undefined) {
        throw new BootError("no-modules", `${path} depends on the module ${dependency}, which ${this.folder} lacks`);
      }
      await this.#add(dependency, loaded);
    }
    // Put behind what it needs.
    loaded.delete(name);
    loaded.set(name, { name, bytes });
  }

  /** What is asked for by an alias such as `crypto-crc32c`; without depmod's list of aliases, its plain implementation. */
  #softName(text: string): string | undefined {
    const alias = this.#aliases.get(text)?.replaceAll("-", "_");
    const plain = text.replace(/^crypto-/, "").replaceAll("-", "_");
    return [plain, `${plain}_generic`, alias].find((name) => name !== undefined && this.has(name) !== undefined);
  }
}

/** `pre: a b post: c` names a and b. */
function softDependencies(values: readonly string[]): string[] {
  return values
    .flatMap((value) => (/pre:\s*([^:]*?)(?:\s*post:|$)/.exec(value)?.[1] ?? "").split(/\s+/))
    .filter((text) => text !== "");
}

function textFile(path: string): string | undefined {
  if (host.files.stat(path)?.kind !== "file") return undefined;
  return new TextDecoder().decode(host.files.readFile(path));
}

async function moduleBytes(path: string): Promise<Uint8Array> {
  const bytes = host.files.readFile(path);
  switch (ENDING.exec(path)?.[1]) {
    case ".gz":
      return gunzipSync(bytes);
    case ".zst":
      return await joined(host.unzstd(once(bytes)));
    case ".xz":
      return unxz(path);
    default:
      return bytes;
  }
}

/** No runtime decompresses xz; the system's own tool does. */
function unxz(path: string): Uint8Array {
  const slash = path.lastIndexOf("/");
  const done = host.run("xz", ["-dc", path.slice(slash + 1)], path.slice(0, slash));
  if (done === undefined) {
    throw new BootError("no-modules", `${path}: compressed by xz, which takes the command xz (Debian's package xz-utils)`);
  }
  if (done.status !== 0) {
    throw new FsynthError("corrupt", `${path}: xz ended with ${done.status}: ${new TextDecoder().decode(done.stderr).trim()}`, {
      path,
    });
  }
  return done.stdout;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const held: Uint8Array[] = [];
  for await (const chunk of chunks) held.push(chunk);
  return Buffer.concat(held);
}
