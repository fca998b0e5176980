// The clients of a server, whatever they speak: who is connected, what happens to them, and how all of it ends.

import { createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import type { ServeEvent } from "./event.ts";
import { Gone, Violation, Wire } from "./wire.ts";

/** One client, as what is spoken with it sees it. */
export interface Client {
  readonly wire: Wire;
  /** Whether the server is about to end: then nothing new is begun. */
  ending(): boolean;
  /** From now on the client has the time of a handshake; `late` is called when that is over. */
  hurry(late: () => void): void;
  /** It was quick enough. */
  relax(): void;
  tell(kind: ServeEvent["kind"], message: string, error?: unknown): void;
}

/** How clients are served. */
export interface Serving {
  /** Talks with a client until it leaves. May throw {@link Violation}, and {@link Gone}. */
  talk(client: Client): Promise<void>;
  readonly maxClients: number;
  /** What a client has to say what it wants, seconds. */
  readonly handshakeTimeout: number;
  onEvent(event: ServeEvent): void;
}

/** How long requests under way have when the server ends, ms. */
const PATIENCE = 2000;

/** How long those have then that still wait for a source, ms: nobody hears of what they find. */
const SOURCES = 500;

/** The clients of a server. */
export class Clients {
  readonly server: Server;
  readonly #serving: Serving;
  readonly #open = new Set<{ readonly wire: Wire; readonly done: Promise<void> }>();
  #count = 0;
  #ending = false;

  constructor(serving: Serving) {
    this.#serving = serving;
    // Who has said all that it wants still gets its answers.
    this.server = createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, (socket) => this.accept(socket));
  }

  /** How many are connected. */
  get size(): number {
    return this.#open.size;
  }

  /** Lets requests under way be answered, and drops all clients. What waits for a source that never answers is left behind. */
  async end(): Promise<void> {
    this.#ending = true;
    const all = [...this.#open];
    for (const { wire } of all) wire.endWhenIdle();
    const done = Promise.all(all.map((one) => one.done));
    await within(PATIENCE, done);
    for (const { wire } of all) wire.end();
    await within(SOURCES, done);
  }

  /** Serves who is at the other end of a connection. */
  accept(socket: Duplex): void {
    const number = ++this.#count;
    const { maxClients } = this.#serving;
    if (this.#ending || this.#open.size >= maxClients) {
      socket.on("error", () => {});
      socket.destroy();
      if (!this.#ending) this.#tell("dropped", number, `one client more than ${maxClients}`);
      return;
    }
    const wire = new Wire(socket);
    const done = this.#serve(wire, number).finally(() => {
      wire.finish();
      this.#open.delete(entry);
    });
    const entry = { wire, done };
    this.#open.add(entry);
  }

  async #serve(wire: Wire, number: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const relax = (): void => clearTimeout(timer);
    try {
      await this.#serving.talk({
        wire,
        ending: () => this.#ending,
        hurry: (late) => {
          relax();
          timer = setTimeout(late, this.#serving.handshakeTimeout * 1000);
        },
        relax,
        tell: (kind, message, error) => this.#tell(kind, number, message, error),
      });
    } catch (error) {
      if (error instanceof Gone) return;
      if (error instanceof Violation) this.#tell("dropped", number, `it breaks the protocol: ${error.message}`);
      else this.#tell("failed", number, sentenceOf(error), error);
    } finally {
      relax();
    }
  }

  #tell(kind: ServeEvent["kind"], client: number, message: string, error?: unknown): void {
    this.#serving.onEvent({ kind, client, message, ...(error !== undefined && { error }) });
  }
}

/** What an error says. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for `done`, at most `limit` ms. */
async function within(limit: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limit);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
