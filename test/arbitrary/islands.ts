// Sparse content of a known pattern.

import { type Content, sparseContent } from "../../src/tree/content.ts";

/** `count` islands of data spread over `size` bytes, the last one at the very end. */
export function islands(size: number, count: number): Content {
  const length = 5000;
  const extents = Array.from({ length: count }, (_, i) => ({
    offset: i === count - 1 ? size - length : Math.floor((i * (size / count)) / 512) * 512,
    length,
  }));
  const data: Content = {
    size: length * count,
    read(offset, target) {
      for (let i = 0; i < target.length; i++) target[i] = (offset + i) % 251;
    },
  };
  return sparseContent(size, extents, data);
}
