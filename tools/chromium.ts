// A headless Chromium, driven through its DevTools protocol over a pipe (--remote-debugging-pipe: file descriptors 3 and 4, JSON
// messages that end in NUL). No port, no library. https://chromedevtools.github.io/devtools-protocol/

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Nothing that asks the network by itself, and no sandbox, which root does not get. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
];

/** Milliseconds that a page may take to load. */
const LOAD_LIMIT = 30_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A page in the browser. */
export interface Page {
  /** Sends a command of the protocol. */
  send(method: string, params?: object): Promise<Readonly<Record<string, unknown>>>;
  /** The value of an expression, or of what its promise gives; must be JSON. Throws what the page throws. */
  evaluate(expression: string): Promise<unknown>;
  /** Goes to an address and waits until it is loaded. */
  open(url: string): Promise<void>;
  /** What went wrong in the page so far: uncaught errors, errors in the console, and every request but of the page itself. */
  readonly complaints: readonly string[];
}

/** A running Chromium. */
export interface Chromium {
  /** Such as `156.0.8078.79`. */
  readonly version: string;
  /** An empty page. `downloads` is the folder where it saves. */
  page(options?: { readonly downloads?: string; readonly width?: number; readonly height?: number }): Promise<Page>;
  close(): Promise<void>;
}

/** Starts the program at `path`. Throws when it does not come up. */
export async function startChromium(path: string): Promise<Chromium> {
  const profile = mkdtempSync(join(tmpdir(), "fsynth-chromium-"));
  const child = spawn(path, [...FLAGS, `--user-data-dir=${profile}`], {
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
  });
  const pipe = new ProtocolPipe(child);
  const close = async (): Promise<void> => {
    await pipe.end();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const { product } = await pipe.send("Browser.getVersion");
    return { version: String(product).replace(/^.*\//, ""), page: (options = {}) => openPage(pipe, options), close };
  } catch (error) {
    await close();
    throw error;
  }
}

class ProtocolPipe {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(result: Readonly<Record<string, unknown>>): void; reject(error: Error): void }>();
  readonly #listeners = new Set<(message: Message) => void>();
  readonly #gone: Promise<void>;
  #next = 0;
  #rest = "";
  #said = "";

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-2000);
    });
    (child.stdio[3] as Writable).on("error", () => {}); // its end is told by "close"
    const answers = child.stdio[4] as Readable;
    answers.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    this.#gone = new Promise((resolve) => {
      const end = (why: string): void => {
        for (const waiting of this.#waiting.values()) waiting.reject(new Error(`Chromium ended: ${why}\n${this.#said}`));
        this.#waiting.clear();
        resolve();
      };
      child.on("error", (error) => end(error.message));
      child.on("close", (status, signal) => end(String(status ?? signal)));
    });
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<Readonly<Record<string, unknown>>> {
    if (this.#child.exitCode !== null) return Promise.reject(new Error(`Chromium ended: ${this.#child.exitCode}\n${this.#said}`));
    const id = ++this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const message = { id, method, params, ...(sessionId === undefined ? {} : { sessionId }) };
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    });
  }

  /** Calls `listener` for every event; the result ends that. */
  listen(listener: (message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null) this.send("Browser.close").catch(() => {}); // it may be gone before it answers
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#gone;
    clearTimeout(timer);
  }

  #take(text: string): void {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop() ?? "";
    for (const json of messages) {
      const message = JSON.parse(json) as Message;
      if (message.id === undefined) for (const listener of this.#listeners) listener(message);
      else {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.error) waiting?.reject(new Error(message.error.message));
        else waiting?.resolve(message.result ?? {});
      }
    }
  }
}

async function openPage(
  pipe: ProtocolPipe,
  { downloads, width = 1300, height = 1500 }: { readonly downloads?: string; readonly width?: number; readonly height?: number },
): Promise<Page> {
  const { targetId } = await pipe.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = (await pipe.send("Target.attachToTarget", { targetId, flatten: true })) as { sessionId: string };
  const send: Page["send"] = (method, params) => pipe.send(method, params, sessionId);
  const complaints: string[] = [];
  pipe.listen((message) => {
    if (message.sessionId !== sessionId) return;
    const complaint = complaintOf(message);
    if (complaint !== undefined) complaints.push(complaint);
  });
  await Promise.all([send("Page.enable"), send("Runtime.enable"), send("Log.enable"), send("Network.enable")]);
  await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  if (downloads !== undefined) {
    await pipe.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: downloads });
  }
  return {
    send,
    complaints,
    async evaluate(expression) {
      const answer = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
      const { result, exceptionDetails } = answer as {
        readonly result: { readonly value?: unknown };
        readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
      };
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    async open(url) {
      let stop = (): void => {};
      let timer: NodeJS.Timeout | undefined;
      const loaded = new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`${url} is not loaded after ${LOAD_LIMIT / 1000} s`)), LOAD_LIMIT);
        stop = pipe.listen(({ sessionId: of, method }) => {
          if (of === sessionId && method === "Page.loadEventFired") resolve();
        });
      });
      try {
        const { errorText } = (await send("Page.navigate", { url })) as { readonly errorText?: string };
        if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
        await loaded;
      } finally {
        clearTimeout(timer);
        stop();
      }
    },
  };
}

function complaintOf({ method, params }: Message): string | undefined {
  const { exceptionDetails, entry, request, type } = (params ?? {}) as {
    readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
    readonly entry?: { readonly level: string; readonly text: string };
    readonly request?: { readonly url: string };
    readonly type?: string;
  };
  if (method === "Runtime.exceptionThrown") return exceptionDetails?.exception?.description ?? exceptionDetails?.text;
  if (method === "Log.entryAdded" && entry?.level === "error") return entry.text;
  if (method === "Network.requestWillBeSent" && type !== "Document" && !/^(blob|data):/.test(request?.url ?? "")) {
    return `request: ${request?.url}`;
  }
  return undefined;
}
