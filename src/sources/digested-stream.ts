// A stream with the digest of all that came out of it.

import { host } from "#host";
import { toHex } from "../bytes/hex.ts";

/** A stream that is digested while somebody reads it. */
export class DigestedStream {
  readonly #hash = host.sha256();
  readonly #iterator: AsyncIterator<Uint8Array>;
  #ended = false;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** Leaving early leaves the rest where it is. */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
  }

  /** Of all bytes, those included that the reader had no use for. */
  async digest(): Promise<string> {
    while ((await this.#next()) !== undefined);
    return toHex(this.#hash.digest());
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const { done, value } = await this.#iterator.next();
    if (done === true) {
      this.#ended = true;
      return undefined;
    }
    this.#hash.update(value);
    return value;
  }
}
