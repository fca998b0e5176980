// What a server tells of. In a file of its own, so that the declarations of fsynth/serve name nothing of Node.

/** What happened to a server; none of it ends it. */
export interface ServeEvent {
  /**
   * `connected`, `disconnected`: of an NBD client that got as far as the transmission. `dropped`: a client that
   * broke the protocol, was too slow to shake hands, or one too many. `failed`: something could not be read.
   */
  readonly kind: "connected" | "disconnected" | "dropped" | "failed";
  /** Which connection, counted from 1. */
  readonly client: number;
  /** A sentence, for a person. */
  readonly message: string;
  /** What was thrown, of `failed`. */
  readonly error?: unknown;
}
