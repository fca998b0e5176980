// QEMU's machine protocol, over a socket that has no name: one end is inherited by QEMU.
//
// Specification: QEMU docs/interop/qmp-spec.rst. Each message is one JSON object on one line.

import type { Duplex } from "node:stream";

/** An event of QEMU, such as SHUTDOWN. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Message {
  readonly QMP?: unknown;
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The launcher's end. That QEMU goes away is no error here: the end of its process tells. */
export class Qmp {
  #rest = "";
  #ready = false;
  #waiting: string[] = [];

  constructor(
    readonly socket: Duplex,
    readonly onEvent: (event: QmpEvent) => void,
  ) {
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", () => {});
  }

  /** Asks for what has no answer of interest: `system_powerdown`, `quit`. */
  execute(command: string): void {
    const line = `${JSON.stringify({ execute: command })}\n`;
    if (this.#ready) this.socket.write(line);
    else this.#waiting.push(line);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      const message = JSON.parse(line) as Message; // as specified
      if (message.QMP !== undefined) {
        this.socket.write(`${JSON.stringify({ execute: "qmp_capabilities" })}\n`);
        this.#ready = true;
        for (const waiting of this.#waiting) this.socket.write(waiting);
        this.#waiting = [];
      } else if (message.event !== undefined) this.onEvent({ event: message.event, data: message.data ?? {} });
    }
  }
}
