// Input cut anew, so that what an encoder makes of it does not depend on how it arrived.

/** `source` in pieces of exactly `size` bytes, the last one shorter; none for no bytes. Every piece is a copy of its own. */
export async function* piecesOf(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let piece = new Uint8Array(size);
  let used = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const count = Math.min(chunk.length - at, size - used);
      piece.set(chunk.subarray(at, at + count), used);
      at += count;
      used += count;
      if (used === size) {
        yield piece;
        piece = new Uint8Array(size);
        used = 0;
      }
    }
  }
  if (used > 0) yield piece.slice(0, used);
}
