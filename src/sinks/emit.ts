// The one loop over a plan: regions in, runs of bytes and holes out, ascending and without gaps.
//
// Small pieces are gathered in an arena, so that whoever writes makes few large writes; content and metadata are made in the
// arena itself. Nothing here allocates or awaits per file: a promise for each would cost more than the read.

import { quoteName } from "../bytes/names.ts";
import { assert, FsynthError } from "../error.ts";
import { Turns } from "../host/turn.ts";
import type { Progress } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { type BytesRegion, type ContentRegion, MAX_BYTES_REGION } from "../image/region.ts";

/** Bytes gathered before they are handed on: room for the longest region of bytes, and few turns of the loop. */
export const ARENA = MAX_BYTES_REGION;

/** Holes up to this length are gathered as zeros: behind the last block of every file there is one. */
const SHORT_HOLE = 64 * 1024;

/** A run of the image. Holds until the next one is asked for. */
export interface Piece {
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly length: number;
  /** `undefined` for a hole. */
  readonly bytes: Uint8Array | undefined;
}

export interface EmitOptions {
  /** The range of the image, in bytes. Default: all of it. */
  readonly from?: number;
  readonly to?: number;
  /** Room for the bytes from `offset` on; asked for anew after each piece. The same room may be given again. */
  arena(offset: number): Uint8Array;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The pieces of a plan, or of a range of it. */
export async function* emit(plan: Plan, options: EmitOptions): AsyncGenerator<Piece, void, void> {
  const { from = 0, to = plan.size, onProgress } = options;
  const turns = new Turns();
  let start = from;
  let arena: Uint8Array | undefined;
  let used = 0;
  let regions = 0;

  function* flush(): Generator<Piece, void, void> {
    if (arena && used > 0) yield { offset: start, length: used, bytes: arena.subarray(0, used) };
    start += used;
    used = 0;
    arena = undefined;
    if (start < to) onProgress?.({ done: start - from, total: to - from });
  }

  for (const region of plan.regions(from)) {
    let at = Math.max(region.offset, from);
    const end = Math.min(region.offset + region.length, to);
    if (at >= end) break;
    assert(at === start + used, `region at ${region.offset}, expected one at ${start + used}`);
    arena ??= options.arena(start);
    if (region.kind === "hole") {
      if (end - at <= SHORT_HOLE && end - at <= arena.length - used) {
        arena.fill(0, used, used + end - at);
        used += end - at;
      } else {
        yield* flush();
        yield { offset: at, length: end - at, bytes: undefined };
        start = end;
      }
    } else if (region.kind === "bytes") {
      if (used > 0 && end - at > arena.length - used) {
        yield* flush();
        arena = options.arena(start);
      }
      if (end - at === region.length && region.length <= arena.length) {
        await fill(region, arena.subarray(used, used + region.length));
        used += region.length;
      } else {
        const whole = new Uint8Array(region.length);
        await fill(region, whole);
        while (at < end) {
          if (used === arena.length) {
            yield* flush();
            arena = options.arena(start);
          }
          const count = Math.min(end - at, arena.length - used);
          arena.set(whole.subarray(at - region.offset, at - region.offset + count), used);
          used += count;
          at += count;
        }
      }
    } else {
      while (at < end) {
        if (used === arena.length) {
          yield* flush();
          arena = options.arena(start);
          if (turns.due()) await turns.take();
        }
        const count = Math.min(end - at, arena.length - used);
        const pending = read(region, region.start + at - region.offset, arena.subarray(used, used + count));
        if (pending) await pending;
        used += count;
        at += count;
      }
    }
    if ((++regions & 63) === 0 && turns.due()) await turns.take();
  }
  yield* flush();
  assert(start === to, `the regions end at ${start}, the image at ${to}`);
  onProgress?.({ done: to - from, total: to - from });
}

async function fill(region: BytesRegion, target: Uint8Array): Promise<void> {
  target.fill(0);
  const pending = region.fill(target);
  if (pending) await pending;
}

/** Reads a range of the content of a region; what fails tells the path of the file. */
export function read(region: ContentRegion, offset: number, target: Uint8Array): void | Promise<void> {
  try {
    const pending = region.content.read(offset, target);
    if (!pending) return;
    return pending.catch((cause: unknown) => {
      throw failedRead(region, cause);
    });
  } catch (cause) {
    throw failedRead(region, cause);
  }
}

/** The error of a content, with the place of the file in the tree. */
function failedRead(region: ContentRegion, cause: unknown): FsynthError {
  const path = region.path();
  if (!(cause instanceof FsynthError)) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return new FsynthError("source", `${quoteName(path)}: reading its content failed: ${message}`, { path }, { cause });
  }
  if (cause.message.startsWith(quoteName(path))) return cause;
  return new FsynthError(cause.code, `${quoteName(path)}: ${cause.message}`, { ...cause.where, path }, { cause });
}

/** Zeros for those who must write or hash holes; never written to. */
let shared: Uint8Array | undefined;

/** Runs of zeros that add up to `length`, as views of one shared buffer. */
export function* zeros(length: number): Generator<Uint8Array, void, void> {
  shared ??= new Uint8Array(1 << 20);
  for (let left = length; left > 0; left -= shared.length) yield left >= shared.length ? shared : shared.subarray(0, left);
}
