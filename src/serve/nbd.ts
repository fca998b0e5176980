// One export, as NBD.

import type { Client } from "./clients.ts";
import { sentenceOf } from "./clients.ts";
import type { Disk, WritableDisk } from "./disk.ts";
import { type Export, shakeHands } from "./handshake.ts";
import { answerRequests } from "./requests.ts";

/** What clients are served. */
export interface ServedExport {
  readonly exported: Export;
  /** The disk of a new client: one for all, or each its own. */
  readonly diskFor: () => { readonly disk: Disk; readonly writable: WritableDisk | undefined };
}

/** Shakes hands with a client and answers its requests until it leaves. Throws Violation, and Gone when it is gone. */
export async function talkNbd({ exported, diskFor }: ServedExport, client: Client): Promise<void> {
  const { wire } = client;
  client.hurry(() => {
    client.tell("dropped", "no handshake in time");
    wire.end();
  });
  const agreed = await shakeHands(wire, exported);
  client.relax();
  if (!agreed) return;
  client.tell("connected", "connected");
  try {
    const onFailure = (error: unknown): void => client.tell("failed", sentenceOf(error), error);
    await answerRequests(wire, { ...diskFor(), onFailure, ending: () => client.ending() }, agreed);
  } finally {
    client.tell("disconnected", "gone");
  }
}
