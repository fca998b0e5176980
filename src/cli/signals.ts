// What a signal does. A handler in JavaScript runs only when the event loop gets a turn, so there is one only while files are
// written, which takes turns; long planning is ended by the system itself.

// Exit runs what removes temporary files (src/host/node-exit.ts).
const STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const handlers = Object.entries(STATUS).map(([signal, status]) => [signal, () => process.exit(status)] as const);

/** From now on signals end the process in order, with their own exit status. */
export function catchSignals(): void {
  releaseSignals();
  for (const [signal, handler] of handlers) process.on(signal, handler);
}

/** From now on signals end the process at once; the shell sees the same status. */
export function releaseSignals(): void {
  for (const [signal, handler] of handlers) process.off(signal, handler);
}
