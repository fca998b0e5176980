// One export for any number of NBD clients.

import { createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import type { Disk, WritableDisk } from "./disk.ts";
import type { ServeEvent } from "./event.ts";
import { type Export, shakeHands, Violation } from "./handshake.ts";
import { answerRequests } from "./requests.ts";
import { Gone, Wire } from "./wire.ts";

/** How clients are served. */
export interface ServingClients {
  readonly exported: Export;
  /** The disk of a new client: one for all, or each its own. */
  diskFor(): { readonly disk: Disk; readonly writable: WritableDisk | undefined };
  readonly maxClients: number;
  /** What a client has until the transmission begins, seconds. */
  readonly handshakeTimeout: number;
  onEvent(event: ServeEvent): void;
}

/** How long requests under way have when the server ends, ms. */
const PATIENCE = 2000;

/** The clients of a server. */
export class NbdClients {
  readonly server: Server;
  readonly #serving: ServingClients;
  readonly #open = new Set<{ readonly wire: Wire; readonly done: Promise<void> }>();
  #count = 0;
  #ending = false;

  constructor(serving: ServingClients) {
    this.#serving = serving;
    this.server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.accept(socket));
  }

  /** How many are connected. */
  get size(): number {
    return this.#open.size;
  }

  /** Lets requests under way be answered, and drops all clients. */
  async end(): Promise<void> {
    this.#ending = true;
    const all = [...this.#open];
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE);
    });
    for (const { wire } of all) wire.endWhenIdle();
    await Promise.race([Promise.all(all.map(({ done }) => done)), patience]);
    clearTimeout(timer);
    for (const { wire } of all) wire.end();
    await Promise.all(all.map(({ done }) => done));
  }

  /** Serves who is at the other end of a connection. */
  accept(socket: Duplex): void {
    const client = ++this.#count;
    const { maxClients } = this.#serving;
    if (this.#ending || this.#open.size >= maxClients) {
      socket.on("error", () => {});
      socket.destroy();
      if (!this.#ending) this.#tell("dropped", client, `one client more than ${maxClients}`);
      return;
    }
    const wire = new Wire(socket);
    const done = this.#serve(wire, client).finally(() => {
      wire.finish();
      this.#open.delete(entry);
    });
    const entry = { wire, done };
    this.#open.add(entry);
  }

  async #serve(wire: Wire, client: number): Promise<void> {
    const { exported, handshakeTimeout } = this.#serving;
    const timer = setTimeout(() => {
      this.#tell("dropped", client, `no handshake within ${handshakeTimeout} s`);
      wire.end();
    }, handshakeTimeout * 1000);
    try {
      const agreed = await shakeHands(wire, exported);
      clearTimeout(timer);
      if (!agreed) return;
      this.#tell("connected", client, "connected");
      try {
        const onFailure = (error: unknown): void => {
          this.#tell("failed", client, error instanceof Error ? error.message : String(error), error);
        };
        await answerRequests(wire, { ...this.#serving.diskFor(), onFailure, ending: () => this.#ending }, agreed);
      } finally {
        this.#tell("disconnected", client, "gone");
      }
    } catch (error) {
      if (error instanceof Gone) return;
      if (error instanceof Violation) this.#tell("dropped", client, `it breaks the protocol: ${error.message}`);
      else this.#tell("failed", client, error instanceof Error ? error.message : String(error), error);
    } finally {
      clearTimeout(timer);
    }
  }

  #tell(kind: ServeEvent["kind"], client: number, message: string, error?: unknown): void {
    this.#serving.onEvent({ kind, client, message, ...(error !== undefined && { error }) });
  }
}
