// The digest sink: SHA-256 of the image's bytes, holes being zeros.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";
import { Turns } from "../host/turn.ts";
import type { WriteOptions } from "../image/image.ts";
import type { Plan } from "../image/plan.ts";
import { ARENA, emit, type Piece, zeros } from "./emit.ts";

/** A hash that is fed with the pieces of an image. */
export class PieceHash {
  readonly #hash = host.sha256();
  readonly #turns = new Turns();

  async update(piece: Piece): Promise<void> {
    if (piece.bytes) this.#hash.update(piece.bytes);
    else {
      for (const run of zeros(piece.length)) {
        this.#hash.update(run);
        if (this.#turns.due()) await this.#turns.take();
      }
    }
  }

  /** Lower-case hex. */
  hex(): string {
    return toHex(this.#hash.digest());
  }
}

/** SHA-256 of all the bytes of an image, lower-case hex. */
export async function digestImage(plan: Plan, options: WriteOptions = {}): Promise<string> {
  const hash = new PieceHash();
  const arena = new Uint8Array(Math.min(ARENA, plan.size));
  for await (const piece of emit(plan, { arena: () => arena, onProgress: options.onProgress })) await hash.update(piece);
  return hash.hex();
}
