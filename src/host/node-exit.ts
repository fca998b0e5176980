// What must not outlive the process, temporary files and programs that it started: it goes when the process exits, and when a
// signal ends it.

import { unlinkSync } from "node:fs";

type Path = string | Buffer;

const paths = new Set<Path>();
const works = new Set<() => void>();
const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

function removeAll(): void {
  for (const path of paths) {
    try {
      unlinkSync(path);
    } catch {
      // Already gone, or its folder is: nothing left to remove.
    }
  }
  paths.clear();
  for (const work of works) work();
  works.clear();
}

/** Where nobody else listens, the signal ends the process as it would have without us. Otherwise its owner decides, and exit cleans up. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  disarm();
  process.kill(process.pid, signal);
}

// Listening only while there is something to remove leaves the program that uses fsynth its own signals.
function arm(): void {
  process.on("exit", removeAll);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

function disarm(): void {
  process.off("exit", removeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/** Removes `path` when the process ends; the result takes that back. */
export function trackTemporary(path: Path): () => void {
  return tracked(paths, path);
}

/** Does `work`, which may not wait, when the process ends; the result takes that back. */
export function atEnd(work: () => void): () => void {
  return tracked(works, work);
}

function tracked<T>(set: Set<T>, item: T): () => void {
  if (paths.size + works.size === 0) arm();
  set.add(item);
  return () => {
    if (set.delete(item) && paths.size + works.size === 0) disarm();
  };
}
