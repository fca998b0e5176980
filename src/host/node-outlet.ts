// Writing in order to what is no regular file of ours. A write that may block for as long as a reader pleases must not
// hold the main thread (signals would wait with it), nor a thread of the pool (exit would): pipes are written without blocking.

import * as fs from "node:fs";
import { FsynthError } from "../error.ts";
import { WRITE } from "./node-write.ts";
import type { Outlet } from "./port.ts";

const RETRY_MS = 20;

/** Opens `to`, a path or an inherited descriptor; `name` is what errors call it. */
export async function openOutlet(to: string | Buffer | number, name: string): Promise<Outlet> {
  const failed = (what: string, cause: unknown): FsynthError => {
    const message = cause instanceof Error ? cause.message.replace(/^(E[A-Z0-9]+: [^,]*),.*$/s, "$1") : String(cause);
    return new FsynthError("io", `cannot ${what} ${name}: ${message}`, { path: name }, { cause });
  };
  let fd: number;
  let stat: fs.Stats;
  try {
    fd = typeof to === "number" ? to : await openForWriting(to);
    stat = fs.fstatSync(fd);
  } catch (cause) {
    throw failed("open", cause);
  }
  const inherited = typeof to === "number";
  if (stat.isFIFO() || stat.isSocket()) return await pipeOutlet(fd, inherited, failed);
  // A device has no pages to be taken.
  const most = stat.isFile() ? WRITE : Number.POSITIVE_INFINITY;
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.length; ) {
        try {
          done += fs.writeSync(fd, bytes, done, Math.min(bytes.length - done, most));
        } catch (cause) {
          if ((cause as NodeJS.ErrnoException).code !== "EAGAIN") throw failed("write to", cause);
          await wait();
        }
      }
    },
    close() {
      if (!inherited) fs.closeSync(fd);
    },
  };
}

/** Opens without waiting in the kernel: a fifo without a reader answers ENXIO, and is asked again. */
async function openForWriting(path: string | Buffer): Promise<number> {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  for (;;) {
    try {
      return fs.openSync(path, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENXIO" || !fs.statSync(path).isFIFO()) throw cause;
      await wait();
    }
  }
}

function wait(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, RETRY_MS);
  });
}

async function pipeOutlet(
  fd: number,
  inherited: boolean,
  failed: (what: string, cause: unknown) => FsynthError,
): Promise<Outlet> {
  const socket = fd === 1 ? process.stdout : fd === 2 ? process.stderr : await ownSocket(fd);
  // The callback of each write tells of failures; the event that comes with them would end the process.
  socket.on("error", () => {});
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (cause) => (cause ? reject(failed("write to", cause)) : resolve()));
      }),
    close() {
      if (!inherited) socket.end();
    },
  };
}

async function ownSocket(fd: number): Promise<NodeJS.WriteStream | import("node:net").Socket> {
  const { Socket } = await import("node:net");
  return new Socket({ fd, readable: false, writable: true });
}
