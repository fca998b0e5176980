// One client at the other end of a connection that is there already, such as a machine that this process starts.

import type { Duplex } from "node:stream";
import type { Image } from "../image/image.ts";
import { Clients } from "./clients.ts";
import { PlanDisk } from "./disk.ts";
import type { ServeEvent } from "./event.ts";
import { talkNbd } from "./nbd.ts";
import { Overlay } from "./overlay.ts";

/** What a handshake may take, seconds: a machine that starts may be slow. */
const HANDSHAKE = 600;

/**
 * Serves an image by NBD to whoever is at the other end of `connection`, until that closes. What the client writes stays in
 * memory, and is gone then; it has room for all that the image holds.
 */
export function serveConnection(image: Image, connection: Duplex, onEvent: (event: ServeEvent) => void): void {
  const disk = new Overlay(new PlanDisk(image.plan), 2 * image.size);
  const exported = { name: "", size: image.size, writable: true, shared: false };
  const clients = new Clients({
    talk: (client) => talkNbd({ exported, diskFor: () => ({ disk, writable: disk }) }, client),
    maxClients: 1,
    handshakeTimeout: HANDSHAKE,
    onEvent,
  });
  clients.accept(connection);
}
