// Trees made of nothing, for what must be linear: as many entries as asked for, or as many bytes, without a disk behind them.

import { Tree } from "../dist/src/index.js";

/** Names of a directory, about as many as a package or a folder of headers has. */
const FILES = 60;
const DIRECTORIES = 100;
const TIME = 1_700_000_000;

/** A period of noise, shared by all contents. */
const noise = new Uint8Array(1 << 20);
for (let i = 0, state = 1; i < noise.length; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  noise[i] = state >>> 24;
}

/** A content of `size` bytes, the same noise over and over. */
function noiseContent(size) {
  return {
    size,
    read(offset, target) {
      for (let at = 0, from = offset % noise.length; at < target.length; from = 0) {
        const piece = noise.subarray(from, from + target.length - at);
        target.set(piece, at);
        at += piece.length;
      }
    },
  };
}

/**
 * A tree of `entries` entries below the root: directories of 60 files, a hundred directories in a directory; every file holds
 * the same 64 bytes.
 */
export function treeOfEntries(entries) {
  const tree = new Tree();
  const content = noiseContent(64);
  let made = 0;
  for (let outer = 0; made < entries; outer++) {
    tree.directory(`/set-${outer}`, { mtime: TIME });
    made++;
    for (let inner = 0; inner < DIRECTORIES && made < entries; inner++) {
      const directory = `/set-${outer}/package-${inner}`;
      tree.directory(directory, { mtime: TIME });
      made++;
      for (let file = 0; file < FILES && made < entries; file++, made++) {
        tree.file(`${directory}/module-${made}.js`, content, { mtime: TIME });
      }
    }
  }
  return tree;
}

/** A tree of 64 files that hold `bytes` bytes together. */
export function treeOfBytes(bytes) {
  const tree = new Tree();
  const files = 64;
  for (let file = 0; file < files; file++) {
    const size = Math.floor((bytes * (file + 1)) / files) - Math.floor((bytes * file) / files);
    tree.file(`/data-${file}.bin`, noiseContent(size), { mtime: TIME });
  }
  return tree;
}
