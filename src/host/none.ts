// The other side of the port where there are no files: browsers and unknown runtimes. Hashing and (de)compression are
// plain JavaScript, loaded when it is asked for; everything that needs files says that it cannot.

import { sha256 } from "@noble/hashes/sha2.js";
import { FsynthError } from "../error.ts";
import type { Files, Host } from "./port.ts";

function noFiles(): never {
  throw new FsynthError("unsupported", "this runtime has no files; give and take bytes or streams instead");
}

function noZstd(): never {
  throw new FsynthError("unsupported", "this runtime cannot write zstd; gzip works everywhere");
}

export const host: Host = {
  name: "none",
  exactTimes: false,
  get files(): Files {
    return noFiles();
  },
  sha256() {
    const hash = sha256.create();
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  },
  run: (command) => {
    throw new FsynthError("unsupported", `this runtime cannot run ${command}`);
  },
  async *gunzip(source) {
    const { inflateMembers } = await import("./gunzip.ts");
    yield* inflateMembers(source);
  },
  async *gzip(source) {
    const { gzipMember } = await import("./gzip.ts");
    yield* gzipMember(source);
  },
  async *unzstd(source) {
    const { unzstdPlain } = await import("./zstd-decode.ts");
    yield* unzstdPlain(source);
  },
  zstd: () => noZstd(),
  zstdFrame: () => noZstd(),
};
