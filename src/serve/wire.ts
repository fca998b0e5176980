// The two directions of a connection. Nothing is read ahead of what is worked on but a little, and nothing is worked on while
// the peer does not take its answers: a client can hold up only itself.

import type { Duplex } from "node:stream";

/** How much is kept that nobody asked for yet, bytes. */
const AHEAD = 128 * 1024;

/** The peer is gone, or this side is to end; no fault of anyone. */
export class Gone extends Error {}

/** A peer that breaks the protocol so that nothing it sends can be understood. */
export class Violation extends Error {}

/** How much of what a peer still sends is taken from it before the connection ends, bytes, and how long, ms. */
const LINGER = 1 << 20;
const LINGER_TIME = 1000;

/** A connection as bytes that are asked for and bytes that are sent. */
export class Wire {
  readonly #socket: Duplex;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #ended = false;
  #resting = false;
  /** The peer is in the middle of what it says: {@link endWhenIdle} lets it come to an end. */
  busy = false;
  #wake: (() => void) | undefined;

  constructor(socket: Duplex) {
    this.#socket = socket;
    const end = (): void => {
      this.#ended = true;
      this.#stir();
    };
    socket.on("data", (bytes: Uint8Array) => {
      this.#chunks.push(bytes);
      this.#held += bytes.length;
      if (this.#held >= AHEAD) socket.pause();
      this.#stir();
    });
    socket.on("end", end);
    socket.on("close", end);
    // A reset tells no more than that the peer is gone, which close tells, too.
    socket.on("error", () => {});
  }

  /** Exactly `count` bytes. Throws {@link Gone} where the peer ends before. */
  async take(count: number): Promise<Uint8Array> {
    while (this.#held < count) await this.#more();
    const first = this.#chunks[0];
    if (first !== undefined && first.length > count) {
      this.#chunks[0] = first.subarray(count);
      this.#held -= count;
      return first.subarray(0, count);
    }
    const all = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const part = this.#next(count - done);
      all.set(part, done);
      done += part.length;
    }
    return all;
  }

  /** What is there, at least 1 and at most `most` bytes. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#held === 0) await this.#more();
    return this.#next(most);
  }

  /** Gives back what was taken last and not used. */
  putBack(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.unshift(bytes);
    this.#held += bytes.length;
  }

  /** Takes `count` bytes and drops them. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.some(left)).length;
  }

  /** Sends `bytes`, which may be changed again once the result is there: then the system has them. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#socket.destroyed) throw new Gone();
    await new Promise<void>((resolve, reject) => {
      // Called with an error when the socket is destroyed meanwhile.
      this.#socket.write(bytes, (error) => (error ? reject(new Gone()) : resolve()));
    });
  }

  /** Ends what waits for the peer, now and later. */
  end(): void {
    this.#socket.destroy();
  }

  /** Ends what waits for the peer to say something; what is being sent is sent. */
  endWhenIdle(): void {
    this.#resting = true;
    this.#stir();
  }

  /**
   * Ends this side, and takes for a moment what the peer still sends: where a connection is closed over bytes that nobody took,
   * the peer may lose what it was told last.
   */
  async linger(): Promise<void> {
    this.#socket.end();
    const timer = setTimeout(() => this.end(), LINGER_TIME);
    try {
      await this.skip(LINGER);
    } catch (error) {
      if (!(error instanceof Gone)) throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says that nothing more comes, once all that was sent is out. */
  finish(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  #next(most: number): Uint8Array {
    const first = this.#chunks[0] as Uint8Array; // callers have seen that something is held
    const part = first.length > most ? first.subarray(0, most) : first;
    if (part === first) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(most);
    this.#held -= part.length;
    return part;
  }

  async #more(): Promise<void> {
    if (this.#ended || (this.#resting && !this.busy)) throw new Gone();
    this.#socket.resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #stir(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
