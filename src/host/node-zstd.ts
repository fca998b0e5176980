// zstd read by the fastest decoder at hand: node:zlib where it has zstd (Node 22.15 and later), @mongodb-js/zstd for
// small frames, zstd-decode.ts for the rest. Each is given exactly one frame.

import { FsynthError } from "../error.ts";
import { decodeFrame, unzstdPlain } from "./zstd-decode.ts";
import { damaged, type Frame, join, MAX_WINDOW, zstdFramesOf } from "./zstd-frames.ts";

/** Frames up to this size are decoded in one piece, in memory. */
const SMALL = 16 * 1024 * 1024;
/** How many such frames are decoded at once, each in a thread of its own. */
const AT_ONCE = 3;
const CHUNK = 1024 * 1024;

/** Decompresses all frames of `source`. Damage, a wrong checksum and a cut end are `corrupt`. */
export async function* unzstdStream(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const native = nativeDecoder();
  if (native) {
    for await (const frame of zstdFramesOf(source)) yield* decodeNatively(native, frame);
    return;
  }
  const whole = await wholeDecoder();
  if (!whole) {
    yield* unzstdPlain(source);
    return;
  }
  const pending: Promise<Uint8Array>[] = [];
  try {
    for await (const frame of zstdFramesOf(source)) {
      const { contentSize } = frame.header;
      if (contentSize === undefined || contentSize > SMALL) {
        while (pending.length > 0) yield await (pending.shift() as Promise<Uint8Array>);
        yield* decodeFrame(frame);
        continue;
      }
      const pieces: Uint8Array[] = [];
      for await (const piece of frame.pieces) pieces.push(piece);
      const decoding = decodeWhole(whole, frame, contentSize, join(pieces));
      decoding.catch(() => {}); // thrown when its turn comes
      pending.push(decoding);
      if (pending.length >= AT_ONCE) yield await (pending.shift() as Promise<Uint8Array>);
    }
    while (pending.length > 0) yield await (pending.shift() as Promise<Uint8Array>);
  } finally {
    await Promise.allSettled(pending);
  }
}

type WholeDecoder = (bytes: Buffer) => Promise<Uint8Array>;

async function wholeDecoder(): Promise<WholeDecoder | undefined> {
  try {
    const module = await import("@mongodb-js/zstd");
    return module.decompress;
  } catch {
    // No binary for this platform: plain JavaScript does it too.
    return undefined;
  }
}

async function decodeWhole(decode: WholeDecoder, frame: Frame, size: number, bytes: Uint8Array): Promise<Uint8Array> {
  let content: Uint8Array;
  try {
    content = await decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (cause) {
    throw damaged(
      `the frame that starts here is damaged (${cause instanceof Error ? cause.message : String(cause)})`,
      frame.offset,
      cause,
    );
  }
  if (content.length !== size)
    throw damaged(`the frame that starts here holds ${content.length} bytes, expected ${size}`, frame.offset);
  return content;
}

/** What node:zlib has from Node 22.15 on; the types of Node 20 do not know it. */
interface NativeZlib {
  readonly createZstdDecompress?: (options: object) => ReturnType<typeof import("node:zlib").createGunzip>;
  readonly constants: { readonly ZSTD_d_windowLogMax?: number };
}

function nativeDecoder(): (() => ReturnType<typeof import("node:zlib").createGunzip>) | undefined {
  const zlib = process.getBuiltinModule("node:zlib") as unknown as NativeZlib; // see NativeZlib
  const { createZstdDecompress, constants } = zlib;
  if (!createZstdDecompress) return undefined;
  const params = { [constants.ZSTD_d_windowLogMax ?? 100]: Math.log2(MAX_WINDOW) };
  return () => createZstdDecompress({ chunkSize: CHUNK, params });
}

async function* decodeNatively(open: NonNullable<ReturnType<typeof nativeDecoder>>, frame: Frame): AsyncGenerator<Uint8Array> {
  const engine = open();
  const feeding = (async () => {
    try {
      for await (const piece of frame.pieces) {
        await new Promise<void>((resolve) => {
          engine.once("close", resolve);
          engine.write(piece, () => {
            engine.off("close", resolve);
            resolve();
          });
        });
        if (engine.destroyed) return;
      }
      engine.end();
    } catch (error) {
      engine.destroy(error as Error); // whatever it is, the reader gets it
    }
  })();
  let size = 0;
  try {
    for await (const chunk of engine) {
      size += (chunk as Uint8Array).length; // the engine is in byte mode
      yield chunk as Uint8Array;
    }
  } catch (cause) {
    if (cause instanceof FsynthError) throw cause;
    throw damaged(
      `the frame that starts here is damaged (${cause instanceof Error ? cause.message : String(cause)})`,
      frame.offset,
      cause,
    );
  } finally {
    engine.destroy();
    await feeding;
  }
  const { contentSize } = frame.header;
  if (contentSize !== undefined && size !== contentSize) {
    throw damaged(`the frame that starts here holds ${size} bytes, expected ${contentSize}`, frame.offset);
  }
}
